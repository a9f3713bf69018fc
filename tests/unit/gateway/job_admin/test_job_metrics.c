#include "gateway/job_admin/job_metrics.h"

#include "tests/unit/check.h"

static void begins_are_held_from_as_many_on_as_may_wait_for_another_try(void **state)
{
    static const struct {
        uint64_t retrying;
        uint32_t most;
        bool held;
    } rows[] = {{0, 1, false}, {1, 1, true},   {1, 2, false},        {2, 2, true},
                {3, 2, true},  {99, 0, false}, {UINT64_MAX, 2, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(job_begins_are_held(rows[i].retrying, rows[i].most), rows[i].held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_are_held_from_as_many_on_as_may_wait_for_another_try),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
