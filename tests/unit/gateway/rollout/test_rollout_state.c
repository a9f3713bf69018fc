#include "tests/unit/check.h"

#include "gateway/rollout/rollout_state.h"

#include <math.h>

static const RolloutTier tiers[] = {
    {.text = "10", .kind = ROLLOUT_TIER_CLIENTS, .clients = 10},
    {.text = "100", .kind = ROLLOUT_TIER_CLIENTS, .clients = 100},
    {.text = "25 %", .kind = ROLLOUT_TIER_SHARE, .share = 0.25},
    {.text = "all", .kind = ROLLOUT_TIER_ALL},
};

enum { LAST = 3 };

static const RolloutDefinition usual = {.tiers = tiers, .n_tiers = 4, .judging.least = 1000};

static RolloutState at(RolloutPhase phase, uint32_t tier)
{
    return (RolloutState){.phase = phase, .tier = tier, .room = 10, .since = 5, .tier_since = 3};
}

enum { REFUSED = -1 }; /* or ignored */

/* What becomes of each phase in the first tier, in the order of the phases. */
static void each_event_does_this_in_each_phase(void **state)
{
    static const struct {
        RolloutEvent event;
        int becomes[ROLLOUT_PHASES];
    } rows[] = {
        /*                          running, waiting, paused, rolled back, complete */
        {ROLLOUT_FOUND_GOOD, {ROLLOUT_RUNNING, ROLLOUT_RUNNING, REFUSED, REFUSED, REFUSED}},
        {ROLLOUT_FOUND_BAD,
         {ROLLOUT_ROLLED_BACK, ROLLOUT_ROLLED_BACK, ROLLOUT_ROLLED_BACK, REFUSED, REFUSED}},
        {ROLLOUT_CANDIDATE_GONE,
         {ROLLOUT_RUNNING, ROLLOUT_WAITING, ROLLOUT_PAUSED, ROLLOUT_ROLLED_BACK, ROLLOUT_COMPLETE}},
        {ROLLOUT_CANDIDATE_BACK, {REFUSED, REFUSED, REFUSED, REFUSED, REFUSED}},
        {ROLLOUT_ORDER_START, {REFUSED, REFUSED, REFUSED, ROLLOUT_RUNNING, REFUSED}},
        {ROLLOUT_ORDER_ADVANCE, {ROLLOUT_RUNNING, ROLLOUT_RUNNING, REFUSED, REFUSED, REFUSED}},
        {ROLLOUT_ORDER_PAUSE, {ROLLOUT_PAUSED, ROLLOUT_PAUSED, REFUSED, REFUSED, REFUSED}},
        {ROLLOUT_ORDER_RESUME, {REFUSED, REFUSED, ROLLOUT_RUNNING, REFUSED, REFUSED}},
        {ROLLOUT_ORDER_ROLL_BACK,
         {ROLLOUT_ROLLED_BACK, ROLLOUT_ROLLED_BACK, ROLLOUT_ROLLED_BACK, REFUSED,
          ROLLOUT_ROLLED_BACK}},
        {ROLLOUT_EVENTS, {REFUSED, REFUSED, REFUSED, REFUSED, REFUSED}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int phase = 0; phase < ROLLOUT_PHASES; phase++) {
            RolloutState from = at(phase, 0);
            RolloutStep step = rollout_step(&usual, &from, rows[i].event, 9);
            int expected = rows[i].becomes[phase];
            assert_int_equal(step.taken, expected != REFUSED);
            if (!step.taken)
                assert_memory_equal(&step.state, &from, sizeof from);
            else
                assert_int_equal(step.state.phase, expected);
            bool order = rows[i].event >= ROLLOUT_ORDER_START && rows[i].event < ROLLOUT_EVENTS;
            assert_int_equal(step.refusal != NULL, order && !step.taken);
        }
}

static void a_good_tier_is_followed_by_the_next_one(void **state)
{
    RolloutState from = at(ROLLOUT_RUNNING, 0);
    RolloutStep step = rollout_step(&usual, &from, ROLLOUT_FOUND_GOOD, 9);
    assert_int_equal(step.state.tier, 1);
    assert_int_equal(step.state.room, 100);
    assert_int_equal(step.state.tier_since, 9);
    assert_int_equal(step.renews, ROLLOUT_RENEWS_COUNTS);

    step = rollout_step(&usual, &step.state, ROLLOUT_ORDER_ADVANCE, 12);
    assert_int_equal(step.state.tier, 2);
    assert_int_equal(step.state.room, 100); /* the members stay */
}

static void a_room_that_was_widened_is_never_smaller_again(void **state)
{
    RolloutState from = at(ROLLOUT_RUNNING, 0);
    from.room = 120;
    assert_int_equal(rollout_step(&usual, &from, ROLLOUT_FOUND_GOOD, 9).state.room, 120);
}

static void the_last_tier_ends_it(void **state)
{
    RolloutState from = at(ROLLOUT_RUNNING, LAST);
    RolloutStep step = rollout_step(&usual, &from, ROLLOUT_FOUND_GOOD, 9);
    assert_int_equal(step.state.phase, ROLLOUT_COMPLETE);
    assert_int_equal(step.renews, ROLLOUT_RENEWS_NOTHING);
    step = rollout_step(&usual, &from, ROLLOUT_ORDER_ADVANCE, 9);
    assert_int_equal(step.state.phase, ROLLOUT_COMPLETE);
}

static void a_tier_that_had_not_passed_was_advanced_by_hand(void **state)
{
    RolloutState from = at(ROLLOUT_RUNNING, 0);
    RolloutStep step = rollout_step(&usual, &from, ROLLOUT_ORDER_ADVANCE, 9);
    assert_int_equal(step.state.by_hand, 1);
    step = rollout_step(&usual, &step.state, ROLLOUT_FOUND_GOOD, 9);
    assert_int_equal(step.state.by_hand, 1);
    step.state.phase = ROLLOUT_WAITING;
    step = rollout_step(&usual, &step.state, ROLLOUT_ORDER_ADVANCE, 9);
    assert_int_equal(step.state.by_hand, 1);
    assert_int_equal(step.state.tier, LAST);
    step = rollout_step(&usual, &step.state, ROLLOUT_ORDER_ADVANCE, 9);
    assert_int_equal(step.state.phase, ROLLOUT_COMPLETE);
    assert_int_equal(step.state.by_hand, 1 | 1 << LAST);
    step = rollout_step(&usual, &step.state, ROLLOUT_ORDER_ROLL_BACK, 9);
    step = rollout_step(&usual, &step.state, ROLLOUT_ORDER_START, 9);
    assert_int_equal(step.state.by_hand, 0);
}

static void without_all_the_last_tier_waits_for_further_ones(void **state)
{
    RolloutDefinition three = usual;
    three.n_tiers = 3;
    RolloutState from = at(ROLLOUT_RUNNING, 2);
    RolloutStep step = rollout_step(&three, &from, ROLLOUT_FOUND_GOOD, 9);
    assert_int_equal(step.state.phase, ROLLOUT_WAITING);
    assert_non_null(rollout_step(&three, &step.state, ROLLOUT_ORDER_ADVANCE, 9).refusal);
    assert_int_equal(rollout_step(&usual, &step.state, ROLLOUT_FOUND_GOOD, 9).state.tier, LAST);
}

static void on_good_wait_waits_for_an_operator(void **state)
{
    RolloutDefinition waits = usual;
    waits.on_good = ROLLOUT_WAIT;
    RolloutState from = at(ROLLOUT_RUNNING, 0);
    RolloutStep step = rollout_step(&waits, &from, ROLLOUT_FOUND_GOOD, 9);
    assert_int_equal(step.state.phase, ROLLOUT_WAITING);
    assert_int_equal(step.state.tier, 0);
    assert_false(rollout_step(&waits, &step.state, ROLLOUT_FOUND_GOOD, 9).taken);
    assert_int_equal(rollout_step(&waits, &step.state, ROLLOUT_ORDER_ADVANCE, 9).state.tier, 1);
}

static void what_is_catastrophic_reaches_all_by_an_operator_only(void **state)
{
    RolloutDefinition dangerous = usual;
    dangerous.impact = IMPACT_CATASTROPHIC;
    RolloutState from = at(ROLLOUT_RUNNING, 1);
    assert_int_equal(rollout_step(&dangerous, &from, ROLLOUT_FOUND_GOOD, 9).state.tier, 2);
    from.tier = 2;
    RolloutStep step = rollout_step(&dangerous, &from, ROLLOUT_FOUND_GOOD, 9);
    assert_int_equal(step.state.phase, ROLLOUT_WAITING);
    assert_int_equal(rollout_step(&dangerous, &step.state, ROLLOUT_ORDER_ADVANCE, 9).state.tier,
                     LAST);
}

static void on_bad_pause_pauses_and_resuming_judges_anew(void **state)
{
    RolloutDefinition pauses = usual;
    pauses.on_bad = ROLLOUT_PAUSE;
    RolloutState from = at(ROLLOUT_RUNNING, 1);
    RolloutStep step = rollout_step(&pauses, &from, ROLLOUT_FOUND_BAD, 9);
    assert_int_equal(step.state.phase, ROLLOUT_PAUSED);
    assert_true(step.state.bad);
    assert_false(rollout_step(&pauses, &step.state, ROLLOUT_FOUND_BAD, 10).taken);

    step = rollout_step(&pauses, &step.state, ROLLOUT_ORDER_RESUME, 12);
    assert_int_equal(step.state.phase, ROLLOUT_RUNNING);
    assert_int_equal(step.state.tier_since, 12);
    assert_int_equal(step.renews, ROLLOUT_RENEWS_EVIDENCE);
    assert_false(step.state.bad);

    step = rollout_step(&pauses, &from, ROLLOUT_ORDER_PAUSE, 9);
    step = rollout_step(&pauses, &step.state, ROLLOUT_ORDER_RESUME, 12);
    assert_int_equal(step.renews, ROLLOUT_RENEWS_NOTHING);
    assert_int_equal(step.state.tier_since, 3);
}

static void what_was_rolled_back_starts_in_the_first_tier_without_members(void **state)
{
    RolloutState from = at(ROLLOUT_ROLLED_BACK, 2);
    from.bad = true;
    from.room = 100;
    RolloutStep step = rollout_step(&usual, &from, ROLLOUT_ORDER_START, 9);
    assert_int_equal(step.renews, ROLLOUT_RENEWS_TRIAL);
    assert_int_equal(step.state.tier, 0);
    assert_int_equal(step.state.room, 10);
    assert_false(step.state.bad);
}

static void without_instances_nothing_advances_but_bad_is_bad(void **state)
{
    RolloutState from = at(ROLLOUT_RUNNING, 0);
    RolloutState gone = rollout_step(&usual, &from, ROLLOUT_CANDIDATE_GONE, 9).state;
    assert_true(gone.gone);
    assert_int_equal(gone.since, 5);
    assert_false(rollout_step(&usual, &gone, ROLLOUT_CANDIDATE_GONE, 9).taken);
    assert_false(rollout_step(&usual, &gone, ROLLOUT_FOUND_GOOD, 9).taken);
    assert_non_null(rollout_step(&usual, &gone, ROLLOUT_ORDER_ADVANCE, 9).refusal);
    assert_true(rollout_step(&usual, &gone, ROLLOUT_FOUND_BAD, 9).taken);
    assert_int_equal(rollout_reach(&usual, &gone), ROLLOUT_REACH_NOBODY);
    assert_false(rollout_is_open(&usual, &gone));
    assert_false(rollout_step(&usual, &gone, ROLLOUT_CANDIDATE_BACK, 9).state.gone);
}

static void a_tier_that_the_config_no_longer_has_is_its_last_one(void **state)
{
    RolloutDefinition two = usual;
    two.n_tiers = 2;
    RolloutState from = at(ROLLOUT_RUNNING, LAST);
    assert_int_equal(rollout_reach(&two, &from), ROLLOUT_REACH_MEMBERS);
    assert_int_equal(rollout_step(&two, &from, ROLLOUT_FOUND_GOOD, 9).state.phase, ROLLOUT_WAITING);
}

static void who_has_the_candidate(void **state)
{
    static const struct {
        RolloutPhase phase;
        uint32_t tier;
        RolloutReach reach;
        double share;
        bool open;
    } rows[] = {
        {ROLLOUT_RUNNING, 0, ROLLOUT_REACH_MEMBERS, 0, true},
        {ROLLOUT_WAITING, 0, ROLLOUT_REACH_MEMBERS, 0, false},
        {ROLLOUT_PAUSED, 1, ROLLOUT_REACH_MEMBERS, 0, false},
        {ROLLOUT_RUNNING, 2, ROLLOUT_REACH_SHARE, 0.25, false},
        {ROLLOUT_RUNNING, 3, ROLLOUT_REACH_ALL, 1, false},
        {ROLLOUT_ROLLED_BACK, 2, ROLLOUT_REACH_NOBODY, 0, false},
        {ROLLOUT_COMPLETE, 0, ROLLOUT_REACH_ALL, 1, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        RolloutState now = at(rows[i].phase, rows[i].tier);
        assert_int_equal(rollout_reach(&usual, &now), rows[i].reach);
        assert_float_equal(rollout_share(&usual, &now), rows[i].share, 0);
        assert_int_equal(rollout_is_open(&usual, &now), rows[i].open);
    }
}

static void a_room_is_widened_for_the_clients_that_are_missing(void **state)
{
    RolloutState now = at(ROLLOUT_RUNNING, 0);
    RolloutEvidence evidence = {.clients_before = 1, .clients = 9};
    RolloutJudgement judgement = {.want = ROLLOUT_WANTS_CLIENTS, .clients_missing = 4};
    assert_int_equal(rollout_room_wanted(&usual, &now, &evidence, &judgement, 1003), 14);
    assert_int_equal(rollout_room_wanted(&usual, &now, &evidence, &judgement, 1002), 10);
    judgement.clients_missing = 12;
    assert_int_equal(rollout_room_wanted(&usual, &now, &evidence, &judgement, 1003), 22);
    judgement.clients_missing = INFINITY;
    assert_int_equal(rollout_room_wanted(&usual, &now, &evidence, &judgement, 1003), 22);
    evidence.clients = 8; /* one has not called yet */
    assert_int_equal(rollout_room_wanted(&usual, &now, &evidence, &judgement, 1003), 10);
    evidence.clients = 9;
    judgement.want = ROLLOUT_WANTS_TIME;
    assert_int_equal(rollout_room_wanted(&usual, &now, &evidence, &judgement, 1003), 10);
    judgement = (RolloutJudgement){.verdict = ROLLOUT_BAD, .want = ROLLOUT_WANTS_CLIENTS};
    assert_int_equal(rollout_room_wanted(&usual, &now, &evidence, &judgement, 1003), 10);
}

static void a_room_is_never_above_what_is_recorded_at_all(void **state)
{
    RolloutTier large = {.kind = ROLLOUT_TIER_CLIENTS, .clients = 900};
    RolloutDefinition rollout = {.tiers = &large, .n_tiers = 1, .judging.least = 1000};
    RolloutState now = at(ROLLOUT_RUNNING, 0);
    now.room = 900;
    RolloutEvidence evidence = {.clients = 900};
    RolloutJudgement judgement = {.want = ROLLOUT_WANTS_CLIENTS, .clients_missing = 500};
    assert_int_equal(rollout_room_wanted(&rollout, &now, &evidence, &judgement, 2000),
                     ROLLOUT_CLIENTS_MOST);
    assert_false(rollout_step_widen(&now, 900).taken);
    assert_int_equal(rollout_step_widen(&now, 901).state.room, 901);
}

static void phases_have_texts(void **state)
{
    for (int phase = 0; phase < ROLLOUT_PHASES; phase++)
        assert_int_equal(rollout_phase_of(bytes_of(rollout_phase_text(phase))), phase);
    assert_int_equal(rollout_phase_of(bytes_of("rolled")), ROLLOUT_PHASES);
    assert_int_equal(rollout_phase_of(BYTES_NONE), ROLLOUT_PHASES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_event_does_this_in_each_phase),
        cmocka_unit_test(a_good_tier_is_followed_by_the_next_one),
        cmocka_unit_test(a_room_that_was_widened_is_never_smaller_again),
        cmocka_unit_test(the_last_tier_ends_it),
        cmocka_unit_test(a_tier_that_had_not_passed_was_advanced_by_hand),
        cmocka_unit_test(without_all_the_last_tier_waits_for_further_ones),
        cmocka_unit_test(on_good_wait_waits_for_an_operator),
        cmocka_unit_test(what_is_catastrophic_reaches_all_by_an_operator_only),
        cmocka_unit_test(on_bad_pause_pauses_and_resuming_judges_anew),
        cmocka_unit_test(what_was_rolled_back_starts_in_the_first_tier_without_members),
        cmocka_unit_test(without_instances_nothing_advances_but_bad_is_bad),
        cmocka_unit_test(a_tier_that_the_config_no_longer_has_is_its_last_one),
        cmocka_unit_test(who_has_the_candidate),
        cmocka_unit_test(a_room_is_widened_for_the_clients_that_are_missing),
        cmocka_unit_test(a_room_is_never_above_what_is_recorded_at_all),
        cmocka_unit_test(phases_have_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
