#include "gateway/access_report/access_report.h"
#include "gateway/access_report/access_warnings.h"
#include "gateway/service/config_load.h"

#include "adapters/text/json.h"
#include "tests/unit/check.h"
#include "tests/unit/gateway/garage.h"

#define METHODS                                                                                    \
    "authentication: [{name: machines, certificate: {of: uri, class: machine}}]\n"                 \
    "authorization: {default: deny}\n"

typedef struct Loaded {
    Arena *arena;
    Config *config;
} Loaded;

static Loaded load(const char *text)
{
    Loaded l = {.arena = arena_new(ARENA_UNLIMITED)};
    Problems problems = problems_in(l.arena);
    Buffer told = buffer_in(l.arena);
    assert_ok(l.arena, config_load_text(bytes_of(text), FILES "a.yaml", NULL,
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

static void expect_report(const char *text, const char *expected)
{
    Loaded l = load(text);
    Buffer out = buffer_in(l.arena);
    access_report(l.config, &out);
    assert_bytes(buffer_bytes(&out), expected);
    unload(&l);
}

static void a_config_without_rules_says_nothing(void **state)
{
    expect_report(GOOD, "");
}

static void each_route_tells_who_may_call_and_by_which_proof(void **state)
{
    expect_report(GOOD METHODS "routes:\n"
                               "  - {match: garage, allow: [{class: [machine]}, {client: [bot], "
                               "version: [v3]}]}\n"
                               "  - {match: /status/, authenticate: none, instances: "
                               "['127.0.0.1:1']}\n",
                  "garage: proof required by machines; allowed {\"class\":[\"machine\"]}, "
                  "{\"client\":[\"bot\"],\"version\":[\"v3\"]}\n"
                  "/status/: proof none; allowed whoever gets so far\n");
}

static void listeners_that_differ_are_told_apart(void **state)
{
    expect_report("listen: ['127.0.0.1:0', {address: 'unix:/tmp/x', authenticate: none}]\n" METHODS
                      GARAGE_SERVICE,
                  "garage: on 127.0.0.1:0, proof required by machines; on unix:/tmp/x, proof none; "
                  "allowed nobody\n");
}

static void the_json_has_the_same(void **state)
{
    Loaded l = load(GOOD METHODS "routes: [{match: garage, allow: [{class: [machine]}]}]\n");
    Buffer out = buffer_in(l.arena);
    access_report_json(l.config, &out);
    assert_bytes(buffer_bytes(&out),
                 ",\"access\":[{\"match\":\"garage\",\"proof\":[{\"authenticate\":\"required\","
                 "\"methods\":[\"machines\"]}],\"allow\":[{\"class\":[\"machine\"]}]}]");
    unload(&l);
}

/* ---- What is doubtful ------------------------------------------------------------------------ */

static void expect_warnings(const char *text, const char *expected)
{
    Loaded l = load(text);
    Problems warnings = problems_in(l.arena);
    Buffer out = buffer_in(l.arena);
    access_warnings(l.config, &warnings);
    for (size_t i = 0; i < warnings.n; i++)
        buffer_printf(&out, "%s\n", warnings.items[i].reason);
    assert_bytes(buffer_bytes(&out), expected);
    unload(&l);
}

static void good_rules_are_not_warned_of(void **state)
{
    expect_warnings(GOOD METHODS
                    "routes: [{match: garage, allow: [{class: [machine], version: [v3, 'v*']}, "
                    "{client: ['bot-*', '*']}]}]\n",
                    "");
}

static void rules_that_never_hold_are_warned_of(void **state)
{
    expect_warnings(
        GOOD METHODS
        "routes:\n"
        "  - {match: garage, allow: [{version: [v33]}, {tenant: [a]}, {claims: {scope: a*}}, "
        "{client: ['*-bot']}]}\n"
        "  - {match: /none/, authenticate: none, allow: [{client: ['*']}], instances: "
        "['127.0.0.1:1']}\n"
        "  - {match: /old/, allow: [{version: [v1]}], instances: ['127.0.0.1:1']}\n",
        "garage: allow: garage has no version v33 (did you mean v3?)\n"
        "garage: allow: nothing gives a client a tenant: a rule of `tenant` never holds\n"
        "garage: allow: no method that counts there gives the claim scope: write it in `claims` of "
        "a `jwt`\n"
        "garage: allow: the star in the word a* of the claim scope stands for itself: words of "
        "claims are compared whole\n"
        "garage: allow: the star in *-bot stands for itself: only one at the end stands for any "
        "text\n"
        "/none/: nobody may call it: with `authenticate: none` every client is anonymous, and no "
        "rule of `allow` is for those\n"
        "/old/: allow: paths have no versions: a rule of `version` never holds\n");
}

static void a_class_that_nothing_gives_is_warned_of(void **state)
{
    static const char rules[] = "routes: [{match: garage, allow: [{class: [a]}]}]\n";
    char text[2048];
    snprintf(text, sizeof text, "%s%s", GOOD "authentication: [{certificate: {of: uri}}]\n", rules);
    expect_warnings(
        text, "garage: allow: nothing gives a client a class: a rule of `class` never holds\n");
    snprintf(text, sizeof text, "%s%s",
             GOOD "trusted_proxies: [127.0.0.1]\nidentity_header: x-client\nidentity: "
                  "{class_header: x-class}\n",
             rules);
    expect_warnings(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_config_without_rules_says_nothing),
        cmocka_unit_test(each_route_tells_who_may_call_and_by_which_proof),
        cmocka_unit_test(listeners_that_differ_are_told_apart),
        cmocka_unit_test(the_json_has_the_same),
        cmocka_unit_test(good_rules_are_not_warned_of),
        cmocka_unit_test(rules_that_never_hold_are_warned_of),
        cmocka_unit_test(a_class_that_nothing_gives_is_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
