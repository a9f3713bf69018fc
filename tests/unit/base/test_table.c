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

static void entries_are_in_the_order_in_which_they_were_added(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Table table = table_in(arena);
    const char *const keys[] = {"b", "a", "", "d", "c", "f", "e"};
    size_t n = sizeof keys / sizeof *keys, at = 0;
    for (size_t i = 0; i < n; i++)
        table_put(&table, bytes_of(keys[i]), arena);
    table_put(&table, bytes_of("a"), state); /* stays where it is */
    for (size_t i = 0; i < n; i++)
        assert_bytes(table_next(&table, &at)->key, keys[i]);
    assert_null(table_next(&table, &at));
    assert_ptr_equal(table_get(&table, bytes_of("a")), state);
    arena_free(arena);
}

static void a_table_with_room_for_its_entries_leaves_nothing_behind(void **state)
{
    for (size_t n = 0; n < 200; n++) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        Table table = table_in(arena);
        table_reserve(&table, n);
        const TableEntry *entries = table.entries;
        for (size_t i = 0; i < n; i++)
            table_put(&table, bytes_of(arena_printf(arena, "%zu", i)), arena);
        assert_ptr_equal(table.entries, entries);
        table_put(&table, bytes_of("one more"), state);
        table_reserve(&table, 1); /* it has that */
        for (size_t i = 0; i < n; i++)
            assert_ptr_equal(table_get(&table, bytes_of(arena_printf(arena, "%zu", i))), arena);
        assert_ptr_equal(table_get(&table, bytes_of("one more")), state);
        assert_int_equal(table.n, n + 1);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found_and_nothing_else),
        cmocka_unit_test(entries_are_in_the_order_in_which_they_were_added),
        cmocka_unit_test(a_table_with_room_for_its_entries_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
