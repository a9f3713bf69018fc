#include "tests/unit/check.h"

#include "gateway/ledger/request_list.h"

#include <stdio.h>

static const char *const nothing[] = {NULL}, *const clients[] = {"client", NULL};

static void add(RequestRing *ring, int id, int64_t at, const char *client)
{
    char record[80];
    snprintf(record, sizeof record, "{\"request_id\":\"%d\",\"client\":\"%s\"}", id, client);
    request_ring_add(ring, at, bytes_of(record));
}

/* Of two loops with one ring each, where needed; what is written. */
static const char *listed(Arena *arena, const char *query, const RequestRing *one,
                          const RequestRing *other, const char *const *redact)
{
    RequestQuery read;
    assert_ok(arena, request_query_read(bytes_of(query), arena, &read));
    RequestList *list = request_list_new();
    request_list_look(list, one, &read, 2);
    if (other) {
        list->next = request_list_new();
        request_list_look(list->next, other, &read, 2);
    }
    Buffer out = buffer_in(arena);
    request_list_write(list, &read, redact, &out);
    request_list_free(list);
    return arena_printf(arena, "%.*s", BYTES_ARGS(buffer_bytes(&out)));
}

typedef struct Rings {
    RequestRing one, other;
    Arena *arena;
} Rings;

static int set_up(void **state)
{
    static Rings rings;
    request_ring_init(&rings.one, 4096);
    request_ring_init(&rings.other, 4096);
    rings.arena = arena_new(ARENA_UNLIMITED);
    for (int i = 1; i <= 6; i++)
        add(i % 2 ? &rings.one : &rings.other, i, i, i < 5 ? "ada" : "bob");
    *state = &rings;
    return 0;
}

static int tear_down(void **state)
{
    Rings *rings = *state;
    request_ring_free(&rings->one);
    request_ring_free(&rings->other);
    arena_free(rings->arena);
    return 0;
}

static void the_newest_calls_of_all_loops_come_first(void **state)
{
    Rings *r = *state;
    assert_string_equal(listed(r->arena, "limit=3", &r->one, &r->other, nothing),
                        "{\"requests\":[{\"request_id\":\"6\",\"client\":\"bob\"},"
                        "{\"request_id\":\"5\",\"client\":\"bob\"},"
                        "{\"request_id\":\"4\",\"client\":\"ada\"}]}");
}

static void only_those_are_listed_that_fit_and_are_new_enough(void **state)
{
    Rings *r = *state;
    assert_string_equal(listed(r->arena, "client=ada", &r->one, &r->other, nothing),
                        "{\"requests\":[{\"request_id\":\"4\",\"client\":\"ada\"},"
                        "{\"request_id\":\"3\",\"client\":\"ada\"},"
                        "{\"request_id\":\"2\",\"client\":\"ada\"}]}");
    assert_string_equal(listed(r->arena, "client=eve", &r->one, &r->other, nothing),
                        "{\"requests\":[]}");
    assert_string_equal(listed(r->arena, "limit=1&client=ada", &r->one, NULL, nothing),
                        "{\"requests\":[{\"request_id\":\"3\",\"client\":\"ada\"}]}");
}

static void nobody_finds_out_what_is_hidden(void **state)
{
    Rings *r = *state;
    assert_string_equal(listed(r->arena, "client=ada", &r->one, &r->other, clients),
                        "{\"requests\":[]}");
    assert_string_equal(listed(r->arena, "id=6", &r->one, &r->other, clients),
                        "{\"requests\":[{\"request_id\":\"6\",\"client\":\"redacted\"}]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_calls_of_all_loops_come_first, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(only_those_are_listed_that_fit_and_are_new_enough, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(nobody_finds_out_what_is_hidden, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("request_list", tests, NULL, NULL);
}
