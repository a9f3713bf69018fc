#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/version/negotiate.h"

static Version versions[3];
static Service service;
static Arena *arena;
static Fields head;

/* v1 ages, v2 and v3 do not; released on the first days of 2024, 2025 and 2026. */
static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    const char *names[] = {"v1", "v2", "v3"};
    int64_t released[] = {1704067200, 1735689600, 1767225600};
    for (uint32_t i = 0; i < 3; i++)
        versions[i] = (Version){
            .name = names[i], .index = i, .service = &service, .released = released[i] * SECOND};
    versions[0].sunset = INT64_C(1800000000) * SECOND;
    static const VersionRule rules[] = {RULE_PATH,       RULE_PREFIX, RULE_HEADER,
                                        RULE_MEDIA_TYPE, RULE_PIN,    RULE_DEFAULT};
    service = (Service){.name = "orders",
                        .versions = versions,
                        .n_versions = 3,
                        .n_rules = 6,
                        .version_header = "api-version",
                        .default_version = &versions[2]};
    memcpy(service.rules, rules, sizeof rules);
    head = fields_in(arena);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static Result ask(const char *name, const char *value, Negotiation *n)
{
    head = fields_in(arena);
    if (name)
        fields_add_text(&head, name, value);
    VersionQuestion question = {
        .service = &service, .head = &head, .wall = INT64_C(1790000000) * SECOND};
    return negotiate(&question, arena, n);
}

static void assert_version(const char *name, const char *value, const char *expected)
{
    Negotiation n;
    assert_ok(arena, ask(name, value, &n));
    assert_string_equal(n.client->name, expected);
}

static void a_header_names_a_version_with_or_without_its_letter(void **state)
{
    assert_version("api-version", "v2", "v2");
    assert_version("api-version", "1", "v1");
    assert_version("api-version", "V1", "v1");
}

static void of_a_list_the_heaviest_known_version_is_taken(void **state)
{
    assert_version("api-version", "v1;q=0.3, v2;q=0.9, v9", "v2");
    assert_version("api-version", "v1;q=0, v3;q=0.1", "v3");
}

static void a_range_means_the_newest_version_in_it(void **state)
{
    assert_version("api-version", ">=v1 <v3", "v2");
    assert_version("api-version", "<v2", "v1");
    assert_version("api-version", "v1..v2", "v2");
    assert_version("api-version", ">v2", "v3");
    Negotiation n;
    assert_fault(ask("api-version", ">v3", &n), FAULT_UNKNOWN_VERSION);
}

static void a_date_means_the_newest_version_not_later(void **state)
{
    assert_version("api-version", "2025-06-01", "v2");
    assert_version("api-version", "2026-01-01", "v3");
    assert_version("api-version", "9999-12-31", "v3");
    Negotiation n;
    assert_fault(ask("api-version", "0001-01-01", &n), FAULT_UNKNOWN_VERSION);
    assert_fault(ask("api-version", "2026-02-30", &n), FAULT_UNKNOWN_VERSION);
    assert_fault(ask("api-version", "2023-12-31", &n), FAULT_UNKNOWN_VERSION);
    assert_fault(ask("api-version", "2025-13-01", &n), FAULT_UNKNOWN_VERSION);
}

static void media_types_may_say_two_versions(void **state)
{
    Negotiation n;
    head = fields_in(arena);
    fields_add_text(&head, "content-type", "application/json; version=1");
    fields_add_text(&head, "accept", "text/html, application/vnd.shop.v2+json");
    VersionQuestion question = {.service = &service, .head = &head};
    assert_ok(arena, negotiate(&question, arena, &n));
    assert_string_equal(n.client->name, "v1");
    assert_string_equal(n.reply->name, "v2");
    assert_string_equal(version_rule_name(n.rule), "media_type");

    assert_version("accept", "application/json; version=\"2\"", "v2");
    assert_version("accept", "application/vnd.api+json", "v3"); /* says none: the default */
    assert_fault(ask("accept", "application/json; version=7", &n), FAULT_UNKNOWN_VERSION);
    assert_string_equal(version_rule_name(n.rule), "media_type");
    assert_null(n.client);
}

static void the_first_rule_that_says_something_decides(void **state)
{
    Negotiation n;
    fields_add_text(&head, "api-version", "v2");
    VersionQuestion question = {.service = &service, .head = &head, .by_path = &versions[0]};
    assert_ok(arena, negotiate(&question, arena, &n));
    assert_string_equal(n.client->name, "v1");
    assert_string_equal(version_rule_name(n.rule), "path");

    service.rules[0] = RULE_HEADER;
    service.rules[2] = RULE_PATH;
    assert_ok(arena, negotiate(&question, arena, &n));
    assert_string_equal(n.client->name, "v2");
}

static void a_pin_comes_before_the_default(void **state)
{
    Table pins = table_in(arena);
    table_put(&pins, bytes_of("panel-7"), &versions[1]);
    service.pins = &pins;
    Negotiation n;
    VersionQuestion question = {
        .service = &service, .head = &head, .identity = bytes_of("panel-7")};
    assert_ok(arena, negotiate(&question, arena, &n));
    assert_string_equal(n.client->name, "v2");
    question.identity = bytes_of("panel-8");
    assert_ok(arena, negotiate(&question, arena, &n));
    assert_string_equal(n.client->name, "v3");
    assert_string_equal(version_rule_name(n.rule), "default");
}

static void an_unknown_version_lists_what_is_supported(void **state)
{
    Negotiation n;
    Result r = ask("api-version", "v7", &n);
    assert_fault(r, FAULT_UNKNOWN_VERSION);
    assert_non_null(strstr(r.error->doing, "v1, v2, v3"));
    service.default_version = NULL;
    assert_fault(ask(NULL, NULL, &n), FAULT_UNKNOWN_VERSION);
}

static void after_its_sunset_a_version_is_gone_and_says_where_to_go(void **state)
{
    Negotiation n;
    fields_add_text(&head, "api-version", "v1");
    VersionQuestion question = {
        .service = &service, .head = &head, .wall = INT64_C(1800000001) * SECOND};
    Result r = negotiate(&question, arena, &n);
    assert_fault(r, FAULT_VERSION_SUNSET);
    assert_non_null(strstr(r.error->doing, "use v2, v3"));
    assert_non_null(strstr(r.error->doing, "since 2027-01-15"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_header_names_a_version_with_or_without_its_letter),
        TEST(of_a_list_the_heaviest_known_version_is_taken),
        TEST(a_range_means_the_newest_version_in_it),
        TEST(a_date_means_the_newest_version_not_later),
        TEST(media_types_may_say_two_versions),
        TEST(the_first_rule_that_says_something_decides),
        TEST(a_pin_comes_before_the_default),
        TEST(an_unknown_version_lists_what_is_supported),
        TEST(after_its_sunset_a_version_is_gone_and_says_where_to_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
