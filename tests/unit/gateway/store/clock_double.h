/* A clock that a test moves, in place of base/clock.c. For one file of a program. */
#ifndef TESTS_CLOCK_DOUBLE_H
#define TESTS_CLOCK_DOUBLE_H

#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t later, jumped; /* both clocks; wall time only */

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * SECOND + t.tv_nsec + later;
}

int64_t clock_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_thread(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID) - later;
}

int64_t clock_wall(void)
{
    return read_clock(CLOCK_REALTIME) + jumped;
}

#endif
