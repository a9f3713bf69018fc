#include "base/fields.h"

#include "tests/unit/check.h"

static void a_field_that_is_set_is_there_once_and_the_others_keep_their_order(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Fields fields = fields_in(arena);
    fields_set(&fields, "x", bytes_of("1"));
    fields_add_text(&fields, "a", "2");
    fields_add_text(&fields, "x", "3");
    fields_add_text(&fields, "b", "4");
    fields_set(&fields, "x", bytes_of("5"));
    assert_int_equal(fields.n, 3);
    assert_bytes(fields.items[0].name, "a");
    assert_bytes(fields.items[1].name, "b");
    assert_bytes(fields_joined(&fields, "x"), "5");
    fields_add_text(&fields, "cookie", "a=1");
    fields_add_text(&fields, "cookie", "b=2");
    assert_bytes(fields_joined(&fields, "cookie"), "a=1; b=2");
    arena_free(arena);
}

static void a_value_that_cannot_be_copied_is_said_to_be_missing(void **state)
{
    Arena *arena = arena_new(4096);
    Fields fields = fields_in(arena);
    fields_add_text(&fields, "a", "");
    assert_false(fields.full);
    while (arena_alloc(arena, 16))
        continue;
    fields_add_copy(&fields, "b", bytes_of("a value of some length"));
    assert_true(fields.full);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_that_is_set_is_there_once_and_the_others_keep_their_order),
        cmocka_unit_test(a_value_that_cannot_be_copied_is_said_to_be_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
