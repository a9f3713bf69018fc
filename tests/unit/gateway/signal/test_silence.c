#include "gateway/signal/silence.h"

#include "base/clock.h"
#include "tests/unit/check.h"

#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define MONDAY (INT64_C(1767571200) * SECOND) /* 2026-01-05 */

enum { CLIENTS = 12 };

typedef struct Told {
    int n;
    SilenceFound last;
} Told;

static void on_found(void *owner, const SilenceFound *found)
{
    Told *told = owner;
    told->n++;
    told->last = *found;
}

/* Of the first `n` clients those that call, one for each bit: an hour that begins at `wall`. */
static Told hour(Silence *silence, int n, unsigned calling, int64_t wall, bool judge)
{
    static int64_t last[CLIENTS];
    SilenceSeen seen[CLIENTS];
    Told told = {.n = 0};
    for (int i = 0; i < n; i++) {
        last[i] = calling & 1u << i ? wall + HOUR / 2 : last[i];
        seen[i] = (SilenceSeen){(uint64_t)i + 1, last[i]};
    }
    silence_hour(silence, seen, (uint32_t)n, wall, judge, on_found, &told);
    return told;
}

/* Two weeks in which all call in each hour; up to a Monday. */
static Silence usual_silence(int n)
{
    Silence silence = {.n = 0};
    for (int64_t wall = MONDAY - 14 * DAY; wall < MONDAY; wall += HOUR)
        assert_int_equal(hour(&silence, n, ~0u, wall, true).n, 0);
    return silence;
}

static void a_client_that_stays_away_is_found_once(void **state)
{
    Silence silence = usual_silence(3);
    int first = -1, n = 0;
    for (int i = 0; i < 24; i++) {
        Told told = hour(&silence, 3, ~2u, MONDAY + i * HOUR, true);
        first = told.n && first < 0 ? i : first;
        n += told.n;
        if (told.n) {
            assert_int_equal(told.last.client, 2);
            assert_int_equal(told.last.hours, i + 1);
            assert_true(told.last.last == MONDAY - HOUR / 2);
            assert_true(told.last.surprise >= SILENCE_LIMIT);
        }
    }
    assert_int_equal(n, 1);
    assert_in_range(first, 3, 5); /* some hours, not one */
    silence_deinit(&silence);
}

static void hours_in_which_a_client_never_calls_are_no_surprise(void **state)
{
    Silence silence = {.n = 0};
    for (int64_t wall = MONDAY - 14 * DAY; wall < MONDAY; wall += HOUR)
        hour(&silence, 1, season_slot(wall) == 9, wall, true);
    for (int i = 0; i < 9; i++)
        assert_int_equal(hour(&silence, 1, 0, MONDAY + i * HOUR, true).n, 0);
    silence_deinit(&silence);
}

static void who_comes_back_now_and_then_is_waited_for(void **state)
{
    Silence silence = usual_silence(1);
    for (int i = 0; i < 3; i++) /* overcome: just not enough */
        assert_int_equal(hour(&silence, 1, 0, MONDAY + i * HOUR, true).n, 0);
    hour(&silence, 1, 1, MONDAY + 3 * HOUR, true);
    float overcome = silence.clients[0].overcome;
    assert_true(overcome > 0);
    for (int i = 4; i < 24; i++) {
        Told told = hour(&silence, 1, 0, MONDAY + i * HOUR, true);
        if (!told.n)
            continue;
        assert_true(told.last.surprise >= SILENCE_MORE * (double)overcome);
        silence_deinit(&silence);
        return;
    }
    fail_msg("it was never found");
}

static void who_called_again_is_found_again(void **state)
{
    Silence silence = usual_silence(1);
    int n = 0;
    for (int i = 0; i < 8; i++)
        n += hour(&silence, 1, 0, MONDAY + i * HOUR, true).n;
    assert_int_equal(n, 1);
    hour(&silence, 1, 1, MONDAY + 8 * HOUR, true);
    for (int i = 9; i < 40; i++)
        n += hour(&silence, 1, 0, MONDAY + i * HOUR, true).n;
    assert_int_equal(n, 2);
    silence_deinit(&silence);
}

static void where_most_are_silent_it_is_no_client(void **state)
{
    Silence most = usual_silence(CLIENTS), half = usual_silence(CLIENTS);
    Told told = hour(&most, CLIENTS, 0x1f, MONDAY, true); /* 5 of 12 call */
    assert_int_equal(told.n, 1);
    assert_int_equal(told.last.client, 0);
    assert_int_equal(told.last.expected, 12);
    assert_int_equal(told.last.silent, 7);
    for (int i = 1; i < 12; i++)
        assert_int_equal(hour(&most, CLIENTS, 0x1f, MONDAY + i * HOUR, true).n, 0);
    assert_int_equal(hour(&half, CLIENTS, 0x3f, MONDAY, true).n, 0); /* half of them */
    silence_deinit(&most);
    silence_deinit(&half);
}

static void of_few_clients_each_counts(void **state)
{
    Silence silence = usual_silence(SILENCE_EXPECTED - 1);
    int n = 0;
    for (int i = 0; i < 8; i++)
        n += hour(&silence, SILENCE_EXPECTED - 1, 0, MONDAY + i * HOUR, true).n;
    assert_int_equal(n, SILENCE_EXPECTED - 1);
    silence_deinit(&silence);
}

static void hours_that_were_not_watched_say_nothing(void **state)
{
    Silence silence = usual_silence(1);
    for (int i = 0; i < 24; i++)
        assert_int_equal(hour(&silence, 1, 0, MONDAY + i * HOUR, false).n, 0);
    silence_deinit(&silence);
}

static void new_clients_are_not_judged(void **state)
{
    Silence silence = {.n = 0};
    for (int64_t wall = MONDAY; wall < MONDAY + 5 * DAY; wall += HOUR)
        hour(&silence, 1, 1, wall, true);
    for (int64_t wall = MONDAY + 5 * DAY; wall < MONDAY + 7 * DAY; wall += HOUR)
        assert_int_equal(hour(&silence, 1, 0, wall, true).n, 0);
    silence_deinit(&silence);
}

static void who_is_forgotten_is_not_found(void **state)
{
    Silence silence = usual_silence(2);
    silence_forget(&silence, 1);
    silence_forget(&silence, 77);
    assert_int_equal(silence.n, 1);
    assert_int_equal(silence.clients[0].client, 2);
    silence_deinit(&silence);
}

static void memory_is_bounded(void **state)
{
    Silence silence = {.n = 0};
    Told told = {.n = 0};
    for (uint64_t i = 0; i < SILENCE_CLIENTS + 10; i++) {
        SilenceSeen seen = {i + 1, MONDAY + (int64_t)i};
        silence_hour(&silence, &seen, 1, MONDAY, true, on_found, &told);
    }
    assert_int_equal(silence.n, SILENCE_CLIENTS);
    silence_deinit(&silence);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_stays_away_is_found_once),
        cmocka_unit_test(hours_in_which_a_client_never_calls_are_no_surprise),
        cmocka_unit_test(who_comes_back_now_and_then_is_waited_for),
        cmocka_unit_test(who_called_again_is_found_again),
        cmocka_unit_test(where_most_are_silent_it_is_no_client),
        cmocka_unit_test(of_few_clients_each_counts),
        cmocka_unit_test(hours_that_were_not_watched_say_nothing),
        cmocka_unit_test(new_clients_are_not_judged),
        cmocka_unit_test(who_is_forgotten_is_not_found),
        cmocka_unit_test(memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
