#include "tests/unit/check.h"

#include "gateway/telemetry/series.h"

static void the_same_labels_have_the_same_number(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    SeriesSet set = series_set_in(arena, 2);
    uint32_t a = series_number(&set, (const char *[]){"orders", "v1"});
    uint32_t b = series_number(&set, (const char *[]){"orders", "v2"});
    assert_int_not_equal(a, b);
    assert_int_equal(series_number(&set, (const char *[]){"orders", "v1"}), a);
    assert_int_not_equal(series_number(&set, (const char *[]){"ordersv", "1"}), a);
    assert_string_equal(series_text(&set, b, 1), "v2");
    arena_free(arena);
}

static void number_zero_is_without_names(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    SeriesSet set = series_set_in(arena, 2);
    assert_int_equal(series_number(&set, (const char *[]){"", NULL}), 0);
    assert_string_equal(series_text(&set, 0, 0), "");
    arena_free(arena);
}

static void what_comes_after_the_limit_is_the_other_one_and_counted(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    SeriesSet set = series_set_in(arena, 1);
    set.limit = 100;
    for (uint32_t i = SERIES_OTHER + 1; i < 100; i++) {
        const char *label = arena_printf(arena, "%u", i);
        assert_int_equal(series_number(&set, &label), i);
    }
    assert_int_equal(set.beyond, 0);
    assert_int_equal(series_number(&set, (const char *[]){"one more"}), SERIES_OTHER);
    assert_int_equal(series_number(&set, (const char *[]){"7"}), 7);
    assert_int_equal(series_number(&set, (const char *[]){"other"}), SERIES_OTHER);
    assert_int_equal(set.beyond, 1);
    assert_string_equal(series_text(&set, SERIES_OTHER, 0), "other");

    set.limit = 101; /* of another config */
    assert_int_equal(series_number(&set, (const char *[]){"one more"}), 100);
    set.limit = 50; /* what is there stays */
    assert_int_equal(series_number(&set, (const char *[]){"99"}), 99);
    assert_int_equal(series_number(&set, (const char *[]){"two more"}), SERIES_OTHER);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_labels_have_the_same_number),
        cmocka_unit_test(number_zero_is_without_names),
        cmocka_unit_test(what_comes_after_the_limit_is_the_other_one_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
