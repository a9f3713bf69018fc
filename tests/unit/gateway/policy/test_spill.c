#include "tests/unit/check.h"

#include "gateway/policy/spill.h"

static void none_leave_while_enough_is_up(void **state)
{
    assert_int_equal(spill_share(10, 10, 70, 50), 0);
    assert_int_equal(spill_share(7, 10, 70, 50), 0);
    assert_int_equal(spill_share(1, 1, 100, 50), 0);
}

static void below_the_threshold_the_missing_part_leaves(void **state)
{
    assert_int_equal(spill_share(6, 10, 70, 50), 15); /* 6 of the 7 that would be enough: 85 stay */
    assert_int_equal(spill_share(5, 10, 100, 100), 50);
    assert_int_equal(spill_share(699, 1000, 70, 50), 1);
}

static void never_more_than_the_bound_leave(void **state)
{
    assert_int_equal(spill_share(1, 10, 70, 50), 50);
    assert_int_equal(spill_share(0, 10, 70, 50), 50);
    assert_int_equal(spill_share(0, 10, 70, 100), 100);
    assert_int_equal(spill_share(0, 10, 70, 0), 0);
}

static void so_many_per_cent_leave_evenly(void **state)
{
    for (uint32_t share = 0; share <= 100; share++) {
        uint32_t turn = 0, left = 0;
        for (uint32_t n = 1; n <= 1000; n++) {
            left += spill_next(&turn, share);
            assert_int_equal(left, n * share / 100);
        }
    }
}

static void of_keys_always_the_same_leave(void **state)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t key = i * 0x9e3779b9u;
        left += spill_key(key, 20);
        assert_true(!spill_key(key, 20) || spill_key(key, 21)); /* a larger share takes more */
        assert_false(spill_key(key, 0));
        assert_true(spill_key(key, 100));
    }
    assert_in_range(left, 19500, 20500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_leave_while_enough_is_up),
        cmocka_unit_test(below_the_threshold_the_missing_part_leaves),
        cmocka_unit_test(never_more_than_the_bound_leave),
        cmocka_unit_test(so_many_per_cent_leave_evenly),
        cmocka_unit_test(of_keys_always_the_same_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
