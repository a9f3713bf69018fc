#include "gateway/cohort/key_set.h"

#include "base/random.h"

#include "tests/unit/check.h"

enum { MOST = 256 };

static KeySet one, other;

static int set_up(void **state)
{
    key_set_init(&one, MOST);
    key_set_init(&other, MOST);
    return 0;
}

static int tear_down(void **state)
{
    key_set_deinit(&one);
    key_set_deinit(&other);
    return 0;
}

static void add_random(KeySet *set, uint64_t seed, uint32_t n)
{
    Random random;
    random_seed_fixed(&random, seed);
    for (uint32_t i = 0; i < n; i++)
        key_set_add(set, random_next(&random));
}

static void few_keys_are_counted_exactly(void **state)
{
    assert_true(key_set_add(&one, 7));
    assert_false(key_set_add(&one, 7));
    assert_true(key_set_add(&one, 7 + 16)); /* the same slot */
    assert_true(key_set_has(&one, 7) && key_set_has(&one, 7 + 16));
    assert_false(key_set_has(&one, 8));
    assert_false(key_set_add(&one, 0));
    assert_float_equal(key_set_count(&one), 2, 0);
    assert_float_equal(key_set_error(&one), 0, 0);
}

static void up_to_its_bound_the_count_is_exact(void **state)
{
    enum { SOME_MORE = MOST + MOST / 2 };
    add_random(&one, 1, SOME_MORE);
    assert_float_equal(key_set_count(&one), SOME_MORE, 0);
    add_random(&one, 2, 1);
    assert_int_equal(one.n, MOST);
    assert_true(key_set_error(&one) > 0);
}

static void many_keys_are_estimated_in_bounded_memory(void **state)
{
    enum { MANY = 1000000 };
    add_random(&one, 3, MANY);
    double off = (key_set_count(&one) - MANY) / MANY;
    assert_true(one.n <= MOST + MOST / 2);
    assert_true(one.n_slots <= 4 * MOST);
    assert_true(key_set_error(&one) < 0.07);
    assert_true(off > -4 * key_set_error(&one) && off < 4 * key_set_error(&one));
}

static void a_sum_counts_each_key_once_in_any_order(void **state)
{
    KeySet sum, reverse;
    key_set_init(&sum, MOST);
    key_set_init(&reverse, MOST);
    add_random(&one, 4, 5000);
    add_random(&other, 4, 5000); /* the same ones, */
    add_random(&other, 5, 20);   /* and others */
    key_set_merge(&sum, &one);
    key_set_merge(&sum, &other);
    key_set_merge(&sum, &other);
    key_set_merge(&reverse, &other);
    key_set_merge(&reverse, &one);
    double off = (key_set_count(&sum) - 5020) / 5020;
    assert_true(off > -0.25 && off < 0.25);
    assert_float_equal(key_set_count(&sum), key_set_count(&reverse), 0);
    assert_true(sum.limit == reverse.limit);
    key_set_deinit(&sum);
    key_set_deinit(&reverse);
}

static void keys_are_listed_in_order(void **state)
{
    uint64_t keys[3];
    key_set_add(&one, 30);
    key_set_add(&one, UINT64_MAX);
    key_set_add(&one, 4);
    key_set_list(&one, keys);
    assert_true(keys[0] == 4 && keys[1] == 30 && keys[2] == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(few_keys_are_counted_exactly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(up_to_its_bound_the_count_is_exact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_keys_are_estimated_in_bounded_memory, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_sum_counts_each_key_once_in_any_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_are_listed_in_order, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
