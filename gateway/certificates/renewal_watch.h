/*
 * RenewalWatch: looks at the files of certificates that have `watch: true`, and takes new ones.
 * There is one in the process. The main thread only; files are read on a thread of a Chore, so that
 * a mount that hangs holds nothing up.
 *
 * Events: `certificate_renewed`; `certificate_not_taken`, where files do not fit by two looks;
 * `certificate_fits`, where those from before are back.
 */
#ifndef GATEWAY_RENEWAL_WATCH_H
#define GATEWAY_RENEWAL_WATCH_H

#include "gateway/config/config.h"

#include <uv.h>

void renewal_watch_start(uv_loop_t *loop);

/* Before the loop ends. */
void renewal_watch_stop(void);

/* The config is running from now on: it is held until the next one is. Its files are those that
   were read for it. */
void renewal_watch_use(Config *config);

#endif
