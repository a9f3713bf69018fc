#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/instances/outlier.h"

#include <math.h>

static const EjectRules rules = {.consecutive = 5,
                                 .failure_percent = 10,
                                 .slower = 4,
                                 .slower_by = 100 * MILLISECOND,
                                 .min_calls = 20};

static Sample calls(double n, double failures)
{
    return (Sample){.calls = n, .failures = failures};
}

/* Calls whose times are as often half as twice the mean. */
static Sample times(double n, double mean_ms)
{
    double mean = log2(mean_ms * MILLISECOND);
    return (Sample){
        .calls = n, .timed = n, .log_sum = n * mean, .log_squares = n * (mean * mean + 1)};
}

static void a_row_is_judged_by_the_failure_rate_of_the_others(void **state)
{
    static const struct {
        uint32_t row;
        double calls, failures; /* of the others */
        bool outlier;
    } rows[] = {
        {4, 1000, 0, false},  {5, 1000, 0, true},      {5, 0, 0, true},    {5, 999, 15, true},
        {5, 999, 17, false},  {8, 999, 100, false},    {9, 999, 99, true}, {29, 999, 500, false},
        {30, 999, 500, true}, {1000, 999, 999, false}, {5, 1, 1, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Sample others = calls(rows[i].calls, rows[i].failures);
        assert_int_equal(outlier_in_a_row(&rules, rows[i].row, &others), rows[i].outlier);
    }
}

static void attempts_without_a_response_are_judged_by_those_of_the_others(void **state)
{
    static const struct {
        uint32_t silent;
        double calls, failures, unanswered; /* of the others */
        bool outlier;
    } rows[] = {
        {4, 1000, 0, 0, false},     {5, 1000, 0, 0, true},     {5, 19, 0, 0, false},
        {5, 20, 0, 0, true},        {5, 20, 1, 0, false},      {5, 1000, 0, 15, true},
        {5, 1000, 0, 17, false},    {9, 1000, 0, 110, true},   {8, 1000, 0, 110, false},
        {29, 1000, 0, 1000, false}, {30, 1000, 0, 1000, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Sample others = calls(rows[i].calls, rows[i].failures);
        others.unanswered = rows[i].unanswered;
        assert_int_equal(outlier_is_silent(&rules, rows[i].silent, &others), rows[i].outlier);
    }
    EjectRules off = rules;
    off.consecutive = 0;
    Sample others = calls(1000, 0);
    assert_false(outlier_is_silent(&off, 1000, &others));
}

static void a_failure_rate_must_be_much_higher_and_surely_so(void **state)
{
    static const struct {
        double calls, failures, of_others, failures_of_others;
        bool outlier;
    } rows[] = {
        {19, 19, 1000, 0, false},                              /* too few calls */
        {20, 20, 1000, 0, true},       {20, 20, 19, 0, false}, /* too few of the others */
        {20, 20, 20, 0, true},         {100, 10, 10000, 0, true},
        {100, 9, 10000, 0, false},     /* sure, but not 10 points more */
        {100, 31, 1900, 380, false},   /* 10 points more, but it may be chance */
        {800, 248, 15200, 3040, true}, /* the same with eight times the calls */
        {20, 5, 380, 0, false},        /* the least evidence, and one failure more */
        {20, 6, 380, 0, true},         {1000, 500, 19000, 9500, false}, /* all fail */
        {1000, 0, 19000, 9500, false}, /* it is better than the others */
        {1000, 0, 19000, 0, false},    {20, 20, 20, 20, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Sample mine = calls(rows[i].calls, rows[i].failures);
        Sample others = calls(rows[i].of_others, rows[i].failures_of_others);
        assert_int_equal(outlier_compare(&rules, &mine, &others),
                         rows[i].outlier ? OUTLIER_FAILURES : OUTLIER_NOT);
    }
}

static void a_time_must_be_much_longer_and_surely_so(void **state)
{
    static const struct {
        double calls, ms, of_others, ms_of_others;
        bool outlier;
    } rows[] = {
        {20, 500, 380, 5, true},     {19, 500, 380, 5, false},     {20, 500, 19, 5, false},
        {100, 104, 1900, 5, false}, /* 4 times, but not 100 ms more */
        {100, 106, 1900, 5, true},   {100, 390, 1900, 100, false}, /* 100 ms more, not 4 times */
        {100, 410, 1900, 100, true}, {100, 5, 1900, 500, false},   {100, 2000, 1900, 2000, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Sample mine = times(rows[i].calls, rows[i].ms);
        Sample others = times(rows[i].of_others, rows[i].ms_of_others);
        assert_int_equal(outlier_compare(&rules, &mine, &others),
                         rows[i].outlier ? OUTLIER_SLOW : OUTLIER_NOT);
    }
}

/* Times from a millisecond to a minute: the mean of a few says little. */
static void times_that_vary_much_need_more_calls(void **state)
{
    Sample mine = times(20, 410), others = times(380, 100);
    assert_int_equal(outlier_compare(&rules, &mine, &others), OUTLIER_SLOW);
    mine.log_squares += 20 * 15;
    assert_int_equal(outlier_compare(&rules, &mine, &others), OUTLIER_NOT);
    sample_scale(&mine, 10);
    assert_int_equal(outlier_compare(&rules, &mine, &others), OUTLIER_SLOW);
}

static void each_comparison_can_be_turned_off(void **state)
{
    EjectRules none = rules;
    none.consecutive = none.failure_percent = none.slower = 0;
    Sample bad = calls(1000, 1000), good = calls(1000, 0);
    assert_false(outlier_in_a_row(&none, 1000, &good));
    assert_int_equal(outlier_compare(&none, &bad, &good), OUTLIER_NOT);
    Sample slow = times(1000, 1000), fast = times(1000, 1);
    assert_int_equal(outlier_compare(&none, &slow, &fast), OUTLIER_NOT);
}

static void samples_are_sums(void **state)
{
    Sample sum = times(10, 8), other = times(30, 8);
    sum.failures = 2;
    sample_add(&sum, &other);
    assert_true(sum.calls == 40 && sample_failure_rate(&sum) == 0.05);
    assert_true(fabs(sample_time(&sum) - 8e6) < 1);
    sample_scale(&sum, 0.5);
    assert_true(sum.calls == 20 && sum.failures == 1 && fabs(sample_time(&sum) - 8e6) < 1);
    sample_subtract(&sum, &other); /* rounding never leaves less than nothing */
    assert_true(sum.calls == 0 && sum.failures == 0 && sum.timed == 0);
    assert_true(sample_failure_rate(&sum) == 0 && sample_time(&sum) == 0);
}

static void reasons_have_names(void **state)
{
    assert_string_equal(outlier_reason_name(OUTLIER_NOT), "none");
    assert_string_equal(outlier_reason_name(OUTLIER_IN_A_ROW), "in a row");
    assert_string_equal(outlier_reason_name(OUTLIER_FAILURES), "failure rate");
    assert_string_equal(outlier_reason_name(OUTLIER_SLOW), "slow");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_judged_by_the_failure_rate_of_the_others),
        cmocka_unit_test(attempts_without_a_response_are_judged_by_those_of_the_others),
        cmocka_unit_test(a_failure_rate_must_be_much_higher_and_surely_so),
        cmocka_unit_test(a_time_must_be_much_longer_and_surely_so),
        cmocka_unit_test(times_that_vary_much_need_more_calls),
        cmocka_unit_test(each_comparison_can_be_turned_off),
        cmocka_unit_test(samples_are_sums),
        cmocka_unit_test(reasons_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
