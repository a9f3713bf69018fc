#include "gateway/job_run/job_schedule.h"

#include "tests/unit/check.h"

#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define NOON (20000 * DAY + 12 * HOUR)

static void a_period_is_counted_from_1970(void **state)
{
    JobSchedule six = {.every = 6 * HOUR};
    assert_int_equal(job_schedule_before(&six, NOON), NOON);
    assert_int_equal(job_schedule_before(&six, NOON - 1), NOON - 6 * HOUR);
    assert_int_equal(job_schedule_before(&six, NOON + 6 * HOUR - 1), NOON);
    assert_int_equal(job_schedule_after(&six, NOON), NOON + 6 * HOUR);
    assert_int_equal(job_schedule_after(&six, NOON - 1), NOON);
}

static void a_time_of_day_is_once_a_day(void **state)
{
    JobSchedule at_three = {.at = 3 * HOUR};
    int64_t today = 20000 * DAY + 3 * HOUR;
    assert_int_equal(job_schedule_before(&at_three, NOON), today);
    assert_int_equal(job_schedule_before(&at_three, today), today);
    assert_int_equal(job_schedule_before(&at_three, today - 1), today - DAY);
    assert_int_equal(job_schedule_after(&at_three, NOON), today + DAY);
    assert_int_equal(job_schedule_after(&at_three, today - 1), today);
}

static void midnight_is_a_time_of_day(void **state)
{
    JobSchedule midnight = {.at = 0};
    assert_int_equal(job_schedule_before(&midnight, NOON), 20000 * DAY);
    assert_int_equal(job_schedule_after(&midnight, NOON), 20001 * DAY);
}

/* A machine without a battery starts before all of it. */
static void a_clock_before_1970_has_times_too(void **state)
{
    JobSchedule hourly = {.every = HOUR}, at_three = {.at = 3 * HOUR};
    assert_int_equal(job_schedule_before(&hourly, -1), -HOUR);
    assert_int_equal(job_schedule_after(&hourly, -1), 0);
    assert_int_equal(job_schedule_before(&at_three, HOUR), 3 * HOUR - DAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_period_is_counted_from_1970),
        cmocka_unit_test(a_time_of_day_is_once_a_day),
        cmocka_unit_test(midnight_is_a_time_of_day),
        cmocka_unit_test(a_clock_before_1970_has_times_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
