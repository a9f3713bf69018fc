#include "base/arena.h"
#include "base/clock.h"
#include "gateway/rollout_run/rollout_runner_internal.h"

#include <math.h>

/* What is shown of one rollout; texts are in the runner's shown_arena. */
typedef struct RolloutShown {
    const char *name;
    RolloutPhase phase;
    bool known, judges, gone;
    uint32_t tier, members, room;
    double clients[COHORT_ARMS], failed[COHORT_ARMS][ROLLOUT_METRICS], wealth, limit;
    const char *metrics[ROLLOUT_METRICS]; /* NULL: it is not judged by it */
} RolloutShown;

/* ---- On the runner's thread ------------------------------------------------------------------ */

static RolloutShown shown_of(const HeldRollout *held, Arena *arena)
{
    const RolloutState *state = &held->record.state;
    RolloutShown shown = {
        .name = arena_string(arena, held->name),
        .known = held->known,
        .phase = state->phase,
        .gone = state->gone,
        .judges = rollout_lease_is_ours(&held->lease, clock_now()),
        .tier = state->tier,
        .members = held->roster.n,
        .room = state->room,
        .wealth = held->judgement.wealth,
        .limit = held->judgement.limit,
        .clients = {held->findings.clients[COHORT_BASELINE],
                    held->findings.clients[COHORT_CANDIDATE]},
    };
    for (int m = 0; m < ROLLOUT_METRICS; m++) {
        const MetricEvidence *metric = &held->findings.evidence.metrics[m];
        shown.failed[COHORT_BASELINE][m] = metric->baseline_failed;
        shown.failed[COHORT_CANDIDATE][m] = metric->candidate_failed;
        if (held->definition->judging.metrics >> m & 1)
            shown.metrics[m] =
                arena_string(arena, rollout_metric_name(held->definition, (RolloutMetric)m));
    }
    return shown;
}

void rollout_metrics_show(RolloutRunner *runner)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    uint32_t n = 0, most = 0;
    for (const HeldRollout *held = runner->held; held; held = held->next)
        most++;
    RolloutShown *shown = arena_array(arena, RolloutShown, most);
    for (const HeldRollout *held = runner->held; held; held = held->next)
        shown[n++] = shown_of(held, arena);
    pthread_mutex_lock(&runner->mutex);
    Arena *old = runner->shown_arena;
    runner->shown_arena = arena;
    runner->shown = shown;
    runner->n_shown = n;
    pthread_mutex_unlock(&runner->mutex);
    arena_free(old);
}

/* ---- On any thread --------------------------------------------------------------------------- */

static void write_states(Exposition *e, const RolloutRunner *runner)
{
    exposition_family(e, "passerelle_rollout_state", METRIC_GAUGE,
                      "1 for the state that a rollout is in.");
    for (uint32_t i = 0; i < runner->n_shown; i++)
        for (int phase = 0; runner->shown[i].known && phase < ROLLOUT_PHASES; phase++)
            exposition_number(e, "",
                              (Label[]){{"rollout", runner->shown[i].name},
                                        {"state", rollout_phase_text((RolloutPhase)phase)}},
                              2, runner->shown[i].phase == (RolloutPhase)phase);
}

typedef uint64_t ShownNumber(const RolloutShown *shown);

static uint64_t tier_number(const RolloutShown *shown)
{
    return shown->tier + 1;
}

static uint64_t members_number(const RolloutShown *shown)
{
    return shown->members;
}

static uint64_t room_number(const RolloutShown *shown)
{
    return shown->room;
}

static uint64_t gone_number(const RolloutShown *shown)
{
    return shown->gone;
}

static uint64_t judges_number(const RolloutShown *shown)
{
    return shown->judges;
}

static uint64_t percent_number(const RolloutShown *shown)
{
    return shown->limit > 0 ? (uint64_t)lround(100 * fmax(shown->wealth / shown->limit, 0)) : 0;
}

static void write_numbers(Exposition *e, const RolloutRunner *runner)
{
    static const struct {
        const char *name, *help;
        ShownNumber *number;
    } gauges[] = {
        {"passerelle_rollout_tier", "The tier that a rollout is in, from 1.", tier_number},
        {"passerelle_rollout_members", "Recorded clients that have the candidate.", members_number},
        {"passerelle_rollout_room", "Recorded clients that may have the candidate.", room_number},
        {"passerelle_rollout_gone", "1 while the candidate has no instance.", gone_number},
        {"passerelle_rollout_judges", "1 while this gateway judges the rollout.", judges_number},
        {"passerelle_rollout_evidence_percent",
         "Evidence that the candidate is worse: the logarithm of the wealth, of that at which it "
         "is found bad (100).",
         percent_number},
    };
    for (size_t g = 0; g < sizeof gauges / sizeof *gauges; g++) {
        exposition_family(e, gauges[g].name, METRIC_GAUGE, gauges[g].help);
        for (uint32_t i = 0; i < runner->n_shown; i++)
            if (runner->shown[i].known)
                exposition_number(e, "", &(Label){"rollout", runner->shown[i].name}, 1,
                                  gauges[g].number(&runner->shown[i]));
    }
}

static const char *const arms[COHORT_ARMS] = {
    [COHORT_BASELINE] = "baseline", [COHORT_CANDIDATE] = "candidate"};

static uint64_t whole(double number)
{
    return (uint64_t)llround(fmax(number, 0));
}

static void write_clients(Exposition *e, const RolloutRunner *runner)
{
    exposition_family(e, "passerelle_rollout_clients", METRIC_GAUGE,
                      "Clients that have called in this tier, of all gateways.");
    for (uint32_t i = 0; i < runner->n_shown; i++)
        for (int arm = 0; arm < COHORT_ARMS; arm++)
            exposition_number(e, "",
                              (Label[]){{"rollout", runner->shown[i].name}, {"arm", arms[arm]}}, 2,
                              whole(runner->shown[i].clients[arm]));
    exposition_family(e, "passerelle_rollout_failed_clients", METRIC_GAUGE,
                      "Of these, clients that had a bad call, by metric.");
    for (uint32_t i = 0; i < runner->n_shown; i++)
        for (int m = 0; m < ROLLOUT_METRICS; m++)
            for (int arm = 0; runner->shown[i].metrics[m] && arm < COHORT_ARMS; arm++)
                exposition_number(e, "",
                                  (Label[]){{"rollout", runner->shown[i].name},
                                            {"arm", arms[arm]},
                                            {"metric", runner->shown[i].metrics[m]}},
                                  3, whole(runner->shown[i].failed[arm][m]));
}

void rollout_metrics_write(Exposition *e, void *owner)
{
    RolloutRunner *runner = owner;
    pthread_mutex_lock(&runner->mutex);
    if (runner->n_shown) {
        write_states(e, runner);
        write_numbers(e, runner);
        write_clients(e, runner);
    }
    pthread_mutex_unlock(&runner->mutex);
    exposition_single(e, "passerelle_rollout_acts", METRIC_COUNTER,
                      "What this gateway has done with rollouts.", atomic_load(&runner->n_acts));
    exposition_single(e, "passerelle_rollout_told", METRIC_COUNTER,
                      "What operators have told of clients of rollouts.",
                      atomic_load(&runner->n_told));
}
