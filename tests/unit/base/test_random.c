#include "tests/unit/check.h"

#include "base/random.h"

static void the_same_seed_gives_the_same_numbers(void **state)
{
    Random a, b, c;
    random_seed_fixed(&a, 7);
    random_seed_fixed(&b, 7);
    random_seed_fixed(&c, 8);
    bool differs = false;
    for (int i = 0; i < 100; i++) {
        uint64_t number = random_next(&a);
        assert_int_equal(number, random_next(&b));
        differs |= number != random_next(&c);
    }
    assert_true(differs);
}

/* The first outputs for the state {1, 2, 3, 4}, as its authors' own program gives them. */
static void the_generator_is_xoshiro256_starstar(void **state)
{
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
    Random random = {{1, 2, 3, 4}};
    for (int i = 0; i < 4; i++)
        assert_int_equal(random_next(&random), expected[i]);
}

static void the_system_seeds_each_generator_differently(void **state)
{
    Random a, b;
    random_seed(&a);
    random_seed(&b);
    assert_int_not_equal(random_next(&a), random_next(&b));
}

static void numbers_below_an_end_are_even(void **state)
{
    Random random;
    int counts[6] = {0};
    random_seed_fixed(&random, 3);
    for (int i = 0; i < 60000; i++)
        counts[random_below(&random, 6)]++;
    for (int i = 0; i < 6; i++)
        assert_in_range(counts[i], 9500, 10500);
    assert_int_equal(random_below(&random, 1), 0);
    assert_int_equal(random_below(&random, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_numbers),
        cmocka_unit_test(the_generator_is_xoshiro256_starstar),
        cmocka_unit_test(the_system_seeds_each_generator_differently),
        cmocka_unit_test(numbers_below_an_end_are_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
