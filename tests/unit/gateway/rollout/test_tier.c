#include "tests/unit/check.h"

#include "gateway/rollout/tier.h"

#include <math.h>

static const RolloutTier tiers[] = {
    {.text = "1", .kind = ROLLOUT_TIER_CLIENTS, .clients = 1},
    {.text = "100", .kind = ROLLOUT_TIER_CLIENTS, .clients = 100},
    {.text = "25 %", .kind = ROLLOUT_TIER_SHARE, .share = 0.25},
    {.text = "all", .kind = ROLLOUT_TIER_ALL},
};

static RolloutDefinition rollout_of(uint32_t n_tiers, Impact impact)
{
    return (RolloutDefinition){.tiers = tiers, .n_tiers = n_tiers, .impact = impact};
}

static void a_tier_is_asked_for_what_its_clients_can_tell(void **state)
{
    RolloutDefinition rollout = rollout_of(4, IMPACT_HIGH);
    assert_float_equal(tier_need(&rollout, 0).clients, 1, 0);
    assert_float_equal(tier_need(&rollout, 1).clients, 100, 0);
    assert_float_equal(tier_need(&rollout, 1).excess, 1, 0);
    assert_float_equal(tier_need(&rollout, 2).clients, 0, 0);
}

static void the_impact_counts_in_the_last_tier_before_all(void **state)
{
    static const struct {
        Impact impact;
        double excess;
        bool approval;
    } rows[] = {
        {IMPACT_LOW, 0.03, false}, {IMPACT_HIGH, 0.01, false}, {IMPACT_CATASTROPHIC, 0.003, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        RolloutDefinition rollout = rollout_of(4, rows[i].impact), without = rollout;
        without.n_tiers = 3;
        assert_float_equal(tier_need(&rollout, 2).excess, rows[i].excess, 0);
        assert_int_equal(tier_need(&rollout, 2).approval, rows[i].approval);
        assert_float_equal(tier_need(&without, 2).excess, 1, 0);
        assert_false(tier_need(&rollout, 1).approval || tier_need(&without, 2).approval);
        assert_true(tier_need(&rollout, 2).compared);
        assert_false(tier_need(&rollout, 3).compared || tier_need(&rollout, 3).approval);
    }
}

static void clean_clients_rule_out_three_in_so_many(void **state)
{
    for (double n = 1; n <= 1e6; n *= 10) {
        double excess = tier_clean_excess(n);
        assert_float_equal(pow(1 - excess, n), TIER_DOUBT, 1e-6);
        assert_true(excess <= 3 / n && (n < 100 || excess > 2.94 / n));
    }
}

static void exactly_so_many_clean_clients_are_needed(void **state)
{
    double counts[] = {1, 2, 9, 10, 99, 100, 1000, 100000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        double n = counts[i], excess = tier_excess(n, 0, 0);
        assert_true(excess >= tier_clean_excess(n) && excess <= fmin(3 / n, 1));
        assert_true(tier_rules_out(&(TierSeen){.clients = n}, excess));
        assert_false(tier_rules_out(&(TierSeen){.clients = n - 1}, excess));
        assert_false(tier_rules_out(&(TierSeen){.clients = n, .hit = 1}, excess));
        assert_float_equal(tier_clients_missing(&(TierSeen){.clients = n}, excess), 0, 0);
        double missing = tier_clients_missing(&(TierSeen){.clients = n - 1}, excess);
        assert_true(n == 1 || (missing > 0.95 && missing < 1.05));
    }
}

static void nobody_rules_out_nothing(void **state)
{
    TierSeen nobody = {0};
    assert_float_equal(tier_evidence(&nobody, 0.99), 0, 0);
    assert_float_equal(tier_bound(&nobody), 1, 1e-9);
}

/* The probability that fewer than `hits` of n clients fail. */
static double fewer(int hits, int n, double rate)
{
    double sum = 0;
    for (int k = 0; k < hits; k++)
        sum += exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(rate) +
                   (n - k) * log1p(-rate));
    return sum;
}

static double passes_with(int n, double baseline, double candidate, double excess)
{
    int hits = 0;
    while (hits <= n &&
           tier_rules_out(&(TierSeen){.clients = n, .hit = hits, .expected = n * baseline}, excess))
        hits++;
    return fewer(hits, n, candidate);
}

static void an_excess_that_is_there_is_ruled_out_once_in_twenty_and_none_mostly(void **state)
{
    int counts[] = {1, 5, 10, 30, 100, 300, 1000, 3000};
    double rates[] = {0.0001, 0.001, 0.01, 0.05, 0.2};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (size_t j = 0; j < sizeof rates / sizeof *rates; j++) {
            int n = counts[i];
            double rate = rates[j], excess = tier_excess(n, rate, 0);
            assert_true(excess >= tier_clean_excess(n) - 1e-9 && excess < 1);
            assert_true(passes_with(n, rate, rate + excess * (1 - rate), excess) <= TIER_DOUBT);
            double all = pow(rate, n);
            assert_true(passes_with(n, rate, rate, excess) >= fmin(0.985, 1 - all));
        }
}

static void the_bound_is_the_smallest_excess_that_is_ruled_out(void **state)
{
    for (double n = 1; n <= 1000; n *= 3)
        for (double hit = 0; hit <= fmin(n, 20); hit += 3)
            for (double expected = 0; expected <= n / 2; expected += n / 6) {
                TierSeen seen = {n, hit, expected, sqrt(expected) / 10};
                double bound = tier_bound(&seen);
                assert_true(bound == 1 || tier_rules_out(&seen, bound + 1e-9));
                assert_false(tier_rules_out(&seen, bound - 1e-9));
            }
}

static void a_baseline_that_is_hardly_known_tells_less(void **state)
{
    double known = tier_bound(&(TierSeen){100, 5, 5, 0});
    double rough = tier_bound(&(TierSeen){100, 5, 5, 2});
    assert_true(rough > known);
    assert_true(tier_excess(100, 0.05, 0.02) > tier_excess(100, 0.05, 0));
    assert_true(isinf(tier_clients_missing(&(TierSeen){100, 5, 5, 5}, 0.01)));
}

static void a_hash_is_in_below_the_share(void **state)
{
    assert_true(tier_hash_is_in(0, 0.25));
    assert_true(tier_hash_is_in((1ull << 62) - 2048, 0.25));
    assert_false(tier_hash_is_in(1ull << 62, 0.25));
    assert_true(tier_hash_is_in(UINT64_MAX, 1));
    assert_false(tier_hash_is_in(0, 0));
}

static void the_door_admits_others_in_each_round_and_not_those_of_a_share(void **state)
{
    uint32_t admitted = 0, both = 0, with_share = 0;
    for (uint64_t i = 1; i <= 100000; i++) {
        uint64_t hash = i * 0xd6e8feb86659fd93u;
        bool in = tier_door_admits(hash, 3, 0.2);
        admitted += in;
        both += in && tier_door_admits(hash, 4, 0.2);
        with_share += in && tier_hash_is_in(hash, 0.25);
        assert_false(tier_door_admits(hash, 3, 0));
        assert_true(tier_door_admits(hash, 3, 1));
    }
    assert_in_range(admitted, 19500, 20500);
    assert_in_range(both, 3700, 4300);
    assert_in_range(with_share, 4700, 5300);
}

static void the_door_is_open_to_enough_clients_and_leaves_a_baseline(void **state)
{
    static const struct {
        double room, known, share;
    } rows[] = {{10, 0, 0.2},   {10, 1000, 0.2}, {16, 100, 0.2}, {17, 100, 0.2125},
                {64, 100, 0.8}, {65, 100, 0.8},  {1000, 10, 0.8}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_float_equal(tier_door(rows[i].room, rows[i].known, 0, 100), rows[i].share, 1e-12);
    assert_float_equal(tier_door(10, 1000, 807, 100), 0.2, 0);
    assert_float_equal(tier_door(10, 1000, 808, 100), 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tier_is_asked_for_what_its_clients_can_tell),
        cmocka_unit_test(the_impact_counts_in_the_last_tier_before_all),
        cmocka_unit_test(clean_clients_rule_out_three_in_so_many),
        cmocka_unit_test(exactly_so_many_clean_clients_are_needed),
        cmocka_unit_test(nobody_rules_out_nothing),
        cmocka_unit_test(an_excess_that_is_there_is_ruled_out_once_in_twenty_and_none_mostly),
        cmocka_unit_test(the_bound_is_the_smallest_excess_that_is_ruled_out),
        cmocka_unit_test(a_baseline_that_is_hardly_known_tells_less),
        cmocka_unit_test(a_hash_is_in_below_the_share),
        cmocka_unit_test(the_door_admits_others_in_each_round_and_not_those_of_a_share),
        cmocka_unit_test(the_door_is_open_to_enough_clients_and_leaves_a_baseline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
