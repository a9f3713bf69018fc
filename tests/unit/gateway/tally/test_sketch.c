#include "tests/unit/check.h"

#include "gateway/tally/sketch.h"

#include <math.h>
#include <string.h>

static void add_from(Sketch *sketch, uint64_t from, uint64_t n)
{
    for (uint64_t i = from; i < from + n; i++)
        sketch_add(sketch, i);
}

static double count_of(uint64_t from, uint64_t n)
{
    Sketch sketch = {{0}};
    add_from(&sketch, from, n);
    return sketch_count(&sketch);
}

static void none_are_none(void **state)
{
    Sketch sketch = {{0}};
    assert_true(sketch_count(&sketch) == 0);
}

/* Two of them share a register now and then. */
static void few_are_nearly_exact(void **state)
{
    for (uint64_t n = 1; n <= 10; n++)
        assert_int_equal(lround(count_of(1000 * n, n)), n);
    for (uint64_t n = 11; n <= 30; n++)
        assert_true(fabs(count_of(1000 * n, n) - (double)n) < 1.5);
}

/* Four standard errors of 1.04 / sqrt(1024), for each size; over all trials of a size the mean is
   right within one. */
static void many_are_right_within_the_error(void **state)
{
    const double error = 1.04 / 32;
    const uint64_t sizes[] = {50, 200, 1000, 2500, 5000, 20000, 100000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        double n = (double)sizes[s], sum = 0;
        for (uint64_t trial = 0; trial < 20; trial++) {
            double count = count_of(trial << 32, sizes[s]);
            assert_true(fabs(count - n) <= 4 * error * n);
            sum += count;
        }
        assert_true(fabs(sum / 20 - n) <= error * n);
    }
}

static void the_same_client_counts_once(void **state)
{
    Sketch sketch = {{0}};
    for (int i = 0; i < 1000; i++)
        sketch_add(&sketch, 7);
    assert_int_equal(lround(sketch_count(&sketch)), 1);
}

static void merged_is_as_if_seen_together(void **state)
{
    Sketch a = {{0}}, b = {{0}}, both = {{0}};
    add_from(&a, 0, 3000);
    add_from(&b, 2000, 3000);
    add_from(&both, 0, 5000);
    sketch_merge(&a, &b);
    assert_memory_equal(&a, &both, sizeof a);
}

static void full_registers_do_no_harm(void **state)
{
    Sketch sketch;
    memset(&sketch, 55, sizeof sketch);
    assert_true(sketch_count(&sketch) > 1e18);
    memset(&sketch, 255, sizeof sketch); /* as only a damaged record can have them */
    assert_true(sketch_count(&sketch) > 1e18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_are_none),
        cmocka_unit_test(few_are_nearly_exact),
        cmocka_unit_test(many_are_right_within_the_error),
        cmocka_unit_test(the_same_client_counts_once),
        cmocka_unit_test(merged_is_as_if_seen_together),
        cmocka_unit_test(full_registers_do_no_harm),
    };
    return cmocka_run_group_tests_name("sketch", tests, NULL, NULL);
}
