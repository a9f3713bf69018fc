#include "adapters/text/ratio.h"

#include "tests/unit/check.h"

#include <math.h>

static const Ratio in_thousands = {1, 1000}, thousandfold = {1000, 1};

static bool is_whole(double number, Ratio ratio, int64_t nearest, int64_t cut, bool exact)
{
    RatioWhole whole;
    return ratio_whole(number, ratio, false, &whole) && whole.nearest == nearest &&
           whole.cut == cut && whole.exact == exact;
}

static void the_nearest_floating_number_comes_back_as_the_same_whole_one(void **state)
{
    (void)state;
    for (int64_t i = -5000; i < 5000; i++) {
        double seconds = ratio_nearest(i, in_thousands, false);
        assert_true(seconds == (double)i / 1000);
        assert_true(is_whole(seconds, thousandfold, i, i, true));
    }
    assert_true(ratio_nearest(1001, in_thousands, false) == 1.001);
    assert_false(1.001 * 1000 == 1001); /* which is why it is not that simple */
}

static void what_is_between_two_whole_numbers_is_not_exact(void **state)
{
    (void)state;
    assert_true(is_whole(1.0011, thousandfold, 1001, 1001, false));
    assert_true(is_whole(1.0019, thousandfold, 1002, 1001, false));
    assert_true(is_whole(-1.0019, thousandfold, -1002, -1001, false));
    assert_true(is_whole(0.0005, thousandfold, 1, 0, false)); /* half away from zero */
    assert_true(is_whole(1e-300, thousandfold, 0, 0, false));
    assert_true(is_whole(5e-324, in_thousands, 0, 0, false));
    assert_true(is_whole(nextafter(1.001, 2), thousandfold, 1001, 1001, false));
    assert_true(is_whole(nextafter(1.001, 0), thousandfold, 1001, 1000, false));
    assert_true(is_whole(2500, in_thousands, 3, 2, false));
    assert_true(is_whole(0, thousandfold, 0, 0, true));
    assert_true(is_whole(-0.0, thousandfold, 0, 0, true));
}

static void nothing_is_rounded_twice(void **state)
{
    (void)state;
    Wide wide = ((Wide)1 << 53) + 1;
    /* Halfway between two doubles, and a little above: the quotient is rounded as a whole. */
    assert_true(ratio_nearest(wide, (Ratio){1, 1}, false) == 9007199254740992.0);
    assert_true(ratio_nearest(wide * 1000 + 1, (Ratio){1, 1000}, false) == 9007199254740994.0);
    assert_true(ratio_nearest(UINT64_MAX, (Ratio){1, 1}, false) == 18446744073709551616.0);
    assert_true(ratio_nearest(UINT64_MAX, (Ratio){INT64_MAX, 1}, false) == 0x1p127);
    assert_true(ratio_nearest(1, (Ratio){1, INT64_MAX}, false) == 0x1p-63);
    assert_true(ratio_nearest(-1, (Ratio){1, 3}, true) == (double)(-1.0f / 3));
    assert_true(
        is_whole(9223372036854774784.0, (Ratio){1, 1}, INT64_MAX - 1023, INT64_MAX - 1023, true));
}

static void what_no_whole_number_can_hold_is_refused(void **state)
{
    (void)state;
    RatioWhole whole;
    assert_false(ratio_whole(INFINITY, thousandfold, false, &whole));
    assert_false(ratio_whole(-INFINITY, thousandfold, false, &whole));
    assert_false(ratio_whole(NAN, thousandfold, false, &whole));
    assert_false(ratio_whole(1e300, thousandfold, false, &whole));
    assert_false(ratio_whole(1e300, in_thousands, false, &whole));
    assert_true(ratio_whole(1e30, thousandfold, false, &whole));
    assert_true(whole.nearest > (Wide)UINT64_MAX);
}

static void a_float_has_fewer_digits_to_come_back_from(void **state)
{
    (void)state;
    RatioWhole whole;
    double single = ratio_nearest(1001, in_thousands, true);
    assert_true(single == (double)1.001f);
    assert_true(ratio_whole(single, thousandfold, true, &whole) && whole.exact &&
                whole.nearest == 1001);
    assert_true(ratio_whole(single, thousandfold, false, &whole) && !whole.exact);
    /* Halfway between two that both become it. */
    assert_true(ratio_whole(763657.3125, thousandfold, true, &whole) && whole.exact &&
                whole.nearest == 763657313);
    assert_true(ratio_whole(16777215, (Ratio){1, 1}, true, &whole) && whole.exact);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_floating_number_comes_back_as_the_same_whole_one),
        cmocka_unit_test(what_is_between_two_whole_numbers_is_not_exact),
        cmocka_unit_test(nothing_is_rounded_twice),
        cmocka_unit_test(what_no_whole_number_can_hold_is_refused),
        cmocka_unit_test(a_float_has_fewer_digits_to_come_back_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
