#include "adapters/diff/schema_diff_internal.h"

#include "base/arena.h"
#include "tests/unit/check.h"

static int setup(void **state)
{
    *state = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static void check(Arena *arena, const char *a, const char *b, int expected)
{
    Words x = words_of(arena, a), y = words_of(arena, b);
    int alike = words_alike(&x, &y);
    if (alike != expected || words_alike(&y, &x) != expected)
        fail_msg("%s and %s: %d, not %d", a, b, alike, expected);
}

static void a_name_is_the_same_in_each_spelling(void **state)
{
    check(*state, "VmImage", "vm_images", 100);
    check(*state, "GPUDriverConfig", "gpu_driver_config", 100);
    check(*state, "addresses", "Address", 100);
    check(*state, "policies", "policy", 100);
}

static void a_word_is_the_same_in_each_form(void **state)
{
    check(*state, "enabled", "enable", 100);
    check(*state, "deploying", "deployed", 100);
    check(*state, "upgradeable", "upgradability", 100);
    check(*state, "time_deleted", "delete_time", 100);
}

static void words_that_are_used_for_each_other_are_the_same(void **state)
{
    check(*state, "relative_url", "relative_uri", 100);
    check(*state, "status", "state", 100);
    check(*state, "max_conf", "maximum_configuration", 100);
}

static void other_words_are_counted(void **state)
{
    check(*state, "max_instances", "max_count", 50);
    check(*state, "create_time", "update_time", 50);
    check(*state, "a", "b", 0);
    check(*state, "", "", 0);
    check(*state, "status", "statistics", 0);
}

static void a_type_has_the_words_of_its_innermost_name_without_a_version(void **state)
{
    Words a = words_of_type(*state, "Instance.DiskType"), b = words_of_type(*state, "DiskTypeV1");
    assert_int_equal(words_alike(&a, &b), 100);
    Words beta = words_of_type(*state, "DiskTypeV1Beta"),
          tested = words_of_type(*state, "DiskBetaType");
    assert_int_equal(words_alike(&a, &beta), 100);
    assert_int_equal(tested.n, 3);
    Words only_version = words_of_type(*state, "V2");
    assert_int_equal(only_version.n, 1);
}

static void a_long_name_is_cut(void **state)
{
    char name[400];
    for (size_t i = 0; i + 1 < sizeof name; i++)
        name[i] = i % 2 ? '_' : 'x';
    name[sizeof name - 1] = '\0';
    assert_int_equal(words_of(*state, name).n, MOST_WORDS);
    memset(name, 'y', sizeof name - 1);
    assert_int_equal(words_of(*state, name).n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_name_is_the_same_in_each_spelling, setup, teardown),
        cmocka_unit_test_setup_teardown(a_word_is_the_same_in_each_form, setup, teardown),
        cmocka_unit_test_setup_teardown(words_that_are_used_for_each_other_are_the_same, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(other_words_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_type_has_the_words_of_its_innermost_name_without_a_version, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_name_is_cut, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
