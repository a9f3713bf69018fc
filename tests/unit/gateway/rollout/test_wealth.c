#include "tests/unit/check.h"

#include "gateway/rollout/wealth.h"

#include <math.h>

static const double ratios[WEALTH_RATIOS] = {1.25, 1.5, 2, 3, 5, 8, 13, 30, 100};
static const double parts[WEALTH_RATIOS] = {0.20, 0.16, 0.13, 0.11, 0.10, 0.09, 0.08, 0.07, 0.06};

/* The slow, obvious twin: the money itself, one failing client after the other. */
static double money(double share, int candidate, int baseline)
{
    double sum = 0;
    for (int i = 0; i < WEALTH_RATIOS; i++) {
        double q = share * ratios[i] / (share * ratios[i] + 1 - share), one = 1;
        for (int n = 0; n < candidate; n++)
            one *= q / share;
        for (int n = 0; n < baseline; n++)
            one *= (1 - q) / (1 - share);
        sum += parts[i] * one;
    }
    return sum;
}

static void nothing_seen_is_one_unit(void **state)
{
    assert_float_equal(wealth_log(&(Wealth){0}), 0, 1e-12);
}

static void bets_are_those_of_the_obvious_twin(void **state)
{
    for (int candidate = 0; candidate < 20; candidate++)
        for (int baseline = 0; baseline < 200; baseline += 7)
            for (double share = 0.01; share < 1; share += 0.07) {
                Wealth wealth = {0};
                wealth_bet(&wealth, share, candidate, baseline);
                assert_float_equal(wealth_log(&wealth), log(money(share, candidate, baseline)),
                                   1e-9);
            }
}

static void together_is_one_after_the_other(void **state)
{
    Wealth one = {0}, all = {0};
    for (int i = 0; i < 30; i++)
        wealth_bet(&one, 0.2, i % 5 == 0, i % 5 != 0);
    wealth_bet(&all, 0.2, 6, 24);
    assert_float_equal(wealth_log(&one), wealth_log(&all), 1e-9);
}

/* If a client that fails is one of the candidate's with probability p, the money becomes this on
   average. */
static double average_of_one(double share, double p)
{
    return p * money(share, 1, 0) + (1 - p) * money(share, 0, 1);
}

static void a_bet_is_fair_at_the_share_and_careful_above_it(void **state)
{
    for (double share = 0.05; share < 0.96; share += 0.05) {
        assert_float_equal(average_of_one(share, share), 1, 1e-9);
        assert_true(average_of_one(share, share - 0.04) < 1);
        assert_true(average_of_one(share, share + 0.04) > 1);
    }
}

/* n clients of which m are the candidate's, f fail: all ways to choose those are as likely. */
static double choose(int n, int k)
{
    return exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1));
}

static void a_bet_on_clients_that_fail_together_is_never_better_than_fair(void **state)
{
    for (int n = 2; n <= 40; n++)
        for (int m = 1; m < n; m++)
            for (int f = 1; f <= n; f++) {
                double average = 0;
                for (int k = f > n - m ? f - (n - m) : 0; k <= f && k <= m; k++)
                    average += choose(m, k) * choose(n - m, f - k) / choose(n, f) *
                               money((double)m / n, k, f - k);
                assert_true(average <= 1 + 1e-9);
            }
}

static void without_another_side_nothing_changes(void **state)
{
    double shares[] = {0, 1, -0.1, 1.1, NAN};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        Wealth wealth = {0};
        wealth_bet(&wealth, shares[i], 10, 10);
        assert_float_equal(wealth_log(&wealth), 0, 1e-12);
    }
}

static void no_number_of_clients_overflows(void **state)
{
    Wealth wealth = {0};
    wealth_bet(&wealth, 0.001, 1e6, 0);
    assert_true(isfinite(wealth_log(&wealth)) && wealth_log(&wealth) > 1e6);
    wealth = (Wealth){0};
    wealth_bet(&wealth, 0.5, 0, 1e6);
    assert_true(isfinite(wealth_log(&wealth)) && wealth_log(&wealth) < -1e4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_seen_is_one_unit),
        cmocka_unit_test(bets_are_those_of_the_obvious_twin),
        cmocka_unit_test(together_is_one_after_the_other),
        cmocka_unit_test(a_bet_is_fair_at_the_share_and_careful_above_it),
        cmocka_unit_test(a_bet_on_clients_that_fail_together_is_never_better_than_fair),
        cmocka_unit_test(without_another_side_nothing_changes),
        cmocka_unit_test(no_number_of_clients_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
