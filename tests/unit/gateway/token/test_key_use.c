#include "gateway/token/key_use.h"

#include "tests/unit/check.h"

static const int one_loop, another_loop;

static const uint8_t ada[API_KEY_HASH_SIZE] = {1, 2, 3}, bob[API_KEY_HASH_SIZE] = {1, 2, 4},
                     eve[API_KEY_HASH_SIZE] = {1, 2, 5};

static void uses_of_all_loops_are_added(void **state)
{
    KeyUse *here = key_use_of(&one_loop, ada), *there = key_use_of(&another_loop, ada);
    assert_ptr_not_equal(here, there);
    assert_int_equal(key_used(ada).calls, 0);
    assert_int_equal(key_used(ada).last, 0);
    key_use_count(here, 100);
    key_use_count(there, 300);
    key_use_count(here, 200);
    assert_int_equal(key_used(ada).calls, 3);
    assert_int_equal(key_used(ada).last, 300);
}

/* All three are in one bin. */
static void keys_are_counted_apart(void **state)
{
    key_use_count(key_use_of(&one_loop, bob), 7);
    assert_int_equal(key_used(bob).calls, 1);
    assert_int_equal(key_used(bob).last, 7);
    assert_int_equal(key_used(eve).calls, 0);
}

static void a_loop_goes_on_with_what_it_had(void **state)
{
    KeyUse *first = key_use_of(&one_loop, eve);
    key_use_count(first, 1);
    assert_ptr_equal(key_use_of(&one_loop, eve), first);
    assert_int_equal(key_used(eve).calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uses_of_all_loops_are_added),
        cmocka_unit_test(keys_are_counted_apart),
        cmocka_unit_test(a_loop_goes_on_with_what_it_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
