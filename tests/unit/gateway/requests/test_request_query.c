#include "tests/unit/check.h"

#include "base/arena.h"
#include "gateway/requests/request_query.h"

#define RECORD                                                                                     \
    "{\"time\":\"2026-11-30T10:45:17.638Z\",\"level\":\"info\",\"request_id\":\"da2b\","           \
    "\"client\":\"a \\\"b\\\"\",\"path\":\"/v1/orders/7\",\"service\":\"orders\","                 \
    "\"client_version\":\"v1\",\"served_version\":\"v3\",\"losses\":1,\"lost\":\"Order.note\"}"

static bool fits(const char *query, const char *record)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    RequestQuery read;
    assert_ok(arena, request_query_read(bytes_of(query), arena, &read));
    bool does = request_query_fits(&read, bytes_of(record));
    arena_free(arena);
    return does;
}

static void a_record_fits_what_it_has(void **state)
{
    static const char *const queries[] = {
        "",          "id=da2b",      "client=a+%22b%22",    "service=orders&version=v1&served=v3",
        "lost=true", "text=orders/", "text=note&lost=true", "lost=false&failed=false",
        "text="};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        assert_true(fits(queries[i], RECORD));
}

static void a_record_does_not_fit_what_it_has_not(void **state)
{
    static const char *const queries[] = {
        "id=da2",      "client=a",      "service=order",           "version=v3", "served=v1",
        "failed=true", "text=orders/8", "lost=true&service=stock", "client="};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        assert_false(fits(queries[i], RECORD));
}

static void what_a_value_quotes_is_no_member(void **state)
{
    const char *record =
        "{\"level\":\"info\",\"path\":\"\\\"client\\\":\\\"ada\\\",\\\"lost\\\":\\\"\"}";
    assert_false(fits("client=ada", record));
    assert_false(fits("lost=true", record));
    assert_true(fits("text=%22client%22:%22ada%22", record));
    assert_false(fits("text=%22level%22:%22info%22", record));
}

static void the_number_of_calls_is_limited(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    RequestQuery read;
    assert_ok(arena, request_query_read(BYTES_NONE, arena, &read));
    assert_int_equal(read.limit, REQUESTS_LISTED);
    assert_ok(arena, request_query_read(bytes_of("limit=1"), arena, &read));
    assert_int_equal(read.limit, 1);
    assert_ok(arena, request_query_read(bytes_of("limit=1000"), arena, &read));
    assert_int_equal(read.limit, REQUESTS_LISTED_MOST);
    arena_free(arena);
}

static void other_queries_are_refused(void **state)
{
    static const char *const queries[] = {
        "limit=0",
        "limit=1001",
        "limit=",
        "lost=yes",
        "who=ada",
        "text=%4",
        "lost",
        "id=1&id=1&id=1&id=1&id=1&id=1&id=1&id=1&id=1&id=1&id=1&id=1&id=1&id=1&id=1&id=1&id=1"};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    RequestQuery read;
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        assert_fault(request_query_read(bytes_of(queries[i]), arena, &read), FAULT_BAD_VALUE);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_fits_what_it_has),
        cmocka_unit_test(a_record_does_not_fit_what_it_has_not),
        cmocka_unit_test(what_a_value_quotes_is_no_member),
        cmocka_unit_test(the_number_of_calls_is_limited),
        cmocka_unit_test(other_queries_are_refused),
    };
    return cmocka_run_group_tests_name("request_query", tests, NULL, NULL);
}
