#include "tests/unit/check.h"

#include "gateway/tally/criticality.h"

#include <math.h>
#include <stdlib.h>

#define NOON (INT64_C(1772366400) * SECOND)
#define assert_near(actual, expected)                                                              \
    assert_true(fabs((actual) - (expected)) <= 0.005 * fmax(1, expected))

typedef struct Bench {
    FailureRow row;
    MethodUse use;
} Bench;

/* 4 of 10 calls failed, of 1 of 2 clients. */
static int setup(void **state)
{
    Bench *b = calloc(1, sizeof *b);
    b->row.count = 4;
    b->row.impact = IMPACT_LOW;
    window_add(&b->row.hour, WINDOW_HOUR, NOON, 4);
    window_add(&b->use.hour, WINDOW_HOUR, NOON, 10);
    recent_clients_add(&b->row.recent_clients, NOON, 1);
    recent_clients_add(&b->use.clients, NOON, 1);
    recent_clients_add(&b->use.clients, NOON, 2);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void risk_is_the_mean_of_both_shares(void **state)
{
    Bench *b = *state;
    Criticality c = criticality_of(&b->row, &b->use, NOON);
    assert_near(c.calls, 0.4);
    assert_near(c.clients, 0.5);
    assert_near(c.value, 0.45);
}

static void impact_multiplies_the_risk(void **state)
{
    Bench *b = *state;
    b->row.impact = IMPACT_HIGH;
    assert_near(criticality_of(&b->row, &b->use, NOON).value, 4.5);
    b->row.impact = IMPACT_CATASTROPHIC;
    assert_near(criticality_of(&b->row, &b->use, NOON).value, 45);
}

static void what_is_over_has_no_risk(void **state)
{
    Bench *b = *state;
    assert_near(criticality_of(&b->row, &b->use, NOON + WINDOW_HOUR - 1).calls, 0.4);
    Criticality c = criticality_of(&b->row, &b->use, NOON + 2 * WINDOW_HOUR);
    assert_near(c.value, 0);
}

static void what_was_made_good_takes_no_part(void **state)
{
    Bench *b = *state;
    b->row.retried = 3;
    assert_near(criticality_of(&b->row, &b->use, NOON).calls, 0.1);
    assert_near(criticality_of(&b->row, &b->use, NOON).clients, 0.125);
    b->row.retried = 4;
    assert_near(criticality_of(&b->row, &b->use, NOON).value, 0);
}

static void no_share_is_above_one(void **state)
{
    Bench *b = *state;
    window_add(&b->row.hour, WINDOW_HOUR, NOON, 6);
    assert_near(criticality_of(&b->row, &b->use, NOON).calls, 1);
    window_add(&b->row.hour, WINDOW_HOUR, NOON, 1);
    assert_near(criticality_of(&b->row, &b->use, NOON).calls, 1);
}

static void what_nobody_knows_the_calls_of_has_no_risk(void **state)
{
    Bench *b = *state;
    assert_near(criticality_of(&b->row, NULL, NOON).value, 0);
}

/* ---- Restarts -------------------------------------------------------------------------------- */

static void a_restart_changes_no_criticality(void **state)
{
    Bench *b = *state;
    b->row.method = criticality_keep(&b->row, &b->use, 7, NOON);
    assert_int_equal(b->row.method.process, 7);
    assert_near(criticality_of(&b->row, NULL, NOON).calls, 0.4);
    assert_near(criticality_of(&b->row, NULL, NOON).clients, 0.5);
    MethodUse none = {0};
    assert_near(criticality_of(&b->row, &none, NOON).value, 0.45);
}

static void calls_after_a_restart_are_added(void **state)
{
    Bench *b = *state;
    b->row.method = criticality_keep(&b->row, &b->use, 7, NOON);
    MethodUse use = {0};
    window_add(&use.hour, WINDOW_HOUR, NOON, 10);
    recent_clients_add(&use.clients, NOON, 1);
    assert_near(criticality_of(&b->row, &use, NOON).calls, 0.2);
    assert_near(criticality_of(&b->row, &use, NOON).clients, 0.5); /* two were known */
    for (uint64_t client = 2; client <= 4; client++)
        recent_clients_add(&use.clients, NOON, client);
    assert_near(criticality_of(&b->row, &use, NOON).clients, 0.25);
    FailureMethod again = criticality_keep(&b->row, &use, 8, NOON);
    assert_int_equal(window_count(&again.hour, WINDOW_HOUR, NOON), 20);
    assert_int_equal(again.clients, 4);
}

static void what_was_kept_is_over_after_an_hour(void **state)
{
    Bench *b = *state;
    b->row.method = criticality_keep(&b->row, &b->use, 7, NOON);
    MethodUse use = {0};
    int64_t later = NOON + 2 * WINDOW_HOUR;
    window_add(&use.hour, WINDOW_HOUR, later, 4);
    window_add(&b->row.hour, WINDOW_HOUR, later, 1);
    recent_clients_add(&use.clients, later, 1);
    recent_clients_add(&b->row.recent_clients, later, 1);
    assert_near(criticality_of(&b->row, &use, later).calls, 0.25);
    assert_near(criticality_of(&b->row, &use, later).clients, 1);
}

static void of_nothing_nothing_is_kept(void **state)
{
    Bench *b = *state;
    assert_int_equal(criticality_keep(&b->row, NULL, 7, NOON).seen, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(risk_is_the_mean_of_both_shares),
        TEST(impact_multiplies_the_risk),
        TEST(what_is_over_has_no_risk),
        TEST(what_was_made_good_takes_no_part),
        TEST(no_share_is_above_one),
        TEST(what_nobody_knows_the_calls_of_has_no_risk),
        TEST(a_restart_changes_no_criticality),
        TEST(calls_after_a_restart_are_added),
        TEST(what_was_kept_is_over_after_an_hour),
        TEST(of_nothing_nothing_is_kept),
    };
    return cmocka_run_group_tests_name("criticality", tests, NULL, NULL);
}
