/*
 * RolloutState: how far a rollout has come, and what happens to it next.
 *
 *                     good, on_good: advance           good, in the last tier
 *               +------- the next tier <------+    +------------------------> complete
 *               v                             |    |
 *      start -> running ----------------------+----+
 *               |  ^  |  good, but wait, or approval
 *               |  |  +-------------------------> waiting -- advance --> running, the next tier
 *        pause  v  |  resume                         |
 *              paused <------------------------------+
 *
 *      An operator may let it advance from running, too: such tiers have not passed (by_hand), and
 *      if earlier ones have shown more failures than the impact allows it stays in the last tier.
 *
 *      bad, anywhere but in complete: rolled back, or paused (on_bad). An operator may roll back
 *      anything. What was rolled back is started anew by an operator only.
 *
 * A candidate without instances (`gone`) is no state of its own: nothing is judged good and nothing
 * advances until it is back.
 *
 * Pure: without store, loop, clock or chance. Times are wall nanoseconds since 1970.
 */
#ifndef GATEWAY_ROLLOUT_STATE_H
#define GATEWAY_ROLLOUT_STATE_H

#include "gateway/rollout/rollout_judge.h"

typedef enum RolloutPhase {
    ROLLOUT_RUNNING,
    ROLLOUT_WAITING, /* its tier has passed; an operator lets it advance */
    ROLLOUT_PAUSED,  /* its members stay with the candidate; nobody joins, nothing advances */
    ROLLOUT_ROLLED_BACK,
    ROLLOUT_COMPLETE, /* the candidate serves everybody */
    ROLLOUT_PHASES,
} RolloutPhase;

typedef struct RolloutState {
    RolloutPhase phase;
    uint32_t tier;      /* from 0; the last one that it was in */
    uint32_t room;      /* recorded members that there may be: of this tier, or of the last one
                           that is recorded */
    int64_t since;      /* that it is in this phase */
    int64_t tier_since; /* that it is in this tier */
    bool bad;           /* PAUSED, ROLLED_BACK: because it was found bad */
    bool gone;          /* the candidate has no instances */
    uint32_t by_hand;   /* bits of tiers that had not passed when an operator let it advance */
} RolloutState;

/* What has happened. */
typedef enum RolloutEvent {
    /* By what was counted: */
    ROLLOUT_FOUND_GOOD,
    ROLLOUT_FOUND_BAD,
    ROLLOUT_CANDIDATE_GONE,
    ROLLOUT_CANDIDATE_BACK,
    /* By operators: */
    ROLLOUT_ORDER_START, /* of one that was rolled back */
    ROLLOUT_ORDER_ADVANCE,
    ROLLOUT_ORDER_PAUSE,
    ROLLOUT_ORDER_RESUME,
    ROLLOUT_ORDER_ROLL_BACK,
    ROLLOUT_EVENTS,
} RolloutEvent;

/* What begins anew with the new state. Each includes those before it. */
typedef enum RolloutRenewal {
    ROLLOUT_RENEWS_NOTHING,
    ROLLOUT_RENEWS_COUNTS,   /* rollout_evidence_next_tier; clients are counted from 0 */
    ROLLOUT_RENEWS_EVIDENCE, /* all zeros */
    ROLLOUT_RENEWS_TRIAL,    /* there are no members */
} RolloutRenewal;

typedef struct RolloutStep {
    bool taken;          /* false: nothing changes; of an order: it is refused, */
    const char *refusal; /* for this reason: "it was rolled back: start it anew"; else NULL */
    RolloutState state;  /* as it is now */
    RolloutRenewal renews;
} RolloutStep;

/* A rollout that has just begun. */
RolloutState rollout_state_new(const RolloutDefinition *rollout, int64_t wall);

/* What becomes of it. A tier that the config no longer has is taken for its last one. */
RolloutStep rollout_step(const RolloutDefinition *rollout, const RolloutState *state,
                         RolloutEvent event, int64_t wall);

/* Its room becomes this one (rollout_room_wanted). */
RolloutStep rollout_step_widen(const RolloutState *state, uint32_t room);

/* What follows of a judgement: FOUND_GOOD or FOUND_BAD; ROLLOUT_EVENTS: nothing. */
RolloutEvent rollout_event_of(const RolloutJudgement *judgement);

/* The largest room of the present tier that is recorded: twice its clients and two more, and not
   above ROLLOUT_CLIENTS_MOST; of others infinite. */
double rollout_room_most(const RolloutDefinition *rollout, const RolloutState *state);

/* The room that the tier needs: more than the present one if all its members have called, its time
   is over, and they are too few to tell; at most rollout_room_most. */
uint32_t rollout_room_wanted(const RolloutDefinition *rollout, const RolloutState *state,
                             const RolloutEvidence *evidence, const RolloutJudgement *judgement,
                             int64_t wall);

/* Which clients the candidate has. */
typedef enum RolloutReach {
    ROLLOUT_REACH_NOBODY,
    ROLLOUT_REACH_MEMBERS, /* and pilots */
    ROLLOUT_REACH_SHARE,   /* and members, and pilots: hashes below rollout_share */
    ROLLOUT_REACH_ALL,
} RolloutReach;

RolloutReach rollout_reach(const RolloutDefinition *rollout, const RolloutState *state);

/* The share of hashes that are on the candidate; 0 below ROLLOUT_REACH_SHARE, 1 for all. */
double rollout_share(const RolloutDefinition *rollout, const RolloutState *state);

/* Whether clients may become recorded members, if there is room. */
bool rollout_is_open(const RolloutDefinition *rollout, const RolloutState *state);

/* "running"; "rolled back". And the phase with this text; ROLLOUT_PHASES: there is none. */
const char *rollout_phase_text(RolloutPhase phase);
RolloutPhase rollout_phase_of(Bytes text);

#endif
