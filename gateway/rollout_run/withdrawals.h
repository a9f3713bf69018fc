/*
 * Withdrawals: builds that are not to serve, since the store has a rollout of them that is not
 * complete, and the config has its entry no more: whoever takes the entry of a build away that was
 * rolled back does not put it into service.
 *
 *      rows of the store --> withdrawals_see --> withdrawals_apply --> BAR_WITHDRAWN of instances
 *
 * While no other build of the service has an instance, they serve all the same, and that is told.
 * Rollouts of versions withdraw nothing. Of the main thread.
 */
#ifndef GATEWAY_WITHDRAWALS_H
#define GATEWAY_WITHDRAWALS_H

#include "base/arena.h"
#include "gateway/config/config.h"
#include "gateway/rollout/rollout_state.h"
#include "gateway/rollout_store/rollout_row.h"

/* A rollout of the store that is not complete. */
typedef struct Withdrawal {
    const char *rollout; /* "orders build 3.1.0" */
    RolloutPhase phase;
    bool told;
} Withdrawal;

/* All zeros: there are none. */
typedef struct Withdrawals {
    Arena *arena; /* of: */
    Withdrawal *all;
    uint32_t n;
} Withdrawals;

/* The store has these rollouts. True: that is new. */
bool withdrawals_see(Withdrawals *withdrawals, const RolloutRow *rows, uint32_t n);

/* The instances of the config serve, or not, by it; what is new is told as an event. */
void withdrawals_apply(Withdrawals *withdrawals, const Config *config);

/* What is told already is told again: of another config. */
void withdrawals_tell_again(Withdrawals *withdrawals);

/* That of this rollout, or of this service; NULL: the config withdraws none of this name. */
const Withdrawal *withdrawals_find(const Withdrawals *withdrawals, const Config *config,
                                   Bytes name);

/* Elements of an array, as JSON: an object for each with `rollout`, `service`, `candidate`, `state`
   and `withdrawn`; with a name, of that one only. */
void withdrawals_show(const Withdrawals *withdrawals, const Config *config, Bytes name,
                      Buffer *out);

void withdrawals_deinit(Withdrawals *withdrawals);

#endif
