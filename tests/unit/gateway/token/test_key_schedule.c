#include "tests/unit/check.h"

#include "base/clock.h"
#include "base/random.h"
#include "gateway/token/key_schedule.h"

#define NOW (1000 * SECOND)
#define EVERY (300 * SECOND)

static void a_new_url_is_due_at_once(void **state)
{
    assert_true(key_schedule_is_due(&(KeySchedule){0}, 0, false));
    assert_int_equal(key_schedule_wait(&(KeySchedule){0}, 0), 0);
}

static void the_next_time_is_up_to_a_tenth_earlier(void **state)
{
    static const struct {
        uint64_t random;
        int64_t wait;
    } rows[] = {{0, EVERY}, {EVERY / 10 - 1, EVERY - EVERY / 10 + 1}, {EVERY / 10, EVERY}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        KeySchedule schedule = {0};
        key_schedule_done(&schedule, NOW, true, EVERY, rows[i].random);
        assert_int_equal(schedule.due, NOW + rows[i].wait);
        assert_false(key_schedule_is_due(&schedule, schedule.due - 1, false));
        assert_true(key_schedule_is_due(&schedule, schedule.due, false));
    }
}

static void a_wish_is_met_after_the_pause(void **state)
{
    KeySchedule schedule = {0};
    key_schedule_done(&schedule, NOW, true, EVERY, 0);
    assert_int_equal(key_schedule_wait(&schedule, NOW), KEY_FETCH_PAUSE);
    assert_int_equal(key_schedule_wait(&schedule, NOW + KEY_FETCH_PAUSE - 1), 1);
    assert_false(key_schedule_is_due(&schedule, NOW + KEY_FETCH_PAUSE - 1, true));
    assert_int_equal(key_schedule_wait(&schedule, NOW + KEY_FETCH_PAUSE), 0);
    assert_true(key_schedule_is_due(&schedule, NOW + KEY_FETCH_PAUSE, true));
    assert_false(key_schedule_is_due(&schedule, NOW + KEY_FETCH_PAUSE, false));
}

static void after_a_failure_the_wait_is_shorter_where_it_is_due_sooner(void **state)
{
    KeySchedule schedule = {0};
    key_schedule_done(&schedule, NOW, false, EVERY, 0);
    assert_int_equal(key_schedule_wait(&schedule, NOW), SECOND);
    for (int i = 0; i < 10; i++)
        key_schedule_done(&schedule, NOW, false, EVERY, 0);
    assert_int_equal(key_schedule_wait(&schedule, NOW), KEY_FETCH_PAUSE);
}

static void a_key_may_be_new_if_it_signed_after_the_last_good_fetch_or_shortly_before(void **state)
{
    KeySchedule schedule = {0};
    assert_true(key_schedule_may_be_new(&schedule, 0)); /* nothing is known yet */
    key_schedule_done(&schedule, NOW, true, EVERY, 0);
    assert_true(key_schedule_may_be_new(&schedule, NOW - KEY_FETCH_PAUSE + 1));
    assert_false(key_schedule_may_be_new(&schedule, NOW - KEY_FETCH_PAUSE));
    key_schedule_done(&schedule, NOW + SECOND, false, EVERY, 0); /* which has not shown anything */
    assert_true(key_schedule_may_be_new(&schedule, NOW - KEY_FETCH_PAUSE + 1));
    assert_true(key_schedule_may_be_new(&schedule, INT64_MAX));
}

static void failures_double_the_wait_up_to_the_interval(void **state)
{
    static const int64_t waits[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300};
    KeySchedule schedule = {0};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        key_schedule_done(&schedule, NOW, false, EVERY, 0);
        assert_int_equal(schedule.due, NOW + waits[i] * SECOND);
    }
    for (int i = 0; i < 100; i++)
        key_schedule_done(&schedule, NOW, false, EVERY, 0);
    assert_int_equal(schedule.due, NOW + EVERY);
    key_schedule_done(&schedule, NOW, true, EVERY, 0); /* and one success ends that */
    key_schedule_done(&schedule, NOW, false, EVERY, 0);
    assert_int_equal(schedule.due, NOW + SECOND);
}

static void after_a_failure_it_is_up_to_half_earlier(void **state)
{
    KeySchedule schedule = {0};
    key_schedule_done(&schedule, NOW, false, EVERY, SECOND / 2 - 1);
    assert_int_equal(schedule.due, NOW + SECOND - SECOND / 2 + 1);
}

/* Fetches of a server that is down, as the keeper makes them: it looks every 50 ms. `wanted_every`:
   how often a token names a key that is not known; 0: never. */
static uint32_t fetches_while_down(KeySchedule *schedule, int64_t time, int64_t wanted_every,
                                   Random *random)
{
    int64_t end = NOW + time, last = NOW;
    uint32_t n = 0;
    for (int64_t now = NOW; now < end; now += 50 * MILLISECOND) {
        bool wanted = wanted_every && now % wanted_every == 0;
        if (!key_schedule_is_due(schedule, now, wanted))
            continue;
        assert_true(now - last <= EVERY);
        key_schedule_done(schedule, now, false, EVERY, random_next(random));
        last = now;
        n++;
    }
    assert_true(end - last <= EVERY);
    return n;
}

static void a_server_that_is_down_for_an_hour_is_asked_now_and_then(void **state)
{
    Random random;
    random_seed_fixed(&random, 18);
    for (int i = 0; i < 20; i++) {
        KeySchedule schedule = {0};
        key_schedule_done(&schedule, NOW - EVERY, true, EVERY, random_next(&random));
        int64_t good = schedule.good;
        uint32_t n = fetches_while_down(&schedule, 3600 * SECOND, 0, &random);
        assert_in_range(n, 9 + 10, 9 + 24); /* up to 256 s, then each 150 s to 300 s */
        assert_int_equal(schedule.good, good);
        /* A token of before is refused, and not told to come again: its key would be there. */
        assert_false(key_schedule_may_be_new(&schedule, good - KEY_FETCH_PAUSE));
        /* Back again: it has its keys within `every`, and then asks as usual. */
        assert_true(schedule.due - (NOW + 3600 * SECOND) <= EVERY);
        key_schedule_done(&schedule, schedule.due, true, EVERY, random_next(&random));
        assert_int_equal(schedule.failures, 0);
    }
}

static void
whoever_invents_keys_has_a_server_that_is_down_asked_once_in_a_pause_at_most(void **state)
{
    Random random;
    random_seed_fixed(&random, 18);
    KeySchedule schedule = {0};
    uint32_t n = fetches_while_down(&schedule, 3600 * SECOND, 50 * MILLISECOND, &random);
    assert_in_range(n, 3600 / 10, 3600 / 10 + 4); /* the first failures come sooner */
}

static void gateways_that_fail_together_do_not_ask_together(void **state)
{
    enum { GATEWAYS = 100, SECONDS = 300 };
    Random random;
    random_seed_fixed(&random, 18);
    uint32_t at[SECONDS + 1] = {0}, most = 0;
    for (int i = 0; i < GATEWAYS; i++) {
        KeySchedule schedule = {.failures = 20};
        key_schedule_done(&schedule, NOW, false, EVERY, random_next(&random));
        at[(schedule.due - NOW) / SECOND]++;
    }
    for (int i = 0; i <= SECONDS; i++) {
        assert_true(i >= 149 || !at[i]);
        most = at[i] > most ? at[i] : most;
    }
    assert_true(most <= 6); /* of 100 over 150 s */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_is_down_for_an_hour_is_asked_now_and_then),
        cmocka_unit_test(
            whoever_invents_keys_has_a_server_that_is_down_asked_once_in_a_pause_at_most),
        cmocka_unit_test(gateways_that_fail_together_do_not_ask_together),
        cmocka_unit_test(after_a_failure_the_wait_is_shorter_where_it_is_due_sooner),
        cmocka_unit_test(a_key_may_be_new_if_it_signed_after_the_last_good_fetch_or_shortly_before),
        cmocka_unit_test(a_new_url_is_due_at_once),
        cmocka_unit_test(the_next_time_is_up_to_a_tenth_earlier),
        cmocka_unit_test(a_wish_is_met_after_the_pause),
        cmocka_unit_test(failures_double_the_wait_up_to_the_interval),
        cmocka_unit_test(after_a_failure_it_is_up_to_half_earlier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
