/* What `explain` says of methods that have to do with jobs. */
#include "gateway/report/config_report.h"
#include "gateway/report/explain.h"

#include "tests/unit/gateway/job/works.h"
#include "tests/unit/gateway/service/loaded.h"

#define JOBS                                                                                       \
    "  - {method: works.Works/Make, revision: 2, resource: {kind: work, key: request.title, "      \
    "read: "                                                                                       \
    "[{method: works.Works/Get, key: title}], block: [{method: works.Works/Change, key: "          \
    "spec.title}]}, steps: [{name: take, method: works.Tools/Take, idempotency: key, timeout: "    \
    "2s, retry: 5m, undo: {method: works.Tools/Give}}, {name: see, method: works.Tools/See, "      \
    "when: {field: request.kind, is: [KIND_LARGE, KIND_ODD]}, wait: {until: {field: ready, is: "   \
    "['true']}, fails: {field: weight, is_not: ['0', '-3']}}, on_failure: graceful}, {name: "      \
    "rest, "                                                                                       \
    "wait: 5s, when: {field: steps.take.id, is: [a]}}, {name: told, wait: {event: approved}}]}\n"  \
    "  - {method: works.Works/Make, revision: 1, steps: [{name: a, wait: 1s}]}\n"

static Loaded load(void)
{
    Loaded l = load_text(arena_new(ARENA_UNLIMITED), WORKS_JOBS JOBS);
    assert_string_equal(l.told, "");
    return l;
}

static const char *explained(Loaded *l, const char *path, bool json)
{
    ExplainRequest request = {
        .verb = bytes_of("POST"), .path = bytes_of(path), .fields = fields_in(l->arena)};
    Explained found;
    Buffer out = buffer_in(l->arena);
    explain(l->config, &request, l->arena, &found);
    assert_false(failed(found.refused));
    (json ? explain_json : explain_text)(&request, &found, &out);
    return without_folder(l->arena, buffer_bytes(&out));
}

#define STEPS                                                                                      \
    "the gateway at once, which then executes 4 steps (revision 2)\n"                              \
    "job       of the kind work: another one of the same thing is refused\n"                       \
    "step      take: /works.v2.Tools/Take in v2, timeout 2s, tried for 5m, once by its "           \
    "idempotency key, loud\n"                                                                      \
    "undo      take: /works.v2.Tools/Give in v2, idempotent\n"                                     \
    "step      see: /works.v2.Tools/See in v2, timeout 30s, tried for 1h, idempotent, every 2s "   \
    "until ready is true, for 10m, in vain if weight is not 0 or -3, when request.kind is "        \
    "KIND_LARGE or KIND_ODD, graceful\n"                                                           \
    "step      rest: waits 5s, when steps.take.id is a, loud\n"                                    \
    "step      told: waits for the event approved, for 168h, loud\n"

static void a_method_that_begins_jobs_has_their_steps(void **state)
{
    Loaded l = load();
    const char *native = explained(&l, "/works.v2.Works/Make", false);
    assert_non_null(strstr(native, "served    v2, natively: /works.v2.Works/Make by " STEPS));
    assert_null(strstr(native, "failure"));
    const char *old = explained(&l, "/works.v1.Works/Make", false);
    assert_non_null(strstr(old, "served    v2, converted: /works.v2.Works/Make by " STEPS));
    unload(&l);
}

static void a_method_that_reads_or_is_blocked_has_its_instances_too(void **state)
{
    Loaded l = load();
    const char *get = explained(&l, "/works.v2.Works/Get", false);
    assert_non_null(strstr(get,
                           "job       while one of the kind work is unfinished, it is answered "
                           "from that; else:\nserved    v2, natively: /works.v2.Works/Get by "
                           "127.0.0.1:7001 (connect, json)\n"));
    assert_non_null(strstr(get, "failure"));
    const char *change = explained(&l, "/works.v2.Works/Change", false);
    assert_non_null(strstr(change, "job       while one of the kind work is unfinished, it is "
                                   "refused; else:\n"));
    assert_null(strstr(explained(&l, "/works.v2.Tools/See", false), "job  "));
    unload(&l);
}

static void the_same_is_there_as_json(void **state)
{
    Loaded l = load();
    const char *make = explained(&l, "/works.v2.Works/Make", true);
    assert_non_null(strstr(
        make,
        "\"job\":{\"use\":\"begins\",\"kind\":\"work\",\"revision\":2,\"busy\":\"refuse\","
        "\"steps\":[{\"name\":\"take\",\"call\":{\"method\":\"/works.v2.Tools/Take\",\"version\":"
        "\"v2\",\"timeout_ms\":2000,\"idempotency\":\"key\"},\"undo\":{\"method\":"
        "\"/works.v2.Tools/Give\",\"version\":\"v2\",\"timeout_ms\":2000,\"idempotency\":"
        "\"declared\"},\"retry_for_ms\":300000,\"on_failure\":\"loud\"},{\"name\":\"see\",\"call\":"
        "{\"method\":\"/works.v2.Tools/See\",\"version\":\"v2\",\"timeout_ms\":30000,"
        "\"idempotency\":\"declared\"},\"wait\":{\"every_ms\":2000,\"for_ms\":600000,\"until\":"
        "\"ready is true\",\"fails\":\"weight is not 0 or -3\"},\"when\":\"request.kind is "
        "KIND_LARGE or KIND_ODD\",\"retry_for_ms\":3600000,\"on_failure\":\"graceful\"},{\"name\":"
        "\"rest\",\"wait\":{\"for_ms\":5000},\"when\":\"steps.take.id is a\",\"on_failure\":"
        "\"loud\"},{\"name\":\"told\",\"wait\":{\"for_ms\":604800000,\"event\":\"approved\"},"
        "\"on_failure\":\"loud\"}]}"));
    assert_null(strstr(make, "\"instances\""));
    const char *get = explained(&l, "/works.v2.Works/Get", true);
    assert_non_null(strstr(get, "\"job\":{\"use\":\"reads\",\"kind\":\"work\"}"));
    assert_non_null(strstr(get, "\"instances\""));
    assert_non_null(strstr(explained(&l, "/works.v2.Works/Change", true),
                           "\"job\":{\"use\":\"blocked\",\"kind\":\"work\"}"));
    unload(&l);
}

static void check_lists_the_definitions(void **state)
{
    Loaded l = load();
    Buffer out = buffer_in(l.arena);
    config_report(l.config, &out);
    assert_non_null(strstr(arena_text(l.arena, buffer_bytes(&out)),
                           "jobs of works.Works/Make in v2: revision 2, 4 steps\n"
                           "jobs of works.Works/Make in v2: revision 1, 1 step; begins none any "
                           "more\n"));
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_method_that_begins_jobs_has_their_steps),
        cmocka_unit_test(a_method_that_reads_or_is_blocked_has_its_instances_too),
        cmocka_unit_test(the_same_is_there_as_json),
        cmocka_unit_test(check_lists_the_definitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
