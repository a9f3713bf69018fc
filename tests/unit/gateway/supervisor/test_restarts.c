#include "tests/unit/check.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/supervisor/restarts.h"

static const SupervisorLimits limits = {.restarts = 6,
                                        .steady = 1 * SECOND,
                                        .wait = 100 * MILLISECOND,
                                        .longest = 500 * MILLISECOND,
                                        .prove = 30 * SECOND,
                                        .hung = 0};

static void expect_again(int64_t served, uint32_t *in_row, int64_t wait)
{
    RestartVerdict verdict = restarts_after(&limits, served, in_row);
    assert_true(verdict.again);
    assert_int_equal(verdict.wait, wait);
}

static void the_first_restart_is_at_once_then_the_wait_doubles_up_to_the_longest(void **state)
{
    uint32_t in_row = 0;
    expect_again(-1, &in_row, 0);
    expect_again(-1, &in_row, 100 * MILLISECOND);
    expect_again(0, &in_row, 200 * MILLISECOND);
    expect_again(SECOND - 1, &in_row, 400 * MILLISECOND);
    expect_again(-1, &in_row, 500 * MILLISECOND);
    expect_again(-1, &in_row, 500 * MILLISECOND);
}

static void after_so_many_in_a_row_it_is_given_up(void **state)
{
    uint32_t in_row = 5;
    expect_again(-1, &in_row, 500 * MILLISECOND);
    assert_int_equal(in_row, 6);
    assert_false(restarts_after(&limits, -1, &in_row).again);
    assert_false(restarts_after(&limits, SECOND - 1, &in_row).again);
}

static void one_that_has_served_for_a_while_begins_a_new_row(void **state)
{
    uint32_t in_row = 6;
    expect_again(SECOND, &in_row, 0);
    assert_int_equal(in_row, 1);
    for (int i = 0; i < 100; i++)
        expect_again(SECOND, &in_row, 0);
}

static void one_that_refuses_to_start_is_tried_for_ever_and_ever_more_slowly(void **state)
{
    static const int64_t waits[] = {100,  200,   400,   800,   1600, 3200,
                                    6400, 12800, 25600, 51200, 60000};
    uint32_t refused = 0;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++)
        assert_int_equal(restarts_after_refusal(&limits, &refused), waits[i] * MILLISECOND);
    for (int i = 0; i < 100; i++)
        assert_int_equal(restarts_after_refusal(&limits, &refused), 60 * SECOND);
    refused = UINT32_MAX;
    assert_int_equal(restarts_after_refusal(&limits, &refused), 60 * SECOND);
    assert_int_equal(refused, UINT32_MAX);
    SupervisorLimits slow = limits;
    slow.wait = 90 * SECOND;
    refused = 0;
    assert_int_equal(restarts_after_refusal(&slow, &refused), 60 * SECOND);
}

static void no_restarts_at_all_may_be_demanded(void **state)
{
    SupervisorLimits none = limits;
    uint32_t in_row = 0;
    none.restarts = 0;
    assert_false(restarts_after(&none, 3600 * SECOND, &in_row).again);
    none.restarts = 1;
    none.steady = 0;
    assert_true(restarts_after(&none, 0, &in_row).again);
    assert_true(restarts_after(&none, 0, &in_row).again);
    assert_false(restarts_after(&none, -1, &in_row).again);
}

static void waits_do_not_overflow(void **state)
{
    SupervisorLimits long_ones = {
        .restarts = UINT32_MAX, .wait = INT64_MAX / 2, .longest = INT64_MAX};
    uint32_t in_row = 1;
    assert_int_equal(restarts_after(&long_ones, -1, &in_row).wait, INT64_MAX / 2);
    assert_int_equal(restarts_after(&long_ones, -1, &in_row).wait, INT64_MAX - 1);
    assert_int_equal(restarts_after(&long_ones, -1, &in_row).wait, INT64_MAX);
    in_row = 1000000;
    assert_int_equal(restarts_after(&long_ones, -1, &in_row).wait, INT64_MAX);
}

static void limits_travel_as_a_text(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    SupervisorLimits read = supervisor_limits_default;
    supervisor_limits_write(&limits, &text);
    assert_true(supervisor_limits_read(buffer_bytes(&text), &read));
    assert_memory_equal(&read, &limits, sizeof limits);
    static const char *const wrong[] = {"",
                                        "1 2 3 4 5",
                                        "1 2 3 4 5 x",
                                        "1 2 3 4 5 -6",
                                        "1  2 3 4 5",
                                        "1 2 3 4 5 9223372036854775808"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(supervisor_limits_read(bytes_of(wrong[i]), &read));
    assert_memory_equal(&read, &limits, sizeof limits);
    assert_true(supervisor_limits_read(bytes_of("1 2 3 4 5 9223372036854775807 of later"), &read));
    assert_int_equal(read.hung, INT64_MAX);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_restart_is_at_once_then_the_wait_doubles_up_to_the_longest),
        cmocka_unit_test(after_so_many_in_a_row_it_is_given_up),
        cmocka_unit_test(one_that_has_served_for_a_while_begins_a_new_row),
        cmocka_unit_test(one_that_refuses_to_start_is_tried_for_ever_and_ever_more_slowly),
        cmocka_unit_test(no_restarts_at_all_may_be_demanded),
        cmocka_unit_test(waits_do_not_overflow),
        cmocka_unit_test(limits_travel_as_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
