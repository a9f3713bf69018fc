/*
 * ProcessMark: which process of which host somebody is, so that another one can tell whether it
 * still runs: "BOOT.NAMESPACE.PID.START". Numbers of processes mean something within one start of a
 * host and one namespace only, and are used again; with the time at which it started it is one
 * process for ever.
 *
 * Any thread.
 */
#ifndef GATEWAY_PROCESS_MARK_H
#define GATEWAY_PROCESS_MARK_H

#include "base/arena.h"
#include "base/bytes.h"

#include <sys/types.h>

typedef enum ProcessLife {
    PROCESS_UNSURE, /* of another host or container, or this system does not say */
    PROCESS_GONE,
    PROCESS_LIVES,
} ProcessLife;

/* Of this process, in `arena`, never empty. If the system does not say enough, nobody can tell
   whether it lives. */
Bytes process_mark_own(Arena *arena);

/* Of the process that has the mark, as far as the one with the mark `own` can see. */
ProcessLife process_mark_life(Bytes mark, Bytes own);

/* Its number; 0: this is no mark. */
pid_t process_mark_pid(Bytes mark);

/* Whether it runs and has the same parent as this process. */
bool process_mark_is_sibling(Bytes mark, Bytes own);

#endif
