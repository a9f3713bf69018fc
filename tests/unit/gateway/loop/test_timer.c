#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/loop/timer.h"

#include <stdlib.h>

typedef struct Alarm {
    Timer timer;
    int n_fired;
    int64_t fired_at;
    bool running; /* what the model thinks */
} Alarm;

static TimerWheel wheel;
static int64_t now;

static void note(Timer *timer)
{
    Alarm *alarm = (Alarm *)timer;
    alarm->n_fired++;
    alarm->fired_at = now;
    alarm->running = false;
}

static void a_timer_fires_once_when_its_time_has_come(void **state)
{
    Alarm alarm = {.timer.fire = note};
    now = 5 * SECOND + 300;
    timer_wheel_init(&wheel, now);
    assert_int_equal(timer_wheel_wait(&wheel, now), -1);

    timer_start(&wheel, &alarm.timer, now + 3 * MILLISECOND);
    assert_true(timer_running(&alarm.timer));
    now += 3 * MILLISECOND;
    timer_wheel_run(&wheel, now - 1);
    assert_int_equal(alarm.n_fired, 0);
    now += MILLISECOND;
    timer_wheel_run(&wheel, now);
    assert_int_equal(alarm.n_fired, 1);
    assert_false(timer_running(&alarm.timer));
    timer_wheel_run(&wheel, now + SECOND);
    assert_int_equal(alarm.n_fired, 1);
}

static void a_time_that_has_passed_fires_in_the_next_run(void **state)
{
    Alarm alarm = {.timer.fire = note};
    now = 7 * SECOND;
    timer_wheel_init(&wheel, now);
    timer_start(&wheel, &alarm.timer, now - SECOND);
    assert_int_equal(timer_wheel_wait(&wheel, now), 0);
    timer_wheel_run(&wheel, now);
    assert_int_equal(alarm.n_fired, 1);
}

static void a_stopped_timer_does_not_fire(void **state)
{
    Alarm a = {.timer.fire = note}, b = {.timer.fire = note};
    now = 0;
    timer_wheel_init(&wheel, now);
    timer_start(&wheel, &a.timer, SECOND);
    timer_start(&wheel, &b.timer, SECOND);
    timer_stop(&wheel, &a.timer);
    timer_stop(&wheel, &a.timer);
    assert_int_not_equal(timer_wheel_wait(&wheel, now), -1);
    timer_stop(&wheel, &b.timer);
    assert_int_equal(timer_wheel_wait(&wheel, now), -1);
    timer_wheel_run(&wheel, 2 * SECOND);
    assert_int_equal(a.n_fired + b.n_fired, 0);
}

static Alarm twins[2];

static void stop_the_other(Timer *timer)
{
    timer_stop(&wheel, &twins[timer == &twins[0].timer].timer);
    note(timer);
}

static void firing_may_stop_another_of_the_same_moment(void **state)
{
    now = 0;
    timer_wheel_init(&wheel, now);
    for (int i = 0; i < 2; i++) {
        twins[i] = (Alarm){.timer.fire = stop_the_other};
        timer_start(&wheel, &twins[i].timer, SECOND);
    }
    timer_wheel_run(&wheel, SECOND);
    assert_int_equal(twins[0].n_fired + twins[1].n_fired, 1);
    assert_int_equal(timer_wheel_wait(&wheel, SECOND), -1);
}

static void again(Timer *timer)
{
    note(timer);
    timer_start(&wheel, timer, timer->when + 10 * MILLISECOND);
}

static void a_timer_may_start_itself_again(void **state)
{
    Alarm alarm = {.timer.fire = again};
    now = 0;
    timer_wheel_init(&wheel, now);
    timer_start(&wheel, &alarm.timer, 10 * MILLISECOND);
    for (now = 0; now <= SECOND; now += MILLISECOND)
        timer_wheel_run(&wheel, now);
    assert_int_equal(alarm.n_fired, 100);
}

static int64_t random_distance(void)
{
    static const int64_t scale[] = {2 * MILLISECOND, 60 * MILLISECOND,
                                    5 * SECOND,      400 * SECOND,
                                    86400 * SECOND,  INT64_C(40) * 86400 * SECOND};
    return (int64_t)((double)scale[rand() % 6] * rand() / RAND_MAX);
}

/* The trivially right twin: a look at every timer. */
static void compare_with_a_list(Alarm *alarms, size_t n)
{
    int64_t wait = timer_wheel_wait(&wheel, now), earliest = INT64_MAX;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(timer_running(&alarms[i].timer), alarms[i].running);
        if (alarms[i].running && alarms[i].timer.when < earliest)
            earliest = alarms[i].timer.when;
    }
    if (earliest == INT64_MAX) {
        assert_int_equal(wait, -1);
        return;
    }
    assert_true(wait >= 0);
    int64_t rounded = (earliest + MILLISECOND - 1) / MILLISECOND * MILLISECOND;
    assert_true(now + wait <= (rounded > now ? rounded : now)); /* never late */
}

static void random_timers_fire_as_in_a_list(void **state)
{
    enum { N = 200, ROUNDS = 20000 };
    Alarm *alarms = calloc(N, sizeof(*alarms));
    srand(4711);
    now = INT64_C(1073741) * SECOND; /* just below 2^30 ms, where the highest level turns over */
    timer_wheel_init(&wheel, now);
    for (size_t i = 0; i < N; i++)
        alarms[i].timer.fire = note;

    for (int round = 0; round < ROUNDS; round++) {
        Alarm *alarm = &alarms[rand() % N];
        if (rand() % 4 == 0) {
            timer_stop(&wheel, &alarm->timer);
            alarm->running = false;
        } else {
            timer_start(&wheel, &alarm->timer, now + random_distance() - 5 * MILLISECOND);
            alarm->running = true;
        }
        if (rand() % 3)
            continue;
        now += rand() % 50 ? random_distance() / 100 : random_distance();
        bool due[N];
        int before[N];
        for (size_t i = 0; i < N; i++) {
            due[i] = alarms[i].running && alarms[i].timer.when <= now / MILLISECOND * MILLISECOND;
            bool early = alarms[i].running && alarms[i].timer.when > now;
            before[i] = early ? alarms[i].n_fired : -1;
        }
        timer_wheel_run(&wheel, now);
        for (size_t i = 0; i < N; i++) {
            if (due[i])
                assert_false(alarms[i].running);
            if (before[i] >= 0)
                assert_int_equal(alarms[i].n_fired, before[i]);
        }
        compare_with_a_list(alarms, N);
    }
    free(alarms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timer_fires_once_when_its_time_has_come),
        cmocka_unit_test(a_time_that_has_passed_fires_in_the_next_run),
        cmocka_unit_test(a_stopped_timer_does_not_fire),
        cmocka_unit_test(firing_may_stop_another_of_the_same_moment),
        cmocka_unit_test(a_timer_may_start_itself_again),
        cmocka_unit_test(random_timers_fire_as_in_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
