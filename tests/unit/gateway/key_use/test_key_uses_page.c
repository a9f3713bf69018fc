#include "gateway/key_use/key_uses_page.h"

#include "base/clock.h"
#include "tests/unit/check.h"

#define DAY (24 * 3600 * SECOND)

static const char *page_of(const KeyRow *rows, uint32_t n, const KeyNode *nodes, uint32_t n_nodes,
                           Arena *arena)
{
    Buffer out = buffer_in(arena);
    key_uses_page_write(rows, n, nodes, n_nodes, 90 * DAY, 100 * DAY, &out);
    return arena_text(arena, buffer_bytes(&out));
}

static void each_key_has_its_gateways(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    const KeyRow rows[] = {
        {.name = "aa", .id = "key_1", .since = DAY, .last = 99 * DAY, .calls = 5},
        {.name = "bb", .since = 50 * DAY},
    };
    const KeyNode nodes[] = {
        {.key = bytes_of("a9"), .node = bytes_of("gone"), .calls = 9},
        {.key = bytes_of("aa"), .node = bytes_of("gw1"), .last = 99 * DAY, .calls = 3},
        {.key = bytes_of("aa"), .node = bytes_of("gw2"), .last = 98 * DAY, .calls = 2},
        {.key = bytes_of("ab"), .node = bytes_of("gone"), .calls = 9},
        {.key = bytes_of("bb"), .node = bytes_of("gw1")},
    };
    assert_string_equal(
        page_of(rows, 2, nodes, 5, arena),
        "{\"keys\":[{\"key\":\"aa\",\"id\":\"key_1\",\"since\":\"1970-01-02T00:00:00Z\","
        "\"last\":\"1970-04-10T00:00:00Z\",\"calls\":5,\"unused\":false,\"gateways\":["
        "{\"node\":\"gw1\",\"last\":\"1970-04-10T00:00:00Z\",\"calls\":3},"
        "{\"node\":\"gw2\",\"last\":\"1970-04-09T00:00:00Z\",\"calls\":2}]},"
        "{\"key\":\"bb\",\"since\":\"1970-02-20T00:00:00Z\",\"calls\":0,\"unused\":false,"
        "\"gateways\":[]}],\"as_of\":\"1970-04-11T00:00:00Z\"}");
    arena_free(arena);
}

static void a_key_is_unused_so_long_after_its_last_use_or_since_it_is_known(void **state)
{
    static const struct {
        int64_t since, last;
        bool unused;
    } cases[] = {
        {10 * DAY, 0, true},        {10 * DAY + 1, 0, false}, {DAY, 10 * DAY, true},
        {DAY, 10 * DAY + 1, false}, {20 * DAY, DAY, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        KeyRow row = {.name = "aa", .since = cases[i].since, .last = cases[i].last};
        const char *page = page_of(&row, 1, NULL, 0, arena);
        assert_non_null(strstr(page, cases[i].unused ? "\"unused\":true" : "\"unused\":false"));
        arena_free(arena);
    }
}

static void without_keys_the_page_is_empty(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    assert_string_equal(page_of(NULL, 0, NULL, 0, arena),
                        "{\"keys\":[],\"as_of\":\"1970-04-11T00:00:00Z\"}");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_has_its_gateways),
        cmocka_unit_test(a_key_is_unused_so_long_after_its_last_use_or_since_it_is_known),
        cmocka_unit_test(without_keys_the_page_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
