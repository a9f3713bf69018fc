/*
 * InstanceCounts: what one loop has counted of the calls to one instance, and what all loops know
 * of its latest failures.
 *
 *      loop: instance_attempt_ended --> InstanceCounts --\
 *      loop: instance_attempt_ended --> InstanceCounts ---+--> known_instance_look: main thread
 *
 * The counts are written by their loop only, with relaxed atomics and no lock. A loop shares
 * nothing for a good call; failures in a row are counted for all loops together.
 */
#ifndef GATEWAY_INSTANCE_COUNTS_H
#define GATEWAY_INSTANCE_COUNTS_H

#include "gateway/instances/instances.h"

typedef struct InstanceCounts {
    atomic_ullong calls, failures, unanswered;
    atomic_ullong running; /* the sum of all loops counts: one of them may be below 0 */
    atomic_ullong timed, log_sum, log_squares; /* of the logarithms of times: in 64ths */
    KnownInstance *known;
    struct InstanceCounts *next, **at; /* of `known`; under a lock */
} InstanceCounts;

/* What the end of an attempt tells of its instance. */
typedef enum AttemptVerdict {
    ATTEMPT_UNJUDGED,   /* nothing: it was cancelled, the gateway failed, or a client may be why */
    ATTEMPT_UNANSWERED, /* it was still silent when another instance responded to the call */
    ATTEMPT_GOOD,       /* it has responded; also with an error that is the caller's mistake */
    ATTEMPT_FAILED,
    ATTEMPT_LOST, /* it broke off: as did all calls on the connection, which count as one */
} AttemptVerdict;

/* From now on these counts, which are all zeros, are of this instance. `known` must outlive
   them. */
void instance_counts_join(InstanceCounts *counts, KnownInstance *known);

/* What was counted is kept in the instance. */
void instance_counts_leave(InstanceCounts *counts);

/* An attempt is sent to the instance; and it has ended, or is sent elsewhere. `counts` are those of
   the loop; NULL: it has none any more. */
void instance_attempt_begins(InstanceCounts *counts);
void instance_attempt_leaves(InstanceCounts *counts, KnownInstance *known);

/* The attempts that run on it, of all loops. Any thread. */
uint64_t known_instance_running(KnownInstance *known);

/* Whether an attempt runs on it, or the end of one has told something of it: one that was cancelled
   has not. Any thread. */
bool known_instance_called(KnownInstance *known);

/* An attempt that was sent to the instance has ended. `time`: nanoseconds until it responded, or
   did not; 0: it tells nothing. On the loop's thread. */
void instance_attempt_ended(InstanceCounts *counts, AttemptVerdict verdict, int64_t time,
                            int64_t now);

/* What has been counted since the last look, and the longest row of failures since then. By one
   thread. */
Sample known_instance_look(KnownInstance *known, uint32_t *row_out);

/* Its row of failures ends: it begins anew. */
void known_instance_forget_row(KnownInstance *known);

#endif
