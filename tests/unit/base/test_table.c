#include "tests/unit/check.h"

#include "base/table.h"

static void what_was_put_is_found_and_nothing_else(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Table table = table_in(arena);
    assert_null(table_get(&table, bytes_of("k1")));
    for (int i = 0; i < 1000; i++)
        assert_null(
            table_put(&table, bytes_of(arena_printf(arena, "k%d", i)), (void *)(uintptr_t)(i + 1)));
    for (int i = 0; i < 1000; i++)
        assert_int_equal((uintptr_t)table_get(&table, bytes_of(arena_printf(arena, "k%d", i))),
                         i + 1);
    assert_null(table_get(&table, bytes_of("k1000")));

    assert_int_equal((uintptr_t)table_put(&table, bytes_of("k7"), arena), 8);
    assert_int_equal(table.n, 1000);

    size_t at = 0, n = 0;
    while (table_next(&table, &at))
        n++;
    assert_int_equal(n, 1000);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
