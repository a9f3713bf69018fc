/*
 * Reach: one loop's connects to an instance: how many failed in a row, and when the next one may be
 * made.
 *
 * After a failure there is a backoff with jitter, doubled up to a limit. Connects that are refused
 * at once cost no waiting time, and may be more frequent than those that time out. Pure: time and
 * random numbers are passed in. Owned by one loop; all zeros: never tried.
 */
#ifndef GATEWAY_REACH_H
#define GATEWAY_REACH_H

#include "base/random.h"
#include "gateway/instances/instances.h"

typedef struct Reach {
    int64_t connect_after; /* end of the backoff: no connect before */
    int64_t failed_at;     /* the end of the last failed connect, */
    int64_t attempt_time;  /* and how long it took */
    uint32_t failures;     /* failed connects in a row; 0: the last one succeeded */
    uint32_t times_back;   /* known_instance_times_back at the last failure */
} Reach;

/* A connect that began at `begun` has failed at `now`; times in monotonic nanoseconds. Connects of
   which each began before the failure of the first was known are one failure. False: it was counted
   already. */
bool reach_failed(Reach *reach, const KnownInstance *known, int64_t begun, int64_t now,
                  Random *random);

/* The instance was reached. If it was down for this loop, the other loops are notified. */
void reach_succeeded(Reach *reach, KnownInstance *known);

/* Whether to connect in spite of the backoff: it would cost little, or another loop has reached the
   instance since. */
bool reach_is_worth_a_try(const Reach *reach, const KnownInstance *known, int64_t now);

/* The time from which reach_is_worth_a_try is true without another loop. NO_TIMEOUT: never, since
   connects take too long. */
int64_t reach_try_from(const Reach *reach);

#endif
