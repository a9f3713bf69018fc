/*
 * Succession: hears what the supervisor says to this gateway (channel.h). Without a supervisor
 * there is none. Belongs to the main thread and its loop.
 */
#ifndef GATEWAY_SUCCESSION_H
#define GATEWAY_SUCCESSION_H

#include "gateway/handover/channel.h"

#include <uv.h>

typedef struct Succession Succession;

/* `hear` is called for each notice, and with NOTICE_NONE when the supervisor has ended. `text` is
   borrowed. NULL: there is no supervisor. */
Succession *succession_start(uv_loop_t *loop,
                             void (*hear)(void *owner, NoticeKind kind, Bytes text), void *owner);

/* Nothing is heard any more; it is freed when the loop has closed its handle. NULL is allowed. */
void succession_stop(Succession *succession);

/* Says something to the supervisor, if there is one. */
void succession_say(NoticeKind kind, const char *text);

#endif
