/*
 * Reach: how one loop fares with reaching an instance: the attempts that failed in a row, and when
 * the next one may be made.
 *
 * After a failure the instance is left alone for a while: backoff with jitter, doubling to a limit.
 * Attempts that are refused at once cost nobody time and may come more often than those that
 * nothing answers. Pure: time and chance are passed in. Owned by one loop; all zeros: never tried.
 */
#ifndef GATEWAY_REACH_H
#define GATEWAY_REACH_H

#include "base/random.h"
#include "gateway/instances/instances.h"

typedef struct Reach {
    int64_t connect_after; /* backoff: no attempt before */
    int64_t failed_at;     /* the end of the last attempt that failed, */
    int64_t attempt_time;  /* and how long it took */
    uint32_t failures;     /* attempts in a row; 0: the last one succeeded */
    uint32_t times_back;   /* known_instance_times_back at the last failure */
} Reach;

/* An attempt that began at `begun` has failed at `now`; times in monotonic nanoseconds. */
void reach_failed(Reach *reach, const KnownInstance *known, int64_t begun, int64_t now,
                  Random *random);

/* The instance was reached. When it was down for this loop, the others are told that it is back. */
void reach_succeeded(Reach *reach, KnownInstance *known);

/* Within the backoff, whether an attempt makes sense all the same: it would cost little, or another
   loop has reached the instance since. */
bool reach_is_worth_a_try(const Reach *reach, const KnownInstance *known, int64_t now);

/* When the former is so by itself; NO_TIMEOUT: never, attempts take too long. */
int64_t reach_try_from(const Reach *reach);

#endif
