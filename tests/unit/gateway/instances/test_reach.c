#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/instances/reach.h"

#define START (1000 * SECOND)

static KnownInstance known;
static Reach reach;
static Random chance;

static int fresh(void **state)
{
    known = (KnownInstance){0};
    reach = (Reach){0};
    random_seed_fixed(&chance, 7);
    return 0;
}

/* One more attempt fails, after so long. */
static void fail_after(int64_t time, int64_t now)
{
    assert_true(reach_failed(&reach, &known, now - time, now, &chance));
}

/* Each begins when the one before has failed; the last one fails at START. */
static void fail_often(int n, int64_t time)
{
    for (int i = n; i-- > 0;)
        fail_after(time, START - i * time);
}

static void assert_about(int64_t time, int64_t wanted)
{
    assert_in_range(time, wanted * 80 / 100, wanted * 120 / 100 - 1);
}

static void what_was_never_tried_may_be_tried(void **state)
{
    assert_int_equal(reach.failures, 0);
    assert_int_equal(reach.connect_after, 0);
}

static void the_backoff_doubles_to_its_limit(void **state)
{
    int64_t wanted = 100 * MILLISECOND, now = START;
    for (uint32_t i = 1; i <= 50; i++, now += 20 * SECOND) {
        fail_after(SECOND, now);
        assert_int_equal(reach.failures, i);
        assert_about(reach.connect_after - now, wanted);
        wanted = 2 * wanted > 2 * SECOND ? 2 * SECOND : 2 * wanted;
    }
}

static void attempts_that_are_refused_at_once_come_more_often(void **state)
{
    fail_often(10, 49 * MILLISECOND);
    assert_about(reach.connect_after - START, 1 * SECOND);
    fail_after(50 * MILLISECOND, START + 50 * MILLISECOND);
    assert_about(reach.connect_after - START - 50 * MILLISECOND, 2 * SECOND);
}

/* The sixth is the first that does not double. */
static void the_backoff_of_each_failure_is_known(void **state)
{
    static const int64_t wanted[] = {100, 200, 400, 800, 1600, 2000, 2000, 2000, 2000};
    int64_t now = START;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++, now += 20 * SECOND) {
        fail_after(SECOND, now);
        assert_about(reach.connect_after - now, wanted[i] * MILLISECOND);
    }
}

/* Several connects that were begun together fail one after the other. */
static void a_burst_is_one_failure(void **state)
{
    fail_after(SECOND, START);
    Reach first = reach;
    assert_false(reach_failed(&reach, &known, START - SECOND, START, &chance));
    assert_false(reach_failed(&reach, &known, START - 1, START + SECOND, &chance));
    assert_memory_equal(&reach, &first, sizeof first);
    assert_true(reach_failed(&reach, &known, START, START + SECOND, &chance));
    assert_int_equal(reach.failures, 2);
    reach_succeeded(&reach, &known);
    assert_true(reach_failed(&reach, &known, START, START + 2 * SECOND, &chance));
    assert_int_equal(reach.failures, 1);
}

static void chance_keeps_loops_from_trying_together(void **state)
{
    fail_after(SECOND, START);
    int64_t first = reach.connect_after;
    reach = (Reach){0};
    fail_after(SECOND, START);
    assert_int_not_equal(reach.connect_after, first);
}

static void a_cheap_attempt_is_worth_a_try_within_the_backoff(void **state)
{
    fail_often(10, MILLISECOND);
    assert_int_equal(reach_try_from(&reach), START + 100 * MILLISECOND);
    assert_false(reach_is_worth_a_try(&reach, &known, START + 100 * MILLISECOND - 1));
    assert_true(reach_is_worth_a_try(&reach, &known, START + 100 * MILLISECOND));
    assert_true(START + 100 * MILLISECOND < reach.connect_after);
    fail_after(SECOND, START + SECOND);
    assert_false(reach_is_worth_a_try(&reach, &known, START + 9 * SECOND));
}

static void another_loop_that_reached_it_makes_it_worth_a_try(void **state)
{
    Reach other = {0};
    reach_failed(&other, &known, START - SECOND, START, &chance);
    fail_after(SECOND, START);
    assert_false(reach_is_worth_a_try(&reach, &known, START));
    reach_succeeded(&other, &known);
    assert_int_equal(other.failures, 0);
    assert_int_equal(other.connect_after, 0);
    assert_true(reach_is_worth_a_try(&reach, &known, START));
    fail_after(SECOND, START + SECOND); /* it was tried, and is not back for this loop */
    assert_false(reach_is_worth_a_try(&reach, &known, START + SECOND));
}

static void what_was_not_down_is_no_news(void **state)
{
    Reach other = {0};
    fail_after(SECOND, START);
    reach_succeeded(&other, &known);
    assert_false(reach_is_worth_a_try(&reach, &known, START));
}

#define reach_test(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        reach_test(what_was_never_tried_may_be_tried),
        reach_test(the_backoff_doubles_to_its_limit),
        reach_test(attempts_that_are_refused_at_once_come_more_often),
        reach_test(the_backoff_of_each_failure_is_known),
        reach_test(a_burst_is_one_failure),
        reach_test(chance_keeps_loops_from_trying_together),
        reach_test(a_cheap_attempt_is_worth_a_try_within_the_backoff),
        reach_test(another_loop_that_reached_it_makes_it_worth_a_try),
        reach_test(what_was_not_down_is_no_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
