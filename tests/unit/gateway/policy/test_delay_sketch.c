#include "tests/unit/check.h"

#include "base/clock.h"
#include "base/random.h"
#include "gateway/policy/delay_sketch.h"

static void nothing_is_said_before_there_are_enough(void **state)
{
    DelaySketch sketch = {0};
    for (int i = 1; i < DELAYS_NEEDED; i++)
        delay_sketch_add(&sketch, 20 * MILLISECOND);
    assert_int_equal(sketch.p95, 0);
    delay_sketch_add(&sketch, 20 * MILLISECOND);
    assert_in_range(sketch.p95, 20 * MILLISECOND, 20 * MILLISECOND * 107 / 100 * 2);
}

/* Of evenly distributed delays up to `most`. */
static void check_even(int64_t most)
{
    DelaySketch sketch = {0};
    Random random;
    random_seed_fixed(&random, 95);
    for (int i = 0; i < 20000; i++)
        delay_sketch_add(&sketch, (int64_t)random_below(&random, (uint64_t)most));
    /* A bucket is an eighth of its beginning wide; and there is chance. */
    assert_in_range(sketch.p95, most * 92 / 100, most * 110 / 100);
}

static void the_95th_percentile_is_within_a_bucket(void **state)
{
    for (int64_t most = 5 * MILLISECOND; most < 60 * SECOND; most = most * 3 / 2)
        check_even(most);
}

static void whoever_takes_longest_is_above_it(void **state)
{
    DelaySketch sketch = {0};
    for (int i = 0; i < 10000; i++)
        delay_sketch_add(&sketch, i % 20 ? 10 * MILLISECOND : 500 * MILLISECOND);
    assert_in_range(sketch.p95, 10 * MILLISECOND, 12 * MILLISECOND);
    for (int i = 0; i < 10000; i++)
        delay_sketch_add(&sketch, i % 10 ? 10 * MILLISECOND : 500 * MILLISECOND);
    assert_in_range(sketch.p95, 500 * MILLISECOND, 570 * MILLISECOND);
}

static void it_follows_a_service_that_changes(void **state)
{
    DelaySketch sketch = {0};
    for (int i = 0; i < 100000; i++)
        delay_sketch_add(&sketch, 300 * MILLISECOND);
    for (int i = 0; i < 12000; i++)
        delay_sketch_add(&sketch, 3 * MILLISECOND);
    assert_in_range(sketch.p95, 3 * MILLISECOND, 4 * MILLISECOND);
}

static void any_delay_has_a_place(void **state)
{
    static const int64_t delays[] = {0, 1, 1 << 20, (1 << 20) - 1, 60 * SECOND, INT64_MAX};
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        DelaySketch sketch = {0};
        for (int n = 0; n < DELAYS_NEEDED; n++)
            delay_sketch_add(&sketch, delays[i]);
        assert_in_range(sketch.p95, MILLISECOND, 70 * SECOND);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_before_there_are_enough),
        cmocka_unit_test(the_95th_percentile_is_within_a_bucket),
        cmocka_unit_test(whoever_takes_longest_is_above_it),
        cmocka_unit_test(it_follows_a_service_that_changes),
        cmocka_unit_test(any_delay_has_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
