#include "gateway/signal/mix.h"

#include "base/clock.h"
#include "tests/unit/check.h"

#include <stdio.h>

#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define MONDAY (INT64_C(1767571200) * SECOND) /* 2026-01-05 */

/* An hour of `calls`, so many of them in v1. */
static bool hour(Mix *mix, uint64_t v1, uint64_t calls, int64_t wall, MixFound *found)
{
    MixCount counts[] = {{bytes_of("v1"), v1}, {bytes_of("v2"), calls - v1}};
    return mix_hour(mix, counts, 2, 50, wall, found);
}

/* Two weeks with a share of v1 of 20 % on weekdays, and 60 % at weekends; up to a Monday. */
static Mix usual_mix(void)
{
    Mix mix = {.n = 0};
    MixFound found;
    for (int64_t wall = MONDAY - 14 * DAY; wall < MONDAY; wall += HOUR)
        assert_false(hour(&mix, season_slot(wall) < 24 ? 2000 : 6000, 10000, wall, &found));
    return mix;
}

static void a_shift_is_found_in_its_second_hour_and_once(void **state)
{
    Mix mix = usual_mix();
    MixFound found;
    assert_false(hour(&mix, 3500, 10000, MONDAY, &found));
    assert_true(hour(&mix, 3500, 10000, MONDAY + HOUR, &found));
    assert_float_equal(found.usual, 0.2, 0.001);
    assert_float_equal(found.now, 0.35, 0.001);
    assert_string_equal(found.version, "v1");
    assert_int_equal(found.calls, 10000);
    assert_true(found.since == MONDAY);
    for (int i = 2; i < 24; i++)
        assert_false(hour(&mix, 3500, 10000, MONDAY + i * HOUR, &found));
}

static void small_shifts_and_single_hours_are_no_news(void **state)
{
    Mix small = usual_mix(), single = usual_mix();
    MixFound found;
    for (int i = 0; i < 24; i++) {
        assert_false(hour(&small, 2990, 10000, MONDAY + i * HOUR, &found));
        assert_false(hour(&single, i % 2 ? 2000 : 4000, 10000, MONDAY + i * HOUR, &found));
    }
    Mix enough = usual_mix();
    assert_false(hour(&enough, 3010, 10000, MONDAY, &found));
    assert_true(hour(&enough, 3010, 10000, MONDAY + HOUR, &found));
}

static void what_is_usual_at_weekends_is_not_on_a_monday(void **state)
{
    Mix mix = usual_mix();
    MixFound found;
    for (int i = 0; i < 48; i++)
        assert_false(hour(&mix, 6000, 10000, MONDAY - 2 * DAY + i * HOUR, &found));
    assert_false(hour(&mix, 6000, 10000, MONDAY, &found));
    assert_true(hour(&mix, 6000, 10000, MONDAY + HOUR, &found));
}

static void few_calls_are_uncertain(void **state)
{
    Mix few = usual_mix(), more = usual_mix();
    MixFound found;
    for (int i = 0; i < 24; i++)
        assert_false(hour(&few, 20, 49, MONDAY + i * HOUR, &found)); /* 40 % */
    assert_false(hour(&few, 24, 60, MONDAY + 24 * HOUR, &found));
    assert_false(hour(&few, 24, 60, MONDAY + 25 * HOUR, &found)); /* chance alone does that */
    assert_false(hour(&more, 4000, 10000, MONDAY, &found));
    assert_true(hour(&more, 4000, 10000, MONDAY + HOUR, &found));
}

static void a_new_version_had_no_calls_before(void **state)
{
    Mix mix = usual_mix();
    MixFound found;
    MixCount counts[] = {{bytes_of("v1"), 1700}, {bytes_of("v2"), 6800}, {bytes_of("v3"), 1500}};
    assert_false(mix_hour(&mix, counts, 3, 50, MONDAY, &found));
    assert_true(mix_hour(&mix, counts, 3, 50, MONDAY + HOUR, &found));
    assert_string_equal(found.version, "v3");
    assert_float_equal(found.usual, 0, 0.001);
}

static void it_is_found_again_when_it_was_usual_in_between(void **state)
{
    Mix mix = usual_mix();
    MixFound found;
    hour(&mix, 3500, 10000, MONDAY, &found);
    assert_true(hour(&mix, 3500, 10000, MONDAY + HOUR, &found));
    hour(&mix, 2000, 10000, MONDAY + 2 * HOUR, &found);
    hour(&mix, 3500, 10000, MONDAY + 3 * HOUR, &found);
    assert_true(hour(&mix, 3500, 10000, MONDAY + 4 * HOUR, &found));
}

static void more_versions_than_there_is_room_for_are_left_out(void **state)
{
    Mix mix = {.n = 0};
    MixFound found;
    char names[MIX_VERSIONS + 4][8];
    MixCount counts[MIX_VERSIONS + 4];
    for (int i = 0; i < MIX_VERSIONS + 4; i++) {
        snprintf(names[i], sizeof names[i], "v%d", i);
        counts[i] = (MixCount){bytes_of(names[i]), 100};
    }
    assert_false(mix_hour(&mix, counts, MIX_VERSIONS + 4, 50, MONDAY, &found));
    assert_int_equal(mix.n, MIX_VERSIONS);
}

static void a_new_version_takes_the_place_of_one_that_nobody_calls(void **state)
{
    Mix mix = {.n = 0};
    MixFound found;
    char names[MIX_VERSIONS + 1][8];
    MixCount counts[MIX_VERSIONS];
    for (int i = 0; i <= MIX_VERSIONS; i++)
        snprintf(names[i], sizeof names[i], "v%d", i);
    for (int i = 0; i < MIX_VERSIONS; i++)
        counts[i] = (MixCount){bytes_of(names[i]), 1000};
    for (int64_t wall = MONDAY - 14 * DAY; wall < MONDAY; wall += HOUR)
        assert_false(mix_hour(&mix, counts, MIX_VERSIONS, 50, wall, &found));
    counts[3] = (MixCount){bytes_of(names[MIX_VERSIONS]), 2000};
    assert_false(mix_hour(&mix, counts, MIX_VERSIONS, 50, MONDAY, &found));
    assert_string_equal(mix.versions[3].name, names[MIX_VERSIONS]);
    assert_true(mix_hour(&mix, counts, MIX_VERSIONS, 50, MONDAY + HOUR, &found));
    assert_string_equal(found.version, names[MIX_VERSIONS]);
    assert_float_equal(found.usual, 0, 0.001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shift_is_found_in_its_second_hour_and_once),
        cmocka_unit_test(small_shifts_and_single_hours_are_no_news),
        cmocka_unit_test(what_is_usual_at_weekends_is_not_on_a_monday),
        cmocka_unit_test(few_calls_are_uncertain),
        cmocka_unit_test(a_new_version_had_no_calls_before),
        cmocka_unit_test(it_is_found_again_when_it_was_usual_in_between),
        cmocka_unit_test(more_versions_than_there_is_room_for_are_left_out),
        cmocka_unit_test(a_new_version_takes_the_place_of_one_that_nobody_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
