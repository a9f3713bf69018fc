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

/* After a restart the failures of before are known, and the calls are not. */
static void no_share_is_above_one(void **state)
{
    Bench *b = *state;
    window_add(&b->row.hour, WINDOW_HOUR, NOON, 6);
    assert_near(criticality_of(&b->row, &b->use, NOON).calls, 1);
    window_add(&b->row.hour, WINDOW_HOUR, NOON, 1);
    assert_near(criticality_of(&b->row, &b->use, NOON).calls, 1);
}

static void what_was_not_seen_since_the_start_has_no_risk(void **state)
{
    Bench *b = *state;
    assert_near(criticality_of(&b->row, NULL, NOON).value, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(risk_is_the_mean_of_both_shares), TEST(impact_multiplies_the_risk),
        TEST(what_is_over_has_no_risk),        TEST(what_was_made_good_takes_no_part),
        TEST(no_share_is_above_one),           TEST(what_was_not_seen_since_the_start_has_no_risk),
    };
    return cmocka_run_group_tests_name("criticality", tests, NULL, NULL);
}
