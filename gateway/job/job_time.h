/*
 * JobTime: the wall time that waits and deadlines of jobs go by, while a process lives.
 *
 *      the clock       ______/  a jump of two hours
 *      JobTime         ______,,,,----  goes a tenth faster until it is there
 *
 * A clock that jumps must not end waits of hours at once, or begin them anew. So time passes as the
 * monotonic clock says, and the wall clock is followed at most a tenth faster or slower: a wait is
 * wrong by a tenth at most. It never goes back. A clock that is off by more than JOB_TIME_FOLLOWS
 * was set for the first time, and is believed at once. Pure; times in nanoseconds.
 */
#ifndef GATEWAY_JOB_TIME_H
#define GATEWAY_JOB_TIME_H

#include "base/clock.h"

#define JOB_TIME_FOLLOWS (30 * 24 * 3600 * SECOND)

/* Zeroed: it begins with the first time that is asked for. */
typedef struct JobTime {
    int64_t wall, now; /* as of the last look */
} JobTime;

/* The time now, of which the clocks say so much. */
int64_t job_time_look(JobTime *time, int64_t wall, int64_t now);

#endif
