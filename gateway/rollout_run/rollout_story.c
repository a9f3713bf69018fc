#include "gateway/rollout_run/rollout_story.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/json_text.h"
#include "gateway/config/config.h"

#include <math.h>

/* ---- Numbers --------------------------------------------------------------------------------- */

/* What is no number is left out. */
static void add_real(Buffer *out, const char *name, double value)
{
    if (!isfinite(value))
        return;
    json_text_add_key(out, name);
    buffer_printf(out, "%.6g", value);
}

/* Wealth, of which the judge has the logarithm: it can be more than a double holds. */
static void add_wealth(Buffer *out, const char *name, double logarithm)
{
    add_real(out, name, exp(fmin(logarithm, 300)));
}

static void add_time(Buffer *out, const char *name, int64_t wall)
{
    if (wall > 0)
        json_text_add_time(out, name, wall / SECOND,
                           (int32_t)(wall % SECOND / MILLISECOND * MILLISECOND));
}

static void begin_object(Buffer *out, const char *name)
{
    json_text_add_key(out, name);
    buffer_add_byte(out, '{');
}

static uint32_t tier_of(const RolloutStory *story)
{
    uint32_t n = story->definition->n_tiers, tier = story->record->state.tier;
    return tier < n ? tier : n - 1;
}

/* ---- What was judged ------------------------------------------------------------------------- */

static const char *const verdicts[] = {
    [ROLLOUT_UNDECIDED] = "undecided", [ROLLOUT_GOOD] = "good", [ROLLOUT_BAD] = "bad"};

static void add_metric(const RolloutStory *story, RolloutMetric metric, Buffer *out)
{
    const MetricEvidence *evidence = &story->findings->evidence.metrics[metric];
    const MetricJudgement *judged = &story->judgement->metrics[metric];
    begin_object(out, rollout_metric_name(story->definition, metric));
    add_real(out, "candidate_failed", evidence->candidate_failed);
    add_real(out, "baseline_failed", evidence->baseline_failed);
    add_real(out, "hit", judged->seen.hit);
    add_real(out, "expected", judged->seen.expected);
    add_wealth(out, "wealth", judged->wealth);
    add_real(out, "must_rule_out", judged->excess);
    add_real(out, "rules_out", tier_bound(&judged->seen));
    buffer_add_byte(out, '}');
}

static const char *const wants[] = {[ROLLOUT_WANTS_TIME] = "time",
                                    [ROLLOUT_WANTS_CLIENTS] = "clients",
                                    [ROLLOUT_WANTS_OPERATOR] = "operator"};

/* Where operators let it advance before a tier had passed, time that is over says nothing. */
static const char *verdict_of(const RolloutStory *story)
{
    RolloutVerdict verdict = story->judgement->verdict;
    bool by_hand = story->record && story->record->state.by_hand;
    return verdict == ROLLOUT_GOOD && by_hand ? "not judged" : verdicts[verdict];
}

/* Also if its room is widened as far as it may be. */
static bool needs_more_than_room(const RolloutStory *story)
{
    const RolloutEvidence *evidence = &story->findings->evidence;
    double called = evidence->clients_before + evidence->clients;
    return story->record && called + story->judgement->clients_missing >
                                rollout_room_most(story->definition, &story->record->state);
}

static void add_want(const RolloutStory *story, Buffer *out)
{
    const RolloutJudgement *judgement = story->judgement;
    if (judgement->want == ROLLOUT_WANTS_NOTHING)
        return;
    json_text_add_member(out, "waits_for", bytes_of(wants[judgement->want]));
    if (judgement->want == ROLLOUT_WANTS_CLIENTS) {
        add_real(out, "clients_missing", judgement->clients_missing);
        json_text_add_bool(out, "beyond_room", needs_more_than_room(story));
    }
    if (judgement->time_missing)
        add_real(out, "seconds_missing", (double)judgement->time_missing / SECOND);
}

void rollout_story_judgement(const RolloutStory *story, Buffer *out)
{
    const RolloutJudgement *judgement = story->judgement;
    const RolloutFindings *findings = story->findings;
    buffer_add_byte(out, '{');
    json_text_add_member(out, "verdict", bytes_of(verdict_of(story)));
    json_text_add_member(out, "metric",
                         bytes_of(rollout_metric_name(story->definition, judgement->metric)));
    add_wealth(out, "wealth", judgement->wealth);
    add_wealth(out, "limit", judgement->limit);
    add_real(out, "seconds", (double)findings->lasted / SECOND);
    begin_object(out, "clients");
    add_real(out, "candidate", findings->clients[COHORT_CANDIDATE]);
    add_real(out, "baseline", findings->clients[COHORT_BASELINE]);
    buffer_add_byte(out, '}');
    add_want(story, out);
    begin_object(out, "metrics");
    for (int m = 0; m < ROLLOUT_METRICS; m++)
        if (story->definition->judging.metrics >> m & 1)
            add_metric(story, (RolloutMetric)m, out);
    buffer_add_text(out, "}}");
}

static void add_point(const RolloutDefinition *definition, const RolloutPoint *point, Buffer *out)
{
    uint32_t last = definition->n_tiers - 1;
    json_text_open_item(out);
    add_time(out, "at", point->at);
    json_text_add_member(out, "tier",
                         bytes_of(definition->tiers[point->tier < last ? point->tier : last].text));
    add_wealth(out, "wealth", point->wealth);
    add_real(out, "candidate", point->candidate);
    add_real(out, "baseline", point->baseline);
    buffer_add_byte(out, '}');
}

void rollout_story_trail(const RolloutDefinition *definition, const RolloutTrail *trail,
                         Buffer *out)
{
    buffer_add_byte(out, '[');
    for (uint32_t i = 0; i < trail->n; i++)
        add_point(definition, &trail->points[i], out);
    buffer_add_byte(out, ']');
}

void rollout_story_members(const RolloutRoster *roster, Buffer *out)
{
    uint32_t least = roster->n > ROLLOUT_NAMED ? roster->n - ROLLOUT_NAMED : 0;
    buffer_add_byte(out, '[');
    for (uint32_t i = roster->n; i > least; i--) {
        json_text_open_item(out);
        json_text_add_member(out, "client", roster->clients[i - 1]);
        add_time(out, "at", roster->at[i - 1]);
        json_text_add_bool(out, "has_it", roster->numbers[i - 1] <= roster->settled);
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}

Bytes rollout_story_why(const RolloutStory *story, Arena *arena)
{
    const RolloutJudgement *judgement = story->judgement;
    const MetricEvidence *metric = &story->findings->evidence.metrics[judgement->metric];
    const double *clients = story->findings->clients;
    const MetricJudgement *judged = &judgement->metrics[judgement->metric];
    const char *name = rollout_metric_name(story->definition, judgement->metric);
    Buffer why = buffer_in(arena);
    buffer_printf(&why, "%s: %.0f of %.0f clients of the candidate, %.0f of %.0f of the baseline",
                  name, metric->candidate_failed, clients[COHORT_CANDIDATE],
                  metric->baseline_failed, clients[COHORT_BASELINE]);
    if (judgement->verdict == ROLLOUT_BAD)
        buffer_printf(&why, "; wealth %.3g of %.3g", exp(fmin(judgement->wealth, 300)),
                      exp(judgement->limit));
    else if (judgement->verdict == ROLLOUT_GOOD)
        buffer_printf(&why, "; an excess above %.3g %% is ruled out",
                      100 * tier_bound(&judged->seen));
    return buffer_bytes(&why);
}

/* ---- Acts ------------------------------------------------------------------------------------ */

const char *rollout_act_name(RolloutEvent event, const RolloutState *after)
{
    switch (event) {
    case ROLLOUT_FOUND_GOOD:
    case ROLLOUT_FOUND_BAD:
    case ROLLOUT_ORDER_ADVANCE: break;
    case ROLLOUT_CANDIDATE_GONE: return "gone";
    case ROLLOUT_CANDIDATE_BACK: return "back";
    case ROLLOUT_ORDER_START: return "start";
    case ROLLOUT_ORDER_PAUSE: return "pause";
    case ROLLOUT_ORDER_RESUME: return "resume";
    case ROLLOUT_ORDER_ROLL_BACK: return "rollback";
    case ROLLOUT_EVENTS: return "widen";
    }
    static const char *const to[] = {
        [ROLLOUT_RUNNING] = "advance",   [ROLLOUT_WAITING] = "wait",
        [ROLLOUT_PAUSED] = "pause",      [ROLLOUT_ROLLED_BACK] = "rollback",
        [ROLLOUT_COMPLETE] = "complete",
    };
    return to[after->phase];
}

void rollout_story_deed(const RolloutStory *story, const RolloutDeed *deed, Buffer *out)
{
    const RolloutDefinition *definition = story->definition;
    const RolloutState *state = deed->state;
    uint32_t last = definition->n_tiers - 1;
    buffer_add_byte(out, '{');
    json_text_add_member(out, "act", bytes_of(deed->act));
    json_text_add_member(out, "who", bytes_of(deed->who ? deed->who : "judge"));
    json_text_add_member(out, "node", bytes_of(deed->node));
    if (deed->why.size)
        json_text_add_member(out, "why", deed->why);
    json_text_add_member(out, "state", bytes_of(rollout_phase_text(state->phase)));
    json_text_add_member(out, "tier",
                         bytes_of(definition->tiers[state->tier < last ? state->tier : last].text));
    json_text_add_number(out, "members", story->members);
    json_text_add_key(out, "judgement");
    rollout_story_judgement(story, out);
    buffer_add_byte(out, '}');
}

/* ---- The whole ------------------------------------------------------------------------------- */

/* Of a tier that it has left. */
static const char *left_by(const RolloutState *state, uint32_t tier)
{
    return state->by_hand >> tier & 1 ? "advanced by hand" : "passed";
}

static void add_tiers(const RolloutStory *story, Buffer *out)
{
    const RolloutDefinition *definition = story->definition;
    const RolloutState *state = &story->record->state;
    bool complete = state->phase == ROLLOUT_COMPLETE;
    json_text_open_list(out, "tiers");
    for (uint32_t i = 0; i < definition->n_tiers; i++) {
        bool passed = complete || i < tier_of(story);
        bool now = !complete && i == tier_of(story);
        json_text_open_item(out);
        json_text_add_member(out, "tier", bytes_of(definition->tiers[i].text));
        json_text_add_member(out, "state",
                             bytes_of(passed ? left_by(state, i)
                                      : now  ? rollout_phase_text(state->phase)
                                             : "to come"));
        buffer_add_byte(out, '}');
    }
    buffer_add_byte(out, ']');
}

static void add_instances(const RolloutStory *story, Buffer *out)
{
    begin_object(out, "instances");
    json_text_add_number(out, "candidate", story->capacity.candidate);
    json_text_add_number(out, "baseline", story->capacity.baseline);
    if (story->short_of)
        json_text_add_number(out, "short_of", story->short_of);
    buffer_add_byte(out, '}');
}

static void add_state(const RolloutStory *story, Buffer *out)
{
    const RolloutRecord *record = story->record;
    const RolloutState *state = &record->state;
    json_text_add_member(out, "state", bytes_of(rollout_phase_text(state->phase)));
    json_text_add_bool(out, "bad", state->bad);
    json_text_add_bool(out, "gone", state->gone);
    json_text_add_bool(out, "by_hand", state->by_hand != 0);
    json_text_add_member(out, "tier", bytes_of(story->definition->tiers[tier_of(story)].text));
    json_text_add_number(out, "trial", (uint64_t)record->trial);
    json_text_add_number(out, "revision", (uint64_t)record->revision);
    add_time(out, "since", state->since);
    add_time(out, "tier_since", state->tier_since);
    if (!story->begun)
        add_time(out, "begins", record->from);
    if (story->silent)
        json_text_add_member(out, "silent", bytes_of(story->silent));
    json_text_add_number(out, "members", story->members);
    json_text_add_number(out, "room", state->room);
    add_tiers(story, out);
    add_instances(story, out);
    json_text_add_member(out, "judge", story->judge);
    json_text_add_bool(out, "judges_here", story->judges_here);
    json_text_add_key(out, "judgement");
    rollout_story_judgement(story, out);
}

void rollout_story_begin(const RolloutStory *story, Buffer *out)
{
    buffer_add_byte(out, '{');
    json_text_add_member(out, "rollout", bytes_of(story->definition->name));
    json_text_add_member(out, "service", bytes_of(story->definition->service->name));
    json_text_add_member(out, "candidate", bytes_of(story->definition->candidate));
    json_text_add_bool(out, "store_down", story->store_down);
    if (story->record)
        add_state(story, out);
    else
        json_text_add_member(out, "state", bytes_of("unknown"));
}
