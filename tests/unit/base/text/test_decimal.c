#include "tests/unit/check.h"

#include "base/random.h"
#include "base/text/decimal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void assert_as_printf(uint64_t number)
{
    char ours[DECIMAL_SIZE], theirs[32];
    size_t size = decimal_write(number, ours);
    assert_int_equal(size, snprintf(theirs, sizeof theirs, "%" PRIu64, number));
    assert_memory_equal(ours, theirs, size);
}

static void numbers_are_written_as_printf_does(void **state)
{
    Random random;
    random_seed_fixed(&random, 8);
    for (uint64_t number = 0; number < 12000; number++)
        assert_as_printf(number);
    for (int i = 0; i < 100000; i++)
        assert_as_printf(random_next(&random) >> random_below(&random, 64));
}

static void powers_of_ten_have_one_digit_more_than_what_is_before(void **state)
{
    for (uint64_t number = 1; number <= UINT64_MAX / 10; number *= 10) {
        assert_as_printf(number - 1);
        assert_as_printf(number);
    }
    assert_as_printf(UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_written_as_printf_does),
        cmocka_unit_test(powers_of_ten_have_one_digit_more_than_what_is_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
