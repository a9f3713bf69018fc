#include "tests/unit/check.h"

#include "gateway/job/job_told.h"

/* Each state at a step, and which number it has if it is told; 0: it is not. */
typedef struct Row {
    JobState state;
    uint32_t step, number;
} Row;

static void check(const Row *rows, size_t n)
{
    uint64_t told = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t before = job_told_number(told);
        bool is_told =
            job_told_next(&told, &(JobPosition){.state = rows[i].state, .step = rows[i].step});
        assert_int_equal(is_told, rows[i].number != 0);
        assert_int_equal(job_told_number(told), is_told ? rows[i].number : before);
    }
}

#define CHECK_ROWS(rows) check(rows, sizeof(rows) / sizeof *(rows))

static void each_state_of_each_step_is_told_and_numbered(void **state)
{
    static const Row rows[] = {{JOB_QUEUED, 0, 1},  {JOB_RUNNING, 0, 2}, {JOB_RUNNING, 1, 3},
                               {JOB_WAITING, 2, 4}, {JOB_RUNNING, 3, 5}, {JOB_DONE, 3, 6}};
    CHECK_ROWS(rows);
}

static void what_is_tried_again_or_polls_runs_and_waits_once(void **state)
{
    static const Row rows[] = {{JOB_RUNNING, 1, 1}, {JOB_WAITING, 1, 2}, {JOB_RUNNING, 1, 0},
                               {JOB_WAITING, 1, 0}, {JOB_RUNNING, 1, 0}, {JOB_RUNNING, 2, 3},
                               {JOB_WAITING, 2, 4}, {JOB_RUNNING, 2, 0}};
    CHECK_ROWS(rows);
}

static void what_is_written_twice_is_told_once(void **state)
{
    static const Row rows[] = {{JOB_UNDOING, 3, 1},
                               {JOB_UNDOING, 3, 0},
                               {JOB_UNDOING, 1, 2},
                               {JOB_UNDONE, 1, 3},
                               {JOB_UNDONE, 1, 0}};
    CHECK_ROWS(rows);
}

static void a_job_that_is_woken_and_fails_again_has_failed_again(void **state)
{
    static const Row rows[] = {{JOB_RUNNING, 0, 1}, {JOB_FAILED, 0, 2}, {JOB_RUNNING, 0, 3},
                               {JOB_WAITING, 0, 4}, {JOB_FAILED, 0, 5}, {JOB_UNDOING, 0, 6},
                               {JOB_FAILED, 0, 7}};
    CHECK_ROWS(rows);
}

static void steps_and_numbers_do_not_mix(void **state)
{
    uint64_t told = 0;
    for (uint32_t i = 0; i < 100000; i++)
        assert_true(job_told_next(&told, &(JobPosition){JOB_UNDOING, .step = i % 2 ? 62 : 0}));
    assert_int_equal(job_told_number(told), 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_of_each_step_is_told_and_numbered),
        cmocka_unit_test(what_is_tried_again_or_polls_runs_and_waits_once),
        cmocka_unit_test(what_is_written_twice_is_told_once),
        cmocka_unit_test(a_job_that_is_woken_and_fails_again_has_failed_again),
        cmocka_unit_test(steps_and_numbers_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
