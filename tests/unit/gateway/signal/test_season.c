#include "gateway/signal/season.h"

#include "base/clock.h"
#include "tests/unit/check.h"

#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

/* 2026-01-02 was a Friday. */
#define FRIDAY (INT64_C(1767312000) * SECOND)

static void weekends_have_slots_of_their_own(void **state)
{
    assert_int_equal(season_slot(FRIDAY), 0);
    assert_int_equal(season_slot(FRIDAY + DAY - 1), 23);
    assert_int_equal(season_slot(FRIDAY + DAY), 24);
    assert_int_equal(season_slot(FRIDAY + 3 * DAY - 1), 47);
    assert_int_equal(season_slot(FRIDAY + 3 * DAY), 0);
}

/* `days` of the same value in each hour, from a Friday on. */
static Season season_of(int days, double value)
{
    Season season = {.n = 0};
    for (int64_t wall = FRIDAY; wall < FRIDAY + days * DAY; wall += HOUR)
        season_learn(&season, season_slot(wall), value);
    return season;
}

static void a_slot_is_known_after_some_days(void **state)
{
    SeasonUsual usual;
    Season four = season_of(4, 5), five = season_of(5, 5);
    assert_false(season_usual(&four, 3, &usual)); /* Friday and Monday */
    assert_true(season_usual(&five, 3, &usual));
    assert_float_equal(usual.level, 5, 1e-6);
    Season two = season_of(2, 5), three = season_of(3, 5);
    assert_false(season_usual(&two, 27, &usual));
    assert_true(season_usual(&three, 27, &usual));
}

static void the_level_is_that_of_the_same_hour_on_days_before(void **state)
{
    Season season = {.n = 0};
    SeasonUsual usual;
    for (int day = 0; day < 10; day++)
        for (int slot = 0; slot < 24; slot++)
            season_learn(&season, slot, slot < 12 ? 1 : 3);
    assert_true(season_usual(&season, 5, &usual));
    assert_float_equal(usual.level, 1, 1e-6);
    assert_true(season_usual(&season, 20, &usual));
    assert_float_equal(usual.level, 3, 1e-6);
    assert_float_equal(usual.spread, 0, 1e-6);
}

static void one_bad_day_moves_the_level_by_half_a_spread_only(void **state)
{
    Season season = {.n = 0};
    SeasonUsual before, after;
    for (int day = 0; day < 20; day++)
        for (int slot = 0; slot < 24; slot++)
            season_learn(&season, slot, day % 2 ? 9 : 11);
    assert_true(season_usual(&season, 0, &before));
    season_learn(&season, 0, 1e9);
    assert_true(season_usual(&season, 0, &after));
    assert_true(after.level > before.level);
    assert_true(after.level - before.level < 0.6 * before.spread);
}

static void what_was_stored_is_checked(void **state)
{
    Season good = season_of(5, 5), level = good, seen = good, spread = good, n = good;
    assert_true(season_is_sound(&good));
    level.level[7] = (float)(0. / 0.);
    seen.seen[7] = SEASON_MEMORY + 1;
    spread.spread = -1;
    n.n = 201;
    assert_false(season_is_sound(&level));
    assert_false(season_is_sound(&seen));
    assert_false(season_is_sound(&spread));
    assert_false(season_is_sound(&n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weekends_have_slots_of_their_own),
        cmocka_unit_test(a_slot_is_known_after_some_days),
        cmocka_unit_test(the_level_is_that_of_the_same_hour_on_days_before),
        cmocka_unit_test(one_bad_day_moves_the_level_by_half_a_spread_only),
        cmocka_unit_test(what_was_stored_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
