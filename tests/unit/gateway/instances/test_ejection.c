#include "tests/unit/check.h"

#include "gateway/instances/ejection.h"

#include <math.h>

enum { MOST = 20 };

static const EjectRules rules = {.consecutive = 5,
                                 .failure_percent = 10,
                                 .slower = 4,
                                 .slower_by = 100 * MILLISECOND,
                                 .min_calls = 20,
                                 .max_percent = 50,
                                 .first = 30 * SECOND,
                                 .most = 300 * SECOND};

/* A service under load, with a clock of its own. */
static struct {
    EjectRules rules;
    Random random;
    int64_t now;
    JudgedService service;
    uint32_t n;
    Judged judged[MOST], *all[MOST];
    double failing[MOST], mean_ms[MOST]; /* how its instances behave */
    uint32_t rows[MOST];
    double rate; /* calls per second */
    uint32_t n_calls, n_failed;
    uint32_t n_begun, n_ended, n_lifted, n_changed, most_out;
} world;

static int fresh(void **state)
{
    memset(&world, 0, sizeof world);
    world.rules = rules;
    random_seed_fixed(&world.random, 43);
    world.now = 1000 * SECOND;
    world.n = MOST;
    world.rate = 500;
    for (uint32_t i = 0; i < MOST; i++) {
        world.all[i] = &world.judged[i];
        world.mean_ms[i] = 5;
    }
    return 0;
}

static double chance(void)
{
    return (double)random_below(&world.random, 1 << 30) / (1 << 30);
}

static bool is_out(uint32_t i)
{
    return judged_is_ejected(&world.judged[i]) || world.judged[i].barred_unhealthy;
}

static uint32_t count_out(void)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < world.n; i++)
        n += is_out(i);
    return n;
}

static void call(uint32_t i, Sample *sample, uint32_t *row_most)
{
    bool fails = chance() < world.failing[i];
    double time = log2(world.mean_ms[i] * MILLISECOND) + 6 * (chance() - 0.5);
    Sample one = {
        .calls = 1, .failures = fails, .timed = 1, .log_sum = time, .log_squares = time * time};
    sample_add(sample, &one);
    world.rows[i] = fails ? world.rows[i] + 1 : 0;
    if (world.rows[i] > *row_most)
        *row_most = world.rows[i];
    world.n_calls++;
    world.n_failed += fails;
}

static void judge(void)
{
    ejections_judge(&world.rules, &world.service, world.all, world.n, world.now, &world.random);
    for (uint32_t i = 0; i < world.n; i++) {
        world.n_begun += world.judged[i].news == EJECTION_BEGUN;
        world.n_ended += world.judged[i].news == EJECTION_ENDED;
        world.n_lifted += world.judged[i].news == EJECTION_LIFTED;
        if (world.judged[i].news == EJECTION_ENDED || world.judged[i].news == EJECTION_LIFTED)
            world.rows[i] = 0;
    }
    world.n_changed += world.service.changed;
    if (count_out() > world.most_out)
        world.most_out = count_out();
}

/* Calls go to those that are not out, evenly by chance. */
static void look(void)
{
    Sample samples[MOST] = {{.calls = 0}};
    uint32_t row_most[MOST] = {0};
    double n = world.rate * EJECTION_EVERY / SECOND;
    for (double done = chance(); done < n && count_out() < world.n;) {
        uint32_t i = (uint32_t)random_below(&world.random, world.n);
        if (is_out(i))
            continue;
        call(i, &samples[i], &row_most[i]);
        done++;
    }
    world.now += EJECTION_EVERY;
    for (uint32_t i = 0; i < world.n; i++)
        judged_observe(&world.judged[i], &samples[i], row_most[i]);
    judge();
}

static void run(int64_t time)
{
    for (int64_t end = world.now + time; world.now < end;)
        look();
}

static void one_of_20_that_fails_30_percent_is_ejected_within_2_seconds(void **state)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        fresh(state);
        random_seed_fixed(&world.random, seed);
        run(10 * SECOND);
        assert_int_equal(count_out(), 0);
        world.failing[7] = 0.3;
        run(2 * SECOND);
        assert_int_equal(count_out(), 1);
        assert_true(judged_is_ejected(&world.judged[7]));
        world.n_calls = world.n_failed = 0;
        run(60 * SECOND); /* with its return */
        assert_true(world.n_failed * 200 < world.n_calls);
    }
}

static void what_was_compared_is_known(void **state)
{
    world.failing[7] = 0.3;
    run(5 * SECOND);
    const Judged *bad = &world.judged[7];
    assert_int_equal(bad->reason, OUTLIER_FAILURES);
    assert_true(bad->mine.calls >= 20 && bad->mine.failures >= 3);
    assert_true(bad->others.calls > 10 * bad->mine.calls && bad->others.failures == 0);
}

static void if_all_fail_none_is_ejected_and_that_is_reported(void **state)
{
    run(10 * SECOND);
    for (uint32_t i = 0; i < MOST; i++)
        world.failing[i] = 1;
    run(2 * SECOND);
    assert_true(world.service.all_used);
    assert_int_equal(world.service.n_bad, 20);
    run(60 * SECOND);
    assert_int_equal(world.most_out, 0);
    assert_int_equal(world.n_changed, 1);
    for (uint32_t i = 0; i < MOST; i++)
        world.failing[i] = 0;
    run(9 * SECOND);
    assert_true(world.service.all_used);
    run(2 * SECOND);
    assert_false(world.service.all_used);
    assert_int_equal(world.n_changed, 2);
    assert_int_equal(world.n_begun, 0);
}

/* A bad deploy: one more fails each 2 seconds. Up to half are ejected; from then on all are used.
 */
static void no_more_than_half_are_ejected_one_after_the_other(void **state)
{
    for (uint32_t i = 0; i < MOST; i++) {
        world.failing[i] = 1;
        run(2 * SECOND);
        assert_int_equal(count_out(), i < 10 ? i + 1 : 0);
        assert_int_equal(world.service.all_used, i >= 10);
    }
    assert_int_equal(world.most_out, 10);
    assert_int_equal(world.n_begun, 10);
    assert_int_equal(world.n_lifted, 10);
    assert_int_equal(world.n_changed, 1);
}

static void half_that_fail_at_once_are_ejected(void **state)
{
    run(10 * SECOND);
    for (uint32_t i = 0; i < 10; i++)
        world.failing[i] = 1;
    run(5 * SECOND);
    assert_int_equal(count_out(), 10);
    assert_false(world.service.all_used);
}

static void what_all_have_in_common_ejects_none(void **state)
{
    static const double rates[] = {0.01, 0.1, 0.3, 0.5, 0.9};
    for (size_t k = 0; k < sizeof rates / sizeof *rates; k++) {
        fresh(state);
        for (uint32_t i = 0; i < MOST; i++)
            world.failing[i] = rates[k];
        run(600 * SECOND);
        assert_int_equal(world.n_begun, 0);
    }
}

static void a_slow_down_of_all_ejects_none(void **state)
{
    run(10 * SECOND);
    for (uint32_t i = 0; i < MOST; i++)
        world.mean_ms[i] = 3000;
    run(60 * SECOND);
    assert_int_equal(world.n_begun + world.n_changed, 0);
}

static void one_that_is_slow_is_ejected(void **state)
{
    run(10 * SECOND);
    world.mean_ms[3] = 500;
    run(10 * SECOND);
    assert_int_equal(count_out(), 1);
    assert_int_equal(world.judged[3].reason, OUTLIER_SLOW);
    assert_true(sample_time(&world.judged[3].mine) > 100e6);
    assert_true(sample_time(&world.judged[3].others) < 6e6);
}

/* Calls of one look: the instance 0 is silent, the others lose a part of theirs by chance. */
static void hedge(uint32_t attempts, double lost_by_others)
{
    world.now += EJECTION_EVERY;
    for (uint32_t i = 0; i < world.n; i++) {
        Sample sample = {.calls = i ? 20 * (1 - lost_by_others) : 0,
                         .unanswered = i ? 20 * lost_by_others : attempts};
        judged_observe(&world.judged[i], &sample, 0);
    }
    judge();
}

static void one_that_is_silent_for_two_seconds_while_others_respond_is_ejected(void **state)
{
    hedge(2, 0);
    for (uint32_t i = 1; i < EJECTION_LOOKS - 1; i++)
        hedge(i % 2, 0);
    assert_int_equal(world.n_begun, 0);
    hedge(1, 0);
    assert_int_equal(world.n_begun, 1);
    assert_true(judged_is_ejected(&world.judged[0]));
    assert_int_equal(world.judged[0].reason, OUTLIER_SILENT);
    assert_int_equal(world.judged[0].reason_row, 6);
    world.now = world.judged[0].until;
    judge();
    assert_false(judged_is_ejected(&world.judged[0]));
    assert_int_equal(world.judged[0].silence + world.judged[0].silent_looks, 0);
}

static void who_responds_once_is_not_silent(void **state)
{
    for (uint32_t i = 0; i < 3 * EJECTION_LOOKS; i++) {
        hedge(50, 0);
        if (i % (EJECTION_LOOKS - 1) == 0) {
            Sample one = {.calls = 1};
            judged_observe(&world.judged[0], &one, 0);
        }
    }
    assert_int_equal(world.n_begun, 0);
}

/* All have become slow: every other attempt loses. */
static void where_others_lose_as_often_nobody_is_silent(void **state)
{
    for (uint32_t i = 0; i < 14; i++)
        hedge(2, 0.5);
    assert_int_equal(world.n_begun, 0);
    hedge(2, 0.5);
    assert_int_equal(world.n_begun, 1); /* 30 in a row */
}

/* Nobody responds, so that there is nothing to compare. */
static void where_nobody_responds_nobody_is_silent(void **state)
{
    for (uint32_t i = 0; i < 100; i++)
        hedge(2, 1);
    assert_int_equal(world.n_begun, 0);
}

static void one_that_was_silent_and_has_no_calls_since_is_not_ejected(void **state)
{
    hedge(4, 0);
    for (uint32_t i = 0; i < 100; i++)
        hedge(0, 0);
    assert_int_equal(world.n_begun, 0);
}

static void good_instances_stay_for_hours(void **state)
{
    for (uint32_t i = 0; i < MOST; i++)
        world.failing[i] = i % 2 ? 0.005 : 0.01;
    run(4 * 3600 * SECOND);
    assert_int_equal(world.n_begun + world.n_changed, 0);
}

static void one_with_few_calls_is_ejected_by_failures_in_a_row(void **state)
{
    world.rate = 4; /* a call in 5 seconds for each */
    world.failing[0] = 1;
    for (int64_t end = world.now + 120 * SECOND; world.now < end && !world.n_begun;)
        look();
    assert_int_equal(world.n_begun, 1);
    assert_true(judged_is_ejected(&world.judged[0]));
    assert_int_equal(world.judged[0].reason, OUTLIER_IN_A_ROW);
    assert_true(world.judged[0].reason_row >= 5);
}

/* Five failures of the instance 0, and good calls of the others. */
static void fail_in_a_row(int64_t now)
{
    world.now = now;
    for (uint32_t i = 0; i < world.n; i++) {
        Sample sample = {.calls = 100, .failures = i ? 0 : 100};
        judged_observe(&world.judged[i], &sample, i ? 0 : 5);
    }
    judge();
}

static void assert_about(int64_t time, int64_t wanted)
{
    assert_in_range(time, wanted * 90 / 100, wanted * 110 / 100);
}

static void the_time_doubles_up_to_the_most(void **state)
{
    static const int64_t seconds[] = {30, 60, 120, 240, 300, 300};
    int64_t now = world.now;
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        fail_in_a_row(now);
        assert_int_equal(world.judged[0].news, EJECTION_BEGUN);
        assert_int_equal(world.judged[0].times, i + 1);
        assert_about(world.judged[0].until - now, seconds[i] * SECOND);
        world.now = world.judged[0].until - 1;
        judge();
        assert_true(judged_is_ejected(&world.judged[0]));
        now = ++world.now;
        judge();
        assert_int_equal(world.judged[0].news, EJECTION_ENDED);
    }
}

static void who_stays_long_enough_begins_with_the_first_time_again(void **state)
{
    fail_in_a_row(world.now);
    world.now = world.judged[0].until;
    judge();
    int64_t returned = world.now;
    fail_in_a_row(returned + 300 * SECOND - 1);
    assert_int_equal(world.judged[0].times, 2);
    world.now = world.judged[0].until;
    judge();
    fail_in_a_row(world.now + 300 * SECOND);
    assert_int_equal(world.judged[0].times, 1);
    assert_about(world.judged[0].until - world.now, 30 * SECOND);
}

static void one_that_an_operator_returns_is_used_and_begins_with_the_first_time_again(void **state)
{
    assert_false(judged_pardon(&world.judged[0], world.now));
    for (uint32_t i = 0; i < 3; i++) {
        fail_in_a_row(world.now + SECOND);
        assert_int_equal(world.judged[0].times, 1);
        assert_about(world.judged[0].until - world.now, 30 * SECOND);
        assert_true(judged_pardon(&world.judged[0], world.now));
        judge();
        assert_false(judged_is_ejected(&world.judged[0]));
        assert_int_equal(world.judged[0].news, EJECTION_PARDONED);
    }
    fail_in_a_row(world.now + SECOND);
    world.now = world.judged[0].until;
    judge();
    assert_int_equal(world.judged[0].news, EJECTION_ENDED);
}

static void gateways_do_not_take_it_back_together(void **state)
{
    fail_in_a_row(world.now);
    int64_t first = world.judged[0].until;
    world.judged[0] = (Judged){.row = 0};
    fail_in_a_row(world.now);
    assert_int_not_equal(world.judged[0].until, first);
}

static void its_past_is_forgotten_when_it_returns(void **state)
{
    fail_in_a_row(world.now);
    world.now = world.judged[0].until;
    judge();
    assert_true(world.judged[0].recent.calls == 0 && world.judged[0].longer.calls == 0);
    assert_int_equal(world.judged[0].row, 0);
    world.now += EJECTION_EVERY;
    judge();
    assert_false(judged_is_ejected(&world.judged[0]));
}

static void a_row_without_new_calls_is_not_counted_again(void **state)
{
    Sample none = {.calls = 0};
    Judged judged = {.row = 3};
    judged_observe(&judged, &none, 9);
    assert_int_equal(judged.row, 0);
}

static void the_only_instance_is_never_ejected(void **state)
{
    world.n = 1;
    world.failing[0] = 1;
    run(60 * SECOND);
    assert_int_equal(world.n_begun + world.n_changed, 0);
}

static void of_two_instances_one_may_be_ejected(void **state)
{
    world.n = 2;
    world.failing[0] = 1;
    run(5 * SECOND);
    assert_int_equal(count_out(), 1);
    world.failing[1] = 1; /* now both are used again */
    run(5 * SECOND);
    assert_int_equal(count_out(), 0);
    assert_true(world.service.all_used);
}

static void most_are_rounded_down(void **state)
{
    static const struct {
        uint32_t percent, n, most;
    } rows[] = {{50, 1, 0},   {50, 2, 1},  {50, 3, 1},
                {50, 20, 10}, {10, 9, 0},  {10, 10, 1},
                {0, 100, 0},  {100, 3, 3}, {50, 100000000, 50000000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        EjectRules of = {.max_percent = rows[i].percent};
        assert_int_equal(ejections_most(&of, rows[i].n), rows[i].most);
    }
}

static void unhealthy_instances_are_out_until_they_are_too_many(void **state)
{
    for (uint32_t i = 0; i < 11; i++) {
        judge();
        assert_int_equal(count_out(), i);
        assert_int_equal(world.service.n_unhealthy, i);
        world.judged[i].unhealthy = true;
    }
    judge();
    assert_int_equal(count_out(), 0);
    assert_true(world.service.all_used && world.service.changed);
    world.judged[0].unhealthy = false;
    world.now += ALL_USED_TIME - 1;
    judge();
    assert_int_equal(count_out(), 0);
    world.now++;
    judge();
    assert_int_equal(count_out(), 10);
    assert_false(world.service.all_used);
}

static void both_kinds_count_together(void **state)
{
    for (uint32_t i = 10; i < 20; i++)
        world.judged[i].unhealthy = true;
    judge();
    assert_int_equal(count_out(), 10);
    fail_in_a_row(world.now); /* the eleventh */
    assert_int_equal(count_out(), 0);
    assert_int_equal(world.n_begun, 0);
    assert_int_equal(world.service.n_bad, 11);
    assert_int_equal(world.service.n_unhealthy, 10);
}

static void without_ejection_only_checks_count(void **state)
{
    fail_in_a_row(world.now);
    assert_int_equal(count_out(), 1);
    world.rules.off = true;
    judge();
    assert_int_equal(world.judged[0].news, EJECTION_LIFTED);
    world.judged[1].unhealthy = true;
    for (uint32_t i = 0; i < MOST; i++)
        world.failing[i] = 1;
    run(10 * SECOND);
    assert_int_equal(count_out(), 1);
    assert_int_equal(world.n_begun, 1);
    assert_false(world.service.all_used);
}

static void the_last_usable_instance_of_a_version_is_not_ejected(void **state)
{
    static const struct {
        uint64_t first, second, others; /* versions */
        bool second_down, second_unhealthy, ejected;
    } rows[] = {
        {1, 1, 2, false, false, true}, {1, 2, 2, false, false, false},
        {1, 1, 2, true, false, false}, {1, 1, 2, false, true, false},
        {3, 1, 2, false, false, true}, {5, 1, 2, false, false, false},
        {0, 0, 0, false, false, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fresh(state);
        for (uint32_t k = 0; k < world.n; k++)
            world.judged[k].versions = k == 0   ? rows[i].first
                                       : k == 1 ? rows[i].second
                                                : rows[i].others;
        world.judged[1].down = rows[i].second_down;
        world.judged[1].unhealthy = rows[i].second_unhealthy;
        fail_in_a_row(world.now);
        assert_int_equal(judged_is_ejected(&world.judged[0]), rows[i].ejected);
    }
}

/* The first one fails one call in five, and the rollout's judge is to see it. */
static void the_last_usable_instance_of_an_arm_is_not_ejected(void **state)
{
    static const struct {
        uint32_t n_candidates; /* the first ones; 0: there is no rollout */
        bool second_down, second_aside, ejected;
    } rows[] = {
        {0, false, false, true},  {1, false, false, false}, {2, false, false, true},
        {2, true, false, false},  {2, false, true, false},  {19, false, false, true},
        {20, false, false, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fresh(state);
        for (uint32_t k = 0; k < rows[i].n_candidates; k++)
            world.judged[k].arm = EJECTION_CANDIDATE;
        world.failing[0] = 0.2;
        world.judged[1].down = rows[i].second_down;
        world.judged[1].aside = rows[i].second_aside;
        run(30 * SECOND);
        assert_int_equal(world.judged[0].times > 0, rows[i].ejected);
        assert_int_equal(world.n_begun > 0, rows[i].ejected);
    }
}

static void the_last_instance_of_the_baseline_is_not_ejected_for_being_slower(void **state)
{
    for (uint32_t k = 1; k < world.n; k++)
        world.judged[k].arm = EJECTION_CANDIDATE;
    world.mean_ms[0] = 500;
    run(60 * SECOND);
    assert_int_equal(world.n_begun, 0);
}

/* All of the candidate fail alike: what they have in common is for the rollout's judge. */
static void instances_are_compared_within_their_arm_only(void **state)
{
    for (uint32_t k = 0; k < 4; k++) {
        world.judged[k].arm = EJECTION_CANDIDATE;
        world.failing[k] = 0.3;
    }
    run(60 * SECOND);
    assert_int_equal(world.n_begun, 0);
    world.failing[3] = 0.9;
    run(5 * SECOND);
    assert_int_equal(world.n_begun, 1);
    assert_true(judged_is_ejected(&world.judged[3]));
}

static void one_that_is_the_last_of_its_arm_by_now_is_used_again(void **state)
{
    world.judged[0].arm = world.judged[1].arm = EJECTION_CANDIDATE;
    fail_in_a_row(world.now);
    assert_int_equal(world.n_begun, 1);
    world.judged[1].down = true;
    judge();
    assert_int_equal(count_out(), 0);
    assert_int_equal(world.judged[0].news, EJECTION_NEEDED);
}

/* The baseline serves instead. */
static void health_checks_count_for_the_last_one_of_an_arm(void **state)
{
    world.judged[0].arm = EJECTION_CANDIDATE;
    world.judged[0].unhealthy = true;
    judge();
    assert_true(world.judged[0].barred_unhealthy);
    for (uint32_t k = 1; k < world.n; k++)
        world.judged[k].down = true;
    judge();
    assert_false(world.judged[0].barred_unhealthy);
}

/* Else a zone that is cut off and a few ejections could leave nothing. */
static void those_that_are_down_leave_less_room_for_ejections(void **state)
{
    for (uint32_t i = 10; i < 20; i++)
        world.judged[i].down = true;
    fail_in_a_row(world.now);
    assert_int_equal(world.n_begun, 0);
    world.judged[10].down = false;
    fail_in_a_row(world.now + EJECTION_EVERY);
    assert_int_equal(world.n_begun, 1);
    assert_false(world.service.all_used);
}

/* All that serve the version of the first one are ejected, unhealthy, down or aside; others are
   well. */
static void those_that_are_out_are_used_when_nothing_else_of_a_version_is(void **state)
{
    static const struct {
        uint64_t third;
        bool first_aside, third_down, third_aside, third_unhealthy, needed;
    } rows[] = {
        {1, false, false, false, false, false}, /* the third one is up */
        {1, false, true, false, false, true},   /* it is down, */
        {1, false, false, true, false, true},   /* drained, */
        {1, false, false, false, true, true},   /* unhealthy, too, */
        {2, false, false, false, false, true},  /* of another version, */
        {3, false, false, false, false, false}, /* of both versions */
        {1, true, true, false, false, false},   /* by hand: never */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fresh(state);
        for (uint32_t k = 0; k < world.n; k++)
            world.judged[k].versions = k < 2 ? 1 : k == 2 ? rows[i].third : 2;
        world.judged[2].versions = 1;
        fail_in_a_row(world.now);
        world.judged[1].unhealthy = true;
        judge();
        assert_int_equal(count_out(), 2);
        world.judged[2].versions = rows[i].third;
        world.judged[2].down = rows[i].third_down;
        world.judged[2].unhealthy = rows[i].third_unhealthy;
        world.judged[0].aside = world.judged[1].aside = rows[i].first_aside;
        world.judged[2].aside = rows[i].third_aside;
        judge();
        assert_int_equal(is_out(0), !rows[i].needed);
        assert_int_equal(is_out(1), !rows[i].needed);
        assert_int_equal(world.judged[0].news, rows[i].needed ? EJECTION_NEEDED : EJECTION_NO_NEWS);
        assert_int_equal(world.service.needs_changed, rows[i].needed);
        assert_false(world.service.all_used);
    }
}

static void those_that_were_needed_are_judged_anew(void **state)
{
    world.n = 10;
    for (uint32_t i = 0; i < 4; i++)
        world.failing[i] = 1;
    run(5 * SECOND);
    assert_int_equal(count_out(), 4);
    for (uint32_t i = 4; i < 10; i++)
        world.judged[i].down = true;
    judge();
    assert_int_equal(count_out(), 0);
    assert_int_equal(world.service.n_needed, 4);
    assert_true(world.service.some_needed);
    world.now += ALL_USED_TIME - 1;
    judge();
    assert_true(world.service.some_needed && !world.service.needs_changed);
    world.now++;
    judge();
    assert_true(!world.service.some_needed && world.service.needs_changed);
    for (uint32_t i = 4; i < 10; i++)
        world.judged[i].down = false;
    run(5 * SECOND);
    assert_int_equal(count_out(), 4);
}

/* Half of those that are not aside: here 1 of 2. */
static void those_that_are_aside_are_not_counted(void **state)
{
    for (uint32_t i = 2; i < 20; i++)
        world.judged[i].aside = true;
    fail_in_a_row(world.now);
    assert_int_equal(world.n_begun, 1);
    world.judged[0].until = world.now;
    world.judged[1].aside = true;
    fail_in_a_row(world.now + EJECTION_EVERY);
    assert_int_equal(world.n_begun, 1);
}

static void those_that_are_out_stay_out_when_no_more_may_be(void **state)
{
    fail_in_a_row(world.now);
    world.judged[1].unhealthy = true;
    judge();
    assert_int_equal(count_out(), 2);
    world.service.no_more_ejected = world.service.no_more_unhealthy = true;
    world.judged[2].unhealthy = true;
    world.judged[3].row = 5;
    judge();
    assert_int_equal(count_out(), 2);
    world.service.no_more_unhealthy = false;
    world.judged[3].row = 5;
    judge();
    assert_int_equal(count_out(), 3);
    world.service.no_more_ejected = false;
    world.judged[3].row = 5;
    judge();
    assert_int_equal(count_out(), 4);
}

#define world_test(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(one_of_20_that_fails_30_percent_is_ejected_within_2_seconds),
        world_test(what_was_compared_is_known),
        world_test(if_all_fail_none_is_ejected_and_that_is_reported),
        world_test(no_more_than_half_are_ejected_one_after_the_other),
        world_test(half_that_fail_at_once_are_ejected),
        world_test(what_all_have_in_common_ejects_none),
        world_test(a_slow_down_of_all_ejects_none),
        world_test(one_that_is_slow_is_ejected),
        world_test(one_that_is_silent_for_two_seconds_while_others_respond_is_ejected),
        world_test(who_responds_once_is_not_silent),
        world_test(where_others_lose_as_often_nobody_is_silent),
        world_test(where_nobody_responds_nobody_is_silent),
        world_test(one_that_was_silent_and_has_no_calls_since_is_not_ejected),
        world_test(good_instances_stay_for_hours),
        world_test(one_with_few_calls_is_ejected_by_failures_in_a_row),
        world_test(the_time_doubles_up_to_the_most),
        world_test(who_stays_long_enough_begins_with_the_first_time_again),
        world_test(one_that_an_operator_returns_is_used_and_begins_with_the_first_time_again),
        world_test(gateways_do_not_take_it_back_together),
        world_test(its_past_is_forgotten_when_it_returns),
        world_test(a_row_without_new_calls_is_not_counted_again),
        world_test(the_only_instance_is_never_ejected),
        world_test(of_two_instances_one_may_be_ejected),
        world_test(most_are_rounded_down),
        world_test(unhealthy_instances_are_out_until_they_are_too_many),
        world_test(both_kinds_count_together),
        world_test(without_ejection_only_checks_count),
        world_test(the_last_usable_instance_of_a_version_is_not_ejected),
        world_test(the_last_usable_instance_of_an_arm_is_not_ejected),
        world_test(the_last_instance_of_the_baseline_is_not_ejected_for_being_slower),
        world_test(instances_are_compared_within_their_arm_only),
        world_test(one_that_is_the_last_of_its_arm_by_now_is_used_again),
        world_test(health_checks_count_for_the_last_one_of_an_arm),
        world_test(those_that_are_out_stay_out_when_no_more_may_be),
        world_test(those_that_are_out_are_used_when_nothing_else_of_a_version_is),
        world_test(those_that_were_needed_are_judged_anew),
        world_test(those_that_are_aside_are_not_counted),
        world_test(those_that_are_down_leave_less_room_for_ejections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
