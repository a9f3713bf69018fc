#include "gateway/rollout/rollout_state.h"

#include <math.h>

/* A tier that the config no longer has is its last one. */
static uint32_t tier_of(const RolloutDefinition *rollout, const RolloutState *state)
{
    return state->tier < rollout->n_tiers ? state->tier : rollout->n_tiers - 1;
}

static bool is_last(const RolloutDefinition *rollout, const RolloutState *state)
{
    return tier_of(rollout, state) + 1 == rollout->n_tiers;
}

static RolloutTierKind kind_of(const RolloutDefinition *rollout, const RolloutState *state)
{
    return rollout->tiers[tier_of(rollout, state)].kind;
}

/* The clients of a tier, or of the last one before it that is recorded. */
static uint32_t room_of(const RolloutDefinition *rollout, uint32_t tier)
{
    for (uint32_t i = tier + 1; i-- > 0;)
        if (rollout->tiers[i].kind == ROLLOUT_TIER_CLIENTS)
            return rollout->tiers[i].clients;
    return 0;
}

RolloutState rollout_state_new(const RolloutDefinition *rollout, int64_t wall)
{
    return (RolloutState){.room = room_of(rollout, 0), .since = wall, .tier_since = wall};
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static RolloutStep refused(const RolloutState *state, const char *why)
{
    return (RolloutStep){.refusal = why, .state = *state};
}

static RolloutStep same(const RolloutState *state)
{
    return refused(state, NULL);
}

static RolloutStep becomes(RolloutState state, RolloutPhase phase, int64_t wall)
{
    state.phase = phase;
    state.since = wall;
    return (RolloutStep){.taken = true, .state = state};
}

static RolloutStep next_tier(const RolloutDefinition *rollout, RolloutState state, int64_t wall)
{
    state.tier = tier_of(rollout, &state) + 1;
    uint32_t room = room_of(rollout, state.tier);
    state.room = room > state.room ? room : state.room;
    state.tier_since = wall;
    RolloutStep step = becomes(state, ROLLOUT_RUNNING, wall);
    step.renews = ROLLOUT_RENEWS_COUNTS;
    return step;
}

static bool advances_alone(const RolloutDefinition *rollout, const RolloutState *state)
{
    return rollout->on_good == ROLLOUT_ADVANCE && !is_last(rollout, state) &&
           !tier_need(rollout, tier_of(rollout, state)).approval;
}

static RolloutStep found_good(const RolloutDefinition *rollout, const RolloutState *state,
                              int64_t wall)
{
    if (state->gone || (state->phase != ROLLOUT_RUNNING && state->phase != ROLLOUT_WAITING))
        return same(state);
    if (kind_of(rollout, state) == ROLLOUT_TIER_ALL)
        return becomes(*state, ROLLOUT_COMPLETE, wall);
    if (advances_alone(rollout, state))
        return next_tier(rollout, *state, wall);
    return state->phase == ROLLOUT_WAITING ? same(state) : becomes(*state, ROLLOUT_WAITING, wall);
}

static RolloutStep found_bad(const RolloutDefinition *rollout, const RolloutState *state,
                             int64_t wall)
{
    if (state->phase == ROLLOUT_ROLLED_BACK || state->phase == ROLLOUT_COMPLETE)
        return same(state);
    bool pauses = rollout->on_bad == ROLLOUT_PAUSE;
    if (pauses && state->phase == ROLLOUT_PAUSED && state->bad)
        return same(state);
    RolloutStep step = becomes(*state, pauses ? ROLLOUT_PAUSED : ROLLOUT_ROLLED_BACK, wall);
    step.state.bad = true;
    return step;
}

static RolloutStep set_gone(const RolloutState *state, bool gone)
{
    RolloutStep step = same(state);
    step.taken = state->gone != gone;
    step.state.gone = gone;
    return step;
}

static RolloutStep start(const RolloutDefinition *rollout, const RolloutState *state, int64_t wall)
{
    if (state->phase == ROLLOUT_COMPLETE)
        return refused(state, "it is complete: roll it back first");
    if (state->phase != ROLLOUT_ROLLED_BACK)
        return refused(state, "it has been started already");
    RolloutStep step = becomes(rollout_state_new(rollout, wall), ROLLOUT_RUNNING, wall);
    step.state.gone = state->gone;
    step.renews = ROLLOUT_RENEWS_TRIAL;
    return step;
}

static RolloutStep advance(const RolloutDefinition *rollout, const RolloutState *state,
                           int64_t wall)
{
    switch (state->phase) {
    case ROLLOUT_RUNNING:
    case ROLLOUT_WAITING: break;
    case ROLLOUT_PAUSED: return refused(state, "it is paused: resume it first");
    case ROLLOUT_ROLLED_BACK: return refused(state, "it was rolled back: start it anew");
    case ROLLOUT_COMPLETE:
    case ROLLOUT_PHASES: return refused(state, "it is complete");
    }
    if (state->gone)
        return refused(state, "the candidate has no instances");
    RolloutState next = *state;
    if (state->phase == ROLLOUT_RUNNING)
        next.by_hand |= 1u << tier_of(rollout, state);
    if (kind_of(rollout, state) == ROLLOUT_TIER_ALL)
        return becomes(next, ROLLOUT_COMPLETE, wall);
    if (is_last(rollout, state))
        return refused(state, "it is in its last tier: add one to `tiers`");
    return next_tier(rollout, next, wall);
}

static RolloutStep pause(const RolloutState *state, int64_t wall)
{
    if (state->phase == ROLLOUT_PAUSED)
        return refused(state, "it is paused already");
    if (state->phase == ROLLOUT_RUNNING || state->phase == ROLLOUT_WAITING)
        return becomes(*state, ROLLOUT_PAUSED, wall);
    return refused(state,
                   state->phase == ROLLOUT_COMPLETE ? "it is complete" : "it was rolled back");
}

/* What was found bad would be so at the next look: it is judged anew, at the operator's risk. */
static RolloutStep resume(const RolloutState *state, int64_t wall)
{
    if (state->phase != ROLLOUT_PAUSED)
        return refused(state, "it is not paused");
    RolloutStep step = becomes(*state, ROLLOUT_RUNNING, wall);
    if (state->bad) {
        step.state.bad = false;
        step.state.tier_since = wall;
        step.renews = ROLLOUT_RENEWS_EVIDENCE;
    }
    return step;
}

static RolloutStep roll_back(const RolloutState *state, int64_t wall)
{
    if (state->phase == ROLLOUT_ROLLED_BACK)
        return refused(state, "it was rolled back already");
    return becomes(*state, ROLLOUT_ROLLED_BACK, wall);
}

RolloutStep rollout_step(const RolloutDefinition *rollout, const RolloutState *state,
                         RolloutEvent event, int64_t wall)
{
    switch (event) {
    case ROLLOUT_FOUND_GOOD: return found_good(rollout, state, wall);
    case ROLLOUT_FOUND_BAD: return found_bad(rollout, state, wall);
    case ROLLOUT_CANDIDATE_GONE: return set_gone(state, true);
    case ROLLOUT_CANDIDATE_BACK: return set_gone(state, false);
    case ROLLOUT_ORDER_START: return start(rollout, state, wall);
    case ROLLOUT_ORDER_ADVANCE: return advance(rollout, state, wall);
    case ROLLOUT_ORDER_PAUSE: return pause(state, wall);
    case ROLLOUT_ORDER_RESUME: return resume(state, wall);
    case ROLLOUT_ORDER_ROLL_BACK: return roll_back(state, wall);
    case ROLLOUT_EVENTS: break;
    }
    return same(state);
}

RolloutStep rollout_step_widen(const RolloutState *state, uint32_t room)
{
    RolloutStep step = same(state);
    step.taken = room > state->room;
    step.state.room = step.taken ? room : state->room;
    return step;
}

RolloutEvent rollout_event_of(const RolloutJudgement *judgement)
{
    switch (judgement->verdict) {
    case ROLLOUT_GOOD: return ROLLOUT_FOUND_GOOD;
    case ROLLOUT_BAD: return ROLLOUT_FOUND_BAD;
    case ROLLOUT_UNDECIDED: break;
    }
    return ROLLOUT_EVENTS;
}

double rollout_room_most(const RolloutDefinition *rollout, const RolloutState *state)
{
    if (kind_of(rollout, state) != ROLLOUT_TIER_CLIENTS)
        return INFINITY;
    double most = 2.0 * rollout->tiers[tier_of(rollout, state)].clients + 2;
    return fmin(most, ROLLOUT_CLIENTS_MOST);
}

uint32_t rollout_room_wanted(const RolloutDefinition *rollout, const RolloutState *state,
                             const RolloutEvidence *evidence, const RolloutJudgement *judgement,
                             int64_t wall)
{
    double called = evidence->clients_before + evidence->clients;
    if (!rollout_is_open(rollout, state) || judgement->verdict != ROLLOUT_UNDECIDED ||
        judgement->want != ROLLOUT_WANTS_CLIENTS || called < state->room ||
        wall - state->tier_since < rollout->judging.least)
        return state->room;
    double wanted =
        fmin(called + ceil(judgement->clients_missing), rollout_room_most(rollout, state));
    return wanted > state->room ? (uint32_t)wanted : state->room;
}

/* ---- Clients --------------------------------------------------------------------------------- */

RolloutReach rollout_reach(const RolloutDefinition *rollout, const RolloutState *state)
{
    if (state->phase == ROLLOUT_ROLLED_BACK || state->gone)
        return ROLLOUT_REACH_NOBODY;
    if (state->phase == ROLLOUT_COMPLETE)
        return ROLLOUT_REACH_ALL;
    switch (kind_of(rollout, state)) {
    case ROLLOUT_TIER_CLIENTS: return ROLLOUT_REACH_MEMBERS;
    case ROLLOUT_TIER_SHARE: return ROLLOUT_REACH_SHARE;
    case ROLLOUT_TIER_ALL: return ROLLOUT_REACH_ALL;
    }
    return ROLLOUT_REACH_NOBODY;
}

double rollout_share(const RolloutDefinition *rollout, const RolloutState *state)
{
    switch (rollout_reach(rollout, state)) {
    case ROLLOUT_REACH_NOBODY:
    case ROLLOUT_REACH_MEMBERS: return 0;
    case ROLLOUT_REACH_SHARE: return rollout->tiers[tier_of(rollout, state)].share;
    case ROLLOUT_REACH_ALL: return 1;
    }
    return 0;
}

bool rollout_is_open(const RolloutDefinition *rollout, const RolloutState *state)
{
    return state->phase == ROLLOUT_RUNNING && !state->gone &&
           kind_of(rollout, state) == ROLLOUT_TIER_CLIENTS;
}

static const char *const phases[ROLLOUT_PHASES] = {
    [ROLLOUT_RUNNING] = "running",   [ROLLOUT_WAITING] = "waiting",
    [ROLLOUT_PAUSED] = "paused",     [ROLLOUT_ROLLED_BACK] = "rolled back",
    [ROLLOUT_COMPLETE] = "complete",
};

const char *rollout_phase_text(RolloutPhase phase)
{
    return phases[phase];
}

RolloutPhase rollout_phase_of(Bytes text)
{
    int i = 0;
    while (i < ROLLOUT_PHASES && !bytes_equal(text, bytes_of(phases[i])))
        i++;
    return i;
}
