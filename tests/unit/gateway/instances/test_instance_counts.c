#include "tests/unit/check.h"

#include "gateway/instances/instance_counts.h"

static KnownInstance *known;
static InstanceCounts one, other; /* of two loops */

static int fresh(void **state)
{
    Instance instance = {.address = {.text = "10.0.0.1:7001", .host = "10.0.0.1", .port = 7001}};
    known = known_instance_of(&instance);
    memset(&one, 0, sizeof one);
    memset(&other, 0, sizeof other);
    instance_counts_join(&one, known);
    instance_counts_join(&other, known);
    return 0;
}

static int end(void **state)
{
    instance_counts_leave(&one);
    instance_counts_leave(&other);
    known_instance_unref(known);
    return 0;
}

static void ended(InstanceCounts *counts, AttemptVerdict verdict, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        instance_attempt_ended(counts, verdict, 0, 1000 * SECOND);
}

static void assert_look(double calls, double failures, uint32_t row)
{
    uint32_t found;
    Sample sample = known_instance_look(known, &found);
    assert_true(sample.calls == calls && sample.failures == failures);
    assert_int_equal(found, row);
}

static void a_look_sums_all_loops_since_the_last_one(void **state)
{
    assert_look(0, 0, 0);
    ended(&one, ATTEMPT_GOOD, 3);
    ended(&other, ATTEMPT_FAILED, 2);
    ended(&one, ATTEMPT_UNJUDGED, 4);
    assert_look(5, 2, 2);
    assert_look(0, 0, 0);
    ended(&other, ATTEMPT_GOOD, 1);
    assert_look(1, 0, 0);
}

static void what_runs_is_counted_over_all_loops_and_their_ends(void **state)
{
    instance_attempt_begins(&one);
    instance_attempt_begins(&one);
    instance_attempt_begins(&other);
    assert_int_equal(known_instance_running(known), 3);
    instance_counts_leave(&other);
    memset(&other, 0, sizeof other);
    instance_counts_join(&other, known);
    assert_int_equal(known_instance_running(known), 3);
    instance_attempt_leaves(&other, known); /* that of the loop's earlier counts */
    assert_int_equal(known_instance_running(known), 2);
    instance_attempt_leaves(NULL, known);
    instance_attempt_leaves(&one, known);
    assert_int_equal(known_instance_running(known), 0);
    instance_attempt_begins(NULL);
    assert_int_equal(known_instance_running(known), 0);
}

static void an_instance_is_called_from_its_first_attempt_on(void **state)
{
    assert_false(known_instance_called(known));
    instance_attempt_begins(&one);
    assert_true(known_instance_called(known));
    instance_attempt_leaves(&one, known);
    ended(&one, ATTEMPT_UNJUDGED, 1);
    assert_false(known_instance_called(known));
    ended(&one, ATTEMPT_GOOD, 1);
    assert_true(known_instance_called(known));
    instance_counts_leave(&one);
    assert_true(known_instance_called(known));
    memset(&one, 0, sizeof one);
    instance_counts_join(&one, known);
}

static void only_silence_is_a_call_too(void **state)
{
    ended(&one, ATTEMPT_UNANSWERED, 1);
    assert_true(known_instance_called(known));
}

/* Nor does it end a row of failures. */
static void what_was_not_answered_in_time_is_no_call(void **state)
{
    ended(&one, ATTEMPT_FAILED, 2);
    ended(&other, ATTEMPT_UNANSWERED, 3);
    ended(&one, ATTEMPT_FAILED, 1);
    uint32_t row;
    Sample sample = known_instance_look(known, &row);
    assert_true(sample.calls == 3 && sample.failures == 3 && sample.unanswered == 3);
    assert_int_equal(row, 3);
    instance_counts_leave(&other);
    memset(&other, 0, sizeof other);
    instance_counts_join(&other, known);
    ended(&other, ATTEMPT_UNANSWERED, 1);
    sample = known_instance_look(known, &row);
    assert_true(sample.calls == 0 && sample.unanswered == 1);
}

static void what_a_loop_counted_stays_when_it_leaves(void **state)
{
    ended(&one, ATTEMPT_GOOD, 3);
    instance_counts_leave(&one);
    ended(&other, ATTEMPT_GOOD, 1);
    memset(&one, 0, sizeof one);
    instance_counts_join(&one, known);
    ended(&one, ATTEMPT_FAILED, 1);
    assert_look(5, 1, 1);
}

static void a_row_is_of_all_loops_and_ends_with_a_good_call(void **state)
{
    ended(&one, ATTEMPT_FAILED, 3);
    ended(&other, ATTEMPT_FAILED, 3);
    assert_look(6, 6, 6);
    ended(&one, ATTEMPT_FAILED, 1);
    assert_look(1, 1, 7); /* it goes on */
    ended(&one, ATTEMPT_FAILED, 1);
    ended(&other, ATTEMPT_GOOD, 1);
    ended(&one, ATTEMPT_FAILED, 2);
    assert_look(4, 3, 8); /* the longest one */
    ended(&one, ATTEMPT_FAILED, 1);
    assert_look(1, 1, 3);
}

static void what_tells_nothing_ends_no_row(void **state)
{
    ended(&one, ATTEMPT_FAILED, 2);
    ended(&one, ATTEMPT_UNJUDGED, 1);
    ended(&one, ATTEMPT_FAILED, 1);
    assert_look(3, 3, 3);
}

static void a_row_can_be_forgotten(void **state)
{
    ended(&one, ATTEMPT_FAILED, 4);
    known_instance_forget_row(known);
    assert_look(4, 4, 0);
    ended(&one, ATTEMPT_FAILED, 1);
    assert_look(1, 1, 1);
}

static void calls_that_break_off_together_are_one(void **state)
{
    int64_t now = 1000 * SECOND;
    for (int i = 0; i < 10; i++)
        instance_attempt_ended(i % 2 ? &one : &other, ATTEMPT_LOST, 0, now);
    assert_look(1, 1, 1);
    instance_attempt_ended(&one, ATTEMPT_LOST, 0, now + MILLISECOND - 1);
    assert_look(0, 0, 0);
    instance_attempt_ended(&one, ATTEMPT_LOST, 0, now + MILLISECOND);
    assert_look(1, 1, 2);
}

static void the_mean_time_is_right_within_6_percent(void **state)
{
    static const int64_t times[] = {
        1, 1000, 1536, 5 * MILLISECOND, 7 * MILLISECOND, SECOND, 59 * SECOND, 3600 * SECOND};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        uint32_t row;
        instance_attempt_ended(&one, ATTEMPT_GOOD, times[i], 0);
        Sample sample = known_instance_look(known, &row);
        assert_true(sample.timed == 1);
        double mean = sample_time(&sample), time = (double)times[i];
        assert_true(mean > time * 0.94 && mean < time * 1.06);
        assert_true(sample.log_squares == sample.log_sum * sample.log_sum);
    }
}

static void calls_without_a_time_are_counted_without_it(void **state)
{
    uint32_t row;
    instance_attempt_ended(&one, ATTEMPT_GOOD, 0, 0);
    instance_attempt_ended(&one, ATTEMPT_UNJUDGED, SECOND, 0); /* it was given up */
    Sample sample = known_instance_look(known, &row);
    assert_true(sample.calls == 1 && sample.timed == 1);
}

#define counts_test(f) cmocka_unit_test_setup_teardown(f, fresh, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        counts_test(a_look_sums_all_loops_since_the_last_one),
        counts_test(what_runs_is_counted_over_all_loops_and_their_ends),
        counts_test(an_instance_is_called_from_its_first_attempt_on),
        counts_test(only_silence_is_a_call_too),
        counts_test(what_was_not_answered_in_time_is_no_call),
        counts_test(what_a_loop_counted_stays_when_it_leaves),
        counts_test(a_row_is_of_all_loops_and_ends_with_a_good_call),
        counts_test(what_tells_nothing_ends_no_row),
        counts_test(a_row_can_be_forgotten),
        counts_test(calls_that_break_off_together_are_one),
        counts_test(the_mean_time_is_right_within_6_percent),
        counts_test(calls_without_a_time_are_counted_without_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
