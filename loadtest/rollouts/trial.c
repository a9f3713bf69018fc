#include "loadtest/rollouts/trial.h"

#include <math.h>
#include <string.h>

#define MINUTE ((int64_t)60e9)

/* What is remembered of a client. */
typedef struct Known {
    uint8_t member;    /* recorded; 1 + the tier that it came in with */
    uint8_t had;       /* it has had the candidate */
    uint8_t round;     /* 1 + the tier in which it was counted last, */
    uint8_t candidate; /* on this side, */
    uint8_t failed;    /* and a bit for each metric that failed */
} Known;

typedef struct Trial {
    const TrialPlan *plan;
    uint64_t salt;
    Chance chance;
    Weather weather;
    RolloutState state;
    RolloutEvidence evidence;
    RolloutLook look;
    uint32_t members;
    double door, share_before;
    int minute;
    TrialMinute now;
    TrialEnd end;
    Known known[CROWD_MOST];
} Trial;

static void begin_round(Trial *trial)
{
    const RolloutDefinition *rollout = trial->plan->rollout;
    trial->look = (RolloutLook){0};
    trial->door = tier_door((double)trial->state.room - trial->members, trial->plan->crowd->n, 0,
                            rollout->judging.least);
}

/* ---- Clients --------------------------------------------------------------------------------- */

static bool has_candidate(const Trial *trial, uint32_t client, uint64_t hash)
{
    switch (rollout_reach(trial->plan->rollout, &trial->state)) {
    case ROLLOUT_REACH_NOBODY: return false;
    case ROLLOUT_REACH_MEMBERS: return trial->known[client].member;
    case ROLLOUT_REACH_SHARE:
    case ROLLOUT_REACH_ALL: break;
    }
    double share = rollout_share(trial->plan->rollout, &trial->state);
    return trial->known[client].member || tier_hash_is_in(hash, share);
}

static bool is_full(const Trial *trial)
{
    return trial->plan->rollout->tiers[trial->state.tier].kind == ROLLOUT_TIER_CLIENTS &&
           trial->members >= trial->state.room;
}

/* Whether it is compared in this tier: it came in with it, or is one of those that could have. */
static bool is_compared(const Trial *trial, const Known *known, uint64_t hash, bool candidate)
{
    bool members = rollout_reach(trial->plan->rollout, &trial->state) == ROLLOUT_REACH_MEMBERS;
    if (candidate)
        return members ? known->member == trial->state.tier + 1
                       : !known->member && !tier_hash_is_in(hash, trial->share_before);
    return !members || !tier_door_admits(hash, trial->state.tier, trial->door);
}

/* Whether it joins with this call, which the baseline serves yet. */
static bool joins(Trial *trial, uint32_t client, uint64_t hash)
{
    if (!rollout_is_open(trial->plan->rollout, &trial->state) || is_full(trial) ||
        !tier_door_admits(hash, trial->state.tier, trial->door))
        return false;
    trial->known[client].member = (uint8_t)(trial->state.tier + 1);
    trial->members++;
    trial->look.candidate.joined++;
    trial->end.beyond += trial->members > trial->state.room;
    return true;
}

/* Calls have ended; `failed` has a bit for each metric for which one was bad. */
static void count(Trial *trial, uint32_t client, uint64_t hash, bool candidate, uint32_t failed)
{
    Known *known = &trial->known[client];
    if (!is_compared(trial, known, hash, candidate))
        return;
    RolloutSide *side = candidate ? &trial->look.candidate : &trial->look.baseline;
    if (known->round != trial->state.tier + 1 || known->candidate != candidate) {
        known->round = (uint8_t)(trial->state.tier + 1);
        known->candidate = candidate;
        known->failed = 0;
        side->clients++;
    }
    for (int m = 0; m < CROWD_METRICS; m++)
        side->failed[m] += failed >> m & 1 & ~(known->failed >> m);
    known->failed |= (uint8_t)failed;
}

static void serve(Trial *trial, uint32_t client, bool candidate, bool breaks)
{
    Known *known = &trial->known[client];
    if (candidate && !known->had) {
        known->had = 1;
        trial->end.on++;
        trial->end.hit += breaks;
    }
    trial->end.back += !candidate && known->had;
}

static void add_calls(TrialMinute *now, bool candidate, uint32_t calls, uint32_t failed)
{
    now->calls[candidate] += calls;
    now->failed[candidate] += failed;
}

static void one_session(Trial *trial, double weather)
{
    uint32_t client = crowd_draw(trial->plan->crowd, &trial->chance);
    uint64_t hash = chance_hash(trial->salt, client);
    uint64_t luck = chance_hash(trial->salt ^ 0x6661756c74, client);
    bool breaks = tier_hash_is_in(luck, trial->plan->fault);
    bool first = has_candidate(trial, client, hash);
    bool more = first || joins(trial, client, hash);
    Session session = session_of(trial->salt, client, trial->plan->usual, weather, &trial->chance);
    if (breaks && more)
        session_break(&session, first, &trial->chance);
    uint32_t first_failed = 0, more_failed = 0;
    for (int m = 0; m < CROWD_METRICS; m++) {
        first_failed |= (uint32_t)session.first_bad[m] << m;
        more_failed |= (uint32_t)(session.more_bad[m] > 0) << m;
    }
    serve(trial, client, first, breaks);
    count(trial, client, hash, first, first_failed);
    add_calls(&trial->now, first, 1, session.first_bad[ROLLOUT_FAILURES]);
    if (session.more == 0)
        return;
    serve(trial, client, more, breaks);
    count(trial, client, hash, more, more_failed);
    add_calls(&trial->now, more, session.more, session.more_bad[ROLLOUT_FAILURES]);
}

/* ---- Judging --------------------------------------------------------------------------------- */

static void take(Trial *trial, const RolloutStep *step, const RolloutJudgement *judgement)
{
    const RolloutMetric failures = ROLLOUT_FAILURES;
    const RolloutDefinition *rollout = trial->plan->rollout;
    if (judgement->verdict == ROLLOUT_GOOD && step->renews == ROLLOUT_RENEWS_COUNTS)
        trial->end.passed_bad += trial->plan->fault >= judgement->metrics[failures].excess;
    if (rollout->tiers[trial->state.tier].kind == ROLLOUT_TIER_SHARE)
        trial->share_before = rollout->tiers[trial->state.tier].share;
    trial->state = step->state;
    if (step->renews == ROLLOUT_RENEWS_COUNTS) {
        rollout_evidence_next_tier(&trial->evidence);
        begin_round(trial);
    }
}

static void act(Trial *trial, const RolloutJudgement *judgement, int64_t now)
{
    const RolloutDefinition *rollout = trial->plan->rollout;
    RolloutStep step = rollout_step(rollout, &trial->state, rollout_event_of(judgement), now);
    if (step.taken)
        take(trial, &step, judgement);
    else
        trial->state.room =
            rollout_room_wanted(rollout, &trial->state, &trial->evidence, judgement, now);
}

static void watch(Trial *trial, const RolloutJudgement *judgement)
{
    trial->now.minute = trial->minute;
    trial->now.on = trial->end.on;
    trial->now.hit = trial->end.hit;
    trial->now.verdict = judgement->verdict;
    trial->plan->watch(trial->plan->owner, &trial->now);
}

static void judge(Trial *trial)
{
    const RolloutDefinition *rollout = trial->plan->rollout;
    int64_t now = trial->minute * MINUTE;
    TierNeed need = tier_need(rollout, trial->state.tier);
    trial->look.full = is_full(trial);
    if (need.compared)
        rollout_evidence_add(&trial->evidence, &trial->look);
    RolloutJudgement judgement =
        rollout_judge(&trial->evidence, &rollout->judging, &need, now - trial->state.tier_since);
    if (trial->plan->watch)
        watch(trial, &judgement);
    else
        act(trial, &judgement, now);
}

static void one_minute(Trial *trial)
{
    double weather = weather_at(&trial->weather, trial->minute, &trial->chance);
    uint32_t sessions = chance_poisson(&trial->chance, trial->plan->crowd->sessions_per_hour / 60);
    trial->now = (TrialMinute){0};
    while (sessions-- > 0)
        one_session(trial, weather);
    trial->minute++;
    judge(trial);
}

TrialEnd trial_run(const TrialPlan *plan, uint64_t seed)
{
    static _Thread_local Trial trial;
    memset(&trial, 0, sizeof trial);
    trial.plan = plan;
    trial.chance.state = chance_hash(seed, 0);
    trial.salt = chance_hash(seed, 1);
    weather_init(&trial.weather, &trial.chance);
    trial.state = rollout_state_new(plan->rollout, 0);
    begin_round(&trial);
    while (trial.state.phase == ROLLOUT_RUNNING && trial.minute < plan->hours * 60)
        one_minute(&trial);
    trial.end.phase = trial.state.phase;
    trial.end.tier = trial.state.tier;
    trial.end.minutes = trial.minute;
    return trial.end;
}
