#include "gateway/signal/drift.h"

#include "base/clock.h"
#include "tests/unit/check.h"

#include <math.h>

#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define MONDAY (INT64_C(1767571200) * SECOND) /* 2026-01-05 */

/* What was found, the last one of it. */
typedef struct Told {
    int n;
    DriftFound last;
} Told;

static void on_found(void *owner, const DriftFound *found)
{
    Told *told = owner;
    told->n++;
    told->last = *found;
}

/* An hour of 10,000 calls: a mean latency, and shares of failures and losses. */
static DriftHour hour_of(double seconds, double failures, double losses)
{
    return (DriftHour){.calls = 10000,
                       .failures = (uint64_t)lround(10000 * failures),
                       .losses = (uint64_t)lround(10000 * losses),
                       .seconds = 10000 * seconds};
}

/* Two weeks of hours at 100 ms, 1 % and no losses, that differ by some percent; up to a Monday. */
static Drift usual_drift(void)
{
    Drift drift = {.sums[0].sum = 0};
    Told none = {.n = 0};
    int i = 0;
    for (int64_t wall = MONDAY - 14 * DAY; wall < MONDAY; wall += HOUR, i++) {
        DriftHour hour = hour_of(i % 2 ? 0.104 : 0.096, i % 2 ? 0.011 : 0.009, 0);
        drift_hour(&drift, &hour, 50, wall, on_found, &none);
    }
    assert_int_equal(none.n, 0);
    return drift;
}

static Told told_of(Drift *drift, const DriftHour *hour, int from, int hours)
{
    Told told = {.n = 0};
    for (int i = from; i < from + hours; i++)
        drift_hour(drift, hour, 50, MONDAY + i * HOUR, on_found, &told);
    return told;
}

static void a_method_that_stays_slower_is_found_once(void **state)
{
    Drift drift = usual_drift();
    DriftHour slow = hour_of(0.14, 0.01, 0);
    assert_int_equal(told_of(&drift, &slow, 0, 2).n, 0);
    Told told = told_of(&drift, &slow, 2, 1);
    assert_int_equal(told.n, 1);
    assert_int_equal(told.last.figure, DRIFT_LATENCY);
    assert_float_equal(told.last.usual, 0.1, 0.003);
    assert_float_equal(told.last.now, 0.14, 0.001);
    assert_int_equal(told.last.hours, 3);
    assert_true(told.last.since == MONDAY);
    assert_int_equal(told_of(&drift, &slow, 3, 20).n, 0);
}

static void what_does_not_matter_is_not_found(void **state)
{
    Drift slower = usual_drift(), failing = usual_drift();
    DriftHour bit_slower = hour_of(0.122, 0.01, 0), bit_more = hour_of(0.1, 0.019, 0);
    assert_int_equal(told_of(&slower, &bit_slower, 0, 24).n, 0);
    assert_int_equal(told_of(&failing, &bit_more, 0, 24).n, 0);
    Drift slow = usual_drift(), fails = usual_drift();
    DriftHour slower_yet = hour_of(0.129, 0.01, 0), more = hour_of(0.1, 0.022, 0);
    assert_int_equal(told_of(&slow, &slower_yet, 0, 24).n, 1);
    Told told = told_of(&fails, &more, 0, 24);
    assert_int_equal(told.n, 1);
    assert_int_equal(told.last.figure, DRIFT_FAILURES);
}

static void a_bad_hour_is_no_drift(void **state)
{
    Drift drift = usual_drift();
    DriftHour bad = hour_of(5, 0.9, 3), good = hour_of(0.1, 0.01, 0);
    assert_int_equal(told_of(&drift, &bad, 0, 2).n, 0);
    assert_int_equal(told_of(&drift, &good, 2, 20).n, 0);
}

static void losses_that_begin_are_found(void **state)
{
    Drift few = usual_drift(), many = usual_drift();
    DriftHour less = hour_of(0.1, 0.01, 0.04), more = hour_of(0.1, 0.01, 0.06);
    assert_int_equal(told_of(&few, &less, 0, 24).n, 0);
    Told told = told_of(&many, &more, 0, 24);
    assert_int_equal(told.n, 1);
    assert_int_equal(told.last.figure, DRIFT_LOSSES);
}

static void what_gets_worse_again_is_found_again(void **state)
{
    Drift drift = usual_drift();
    DriftHour slow = hour_of(0.14, 0.01, 0), slower = hour_of(0.2, 0.01, 0);
    assert_int_equal(told_of(&drift, &slow, 0, 6).n, 1);
    assert_int_equal(told_of(&drift, &slower, 6, 6).n, 1);
}

static void after_some_good_hours_it_begins_anew(void **state)
{
    Drift few = usual_drift(), enough = usual_drift();
    DriftHour slow = hour_of(0.14, 0.01, 0), good = hour_of(0.1, 0.01, 0);
    told_of(&few, &slow, 0, 4);
    told_of(&few, &good, 4, DRIFT_CALM - 1);
    assert_int_equal(told_of(&few, &slow, 3 + DRIFT_CALM, 6).n, 0);
    told_of(&enough, &slow, 0, 4);
    told_of(&enough, &good, 4, DRIFT_CALM);
    assert_int_equal(told_of(&enough, &slow, 4 + DRIFT_CALM, 6).n, 1);
}

static void hours_with_few_calls_say_nothing(void **state)
{
    Drift drift = usual_drift();
    Told told = {.n = 0};
    DriftHour slow = {.calls = 49, .seconds = 490};
    for (int i = 0; i < 24; i++)
        drift_hour(&drift, &slow, 50, MONDAY + i * HOUR, on_found, &told);
    assert_int_equal(told.n, 0);
    slow = (DriftHour){.calls = 50, .seconds = 500};
    for (int i = 0; i < 24; i++)
        drift_hour(&drift, &slow, 50, MONDAY + i * HOUR, on_found, &told);
    assert_int_equal(told.n, 1);
}

static void a_gateway_that_knows_nothing_says_nothing(void **state)
{
    Drift drift = {.sums[0].sum = 0};
    DriftHour slow = hour_of(3, 0.5, 2);
    assert_int_equal(told_of(&drift, &slow, 0, 48).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_method_that_stays_slower_is_found_once),
        cmocka_unit_test(what_does_not_matter_is_not_found),
        cmocka_unit_test(a_bad_hour_is_no_drift),
        cmocka_unit_test(losses_that_begin_are_found),
        cmocka_unit_test(what_gets_worse_again_is_found_again),
        cmocka_unit_test(after_some_good_hours_it_begins_anew),
        cmocka_unit_test(hours_with_few_calls_say_nothing),
        cmocka_unit_test(a_gateway_that_knows_nothing_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
