#include "gateway/rollout_run/rollout_record.h"

#include "base/arena.h"
#include "gateway/rollout/beginning.h"
#include "gateway/rollout/rollout_bytes.h"

#include <math.h>

enum {
    FORMAT = 2,
    NUMBERS = 11, /* in front of a state, or of evidence */
    SIZE = NUMBERS * 8 + ROLLOUT_BYTES,
};

static double room_left(const RolloutRecord *record, int64_t last)
{
    return fmax((double)record->state.room - (double)last, 0);
}

RolloutRecord rollout_record_begin(const RolloutDefinition *definition, const KeySeed *salt,
                                   int64_t wall)
{
    RolloutRecord record = {.revision = 1,
                            .trial = 1,
                            .state = rollout_state_new(definition, wall),
                            .salt = *salt,
                            .round = 1,
                            .era = 1,
                            .from = beginning_from(wall, beginning_step(definition))};
    record.room = room_left(&record, 0);
    return record;
}

/* Who has the candidate is judged no more in a new tier. */
static void begin_tier(const RolloutDefinition *definition, const RolloutRecord *before,
                       const RolloutMoment *moment, RolloutRecord *record)
{
    record->before = moment->last;
    record->share_before = rollout_share(definition, &before->state);
    record->known = moment->known;
    record->room = room_left(record, moment->last);
}

static void begin_trial(const RolloutMoment *moment, RolloutRecord *record)
{
    record->trial++;
    record->salt = moment->salt;
    record->before = 0;
    record->share_before = 0;
    record->known = moment->known;
    record->room = room_left(record, 0);
}

/* What is judged anew, because an operator says so, is judged by the same clients. */
RolloutRecord rollout_record_after(const RolloutDefinition *definition, const RolloutRecord *record,
                                   const RolloutStep *step, const RolloutMoment *moment)
{
    RolloutRecord next = *record;
    next.state = step->state;
    next.revision++;
    bool back = record->state.gone && !next.state.gone;
    if (back || step->renews >= ROLLOUT_RENEWS_COUNTS) {
        next.from = beginning_from(moment->wall, beginning_step(definition));
        next.nobody_before = back;
    }
    if (step->renews >= ROLLOUT_RENEWS_COUNTS)
        next.round = (uint64_t)next.revision;
    if (step->renews >= ROLLOUT_RENEWS_EVIDENCE)
        next.era = (uint64_t)next.revision;
    if (step->renews == ROLLOUT_RENEWS_COUNTS)
        begin_tier(definition, record, moment, &next);
    if (step->renews >= ROLLOUT_RENEWS_TRIAL)
        begin_trial(moment, &next);
    return next;
}

/* ---- Bytes: numbers of 64 bits, little-endian, then rollout_bytes.h -------------------------- */

static void put(uint8_t *out, const uint64_t numbers[NUMBERS])
{
    for (int i = 0; i < NUMBERS * 8; i++)
        out[i] = (uint8_t)(numbers[i / 8] >> i % 8 * 8);
}

/* False: it is of another format. */
static bool get(Bytes written, uint64_t numbers[NUMBERS])
{
    if (written.size != SIZE)
        return false;
    for (int i = 0; i < NUMBERS; i++)
        numbers[i] = 0;
    for (int i = 0; i < NUMBERS * 8; i++)
        numbers[i / 8] |= (uint64_t)written.data[i] << i % 8 * 8;
    return numbers[0] == FORMAT;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double number_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return isfinite(value) ? value : 0;
}

static Bytes written(const uint64_t numbers[NUMBERS], const RolloutState *state,
                     const RolloutEvidence *evidence, Arena *arena)
{
    uint8_t *out = arena_array(arena, uint8_t, SIZE);
    put(out, numbers);
    rollout_write(state, evidence, out + NUMBERS * 8);
    return bytes(out, SIZE);
}

static bool read_rest(Bytes from, RolloutState *state_out, RolloutEvidence *evidence_out)
{
    return rollout_read(bytes_slice(from, NUMBERS * 8, SIZE), state_out, evidence_out);
}

RolloutRow rollout_record_row(const RolloutDefinition *definition, const RolloutRecord *record,
                              Arena *arena)
{
    static const RolloutEvidence none;
    const uint64_t numbers[NUMBERS] = {
        FORMAT,
        record->salt.low,
        record->salt.high,
        record->round,
        record->era,
        (uint64_t)record->before,
        bits_of(record->share_before),
        bits_of(record->room),
        bits_of(record->known),
        (uint64_t)record->from,
        record->nobody_before,
    };
    const RolloutState *state = &record->state;
    bool takes = rollout_is_open(definition, state);
    return (RolloutRow){
        .id = bytes_of(definition->name),
        .revision = record->revision,
        .trial = record->trial,
        .room = takes ? state->room : 0,
        .open = state->phase != ROLLOUT_ROLLED_BACK && state->phase != ROLLOUT_COMPLETE,
        .content = written(numbers, state, &none, arena),
        .changed = state->since,
    };
}

bool rollout_record_read(const RolloutRow *row, RolloutRecord *record_out)
{
    uint64_t numbers[NUMBERS];
    RolloutEvidence none;
    *record_out = (RolloutRecord){.revision = row->revision, .trial = row->trial};
    if (!get(row->content, numbers) || !read_rest(row->content, &record_out->state, &none))
        return false;
    record_out->salt = (KeySeed){numbers[1], numbers[2]};
    record_out->round = numbers[3];
    record_out->era = numbers[4];
    record_out->before = (int64_t)numbers[5];
    record_out->share_before = number_of(numbers[6]);
    record_out->room = number_of(numbers[7]);
    record_out->known = number_of(numbers[8]);
    record_out->from = (int64_t)numbers[9];
    record_out->nobody_before = numbers[10] != 0;
    return true;
}

Bytes rollout_findings_write(const RolloutRecord *record, const RolloutFindings *findings,
                             Arena *arena)
{
    const uint64_t numbers[NUMBERS] = {
        FORMAT,
        findings->era,
        findings->round,
        (uint64_t)findings->lasted,
        bits_of(findings->clients[COHORT_BASELINE]),
        bits_of(findings->clients[COHORT_CANDIDATE]),
        0,
    };
    return written(numbers, &record->state, &findings->evidence, arena);
}

RolloutFindings rollout_findings_read(Bytes from)
{
    RolloutFindings findings = {0};
    uint64_t numbers[NUMBERS];
    RolloutState state;
    if (!get(from, numbers) || !read_rest(from, &state, &findings.evidence))
        return (RolloutFindings){0};
    findings.era = numbers[1];
    findings.round = numbers[2];
    findings.lasted = (int64_t)numbers[3];
    findings.clients[COHORT_BASELINE] = number_of(numbers[4]);
    findings.clients[COHORT_CANDIDATE] = number_of(numbers[5]);
    return findings;
}

RolloutFindings rollout_findings_in(const RolloutRecord *record, const RolloutFindings *findings)
{
    RolloutFindings in = {.era = record->era, .round = record->round};
    if (findings->era != record->era)
        return in;
    if (findings->round == record->round)
        return *findings;
    in.evidence = findings->evidence;
    rollout_evidence_next_tier(&in.evidence);
    return in;
}

/* ---- For calls ------------------------------------------------------------------------------- */

bool rollout_record_grows(const RolloutDefinition *definition, const RolloutRecord *record)
{
    return rollout_reach(definition, &record->state) != ROLLOUT_REACH_NOBODY &&
           (record->nobody_before ||
            rollout_share(definition, &record->state) > record->share_before);
}

/* What holds until the beginning: nothing of it counts for this round. */
static void hold_back(const RolloutRecord *record, CohortPlan *plan)
{
    plan->round = 0;
    plan->share = record->share_before;
    plan->door = 0;
    plan->reach = record->nobody_before      ? COHORT_NOBODY
                  : record->share_before > 0 ? COHORT_SHARE
                                             : COHORT_MEMBERS;
}

CohortPlan rollout_record_plan(const RolloutDefinition *definition, const RolloutRecord *record,
                               const RolloutHere *here)
{
    static const CohortReach reaches[] = {
        [ROLLOUT_REACH_NOBODY] = COHORT_NOBODY,
        [ROLLOUT_REACH_MEMBERS] = COHORT_MEMBERS,
        [ROLLOUT_REACH_SHARE] = COHORT_SHARE,
        [ROLLOUT_REACH_ALL] = COHORT_ALL,
    };
    CohortPlan plan = {
        .rollout = definition->id,
        .round = record->round,
        .salt = record->salt,
        .reach = reaches[rollout_reach(definition, &record->state)],
        .share = rollout_share(definition, &record->state),
        .share_before = record->share_before,
        .door = rollout_is_open(definition, &record->state) ? here->door : 0,
        .members = here->members,
        .n_members = here->n,
    };
    while (plan.n_before < here->n && here->numbers[plan.n_before] <= record->before)
        plan.n_before++;
    if (!here->begun && rollout_record_grows(definition, record))
        hold_back(record, &plan);
    return plan;
}

/* ---- For the judge --------------------------------------------------------------------------- */

static RolloutSide side_of(const CohortCount *count)
{
    RolloutSide side = {.clients = count->clients};
    memcpy(side.failed, count->failed, sizeof side.failed);
    return side;
}

RolloutLook rollout_look_of(const CohortCount *baseline, const CohortCount *candidate,
                            int64_t joined, bool full)
{
    RolloutLook look = {
        .baseline = side_of(baseline),
        .candidate = side_of(candidate),
        .full = full,
        .error = fmin(fmax(baseline->clients_error, candidate->clients_error), 0.99),
    };
    look.candidate.joined = joined > 0 ? (double)joined : 0;
    return look;
}
