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

static const Version *version_named(const char *name)
{
    return &versions[name[1] - '1'];
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

static void an_empty_header_says_nothing(void **state)
{
    static const char *const empty[] = {"", " ", ",", " , ,", ";q=1"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        Negotiation n;
        assert_ok(arena, ask("api-version", empty[i], &n));
        assert_string_equal(version_rule_name(n.rule), "default");
    }
    assert_version("accept", "application/json;version=\"\"", "v3");
    assert_version("content-type", "application/json;version=", "v3");
}

static void a_weight_may_stand_among_other_parameters(void **state)
{
    assert_version("api-version", "v1;note=\"a,b;q=1\";q=0.2, v2;q=0.3;x", "v2");
    assert_version("api-version", "v1, v2", "v1"); /* the first of equals */
    Negotiation n;
    assert_fault(ask("api-version", "v1;q=0", &n), FAULT_UNKNOWN_VERSION);
    assert_fault(ask("api-version", "v1;q=x", &n), FAULT_UNKNOWN_VERSION);
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

/* RFC 9110 section 12.5.1. */
static void of_accepts_alternatives_the_one_wanted_most_counts(void **state)
{
    assert_version("accept", "application/json;version=1;q=0.5, application/json;version=2", "v2");
    assert_version("accept", "application/json;q=0.2;version=1, application/vnd.shop.v2+json;q=0.1",
                   "v1");
    assert_version("accept", "application/json;version=1, application/json;version=2", "v1");
    assert_version("accept", "application/json;version=1;q=0, application/json;version=2", "v2");
    /* An alternative without a version is wanted more, or is there when the others are not. */
    assert_version("accept", "application/json;version=1;q=0.5, application/json", "v3");
    assert_version("accept", "application/json;version=9, */*;q=0.1", "v3");
    assert_version("accept", "application/json;version=9, application/json;version=2;q=0.1", "v2");
    /* One with a version is more specific than an equal one without. */
    assert_version("accept", "application/json, application/json;version=1", "v1");
    assert_version("accept", "*/*, application/vnd.shop.v1+json", "v1");
    assert_version("accept", "application/json;note=\"x, y;version=1\";version=2", "v2");
    assert_version("accept", "text/event-stream;version=2", "v2");
    Negotiation n;
    assert_fault(ask("accept", "application/json;version=9, text/html", &n), FAULT_UNKNOWN_VERSION);
    assert_fault(ask("accept", "application/json;version=9, */*;q=0", &n), FAULT_UNKNOWN_VERSION);
}

static void types_that_nothing_is_spoken_in_say_no_version(void **state)
{
    static const char *const foreign[] = {
        "text/html;version=1",          "application/signed-exchange;v=b3;q=0.7",
        "image/png;version=9",          "application/vnd.shop.v1",
        "application/vnd.shop.v1+xml",  "multipart/form-data;version=1",
        "application/pdf; version=1.7", "text/html, application/xhtml+xml;version=9, image/*",
    };
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        assert_version("accept", foreign[i], "v3");
        assert_version("content-type", foreign[i], "v3");
    }
    assert_version("accept", "text/html;version=9, application/json;version=1", "v1");
    assert_version("content-type", "application/grpc+proto;version=2", "v2");
    assert_version("content-type", "application/PROTO; Version=1", "v1");
    assert_version("content-type", "application/connect+json;version=1", "v1");
}

/* ---- Several words --------------------------------------------------------------------------- */

typedef struct Request {
    const char *path, *prefix, *header, *content_type, *accept; /* NULL: not said */
    const char *client, *reply;                                 /* NULL: VERSION_CONFLICT */
} Request;

static Result ask_all(const Request *request, Negotiation *n)
{
    head = fields_in(arena);
    if (request->header)
        fields_add_text(&head, "api-version", request->header);
    if (request->content_type)
        fields_add_text(&head, "content-type", request->content_type);
    if (request->accept)
        fields_add_text(&head, "accept", request->accept);
    VersionQuestion question = {
        .service = &service,
        .head = &head,
        .wall = INT64_C(1790000000) * SECOND,
        .by_path = request->path ? version_named(request->path) : NULL,
        .by_prefix = request->prefix ? version_named(request->prefix) : NULL,
    };
    return negotiate(&question, arena, n);
}

static void check_all(const Request *requests, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        Negotiation negotiation;
        const Request *request = &requests[i];
        Result r = ask_all(request, &negotiation);
        if (failed(r) != !request->client)
            fail_msg("request %zu: %s", i, failed(r) ? r.error->doing : negotiation.client->name);
        if (failed(r)) {
            assert_fault(r, FAULT_VERSION_CONFLICT);
            assert_true(r.error->told);
            assert_null(negotiation.client);
            continue;
        }
        assert_string_equal(negotiation.client->name, request->client);
        assert_string_equal(negotiation.reply->name, request->reply);
    }
}

#define JSON_V "application/json;version="

static void versions_that_contradict_each_other_are_refused(void **state)
{
    static const Request requests[] = {
        {.path = "v1", .header = "v1", .client = "v1", .reply = "v1"},
        {.path = "v1", .header = "1", .client = "v1", .reply = "v1"},
        {.path = "v1", .header = "v2"},
        {.path = "v1", .header = "v2, v3;q=0.1"},
        {.path = "v1", .header = "v2, v1;q=0.1", .client = "v1", .reply = "v1"},
        {.path = "v1", .header = "v2, v1;q=0"},
        {.path = "v1", .header = ">=v2"},
        {.path = "v1", .header = ">=v1", .client = "v1", .reply = "v1"},
        {.path = "v2", .header = "v1..v2", .client = "v2", .reply = "v2"},
        {.path = "v3", .header = "v1..v2"},
        /* A date is one version. */
        {.path = "v2", .header = "2025-06-01", .client = "v2", .reply = "v2"},
        {.path = "v1", .header = "2025-06-01"},
        {.path = "v1", .header = "", .client = "v1", .reply = "v1"},
        {.path = "v1", .content_type = JSON_V "1", .client = "v1", .reply = "v1"},
        {.path = "v1", .content_type = JSON_V "2"},
        {.path = "v1", .accept = JSON_V "1", .client = "v1", .reply = "v1"},
        {.path = "v1", .accept = JSON_V "2"},
        {.path = "v1", .accept = JSON_V "2, */*;q=0.1", .client = "v1", .reply = "v1"},
        {.path = "v1", .accept = JSON_V "2, " JSON_V "1;q=0.1", .client = "v1", .reply = "v1"},
        {.path = "v1", .accept = "text/html;version=2", .client = "v1", .reply = "v1"},
        {.header = "v2", .accept = JSON_V "2", .client = "v2", .reply = "v2"},
        {.header = "v2", .accept = JSON_V "1"},
        {.header = "v2", .content_type = JSON_V "1"},
        {.path = "v2", .header = "v2", .content_type = JSON_V "2", .client = "v2", .reply = "v2"},
        {.path = "v2", .header = "v2", .content_type = JSON_V "1"},
    };
    check_all(requests, sizeof requests / sizeof *requests);
}

static void content_type_and_accept_may_say_two_versions(void **state)
{
    static const Request requests[] = {
        {.content_type = JSON_V "1", .accept = JSON_V "2", .client = "v1", .reply = "v2"},
        {.path = "v1",
         .content_type = JSON_V "1",
         .accept = JSON_V "2",
         .client = "v1",
         .reply = "v2"},
        {.path = "v2", .content_type = JSON_V "1", .accept = JSON_V "2"},
        {.header = "v1",
         .content_type = JSON_V "1",
         .accept = JSON_V "3",
         .client = "v1",
         .reply = "v3"},
        {.content_type = JSON_V "1",
         .accept = JSON_V "2;q=0.1, */*",
         .client = "v1",
         .reply = "v1"},
    };
    check_all(requests, sizeof requests / sizeof *requests);
    Negotiation n;
    assert_fault(ask_all(&(Request){.content_type = JSON_V "1", .accept = JSON_V "9"}, &n),
                 FAULT_UNKNOWN_VERSION);
    assert_fault(
        ask_all(&(Request){.path = "v1", .content_type = JSON_V "1", .accept = JSON_V "9"}, &n),
        FAULT_UNKNOWN_VERSION);
}

static void of_a_range_that_decides_the_best_is_taken_that_all_allow(void **state)
{
    static const Request requests[] = {
        {.path = "v1", .header = "v1..v3", .client = "v1", .reply = "v1"},
        {.path = "v2", .header = "v3, v2;q=0.5", .client = "v2", .reply = "v2"},
        {.path = "v3", .header = "<v3"},
        {.header = ">=v1", .accept = JSON_V "2", .client = "v2", .reply = "v2"},
        {.header = ">=v1", .accept = JSON_V "1, " JSON_V "2;q=0.5", .client = "v2", .reply = "v2"},
        {.path = "v2", .header = ">=v1", .accept = JSON_V "2", .client = "v2", .reply = "v2"},
        {.path = "v2", .header = ">=v1", .accept = JSON_V "1"},
        {.prefix = "v1", .header = "v1..v3", .client = "v1", .reply = "v1"},
        {.prefix = "v3", .header = "v1..v3", .client = "v3", .reply = "v3"},
        {.prefix = "v2", .header = "v3"},
        {.prefix = "v2", .header = "v1"},
    };
    static const VersionRule rules[] = {RULE_HEADER,     RULE_PATH, RULE_PREFIX,
                                        RULE_MEDIA_TYPE, RULE_PIN,  RULE_DEFAULT};
    memcpy(service.rules, rules, sizeof rules);
    check_all(requests, sizeof requests / sizeof *requests);
}

static void a_contradiction_is_told_with_both_words(void **state)
{
    Negotiation n;
    Result r = ask_all(&(Request){.path = "v1", .header = "v2"}, &n);
    assert_fault(r, FAULT_VERSION_CONFLICT);
    assert_string_equal(r.error->doing, "the path says \"v1\", but api-version says \"v2\"");
    assert_string_equal(version_rule_name(n.rule), "header");
    r = ask_all(&(Request){.header = "v2", .accept = JSON_V "1"}, &n);
    assert_string_equal(r.error->doing, "api-version says \"v2\", but accept says \"" JSON_V "1\"");
    r = ask_all(&(Request){.header = "v2", .content_type = JSON_V "1", .accept = JSON_V "2"}, &n);
    assert_string_equal(r.error->doing, "api-version says \"v2\", but content-type says \"1\"");
}

static void the_first_rule_decides_alone_where_the_service_says_so(void **state)
{
    static const Request requests[] = {
        {.path = "v1", .header = "v2", .client = "v1", .reply = "v1"},
        {.path = "v1", .header = "v9", .client = "v1", .reply = "v1"},
        {.header = "v2", .accept = JSON_V "1", .client = "v2", .reply = "v2"},
        {.path = "v1",
         .content_type = JSON_V "1",
         .accept = JSON_V "2",
         .client = "v1",
         .reply = "v1"},
        {.content_type = JSON_V "1", .accept = JSON_V "2", .client = "v1", .reply = "v2"},
    };
    service.first_on_conflict = true;
    check_all(requests, sizeof requests / sizeof *requests);
    Negotiation n;
    assert_ok(arena, ask_all(&requests[0], &n));
    assert_string_equal(version_rule_name(n.rule), "path");
    service.rules[0] = RULE_HEADER;
    service.rules[2] = RULE_PATH;
    assert_ok(arena, ask_all(&requests[0], &n));
    assert_string_equal(n.client->name, "v2");
    assert_string_equal(version_rule_name(n.rule), "header");
}

/* They are no word of the request's. */
static void a_pin_and_the_default_contradict_nothing(void **state)
{
    Table pins = table_in(arena);
    table_put(&pins, bytes_of("panel-7"), &versions[1]);
    service.pins = &pins;
    Negotiation n;
    fields_add_text(&head, "api-version", "v1");
    VersionQuestion question = {
        .service = &service, .head = &head, .identity = bytes_of("panel-7")};
    assert_ok(arena, negotiate(&question, arena, &n));
    assert_string_equal(n.client->name, "v1");

    service.rules[0] = RULE_PIN;
    service.rules[4] = RULE_PATH;
    assert_ok(arena, negotiate(&question, arena, &n));
    assert_string_equal(n.client->name, "v2");
    assert_string_equal(version_rule_name(n.rule), "pin");
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
    assert_string_equal(r.error->doing,
                        "api-version says \"v7\": the versions of orders are v1, v2, v3");
    char long_text[201];
    memset(long_text, 'x', 200);
    long_text[200] = 0;
    r = ask("api-version", long_text, &n);
    assert_string_equal(r.error->doing,
                        arena_printf(arena,
                                     "api-version says \"%.100s\": the versions of orders are "
                                     "v1, v2, v3",
                                     long_text));
    service.default_version = NULL;
    assert_fault(ask(NULL, NULL, &n), FAULT_UNKNOWN_VERSION);
    assert_int_equal(n.rule, RULE_COUNT);
}

/* What stands before what the request says is not contradicted by it. */
static void a_pin_that_comes_first_decides_alone(void **state)
{
    static const VersionRule rules[] = {RULE_PIN, RULE_HEADER, RULE_DEFAULT};
    memcpy(service.rules, rules, sizeof rules);
    service.n_rules = 3;
    Table pins = table_in(arena);
    table_put(&pins, bytes_of("ada"), &versions[0]);
    service.pins = &pins;
    head = fields_in(arena);
    fields_add_text(&head, "api-version", "v2");
    VersionQuestion question = {.service = &service, .head = &head, .identity = bytes_of("ada")};
    Negotiation n;
    assert_ok(arena, negotiate(&question, arena, &n));
    assert_string_equal(n.client->name, "v1");
    assert_int_equal(n.rule, RULE_PIN);
    head = fields_in(arena); /* not even what no version is called is heard */
    fields_add_text(&head, "content-type", JSON_V "2");
    fields_add_text(&head, "accept", JSON_V "9");
    assert_ok(arena, negotiate(&question, arena, &n));
    assert_string_equal(n.client->name, "v1");
    assert_string_equal(n.reply->name, "v1");
}

/* A bound on one side leaves the other one where it is. */
static void of_a_range_the_newest_is_taken_that_is_still_served(void **state)
{
    versions[0].sunset = 0;
    versions[1].sunset = SECOND;
    assert_version("api-version", "<v3", "v1");
    assert_version("api-version", "<=v2", "v1");
    versions[1].sunset = 0;
    versions[2].sunset = SECOND;
    assert_version("api-version", ">v1", "v2");
    assert_version("api-version", ">=v1", "v2");
    assert_version("api-version", ">=v2 <=v3", "v2");
    assert_version("api-version", "v1..v3", "v2");
}

static void a_response_in_a_version_past_its_sunset_is_refused(void **state)
{
    Negotiation n;
    versions[0].sunset = SECOND;
    assert_fault(ask_all(&(Request){.content_type = JSON_V "2", .accept = JSON_V "1"}, &n),
                 FAULT_VERSION_SUNSET);
    assert_ptr_equal(n.client, &versions[1]);
    assert_ptr_equal(n.reply, &versions[0]);
}

/* There is nothing for it to contradict. */
static void an_unknown_version_beside_a_known_one_is_no_contradiction(void **state)
{
    static const Request requests[] = {
        {.path = "v1", .header = "v7"},
        {.path = "v1", .header = "v7, v8;q=0.5"},
        {.path = "v1", .content_type = JSON_V "7"},
        {.path = "v1", .accept = JSON_V "7"},
        {.header = "v2", .content_type = JSON_V "7"},
        {.header = "v2", .accept = JSON_V "7"},
    };
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        Negotiation n;
        Result r = ask_all(&requests[i], &n);
        assert_fault(r, FAULT_UNKNOWN_VERSION);
        assert_non_null(strstr(r.error->doing, "the versions of orders are v1, v2, v3"));
        assert_null(n.client);
    }
}

static Result ask_later(const char *name, const char *value, Negotiation *n)
{
    head = fields_in(arena);
    fields_add_text(&head, name, value);
    VersionQuestion question = {
        .service = &service, .head = &head, .wall = INT64_C(1800000000) * SECOND};
    return negotiate(&question, arena, n);
}

static void what_only_a_version_past_its_sunset_meets_is_gone(void **state)
{
    static const char *const gone[] = {"v1",     "2024-06-01", "<v2",           "<=v1",
                                       "v1..v1", "v1, v9",     "v1;q=0.5, <v1", "2024-12-31;q=0.1"};
    Negotiation n;
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
        assert_ok(arena, ask("api-version", gone[i], &n)); /* before */
        assert_string_equal(n.client->name, "v1");
        assert_fault(ask_later("api-version", gone[i], &n), FAULT_VERSION_SUNSET);
        assert_string_equal(n.client->name, "v1");
    }
    assert_fault(ask_later("accept", JSON_V "1", &n), FAULT_VERSION_SUNSET);
    assert_fault(ask_later("content-type", JSON_V "1", &n), FAULT_VERSION_SUNSET);

    static const char *const served[] = {"v1, v2;q=0.1", "v1..v2", "<v3", "2025-01-01"};
    for (size_t i = 0; i < sizeof served / sizeof *served; i++) {
        assert_ok(arena, ask_later("api-version", served[i], &n));
        assert_string_equal(n.client->name, "v2");
    }
    assert_ok(arena, ask_later("accept", JSON_V "1, " JSON_V "2;q=0.1", &n));
    assert_string_equal(n.client->name, "v2");
    assert_fault(ask_later("api-version", "2023-12-31", &n), FAULT_UNKNOWN_VERSION);
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
        TEST(an_empty_header_says_nothing),
        TEST(a_weight_may_stand_among_other_parameters),
        TEST(a_range_means_the_newest_version_in_it),
        TEST(a_date_means_the_newest_version_not_later),
        TEST(media_types_may_say_two_versions),
        TEST(of_accepts_alternatives_the_one_wanted_most_counts),
        TEST(types_that_nothing_is_spoken_in_say_no_version),
        TEST(versions_that_contradict_each_other_are_refused),
        TEST(content_type_and_accept_may_say_two_versions),
        TEST(of_a_range_that_decides_the_best_is_taken_that_all_allow),
        TEST(a_contradiction_is_told_with_both_words),
        TEST(the_first_rule_decides_alone_where_the_service_says_so),
        TEST(a_pin_and_the_default_contradict_nothing),
        TEST(a_pin_comes_before_the_default),
        TEST(an_unknown_version_lists_what_is_supported),
        TEST(a_pin_that_comes_first_decides_alone),
        TEST(of_a_range_the_newest_is_taken_that_is_still_served),
        TEST(a_response_in_a_version_past_its_sunset_is_refused),
        TEST(an_unknown_version_beside_a_known_one_is_no_contradiction),
        TEST(what_only_a_version_past_its_sunset_meets_is_gone),
        TEST(after_its_sunset_a_version_is_gone_and_says_where_to_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
