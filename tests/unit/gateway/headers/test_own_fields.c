#include "gateway/headers/own_fields.h"

#include "tests/unit/check.h"

#include <string.h>

static Arena *arena;
static Service service;
static Version v1, v2;

static int begin(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    service = (Service){.name = "orders", .version_header = "api-version"};
    v1 = (Version){.name = "v1", .service = &service};
    v2 = (Version){.name = "v2", .service = &service};
    return 0;
}

static int end(void **state)
{
    arena_free(arena);
    return 0;
}

/* What is left of "name: value" lines, in the same spelling. */
static Bytes left_of(OwnFields own, const char *lines)
{
    Fields fields = fields_in(arena);
    Bytes rest = bytes_of(lines), line;
    while (bytes_split(&rest, '\n', &line)) {
        size_t colon = bytes_find(line, ':');
        fields_add(&fields, bytes_slice(line, 0, colon), bytes_slice(line, colon + 2, SIZE_MAX));
    }
    own_fields_remove(&own, &fields);
    Buffer left = buffer_in(arena);
    for (uint32_t i = 0; i < fields.n; i++)
        buffer_printf(&left, "%s%.*s: %.*s", i ? "\n" : "", BYTES_ARGS(fields.items[i].name),
                      BYTES_ARGS(fields.items[i].value));
    return buffer_bytes(&left);
}

#define assert_left(own, lines, expected) assert_bytes(left_of((own), (lines)), expected)

static void what_only_the_gateway_says_goes_and_the_rest_stays_in_order(void **state)
{
    OwnFields own = {.version = &v1, .served = &v1};
    assert_left(
        own,
        "server: x\nx-request-id: 1\nx-request-ids: 2\npasserelle-degraded: yes\nx-request-id: 3\n"
        "passerelle-: 4\npasserelle: 5\napi-version: v9\napi-versions: 6\ndate: today",
        "server: x\nx-request-ids: 2\npasserelle: 5\napi-versions: 6\ndate: today");
}

static void a_trailer_in_a_head_is_what_it_would_be_without_its_prefix(void **state)
{
    OwnFields own = {.version = &v1, .served = &v1};
    assert_left(
        own,
        "trailer-x-request-id: 1\ntrailer-passerelle-lost: a\ntrailer-trailer-api-version: v9\n"
        "trailer-: 2\ntrailer-x: 3",
        "trailer-: 2\ntrailer-x: 3");
}

static void the_version_is_said_under_the_name_that_the_service_has_for_it(void **state)
{
    OwnFields own = {.version = &v1, .served = &v1};
    service.version_header = "x-version";
    assert_left(own, "api-version: 1\nx-version: v9", "api-version: 1");
}

static void a_route_without_versions_has_the_services_own_words_on_them(void **state)
{
    const char *lines =
        "api-version: v9\ndeprecation: @1\nsunset: never\nlink: </>; rel=\"successor-version\"";
    assert_left((OwnFields){0}, lines, lines);
    assert_left((OwnFields){0},
                "x-request-id: 1\npasserelle-lost: 2\ngrpc-previous-rpc-attempts: 3\n"
                "trailer-grpc-previous-rpc-attempts: 3",
                "");
}

static void the_age_of_a_version_is_the_gateways_to_say_where_it_does(void **state)
{
    OwnFields own = {.version = &v1, .served = &v1};
    assert_left(own, "deprecation: @1\nsunset: never", "deprecation: @1\nsunset: never");
    v1.deprecated = 1;
    assert_left(own, "deprecation: @1\nsunset: never", "sunset: never");
    v1.sunset = 1;
    assert_left(own, "deprecation: @1\nsunset: never", "");
    own = (OwnFields){.version = &v2,
                      .served = &v1}; /* what v1's instance says of v1 is not true of v2 */
    assert_left(own, "deprecation: @1\nsunset: never\nlink: </3>; rel=successor-version", "");
}

static void of_links_only_those_to_successors_go(void **state)
{
    OwnFields own = {.version = &v1, .served = &v1};
    assert_left(own, "link: </2>; rel=successor-version", "link: </2>; rel=successor-version");
    v1.successor_link = "https://shop.example/v2";
    static const char *const rows[][2] = {
        {"</2>; rel=\"successor-version\"", ""},
        {"</2>;REL=Successor-Version", ""},
        {"</2>; title=\"a; b, c\"; rel=\"alternate successor-version\"", ""},
        {"</a,b>; rel=next, </2>; rel=\"successor-version\", </c>; rel=prev",
         "</a,b>; rel=next, </c>; rel=prev"},
        {"</a>; title=\"x; rel=successor-version; y\"",
         "</a>; title=\"x; rel=successor-version; y\""},
        {"</a>; title=\"\\\", </2>; rel=successor-version\"",
         "</a>; title=\"\\\", </2>; rel=successor-version\""},
        {"</successor-version>; rel=next ,", "</successor-version>; rel=next ,"},
        {"</2>; rel=\"successor-version", "</2>; rel=\"successor-version"},
        {"<", "<"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *expected = rows[i][1][0] ? arena_printf(arena, "link: %s", rows[i][1]) : "";
        assert_left(own, arena_printf(arena, "link: %s", rows[i][0]), expected);
    }
    assert_left(own, "trailer-link: </2>; rel=successor-version", "");
}

static void there_is_one_cors_policy(void **state)
{
    const char *lines = "access-control-allow-origin: *\naccess-control-max-age: 9";
    assert_left((OwnFields){0}, lines, lines);
    assert_left((OwnFields){.cors = true}, lines, "");
}

static void an_answer_varies_by_each_name_once(void **state)
{
    static const char *const rows[][3] = {
        {"accept", "origin", "accept, origin"},
        {"Accept-Encoding,, accept", "api-version , accept",
         "Accept-Encoding, accept, api-version"},
        {"*", "origin", "*, origin"},
        {"ORIGIN", "origin", "ORIGIN"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Fields fields = fields_in(arena);
        fields_add_text(&fields, "vary", rows[i][0]);
        fields_add_text(&fields, "x", "y");
        fields_add_text(&fields, "vary", rows[i][1]);
        own_fields_merge_vary(&fields);
        assert_int_equal(fields.n, 2);
        assert_bytes(fields_get(&fields, "vary"), rows[i][2]);
    }
    Fields one = fields_in(arena);
    fields_add_text(&one, "vary", "accept,origin");
    own_fields_merge_vary(&one);
    assert_int_equal(one.n, 1);
    assert_bytes(fields_get(&one, "vary"), "accept,origin"); /* as the service says it */
    Fields none = fields_in(arena);
    own_fields_merge_vary(&none);
    assert_int_equal(none.n, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_only_the_gateway_says_goes_and_the_rest_stays_in_order),
        TEST(a_trailer_in_a_head_is_what_it_would_be_without_its_prefix),
        TEST(the_version_is_said_under_the_name_that_the_service_has_for_it),
        TEST(a_route_without_versions_has_the_services_own_words_on_them),
        TEST(the_age_of_a_version_is_the_gateways_to_say_where_it_does),
        TEST(of_links_only_those_to_successors_go),
        TEST(there_is_one_cors_policy),
        TEST(an_answer_varies_by_each_name_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
