#include "tests/unit/check.h"

#include "gateway/rollout/rollout_judge.h"

#include <math.h>

enum { MINUTE = 60 };

static const RolloutJudging both = {
    .alpha = 0.05, .least = 30 * MINUTE, .metrics = 1 << ROLLOUT_FAILURES | 1 << ROLLOUT_LATENCY};
static const RolloutJudging one = {
    .alpha = 0.05, .least = 30 * MINUTE, .metrics = 1 << ROLLOUT_FAILURES};
static const TierNeed of_100 = {.clients = 100, .excess = 1, .compared = true};

static RolloutLook look_at(double clients, double failed, double others, double others_failed)
{
    RolloutLook look = {.candidate.clients = clients, .baseline.clients = others};
    look.candidate.failed[ROLLOUT_FAILURES] = failed;
    look.baseline.failed[ROLLOUT_FAILURES] = others_failed;
    return look;
}

static void add(RolloutEvidence *evidence, double clients, double failed, double others,
                double others_failed)
{
    RolloutLook look = look_at(clients, failed, others, others_failed);
    rollout_evidence_add(evidence, &look);
}

static double failures(const RolloutEvidence *evidence)
{
    return wealth_log(&evidence->metrics[ROLLOUT_FAILURES].wealth);
}

static void nothing_seen_is_undecided(void **state)
{
    RolloutJudgement judgement = rollout_judge(&(RolloutEvidence){0}, &both, &of_100, 0);
    assert_int_equal(judgement.verdict, ROLLOUT_UNDECIDED);
    assert_int_equal(judgement.want, ROLLOUT_WANTS_CLIENTS);
    assert_float_equal(judgement.clients_missing, 100, 0);
    assert_float_equal(judgement.wealth, 0, 1e-12);
    assert_int_equal(judgement.time_missing, 0); /* nobody came: it is unknown */
}

static void clients_that_fail_are_bets_at_the_share_of_those_at_risk(void **state)
{
    RolloutEvidence evidence = {0};
    Wealth twin = {0};
    add(&evidence, 100, 2, 300, 1);
    wealth_bet(&twin, 0.25, 2, 1);
    assert_float_equal(failures(&evidence), wealth_log(&twin), 1e-12);

    add(&evidence, 100, 5, 300, 4); /* who has failed is at risk no more */
    wealth_bet(&twin, fmax(98. / (98 + 299), 0), 3, 3);
    assert_float_equal(failures(&evidence), wealth_log(&twin), 1e-12);
}

static void clients_come_in_between_two_looks_and_the_larger_share_counts(void **state)
{
    RolloutEvidence grows = {0}, shrinks = {0};
    Wealth twin = {0}, other = {0};
    add(&grows, 10, 0, 90, 0);
    add(&grows, 50, 1, 150, 1);
    wealth_bet(&twin, 0.25, 1, 1);
    assert_float_equal(failures(&grows), wealth_log(&twin), 1e-12);
    add(&shrinks, 50, 0, 150, 0);
    add(&shrinks, 50, 1, 450, 1);
    wealth_bet(&other, 0.25, 1, 1);
    assert_float_equal(failures(&shrinks), wealth_log(&other), 1e-12);
}

static void members_are_at_risk_before_they_call_again(void **state)
{
    RolloutEvidence evidence = {0};
    Wealth twin = {0};
    RolloutLook look = look_at(50, 2, 300, 2);
    look.candidate.joined = 100;
    rollout_evidence_add(&evidence, &look);
    wealth_bet(&twin, 0.25, 2, 2);
    assert_float_equal(failures(&evidence), wealth_log(&twin), 1e-12);
    assert_float_equal(evidence.clients, 50, 0); /* the others have shown nothing */
}

static void when_the_tier_is_full_no_more_of_the_baseline_come_in(void **state)
{
    RolloutEvidence evidence = {0}, exact = {0};
    RolloutLook full = look_at(50, 0, 150, 0), later = look_at(50, 3, 1000, 3);
    full.full = later.full = true;
    rollout_evidence_add(&evidence, &full);
    rollout_evidence_add(&evidence, &later);
    add(&exact, 50, 0, 150, 0);
    add(&exact, 50, 3, 150, 3);
    assert_float_equal(failures(&evidence), failures(&exact), 1e-12);
    assert_float_equal(evidence.baseline_joined, 150, 0);
    rollout_evidence_next_tier(&evidence);
    assert_false(evidence.full);
}

static void estimates_are_taken_from_their_careful_end(void **state)
{
    RolloutEvidence evidence = {0};
    Wealth twin = {0};
    RolloutLook look = look_at(100, 2, 1000, 2);
    look.error = 0.1;
    rollout_evidence_add(&evidence, &look);
    wealth_bet(&twin, 110. / (110 + 900), 2, 2);
    assert_float_equal(failures(&evidence), wealth_log(&twin), 1e-12);
}

static void counts_that_shrink_are_no_news(void **state)
{
    RolloutEvidence evidence = {0};
    add(&evidence, 100, 3, 300, 5);
    RolloutEvidence before = evidence;
    add(&evidence, 90, 2, 200, 4);
    assert_memory_equal(&before, &evidence, sizeof before);
    add(&evidence, 100, 3, 300, 5);
    assert_memory_equal(&before, &evidence, sizeof before);
}

static void the_next_tier_counts_from_0_and_its_evidence_adds_up(void **state)
{
    RolloutEvidence evidence = {0};
    add(&evidence, 10, 1, 30, 1);
    double first = failures(&evidence);
    rollout_evidence_next_tier(&evidence);
    assert_float_equal(failures(&evidence), first, 0);
    add(&evidence, 90, 0, 300, 0);
    assert_float_equal(failures(&evidence), first, 0);
    RolloutJudgement judgement = rollout_judge(&evidence, &one, &of_100, 0);
    assert_float_equal(judgement.metrics[ROLLOUT_FAILURES].seen.clients, 100, 0);
    assert_float_equal(judgement.metrics[ROLLOUT_FAILURES].seen.hit, 1, 0);
    assert_float_equal(judgement.metrics[ROLLOUT_FAILURES].seen.expected, 1. / 3, 1e-12);
}

/* As many failing clients as make it bad, and one less. */
static int hits_until_bad(const RolloutJudging *judging)
{
    for (int hits = 0; hits <= 100; hits++) {
        RolloutEvidence evidence = {0};
        add(&evidence, 100, hits, 1000, 10);
        if (rollout_judge(&evidence, judging, &of_100, 0).verdict == ROLLOUT_BAD)
            return hits;
        assert_true(wealth_log(&evidence.metrics[ROLLOUT_FAILURES].wealth) <
                    log(__builtin_popcount(judging->metrics) / judging->alpha));
    }
    return -1;
}

static void bad_is_an_average_of_one_by_alpha(void **state)
{
    RolloutJudging strict = one, loose = one;
    strict.alpha = 0.001;
    loose.alpha = 0.5;
    int hits = hits_until_bad(&one);
    assert_in_range(hits, 5, 7); /* one is usual */
    assert_true(hits_until_bad(&both) >= hits);
    assert_true(hits_until_bad(&strict) > hits);
    assert_true(hits_until_bad(&loose) < hits);

    RolloutEvidence evidence = {0};
    add(&evidence, 100, 20, 1000, 10);
    RolloutJudgement judgement = rollout_judge(&evidence, &both, &of_100, 0);
    assert_int_equal(judgement.metric, ROLLOUT_FAILURES);
    assert_float_equal(judgement.limit, log(20), 1e-12);
    double money = exp(judgement.metrics[ROLLOUT_FAILURES].wealth);
    assert_float_equal(judgement.wealth, log((money + 1) / 2), 1e-9); /* no bet on latency */
}

static void a_metric_that_is_not_judged_does_not_count(void **state)
{
    RolloutEvidence evidence = {0};
    RolloutLook look = look_at(100, 0, 1000, 10);
    look.candidate.failed[ROLLOUT_LATENCY] = 50;
    rollout_evidence_add(&evidence, &look);
    assert_int_equal(rollout_judge(&evidence, &one, &of_100, 0).verdict, ROLLOUT_UNDECIDED);
    RolloutJudgement judgement = rollout_judge(&evidence, &both, &of_100, 0);
    assert_int_equal(judgement.verdict, ROLLOUT_BAD);
    assert_int_equal(judgement.metric, ROLLOUT_LATENCY);
}

static void a_tier_passes_with_its_clean_clients_and_its_time_and_not_before(void **state)
{
    RolloutEvidence evidence = {0};
    add(&evidence, 99, 0, 400, 0);
    RolloutJudgement judgement = rollout_judge(&evidence, &one, &of_100, 33 * MINUTE);
    assert_int_equal(judgement.verdict, ROLLOUT_UNDECIDED);
    assert_int_equal(judgement.want, ROLLOUT_WANTS_CLIENTS);
    assert_in_range((int)judgement.clients_missing, 1, 2);
    assert_int_equal(judgement.time_missing / MINUTE,
                     (int64_t)(judgement.clients_missing * 33 / 99));

    add(&evidence, 100, 0, 400, 0);
    judgement = rollout_judge(&evidence, &one, &of_100, 30 * MINUTE - 1);
    assert_int_equal(judgement.verdict, ROLLOUT_UNDECIDED);
    assert_int_equal(judgement.want, ROLLOUT_WANTS_TIME);
    assert_int_equal(judgement.time_missing, 1);
    judgement = rollout_judge(&evidence, &one, &of_100, 30 * MINUTE);
    assert_int_equal(judgement.verdict, ROLLOUT_GOOD);
    assert_true(tier_bound(&judgement.metrics[ROLLOUT_FAILURES].seen) <= 0.03);
    assert_true(judgement.metrics[ROLLOUT_FAILURES].excess <= 0.03);
}

static void each_metric_must_rule_its_excess_out(void **state)
{
    RolloutEvidence evidence = {0};
    RolloutLook look = look_at(100, 0, 400, 0);
    look.candidate.failed[ROLLOUT_LATENCY] = 1;
    rollout_evidence_add(&evidence, &look);
    assert_int_equal(rollout_judge(&evidence, &one, &of_100, 30 * MINUTE).verdict, ROLLOUT_GOOD);
    RolloutJudgement judgement = rollout_judge(&evidence, &both, &of_100, 30 * MINUTE);
    assert_int_equal(judgement.verdict, ROLLOUT_UNDECIDED);
    assert_int_equal(judgement.metric, ROLLOUT_LATENCY);
}

static void the_impact_asks_for_more(void **state)
{
    RolloutEvidence evidence = {0};
    TierNeed strict = of_100;
    strict.excess = 0.01;
    add(&evidence, 100, 0, 400, 0);
    RolloutJudgement judgement = rollout_judge(&evidence, &one, &strict, 30 * MINUTE);
    assert_int_equal(judgement.verdict, ROLLOUT_UNDECIDED);
    assert_in_range((int)judgement.clients_missing, 195, 205); /* 299 rule out 1 % */
}

static void a_share_is_asked_for_what_all_that_came_can_tell(void **state)
{
    TierNeed share = {.excess = 1, .compared = true};
    RolloutEvidence evidence = {0};
    add(&evidence, 37, 0, 400, 0);
    assert_int_equal(rollout_judge(&evidence, &one, &share, 30 * MINUTE).verdict, ROLLOUT_GOOD);
    add(&evidence, 37, 5, 400, 0);
    assert_int_not_equal(rollout_judge(&evidence, &one, &share, 30 * MINUTE).verdict, ROLLOUT_GOOD);
}

static void without_a_baseline_only_time_counts(void **state)
{
    TierNeed all = {.excess = 1, .compared = false};
    RolloutEvidence evidence = {0};
    add(&evidence, 1000, 30, 0, 0);
    assert_int_equal(rollout_judge(&evidence, &one, &all, 30 * MINUTE - 1).verdict,
                     ROLLOUT_UNDECIDED);
    assert_int_equal(rollout_judge(&evidence, &one, &all, 30 * MINUTE).verdict, ROLLOUT_GOOD);
}

/* What fails in `all` itself has nothing to be compared with. */
static void what_earlier_tiers_have_shown_needs_an_operator_if_it_is_not_allowed(void **state)
{
    static const struct {
        double failed, others_failed, in_all;
        bool completes;
    } rows[] = {
        {0, 0, 0, true},  {3, 0, 0, true},  {4, 0, 0, false}, {4, 4, 0, true},
        {4, 4, 90, true}, {3, 0, 90, true}, {8, 4, 0, false},
    };
    TierNeed all = {.excess = 1, .compared = false, .allowed = 0.03};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        RolloutEvidence evidence = {0};
        RolloutJudging careful = one;
        careful.alpha = 1e-9; /* it is not bad */
        add(&evidence, 100, rows[i].failed, 100, rows[i].others_failed);
        rollout_evidence_next_tier(&evidence);
        add(&evidence, 1000, rows[i].in_all, 0, 0);
        RolloutJudgement judgement = rollout_judge(&evidence, &careful, &all, 30 * MINUTE);
        assert_int_equal(judgement.verdict, rows[i].completes ? ROLLOUT_GOOD : ROLLOUT_UNDECIDED);
        assert_int_equal(judgement.want,
                         rows[i].completes ? ROLLOUT_WANTS_NOTHING : ROLLOUT_WANTS_OPERATOR);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_seen_is_undecided),
        cmocka_unit_test(clients_that_fail_are_bets_at_the_share_of_those_at_risk),
        cmocka_unit_test(clients_come_in_between_two_looks_and_the_larger_share_counts),
        cmocka_unit_test(members_are_at_risk_before_they_call_again),
        cmocka_unit_test(when_the_tier_is_full_no_more_of_the_baseline_come_in),
        cmocka_unit_test(estimates_are_taken_from_their_careful_end),
        cmocka_unit_test(counts_that_shrink_are_no_news),
        cmocka_unit_test(the_next_tier_counts_from_0_and_its_evidence_adds_up),
        cmocka_unit_test(bad_is_an_average_of_one_by_alpha),
        cmocka_unit_test(a_metric_that_is_not_judged_does_not_count),
        cmocka_unit_test(a_tier_passes_with_its_clean_clients_and_its_time_and_not_before),
        cmocka_unit_test(each_metric_must_rule_its_excess_out),
        cmocka_unit_test(the_impact_asks_for_more),
        cmocka_unit_test(what_earlier_tiers_have_shown_needs_an_operator_if_it_is_not_allowed),
        cmocka_unit_test(a_share_is_asked_for_what_all_that_came_can_tell),
        cmocka_unit_test(without_a_baseline_only_time_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
