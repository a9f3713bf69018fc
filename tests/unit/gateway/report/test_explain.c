#include "gateway/report/explain.h"
#include "gateway/service/config_load.h"

#include "base/text/json_text.h"
#include "tests/unit/check.h"
#include "tests/unit/gateway/garage.h"

#define REACHED_REFUSED                                                                            \
    "failure   an instance cannot be reached: retry at another instance (the request was not "     \
    "sent)\n"                                                                                      \
    "          an instance refuses the call: retry at another instance, or else the same (the "    \
    "instance refused it without processing it)\n"

static const char text[] =
    GOOD "      - {address: '127.0.0.1:7004', protocol: connect, codec: json, versions: [v1]}\n"
         "    pins: {panel: v2}\n"
         "routes:\n"
         "  - {match: garage.Cars/List, impact: high, timeout: 1500ms, hedge: {after: 50ms}}\n"
         "  - {match: /old/, instances: ['127.0.0.1:80']}\n"
         "rest: {method_override: true}\n";

typedef struct Fixture {
    Arena *arena;
    Config *config;
} Fixture;

static int setup(void **state)
{
    static Fixture f;
    Arena *config_arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(config_arena);
    f.arena = arena_new(ARENA_UNLIMITED);
    assert_ok(f.arena, config_load_text(bytes_of(text), FILES "a.yaml", NULL, config_arena,
                                        &problems, &f.config));
    assert_non_null(f.config);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;
    config_unref(f->config);
    arena_free(f->arena);
    return 0;
}

static ExplainRequest request_of(Fixture *f, const char *verb, const char *path)
{
    return (ExplainRequest){
        .verb = bytes_of(verb), .path = bytes_of(path), .fields = fields_in(f->arena)};
}

static Result told(Fixture *f, const ExplainRequest *request, Buffer *out)
{
    Explained found;
    explain(f->config, request, f->arena, &found);
    explain_text(request, &found, out);
    return found.refused;
}

static void expect(Fixture *f, const ExplainRequest *request, const char *expected)
{
    Buffer out = buffer_in(f->arena);
    assert_ok(f->arena, told(f, request, &out));
    assert_string_equal(without_folder(f->arena, buffer_bytes(&out)), expected);
}

/* Only the line that begins with this word. */
static const char *line_of(Fixture *f, const ExplainRequest *request, const char *word)
{
    Buffer out = buffer_in(f->arena);
    assert_ok(f->arena, told(f, request, &out));
    Bytes rest = buffer_bytes(&out), line;
    while (bytes_split(&rest, '\n', &line))
        if (bytes_start_with(line, word))
            return arena_text(f->arena, line);
    return "";
}

static void a_rest_request_is_explained_to_the_last_field(void **state)
{
    ExplainRequest request = request_of(*state, "GET", "/cars?owner=x");
    expect(*state, &request,
           "version   v1 of garage, by the rule default\n"
           "method    /garage.v1.Cars/List (GET /cars)\n"
           "route     garage.Cars/List (a.yaml:14): impact high, loud, timeout 1s500ms, 2 attempts "
           "at most\n"
           "hedge     a second attempt after 50ms, for 10 % of the running calls\n" REACHED_REFUSED
           "          an instance breaks off: retry at another "
           "instance, or else the same (the method may be repeated)\n"
           "          an instance answers UNAVAILABLE: retry at another instance, or else the same "
           "(the method may be repeated)\n"
           "          an instance answers INTERNAL: respond (another attempt would have the same "
           "result)\n"
           "          an instance lets the deadline pass: fail (no instance is at fault, or none "
           "is left)\n"
           "served    v1, natively: /garage.v1.Cars/List by 127.0.0.1:7004 (connect, json)\n"
           "served    v3, converted: /garage.v3.Cars/List by 127.0.0.1:7003 (grpc, proto)\n"
           "request   ListRequest of v1 as v3's: nothing is lost\n"
           "  1 kept, 0 converted, 0 respelled, 0 defaulted, 0 narrowed, 0 dropped, 0 loud\n"
           "answer    ListResponse of v3 as v1's: not all is kept\n"
           "  defaulted Car.note: stays unset\n"
           "  dropped   Car.colour: it has no counterpart  [v1-v2.yaml:7]\n"
           "  4 kept, 0 converted, 0 respelled, 1 defaulted, 0 narrowed, 1 dropped, 0 loud\n");
}

static void the_rule_that_decides_is_said(void **state)
{
    Fixture *f = *state;
    ExplainRequest request = request_of(f, "POST", "/garage.v3.Cars/Get");
    assert_string_equal(line_of(f, &request, "version"),
                        "version   v3 of garage, by the rule path");
    request = request_of(f, "GET", "/v1/cars/beetle");
    assert_string_equal(line_of(f, &request, "version"),
                        "version   v1 of garage, by the rule prefix");
    request = request_of(f, "GET", "/cars");
    fields_add_text(&request.fields, "api-version", "v2");
    assert_string_equal(line_of(f, &request, "version"),
                        "version   v2 of garage, by the rule header");
    assert_string_equal(line_of(f, &request, "method"),
                        "method    /garage.v2.Cars/List (GET /cars)");
    request = request_of(f, "GET", "/cars");
    request.identity = bytes_of("panel");
    assert_string_equal(line_of(f, &request, "version"), "version   v2 of garage, by the rule pin");
}

static void the_version_with_fewer_losses_is_served_first(void **state)
{
    Fixture *f = *state;
    ExplainRequest request = request_of(f, "POST", "/garage.v2.Cars/Get");
    assert_string_equal(
        line_of(f, &request, "served"),
        "served    v3, converted: /garage.v3.Cars/Get by 127.0.0.1:7003 (grpc, proto)");
}

static void a_path_that_is_passed_through_is_said(void **state)
{
    ExplainRequest request = request_of(*state, "GET", "/old/page");
    expect(
        *state, &request,
        "passed    through unread, to 127.0.0.1:80 (http, proto)\n"
        "route     /old/ (a.yaml:15): impact low, loud, 2 attempts at most\n" REACHED_REFUSED
        "          an instance breaks off: retry at another instance, or else the same, after up "
        "to 100ms (the method may be repeated)\n"
        "          an instance lets the deadline pass: fail (no instance is at fault, or none "
        "is left)\n");
    request = request_of(*state, "GET", "/x/%2E./%6fld/page?q");
    assert_string_equal(line_of(*state, &request, "passed"),
                        "passed    through unread, to 127.0.0.1:80 (http, proto)");
}

static void plans_are_printed_when_asked_for(void **state)
{
    ExplainRequest request = request_of(*state, "POST", "/garage.v2.Cars/Get");
    request.plan = true;
    assert_string_equal(line_of(*state, &request, "plan      request"),
                        "plan      request, proto to proto");
    fields_add_text(&request.fields, "content-type", "application/json; charset=utf-8");
    assert_string_equal(line_of(*state, &request, "plan      request"),
                        "plan      request, json to proto");
}

static void options_is_answered_with_what_the_path_takes(void **state)
{
    Fixture *f = *state;
    Buffer out = buffer_in(f->arena), json = buffer_in(f->arena);
    ExplainRequest request = request_of(f, "OPTIONS", "/cars");
    Explained found;
    assert_ok(f->arena, told(f, &request, &out));
    assert_string_equal(arena_text(f->arena, buffer_bytes(&out)),
                        "answered  by the gateway itself, 204 with Allow: GET, HEAD, OPTIONS\n");
    explain(f->config, &request, f->arena, &found);
    explain_json(&request, &found, &json);
    assert_string_equal(arena_text(f->arena, buffer_bytes(&json)),
                        "{\"ok\":true,\"allow\":\"GET, HEAD, OPTIONS\"}\n");
    request = request_of(f, "OPTIONS", "/nothing");
    assert_fault(told(f, &request, &out), FAULT_UNKNOWN_PATH);
}

static void without_a_verb_it_is_one_that_the_path_takes(void **state)
{
    static const char *const rows[][2] = {
        {"/cars", "GET"},
        {"/cars?x=1", "GET"},
        {"/garage.v1.Cars/List", "POST"},
        {"/garage.v1.Cars/X", "POST"},
        {"/old/page", "POST"},
    };
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ExplainRequest request = request_of(f, "", rows[i][0]);
        assert_bytes(explain_verb(f->config, &request, f->arena), rows[i][1]);
    }
}

static void a_post_is_explained_as_what_it_stands_for(void **state)
{
    Fixture *f = *state;
    Buffer out = buffer_in(f->arena);
    ExplainRequest request = request_of(f, "POST", "/cars");
    assert_fault(told(f, &request, &out), FAULT_METHOD_NOT_ALLOWED);
    fields_add_text(&request.fields, "x-http-method-override", "GET");
    assert_ok(f->arena, told(f, &request, &out));
    request = request_of(f, "POST", "/cars");
    fields_add_text(&request.fields, "x-http-method-override", "DELETE");
    assert_fault(told(f, &request, &out), FAULT_METHOD_NOT_ALLOWED);
    request = request_of(f, "POST", "/cars");
    fields_add_text(&request.fields, "x-http-method-override", "HEAD");
    assert_fault(told(f, &request, &out), FAULT_BAD_REQUEST);
    request = request_of(f, "POST", "/old/page");
    fields_add_text(&request.fields, "x-http-method-override", "HEAD");
    assert_ok(f->arena, told(f, &request, &out));
}

static void what_would_be_refused_is_refused_with_the_reason(void **state)
{
    Fixture *f = *state;
    Buffer out = buffer_in(f->arena);
    ExplainRequest request = request_of(f, "GET", "/nothing");
    assert_fault(told(f, &request, &out), FAULT_UNKNOWN_PATH);
    request = request_of(f, "GET", "/old/../page");
    assert_fault(told(f, &request, &out), FAULT_UNKNOWN_PATH);
    request = request_of(f, "GET", "/old/..%2fpage");
    assert_fault(told(f, &request, &out), FAULT_BAD_REQUEST);
    request = request_of(f, "DELETE", "/cars");
    assert_fault(told(f, &request, &out), FAULT_METHOD_NOT_ALLOWED);
    request = request_of(f, "GET", "/cars");
    fields_add_text(&request.fields, "api-version", "v9");
    assert_fault(told(f, &request, &out), FAULT_UNKNOWN_VERSION);
    request = request_of(f, "GET", "/cars");
    fields_add_text(&request.fields, "api-version", "v3");
    assert_fault(told(f, &request, &out), FAULT_UNKNOWN_PATH);
}

static const char *json_of(Fixture *f, const ExplainRequest *request)
{
    Explained found;
    Buffer out = buffer_in(f->arena);
    explain(f->config, request, f->arena, &found);
    explain_json(request, &found, &out);
    JsonCursor cursor = json_cursor(buffer_bytes(&out), f->arena);
    json_cursor_skip(&cursor);
    assert_true(json_cursor_finish(&cursor));
    return without_folder(f->arena, buffer_bytes(&out));
}

#define assert_has(text, part) assert_non_null(strstr((text), (part)))

static void programs_read_the_same_as_json(void **state)
{
    Fixture *f = *state;
    ExplainRequest request = request_of(f, "GET", "/cars?owner=x");
    const char *json = json_of(f, &request);
    assert_has(json, "{\"ok\":true,\"version\":{\"service\":\"garage\",\"request\":\"v1\","
                     "\"response\":\"v1\",\"rule\":\"default\"},\"route\":{\"match\":"
                     "\"garage.Cars/List\",\"file\":\"a.yaml\",\"line\":14,\"impact\":\"high\","
                     "\"on_failure\":\"loud\",\"timeout_ms\":1500,\"attempts\":2,"
                     "\"hedge_after_ms\":50,\"hedge_percent\":10},\"failure\":[{\"when\":\"an "
                     "instance cannot be reached\",\"action\":\"retry\",\"where\":\"at another "
                     "instance\",\"why\":\"the request was not sent\"},");
    assert_has(json, "\"method\":\"/garage.v1.Cars/List\",\"rest\":\"GET /cars\",\"served\":"
                     "[{\"version\":\"v1\",\"native\":true,\"method\":\"/garage.v1.Cars/List\","
                     "\"instances\":[{\"address\":\"127.0.0.1:7004\",\"protocol\":\"connect\","
                     "\"codec\":\"json\"}]},{\"version\":\"v3\",\"native\":false,");
    assert_has(json, "\"request_losses\":{\"kept\":1,");
    assert_has(json, "\"response_losses\":{\"kept\":4,");
    assert_null(strstr(json, "\"plans\""));
    request.plan = true;
    assert_has(json_of(f, &request), "\"plans\":[{\"direction\":\"request\",\"from\":\"json\"");
}

static void programs_read_what_is_refused_and_what_is_passed_through(void **state)
{
    Fixture *f = *state;
    ExplainRequest request = request_of(f, "GET", "/nothing");
    assert_has(json_of(f, &request), "{\"ok\":false,\"refused\":{\"reason\":\"UNKNOWN_PATH\",");
    request = request_of(f, "GET", "/old/page");
    const char *json = json_of(f, &request);
    assert_has(json, "{\"ok\":true,\"route\":{\"match\":\"/old/\"");
    assert_has(json, "\"instances\":[{\"address\":\"127.0.0.1:80\",\"protocol\":\"http\"");
    assert_null(strstr(json, "\"served\""));
}

/* Another config, with the same instances. */
static void an_instance_of_another_version_is_said_where_it_would_be_asked(void **state)
{
    static const char graceful[] =
        GOOD "      - {address: '127.0.0.1:7004', protocol: connect, codec: json, versions: [v1]}\n"
             "routes:\n"
             "  - {match: garage.Cars/List, on_failure: {graceful: {older: true}}}\n";
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena);
    Fixture f = {.arena = arena_new(ARENA_UNLIMITED)};
    assert_ok(f.arena, config_load_text(bytes_of(graceful), FILES "a.yaml", NULL, arena, &problems,
                                        &f.config));
    ExplainRequest request = request_of(&f, "GET", "/cars?owner=x");
    assert_string_equal(line_of(&f, &request, "fallback"), "fallback  older");
    assert_string_equal(line_of(&f, &request, "          an instance answers INTERNAL"),
                        "          an instance answers INTERNAL: fall back to older (another "
                        "attempt would have the same result)");
    assert_string_equal(line_of(&f, &request, "          an instance lets the deadline pass"),
                        "          an instance lets the deadline pass: fall back to older (no "
                        "instance is at fault, or none is left)");
    config_unref(f.config);
    arena_free(f.arena);
}

static Fixture load(const char *config)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena);
    Fixture f = {.arena = arena_new(ARENA_UNLIMITED)};
    assert_ok(f.arena, config_load_text(bytes_of(config), FILES "a.yaml", NULL, arena, &problems,
                                        &f.config));
    assert_non_null(f.config);
    return f;
}

static void unload(Fixture *f)
{
    config_unref(f->config);
    arena_free(f->arena);
}

#define LISTED(more)                                                                               \
    LISTEN "services:\n"                                                                           \
           "  - name: garage\n"                                                                    \
           "    discovery: {dns: [{name: 'cars.test:80', instance: {versions: [v1]}}]}\n"          \
           "    versions: [{name: v1, package: garage.v1, schema: garage.binpb}]\n" more

static void of_instances_that_a_network_lists_it_is_said_who_lists_them(void **state)
{
    Fixture f = load(LISTED(""));
    ExplainRequest request = request_of(&f, "GET", "/cars?owner=x");
    assert_string_equal(line_of(&f, &request, "served"),
                        "served    v1, natively: /garage.v1.Cars/List by instances that DNS "
                        "cars.test:80 lists, if any do");
    assert_string_equal(line_of(&f, &request, "breaker"), "");
    assert_string_equal(line_of(&f, &request, "limit"), "");
    assert_has(json_of(&f, &request), "\"listed_in\":\"DNS cars.test:80\",\"instances\":[]");
    unload(&f);
}

static void what_keeps_calls_away_from_a_service_is_said(void **state)
{
    static const struct {
        const char *limit, *said, *json;
    } rows[] = {
        {"calls: 200, waiting: 100", "limit     calls in flight of a loop: 200; 100 wait at most",
         "\"concurrency\":{\"adaptive\":false,\"calls\":200,\"waiting\":100}"},
        {"adaptive: true, least: 10, calls: 1000, waiting: 5",
         "limit     calls in flight of a loop: as many as it learns, 10 at least; 5 wait at most",
         "\"concurrency\":{\"adaptive\":true,\"least\":10,\"waiting\":5}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        Fixture f = load(arena_printf(arena,
                                      LISTED("    breaker: {percent: 50, calls: 20, window: 10s, "
                                             "open: 5s, probes: 3}\n    concurrency: {%s}\n"),
                                      rows[i].limit));
        ExplainRequest request = request_of(&f, "GET", "/cars?owner=x");
        assert_string_equal(line_of(&f, &request, "breaker"),
                            "breaker   opens for 5s when 50 % of at least 20 calls of a loop in "
                            "10s fail; then 3 probe it");
        assert_string_equal(line_of(&f, &request, "limit"), rows[i].said);
        assert_has(json_of(&f, &request),
                   "\"breaker\":{\"percent\":50,\"calls\":20,\"window_ms\":10000,"
                   "\"open_ms\":5000,\"probes\":3}");
        assert_has(json_of(&f, &request), rows[i].json);
        unload(&f);
        arena_free(arena);
    }
}

#define ROLLOUT(candidate, more)                                                                   \
    "listen: [{address: '127.0.0.1:0', trusted_proxies: [10.0.0.0/8]}]\nrollouts_file: r.db\n"     \
    "services:\n  - name: garage\n    versions:\n"                                                 \
    "      - {name: v2, package: garage.v2, schema: garage.binpb}\n"                               \
    "      - {name: v3, package: garage.v3, schema: garage.binpb}\n"                               \
    "    instances:\n      - {address: '127.0.0.1:1', versions: [v2], build: a}\n"                 \
    "      - {address: '127.0.0.1:2', versions: [v3], build: b}\n"                                 \
    "rollouts:\n  - {service: garage, candidate: " candidate ", pilot: [ada]" more "}\n"

static void in_which_arm_of_a_rollout_a_client_is_said_as_far_as_it_is_known(void **state)
{
    static const struct {
        const char *candidate, *more, *client, *account, *path, *said, *json;
    } rows[] = {
        {"{build: b}", "", "ada", "", "/garage.v2.Cars/Get",
         "build b, for ada by their identity: candidate, it is a pilot; after a rollback the "
         "baseline",
         "\"client\":\"ada\",\"arm\":\"candidate\""},
        {"{build: b}", "", "bob", "", "/garage.v2.Cars/Get",
         "build b, for bob by their identity: only the gateways know: the candidate if it is a "
         "recorded member, or within the share of the tier; else the baseline",
         "\"client\":\"bob\",\"why\":\"only the gateways know"},
        {"{build: b}", "", "", "", "/garage.v2.Cars/Get",
         "build b: baseline, nothing tells the client; in the tier `all` the candidate",
         "\"rollout\":\"garage build b\",\"arm\":\"baseline\""},
        {"{build: b}", ", cohort: {header: x-account}", "bob", "ada", "/garage.v2.Cars/Get",
         "build b, for ada by the header x-account: candidate, it is a pilot; after a rollback the "
         "baseline",
         "\"client\":\"ada\",\"arm\":\"candidate\""},
        {"{build: b}", ", cohort: {header: x-account}", "ada", "", "/garage.v2.Cars/Get",
         "build b: baseline, nothing tells the client; in the tier `all` the candidate",
         "\"arm\":\"baseline\""},
        {"{version: v3}", "", "ada", "", "/garage.v3.Cars/Get",
         "version v3: it is no part of it: its client speaks the candidate's version, and gets it",
         "\"why\":\"it is no part of it"},
        {"{version: v3}", "", "ada", "", "/garage.v2.Cars/Get",
         "version v3, for ada by their identity: candidate, it is a pilot; after a rollback the "
         "baseline",
         "\"arm\":\"candidate\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        Fixture f = load(arena_printf(arena, ROLLOUT("%s", "%s"), rows[i].candidate, rows[i].more));
        ExplainRequest request = request_of(&f, "POST", rows[i].path);
        request.identity = bytes_of(rows[i].client);
        if (rows[i].account[0])
            fields_add(&request.fields, bytes_of("x-account"), bytes_of(rows[i].account));
        assert_string_equal(line_of(&f, &request, "rollout"),
                            arena_printf(arena, "rollout   garage %s", rows[i].said));
        assert_has(json_of(&f, &request), rows[i].json);
        unload(&f);
        arena_free(arena);
    }
}

static void of_a_rollout_by_a_field_the_client_is_in_the_message(void **state)
{
    Fixture f = load(ROLLOUT("{build: b}", ", cohort: {field: name}"));
    ExplainRequest request = request_of(&f, "POST", "/garage.v3.Cars/Get");
    request.identity = bytes_of("ada");
    assert_string_equal(line_of(&f, &request, "rollout"),
                        "rollout   garage build b: who the client is stands in the message; it has "
                        "the candidate if it is a pilot, a recorded member, or within the share of "
                        "the tier");
    assert_has(line_of(&f, &request, "served"), "127.0.0.1:2 (grpc, proto, build b)");
    unload(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rest_request_is_explained_to_the_last_field),
        cmocka_unit_test(in_which_arm_of_a_rollout_a_client_is_said_as_far_as_it_is_known),
        cmocka_unit_test(of_a_rollout_by_a_field_the_client_is_in_the_message),
        cmocka_unit_test(the_rule_that_decides_is_said),
        cmocka_unit_test(the_version_with_fewer_losses_is_served_first),
        cmocka_unit_test(a_path_that_is_passed_through_is_said),
        cmocka_unit_test(plans_are_printed_when_asked_for),
        cmocka_unit_test(options_is_answered_with_what_the_path_takes),
        cmocka_unit_test(without_a_verb_it_is_one_that_the_path_takes),
        cmocka_unit_test(a_post_is_explained_as_what_it_stands_for),
        cmocka_unit_test(what_would_be_refused_is_refused_with_the_reason),
        cmocka_unit_test(programs_read_the_same_as_json),
        cmocka_unit_test(programs_read_what_is_refused_and_what_is_passed_through),
        cmocka_unit_test(of_instances_that_a_network_lists_it_is_said_who_lists_them),
        cmocka_unit_test(what_keeps_calls_away_from_a_service_is_said),
        cmocka_unit_test(an_instance_of_another_version_is_said_where_it_would_be_asked),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
