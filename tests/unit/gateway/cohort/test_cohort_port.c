#include "gateway/cohort/cohort_port.h"

#include "base/arena.h"

#include "tests/unit/check.h"

enum { ROUND = 3, FAILED = 1 << ROLLOUT_FAILURES, SLOW = 1 << ROLLOUT_LATENCY };

static const RolloutDefinition rollout = {
    .name = "orders build 2",
    .id = 77,
    .judging = {.metrics = FAILED | 1 << ROLLOUT_POSTED, .slow = 0.9}};
static const CohortClient bob = {{(const uint8_t *)"bob", 3}, {(const uint8_t *)"bob", 3}};
static const CohortClient cyd = {{(const uint8_t *)"cyd", 3}, {(const uint8_t *)"cyd", 3}};
static Loop loops[2];

/* Bob has the candidate. */
static void publish(CohortReach reach, uint64_t round, double door)
{
    CohortPlan plan = {.rollout = rollout.id,
                       .round = round,
                       .reach = reach,
                       .door = door,
                       .members = &bob.recorded,
                       .n_members = 1};
    cohort_publish(cohort_table_new(&plan, 1));
    for (int i = 0; i < 2; i++)
        uv_run(&loops[i].uv, UV_RUN_NOWAIT);
}

static int set_up(void **state)
{
    for (uint32_t i = 0; i < 2; i++) {
        loop_init(&loops[i], i);
        cohort_find(&loops[i], &rollout, &cohort_nobody);
    }
    publish(COHORT_MEMBERS, ROUND, 0);
    return 0;
}

static int tear_down(void **state)
{
    cohort_publish(NULL);
    for (int i = 0; i < 2; i++) {
        cohort_end(&loops[i]);
        loop_deinit(&loops[i]);
    }
    return 0;
}

static CohortPlace call(Loop *loop, const CohortClient *client, uint32_t failed)
{
    CohortPlace place = cohort_find(loop, &rollout, client);
    cohort_count(loop, &rollout, &place, failed);
    return place;
}

static CohortCount counted(uint64_t round, CohortArm arm)
{
    CohortSample *sum = cohort_collect(rollout.id, round);
    CohortCount count = cohort_sample_count(sum, arm);
    cohort_sample_free(sum);
    return count;
}

static void what_loops_have_counted_is_summed_up(void **state)
{
    assert_int_equal(call(&loops[0], &bob, FAILED | SLOW).arm, COHORT_CANDIDATE);
    assert_int_equal(call(&loops[1], &bob, 0).arm, COHORT_CANDIDATE);
    assert_int_equal(call(&loops[1], &cyd, 0).arm, COHORT_BASELINE);
    call(&loops[0], &cohort_nobody, FAILED);
    CohortCount candidate = counted(ROUND, COHORT_CANDIDATE),
                base = counted(ROUND, COHORT_BASELINE);
    assert_float_equal(candidate.clients, 1, 0);
    assert_float_equal(candidate.failed[ROLLOUT_FAILURES], 1, 0);
    assert_float_equal(candidate.failed[ROLLOUT_LATENCY], 0, 0); /* is not judged by it */
    assert_float_equal(base.clients, 1, 0);
    assert_float_equal(base.failed[ROLLOUT_FAILURES], 0, 0);
}

static void of_whoever_is_late_only_that_it_called_counts(void **state)
{
    CohortPlace place = cohort_find(&loops[0], &rollout, &cyd);
    place.late = true;
    cohort_count(&loops[0], &rollout, &place, FAILED);
    assert_float_equal(counted(ROUND, COHORT_BASELINE).clients, 1, 0);
    assert_float_equal(counted(ROUND, COHORT_BASELINE).failed[ROLLOUT_FAILURES], 0, 0);
    place.late = false;
    cohort_count(&loops[0], &rollout, &place, FAILED);
    assert_float_equal(counted(ROUND, COHORT_BASELINE).failed[ROLLOUT_FAILURES], 1, 0);
}

static void each_round_begins_anew(void **state)
{
    CohortPlace before = call(&loops[0], &bob, FAILED);
    publish(COHORT_MEMBERS, ROUND + 1, 0);
    cohort_count(&loops[0], &rollout, &before, FAILED); /* ends late */
    assert_float_equal(counted(ROUND + 1, COHORT_CANDIDATE).clients, 0, 0);
    call(&loops[0], &bob, 0);
    assert_float_equal(counted(ROUND + 1, COHORT_CANDIDATE).clients, 1, 0);
    assert_float_equal(counted(ROUND + 1, COHORT_CANDIDATE).failed[ROLLOUT_FAILURES], 0, 0);
}

static void a_client_counts_again_for_what_is_new(void **state)
{
    call(&loops[0], &bob, 0);
    call(&loops[0], &bob, 0);
    assert_float_equal(counted(ROUND, COHORT_CANDIDATE).failed[ROLLOUT_FAILURES], 0, 0);
    call(&loops[0], &bob, FAILED);
    call(&loops[0], &bob, 0);
    call(&loops[0], &bob, FAILED);
    assert_float_equal(counted(ROUND, COHORT_CANDIDATE).clients, 1, 0);
    assert_float_equal(counted(ROUND, COHORT_CANDIDATE).failed[ROLLOUT_FAILURES], 1, 0);
    CohortPlace other = cohort_find(&loops[0], &rollout, &bob);
    other.arm = COHORT_BASELINE; /* by baggage */
    cohort_count(&loops[0], &rollout, &other, 0);
    assert_float_equal(counted(ROUND, COHORT_BASELINE).clients, 1, 0);
}

static int n_woken;

static void on_knock(void *owner)
{
    n_woken++;
}

static void whoever_may_become_a_member_knocks_once(void **state)
{
    CohortKnock knock;
    cohort_on_knock(on_knock, NULL);
    publish(COHORT_MEMBERS, ROUND, 1);
    for (int i = 0; i < 3; i++)
        assert_false(call(&loops[0], &cyd, 0).judged);
    call(&loops[0], &bob, 0);
    assert_int_equal(n_woken, 1);
    assert_true(cohort_knock_take(&knock));
    assert_bytes(bytes(knock.client, knock.size), "cyd");
    assert_true(knock.rollout == rollout.id && knock.round == ROUND);
    assert_false(cohort_knock_take(&knock));
    loops[0].now += SECOND; /* it was not heard, perhaps */
    call(&loops[0], &cyd, 0);
    assert_true(cohort_knock_take(&knock));
    cohort_on_knock(NULL, NULL);
}

static int n_rolled_back;

static void on_rollback(CohortStream *stream)
{
    n_rolled_back++;
}

static void streams_hear_of_a_rollback(void **state)
{
    CohortStream streams[3];
    for (int i = 0; i < 3; i++) {
        streams[i] =
            (CohortStream){.rollout = i == 1 ? 78 : rollout.id, .on_rollback = on_rollback};
        if (i != 1)
            cohort_follow(&loops[0], &streams[i]);
    }
    cohort_unfollow(&streams[1]);
    publish(COHORT_MEMBERS, ROUND + 1, 0);
    assert_int_equal(n_rolled_back, 0);
    cohort_unfollow(&streams[2]);
    publish(COHORT_NOBODY, ROUND + 2, 0);
    assert_int_equal(n_rolled_back, 1);
    assert_null(streams[0].at);
}

static void what_is_told_from_outside_counts(void **state)
{
    assert_true(cohort_tell(&rollout, &bob, ROLLOUT_POSTED));
    assert_true(cohort_tell(&rollout, &cyd, ROLLOUT_POSTED));
    assert_false(cohort_tell(&rollout, &cohort_nobody, ROLLOUT_POSTED));
    assert_float_equal(counted(ROUND, COHORT_CANDIDATE).failed[ROLLOUT_POSTED], 1, 0);
    assert_float_equal(counted(ROUND, COHORT_BASELINE).failed[ROLLOUT_POSTED], 1, 0);
}

static void slow_is_what_few_calls_of_the_baseline_are(void **state)
{
    static const Method method = {.id = 1, .extras = &method_no_extras};
    static Config config = {.generation = 1, .n_methods = 2};
    const int64_t fast = 10 * MILLISECOND, slow = 50 * MILLISECOND;
    for (int i = 0; i < 1000; i++)
        cohort_is_slow(&loops[0], &config, &rollout, &method, COHORT_BASELINE, i % 5 ? fast : slow);
    assert_false(
        cohort_is_slow(&loops[0], &config, &rollout, &method, COHORT_CANDIDATE, 50 * MILLISECOND));
    assert_true(
        cohort_is_slow(&loops[0], &config, &rollout, &method, COHORT_CANDIDATE, 60 * MILLISECOND));
    for (int i = 0; i < 5000; i++) /* the candidate's calls teach nothing */
        cohort_is_slow(&loops[0], &config, &rollout, &method, COHORT_CANDIDATE, 10 * slow);
    assert_true(
        cohort_is_slow(&loops[0], &config, &rollout, &method, COHORT_CANDIDATE, 60 * MILLISECOND));
    config.generation = 2; /* another config: nothing is known */
    assert_false(
        cohort_is_slow(&loops[0], &config, &rollout, &method, COHORT_CANDIDATE, 10 * slow));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_loops_have_counted_is_summed_up),
        TEST(of_whoever_is_late_only_that_it_called_counts),
        TEST(each_round_begins_anew),
        TEST(a_client_counts_again_for_what_is_new),
        TEST(whoever_may_become_a_member_knocks_once),
        TEST(streams_hear_of_a_rollback),
        TEST(what_is_told_from_outside_counts),
        TEST(slow_is_what_few_calls_of_the_baseline_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
