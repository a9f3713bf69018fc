#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/rollout/rollout_trail.h"

static RolloutTrail trail;

static int clear(void **state)
{
    trail = (RolloutTrail){0};
    return 0;
}

static void see(int64_t second, uint32_t tier, double wealth)
{
    RolloutPoint point = {.at = second * SECOND, .tier = tier, .wealth = wealth};
    rollout_trail_add(&trail, 1, &point);
}

static double greatest(void)
{
    double found = 0;
    for (uint32_t i = 0; i < trail.n; i++)
        found = trail.points[i].wealth > found ? trail.points[i].wealth : found;
    return found;
}

static void what_does_not_change_is_two_points(void **state)
{
    for (int second = 1; second <= 1000; second++)
        see(second, 0, 1);
    assert_int_equal(trail.n, 2);
    assert_int_equal(trail.points[0].at, 1 * SECOND);
    assert_int_equal(trail.points[1].at, 1000 * SECOND);
    see(1001, 0, 2);
    assert_int_equal(trail.n, 3);
    assert_int_equal(trail.points[1].at, 1000 * SECOND); /* where it begins to change */
}

static void it_has_room_for_a_rollout_of_any_length_and_keeps_its_peak(void **state)
{
    for (int second = 0; second < 100000; second++) {
        see(second, 0, second == 31337 ? 9 : second % 3);
        assert_true(trail.n <= ROLLOUT_TRAIL_MOST);
    }
    assert_true(trail.n > ROLLOUT_TRAIL_MOST / 4);
    assert_int_equal(trail.points[0].at, 0);
    assert_int_equal(trail.points[trail.n - 1].at, 99999 * SECOND);
    assert_true(greatest() == 9);
    for (uint32_t i = 1; i < trail.n; i++)
        assert_true(trail.points[i].at > trail.points[i - 1].at);
}

static void tiers_are_not_joined(void **state)
{
    for (int second = 0; second < 10000; second++)
        see(second, (uint32_t)(second / 2500), second % 7);
    for (uint32_t tier = 0; tier < 4; tier++) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < trail.n; i++)
            n += trail.points[i].tier == tier;
        assert_true(n > 1);
    }
    for (uint32_t i = 1; i < trail.n; i++)
        assert_true(trail.points[i].tier >= trail.points[i - 1].tier);
}

static void if_all_are_of_different_tiers_the_oldest_goes(void **state)
{
    for (uint32_t tier = 0; tier <= ROLLOUT_TRAIL_MOST; tier++)
        see(tier, tier, 0);
    assert_int_equal(trail.n, ROLLOUT_TRAIL_MOST);
    assert_int_equal(trail.points[0].tier, 1);
    assert_int_equal(trail.points[trail.n - 1].tier, ROLLOUT_TRAIL_MOST);
}

static void a_clock_that_is_set_back_adds_nothing(void **state)
{
    see(10, 0, 1);
    see(9, 0, 2);
    assert_int_equal(trail.n, 1);
    see(10, 0, 2);
    assert_int_equal(trail.n, 2);
}

static void another_trial_begins_anew(void **state)
{
    see(10, 0, 1);
    see(11, 0, 2);
    RolloutPoint point = {.at = 5 * SECOND};
    rollout_trail_add(&trail, 2, &point);
    assert_int_equal(trail.n, 1);
    assert_int_equal(trail.points[0].at, 5 * SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_does_not_change_is_two_points, clear),
        cmocka_unit_test_setup(it_has_room_for_a_rollout_of_any_length_and_keeps_its_peak, clear),
        cmocka_unit_test_setup(tiers_are_not_joined, clear),
        cmocka_unit_test_setup(if_all_are_of_different_tiers_the_oldest_goes, clear),
        cmocka_unit_test_setup(a_clock_that_is_set_back_adds_nothing, clear),
        cmocka_unit_test_setup(another_trial_begins_anew, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
