#include "tests/unit/check.h"

#include "gateway/rollout_run/rollout_query.h"

static void each_part_is_read(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    RolloutQuery query;
    assert_ok(arena, rollout_query_read(bytes_of(""), arena, &query));
    assert_int_equal(query.name.size, 0);
    assert_ok(arena, rollout_query_read(bytes_of("name=orders%20build+3.1.0&client=a%26b&"
                                                 "metric=complaints&value=0"),
                                        arena, &query));
    assert_bytes(query.name, "orders build 3.1.0");
    assert_bytes(query.client, "a&b");
    assert_bytes(query.metric, "complaints");
    assert_false(query.bad);
    assert_ok(arena, rollout_query_read(bytes_of("name=orders"), arena, &query));
    assert_true(query.bad);
    assert_ok(arena, rollout_query_read(bytes_of("value=1"), arena, &query));
    assert_true(query.bad);
    arena_free(arena);
}

static void what_it_does_not_take_is_refused(void **state)
{
    static const char *const wrong[] = {"name=",   "name=a&name=b", "to=b",    "name=%2",
                                        "value=2", "value=",        "client=", "metric="};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        RolloutQuery query;
        assert_fault(rollout_query_read(bytes_of(wrong[i]), arena, &query), FAULT_BAD_VALUE);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_is_read),
        cmocka_unit_test(what_it_does_not_take_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
