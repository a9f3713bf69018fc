#include "tests/unit/check.h"

#include "gateway/rollout/rollout_judge.h"
#include "gateway/rollout/rollout_planning.h"

#include <math.h>

#define MINUTE ((int64_t)60e9)

static const RolloutTier tiers[] = {
    {.text = "1", .kind = ROLLOUT_TIER_CLIENTS, .clients = 1},
    {.text = "10", .kind = ROLLOUT_TIER_CLIENTS, .clients = 10},
    {.text = "100", .kind = ROLLOUT_TIER_CLIENTS, .clients = 100},
    {.text = "1000", .kind = ROLLOUT_TIER_CLIENTS, .clients = 1000},
    {.text = "25 %", .kind = ROLLOUT_TIER_SHARE, .share = 0.25},
    {.text = "all", .kind = ROLLOUT_TIER_ALL},
};

enum { TIERS = 6 };

static RolloutDefinition rollout_of(Impact impact)
{
    return (RolloutDefinition){.tiers = tiers,
                               .n_tiers = TIERS,
                               .judging = {.alpha = 0.05, .least = 30 * MINUTE, .metrics = 15},
                               .impact = impact};
}

static const RolloutTraffic much = {.clients = 100000, .clients_per_hour = 20000, .failing = 0.001};

static void larger_tiers_find_smaller_faults_and_rule_them_out(void **state)
{
    RolloutDefinition rollout = rollout_of(IMPACT_LOW);
    TierPlan plans[TIERS];
    rollout_plan(&rollout, &much, plans);
    for (int i = 0; i < TIERS - 1; i++) {
        assert_true(plans[i].compared && !plans[i].approval);
        assert_true(plans[i].found_half <= plans[i].found_most);
        assert_true(i == 0 || plans[i].found_most < plans[i - 1].found_most);
        assert_true(i == 0 || plans[i].rules_out < plans[i - 1].rules_out);
        assert_true(plans[i].hours >= 0.5 && isfinite(plans[i].hours));
    }
    assert_true(isinf(plans[0].found_half)); /* one client alone proves nothing */
    assert_float_equal(plans[4].clients, 1000 + 24750, 0);
}

static void in_all_there_is_nothing_to_compare(void **state)
{
    RolloutDefinition rollout = rollout_of(IMPACT_LOW);
    TierPlan plans[TIERS];
    rollout_plan(&rollout, &much, plans);
    assert_false(plans[5].compared);
    assert_float_equal(plans[5].clients, 100000, 0);
    assert_float_equal(plans[5].hours, 0.5, 0);
    assert_true(isinf(plans[5].found_half) && plans[5].rules_out == 1);
}

/* The judge itself, with so many failing clients at the tier's end. */
static bool is_found(double fresh, double others, double hits, double failing, uint32_t metrics)
{
    RolloutJudging judging = {.alpha = 0.05, .metrics = metrics};
    RolloutEvidence evidence = {0};
    RolloutLook look = {.candidate = {.clients = fresh}, .baseline = {.clients = others}};
    look.candidate.failed[0] = hits;
    look.baseline.failed[0] = others * failing;
    rollout_evidence_add(&evidence, &look);
    for (int m = 1; m < 4; m++) /* the others show nothing, and are lost */
        for (int i = 0; i < WEALTH_RATIOS; i++)
            evidence.metrics[m].wealth.logs[i] = -1000;
    TierNeed need = {.excess = 1, .compared = true};
    return rollout_judge(&evidence, &judging, &need, 0).verdict == ROLLOUT_BAD;
}

static void a_fault_is_found_with_the_hits_that_the_judge_needs(void **state)
{
    RolloutDefinition rollout = rollout_of(IMPACT_LOW);
    TierPlan plans[TIERS];
    rollout_plan(&rollout, &much, plans);
    double before = 1;
    for (int i = 1; i < 4; i++) {
        double fresh = plans[i].clients - before, others = 4 * fresh; /* a fifth may come in */
        assert_true(is_found(fresh, others, plans[i].needs_hits, 0.001, 15));
        assert_false(is_found(fresh, others, plans[i].needs_hits - 1, 0.001, 15));
        before = plans[i].clients;
    }
}

static double at_least(double hits, double clients, double rate)
{
    double fewer = 0;
    for (double k = 0; k < hits; k++)
        fewer += exp(lgamma(clients + 1) - lgamma(k + 1) - lgamma(clients - k + 1) + k * log(rate) +
                     (clients - k) * log1p(-rate));
    return 1 - fewer;
}

static void the_fault_rates_are_those_that_hit_so_many_clients(void **state)
{
    RolloutDefinition rollout = rollout_of(IMPACT_LOW);
    TierPlan plans[TIERS];
    rollout_plan(&rollout, &much, plans);
    double before = 1;
    for (int i = 1; i < 4; i++) {
        double fresh = plans[i].clients - before;
        double half = 0.001 + plans[i].found_half * 0.999;
        double most = 0.001 + plans[i].found_most * 0.999;
        assert_float_equal(at_least(plans[i].needs_hits, fresh, half), 0.5, 1e-6);
        assert_float_equal(at_least(plans[i].needs_hits, fresh, most), 0.95, 1e-6);
        before = plans[i].clients;
    }
}

static void a_tier_without_enough_clients_never_passes(void **state)
{
    RolloutDefinition rollout = rollout_of(IMPACT_LOW);
    RolloutTraffic few = {.clients = 500, .clients_per_hour = 100, .failing = 0.001};
    TierPlan plans[TIERS];
    rollout_plan(&rollout, &few, plans);
    assert_true(plans[2].compared && isfinite(plans[2].hours));
    assert_false(plans[3].compared);
    assert_true(isinf(plans[3].hours));
    assert_float_equal(plans[3].clients, 500, 0);
}

static void the_impact_decides_what_the_last_tier_must_rule_out(void **state)
{
    static const RolloutTier small[] = {{.kind = ROLLOUT_TIER_CLIENTS, .clients = 250},
                                        {.kind = ROLLOUT_TIER_ALL}};
    RolloutDefinition rollout = rollout_of(IMPACT_LOW);
    rollout.tiers = small;
    rollout.n_tiers = 2;
    RolloutTraffic clean = much;
    clean.failing = 0;
    TierPlan plans[TIERS];
    rollout_plan(&rollout, &clean, plans);
    assert_true(isfinite(plans[0].hours)); /* 100 clients rule out 3 % */
    rollout.impact = IMPACT_HIGH;
    rollout_plan(&rollout, &clean, plans);
    assert_true(isinf(plans[0].hours)); /* it takes 300 for 1 % */
    rollout.impact = IMPACT_CATASTROPHIC;
    rollout_plan(&rollout, &clean, plans);
    assert_true(plans[0].approval);
}

static void fewer_clients_take_longer(void **state)
{
    RolloutDefinition rollout = rollout_of(IMPACT_LOW);
    RolloutTraffic slow = much;
    slow.clients_per_hour = 1000;
    TierPlan plans[TIERS], slower[TIERS];
    rollout_plan(&rollout, &much, plans);
    rollout_plan(&rollout, &slow, slower);
    assert_true(slower[3].hours > plans[3].hours);
    assert_float_equal(plans[1].hours, 0.5, 1e-9); /* its clients are there at once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(larger_tiers_find_smaller_faults_and_rule_them_out),
        cmocka_unit_test(in_all_there_is_nothing_to_compare),
        cmocka_unit_test(a_fault_is_found_with_the_hits_that_the_judge_needs),
        cmocka_unit_test(the_fault_rates_are_those_that_hit_so_many_clients),
        cmocka_unit_test(a_tier_without_enough_clients_never_passes),
        cmocka_unit_test(the_impact_decides_what_the_last_tier_must_rule_out),
        cmocka_unit_test(fewer_clients_take_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
