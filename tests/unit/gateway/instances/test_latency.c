#include "tests/unit/check.h"

#include "gateway/instances/latency.h"

#define START (1000 * SECOND)

static void what_was_never_measured_is_as_fast_as_can_be(void **state)
{
    Latency latency = {0};
    assert_int_equal((int64_t)latency_now(&latency, START), LATENCY_LEAST);
}

static void a_slow_response_counts_at_once(void **state)
{
    Latency latency = {0};
    latency_add(&latency, 20 * MILLISECOND, true, START);
    latency_add(&latency, 900 * MILLISECOND, true, START + SECOND);
    assert_int_equal((int64_t)latency_now(&latency, START + SECOND), 900 * MILLISECOND);
}

static void fast_ones_bring_it_down_over_the_memory(void **state)
{
    Latency latency = {0};
    latency_add(&latency, SECOND, true, START);
    int64_t now = START;
    for (int i = 0; i < 100; i++) /* one memory */
        latency_add(&latency, 10 * MILLISECOND, true, now += LATENCY_MEMORY / 100);
    double one = latency_now(&latency, now); /* as with an EWMA: to about 1/e */
    assert_true(one > 330.0 * MILLISECOND && one < 420.0 * MILLISECOND);
    for (int i = 0; i < 900; i++)
        latency_add(&latency, 10 * MILLISECOND, true, now += LATENCY_MEMORY / 100);
    assert_true(latency_now(&latency, now) < 11.0 * MILLISECOND);
    assert_true(latency_now(&latency, now) > 9.9 * MILLISECOND);
}

static void many_at_one_time_do_not_count_more_than_one(void **state)
{
    Latency latency = {0};
    latency_add(&latency, SECOND, true, START);
    for (int i = 0; i < 1000; i++)
        latency_add(&latency, MILLISECOND, true, START);
    assert_int_equal((int64_t)latency_now(&latency, START), SECOND);
}

static void what_gets_no_calls_is_tried_again(void **state)
{
    Latency latency = {0};
    latency_add(&latency, SECOND, true, START);
    assert_int_equal((int64_t)latency_now(&latency, START + LATENCY_MEMORY), SECOND / 2);
    assert_true(latency_now(&latency, START + 100 * LATENCY_MEMORY) < 11.0 * MILLISECOND);
    assert_int_equal((int64_t)latency_now(&latency, START - SECOND),
                     SECOND); /* no time goes back */
}

static void a_failure_makes_nobody_fast_but_may_make_it_slow(void **state)
{
    Latency latency = {0};
    latency_add(&latency, 100 * MILLISECOND, true, START);
    latency_add(&latency, MICROSECOND, false, START);
    assert_int_equal((int64_t)latency_now(&latency, START), 100 * MILLISECOND);
    latency_add(&latency, MICROSECOND, false, START + LATENCY_MEMORY);
    assert_int_equal((int64_t)latency_now(&latency, START + LATENCY_MEMORY), 50 * MILLISECOND);
    latency_add(&latency, 3 * SECOND, false, START + LATENCY_MEMORY);
    assert_int_equal((int64_t)latency_now(&latency, START + LATENCY_MEMORY), 3 * SECOND);
}

static void assert_less(Burden a, Burden b, bool less)
{
    assert_int_equal(burden_is_less(&a, &b), less);
}

static void of_equally_fast_ones_that_with_fewer_calls_is_better(void **state)
{
    assert_less((Burden){5e6, 3, 1}, (Burden){5e6, 4, 1}, true);
    assert_less((Burden){5e6, 4, 1}, (Burden){5e6, 3, 1}, false);
    assert_less((Burden){5e6, 4, 1}, (Burden){5e6, 4, 1}, false); /* neither */
}

static void latencies_within_a_quarter_are_alike(void **state)
{
    assert_less((Burden){100e6, 0, 1}, (Burden){124e6, 0, 1}, false);
    assert_less((Burden){100e6, 0, 1}, (Burden){125e6, 0, 1}, true);
    assert_less((Burden){124e6, 0, 1}, (Burden){100e6, 1, 1}, true);
    assert_less((Burden){125e6, 1, 1}, (Burden){100e6, 2, 1}, true);  /* 250 against 300 */
    assert_less((Burden){150e6, 1, 1}, (Burden){100e6, 2, 1}, false); /* 300 against 300 */
}

static void a_heavy_one_may_have_more_calls(void **state)
{
    assert_less((Burden){5e6, 5, 2}, (Burden){5e6, 3, 1}, true);
    assert_less((Burden){5e6, 6, 2}, (Burden){5e6, 3, 1}, false);
    assert_less((Burden){5e6, 0, 0.1}, (Burden){5e6, 0, 1},
                false); /* without calls: turns decide */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_never_measured_is_as_fast_as_can_be),
        cmocka_unit_test(a_slow_response_counts_at_once),
        cmocka_unit_test(fast_ones_bring_it_down_over_the_memory),
        cmocka_unit_test(many_at_one_time_do_not_count_more_than_one),
        cmocka_unit_test(what_gets_no_calls_is_tried_again),
        cmocka_unit_test(a_failure_makes_nobody_fast_but_may_make_it_slow),
        cmocka_unit_test(of_equally_fast_ones_that_with_fewer_calls_is_better),
        cmocka_unit_test(latencies_within_a_quarter_are_alike),
        cmocka_unit_test(a_heavy_one_may_have_more_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
