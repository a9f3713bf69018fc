#include "tests/unit/check.h"

#include "gateway/tally/window.h"

#define PART (5 * SECOND)
#define NOON (INT64_C(1772366400) * SECOND)

static uint64_t minute(const Window *window, int64_t wall)
{
    return window_count(window, WINDOW_MINUTE, wall);
}

static void what_happened_is_counted_until_its_part_is_old(void **state)
{
    Window window = {0};
    window_add(&window, WINDOW_MINUTE, NOON, 3);
    assert_int_equal(minute(&window, NOON), 3);
    assert_int_equal(minute(&window, NOON + WINDOW_MINUTE - 1), 3);
    assert_int_equal(minute(&window, NOON + WINDOW_MINUTE), 0);
}

static void parts_end_one_by_one(void **state)
{
    Window window = {0};
    for (int i = 0; i < WINDOW_PARTS; i++)
        window_add(&window, WINDOW_MINUTE, NOON + i * PART, 1);
    int64_t last = NOON + (WINDOW_PARTS - 1) * PART;
    assert_int_equal(minute(&window, last), 12);
    assert_int_equal(minute(&window, last + PART - 1), 12);
    assert_int_equal(minute(&window, last + PART), 11);
    window_add(&window, WINDOW_MINUTE, last + PART, 1);
    assert_int_equal(minute(&window, last + PART), 12);
    assert_int_equal(minute(&window, last + 12 * PART), 1);
}

static void a_long_silence_forgets_all(void **state)
{
    Window window = {0};
    for (int i = 0; i < WINDOW_PARTS; i++)
        window_add(&window, WINDOW_MINUTE, NOON + i * PART, 1);
    window_add(&window, WINDOW_MINUTE, NOON + WINDOW_DAY, 1);
    assert_int_equal(minute(&window, NOON + WINDOW_DAY), 1);
}

static void what_comes_late_counts_where_it_belongs(void **state)
{
    Window window = {0};
    window_add(&window, WINDOW_MINUTE, NOON, 1);
    window_add(&window, WINDOW_MINUTE, NOON - 11 * PART, 1);
    window_add(&window, WINDOW_MINUTE, NOON - 12 * PART, 1);
    assert_int_equal(minute(&window, NOON), 2);
    assert_int_equal(minute(&window, NOON + PART), 1);
}

static void windows_are_merged_part_by_part(void **state)
{
    Window a = {0}, b = {0}, empty = {0};
    window_add(&a, WINDOW_MINUTE, NOON, 1);
    window_add(&b, WINDOW_MINUTE, NOON - PART, 2);
    window_add(&b, WINDOW_MINUTE, NOON + PART, 4);
    window_merge(&a, &b);
    window_merge(&a, &empty);
    assert_int_equal(minute(&a, NOON + PART), 7);
    assert_int_equal(minute(&a, NOON + 11 * PART), 5);
    assert_int_equal(minute(&a, NOON + 12 * PART), 4);
    window_merge(&empty, &a);
    assert_int_equal(minute(&empty, NOON + PART), 7);
}

static void the_future_is_not_counted_yet(void **state)
{
    Window window = {0};
    window_add(&window, WINDOW_HOUR, NOON + WINDOW_HOUR, 1);
    assert_int_equal(window_count(&window, WINDOW_HOUR, NOON), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_happened_is_counted_until_its_part_is_old),
        cmocka_unit_test(parts_end_one_by_one),
        cmocka_unit_test(a_long_silence_forgets_all),
        cmocka_unit_test(what_comes_late_counts_where_it_belongs),
        cmocka_unit_test(windows_are_merged_part_by_part),
        cmocka_unit_test(the_future_is_not_counted_yet),
    };
    return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
