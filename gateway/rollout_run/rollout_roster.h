/*
 * RolloutRoster: the members of a rollout's trial, as this gateway knows them: their names as they
 * are recorded, in the order of their numbers. Owned by one thread; all zeros is an empty one.
 */
#ifndef GATEWAY_ROLLOUT_ROSTER_H
#define GATEWAY_ROLLOUT_ROSTER_H

#include "gateway/rollout/beginning.h"
#include "gateway/rollout_store/rollout_row.h"

typedef struct RolloutRoster {
    Arena *arena; /* of the names; NULL: there are none */
    Bytes clients[ROLLOUT_MEMBERS_MOST];
    int64_t numbers[ROLLOUT_MEMBERS_MOST];
    int64_t
        at[ROLLOUT_MEMBERS_MOST]; /* wall time in nanoseconds: when it was claimed; 0: long ago */
    uint32_t n;
    int64_t last;    /* the number of the latest one */
    int64_t settled; /* the number up to which they have the candidate */
} RolloutRoster;

typedef enum RosterNews {
    ROSTER_SAME,
    ROSTER_MORE,
    ROSTER_FEWER, /* clients were forgotten: it is to be read anew */
    ROSTER_LOST,  /* the store does not have all of these members any more; nothing has changed */
} RosterNews;

/* What the store has said of members beyond `after`: 0 (all of them: they take the place of those
   that were known), or `last`. */
RosterNews rollout_roster_take(RolloutRoster *roster, const RolloutMembers *members, int64_t after);

/* One more, who is copied. Nothing happens if it is full. */
void rollout_roster_add(RolloutRoster *roster, Bytes client, int64_t number, int64_t at);

/* How many of them, from the first on, have the candidate: a step after their claim (beginning.h),
   one after the other. Of the first of those that have not: ask again at *again_out; 0: there is
   none. */
uint32_t rollout_roster_settle(RolloutRoster *roster, int64_t step, const BeginningNow *now,
                               int64_t *again_out);

/* Nobody. */
void rollout_roster_clear(RolloutRoster *roster);

#endif
