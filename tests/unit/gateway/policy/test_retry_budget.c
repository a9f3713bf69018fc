#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/policy/retry_budget.h"

static const RetryAllowance fifth = {.percent = 20, .at_least = 0, .n_loops = 1};

static void earn(RetryBudget *budget, uint32_t n, int64_t now)
{
    while (n--)
        retry_budget_earn(budget, now);
}

/* Retries until there is no room: how many. */
static uint32_t spend(RetryBudget *budget, const RetryAllowance *allowed, int64_t now)
{
    uint32_t n = 0;
    for (; !retry_budget_is_spent(budget, allowed, now); n++)
        retry_budget_take(budget, now);
    return n;
}

static void retries_are_the_share_of_calls_and_no_more(void **state)
{
    RetryBudget budget = {0};
    earn(&budget, 4, SECOND);
    assert_int_equal(spend(&budget, &fifth, SECOND), 0);
    earn(&budget, 1, SECOND);
    assert_int_equal(spend(&budget, &fifth, SECOND), 1);
    earn(&budget, 995, SECOND);
    assert_int_equal(spend(&budget, &fifth, SECOND), 199);
}

static void a_service_with_few_calls_has_the_least_of_a_window(void **state)
{
    RetryAllowance three = {.percent = 20, .at_least = 3, .n_loops = 1};
    RetryBudget budget = {0};
    assert_int_equal(spend(&budget, &three, SECOND), 3 * BUDGET_SECONDS);
    earn(&budget, 5 * 3 * BUDGET_SECONDS, SECOND);
    assert_int_equal(spend(&budget, &three, SECOND), 0); /* not both */
    earn(&budget, 5, SECOND);
    assert_int_equal(spend(&budget, &three, SECOND), 1);
}

static void loops_share_the_least_rounded_up(void **state)
{
    RetryAllowance allowed = {.percent = 20, .at_least = 3, .n_loops = 5};
    RetryBudget budget = {0};
    assert_int_equal(spend(&budget, &allowed, SECOND), (3 * BUDGET_SECONDS + 4) / 5);
    allowed.n_loops = 1000;
    budget = (RetryBudget){0};
    assert_int_equal(spend(&budget, &allowed, SECOND), 1);
}

static void what_is_older_than_the_window_does_not_count(void **state)
{
    RetryBudget budget = {0};
    int64_t begun = 1000 * SECOND;
    earn(&budget, 100, begun);
    assert_int_equal(spend(&budget, &fifth, begun), 20);
    int64_t last = begun + (BUDGET_SECONDS - 1) * SECOND;
    earn(&budget, 5, last);
    assert_int_equal(spend(&budget, &fifth, last), 1);
    /* A second later the first hundred calls are gone, with their retries. */
    assert_int_equal(spend(&budget, &fifth, last + SECOND), 0);
    earn(&budget, 5, last + SECOND);
    assert_int_equal(spend(&budget, &fifth, last + SECOND), 1);
    earn(&budget, 5, last + 1000000 * SECOND);
    assert_int_equal(spend(&budget, &fifth, last + 1000000 * SECOND), 1);
}

static void in_no_window_are_there_more_retries_than_allowed(void **state)
{
    enum { STEPS = 4000 };
    static uint32_t good[STEPS], retried[STEPS];
    RetryBudget budget = {0};
    for (int step = 0; step < STEPS;
         step++) { /* of 10 ms; every 10 s the service is down for 5 s */
        int64_t now = (777 * INT64_C(1000) + step * 10) * MILLISECOND;
        good[step] = step % 1000 < 500 ? 50 : 0;
        earn(&budget, good[step], now);
        retried[step] = spend(&budget, &fifth, now);
    }
    for (int from = 0; from + 300 <= STEPS; from++) { /* 3 s: a window is 3 to 4 s */
        uint64_t calls = 0, retries = 0;
        for (int step = from; step < from + 300; step++)
            retries += retried[step];
        for (int step = from < 400 ? 0 : from - 400; step < from + 300; step++)
            calls += good[step];
        assert_in_range(retries * 5, 0, calls);
    }
}

/* 200 clients that come back at once, for 10 s, after a time in which all was well. */
static void while_a_service_is_down_it_gets_less_than_a_fifth_more(void **state)
{
    for (int per_step = 1; per_step <= 200; per_step *= 2) {
        RetryBudget budget = {0};
        RetryAllowance usual = {.percent = 20, .at_least = 3, .n_loops = 1};
        uint64_t calls = 0, retries = 0;
        int64_t now = 5 * SECOND;
        for (int step = 0; step < 1000; step++, now += 10 * MILLISECOND)
            earn(&budget, (uint32_t)per_step, now);
        for (int step = 0; step < 1000; step++, now += 10 * MILLISECOND) {
            for (int call = 0; call < per_step; call++, calls++) {
                if (retry_budget_is_spent(&budget, &usual, now))
                    continue;
                retry_budget_take(&budget, now);
                retries++;
            }
        }
        assert_in_range(retries * 5, 1, calls);
    }
}

static void a_trial_counts_while_it_is_under_way(void **state)
{
    RetryBudget budget = {0};
    earn(&budget, 10, SECOND);
    budget.trials = 2;
    assert_true(retry_budget_is_spent(&budget, &fifth, SECOND));
    assert_true(retry_budget_is_spent(&budget, &fifth, SECOND));
    budget.trials = 1;
    assert_false(retry_budget_is_spent(&budget, &fifth, SECOND));
}

static void another_budget_goes_on_without_the_trials_of_the_first(void **state)
{
    RetryBudget budget = {0};
    earn(&budget, 15, SECOND);
    retry_budget_take(&budget, SECOND);
    budget.trials = 7;
    RetryBudget next = retry_budget_continue(&budget);
    assert_int_equal(spend(&next, &fifth, SECOND), 2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(retries_are_the_share_of_calls_and_no_more),
        cmocka_unit_test(a_service_with_few_calls_has_the_least_of_a_window),
        cmocka_unit_test(loops_share_the_least_rounded_up),
        cmocka_unit_test(what_is_older_than_the_window_does_not_count),
        cmocka_unit_test(in_no_window_are_there_more_retries_than_allowed),
        cmocka_unit_test(while_a_service_is_down_it_gets_less_than_a_fifth_more),
        cmocka_unit_test(a_trial_counts_while_it_is_under_way),
        cmocka_unit_test(another_budget_goes_on_without_the_trials_of_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
