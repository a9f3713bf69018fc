/* A beat of a rollout: who judges, what was counted, and what follows of it. */
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/rollout_run/rollout_runner_internal.h"

enum { LEASE_BEATS = 3, GONE_LOOKS = 2 };

#define LEASE_LEAST (1 * SECOND)

static void end(HeldRollout *held)
{
    held->judging = false;
    held_end(held);
}

int64_t held_lease(const HeldRollout *held)
{
    int64_t lease = LEASE_BEATS * held->runner->every;
    return lease > LEASE_LEAST ? lease : LEASE_LEAST;
}

static Bytes self_of(const HeldRollout *held)
{
    return bytes_of(held->runner->process);
}

static uint32_t tier_of(const HeldRollout *held)
{
    uint32_t n = held->definition->n_tiers, tier = held->record.state.tier;
    return tier < n ? tier : n - 1;
}

static RolloutJudgement judge(const HeldRollout *held, const RolloutFindings *findings)
{
    TierNeed need = tier_need(held->definition, tier_of(held));
    return rollout_judge(&findings->evidence, &held->definition->judging, &need, findings->lasted);
}

/* They are what is known from now on. */
static void take_findings(HeldRollout *held, const RolloutFindings *findings)
{
    held->findings = *findings;
    held->judgement = judge(held, &held->findings);
    RolloutPoint point = {.at = clock_wall(),
                          .tier = tier_of(held),
                          .wealth = held->judgement.wealth,
                          .candidate = findings->clients[COHORT_CANDIDATE],
                          .baseline = findings->clients[COHORT_BASELINE]};
    if (held_is_live(held))
        rollout_trail_add(&held->trail, held->record.trial, &point);
}

void held_see_findings(HeldRollout *held, Bytes evidence)
{
    RolloutFindings read = rollout_findings_read(evidence);
    RolloutFindings findings = rollout_findings_in(&held->record, &read);
    take_findings(held, &findings);
}

/* ---- What follows ---------------------------------------------------------------------------- */

static bool is_gone_for_long(HeldRollout *held)
{
    bool gone = held->capacity.candidate == 0;
    held->n_gone = gone ? held->n_gone + 1 : 0;
    held->n_back = gone ? 0 : held->n_back + 1;
    return held->n_gone >= GONE_LOOKS;
}

/* So many instances does the next tier need more than there are; 0: there are enough. */
static uint32_t short_of(const HeldRollout *held)
{
    const RolloutDefinition *definition = held->definition;
    uint32_t next = tier_of(held) + 1;
    if (next >= definition->n_tiers)
        return 0;
    const double *clients = held->findings.clients;
    double known = clients[COHORT_BASELINE] + clients[COHORT_CANDIDATE];
    double share = rollout_tier_share(&definition->tiers[next], known);
    return share > rollout_capacity_share(&held->capacity)
               ? rollout_capacity_needed(&held->capacity, share)
               : 0;
}

/* ROLLOUT_EVENTS: nothing has happened. */
static RolloutEvent event_of(HeldRollout *held)
{
    bool gone = is_gone_for_long(held), was_gone = held->record.state.gone;
    RolloutEvent found = rollout_event_of(&held->judgement);
    if (found == ROLLOUT_FOUND_BAD)
        return found;
    if (gone && !was_gone)
        return ROLLOUT_CANDIDATE_GONE;
    if (was_gone)
        return held->n_back >= GONE_LOOKS ? ROLLOUT_CANDIDATE_BACK : ROLLOUT_EVENTS;
    return found;
}

/* Whoever advances needs instances for the next tier, and all gateways have to hear of it: one
   that is silent may serve clients. */
static bool is_held_up(const HeldRollout *held, const RolloutStep *step)
{
    return (held->short_of || held->silent || !held_has_begun(held)) &&
           step->state.tier != held->record.state.tier;
}

static void decide(HeldRollout *held)
{
    static const RolloutActor as_judge = {NULL};
    const RolloutState *state = &held->record.state;
    int64_t wall = clock_wall();
    RolloutEvent event = event_of(held);
    RolloutStep step = rollout_step(held->definition, state, event, wall);
    held->short_of = short_of(held);
    if (!step.taken || is_held_up(held, &step)) {
        uint32_t room = rollout_room_wanted(held->definition, state, &held->findings.evidence,
                                            &held->judgement, wall);
        event = ROLLOUT_EVENTS;
        step = rollout_step_widen(state, room);
    }
    if (step.taken)
        held_act(held, &step, event, &as_judge);
}

/* ---- Judging --------------------------------------------------------------------------------- */

/* What is not written yet counts for nothing. */
typedef struct Renewal {
    RolloutPending pending;
    HeldRollout *held;
    RolloutFindings findings;
    int64_t revision, asked_at, beat;
} Renewal;

static void on_renewed(void *owner, Result result, bool written)
{
    Renewal *renewal = owner;
    HeldRollout *held = renewal->held;
    if (failed(result))
        error_ignore(result, "the next beat tries again, until the lease is over");
    else if (!written)
        rollout_lease_lost(&held->lease);
    bool same = held->definition && held->record.revision == renewal->revision;
    if (!failed(result) && written) {
        RolloutJudge judge_now = held->lease.seen;
        judge_now.beat = renewal->beat;
        rollout_lease_won(&held->lease, &judge_now, renewal->asked_at, held_lease(held));
    }
    if (!failed(result) && written && same) {
        held->looked_at = renewal->asked_at;
        take_findings(held, &renewal->findings);
        decide(held);
    }
    rollout_pending_end(&renewal->pending);
    rollout_runner_publish(held->runner);
    end(held);
}

static int64_t lasted_since(const HeldRollout *held, int64_t now)
{
    int64_t time = held->looked_at ? now - held->looked_at : 0, most = held_lease(held);
    bool counts = held->record.state.phase == ROLLOUT_RUNNING && !held->record.state.gone &&
                  held_has_begun(held);
    return !counts ? 0 : time < most ? time : most;
}

/* Tiers of a share are never full: both sides take in who calls. Of recorded members nobody joins
   while it is paused, either. */
static bool is_full(const HeldRollout *held)
{
    const RolloutState *state = &held->record.state;
    if (rollout_is_open(held->definition, state))
        return held->roster.last >= state->room;
    return rollout_share(held->definition, state) == 0;
}

static void judge_sum(HeldRollout *held, const CohortSample *sum)
{
    Renewal *renewal = rollout_pending_new(held->runner, sizeof *renewal);
    CohortCount baseline = cohort_sample_count(sum, COHORT_BASELINE);
    CohortCount candidate = cohort_sample_count(sum, COHORT_CANDIDATE);
    RolloutFindings findings = rollout_findings_in(&held->record, &held->findings);
    RolloutLook look = rollout_look_of(&baseline, &candidate,
                                       held->roster.last - held->record.before, is_full(held));
    renewal->held = held;
    renewal->revision = held->record.revision;
    renewal->asked_at = clock_now();
    renewal->beat = held->lease.seen.beat + 1;
    rollout_evidence_add(&findings.evidence, &look);
    findings.clients[COHORT_BASELINE] = baseline.clients;
    findings.clients[COHORT_CANDIDATE] = candidate.clients;
    findings.lasted += lasted_since(held, renewal->asked_at);
    renewal->findings = findings;
    held->capacity = rollout_capacity_now(held->definition);
    RolloutJudge now = held->lease.seen;
    now.beat = renewal->beat;
    rollout_table_renew(held->runner->table, bytes_of(held->name), &now,
                        rollout_findings_write(&held->record, &findings, renewal->pending.arena),
                        on_renewed, renewal);
}

/* ---- Samples --------------------------------------------------------------------------------- */

typedef struct Writing {
    RolloutPending pending;
    HeldRollout *held;
    int64_t begun, settled;
} Writing;

static void on_sample_written(void *owner, Result result, bool written)
{
    Writing *writing = owner;
    HeldRollout *held = writing->held;
    int64_t begun = writing->begun, settled = writing->settled;
    rollout_pending_end(&writing->pending);
    if (failed(result))
        error_ignore(result, "the next beat writes it again");
    if (!held_end(held) || failed(result))
        return;
    held->told_begun = begun;
    held->told_settled = settled;
}

/* Others begin with what this gateway says to have begun with: that is not forgotten if the
   database crashes. */
static void write_sample(HeldRollout *held)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    RolloutSample sample = {.node = bytes_of(held->runner->settings.config->node),
                            .at = clock_wall(),
                            .revision = held->record.revision,
                            .member = held->roster.last,
                            .begun = held->begun,
                            .settled = held->roster.settled,
                            .promised = held->begun != held->told_begun ||
                                        held->roster.settled != held->told_settled,
                            .cell = beginning_cell(held->definition),
                            .content = cohort_sample_write(held->sample, arena)};
    Writing *writing = rollout_pending_new(held->runner, sizeof *writing);
    writing->held = held;
    writing->begun = sample.begun;
    writing->settled = sample.settled;
    held_begin(held);
    rollout_table_put_sample(held->runner->table, bytes_of(held->name), held->record.trial, &sample,
                             on_sample_written, writing);
    arena_free(arena);
}

/* What this gateway has seen of the round; in it also what earlier processes of it have written. */
static void collect(HeldRollout *held, const RolloutSample *samples, uint32_t n)
{
    Bytes node = bytes_of(held->runner->settings.config->node);
    uint64_t id = held->definition->id, round = held->record.round;
    if (!held->sample || cohort_sample_round(held->sample) != round) {
        cohort_sample_free(held->sample);
        held->sample = cohort_sample_new(id, round);
    }
    CohortSample *counted = cohort_collect(id, round);
    held_tell_unserved(held, cohort_sample_n_unserved(counted));
    cohort_sample_merge(held->sample, counted);
    cohort_sample_free(counted);
    for (uint32_t i = 0; i < n; i++) {
        CohortSample *read =
            bytes_equal(samples[i].node, node) ? cohort_sample_read(samples[i].content) : NULL;
        if (read)
            cohort_sample_merge(held->sample, read);
        cohort_sample_free(read);
    }
}

static CohortSample *sum_of(const HeldRollout *held, const RolloutSample *samples, uint32_t n)
{
    CohortSample *sum = cohort_sample_copy(held->sample);
    for (uint32_t i = 0; i < n; i++) {
        CohortSample *read = cohort_sample_read(samples[i].content);
        if (read)
            cohort_sample_merge(sum, read);
        cohort_sample_free(read);
    }
    return sum;
}

static void on_samples(void *owner, Result result, const RolloutSample *samples, uint32_t n)
{
    HeldRollout *held = owner;
    bool goes_on = !failed(result) && held->definition && held_is_live(held);
    if (failed(result))
        error_ignore(result, "the next beat tries again");
    if (!goes_on) {
        end(held);
        return;
    }
    collect(held, samples, n);
    write_sample(held);
    held->capacity = rollout_capacity_now(held->definition);
    CohortSample *sum = sum_of(held, samples, n);
    held_learn_known(held, sum);
    if (rollout_lease_is_ours(&held->lease, clock_now())) {
        judge_sum(held, sum);
    } else {
        rollout_runner_publish(held->runner);
        end(held);
    }
    cohort_sample_free(sum);
}

static void read_samples(HeldRollout *held)
{
    bool all = rollout_lease_is_ours(&held->lease, clock_now()) || held_wants_known(held);
    rollout_table_samples(held->runner->table, bytes_of(held->name), held->record.trial,
                          all ? BYTES_NONE : bytes_of(held->runner->settings.config->node),
                          on_samples, held);
}

/* ---- The place of the judge ------------------------------------------------------------------ */

typedef struct Taking {
    RolloutPending pending;
    HeldRollout *held;
    int64_t asked_at, token;
} Taking;

static void on_taken(void *owner, Result result, bool written)
{
    Taking *taking = owner;
    HeldRollout *held = taking->held;
    int64_t asked_at = taking->asked_at, token = taking->token;
    rollout_pending_end(&taking->pending);
    if (failed(result))
        error_ignore(result, "the next beat tries again");
    if (!held->definition || failed(result)) {
        end(held);
        return;
    }
    if (written) {
        RolloutJudge us = {self_of(held), token, 1};
        rollout_lease_won(&held->lease, &us, asked_at, held_lease(held));
        held->looked_at = 0;
    }
    read_samples(held);
}

static void take_place(HeldRollout *held)
{
    Taking *taking = rollout_pending_new(held->runner, sizeof *taking);
    taking->held = held;
    taking->asked_at = clock_now();
    taking->token = held->lease.seen.token + 1;
    RolloutJudge next = {self_of(held), taking->token, 1};
    rollout_table_take(held->runner->table, bytes_of(held->name), &held->lease.seen, &next,
                       on_taken, taking);
}

void held_judge(HeldRollout *held)
{
    if (held->judging || !held->stored || !held->complete || !held_is_live(held) ||
        held->runner->stopped)
        return;
    held->judging = true;
    held_begin(held);
    if (rollout_lease_may_take(&held->lease, self_of(held), held_lease(held), clock_now()))
        take_place(held);
    else
        read_samples(held);
}
