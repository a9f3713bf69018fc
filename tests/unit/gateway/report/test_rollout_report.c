#include "gateway/report/rollout_report.h"
#include "gateway/service/config_load.h"

#include "adapters/text/json.h"
#include "tests/unit/check.h"
#include "tests/unit/gateway/garage.h"

/* Instances of `b` beside one or more of `a`. */
#define SERVICE                                                                                    \
    "rollouts_file: r.db\nservices:\n  - name: garage\n"                                           \
    "    versions: [{name: v3, package: garage.v3, schema: garage.binpb}]\n"                       \
    "    instances:\n      - {address: '127.0.0.1:1', build: b}\n"                                 \
    "      - {address: '127.0.0.1:2', build: a, weight: %s}\n"                                     \
    "routes: [{match: garage, impact: %s}]\n"
#define TRUSTING "listen: [{address: '127.0.0.1:0', trusted_proxies: [10.0.0.0/8]}]\n"
#define NAMED TRUSTING "identity_header: x-client\n"
#define ROLLOUT "rollouts:\n  - {service: garage, candidate: {build: b}%s}\n"

typedef struct Loaded {
    Arena *arena;
    Config *config;
} Loaded;

static Loaded load(const char *head, const char *weight, const char *impact, const char *more)
{
    Loaded l = {.arena = arena_new(ARENA_UNLIMITED)};
    Problems problems = problems_in(l.arena);
    Buffer text = buffer_in(l.arena), told = buffer_in(l.arena);
    buffer_add_text(&text, head);
    buffer_printf(&text, SERVICE, weight, impact);
    buffer_printf(&text, ROLLOUT, more);
    assert_ok(l.arena, config_load_text(buffer_bytes(&text), FILES "a.yaml", NULL,
                                        arena_new(ARENA_UNLIMITED), &problems, &l.config));
    problems_print(&problems, &told);
    if (!l.config)
        fail_msg("%.*s", BYTES_ARGS(buffer_bytes(&told)));
    return l;
}

static void unload(Loaded *l)
{
    config_unref(l->config);
    arena_free(l->arena);
}

/* A line each. */
static const char *warnings_of(Loaded *l)
{
    Problems warnings = problems_in(l->arena);
    Buffer out = buffer_in(l->arena);
    rollout_warnings(l->config, &warnings);
    for (size_t i = 0; i < warnings.n; i++)
        buffer_printf(&out, "%s\n", warnings.items[i].reason);
    return arena_text(l->arena, buffer_bytes(&out));
}

static void a_rollout_is_told_in_a_few_lines(void **state)
{
    Loaded l = load(NAMED, "4", "high",
                    ", pilot: [ada, 'test-*'], tiers: [1, '5 %', all], on_bad: pause, on_good: "
                    "wait, judge: {alpha: 0.01, least: 2h, metrics: [failures, latency], posted: "
                    "[complaints]}");
    Buffer out = buffer_in(l.arena);
    rollout_report(&l.config->rollouts[0], &out);
    assert_bytes(buffer_bytes(&out),
                 "rollout of garage build b to the pilots ada, test-*; then 1, 5 %, all clients, "
                 "told apart by their identity\n"
                 "  judged by failures, latency, complaints; a good one is found bad with a "
                 "probability of 1 %\n"
                 "  bad: it is paused, and keeps its clients\n"
                 "  good: an operator lets it advance, after 2h at least; before `all`, impact "
                 "high, an excess above 1 % is ruled out\n"
                 "  instances: 1 of the candidate, 4 of the baseline: it gets at most 25 % of the "
                 "clients\n");
    unload(&l);
}

static void programs_read_the_same(void **state)
{
    Loaded l = load(NAMED, "2", "low", ", pilot: [ada]");
    Buffer out = buffer_in(l.arena);
    JsonNode *root;
    rollout_report_json(&l.config->rollouts[0], &out);
    assert_ok(l.arena, json_parse(l.arena, buffer_bytes(&out), NULL, &root));
    assert_bytes(buffer_bytes(&out),
                 "{\"rollout\":\"garage build b\",\"service\":\"garage\",\"candidate\":\"build "
                 "b\",\"pilots\":[\"ada\"],\"tiers\":[\"1\",\"10\",\"100\",\"1000\",\"all\"],"
                 "\"clients_by\":\"their identity\",\"metrics\":[\"failures\",\"caller_blamed\","
                 "\"latency\",\"losses\"],\"alpha\":0.05,\"least_ms\":1800000,\"on_bad\":"
                 "\"rollback\",\"on_good\":\"advance\",\"impact\":\"low\",\"instances\":{"
                 "\"candidate\":1,\"baseline\":2}}");
    unload(&l);
}

/* Each boundary from both sides; "": nothing is doubtful. */
static void what_is_doubtful_is_warned_of(void **state)
{
    static const struct {
        const char *head, *weight, *impact, *more, *warning;
    } rows[] = {
        {NAMED, "1", "low", "", ""},
        {LISTEN, "1", "low", "",
         "nothing tells clients apart, neither identity_header nor certificates or credentials of "
         "clients nor `cohort`: all of them stay on the baseline until `all`"},
        {LISTEN, "1", "low", ", cohort: {field: name}", ""},
        {TRUSTING, "1", "low", ", cohort: {header: x-account}", ""},
        {NAMED, "1", "low", ", judge: {alpha: 0.1}", ""},
        {NAMED, "1", "low", ", judge: {alpha: 0.2}",
         "judge.alpha: one in 5 good builds may be found bad"},
        {NAMED, "1", "low", ", judge: {alpha: 0.001}", ""},
        {NAMED, "1", "low", ", judge: {alpha: 0.0009}",
         "judge.alpha: 0.0009 is so small that a bad build breaks more clients until it is found"},
        {NAMED, "1", "low", ", tiers: [all]",
         "its only tier is `all`: nobody is compared, nothing is found"},
        {NAMED, "1", "low", ", tiers: [1, 99, all]", ""},
        {NAMED, "1", "low", ", tiers: [1, 98, all]",
         "the tier 98 before `all` does not pass by itself: its clients rule out 3 % at best, and "
         "the impact is low: 3 %"},
        {NAMED, "1", "high", ", tiers: [98, 299, all]", ""},
        {NAMED, "1", "high", ", tiers: [1, 100, all]",
         "the tier 100 before `all` does not pass by itself: its clients rule out 3 % at best, and "
         "the impact is high: 1 %"},
        {NAMED, "1", "catastrophic", "",
         "a route of garage has impact catastrophic: before `all` it waits until an operator says "
         "`passerelle rollout advance`"},
        {NAMED, "4", "low", ", tiers: [1, '25 %', all]",
         "the tier all does not begin before there are 4 instances of the candidate; there is 1"},
        {NAMED, "4", "low", ", tiers: [1, '26 %', all]",
         "the tier 26 % does not begin before there are 2 instances of the candidate; there is 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Loaded l = load(rows[i].head, rows[i].weight, rows[i].impact, rows[i].more);
        const char *expected = rows[i].warning[0]
                                   ? arena_printf(l.arena, "garage build b: %s\n", rows[i].warning)
                                   : "";
        assert_string_equal(warnings_of(&l), expected);
        unload(&l);
    }
}

static void credentials_tell_clients_apart(void **state)
{
    Loaded l = load(LISTEN, "1", "low", "");
    assert_string_not_equal(warnings_of(&l), "");
    l.config->access.n_credentials = 1;
    assert_string_equal(warnings_of(&l), "");
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rollout_is_told_in_a_few_lines),
        cmocka_unit_test(programs_read_the_same),
        cmocka_unit_test(what_is_doubtful_is_warned_of),
        cmocka_unit_test(credentials_tell_clients_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
