#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/overload/loop_lag.h"

#include <stdlib.h>

#define WALL (INT64_C(1800000000) * SECOND)

static Arena *arena;
static LoopLag *lag;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    lag = calloc(1, sizeof *lag);
    assert_non_null(lag);
    return 0;
}

static int tear_down(void **state)
{
    free(lag);
    arena_free(arena);
    return 0;
}

/* A turn that ends then, in milliseconds. */
static void turn(int64_t ended, int64_t busy, int64_t stood, int64_t waited)
{
    loop_lag_turn(lag, &(LoopTurn){.ended = ended * MILLISECOND,
                                   .busy = busy * MILLISECOND,
                                   .stood = stood * MILLISECOND,
                                   .waited = waited * MILLISECOND});
}

static const char *written(int64_t now)
{
    Buffer out = buffer_in(arena);
    loop_lag_write(lag, 3, now * MILLISECOND, WALL, &out);
    return arena_text(arena, buffer_bytes(&out));
}

static void a_loop_that_did_nothing_has_no_lag(void **state)
{
    assert_string_equal(written(100000), "{\"loop\":3,\"lag_ms\":{\"p50\":0.000,\"p99\":0.000,"
                                         "\"max\":0.000},\"longest\":[]}");
}

static void each_tenth_counts_with_its_longest_turn(void **state)
{
    turn(100000, 2, 0, 0);
    turn(100050, 7, 1, 0);
    turn(100099, 3, 0, 0);
    assert_string_equal(
        written(100100),
        "{\"loop\":3,\"lag_ms\":{\"p50\":0.000,\"p99\":0.000,\"max\":7.000},\"longest\":["
        "{\"at\":\"2027-01-15T07:59:59.900Z\",\"ms\":7.000,\"stood_ms\":1.000}]}");
}

static void who_waits_for_longer_than_the_turn_lags(void **state)
{
    turn(100000, 2, 0, 30);
    assert_non_null(strstr(written(100000), "\"max\":30.000"));
}

static void half_of_the_tenths_are_at_most_the_median(void **state)
{
    for (int i = 0; i < 300; i++)
        turn(100000 + 100 * i, 4, 0, 0);
    assert_non_null(strstr(written(129900), "\"p50\":0.000,\"p99\":4.000"));
    turn(130000, 5, 0, 0);
    assert_non_null(strstr(written(130000), "\"p50\":4.000,\"p99\":4.000,\"max\":5.000"));
}

static void one_tenth_in_a_hundred_is_above_the_99th_percentile(void **state)
{
    for (int i = 0; i < LAG_TENTHS; i++)
        turn(100000 + 100 * i, i < 6 ? 90 : 1, 0, 0);
    assert_non_null(strstr(written(159900), "\"p99\":1.000,\"max\":90.000"));
    turn(100600, 90, 0, 0);
    assert_non_null(strstr(written(159900), "\"p99\":90.000,\"max\":90.000"));
}

static void what_is_older_than_a_minute_is_left_out(void **state)
{
    turn(100000, 9, 0, 0);
    assert_non_null(strstr(written(159999), "\"max\":9.000"));
    assert_non_null(strstr(written(160000), "\"max\":0.000"));
    turn(160000, 1, 0, 0); /* in its place */
    assert_non_null(strstr(written(160000), "\"max\":1.000"));
}

static void the_longest_are_listed(void **state)
{
    for (int i = 1; i <= LAG_LONGEST + 1; i++)
        turn(100000 + 100 * i, i, 0, 0);
    const char *text = written(110000);
    assert_non_null(
        strstr(text, "\"longest\":[{\"at\":\"2027-01-15T07:59:50.600Z\",\"ms\":6.000,"));
    assert_non_null(strstr(text, "\"ms\":2.000"));
    assert_null(strstr(text, "\"ms\":1.000"));
}

static void what_takes_an_hour_is_counted_as_the_most(void **state)
{
    turn(10000000, 3 * 3600000, 0, 0);
    assert_non_null(strstr(written(10000000), "\"max\":4294967.295"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_loop_that_did_nothing_has_no_lag, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_tenth_counts_with_its_longest_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_waits_for_longer_than_the_turn_lags, set_up, tear_down),
        cmocka_unit_test_setup_teardown(half_of_the_tenths_are_at_most_the_median, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_tenth_in_a_hundred_is_above_the_99th_percentile, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_older_than_a_minute_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_longest_are_listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_takes_an_hour_is_counted_as_the_most, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
