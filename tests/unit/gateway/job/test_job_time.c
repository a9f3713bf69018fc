#include "gateway/job/job_time.h"

#include "tests/unit/check.h"

#define START (INT64_C(1700000000) * SECOND)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

static JobTime begun(void)
{
    JobTime time = {0};
    assert_int_equal(job_time_look(&time, START, 5 * SECOND), START);
    return time;
}

static void time_passes_as_the_clock_says(void **state)
{
    JobTime time = begun();
    for (int64_t passed = 0; passed <= HOUR; passed += 7 * SECOND)
        assert_int_equal(job_time_look(&time, START + passed, 5 * SECOND + passed), START + passed);
}

/* How much time has passed in an hour in which a clock has jumped by so much. */
static int64_t hour_with_jump(int64_t jump)
{
    JobTime time = begun();
    int64_t told = START;
    for (int64_t passed = 0; passed <= HOUR; passed += SECOND) {
        int64_t next = job_time_look(&time, START + jump + passed, 5 * SECOND + passed);
        assert_true(next >= told);
        told = next;
    }
    return told - START;
}

static void a_jump_is_followed_slowly_forwards_and_backwards(void **state)
{
    assert_int_equal(hour_with_jump(0), HOUR);
    assert_int_equal(hour_with_jump(2 * HOUR), HOUR + HOUR / 10);
    assert_int_equal(hour_with_jump(-2 * HOUR), HOUR - HOUR / 10);
    assert_int_equal(hour_with_jump(8 * DAY), HOUR + HOUR / 10);
    assert_int_equal(hour_with_jump(60 * SECOND), HOUR + 60 * SECOND); /* it is there */
    assert_int_equal(hour_with_jump(-60 * SECOND), HOUR - 60 * SECOND);
}

static void a_clock_that_is_set_for_the_first_time_is_believed(void **state)
{
    JobTime time = begun();
    int64_t limit = START + JOB_TIME_FOLLOWS;
    assert_int_equal(job_time_look(&time, limit, 5 * SECOND), START);
    assert_int_equal(job_time_look(&time, limit + 1, 5 * SECOND), limit + 1);
    assert_int_equal(job_time_look(&time, START, 5 * SECOND), START);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_passes_as_the_clock_says),
        cmocka_unit_test(a_jump_is_followed_slowly_forwards_and_backwards),
        cmocka_unit_test(a_clock_that_is_set_for_the_first_time_is_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
