#include "gateway/policy/patience.h"

#include "base/call.h"
#include "base/clock.h"
#include "tests/unit/check.h"

static bool enough(int64_t given, int64_t allowed, int64_t usual)
{
    return patience_is_enough(&(Patience){given, allowed, usual});
}

static void twice_the_usual_time_is_enough(void **state)
{
    assert_true(enough(20 * MILLISECOND, NO_TIMEOUT, 10 * MILLISECOND));
    assert_false(enough(20 * MILLISECOND - 1, NO_TIMEOUT, 10 * MILLISECOND));
    assert_false(enough(MILLISECOND, 60 * SECOND, 10 * MILLISECOND));
}

static void half_of_what_the_config_allows_is_enough_whatever_is_usual(void **state)
{
    assert_true(enough(500 * MILLISECOND, SECOND, 10 * SECOND));
    assert_false(enough(500 * MILLISECOND - 1, SECOND, 10 * SECOND));
    assert_true(enough(SECOND, SECOND, 0));
}

static void without_a_good_response_no_shorter_time_is_enough(void **state)
{
    assert_false(enough(29 * SECOND, 60 * SECOND, 0));
    assert_false(enough(3600 * SECOND, NO_TIMEOUT, 0));
}

static void the_usual_time_grows_faster_than_it_shrinks(void **state)
{
    int64_t usual = patience_usual(0, 160);
    assert_int_equal(usual, 160);
    assert_int_equal(patience_usual(usual, 200), 170);
    assert_int_equal(patience_usual(usual, 0), 150);
    assert_int_equal(patience_usual(usual, 160), 160);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twice_the_usual_time_is_enough),
        cmocka_unit_test(half_of_what_the_config_allows_is_enough_whatever_is_usual),
        cmocka_unit_test(without_a_good_response_no_shorter_time_is_enough),
        cmocka_unit_test(the_usual_time_grows_faster_than_it_shrinks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
