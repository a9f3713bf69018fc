#include "gateway/config/config.h"
#include "tests/unit/check.h"

#include "gateway/loop/config_use.h"

static Config *config_new(void)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Config *config = arena_make(arena, Config);
    config->arena = arena;
    atomic_init(&config->references, 1);
    return config;
}

static unsigned references(Config *config)
{
    return atomic_load(&config->references);
}

static void many_calls_hold_one_reference(void **state)
{
    Config *config = config_new();
    Loop loop = {.config = config};
    for (int i = 0; i < 100; i++)
        assert_ptr_equal(config_use(&loop), config);
    assert_int_equal(references(config), 2);
    for (int i = 0; i < 100; i++)
        config_release(&loop, config);
    assert_int_equal(references(config), 2); /* the next call will want it */
    config_uses_trim(&loop);
    assert_int_equal(references(config), 1);
    assert_null(loop.uses);
    config_unref(config);
}

static void an_old_config_goes_with_its_last_call(void **state)
{
    Config *old = config_new(), *next = config_new();
    Loop loop = {.config = old};
    config_use(&loop);
    config_use(&loop);
    loop.config = next;
    config_uses_trim(&loop);
    config_use(&loop);
    assert_int_equal(references(old), 2);
    config_release(&loop, old);
    assert_int_equal(references(old), 2);
    config_release(&loop, old);
    assert_int_equal(references(old), 1);
    assert_int_equal(references(next), 2);
    config_release(&loop, next);
    config_uses_trim(&loop);
    config_unref(old);
    config_unref(next);
}

static void a_call_for_another_one_has_its_config_after_a_reload(void **state)
{
    Config *old = config_new(), *next = config_new();
    Loop loop = {.config = old};
    Config *used = config_use(&loop);
    loop.config = next;
    config_use(&loop);
    assert_ptr_equal(config_use_again(&loop, used), old);
    config_release(&loop, old);
    assert_int_equal(references(old), 2);
    config_release(&loop, old);
    assert_int_equal(references(old), 1);
    config_release(&loop, next);
    config_uses_trim(&loop);
    config_unref(old);
    config_unref(next);
}

static void a_config_that_comes_back_is_counted_right(void **state)
{
    Config *a = config_new(), *b = config_new();
    Loop loop = {.config = a};
    config_use(&loop);
    loop.config = b;
    config_use(&loop);
    loop.config = a;
    config_use(&loop);
    config_release(&loop, a);
    config_release(&loop, a);
    config_release(&loop, b);
    config_uses_trim(&loop);
    assert_int_equal(references(a), 1);
    assert_int_equal(references(b), 1);
    config_unref(a);
    config_unref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_calls_hold_one_reference),
        cmocka_unit_test(an_old_config_goes_with_its_last_call),
        cmocka_unit_test(a_call_for_another_one_has_its_config_after_a_reload),
        cmocka_unit_test(a_config_that_comes_back_is_counted_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
