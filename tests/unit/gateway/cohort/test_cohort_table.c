#include "gateway/cohort/cohort_table.h"

#include "tests/unit/check.h"

#include <stdio.h>

static const char *const pilots[] = {"ada", "test-*"};
static const RolloutDefinition rollout = {
    .name = "orders build 2", .id = 77, .pilots = pilots, .n_pilots = 2};
static const KeySeed salt = {1, 2};
static CohortTable *table;

static int tear_down(void **state)
{
    cohort_table_unref(table);
    table = NULL;
    return 0;
}

static void make(CohortPlan plan)
{
    cohort_table_unref(table);
    plan.rollout = rollout.id;
    plan.round = 3;
    plan.salt = salt;
    table = cohort_table_new(&plan, 1);
}

static CohortPlace place(const char *name)
{
    CohortClient client = {bytes_of(name), bytes_of(name)};
    return cohort_table_find(table, &rollout, &client);
}

static void expect(const char *name, CohortArm arm, bool judged)
{
    CohortPlace found = place(name);
    assert_int_equal(found.arm, arm);
    assert_int_equal(found.judged, judged);
    assert_false(found.knocks);
    assert_int_equal(found.round, 3);
}

static void a_rollout_without_a_plan_has_no_clients(void **state)
{
    CohortPlan plan = {.rollout = 78, .reach = COHORT_ALL};
    assert_int_equal(place("ada").arm, COHORT_BASELINE);
    table = cohort_table_new(&plan, 1);
    assert_int_equal(place("ada").arm, COHORT_BASELINE);
    assert_false(place("ada").judged);
    assert_true(cohort_table_is_empty(table, rollout.id));
    assert_int_equal(cohort_table_round(table, rollout.id), 0);
}

static void pilots_come_first_and_are_not_judged(void **state)
{
    make((CohortPlan){.reach = COHORT_PILOTS});
    expect("ada", COHORT_CANDIDATE, false);
    expect("test-", COHORT_CANDIDATE, false);
    expect("test-9", COHORT_CANDIDATE, false);
    expect("test", COHORT_BASELINE, true);
    expect("adam", COHORT_BASELINE, true);
    assert_false(cohort_table_is_empty(table, rollout.id));
    assert_int_equal(cohort_table_round(table, rollout.id), 3);
}

static void whoever_was_rolled_back_is_on_the_baseline(void **state)
{
    Bytes members[] = {bytes_of("bob")};
    make((CohortPlan){.reach = COHORT_NOBODY, .members = members, .n_members = 1, .share = 1});
    expect("ada", COHORT_BASELINE, false);
    expect("bob", COHORT_BASELINE, true);
    assert_true(cohort_table_is_empty(table, rollout.id));
}

static void members_of_earlier_tiers_are_judged_no_more(void **state)
{
    Bytes members[] = {bytes_of("bob"), bytes_of("cyd")};
    make((CohortPlan){.reach = COHORT_MEMBERS, .members = members, .n_members = 2, .n_before = 1});
    expect("bob", COHORT_CANDIDATE, false);
    expect("cyd", COHORT_CANDIDATE, true);
    expect("dan", COHORT_BASELINE, true);
    expect("ada", COHORT_CANDIDATE, false);
}

static void a_part_of_the_others_knocks_while_there_is_room(void **state)
{
    enum { MANY = 1000 };
    Bytes members[] = {bytes_of("bob")};
    make((CohortPlan){.reach = COHORT_MEMBERS, .members = members, .n_members = 1, .door = 0.25});
    int n = 0;
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        CohortPlace found = place(name);
        assert_int_equal(found.arm, COHORT_BASELINE);
        assert_true(found.judged != found.knocks); /* on neither side until then */
        n += found.knocks;
    }
    assert_in_range(n, MANY / 5, MANY * 3 / 10);
    assert_false(place("bob").knocks);
    assert_false(place("").knocks);
}

static void whoever_comes_once_the_door_is_shut_is_late(void **state)
{
    Bytes members[] = {bytes_of("bob")};
    CohortSample *known = cohort_sample_new(rollout.id, 3);
    cohort_sample_add(known, COHORT_BASELINE, cohort_hash(&salt, bytes_of("cyd")), 0);
    make((CohortPlan){.reach = COHORT_MEMBERS, .members = members, .n_members = 1, .known = known});
    cohort_sample_free(known);
    expect("bob", COHORT_CANDIDATE, true);
    expect("cyd", COHORT_BASELINE, true);
    expect("dan", COHORT_BASELINE, true);
    assert_false(place("bob").late);
    assert_false(place("cyd").late);
    assert_true(place("dan").late);
    assert_false(place("ada").late); /* a pilot */
}

/* Larger shares contain smaller ones: nobody who has the candidate loses it. */
static void shares_grow_and_keep_members(void **state)
{
    enum { MANY = 1000 };
    Bytes members[] = {bytes_of("bob")};
    CohortPlan five = {
        .reach = COHORT_SHARE, .members = members, .n_members = 1, .n_before = 1, .share = 0.05};
    CohortPlan twenty = five;
    twenty.share_before = 0.05;
    twenty.share = 0.2;
    uint8_t before[MANY];
    int n = 0;
    make(five);
    expect("bob", COHORT_CANDIDATE, false);
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        CohortPlace found = place(name);
        before[i] = found.arm;
        assert_true(found.judged);
    }
    make(twenty);
    expect("bob", COHORT_CANDIDATE, false);
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        CohortPlace found = place(name);
        n += found.arm;
        assert_true(found.arm == COHORT_CANDIDATE || before[i] == COHORT_BASELINE);
        assert_int_equal(found.judged, before[i] == COHORT_BASELINE);
    }
    assert_in_range(n, MANY * 15 / 100, MANY * 25 / 100);
}

static void the_anonymous_come_last(void **state)
{
    make((CohortPlan){.reach = COHORT_SHARE, .share = 1});
    expect("", COHORT_BASELINE, false);
    make((CohortPlan){.reach = COHORT_ALL});
    expect("", COHORT_CANDIDATE, false);
    expect("eve", COHORT_CANDIDATE, true);
}

static void another_salt_is_another_order(void **state)
{
    KeySeed other = {1, 3};
    assert_true(cohort_hash(&salt, bytes_of("bob")) == cohort_hash(&salt, bytes_of("bob")));
    assert_true(cohort_hash(&salt, bytes_of("bob")) != cohort_hash(&other, bytes_of("bob")));
    assert_true(cohort_hash(&salt, bytes_of("bob")) != cohort_hash(&salt, bytes_of("boc")));
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_rollout_without_a_plan_has_no_clients),
        TEST(pilots_come_first_and_are_not_judged),
        TEST(whoever_was_rolled_back_is_on_the_baseline),
        TEST(members_of_earlier_tiers_are_judged_no_more),
        TEST(a_part_of_the_others_knocks_while_there_is_room),
        TEST(whoever_comes_once_the_door_is_shut_is_late),
        TEST(shares_grow_and_keep_members),
        TEST(the_anonymous_come_last),
        TEST(another_salt_is_another_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
