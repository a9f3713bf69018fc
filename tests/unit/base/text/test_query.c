#include "base/text/query.h"
#include "tests/unit/check.h"

static void names_and_values_come_one_by_one(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes query = bytes_of("client=a+b%26c&limit=10&again&=x&&last=1=2");
    static const struct {
        const char *name, *value;
    } rows[] = {{"client", "a b&c"}, {"limit", "10"}, {"again", ""}, {"", "x"}, {"last", "1=2"}};
    QueryPair pair;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(query_next(&query, arena, &pair));
        assert_true(pair.good);
        assert_bytes(pair.name, rows[i].name);
        assert_bytes(pair.value, rows[i].value);
    }
    assert_false(query_next(&query, arena, &pair));
    arena_free(arena);
}

static void a_value_that_cannot_be_decoded_is_none(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes query = bytes_of("a=%4&b=%41");
    QueryPair pair;
    assert_true(query_next(&query, arena, &pair));
    assert_false(pair.good);
    assert_bytes(pair.name, "a");
    assert_bytes(pair.value, "");
    assert_true(query_next(&query, arena, &pair) && pair.good);
    assert_bytes(pair.value, "A");
    arena_free(arena);
}

static void nothing_has_no_pairs(void **state)
{
    static const char *const empty[] = {"", "&", "&&&"};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    QueryPair pair;
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        Bytes query = bytes_of(empty[i]);
        assert_false(query_next(&query, arena, &pair));
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_values_come_one_by_one),
        cmocka_unit_test(a_value_that_cannot_be_decoded_is_none),
        cmocka_unit_test(nothing_has_no_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
