#include "gateway/settings/settings.h"

#include "adapters/run/plan_run.h"
#include "base/clock.h"
#include "base/file/file.h"
#include "base/memory/machine.h"
#include "gateway/config/schema_ask.h"
#include "gateway/service/config_load.h"
#include "tests/unit/check.h"
#include "tests/unit/gateway/garage.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct Loaded {
    Arena *arena;
    Problems problems;
    Config *config;
    const char *told; /* problems, without the folder's name */
} Loaded;

static Loaded load(const char *text)
{
    Loaded l = {.arena = arena_new(ARENA_UNLIMITED)};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    l.problems = problems_in(l.arena);
    assert_ok(arena, config_load_text(bytes_of(text), FILES "a.yaml", NULL, arena, &l.problems,
                                      &l.config));
    Buffer told = buffer_in(l.arena);
    problems_print(&l.problems, &told);
    l.told = without_folder(l.arena, buffer_bytes(&told));
    if (!l.config)
        arena_free(arena);
    return l;
}

static void unload(Loaded *l)
{
    if (l->config)
        config_unref(l->config);
    arena_free(l->arena);
}

static Loaded load_good(const char *text)
{
    Loaded l = load(text);
    if (!l.config)
        fail_msg("%s", l.told);
    return l;
}

static void expect_told(const char *text, const char *told)
{
    Loaded l = load(text);
    assert_null(l.config);
    assert_string_equal(l.told, told);
    unload(&l);
}

static const Method *method(const Loaded *l, const char *path)
{
    const Method *found = table_get(&l->config->methods, bytes_of(path));
    assert_non_null(found);
    return found;
}

static Bytes converted(Loaded *l, const Plan *plan, const char *json)
{
    assert_non_null(plan);
    Buffer out = buffer_in(l->arena);
    PlanInput input = {.bytes = bytes_of(json)};
    PlanRun run = {0};
    assert_ok(l->arena, plan_run(plan, &input, l->arena, &out, &run));
    return buffer_bytes(&out);
}

/* ---- Good configs ---------------------------------------------------------------------------- */

static void what_is_not_said_has_its_default(void **state)
{
    Loaded l = load_good(GOOD);
    const Limits *limits = &l.config->limits;
    assert_int_equal(limits->http.head_bytes, http_limits_default.head_bytes);
    assert_int_equal(limits->http.head_fields, http_limits_default.head_fields);
    assert_int_equal(limits->http.path_bytes, http_limits_default.path_bytes);
    assert_int_equal(limits->http.streams, http_limits_default.streams);
    assert_int_equal(limits->http.stream_window, http_limits_default.stream_window);
    assert_int_equal(limits->http.connection_window, http_limits_default.connection_window);
    assert_int_equal(limits->http.resets_per_second, http_limits_default.resets_per_second);
    assert_int_equal(limits->http.control_frames, http_limits_default.control_frames);
    assert_int_equal(limits->http.queue_high, http_limits_default.queue_high);
    assert_int_equal(limits->http.queue_low, http_limits_default.queue_low);
    assert_int_equal(limits->http.requests, http_limits_default.requests);
    assert_int_equal(limits->call_time, 60 * SECOND);
    assert_int_equal(limits->session_time, 7200 * SECOND);
    assert_int_equal(limits->max_age, 0);
    assert_int_equal(limits->instance_max_age, 600 * SECOND);
    assert_int_equal(limits->message_bytes, 16 << 20);

    const Service *garage = &l.config->services[0];
    assert_int_equal(garage->n_rules, RULE_COUNT);
    assert_int_equal(garage->rules[0], RULE_PATH);
    assert_int_equal(garage->rules[5], RULE_DEFAULT);
    assert_string_equal(garage->version_header, "api-version");
    assert_ptr_equal(garage->default_version, &garage->versions[0]);
    const Instance *instance = &garage->instances[0];
    assert_int_equal(instance->protocol, UPSTREAM_GRPC);
    assert_true(instance->http2);
    assert_string_equal(instance->authority, "127.0.0.1:7003");
    assert_int_equal(instance->versions, 4);
    const Route *route = method(&l, "/garage.v1.Cars/Get")->route;
    assert_int_equal(route->on_failure, FAILURE_LOUD);
    assert_int_equal(route->attempts, 2);
    assert_int_equal(route->hedge_after, 0);
    assert_int_equal(route->initial_backoff, 100 * MILLISECOND);
    assert_int_equal(route->max_backoff, SECOND);
    assert_int_equal(garage->retries.percent, 20);
    assert_int_equal(garage->retries.at_least, 3);
    assert_true(garage->retries.n_loops >= 1); /* one per core */
    assert_int_equal(route->timeout, NO_TIMEOUT);
    assert_null(l.config->admin.host);
    assert_string_equal(l.config->log.outputs[0].path, "-");
    assert_true(strlen(l.config->node) > 0);
    unload(&l);
}

static void everything_can_be_said(void **state)
{
    Loaded l = load_good(
        "listen:\n"
        "  - 0.0.0.0:8080\n"
        "  - {address: '[::1]:8081', trusted_proxies: [192.0.2.7], proxy_protocol: true}\n"
        "  - {address: unix:/tmp/x.sock, trusted_proxies: [none]}\n"
        "admin: localhost:9901\n"
        "limits: {head_bytes: 64KiB, idle_time: 1m, message_bytes: 4MiB, connections: 10}\n"
        "log: '-'\nloops: 3\ndrain: 2s\nnode: edge-1\nidentity_header: X-Client\n"
        "trusted_proxies: [10.0.0.0/8, '2001:db8::/32', unix]\n"
        "cors: {origins: ['https://panel.example'], credentials: true, max_age: "
        "1m}\n" GARAGE_SERVICE
        "      - {address: 'unix:/tmp/cars', protocol: connect, codec: json, http2: true,\n"
        "         versions: [v1, v2], build: 1.2.3, authority: cars.example, compression: gzip}\n"
        "    default_version: v2\n"
        "    negotiate: [header, default]\n"
        "    version_header: X-Version\n"
        "    pins: {panel: v3}\n"
        "    status_codes: {17: 400, 2021: 404, 2147483647: 599}\n"
        "    retry_budget: {percent: 100, at_least: 0}\n"
        "routes:\n"
        "  - {match: garage, impact: catastrophic, timeout: 1500ms, attempts: 3,\n"
        "     hedge: {after: 50ms, percent: 100}, retry: {initial_backoff: 1ms, max_backoff: 2s},\n"
        "     unknown_fields: keep, unknown_answer_fields: refuse, errors: full,\n"
        "     json: {defaults: true, proto_names: true, enums_as_numbers: true}}\n"
        "  - {match: /old/, instances: ['10.0.0.1:80'], retry_budget: {percent: 1}}\n"
        "  - {match: /old/er, instances: [{address: '10.0.0.2:80', protocol: http}]}\n");
    const Config *config = l.config;
    assert_int_equal(config->n_listeners, 3);
    assert_int_equal(config->listeners[0].address.port, 8080);
    assert_string_equal(config->listeners[1].address.host, "::1");
    assert_string_equal(config->listeners[2].address.path, "/tmp/x.sock");
    assert_int_equal(config->listeners[0].trusted.n, 2);
    assert_true(config->listeners[0].trusted.unix_sockets);
    assert_int_equal(config->listeners[1].trusted.n, 1);
    assert_false(config->listeners[1].trusted.unix_sockets);
    assert_true(config->listeners[1].proxy_protocol && !config->listeners[0].proxy_protocol);
    assert_int_equal(config->listeners[2].trusted.n, 0);
    assert_false(config->listeners[2].trusted.unix_sockets);
    assert_string_equal(config->admin.host, "localhost");
    assert_int_equal(config->limits.http.head_bytes, 65536);
    assert_int_equal(config->limits.idle_time, 60 * SECOND);
    assert_int_equal(config->limits.message_bytes, 4 << 20);
    assert_int_equal(config->limits.connections, 10);
    assert_string_equal(config->log.outputs[0].path, "-");
    assert_int_equal(config->n_loops, 3);
    assert_int_equal(config->drain_time, 2 * SECOND);
    assert_string_equal(config->node, "edge-1");
    assert_string_equal(config->identity.header, "x-client");
    assert_int_equal(config->cors.n_origins, 1);
    assert_true(config->cors.credentials);
    assert_int_equal(config->cors.max_age_seconds, 60);

    const Service *garage = &config->services[0];
    const Instance *cars = &garage->instances[1];
    assert_int_equal(cars->protocol, UPSTREAM_CONNECT);
    assert_int_equal(cars->codec, CODEC_JSON);
    assert_true(cars->http2);
    assert_int_equal(cars->versions, 3);
    assert_string_equal(cars->build, "1.2.3");
    assert_string_equal(cars->authority, "cars.example");
    assert_int_equal(cars->compression, COMPRESSION_GZIP);
    assert_int_equal(garage->n_rules, 2);
    assert_int_equal(garage->rules[0], RULE_HEADER);
    assert_string_equal(garage->version_header, "x-version");
    assert_ptr_equal(garage->default_version, &garage->versions[1]);
    assert_ptr_equal(table_get(garage->pins, bytes_of("panel")), &garage->versions[2]);

    assert_int_equal(service_http_status(garage, 17), 400);
    assert_int_equal(service_http_status(garage, 2021), 404);
    assert_int_equal(service_http_status(garage, 2147483647), 599);
    assert_int_equal(service_http_status(garage, 18), 0);
    assert_int_equal(service_http_status(garage, 0), 0);

    const Route *route = method(&l, "/garage.v2.Cars/Get")->route;
    assert_int_equal(route->impact, IMPACT_CATASTROPHIC);
    assert_int_equal(route->timeout, 1500 * MILLISECOND);
    assert_int_equal(route->attempts, 3);
    assert_int_equal(route->hedge_after, 50 * MILLISECOND);
    assert_int_equal(route->hedge_percent, 100);
    assert_false(route->hedge_p95);
    assert_int_equal(route->initial_backoff, MILLISECOND);
    assert_int_equal(route->max_backoff, 2 * SECOND);
    assert_int_equal(garage->retries.percent, 100);
    assert_int_equal(garage->retries.at_least, 0);
    assert_int_equal(garage->retries.n_loops, 3);
    assert_int_equal(config->http_routes[1].service->retries.percent, 1);
    assert_int_equal(config->http_routes[1].service->retries.at_least, 3);
    assert_int_equal(route->unknown_fields, UNKNOWN_KEEP);
    assert_int_equal(route->unknown_answer_fields, UNKNOWN_REFUSE);
    assert_int_equal(route->errors.told, ERRORS_FULL);
    assert_true(route->emit_defaults && route->proto_names);
    assert_true(route->enums_as_numbers);

    assert_int_equal(config->n_http_routes, 2);
    assert_string_equal(config->http_routes[0].path_prefix, "/old/er");
    const Service *old = config->http_routes[1].service;
    assert_int_equal(old->n_instances, 1);
    assert_int_equal(old->instances[0].protocol, UPSTREAM_HTTP);
    unload(&l);
}

/* What is said of errors at each of the three places: 0 nothing, 1 public, 2 full. */
static Loaded load_errors(int globally, int listener, int route)
{
    static const char *const words[] = {"", "errors: public", "errors: full"};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Loaded l = load_good(
        arena_printf(arena,
                     "%s\nlisten: [{address: '127.0.0.1:1', %s}, '127.0.0.1:2']\n" GARAGE_SERVICE
                     "routes: [{match: garage, %s}, {match: /old/, instances: ['10.0.0.1:80']}]\n",
                     words[globally], words[listener], words[route]));
    arena_free(arena);
    return l;
}

static void the_most_specific_word_about_errors_counts(void **state)
{
    for (int globally = 0; globally < 3; globally++)
        for (int listener = 0; listener < 3; listener++)
            for (int route = 0; route < 3; route++) {
                Loaded l = load_errors(globally, listener, route);
                const Config *config = l.config;
                const Route *own = method(&l, "/garage.v2.Cars/Get")->route,
                            *other = &config->http_routes[0];
                int there = listener ? listener : globally;
                assert_int_equal(config_errors_full(config, "127.0.0.1:1", own),
                                 (route ? route : there) == 2);
                assert_int_equal(config_errors_full(config, "127.0.0.1:2", own),
                                 (route ? route : globally) == 2);
                assert_int_equal(config_errors_full(config, "127.0.0.1:1", other), there == 2);
                assert_int_equal(config_errors_full(config, "127.0.0.1:1", NULL), there == 2);
                assert_int_equal(config_errors_full(config, "127.0.0.1:9", NULL), globally == 2);
                unload(&l);
            }
}

/* They change nothing, so that a gateway can run: check refuses what nobody can have meant. */
static void what_errors_replaced_is_a_doubt_with_its_place(void **state)
{
    Loaded l = load_good("listen: [{address: '127.0.0.1:1'}]\nerror_details: false\n" GARAGE_SERVICE
                         "routes:\n  - {match: garage, hide_internals: true}\n");
    Buffer doubts = buffer_in(l.arena);
    problems_print(&l.config->doubts, &doubts);
    assert_string_equal(
        without_folder(l.arena, buffer_bytes(&doubts)),
        "a.yaml:2:1: error_details: this key is no longer read (write errors: public, or errors: "
        "full)\n"
        "a.yaml:13:21: routes[0].hide_internals: this key is no longer read (write errors: "
        "public)\n");
    unload(&l);
}

static void every_pair_of_versions_has_its_plans(void **state)
{
    Loaded l = load_good(GOOD);
    const Method *get = method(&l, "/garage.v1.Cars/Get");
    assert_ptr_equal(get->pairs[0].target, get);
    assert_ptr_equal(get->pairs[2].target, method(&l, "/garage.v3.Cars/Get"));
    /* v3 speaks protobuf only. */
    assert_non_null(get->pairs[2].request[CODEC_JSON][CODEC_PROTO]);
    assert_null(get->pairs[2].request[CODEC_JSON][CODEC_JSON]);
    /* A car of v3: owner_id is field 3 there, "ann"; the answer to v1 calls it owner. */
    assert_bytes(converted(&l, get->pairs[2].response[CODEC_PROTO][CODEC_JSON],
                           "\x1a\x03"
                           "ann"),
                 "{\"owner\":\"ann\"}");
    assert_bytes(converted(&l, get->pairs[2].request[CODEC_JSON][CODEC_PROTO], "{\"name\":\"x\"}"),
                 "\n\x01x");
    assert_true(plan_is_copy(get->pairs[2].request[CODEC_PROTO][CODEC_PROTO]));
    unload(&l);
}

static void a_method_without_counterpart_says_why(void **state)
{
    Loaded l = load_good(GOOD);
    const Method *scrap = method(&l, "/garage.v1.Cars/Scrap");
    assert_null(scrap->pairs[2].target);
    assert_string_equal(scrap->pairs[2].extras->reason, "Cars.Scrap is only in v1");
    unload(&l);
}

static void losses_are_numbered_in_one_row(void **state)
{
    Loaded l = load_good(GOOD);
    assert_true(l.config->n_losses > 0);
    bool note = false;
    for (uint32_t i = 0; i < l.config->n_losses; i++) {
        assert_int_equal(l.config->losses[i]->index, i);
        note |= strcmp(l.config->losses[i]->path, "Car.note") == 0 &&
                l.config->losses[i]->kind == LOSS_DROPPED;
    }
    assert_true(note);
    unload(&l);
}

static void the_same_requests_in_two_versions_make_a_row_the_newest_first(void **state)
{
    Loaded l = load_good(GOOD);
    RestMatch match;
    bool found;
    assert_ok(l.arena, rest_table_match(l.config->rest, bytes_of("GET"), bytes_of("/cars"), l.arena,
                                        &match, &found));
    assert_true(found);
    const RestBinding *binding = match.value;
    assert_string_equal(binding->method->version->name, "v2");
    assert_string_equal(binding->next->method->version->name, "v1");
    assert_null(binding->next->next);
    /* Its answers are one field, whoever gives them: here v3, in protobuf. */
    const Plan *plan = binding->response_body[CODEC_PROTO][2];
    assert_bytes(converted(&l, plan, "\x0a\x03\x0a\x01z"), "[{\"name\":\"z\"}]");

    assert_ok(l.arena, rest_table_match(l.config->rest, bytes_of("GET"), bytes_of("/v1/cars/x"),
                                        l.arena, &match, &found));
    binding = match.value;
    assert_int_equal(binding->n_variables, 1);
    assert_bytes(binding->variables[0], "name");
    unload(&l);
}

static void the_most_specific_route_wins_by_the_name_of_any_version(void **state)
{
    Loaded l = load_good(GOOD "routes:\n"
                              "  - {match: garage.Cars/Get, timeout: 3s}\n"
                              "  - {match: garage.Cars, timeout: 2s}\n"
                              "  - {match: garage, timeout: 1s}\n"
                              "  - {match: garage.Cars/Wash, timeout: 4s}\n");
    assert_int_equal(method(&l, "/garage.v1.Cars/Get")->route->timeout, 3 * SECOND);
    assert_int_equal(method(&l, "/garage.v3.Cars/Get")->route->timeout, 3 * SECOND);
    assert_int_equal(method(&l, "/garage.v1.Cars/List")->route->timeout, 2 * SECOND);
    assert_int_equal(method(&l, "/garage.v2.Cars/Wash")->route->timeout, 4 * SECOND);
    assert_int_equal(method(&l, "/garage.v1.Cars/Get")->route->line, 12);
    unload(&l);
}

static void a_default_answer_is_given_in_every_version_and_codec(void **state)
{
    Loaded l = load_good(GOOD "routes:\n"
                              "  - match: garage.Cars/List\n"
                              "    on_failure: {graceful: {default: {cars: [{name: spare, "
                              "owner_id: 7}]}, writes: true}}\n");
    const Method *list = method(&l, "/garage.v1.Cars/List");
    assert_true(list->extras->has_default);
    assert_bytes(list->extras->default_reply[CODEC_JSON],
                 "{\"cars\":[{\"name\":\"spare\",\"owner\":\"7\"}]}");
    assert_bytes(list->extras->default_reply[CODEC_PROTO], "\x0a\x0a\x0a\x05spare\x12\x01"
                                                           "7");
    list = method(&l, "/garage.v3.Cars/List");
    assert_bytes(list->extras->default_reply[CODEC_JSON],
                 "{\"cars\":[{\"name\":\"spare\",\"ownerId\":\"7\"}]}");
    assert_false(method(&l, "/garage.v1.Cars/Get")->extras->has_default);
    /* GET /cars answers only the list; in its other binding it answers all. */
    list = method(&l, "/garage.v1.Cars/List");
    assert_bytes(list->bindings[0].default_body, "[{\"name\":\"spare\",\"owner\":\"7\"}]");
    assert_null(list->bindings[1].default_body.data);
    unload(&l);
}

static void a_default_answer_may_be_in_an_older_version_and_empty(void **state)
{
    Loaded l =
        load_good(GOOD "routes:\n"
                       "  - match: garage.Cars/Scrap\n"
                       "    on_failure: {graceful: {version: v1, default: {}, writes: true}}\n");
    const Method *scrap = method(&l, "/garage.v1.Cars/Scrap");
    assert_true(scrap->extras->has_default);
    assert_bytes(scrap->extras->default_reply[CODEC_JSON], "{}");
    assert_int_equal(scrap->extras->default_reply[CODEC_PROTO].size, 0);
    unload(&l);
}

#define VERBS(package)                                                                             \
    LISTEN "services:\n  - name: verbs\n"                                                          \
           "    versions: [{name: v1, package: " package ", schema: verbs.binpb}]\n"               \
           "    instances: ['127.0.0.1:1']\n"

static void assert_cors(const char *text, const char *verbs, bool any)
{
    Loaded l = load_good(text);
    /* The order is that of a table: of no meaning, but always the same. */
    char sorted[64] = "";
    for (const char *const *verb = (const char *const[]){"PURGE", "BAN", "GET", NULL}; *verb;
         verb++) {
        const char *at = strstr(l.config->cors.verbs, *verb);
        if (at)
            strcat(strcat(sorted, sorted[0] ? " " : ""), *verb);
        assert_true(!at || !strstr(at + 1, *verb)); /* each once */
    }
    assert_string_equal(sorted, verbs);
    assert_int_equal(l.config->cors.any_verb, any);
    unload(&l);
}

static void pages_may_use_the_verbs_of_the_schemas(void **state)
{
    assert_cors(GOOD, "", false);
    assert_cors(VERBS("test.verbs"), "PURGE BAN", false);
    assert_cors(VERBS("test.any_verb"), "", true);
    assert_cors(LISTEN "routes:\n  - {match: /old/, instances: ['127.0.0.1:1']}\n", "", true);
}

static void generations_count_up_and_the_last_reference_frees(void **state)
{
    Loaded a = load_good(GOOD), b = load_good(GOOD);
    assert_true(b.config->generation > a.config->generation);
    config_ref(a.config);
    config_unref(a.config);
    assert_int_equal(a.config->n_services, 1);
    unload(&a);
    unload(&b);
}

static void tls_contexts_are_made_from_the_files(void **state)
{
    Loaded l =
        load_good("listen:\n"
                  "  - {address: '127.0.0.1:0', tls: {certificate: server.pem, key: server.key,"
                  " client_ca: server.pem}}\n"
                  "services:\n"
                  "  - name: garage\n"
                  "    versions: [{name: v1, package: garage.v1, schema: garage.binpb}]\n"
                  "    instances: [{address: 'cars.example:443', tls: {ca: server.pem}}]\n");
    assert_non_null(l.config->listeners[0].tls);
    assert_true(l.config->listeners[0].client_certificate);
    assert_non_null(l.config->services[0].instances[0].tls);
    assert_string_equal(l.config->services[0].instances[0].tls_name, "cars.example");
    unload(&l);
}

static void what_is_wrong_with_tls_is_told_at_its_key(void **state)
{
    static const struct {
        const char *listener, *instance, *told;
    } rows[] = {
        {"certificates: [{certificate: server.pem, key: other.key}]", "",
         "listen[0].tls.certificates[0].key: the key other.key does not match the certificate "
         "server.pem"},
        {"certificates: [{certificate: server.pem, key: server.key}, {certificate: none.pem, key: "
         "server.key}]",
         "", "listen[0].tls.certificates[1].certificate: "},
        {"certificates: [{certificate: server.pem}]", "", "listen[0].tls.certificates[0]"},
        {"client_crl: server.pem", "", "listen[0].tls: client_crl needs client_ca"},
        {"client_ca: server.pem, client_crl: none.pem", "", "listen[0].tls.client_crl: reading"},
        {"client_ca: server.pem, client_crl: server.key", "", "listen[0].tls.client_crl: reading"},
        {"", "spiffe: 'https://x/y'",
         "services[0].instances[0].tls.spiffe: https://x/y is no SPIFFE id: it does not begin with "
         "spiffe://"},
    };
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Loaded l = load(arena_printf(
            arena,
            "listen:\n  - {address: '127.0.0.1:0', tls: {certificate: server.pem, key: server.key"
            "%s%s}}\nservices:\n  - name: garage\n"
            "    versions: [{name: v1, package: garage.v1, schema: garage.binpb}]\n"
            "    instances: [{address: 'cars.example:443', tls: {%s}}]\n",
            rows[i].listener[0] ? ", " : "", rows[i].listener, rows[i].instance));
        if (l.config || !strstr(l.told, rows[i].told))
            fail_msg("%s %s: %s", rows[i].listener, rows[i].instance, l.told);
        unload(&l);
    }
    arena_free(arena);
}

/* ---- Mistakes -------------------------------------------------------------------------------- */

static void many_mistakes_in_one_file_are_all_told(void **state)
{
    expect_told(
        "listen:\n"
        "  - {address: 127.0.0.1:99999}\n"
        "  - {address: 127.0.0.1:8443, tsl: {}}\n"
        "admin: nowhere\n"
        "services:\n"
        "  - name: garage\n"
        "    versions:\n"
        "      - {name: v1, package: garage.v7, schema: garage.binpb, deprecated: 2027-01-01,"
        " sunset: 2026-01-01}\n"
        "      - {name: v1, package: garage.v2, schema: missing.binpb}\n"
        "    changes: [missing.yaml]\n"
        "    instances:\n"
        "      - {address: 127.0.0.1:7003, protocol: grcp, versions: [v4]}\n"
        "    default_version: v9\n"
        "routes:\n"
        "  - {match: garages, timeout: 2parsecs}\n"
        "  - {match: /old/}\n"
        "limits: {head_bytes: -5, queue_low: 1MiB}\n",
        "a.yaml:2:15: listen[0].address: 99999 is not a port (0 to 65535)\n"
        "a.yaml:3:31: listen[1].tsl: there is no such key (did you mean tls)\n"
        "a.yaml:4:8: admin.address: nowhere is not an address: a host, a colon and a port (for "
        "example 0.0.0.0:8080)\n"
        "a.yaml:8:29: services[0].versions[0].package: garage.binpb has no RPC service in the "
        "package "
        "garage.v7 (did you mean garage.v1)\n"
        "a.yaml:8:94: services[0].versions[0].sunset: the sunset is before the version is "
        "deprecated\n"
        "a.yaml:9:16: services[0].versions[1].name: there already is a version v1\n"
        "a.yaml:9:48: services[0].versions[1].schema: open missing.binpb: No such file or "
        "directory "
        "(file names are relative to this file)\n"
        "a.yaml:10:15: services[0].changes[0]: open missing.yaml: No such file or directory (file "
        "names are relative to this file)\n"
        "a.yaml:12:45: services[0].instances[0].protocol: grcp is not known here (did you mean "
        "grpc)\n"
        "a.yaml:12:62: services[0].instances[0].versions[0]: garage has no version v4 (did you "
        "mean "
        "v1)\n"
        "a.yaml:13:22: services[0].default_version: garage has no version v9 (did you mean v1)\n"
        "a.yaml:15:13: routes[0].match: there is no service garages (did you mean garage)\n"
        "a.yaml:15:31: routes[0].timeout: 2parsecs is not a length of time (for example 250ms, 2s "
        "or "
        "1h30m)\n"
        "a.yaml:16:5: routes[1]: a path is passed through to instances, but there are none (to "
        "match "
        "an RPC write service.RpcService/Method)\n"
        "a.yaml:17:22: limits.head_bytes: -5 is not a size (for example 65536, 64KiB or 4MiB)\n"
        "a.yaml:17:37: limits.queue_low: it is more than queue_high, which is 131072\n");
}

/* ---- Limits ---------------------------------------------------------------------------------- */

#define LIMIT(field) offsetof(Limits, field), sizeof(((Limits *)0)->field)

/* A limit, the values at both sides of its bounds (NULL: there is none), and what else has to be
   said for them to fit. */
typedef struct LimitBounds {
    const char *name;
    size_t offset, size;
    const char *below, *least;
    uint64_t least_value;
    const char *most, *above;
    uint64_t most_value;
    const char *others;
} LimitBounds;

static const char *with_limit(Arena *arena, const LimitBounds *limit, const char *value)
{
    return arena_printf(arena, GOOD "limits: {%s: %s%s%s}\n", limit->name, value,
                        limit->others[0] ? ", " : "", limit->others);
}

static void assert_limit(const LimitBounds *limit, const char *text, uint64_t expected)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Loaded l = load_good(with_limit(arena, limit, text));
    uint64_t value = 0;
    memcpy(&value, (const char *)&l.config->limits + limit->offset, limit->size);
    if (value != expected)
        fail_msg("%s: %s is %llu", limit->name, text, (unsigned long long)value);
    unload(&l);
    arena_free(arena);
}

static void assert_no_limit(const LimitBounds *limit, const char *text)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Loaded l = load(with_limit(arena, limit, text));
    if (l.config)
        fail_msg("%s: %s is taken", limit->name, text);
    assert_non_null(strstr(l.told, arena_printf(arena, "limits.%s: ", limit->name)));
    unload(&l);
    arena_free(arena);
}

static void each_limit_is_taken_up_to_its_bounds(void **state)
{
    static const LimitBounds limits[] = {
        {"head_bytes", LIMIT(http.head_bytes), "1023", "1024", 1024, "4294967295", "4294967296",
         UINT32_MAX, "path_bytes: 256"},
        {"head_fields", LIMIT(http.head_fields), "15", "16", 16, NULL, NULL, 0, ""},
        {"path_bytes", LIMIT(http.path_bytes), "255", "256", 256, "32768", "32769", 32768, ""},
        {"streams", LIMIT(http.streams), "0", "1", 1, NULL, NULL, 0, ""},
        {"stream_window", LIMIT(http.stream_window), "65534", "65535", 65535, "2147483647",
         "2147483648", INT32_MAX, "connection_window: 2147483647"},
        {"connection_window", LIMIT(http.connection_window), "65534", "65535", 65535, "2147483647",
         "2147483648", INT32_MAX, "stream_window: 65535"},
        {"resets_per_second", LIMIT(http.resets_per_second), "0", "1", 1, NULL, NULL, 0, ""},
        {"control_frames", LIMIT(http.control_frames), "9", "10", 10, NULL, NULL, 0, ""},
        {"queue_high", LIMIT(http.queue_high), "16383", "16384", 16384, NULL, NULL, 0,
         "queue_low: 1"},
        {"queue_low", LIMIT(http.queue_low), NULL, "0", 0, "131072", "131073", 131072, ""},
        {"requests", LIMIT(http.requests), "-1", "0", 0, NULL, NULL, 0, ""},
        {"head_time", LIMIT(head_time), "999us", "1ms", MILLISECOND, NULL, NULL, 0, ""},
        {"body_time", LIMIT(body_time), "999us", "1ms", MILLISECOND, NULL, NULL, 0, ""},
        {"idle_time", LIMIT(idle_time), "999us", "1ms", MILLISECOND, NULL, NULL, 0, ""},
        {"max_age", LIMIT(max_age), "999ms", "1s", SECOND, NULL, NULL, 0, ""},
        {"max_age", LIMIT(max_age), "1ns", "0s", 0, NULL, NULL, 0, ""},
        {"max_age", LIMIT(max_age), "-1s", NULL, 0, NULL, NULL, 0, ""},
        {"send_time", LIMIT(send_time), "999us", "1ms", MILLISECOND, NULL, NULL, 0, ""},
        {"handshake_time", LIMIT(handshake_time), "999us", "1ms", MILLISECOND, NULL, NULL, 0, ""},
        {"connect_time", LIMIT(connect_time), "999us", "1ms", MILLISECOND, NULL, NULL, 0, ""},
        {"connect_patience", LIMIT(connect_patience), "999us", "1ms", MILLISECOND, NULL, NULL, 0,
         ""},
        {"call_time", LIMIT(call_time), NULL, "0s", 0, NULL, NULL, 0, ""},
        {"session_time", LIMIT(session_time), NULL, "0s", 0, "24h", "24h1ms", 86400 * SECOND, ""},
        {"instance_idle_time", LIMIT(instance_idle_time), NULL, "0s", 0, NULL, NULL, 0, ""},
        {"instance_max_age", LIMIT(instance_max_age), "999ms", "1s", SECOND, NULL, NULL, 0, ""},
        {"ping_time", LIMIT(ping_time), "999ms", "1s", SECOND, NULL, NULL, 0, ""},
        {"connections", LIMIT(connections), "0", "1", 1, NULL, NULL, 0, ""},
        {"message_bytes", LIMIT(message_bytes), "1023", "1024", 1024, "128MiB", "134217729",
         128 << 20, ""},
        {"answer_bytes", LIMIT(answer_bytes), "1023", "1024", 1024, "128MiB", "134217729",
         128 << 20, ""},
        {"message_bytes", LIMIT(message_bytes), NULL, NULL, 0, "2147483647", "2147483648",
         INT32_MAX, "call_memory: 4GiB"},
        {"answer_bytes", LIMIT(answer_bytes), NULL, NULL, 0, "2147483647", "2147483648", INT32_MAX,
         "call_memory: 4GiB"},
        {"compress_least", LIMIT(compress_least), NULL, "0", 0, NULL, NULL, 0, ""},
        {"compression_ratio", LIMIT(compression_ratio), NULL, "0", 0, NULL, NULL, 0, ""},
        {"call_memory", LIMIT(call_memory), "1048575", "1MiB", 1 << 20, NULL, NULL, 0,
         "message_bytes: 1024, answer_bytes: 1024"},
        {"depth", LIMIT(depth), "0", "1", 1, "1000", "1001", 1000, ""},
        {"elements", LIMIT(elements), "0", "1", 1, NULL, NULL, 0, ""},
        {"http1_connections", LIMIT(http1_connections), "0", "1", 1, NULL, NULL, 0, ""},
        {"http2_connections", LIMIT(http2_connections), "0", "1", 1, NULL, NULL, 0, ""},
        {"http1_uploads", LIMIT(http1_uploads), NULL, "0", 0, "256", "257", 256, ""},
        {"instance_waits", LIMIT(instance_waits), "0", "1", 1, NULL, NULL, 0, ""},
        {"max_hops", LIMIT(max_hops), "0", "1", 1, "100", "101", 100, ""},
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        const LimitBounds *limit = &limits[i];
        if (limit->below)
            assert_no_limit(limit, limit->below);
        if (limit->least)
            assert_limit(limit, limit->least, limit->least_value);
        if (limit->most)
            assert_limit(limit, limit->most, limit->most_value);
        if (limit->above)
            assert_no_limit(limit, limit->above);
    }
}

static void connections_without_a_limit_have_the_default_one(void **state)
{
    Limits limits = {.http1_connections = 7, .http2_connections = 9};
    assert_int_equal(limits_connections(&limits, false), 7);
    assert_int_equal(limits_connections(&limits, true), 9);
    limits = (Limits){0};
    assert_int_equal(limits_connections(&limits, false), 256);
    assert_int_equal(limits_connections(&limits, true), 8);
}

static void without_a_limit_memory_is_half_of_the_machines(void **state)
{
    Limits limits = {.memory = 12345};
    assert_int_equal(limits_memory(&limits), 12345);
    limits.memory = 0;
    assert_int_equal(limits_memory(&limits), machine_memory("") / 2);
}

static void an_address_with_a_scheme_is_told_without_it(void **state)
{
    expect_told("listen: ['http://0.0.0.0:8080', 'https://shop', 'http://shop/v1', 'dns:///a:1',"
                " 'tcp://[::1]:80', '://', 'https://']\n",
                "a.yaml:1:10: listen[0].address: an address has no scheme (0.0.0.0:8080)\n"
                "a.yaml:1:33: listen[1].address: an address has no scheme (shop:443, and tls "
                "beside it)\n"
                "a.yaml:1:49: listen[2].address: an address has no scheme (shop:80)\n"
                "a.yaml:1:67: listen[3].address: an address has no scheme (a:1)\n"
                "a.yaml:1:81: listen[4].address: an address has no scheme ([::1]:80)\n"
                "a.yaml:1:99: listen[5].address: an address has no scheme (:80)\n"
                "a.yaml:1:106: listen[6].address: an address has no scheme (:443, and tls beside "
                "it)\n");
}

static void addresses_are_checked(void **state)
{
    expect_told(
        "listen: ['8080', ':8080', '::1:80', '[::x]:80', '127.0.0.256:1', 'a b:1', 'x:', 'unix:', "
        "'x:1',"
        " 'x:1']\n",
        "a.yaml:1:10: listen[0].address: 8080 is not an address: a host, a colon and a port (for "
        "example 0.0.0.0:8080)\n"
        "a.yaml:1:18: listen[1].address: there is no host before the port (0.0.0.0:8080)\n"
        "a.yaml:1:27: listen[2].address: an IPv6 address must be in brackets ([::1]:80)\n"
        "a.yaml:1:37: listen[3].address: ::x is not an IPv6 address\n"
        "a.yaml:1:49: listen[4].address: 127.0.0.256 is neither an IP address nor a host name (for "
        "example 0.0.0.0:8080)\n"
        "a.yaml:1:66: listen[5].address: a b is neither an IP address nor a host name (for example "
        "0.0.0.0:8080)\n"
        "a.yaml:1:75: listen[6].address: there is no port after x: (for example 0.0.0.0:8080)\n"
        "a.yaml:1:81: listen[7].address: there is no path after unix: (for example "
        "unix:/run/passerelle.sock)\n"
        "a.yaml:1:97: listen[9].address: listen[8] already has the address x:1\n");
}

static void a_bare_drain_is_its_time(void **state)
{
    Loaded l = load_good(LISTEN "drain: 3s\n");
    assert_int_equal(l.config->drain_delay, 0);
    assert_int_equal(l.config->drain_time, 3 * SECOND);
    unload(&l);
    l = load_good(LISTEN "drain: {delay: 5s}\n");
    assert_int_equal(l.config->drain_delay, 5 * SECOND);
    assert_int_equal(l.config->drain_time, 10 * SECOND);
    unload(&l);
    l = load_good(LISTEN "drain: {delay: 1s, time: 0s}\n");
    assert_int_equal(l.config->drain_delay, 1 * SECOND);
    assert_int_equal(l.config->drain_time, 0);
    unload(&l);
    l = load_good(LISTEN);
    assert_int_equal(l.config->drain_delay, 0);
    assert_int_equal(l.config->drain_time, 10 * SECOND);
    unload(&l);
    expect_told(LISTEN "drain: {dealy: 1s}\n",
                "a.yaml:2:9: drain.dealy: there is no such key (did you mean delay)\n");
    expect_told(LISTEN "drain: soon\n",
                "a.yaml:2:8: drain: soon is not a length of time (for example 250ms, 2s or "
                "1h30m)\n");
}

static void name_servers_have_a_port(void **state)
{
    Loaded l = load_good(LISTEN "dns: {servers: [10.0.0.2, '127.0.0.1:8600', '::1', '[::2]:54'],"
                                " timeout: 500ms, attempts: 2}\n");
    assert_string_equal(l.config->dns.servers, "10.0.0.2:53,127.0.0.1:8600,[::1]:53,[::2]:54");
    assert_int_equal(l.config->dns.timeout, 500 * MILLISECOND);
    assert_int_equal(l.config->dns.attempts, 2);
    unload(&l);
    l = load_good(LISTEN);
    assert_null(l.config->dns.servers);
    assert_int_equal(l.config->dns.timeout, SECOND);
    assert_int_equal(l.config->dns.attempts, 3);
    unload(&l);
    expect_told(LISTEN
                "dns: {servers: ['dns.test:53', 'unix:/x', 'x', '10.0.0.1:0'], attempts: 11}\n",
                "a.yaml:2:17: dns.servers[0]: dns.test:53 is not the IP address of a name server "
                "(for example 10.0.0.2 or 127.0.0.1:8600)\n"
                "a.yaml:2:32: dns.servers[1]: unix:/x is not the IP address of a name server (for "
                "example 10.0.0.2 or 127.0.0.1:8600)\n"
                "a.yaml:2:43: dns.servers[2]: x is not the IP address of a name server (for "
                "example 10.0.0.2 or 127.0.0.1:8600)\n"
                "a.yaml:2:48: dns.servers[3]: 0 is not a port (1 to 65535)\n"
                "a.yaml:2:73: dns.attempts: must be at most 10\n");
}

static void names_of_files_are_relative_to_the_config(void **state)
{
    Loaded l = load_good("listen: ['unix:in.sock']\nadmin: unix:/run/admin.sock\nlog: calls.log\n"
                         "routes: [{match: /old/, instances: ['unix:run/old.sock']}]\n");
    assert_string_equal(l.config->listeners[0].address.path, FILES "in.sock");
    assert_string_equal(l.config->listeners[0].address.text, "unix:in.sock");
    assert_string_equal(l.config->admin.path, "/run/admin.sock");
    assert_string_equal(l.config->http_routes[0].service->instances[0].address.path,
                        FILES "run/old.sock");
    assert_string_equal(l.config->log.outputs[0].path, FILES "calls.log");
    unload(&l);
    l = load_good(LISTEN "log: {file: /dev/null}\n");
    assert_string_equal(l.config->log.outputs[0].path, "/dev/null");
    unload(&l);
}

static void a_log_has_places_and_forms(void **state)
{
    Loaded l =
        load_good(LISTEN "log: {to: 'syslog:tcp:[::1]:601', facility: daemon, message_bytes: "
                         "480, also: [calls.log, {to: journald}, {to: syslog, format: "
                         "combined}], sample: {successes: 0, slow: 0s}}\n");
    const LogConfig *log = &l.config->log;
    const LogOutputConfig *output = log->outputs;
    assert_int_equal(log->n_outputs, 4);
    assert_int_equal(output[0].transport, LOG_BY_TCP);
    assert_string_equal(output[0].host, "::1");
    assert_int_equal(output[0].port, 601);
    assert_int_equal(output[0].facility, 3);
    assert_int_equal(output[0].most, 480);
    assert_string_equal(output[1].path, FILES "calls.log");
    assert_int_equal(output[2].to, LOG_TO_JOURNAL);
    assert_true(output[2].readable);
    assert_string_equal(output[3].path, "/dev/log");
    assert_int_equal(output[3].lines, LOG_CALLS);
    assert_true(log->samples && log->head && log->slow == 0);
    unload(&l);

    l = load_good(LISTEN "log: {lines: events, format: readable}\n");
    assert_string_equal(l.config->log.outputs[0].path, "-");
    assert_int_equal(l.config->log.outputs[0].lines, LOG_EVENTS);
    assert_false(l.config->log.samples || l.config->log.head);
    unload(&l);
    l = load_good(LISTEN "log: {format: '%{client}', sample: {successes: 1}}\n");
    assert_false(l.config->log.samples || l.config->log.head);
    unload(&l);
}

static void a_log_without_a_place_is_a_mistake(void **state)
{
    expect_told(LISTEN "log: {file: a, to: syslog, also: [{}, {to: 'syslog:udp:x:1'}, a, b]}\n",
                "a.yaml:2:20: log.to: a log goes to a file or elsewhere\n"
                "a.yaml:2:34: log.also: a log goes to at most 4 places\n"
                "a.yaml:2:35: log.also[0]: it has no place ({file: calls.log}, or {to: syslog})\n"
                "a.yaml:2:44: log.also[1].to: x:1 is no IP address, and a lookup of a name could "
                "hold up the log (for example syslog:udp:10.0.0.7:514)\n");
}

static void a_host_is_a_name_without_a_port(void **state)
{
    static const char *const good[] = {"a", "gw1.internal", "*.monitoring.svc",
                                       "*", "10.0.0.1",     "a_b-c.d"};
    static const char *const bad[] = {"",   "*.", "**", "*a",   "a.*", "a:1",  "http://a",
                                      "a/", ".a", "a.", "*..a", "a b", "[::1]"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(config_is_host_pattern(bytes_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(config_is_host_pattern(bytes_of(bad[i])) &&
                     (print_message("%s\n", bad[i]), true));
}

static void trusted_proxies_are_networks_and_somebody(void **state)
{
    expect_told(
        "listen: [{address: 'x:1', trusted_proxies: [10.0.0.1/8, 'lb.internal', none]}]\n",
        "a.yaml:1:45: listen[0].trusted_proxies[0]: 10.0.0.1/8 has bits after its prefix (write "
        "10.0.0.0/8)\n"
        "a.yaml:1:57: listen[0].trusted_proxies[1]: lb.internal is not a network: an IP address, "
        "without a port, or one with a slash and the length of its prefix; names are not looked up "
        "(for example 10.0.0.0/8, 192.0.2.7, 2001:db8::/32 or unix)\n"
        "a.yaml:1:72: listen[0].trusted_proxies[2]: none must be the only entry "
        "(leave it out, or leave out the others)\n");
    expect_told(
        "listen: [{address: 'x:1', proxy_protocol: true}]\nidentity_header: x-client\n",
        "a.yaml:1:43: listen[0].proxy_protocol: there are no trusted proxies here (list the "
        "senders in trusted_proxies)\n"
        "a.yaml:2:18: identity_header: it is accepted from trusted proxies only, and there are "
        "none (list the senders in trusted_proxies)\n");
}

static void an_identity_has_a_field_of_its_own(void **state)
{
    static const char *const names[] = {
        "Authorization",   "content-type",    "Cookie", "te",
        "x-forwarded-for", "passerelle-hops", "via",    "grpc-timeout"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "listen: [{address: 'x:1', trusted_proxies: [unix]}]\nidentity_header: %s\n",
                 names[i]);
        Loaded l = load(text);
        assert_null(l.config);
        assert_non_null(strstr(l.told, "has another meaning"));
        unload(&l);
    }
}

static void what_names_a_client_is_checked(void **state)
{
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"identity: {certificate: serial}\n", "serial is not known here"},
        {"identity: {tenant_header: x-tenant}\n", "it needs the client's identity beside it"},
        {"identity: {class_header: cookie}\n", "has another meaning"},
        {"clients: hashed\n", "hashed needs a key"},
        {"clients: {recorded: named, key: a.key}\n", "names are not hashed"},
        {"clients: {recorded: hashed, key: /nowhere/a.key}\n", "open /nowhere/a.key"},
        {"clients: {recorded: hashed, key: /dev/null}\n", "it is a device, not a file"},
        {"clients: {retention: 59s}\n", "clients.retention"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "listen: [{address: 'x:1', trusted_proxies: [unix]}]\n%s",
                 cases[i].text);
        Loaded l = load(text);
        assert_null(l.config);
        if (!strstr(l.told, cases[i].told))
            fail_msg("%s told %s", cases[i].text, l.told);
        unload(&l);
    }
}

/* A file in /tmp with that content. */
static const char *file_with(const char *content)
{
    static char path[32];
    strcpy(path, "/tmp/keyXXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(write(fd, content, strlen(content)) == (ssize_t)strlen(content));
    close(fd);
    return path;
}

static void the_key_for_names_has_a_least_size(void **state)
{
    static const char *const keys[] = {"", "0123456789abcde", "0123456789abcdef"};
    for (int i = 0; i < 3; i++) {
        const char *path = file_with(keys[i]);
        char text[256], told[64];
        snprintf(text, sizeof text, "listen: ['x:1']\nclients: {recorded: hashed, key: %s}\n",
                 path);
        snprintf(told, sizeof told, "has %zu bytes; a key has at least 16", strlen(keys[i]));
        Loaded l = load(text);
        unlink(path);
        assert_int_equal(l.config != NULL, i == 2);
        assert_int_equal(strstr(l.told, told) != NULL, i != 2);
        unload(&l);
    }
}

/* A file with this name: that of a webhook is in the config's text. */
static void name_file(char name[64], const char *kind, const char *content)
{
    snprintf(name, 64, "/tmp/%s%d", kind, (int)getpid());
    assert_int_equal(rename(file_with(content), name), 0);
}

static void hash_with_webhook(const char *token, const char *ca, char out[CONFIG_HASH_SIZE])
{
    char text[512], token_file[64], ca_file[64];
    name_file(token_file, "token", token);
    name_file(ca_file, "ca", ca);
    snprintf(text, sizeof text,
             "listen: ['x:1']\nledger: {webhooks: [{name: pager, url: 'https://a.example/', "
             "token_file: %s, ca: %s}]}\n",
             token_file, ca_file);
    Loaded l = load_good(text);
    strcpy(out, l.config->hash);
    unlink(token_file);
    unlink(ca_file);
    unload(&l);
}

/* Gateways with one hash have one config: also what their webhooks send, and whom they trust. */
static void the_files_of_a_webhook_are_part_of_the_hash(void **state)
{
    char first[CONFIG_HASH_SIZE], again[CONFIG_HASH_SIZE], other[CONFIG_HASH_SIZE];
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes text;
    assert_ok(arena, file_read(arena, GARAGE "/server.pem", 1 << 16, &text));
    const char *ca = arena_text(arena, text);
    hash_with_webhook("secret", ca, first);
    hash_with_webhook("secret", ca, again);
    assert_string_equal(first, again);
    hash_with_webhook("secret-of-tomorrow", ca, other);
    assert_string_not_equal(first, other);
    hash_with_webhook("secret", arena_printf(arena, "%s%s", ca, ca), other);
    assert_string_not_equal(first, other);
    arena_free(arena);
}

static void assert_key_file(const char *content, const char *told)
{
    const char *path = file_with(content);
    char text[256];
    snprintf(text, sizeof text, "listen: ['x:1']\nstore: {keys: [{id: a, file: %s}]}\n", path);
    Loaded l = load(text);
    unlink(path);
    if (told && !strstr(l.told, told))
        fail_msg("%s told %s", content, l.told);
    if (!told) {
        assert_non_null(l.config);
        const StoreKeys *keys = &l.config->store.keys;
        assert_int_equal(keys->n, 1);
        assert_string_equal(keys->keys[0].id, "a");
        assert_int_equal(keys->keys[0].key[0], 0xca);
        assert_int_equal(keys->keys[0].key[31], 0xbb);
    }
    unload(&l);
}

#define HASH "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"

static void the_file_of_a_store_key_has_64_hexadecimal_digits(void **state)
{
    assert_key_file(HASH, NULL);
    assert_key_file(HASH "\n", NULL);
    assert_key_file("CA978112CA1BBDCAFAC231B39A23DC4DA786EFF8147C4E72B9807785AFEE48BB\r\n", NULL);
    assert_key_file(HASH "0", "does not have 64 hexadecimal digits (openssl rand -hex 32)");
    assert_key_file(HASH " ", "does not have 64 hexadecimal digits");
    assert_key_file("x" HASH, "does not have 64 hexadecimal digits");
    assert_key_file("e3b0", "does not have 64 hexadecimal digits");
    assert_key_file("", "does not have 64 hexadecimal digits");
    char other[] = HASH;
    other[63] = 'g';
    assert_key_file(other, "does not have 64 hexadecimal digits");
}

/* By their content: the same file is only one way to that. */
static void one_key_under_two_ids_is_doubtful(void **state)
{
    char files[2][32], text[256];
    for (int same = 0; same < 2; same++) {
        strcpy(files[0], file_with(HASH));
        strcpy(files[1], file_with(same ? HASH "\n" : &HASH "0"[1]));
        snprintf(text, sizeof text,
                 "listen: ['x:1']\nstore: {sqlite: /tmp/x.db, keys: [{id: a, file: %s}, {id: b, "
                 "file: %s}]}\n",
                 files[0], files[1]);
        Loaded l = load_good(text);
        assert_int_equal(l.config->doubts.n, same);
        if (same)
            assert_non_null(strstr(l.config->doubts.items[0].reason, " has the same key as "));
        unload(&l);
        unlink(files[0]);
        unlink(files[1]);
    }
}

static void the_ids_of_store_keys_are_words_and_differ(void **state)
{
    static const struct {
        const char *keys, *told;
    } cases[] = {
        {"[{id: a, file: /nowhere/key}]", "store.keys[0].file: open /nowhere/key"},
        {"[{file: /nowhere/key}]", "id is missing"},
        {"[{id: a}]", "file is missing"},
        {"[{id: '', file: x}]", "a key's id has 1 to 32 letters"},
        {"[{id: 'a b', file: x}]", "a key's id has 1 to 32 letters"},
        {"[{id: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, file: x}]", "a key's id has 1 to 32 letters"},
        {"[{id: a, file: x}, {id: a, file: x}]", "another key has the id a already"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "listen: ['x:1']\nstore: {keys: %s}\n", cases[i].keys);
        Loaded l = load(text);
        assert_null(l.config);
        if (!strstr(l.told, cases[i].told))
            fail_msg("%s told %s", cases[i].keys, l.told);
        unload(&l);
    }
    Loaded l =
        load("listen: ['x:1']\nstore: {keys: [{id: A.b_c-12345678901234567890123456, file: x}]}\n");
    assert_null(strstr(l.told, "a key's id"));
    unload(&l);
}

static void operators_are_checked(void **state)
{
    static const struct {
        const char *admin, *told;
    } cases[] = {
        {"operators: [{name: a}]", "it has one of: certificate, token_sha256, password"},
        {"operators: [{name: a, certificate: CN=a, token_sha256: " HASH "}]",
         "it has one of: certificate, token_sha256, password"},
        {"operators: [{name: a, token_sha256: " HASH "0}]", "64 hexadecimal digits"},
        {"operators: [{name: a, token_sha256: abc}]", "64 hexadecimal digits"},
        {"operators: [{name: a, certificate: CN=a}]", "over TLS only"},
        {"operators: [{name: '', token_sha256: " HASH "}]", "operators[0].name: it is empty"},
        {"operators: [{name: a, token_sha256: "
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855}]",
         "SHA-256 of an empty token"},
        {"operators: [{name: a, token_sha256: " HASH "}, {name: b, token_sha256: " HASH "}]",
         "operators[1]: admin.operators[0] has the same token"},
        {"operators: [{name: a, certificate: CN=a}, {name: b, certificate: CN=a}]",
         "operators[1]: admin.operators[0] has the same certificate"},
        {"operators: [{role: root, name: a, token_sha256: " HASH "}]", "root is not known here"},
        {"operators: [{token_sha256: " HASH "}]", "name is missing"},
        {"socket: '127.0.0.1:1'", "is not a unix socket"},
        {"socket: adm.sock", "is not a unix socket: that begins with unix:"},
        {"socket: 'unix:/run/x.sock'", "listen[0] already has the address"},
        {"tls: {certificate: /nowhere.pem, key: /nowhere.key}", "admin.tls.certificate"},
        {"socket: {mode: 0600}", "the key address is missing"},
        {"socket: {address: 'unix:/run/y.sock', mode: 0661}",
         "admin.socket.mode: everybody on this machine could operate the gateway"},
        {"socket: {address: 'unix:/run/y.sock', group: no-such-group}",
         "admin.socket.group: there is no group no-such-group"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        snprintf(text, sizeof text, "listen: ['unix:/run/x.sock']\nadmin: {address: 'a:1', %s}\n",
                 cases[i].admin);
        Loaded l = load(text);
        assert_null(l.config);
        if (!strstr(l.told, cases[i].told))
            fail_msg("%s told %s", cases[i].admin, l.told);
        unload(&l);
    }
}

static void the_rights_of_unix_sockets_are_read(void **state)
{
    Loaded l = load("listen: ['unix:/run/a', {address: 'unix:/run/b', mode: 0666},\n"
                    "  {address: 'unix:/run/c', mode: '620', owner: root},\n"
                    "  {address: 'unix:/run/d', group: 4294967294}]\n"
                    "admin: {socket: {address: 'unix:/run/e', group: root}}\n");
    assert_non_null(l.config);
    const ListenerConfig *listeners = l.config->listeners;
    assert_null(listeners[0].rights);
    assert_int_equal(listeners[1].rights->mode, 0666);
    assert_int_equal(listeners[1].rights->owner, (uid_t)-1);
    assert_int_equal(listeners[2].rights->mode, 0620);
    assert_int_equal(listeners[2].rights->owner, 0);
    assert_int_equal(listeners[2].rights->group, (gid_t)-1);
    assert_int_equal(listeners[3].rights->mode, 0660);
    assert_int_equal(listeners[3].rights->group, 4294967294);
    assert_int_equal(l.config->admin_socket_rights->mode, 0660);
    assert_int_equal(l.config->admin_socket_rights->group, 0);
    unload(&l);
    l = load("listen: ['x:1']\nadmin: {socket: 'unix:/run/e'}\n");
    assert_null(l.config->admin_socket_rights);
    unload(&l);
}

static void wrong_rights_of_unix_sockets_are_told(void **state)
{
    static const struct {
        const char *listener, *told;
    } cases[] = {
        {"'unix:/x', mode: rw-rw----", "a.yaml:1:37: listen[0].mode: rw-rw---- is not the mode"},
        {"'unix:/x', mode: 66", "66 is not the mode"},
        {"'unix:/x', mode: 0680", "0680 is not the mode"},
        {"'unix:/x', mode: 1777", "1777 is not the mode"},
        {"'unix:/x', mode: ''", " is not the mode"},
        {"'unix:/x', mode: 0444", "nobody could connect with the mode 0444"},
        {"'unix:/x', owner: no-such-user", "listen[0].owner: there is no user no-such-user"},
        {"'unix:/x', owner: 4294967295", "there is no user 4294967295"},
        {"'unix:/x', group: ''", "listen[0].group: there is no group "},
        {"'x:1', mode: 0660", "listen[0].mode: only a unix socket has a file"},
        {"'x:1', owner: root", "listen[0].owner: only a unix socket has a file"},
        {"'x:1', group: root", "listen[0].group: only a unix socket has a file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128];
        snprintf(text, sizeof text, "listen: [{address: %s}]\n", cases[i].listener);
        Loaded l = load(text);
        assert_null(l.config);
        if (!strstr(l.told, cases[i].told))
            fail_msg("%s told %s", cases[i].listener, l.told);
        unload(&l);
    }
}

static void the_admin_has_a_socket_unless_an_address_is_said(void **state)
{
    Loaded l = load("listen: ['x:1']\n");
    assert_string_equal(l.config->admin_socket.path, "/run/passerelle/admin.sock");
    assert_false(l.config->admin_socket_said);
    assert_int_equal(l.config->admin_refused_events, 60);
    unload(&l);
    l = load("listen: ['x:1']\nadmin: {hosts: [a]}\n");
    assert_string_equal(l.config->admin_socket.path, "/run/passerelle/admin.sock");
    unload(&l);
    l = load("listen: ['x:1']\nadmin: 'a:1'\n");
    assert_null(l.config->admin_socket.path);
    unload(&l);
    l = load(
        "listen: ['x:1']\nadmin: {socket: 'unix:/run/a.sock', operators: ["
        "{name: ci, role: operate, token_sha256: " HASH "}, "
        "{name: b, token_sha256: "
        "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d}], refused_events: 7}\n");
    assert_string_equal(l.config->admin_socket.path, "/run/a.sock");
    assert_true(l.config->admin_socket_said);
    assert_int_equal(l.config->n_operators, 2);
    assert_int_equal(l.config->operators[0].role, ROLE_OPERATE);
    assert_int_equal(l.config->operators[1].role, ROLE_READ);
    assert_int_equal(l.config->operators[0].token_hash[0], 0xca);
    assert_int_equal(l.config->operators[0].token_hash[31], 0xbb);
    assert_int_equal(l.config->admin_refused_events, 7);
    unload(&l);
}

static void the_name_in_a_certificate_and_the_records_can_be_chosen(void **state)
{
    Loaded l = load("listen: [{address: 'x:1', trusted_proxies: [unix]}]\n"
                    "identity_header: X-Client\n"
                    "identity: {certificate: dns, tenant_header: X-Tenant, class_header: X-Class}\n"
                    "clients: {recorded: hashed, key: " GARAGE "/server.key}\n");
    assert_non_null(l.config);
    const IdentityConfig *identity = &l.config->identity;
    assert_int_equal(identity->certificate, CERTIFICATE_DNS);
    assert_string_equal(identity->headers[0], "x-client");
    assert_string_equal(identity->headers[1], "x-tenant");
    assert_string_equal(identity->headers[2], "x-class");
    assert_null(identity->headers[3]);
    assert_true(identity->hash_key.size >= 16);
    assert_int_equal(identity->retention / SECOND, 30 * 86400);
    unload(&l);
    l = load("listen: ['x:1']\nclients: named\n");
    assert_null(l.config->identity.headers);
    assert_int_equal(l.config->identity.hash_key.size, 0);
    unload(&l);
    l = load("listen: ['x:1']\n");
    assert_int_equal(l.config->identity.retention / SECOND, 30 * 86400);
    unload(&l);
    l = load("listen: ['x:1']\nclients: {retention: 1m}\n");
    assert_int_equal(l.config->identity.retention / SECOND, 60);
    unload(&l);
}

/* [listener, instance]: the second leads back to the first, or not. */
static void a_gateway_is_not_its_own_instance(void **state)
{
    static const struct {
        const char *listener, *instance;
        bool same;
    } cases[] = {
        {"127.0.0.1:8080", "127.0.0.1:8080", true},
        {"127.0.0.1:8080", "localhost:8080", true},
        {"127.0.0.1:8080", "LOCALHOST:8080", true},
        {"127.0.0.1:8080", "127.0.0.2:8080", false},
        {"127.0.0.1:8080", "127.0.0.1:8081", false},
        {"0.0.0.0:8080", "127.0.0.9:8080", true},
        {"[::]:8080", "127.0.0.1:8080", true},
        {"[::]:8080", "[::1]:8080", true},
        {"0.0.0.0:8080", "192.0.2.1:8080", false},
        {"0.0.0.0:8080", "0.0.0.0:8080", true},
        {"127.0.0.1:8080", "0.0.0.0:8080", true},
        {"192.0.2.1:8080", "0.0.0.0:8080", false},
        {"gateway.internal:80", "gateway.internal:80", true},
        {"0.0.0.0:80", "gateway.internal:80", false},
        {"unix:/run/a.sock", "unix:/run/a.sock", true},
        {"unix:/run/a.sock", "unix:/run/b.sock", false},
        {"0.0.0.0:0", "127.0.0.1:8080", false},
        {"unix:/run/a.sock", "127.0.0.1:80", false},
        {"127.0.0.1:80", "unix:/run/a.sock", false},
        {"[::1]:8080", "[::1]:8080", true},
        {"[::1]:8080", "127.0.0.1:8080", false},
        {"[::1]:8080", "0.0.0.0:8080", true},
        {"[::1]:8080", "[::]:8080", true},
        {"localhost:8080", "127.0.0.1:8080", true},
        {"localhost:8080", "[::1]:8080", false},
        {"0.0.0.0:8080", "[::1]:8080", true},
        {"0.0.0.0:8080", "128.0.0.1:8080", false},
        {"gateway.internal:80", "127.0.0.1:80", false},
        {"gateway.internal:80", "other.internal:80", false},
        {"127.0.0.1:80", "gateway.internal:80", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512], told[512] = "";
        snprintf(text, sizeof text,
                 "listen: ['%s']\nroutes:\n  - {match: /old/, instances: ['%s']}\n",
                 cases[i].listener, cases[i].instance);
        if (cases[i].same)
            snprintf(
                told, sizeof told,
                "a.yaml:3:32: routes[0].instances[0].address: this gateway itself listens on %s "
                "(listen[0]): calls would loop (the address of a service's own process)\n",
                cases[i].instance);
        Loaded l = load_good(text);
        Buffer doubts = buffer_in(l.arena);
        problems_print(&l.config->doubts, &doubts);
        assert_string_equal(without_folder(l.arena, buffer_bytes(&doubts)), told);
        unload(&l);
    }
}

/* An address of this machine that is not of its loopback; NULL: it has none. */
static const char *own_address(char text[INET_ADDRSTRLEN])
{
    struct ifaddrs *all;
    const char *found = NULL;
    assert_int_equal(getifaddrs(&all), 0);
    for (const struct ifaddrs *at = all; at && !found; at = at->ifa_next) {
        if (at->ifa_addr && at->ifa_addr->sa_family == AF_INET && !(at->ifa_flags & IFF_LOOPBACK))
            found = inet_ntop(AF_INET, &((const struct sockaddr_in *)at->ifa_addr)->sin_addr, text,
                              INET_ADDRSTRLEN);
    }
    freeifaddrs(all);
    return found;
}

static void a_gateway_that_listens_everywhere_is_at_each_address_of_its_machine(void **state)
{
    char address[INET_ADDRSTRLEN], text[256];
    if (!own_address(address))
        skip();
    snprintf(text, sizeof text,
             "listen: ['0.0.0.0:8080']\nroutes:\n  - {match: /old/, instances: ['%s:8080']}\n",
             address);
    Loaded l = load_good(text);
    assert_int_equal(l.config->doubts.n, 1);
    unload(&l);
}

static void routes_that_match_nothing_or_twice_are_told(void **state)
{
    expect_told(
        GOOD "routes:\n"
             "  - {match: garage.Cars/Gat}\n"
             "  - {match: garage.Car}\n"
             "  - {match: garage}\n"
             "  - {match: garage}\n"
             "  - {match: garage.Cars, instances: ['x:1']}\n",
        "a.yaml:12:13: routes[0].match: garage.Cars/Gat matches no method (did you mean "
        "garage.Cars/Get)\n"
        "a.yaml:13:13: routes[1].match: garage.Car matches no method (did you mean garage.Cars)\n"
        "a.yaml:15:13: routes[3].match: garage is already matched in a.yaml:14 (leave out one of "
        "them)\n"
        "a.yaml:16:37: routes[4].instances: only a route that matches a path has instances; a "
        "service has its own\n");
}

static void default_answers_are_checked_against_the_schema(void **state)
{
    expect_told(
        GOOD
        "routes:\n"
        "  - match: garage.Cars/List\n"
        "    on_failure: {graceful: {writes: true, default: {cars: [{naem: x, doors: many}]}}}\n"
        "  - match: garage.Cars/Get\n"
        "    on_failure: {graceful: {version: v8, default: {}, writes: true}}\n"
        "  - match: garage.Cars/Scrap\n"
        "    on_failure: {graceful: {default: {}, writes: true}}\n"
        "  - match: garage.Cars/Wash\n"
        "    on_failure: graceful\n",
        "a.yaml:13:61: routes[0].on_failure.graceful.default.cars[0].naem: there is no such key "
        "(did "
        "you mean name)\n"
        "a.yaml:13:77: routes[0].on_failure.graceful.default.cars[0].doors: many is not a whole "
        "number\n"
        "a.yaml:15:38: routes[1].on_failure.graceful.version: garage has no version v8 (did you "
        "mean "
        "v1)\n"
        "a.yaml:17:28: routes[2].on_failure.graceful: the response of /garage.v1.Cars/Scrap cannot "
        "be "
        "written in v3: Cars.Scrap is only in v1 (version: v1)\n"
        "a.yaml:19:17: routes[3].on_failure.graceful: there is no fallback (for example stale: "
        "10m, or older: true, or skip: true)\n");
}

static void fallbacks_are_in_the_order_of_their_keys(void **state)
{
    Loaded l = load_good(GOOD "      - {address: '127.0.0.1:7002', versions: [v2]}\n"
                              "routes:\n"
                              "  - match: garage.Cars/List\n"
                              "    on_failure: {graceful: {stale: 10m, older: true, writes: true, "
                              "skip: true}}\n"
                              "  - match: garage.Cars/Get\n"
                              "    on_failure: {graceful: {older: true, writes: true, "
                              "stale: {for: 1s, public: true}}}\n");
    const Method *list = method(&l, "/garage.v1.Cars/List"),
                 *get = method(&l, "/garage.v3.Cars/Get");
    const Route *route = list->route;
    assert_int_equal(route->n_fallbacks, 3);
    assert_int_equal(route->fallbacks[0], FALLBACK_STALE);
    assert_int_equal(route->fallbacks[1], FALLBACK_OLDER);
    assert_int_equal(route->fallbacks[2], FALLBACK_SKIP);
    assert_int_equal(route->stale_for, 600 * SECOND);
    assert_false(route->stale_public);
    assert_bytes(list->extras->default_reply[CODEC_JSON], "{}");
    assert_int_equal(list->extras->default_reply[CODEC_PROTO].size, 0);
    assert_int_equal(get->route->n_fallbacks, 2);
    assert_int_equal(get->route->fallbacks[0], FALLBACK_OLDER);
    assert_true(get->route->stale_public);
    assert_int_equal(get->route->stale_for, SECOND);
    assert_false(get->extras->has_default);
    assert_int_equal(l.config->cache.memory, 64 << 20);
    assert_int_equal(l.config->cache.client_percent, 25);
    unload(&l);
}

static void fallbacks_that_cannot_be_used_are_told(void **state)
{
    expect_told(GOOD
                "routes:\n"
                "  - match: garage.Cars/List\n"
                "    on_failure: {graceful: {skip: true, stale: 10m, writes: true}}\n"
                "  - match: garage.Cars/Get\n"
                "    on_failure: {graceful: {default: {}, skip: true, version: v1, writes: true}}\n"
                "  - match: garage.Cars/Scrap\n"
                "    on_failure: {graceful: {older: true, version: v1}}\n"
                "  - match: garage.Cars/Wash\n"
                "    on_failure: {graceful: {stale: 10m, skip: true, writes: true}}\n"
                "  - match: garage\n"
                "    on_failure: {graceful: {stale: 999ms, olden: true, writes: true}}\n",
                "a.yaml:13:48: routes[0].on_failure.graceful.stale: it is never reached: there is "
                "always a response by skip (what always has a response comes last)\n"
                "a.yaml:15:48: routes[1].on_failure.graceful.skip: it is never reached: there is "
                "always a response by default (what always has a response comes last)\n"
                "a.yaml:17:36: routes[2].on_failure.graceful.older: garage.Cars/Scrap matches no "
                "method that another version could serve (leave it out)\n"
                "a.yaml:17:51: routes[2].on_failure.graceful.version: it is the version of a "
                "default response, but there is none\n"
                "a.yaml:21:36: routes[4].on_failure.graceful.stale: must be at least 1s\n"
                "a.yaml:21:36: routes[4].on_failure.graceful.stale: garage matches no method that "
                "takes one message and gives one, so there is no key to keep a response by "
                "(write skip: true)\n"
                "a.yaml:21:43: routes[4].on_failure.graceful.olden: there is no such key (did you "
                "mean older)\n");
    expect_told(
        GOOD
        "routes:\n"
        "  - match: garage.Cars/Wash\n"
        "    on_failure: {graceful: {older: true, stale: 10m}}\n"
        "  - {match: /old/, instances: ['127.0.0.1:7201'], on_failure: {graceful: {stale: 1m}}}\n"
        "cache: {memory: 1KiB, client_percent: 101}\n",
        "a.yaml:13:28: routes[0].on_failure.graceful: /garage.v2.Cars/Wash may have side effects, "
        "and would look done although it has failed (writes: true, if that is meant)\n"
        "a.yaml:14:63: routes[1].on_failure: there are no fallbacks without a schema (loud)\n"
        "a.yaml:15:17: cache.memory: must be at least 64KiB\n"
        "a.yaml:15:39: cache.client_percent: must be at most 100\n");
}

/* What is not said is the config's; what that does not say is the default. */
static void objectives_are_those_of_the_service_else_of_the_config(void **state)
{
    Loaded l = load_good(GOOD "    objectives: {low: 90%}\n"
                              "routes: [{match: /old/, instances: ['127.0.0.1:7201'], "
                              "objectives: {high: 99.5 %}}]\n"
                              "objectives: {low: 95 %, catastrophic: 99.999 %}\n");
    const double expected[][IMPACTS] = {{90, 99.9, 99.999}, {95, 99.5, 99.999}};
    for (uint32_t s = 0; s < 2; s++)
        for (int impact = 0; impact < IMPACTS; impact++)
            assert_float_equal(l.config->services[s].objectives[impact], expected[s][impact], 1e-9);
    unload(&l);

    static const char *const wrong[] = {"100 %", "0 %", "99", "most", "101 %", "-1 %"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[4096], told[512];
        snprintf(text, sizeof text, GOOD "objectives: {high: %s}\n", wrong[i]);
        snprintf(told, sizeof told,
                 "a.yaml:11:20: objectives.high: %s is not a share of the calls above 0 %% and "
                 "below 100 %% (99.9 %%)\n",
                 wrong[i]);
        expect_told(text, told);
    }
}

static void times_by_which_one_instance_uses_up_all_ejections_are_doubted(void **state)
{
    static const struct {
        const char *eject, *healing;
        bool doubted;
    } cases[] = {
        {"first: 1s, most: 2s", "", true},
        {"first: 1s, most: 2s", "healing: {eject: {at_most: 301}}\n", false},
        {"first: 1s, most: 2s", "healing: {eject: {at_most: 300}}\n", true},
        {"first: 1s, most: 2s", "healing: {eject: {stop: false}}\n", false},
        {"first: 1s, most: 2s, off: true", "", false},
        {"first: 2m, most: 2m", "", false}, /* 5 in 10 minutes */
        {"first: 119s, most: 119s", "", true},
        {"first: 30s, most: 5m", "", false},
        {"first: 30s, most: 5m", "healing: {eject: {at_most: 2}}\n", false}, /* as it is meant */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[4096];
        snprintf(text, sizeof text, GOOD "    health: {eject: {%s}}\n%s", cases[i].eject,
                 cases[i].healing);
        Loaded l = load_good(text);
        assert_int_equal(l.config->doubts.n, cases[i].doubted);
        unload(&l);
    }
}

static void a_wait_for_equal_calls_that_is_not_below_the_timeout_is_doubted(void **state)
{
    static const struct {
        const char *timeout, *join;
        bool doubted;
    } cases[] = {
        {"timeout: 2s,", ", join: 1999ms", false},
        {"timeout: 2s,", ", join: 2s", true},
        {"timeout: 2s,", ", join: 3s", true},
        {"timeout: 2s,", "", false},
        {"", ", join: 1m", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[4096];
        snprintf(text, sizeof text,
                 GOOD
                 "routes:\n"
                 "  - {match: garage.Cars/List, %s on_failure: {graceful: {writes: true, stale: "
                 "{for: 10m%s}}}}\n",
                 cases[i].timeout, cases[i].join);
        Loaded l = load_good(text);
        assert_int_equal(l.config->doubts.n, cases[i].doubted);
        if (cases[i].doubted)
            assert_string_equal(l.config->doubts.items[0].path,
                                "routes[0].on_failure.graceful.stale.join");
        unload(&l);
    }
}

static void a_route_that_says_no_impact_has_that_of_the_next_wider_one(void **state)
{
    Loaded l = load_good(GOOD "routes:\n"
                              "  - {match: garage, impact: catastrophic}\n"
                              "  - {match: garage.Cars, impact: high}\n"
                              "  - {match: garage.Cars/List, attempts: 1}\n"
                              "  - {match: garage.Cars/Get, impact: low}\n");
    assert_int_equal(method(&l, "/garage.v1.Cars/List")->route->impact, IMPACT_HIGH);
    assert_int_equal(method(&l, "/garage.v1.Cars/Get")->route->impact, IMPACT_LOW);
    unload(&l);
    l = load_good(GOOD "routes: [{match: garage.Cars/List, attempts: 1}]\n");
    assert_int_equal(method(&l, "/garage.v1.Cars/List")->route->impact, IMPACT_LOW);
    unload(&l);
}

static void a_route_without_a_timeout_has_that_of_the_next_wider_one(void **state)
{
    Loaded l = load_good(GOOD "routes:\n"
                              "  - {match: garage, timeout: 2s}\n"
                              "  - {match: garage.Cars/List, impact: high}\n"
                              "  - {match: garage.Cars/Get, timeout: 3s}\n");
    assert_int_equal(method(&l, "/garage.v1.Cars/List")->route->timeout, 2 * SECOND);
    assert_int_equal(method(&l, "/garage.v1.Cars/List")->route->impact, IMPACT_HIGH);
    assert_int_equal(method(&l, "/garage.v1.Cars/Get")->route->timeout, 3 * SECOND);
    unload(&l);
    l = load_good(GOOD "routes:\n"
                       "  - {match: garage.Cars/List}\n"
                       "  - {match: garage.Cars, timeout: 1s}\n"
                       "  - {match: garage, timeout: 2s}\n");
    assert_int_equal(method(&l, "/garage.v1.Cars/List")->route->timeout, SECOND);
    unload(&l);
    l = load_good(GOOD "routes:\n"
                       "  - {match: garage.Cars/List, timeout: 1s}\n"
                       "  - {match: garage}\n");
    assert_int_equal(method(&l, "/garage.v1.Cars/Get")->route->timeout, NO_TIMEOUT);
    unload(&l);
}

static void status_codes_that_are_none_of_a_services_own_are_told(void **state)
{
    expect_told(
        GOOD "    status_codes: {16: 404, 2147483648: 404, 17: 399, 18: 600}\n",
        "a.yaml:11:24: services[0].status_codes.16: a service's own status codes are 17 and "
        "above, and at most 2147483647\n"
        "a.yaml:11:41: services[0].status_codes.2147483648: a service's own status codes are "
        "17 and above, and at most 2147483647\n"
        "a.yaml:11:50: services[0].status_codes.17: the HTTP status of an error is 400 to "
        "599, not 399\n"
        "a.yaml:11:59: services[0].status_codes.18: the HTTP status of an error is 400 to "
        "599, not 600\n");
}

/* The file of a discovery has one gRPC instance of v1 now; others may join. */
static void an_instance_of_any_version_and_protocol_may_join(void **state)
{
    FILE *file = fopen(FILES "joining.yaml", "w");
    assert_non_null(file);
    fputs("instances: [{address: '127.0.0.1:7002', versions: [v1]}]\n", file);
    fclose(file);
    Loaded l = load_good(LISTEN "services:\n"
                                "  - name: garage\n"
                                "    versions:\n"
                                "      - {name: v1, package: garage.v1, schema: garage.binpb}\n"
                                "      - {name: v2, package: garage.v2, schema: garage.binpb}\n"
                                "    discovery: {file: joining.yaml}\n"
                                "  - name: yard\n"
                                "    versions:\n"
                                "      - {name: v1, package: yard.v1, schema: yard.binpb}\n"
                                "      - {name: v2, package: yard.v2, schema: yard.binpb}\n"
                                "    changes: [yard.yaml]\n"
                                "    discovery: {file: joining.yaml}\n");
    assert_non_null(l.config->services[0].versions[0].details.from_json); /* for REST */
    assert_true(method(&l, "/yard.v1.Yard/Get")->takes_get);
    const Method *photo = method(&l, "/yard.v1.Yard/Photo");
    assert_true(photo->type->no_side_effects);
    assert_false(photo->pairs[1].target->type->no_side_effects);
    assert_false(photo->takes_get); /* an instance of v2 might answer it, */
    assert_false(photo->safe);      /* which does not promise this */
    assert_false(photo->safe_to_repeat);
    unload(&l);
}

static void versions_that_nobody_can_answer_are_told(void **state)
{
    expect_told(LISTEN "services:\n"
                       "  - name: garage\n"
                       "    versions:\n"
                       "      - {name: v1, package: garage.v1, schema: garage.binpb}\n"
                       "      - {name: v2, package: garage.v2, schema: garage.binpb}\n"
                       "    instances: [{address: 'x:1', versions: [v2]}]\n",
                "a.yaml:5:9: services[0].versions[0]: no instance can serve calls of v1 (add an "
                "instance that serves it, or a change list from v1 to v2)\n");
    expect_told(LISTEN "services:\n"
                       "  - name: garage\n"
                       "    versions: [{name: v1, package: garage.v1, schema: garage.binpb}]\n",
                "a.yaml:3:5: services[0]: the service garage has no instances\n");
}

static void change_lists_are_told_where_they_are_wrong(void **state)
{
    expect_told(LISTEN "services:\n"
                       "  - name: garage\n"
                       "    versions:\n"
                       "      - {name: v1, package: garage.v1, schema: garage.binpb}\n"
                       "      - {name: v3, package: garage.v3, schema: garage.binpb}\n"
                       "      - {name: v2, package: garage.v2, schema: garage.binpb}\n"
                       "    changes: [v1-v2.yaml]\n"
                       "    instances: [{address: 'x:1', versions: [v1, v2, v3]}]\n",
                "a.yaml:8:15: services[0].changes[0]: v1-v2.yaml is from v1 to v2, which are not "
                "neighbouring "
                "versions (one list for each two neighbouring versions)\n");
    expect_told(LISTEN "services:\n"
                       "  - name: garage\n"
                       "    versions:\n"
                       "      - {name: v1, package: garage.v1, schema: garage.binpb}\n"
                       "      - {name: v2, package: garage.v2, schema: garage.binpb}\n"
                       "    changes: [v1-v2.yaml, v1-v2.yaml]\n"
                       "    instances: [{address: 'x:1', versions: [v1, v2]}]\n",
                "a.yaml:7:27: services[0].changes[1]: there already is a list from v1 to v2\n");
}

static void a_prefix_that_no_path_begins_with_is_told(void **state)
{
    expect_told("listen: ['127.0.0.1:1']\n"
                "routes:\n"
                "  - {match: /a/../b/, instances: ['10.0.0.1:80']}\n"
                "  - {match: /%7euser/, instances: ['10.0.0.1:80']}\n"
                "  - {match: /caf%c3%a9/, instances: ['10.0.0.1:80']}\n"
                "  - {match: /a%2f../, instances: ['10.0.0.1:80']}\n"
                "  - {match: '/a\\b', instances: ['10.0.0.1:80']}\n"
                "  - {match: '/a b', instances: ['10.0.0.1:80']}\n"
                "  - {match: '/a?b', instances: ['10.0.0.1:80']}\n"
                "  - {match: /100%, instances: ['10.0.0.1:80']}\n"
                "  - {match: /caf%C3%A9/a%20b, instances: ['10.0.0.1:80']}\n",
                "a.yaml:3:13: routes[0].match: the prefix is not in the normal form of paths, so "
                "it would match none (write /b/)\n"
                "a.yaml:4:13: routes[1].match: the prefix is not in the normal form of paths, so "
                "it would match none (write /~user/)\n"
                "a.yaml:5:13: routes[2].match: the prefix is not in the normal form of paths, so "
                "it would match none (write /caf%C3%A9/)\n"
                "a.yaml:6:13: routes[3].match: /a%2f../ is not a valid path prefix\n"
                "a.yaml:7:13: routes[4].match: /a\\b is not a valid path prefix\n"
                "a.yaml:8:13: routes[5].match: /a b is not a valid path prefix\n"
                "a.yaml:9:13: routes[6].match: /a?b is not a valid path prefix\n"
                "a.yaml:10:13: routes[7].match: /100% is not a valid path prefix\n");
}

static void tls_files_that_do_not_fit_are_told(void **state)
{
    expect_told(
        "listen:\n"
        "  - {address: '127.0.0.1:1', tls: {certificate: none.pem, key: server.key}}\n"
        "  - {address: '127.0.0.1:2', tls: {certificate: server.pem, key: other.key}}\n"
        "  - {address: '127.0.0.1:3', tls: {certificate: server.pem, key: a.yaml}}\n"
        "  - {address: '127.0.0.1:4', tls: {certificate: server.pem, key: server.key, client_ca: "
        "v1-v2.yaml}}\n"
        "  - {address: '127.0.0.1:5', tls: {certificate: server.pem}}\n"
        "routes: [{match: /x, instances: [{address: 'unix:/y', tls: {certificate: "
        "server.pem}}]}]\n",
        "a.yaml:2:49: listen[0].tls.certificate: reading the certificate none.pem: No such file or "
        "directory\n"
        "a.yaml:3:66: listen[1].tls.key: the key other.key does not match the certificate "
        "server.pem (write key: server.key)\n"
        "a.yaml:4:66: listen[2].tls.key: reading the key a.yaml: No such file or directory\n"
        "a.yaml:5:89: listen[3].tls.client_ca: reading the CA certificates v1-v2.yaml: no start "
        "line\n"
        "a.yaml:6:35: listen[4].tls: the key key is missing (add key: FILE)\n"
        "a.yaml:7:60: routes[0].instances[0].tls.name: the key name is missing: a Unix socket has "
        "no host name\n"
        "a.yaml:7:60: routes[0].instances[0].tls: the key key is missing\n");
}

static void instances_that_contradict_themselves_are_told(void **state)
{
    expect_told(
        LISTEN GARAGE_SERVICE
        "      - {address: '127.0.0.1:7003', versions: [v3, v3]}\n"
        "      - {address: 'x:1', protocol: rest, codec: proto, http2: true, versions: [v1]}\n"
        "      - {address: 'x:2', protocol: http, versions: [v1]}\n"
        "      - {address: 'x:3'}\n"
        "      - {address: 'x:0', http2: false, versions: [v1]}\n",
        "a.yaml:11:19: services[0].instances[1].address: instances[0] already has the "
        "address 127.0.0.1:7003 (give it all its versions there)\n"
        "a.yaml:11:52: services[0].instances[1].versions[1]: v3 is already in the list\n"
        "a.yaml:12:49: services[0].instances[2].codec: REST is always JSON (json)\n"
        "a.yaml:12:63: services[0].instances[2].http2: this protocol needs HTTP/1.1\n"
        "a.yaml:13:36: services[0].instances[3].protocol: plain HTTP has no versions and cannot "
        "serve a "
        "schema (write a route that matches the path, with instances of its own)\n"
        "a.yaml:14:9: services[0].instances[4]: the key versions is missing: garage has more than "
        "one "
        "(versions: [v3])\n"
        "a.yaml:15:19: services[0].instances[5].address: 0 is not a port (1 to 65535)\n"
        "a.yaml:15:33: services[0].instances[5].http2: gRPC needs HTTP/2\n");
}

static void a_second_attempt_that_cannot_be_is_a_mistake(void **state)
{
    expect_told(
        GOOD "routes:\n"
             "  - {match: garage.Cars/List, attempts: 1, hedge: {after: 50ms}}\n"
             "  - {match: garage.Cars/Get, hedge: {percent: 0}}\n"
             "  - {match: /old/, instances: ['127.0.0.1:80'], hedge: {after: 0ms, percent: 101}}\n",
        "a.yaml:12:51: routes[0].hedge: hedging needs at least 2 attempts (attempts: "
        "2)\n"
        "a.yaml:13:37: routes[1].hedge: the key after is missing (add after: TEXT)\n"
        "a.yaml:13:47: routes[1].hedge.percent: must be at least 1\n"
        "a.yaml:14:56: routes[2].hedge: requests of a path prefix cannot be hedged\n"
        "a.yaml:14:64: routes[2].hedge.after: must be at least 1ms\n"
        "a.yaml:14:78: routes[2].hedge.percent: must be at most 100\n");
    expect_told(GOOD "routes:\n"
                     "  - {match: garage.Cars/Wash, hedge: {after: 50ms}}\n",
                "a.yaml:12:38: routes[0].hedge: garage.Cars/Wash matches no method without side "
                "effects that takes one message\n");
}

static void a_hedge_after_what_is_measured_gives_its_methods_a_place(void **state)
{
    Loaded l = load_good(GOOD "routes:\n"
                              "  - {match: garage.Cars/List, hedge: {after: p95}}\n"
                              "  - {match: garage.Cars/Get, hedge: {after: p95}}\n");
    const Method *list = method(&l, "/garage.v1.Cars/List"),
                 *get = method(&l, "/garage.v1.Cars/Get");
    assert_true(list->route->hedge_p95 && list->route->hedge_after == 0);
    assert_int_not_equal(list->extras->delays, get->extras->delays);
    assert_true(list->extras->delays < l.config->services[0].n_delays);
    assert_int_equal(l.config->services[0].n_delays, 6); /* in each of three versions */
    unload(&l);
}

static void retries_that_cannot_be_are_mistakes(void **state)
{
    expect_told(GOOD
                "    retry_budget: {percent: 0}\n"
                "routes:\n"
                "  - {match: garage.Cars/List, retry: {initial_backoff: 2s, max_backoff: 1s}}\n"
                "  - {match: garage.Cars/Get, retry_budget: {percent: 20}, hedge: {after: soon}}\n"
                "  - {match: /old/, instances: ['127.0.0.1:80'], retry_budget: {percent: 101},\n"
                "     retry: {initial_backoff: 0s, max_backoff: 0s}}\n",
                "a.yaml:11:29: services[0].retry_budget.percent: of no calls, however many, may "
                "any be retried "
                "(percent: 20 here, or attempts: 1 in the routes if there must be no retries)\n"
                "a.yaml:13:56: routes[0].retry.initial_backoff: it is more than max_backoff, which "
                "limits it\n"
                "a.yaml:14:44: routes[1].retry_budget: only a route that matches a path has a "
                "retry budget; a "
                "service has its own (retry_budget in the service)\n"
                "a.yaml:14:74: routes[1].hedge.after: soon is no time (for example 50ms, or p95)\n"
                "a.yaml:15:73: routes[2].retry_budget.percent: must be at most 100\n"
                "a.yaml:16:31: routes[2].retry.initial_backoff: must be at least 1ms\n"
                "a.yaml:16:48: routes[2].retry.max_backoff: must be at least 1ms\n");
}

#define ASKED                                                                                      \
    LISTEN "services:\n"                                                                           \
           "  - name: garage\n"                                                                    \
           "    versions:\n"                                                                       \
           "      - {name: v1, package: garage.v1, schema: {reflection: '127.0.0.1:7001'}}\n"      \
           "    instances:\n"                                                                      \
           "      - {address: '127.0.0.1:7001', versions: [v1]}\n"

static void a_schema_by_reflection_is_a_mistake_where_nobody_can_be_asked(void **state)
{
    expect_told(ASKED, "a.yaml:5:61: services[0].versions[0].schema.reflection: schemas by "
                       "reflection are not available here (name a file)\n");
}

/* Answers with the garage's schema, and keeps what it was asked in `owner`. */
static Result ask_garage(void *owner, Config *config, const SchemaQuery *query, Arena *arena,
                         Bytes *set_out, const Schema **schema_out)
{
    assert_string_equal(query->instance->address.text, "127.0.0.1:7001");
    assert_string_equal(query->package, "garage.v1");
    assert_string_equal(query->version_header, "api-version");
    assert_string_equal(query->version, "v1");
    assert_true(query->timeout > 0 && query->most > 0);
    assert_true(config->limits.message_bytes > 0);
    (*(int *)owner)++;
    *set_out = bytes_of("as told");
    return schema_load_file(arena, FILES "garage.binpb", schema_out);
}

static void a_schema_by_reflection_is_what_the_one_who_asks_brings(void **state)
{
    int asked = 0;
    SchemaAsk ask = {ask_garage, &asked};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena);
    Config *config;
    assert_ok(arena,
              config_load_text(bytes_of(ASKED), FILES "a.yaml", &ask, arena, &problems, &config));
    assert_non_null(config);
    assert_int_equal(asked, 1);
    const Version *version = &config->services[0].versions[0];
    assert_true(bytes_are(version->reflected->set, "as told"));
    assert_non_null(table_get(&config->methods, bytes_of("/garage.v1.Cars/List")));
    config_unref(config);
}

static void a_file_that_cannot_be_read_is_a_fault(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena);
    Config *config;
    assert_fault(config_load(FILES "none.yaml", NULL, arena, &problems, &config), FAULT_BAD_CONFIG);
    assert_null(config);
    arena_free(arena);
}

static uint32_t reserved_for_instances(const char *more)
{
    char text[4096];
    snprintf(text, sizeof text,
             "%sroutes:\n  - {match: /old/, instances: ['127.0.0.1:80']}\nloops: 2\n"
             "limits: {http1_connections: 50, http2_connections: 4}\n",
             more);
    Loaded l = load(text);
    assert_non_null(l.config);
    const Descriptors *d = &l.config->descriptors;
    assert_int_equal(d->most, descriptors_most());
    uint32_t n = d->instances - d->clients;
    unload(&l);
    return n;
}

static void descriptors_are_reserved_for_all_connections_to_instances(void **state)
{
    assert_int_equal(reserved_for_instances(LISTEN), 2 * 50);
    assert_int_equal(reserved_for_instances(GOOD), 2 * (50 + 4));
}

static void a_warning_says_when_the_limit_of_connections_cannot_be_had(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(arena);
    Config config = {.limits = {.connections = 100}, .descriptors = {.most = 500, .room = 100}};
    assert_false(config_few_descriptors(&config, &out));
    config.descriptors.room = 101;
    assert_false(config_few_descriptors(&config, &out));
    config.descriptors.room = 99;
    assert_true(config_few_descriptors(&config, &out));
    const char *text = arena_text(arena, buffer_bytes(&out));
    assert_non_null(strstr(text, "limits.connections is 100"));
    assert_non_null(strstr(text, "about 99 "));
    config.descriptors = (Descriptors){0}; /* a config that is not loaded */
    assert_false(config_few_descriptors(&config, &out));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_said_has_its_default),
        cmocka_unit_test(everything_can_be_said),
        cmocka_unit_test(a_bare_drain_is_its_time),
        cmocka_unit_test(name_servers_have_a_port),
        cmocka_unit_test(names_of_files_are_relative_to_the_config),
        cmocka_unit_test(the_most_specific_word_about_errors_counts),
        cmocka_unit_test(what_errors_replaced_is_a_doubt_with_its_place),
        cmocka_unit_test(every_pair_of_versions_has_its_plans),
        cmocka_unit_test(a_method_without_counterpart_says_why),
        cmocka_unit_test(losses_are_numbered_in_one_row),
        cmocka_unit_test(the_same_requests_in_two_versions_make_a_row_the_newest_first),
        cmocka_unit_test(the_most_specific_route_wins_by_the_name_of_any_version),
        cmocka_unit_test(a_default_answer_is_given_in_every_version_and_codec),
        cmocka_unit_test(a_default_answer_may_be_in_an_older_version_and_empty),
        cmocka_unit_test(pages_may_use_the_verbs_of_the_schemas),
        cmocka_unit_test(generations_count_up_and_the_last_reference_frees),
        cmocka_unit_test(tls_contexts_are_made_from_the_files),
        cmocka_unit_test(what_is_wrong_with_tls_is_told_at_its_key),
        cmocka_unit_test(many_mistakes_in_one_file_are_all_told),
        cmocka_unit_test(each_limit_is_taken_up_to_its_bounds),
        cmocka_unit_test(connections_without_a_limit_have_the_default_one),
        cmocka_unit_test(descriptors_are_reserved_for_all_connections_to_instances),
        cmocka_unit_test(a_warning_says_when_the_limit_of_connections_cannot_be_had),
        cmocka_unit_test(without_a_limit_memory_is_half_of_the_machines),
        cmocka_unit_test(an_address_with_a_scheme_is_told_without_it),
        cmocka_unit_test(addresses_are_checked),
        cmocka_unit_test(a_log_has_places_and_forms),
        cmocka_unit_test(a_log_without_a_place_is_a_mistake),
        cmocka_unit_test(a_host_is_a_name_without_a_port),
        cmocka_unit_test(trusted_proxies_are_networks_and_somebody),
        cmocka_unit_test(an_identity_has_a_field_of_its_own),
        cmocka_unit_test(what_names_a_client_is_checked),
        cmocka_unit_test(the_key_for_names_has_a_least_size),
        cmocka_unit_test(the_files_of_a_webhook_are_part_of_the_hash),
        cmocka_unit_test(the_file_of_a_store_key_has_64_hexadecimal_digits),
        cmocka_unit_test(one_key_under_two_ids_is_doubtful),
        cmocka_unit_test(the_ids_of_store_keys_are_words_and_differ),
        cmocka_unit_test(operators_are_checked),
        cmocka_unit_test(the_rights_of_unix_sockets_are_read),
        cmocka_unit_test(wrong_rights_of_unix_sockets_are_told),
        cmocka_unit_test(the_admin_has_a_socket_unless_an_address_is_said),
        cmocka_unit_test(the_name_in_a_certificate_and_the_records_can_be_chosen),
        cmocka_unit_test(a_gateway_is_not_its_own_instance),
        cmocka_unit_test(a_gateway_that_listens_everywhere_is_at_each_address_of_its_machine),
        cmocka_unit_test(routes_that_match_nothing_or_twice_are_told),
        cmocka_unit_test(default_answers_are_checked_against_the_schema),
        cmocka_unit_test(fallbacks_are_in_the_order_of_their_keys),
        cmocka_unit_test(fallbacks_that_cannot_be_used_are_told),
        cmocka_unit_test(objectives_are_those_of_the_service_else_of_the_config),
        cmocka_unit_test(times_by_which_one_instance_uses_up_all_ejections_are_doubted),
        cmocka_unit_test(a_wait_for_equal_calls_that_is_not_below_the_timeout_is_doubted),
        cmocka_unit_test(a_route_that_says_no_impact_has_that_of_the_next_wider_one),
        cmocka_unit_test(a_route_without_a_timeout_has_that_of_the_next_wider_one),
        cmocka_unit_test(status_codes_that_are_none_of_a_services_own_are_told),
        cmocka_unit_test(an_instance_of_any_version_and_protocol_may_join),
        cmocka_unit_test(versions_that_nobody_can_answer_are_told),
        cmocka_unit_test(change_lists_are_told_where_they_are_wrong),
        cmocka_unit_test(a_prefix_that_no_path_begins_with_is_told),
        cmocka_unit_test(tls_files_that_do_not_fit_are_told),
        cmocka_unit_test(instances_that_contradict_themselves_are_told),
        cmocka_unit_test(a_second_attempt_that_cannot_be_is_a_mistake),
        cmocka_unit_test(a_hedge_after_what_is_measured_gives_its_methods_a_place),
        cmocka_unit_test(retries_that_cannot_be_are_mistakes),
        cmocka_unit_test(a_schema_by_reflection_is_a_mistake_where_nobody_can_be_asked),
        cmocka_unit_test(a_schema_by_reflection_is_what_the_one_who_asks_brings),
        cmocka_unit_test(a_file_that_cannot_be_read_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
