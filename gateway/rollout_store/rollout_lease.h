/*
 * RolloutLease: which gateway judges a rollout, as one of them sees it.
 *
 * Whoever judges shows that it lives by a number in the rollout's row that changes with each
 * renewal. A judge whose number has not changed for a lease, by our own monotonic clock, is dead,
 * and its place is taken with the next token; what it still writes with its own one changes
 * nothing. Clocks of others are never read. Pure: times are passed in, in nanoseconds.
 */
#ifndef GATEWAY_ROLLOUT_LEASE_H
#define GATEWAY_ROLLOUT_LEASE_H

#include "gateway/rollout_store/rollout_row.h"

typedef struct RolloutLease {
    RolloutJudge seen; /* `name` belongs to the lease */
    int64_t since;     /* that we see it so */
    int64_t until;     /* ours is over then; 0: it is not ours */
} RolloutLease;

/* The row was read at `now`. */
void rollout_lease_see(RolloutLease *lease, const RolloutJudge *judge, int64_t now);

/* Whether the place of the judge that was seen may be taken: it has left, or is silent for `length`
   (nanoseconds), and is not we. */
bool rollout_lease_may_take(const RolloutLease *lease, Bytes self, int64_t length, int64_t now);

/* Ours was taken or renewed by a task that was begun at `asked_at`. */
void rollout_lease_won(RolloutLease *lease, const RolloutJudge *judge, int64_t asked_at,
                       int64_t length);

/* Somebody else may have it. */
void rollout_lease_lost(RolloutLease *lease);

bool rollout_lease_is_ours(const RolloutLease *lease, int64_t now);

void rollout_lease_deinit(RolloutLease *lease);

#endif
