#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/rollout_run/rollout_record.h"

#include <math.h>

#define WALL (1700000000 * SECOND)

static const RolloutTier tiers[] = {
    {"1", ROLLOUT_TIER_CLIENTS, 1, 0},
    {"10", ROLLOUT_TIER_CLIENTS, 10, 0},
    {"5 %", ROLLOUT_TIER_SHARE, 0, 0.05},
    {"all", ROLLOUT_TIER_ALL, 0, 0},
};
static const RolloutDefinition definition = {
    .name = "orders build b",
    .id = 77,
    .tiers = tiers,
    .n_tiers = 4,
    .judging = {.alpha = 0.05, .least = SECOND, .every = SECOND, .metrics = 1}};
static const KeySeed salt = {3, 4};

static RolloutRecord begun(void)
{
    return rollout_record_begin(&definition, &salt, WALL);
}

static RolloutRecord after(const RolloutRecord *record, RolloutEvent event, int64_t last)
{
    RolloutMoment moment = {.last = last, .known = 50, .salt = {5, 6}, .wall = WALL + 1};
    RolloutStep step = rollout_step(&definition, &record->state, event, WALL + 1);
    assert_true(step.taken);
    return rollout_record_after(&definition, record, &step, &moment);
}

static void a_record_is_read_as_it_was_written(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    RolloutRecord first = begun(), read;
    RolloutRecord record = after(&first, ROLLOUT_ORDER_ADVANCE, 1);
    RolloutRow row = rollout_record_row(&definition, &record, arena);
    assert_bytes(row.id, "orders build b");
    assert_true(row.revision == 2 && row.trial == 1 && row.room == 10 && row.open);
    assert_true(rollout_record_read(&row, &read));
    assert_true(read.revision == 2 && read.trial == 1 && read.round == 2 && read.era == 1);
    assert_true(read.before == 1 && read.share_before == 0 && read.room == 9 && read.known == 50);
    assert_true(read.salt.low == 3 && read.salt.high == 4);
    assert_true(read.from == WALL + 4 * SECOND && !read.nobody_before);
    assert_true(read.state.tier == 1 && read.state.room == 10 && read.state.tier_since == WALL + 1);
    row.content.size--;
    assert_false(rollout_record_read(&row, &read));
    row.content.size++;
    ((uint8_t *)row.content.data)[0]++; /* a newer format */
    assert_false(rollout_record_read(&row, &read));
    row.content = BYTES_NONE;
    assert_false(rollout_record_read(&row, &read));
    arena_free(arena);
}

/* What begins anew with each act. */
static void rounds_eras_and_trials_begin_where_something_begins_anew(void **state)
{
    RolloutRecord first = begun();
    assert_true(first.round == 1 && first.era == 1 && first.trial == 1 && first.room == 1);
    RolloutRecord paused = after(&first, ROLLOUT_ORDER_PAUSE, 1);
    assert_true(paused.revision == 2 && paused.round == 1 && paused.era == 1);
    RolloutRecord resumed = after(&paused, ROLLOUT_ORDER_RESUME, 1);
    assert_true(resumed.revision == 3 && resumed.round == 1 && resumed.era == 1);
    RolloutRecord advanced = after(&resumed, ROLLOUT_FOUND_GOOD, 1);
    assert_true(advanced.round == 4 && advanced.era == 1 && advanced.before == 1);
    RolloutRecord back = after(&advanced, ROLLOUT_FOUND_BAD, 7);
    assert_true(back.trial == 1 && back.round == 4 && back.salt.low == 3);
    RolloutRecord again = after(&back, ROLLOUT_ORDER_START, 0);
    assert_true(again.trial == 2 && again.round == 6 && again.era == 6 && again.before == 0);
    assert_true(again.salt.low == 5 && again.room == 1 && again.state.tier == 0);
}

static void what_is_judged_anew_keeps_its_clients(void **state)
{
    RolloutDefinition pauses = definition;
    RolloutRecord first = begun(), record = after(&first, ROLLOUT_FOUND_GOOD, 1);
    RolloutMoment moment = {.last = 9, .known = 50};
    pauses.on_bad = ROLLOUT_PAUSE;
    RolloutStep step = rollout_step(&pauses, &record.state, ROLLOUT_FOUND_BAD, WALL + 2);
    record = rollout_record_after(&pauses, &record, &step, &moment);
    step = rollout_step(&pauses, &record.state, ROLLOUT_ORDER_RESUME, WALL + 3);
    assert_int_equal(step.renews, ROLLOUT_RENEWS_EVIDENCE);
    record = rollout_record_after(&pauses, &record, &step, &moment);
    assert_true(record.era == 4 && record.round == 4 && record.before == 1);
}

static void only_an_open_tier_of_clients_has_room(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    RolloutRecord first = begun(), paused = after(&first, ROLLOUT_ORDER_PAUSE, 1);
    RolloutRecord back = after(&first, ROLLOUT_ORDER_ROLL_BACK, 1);
    RolloutRecord ten = after(&first, ROLLOUT_FOUND_GOOD, 1);
    RolloutRecord share = after(&ten, ROLLOUT_FOUND_GOOD, 10);
    RolloutRow row = rollout_record_row(&definition, &first, arena);
    assert_true(row.room == 1 && row.open);
    row = rollout_record_row(&definition, &paused, arena);
    assert_true(row.room == 0 && row.open);
    row = rollout_record_row(&definition, &share, arena);
    assert_true(row.room == 0 && row.open);
    row = rollout_record_row(&definition, &back, arena);
    assert_true(row.room == 0 && !row.open);
    arena_free(arena);
}

static void findings_count_for_their_round_and_their_era(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    RolloutRecord first = begun();
    RolloutFindings found = {.era = 1, .round = 1, .lasted = 5, .clients = {40, 1}};
    found.evidence.metrics[0].hit = 3;
    found.evidence.metrics[0].wealth.logs[2] = 1.5;
    found.evidence.metrics[0].candidate_failed = 1;
    RolloutFindings read = rollout_findings_read(rollout_findings_write(&first, &found, arena));
    RolloutFindings same = rollout_findings_in(&first, &read);
    assert_true(same.lasted == 5 && same.clients[COHORT_BASELINE] == 40);
    assert_true(same.clients[COHORT_CANDIDATE] == 1);
    assert_true(same.evidence.metrics[0].candidate_failed == 1);

    RolloutRecord ten = after(&first, ROLLOUT_FOUND_GOOD, 1);
    RolloutFindings next = rollout_findings_in(&ten, &read);
    assert_true(next.round == 2 && next.lasted == 0 && next.clients[COHORT_BASELINE] == 0);
    assert_true(next.evidence.metrics[0].wealth.logs[2] == 1.5);
    assert_true(next.evidence.metrics[0].candidate_failed == 0);
    assert_true(next.evidence.metrics[0].hit == 3);

    RolloutRecord back = after(&first, ROLLOUT_ORDER_ROLL_BACK, 1);
    RolloutRecord again = after(&back, ROLLOUT_ORDER_START, 0);
    RolloutFindings none = rollout_findings_in(&again, &read);
    assert_true(none.era == 3 && none.evidence.metrics[0].wealth.logs[2] == 0);
    none = rollout_findings_read(bytes("x", 1));
    assert_true(none.era == 0 && none.lasted == 0);
    arena_free(arena);
}

static CohortPlan plan_of(const RolloutRecord *record, bool begun)
{
    static const int64_t numbers[] = {1, 3};
    static Bytes members[2];
    members[0] = bytes_of("ada");
    members[1] = bytes_of("bob");
    RolloutHere here = {members, numbers, 2, 0.5, begun};
    return rollout_record_plan(&definition, record, &here);
}

static void the_plan_says_who_has_the_candidate(void **state)
{
    RolloutRecord first = begun(), ten = after(&first, ROLLOUT_FOUND_GOOD, 1);
    RolloutRecord share = after(&ten, ROLLOUT_FOUND_GOOD, 3);
    RolloutRecord all = after(&share, ROLLOUT_FOUND_GOOD, 3);
    RolloutRecord back = after(&ten, ROLLOUT_FOUND_BAD, 3);
    RolloutRecord gone = after(&ten, ROLLOUT_CANDIDATE_GONE, 3);
    CohortPlan plan = plan_of(&ten, false); /* members have times of their own */
    assert_true(plan.rollout == 77 && plan.round == 2 && plan.salt.low == 3);
    assert_true(plan.reach == COHORT_MEMBERS && plan.n_members == 2 && plan.n_before == 1);
    assert_true(plan.door == 0.5);
    plan = plan_of(&share, true);
    assert_true(plan.reach == COHORT_SHARE && plan.share == 0.05 && plan.share_before == 0);
    assert_true(plan.n_before == 2 && plan.door == 0 && plan.round == share.round);
    plan = plan_of(&all, true);
    assert_true(plan.reach == COHORT_ALL && plan.share_before == 0.05);
    plan = plan_of(&back, false);
    assert_true(plan.reach == COHORT_NOBODY && plan.door == 0);
    plan = plan_of(&gone, false);
    assert_true(plan.reach == COHORT_NOBODY && plan.door == 0);
}

static void until_a_tier_begins_who_had_the_candidate_has_it_and_nothing_is_counted(void **state)
{
    RolloutRecord first = begun(), ten = after(&first, ROLLOUT_FOUND_GOOD, 1);
    RolloutRecord share = after(&ten, ROLLOUT_FOUND_GOOD, 3);
    RolloutRecord all = after(&share, ROLLOUT_FOUND_GOOD, 3);
    CohortPlan plan = plan_of(&share, false);
    assert_true(plan.reach == COHORT_MEMBERS && plan.round == 0 && plan.n_before == 2);
    plan = plan_of(&all, false);
    assert_true(plan.reach == COHORT_SHARE && plan.share == 0.05 && plan.round == 0);
    RolloutRecord paused = after(&all, ROLLOUT_ORDER_PAUSE, 3);
    assert_true(paused.from == all.from && plan_of(&paused, false).reach == COHORT_SHARE);
}

static void a_candidate_that_is_back_begins_with_nobody(void **state)
{
    RolloutRecord first = begun(), ten = after(&first, ROLLOUT_FOUND_GOOD, 1);
    RolloutRecord gone = after(&ten, ROLLOUT_CANDIDATE_GONE, 3);
    assert_false(rollout_record_grows(&definition, &gone));
    RolloutRecord back = after(&gone, ROLLOUT_CANDIDATE_BACK, 3);
    back.from++; /* of the next act it is the same */
    RolloutRecord paused = after(&back, ROLLOUT_ORDER_PAUSE, 3);
    assert_true(rollout_record_grows(&definition, &paused) && paused.from == back.from);
    CohortPlan plan = plan_of(&paused, false);
    assert_true(plan.reach == COHORT_NOBODY && plan.door == 0 && plan.round == 0);
    plan = plan_of(&back, true);
    assert_true(plan.reach == COHORT_MEMBERS && plan.door == 0.5 && plan.round == ten.round);
    RolloutRecord share = after(&back, ROLLOUT_ORDER_ADVANCE, 3);
    assert_true(plan_of(&share, false).reach == COHORT_MEMBERS);
}

static void a_look_is_what_was_counted_with_the_larger_error(void **state)
{
    CohortCount baseline = {.clients = 40, .clients_error = 0.1, .failed = {2, 1}};
    CohortCount candidate = {.clients = 10, .clients_error = 0.02, .failed = {3}};
    RolloutLook look = rollout_look_of(&baseline, &candidate, 12, true);
    assert_true(look.full && look.error == 0.1);
    assert_true(look.baseline.clients == 40 && look.baseline.failed[1] == 1);
    assert_true(look.candidate.clients == 10 && look.candidate.failed[0] == 3);
    assert_true(look.candidate.joined == 12);
    baseline.clients_error = 7;
    assert_true(rollout_look_of(&baseline, &candidate, 0, false).error < 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_read_as_it_was_written),
        cmocka_unit_test(rounds_eras_and_trials_begin_where_something_begins_anew),
        cmocka_unit_test(what_is_judged_anew_keeps_its_clients),
        cmocka_unit_test(only_an_open_tier_of_clients_has_room),
        cmocka_unit_test(findings_count_for_their_round_and_their_era),
        cmocka_unit_test(the_plan_says_who_has_the_candidate),
        cmocka_unit_test(until_a_tier_begins_who_had_the_candidate_has_it_and_nothing_is_counted),
        cmocka_unit_test(a_candidate_that_is_back_begins_with_nobody),
        cmocka_unit_test(a_look_is_what_was_counted_with_the_larger_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
