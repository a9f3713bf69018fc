/* What a config with jobs may say, what becomes of it, and what is told of mistakes. */
#include "base/clock.h"
#include "tests/unit/gateway/job/works.h"
#include "tests/unit/gateway/service/loaded.h"

#define SEE "{name: a, method: works.Tools/See}"
#define JOB(more) JOB_OF("works.Works/Make", more, SEE)
#define JOB_OF(method, more, steps) "  - {method: " method more ", steps: [" steps "]}\n"
#define STEP(more) JOB_OF("works.Works/Make", "", "{name: a, method: works.Tools/See, " more "}")
#define WAIT(more) JOB_OF("works.Works/Make", "", "{name: a, " more "}")

static Loaded load(const char *jobs)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    return load_text(arena, arena_printf(arena, WORKS_JOBS "%s", jobs));
}

static Loaded load_good(const char *jobs)
{
    Loaded l = load(jobs);
    assert_string_equal(l.told, "");
    assert_int_equal(l.config->doubts.n, 0);
    return l;
}

static const Method *method_named(const Loaded *l, uint32_t version, const char *name)
{
    const Version *of = &l->config->services[0].versions[version];
    for (uint32_t i = 0; i < of->n_methods; i++)
        if (strcmp(of->methods[i].type->name, name) == 0)
            return &of->methods[i];
    fail();
    return NULL;
}

/* ---- Mistakes -------------------------------------------------------------------------------- */

typedef struct Mistake {
    const char *jobs, *told;
} Mistake;

static void mistakes_are_told_with_their_place_and_what_to_write(void **state)
{
    static const Mistake mistakes[] = {
#include "tests/unit/gateway/job/mistakes.def"
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        Loaded l = load(mistakes[i].jobs);
        assert_string_equal(l.told, mistakes[i].told);
        unload(&l);
    }
}

static void jobs_need_a_store(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes text = bytes_of(WORKS_JOBS JOB(""));
    size_t store = bytes_find(text, '\n') + 1;
    size_t after = store + bytes_find(bytes_slice(text, store, SIZE_MAX), '\n') + 1;
    Loaded l = load_text(arena, arena_printf(arena, "%.*s%s", (int)store, WORKS_JOBS JOB(""),
                                             &(WORKS_JOBS JOB(""))[after]));
    assert_string_equal(l.told,
                        "a.yaml:11:3: jobs: jobs outlive the gateway's process, and there is "
                        "no store that keeps them (store: {})\n");
    unload(&l);
}

static void expect_doubt(const char *jobs, const char *told)
{
    Loaded l = load(jobs);
    assert_string_equal(l.told, "");
    Buffer out = buffer_in(l.arena);
    problems_print(&l.config->doubts, &out);
    assert_string_equal(without_folder(l.arena, buffer_bytes(&out)), told);
    unload(&l);
}

static void what_may_not_work_is_doubted(void **state)
{
    expect_doubt(STEP("undo: {method: works.Tools/Give, request: {tool: steps.a.id}}"),
                 "a.yaml:12:117: jobs[0].steps[0].undo.request: the undo of a needs its response, "
                 "which nobody has if its call was aborted: it cannot be undone then (take it from "
                 "the request, from an earlier step or job.id)\n");
    expect_doubt(JOB_OF("works.Works/Make", "",
                        "{name: a, method: works.Tools/See, on_failure: graceful}, {name: b, "
                        "method: works.Tools/See, request: {tool: steps.a.id}}"),
                 "a.yaml:12:142: jobs[0].steps[1].request: b needs the response of a, so that the "
                 "job fails if that does, although it is graceful (on_failure: graceful here, "
                 "too)\n");
}

/* Without a change list, v1 knows nothing of the jobs of v2. */
static void calls_that_go_past_the_jobs_are_doubted(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Loaded l = load_text(arena, "listen: ['127.0.0.1:0']\n"
                                "store: {sqlite: " FILES "works.db}\n"
                                "services:\n"
                                "  - name: works\n"
                                "    versions:\n"
                                "      - {name: v1, package: works.v1, schema: works.binpb}\n"
                                "      - {name: v2, package: works.v2, schema: works.binpb}\n"
                                "    default_version: v2\n"
                                "    instances: [{address: '127.0.0.1:7001', versions: [v1, v2]}]\n"
                                "jobs:\n" JOB(""));
    Buffer out = buffer_in(arena);
    assert_string_equal(l.told, "");
    problems_print(&l.config->doubts, &out);
    assert_string_equal(
        without_folder(arena, buffer_bytes(&out)),
        "a.yaml:11:3: jobs: calls of /works.v1.Works/Make go to instances, past the "
        "jobs of /works.v2.Works/Make: it has no counterpart there (complete the "
        "change lists between the two versions)\n");
    unload(&l);
}

/* ---- Definitions ----------------------------------------------------------------------------- */

static void a_definition_has_its_defaults(void **state)
{
    Loaded l = load_good(JOB(""));
    const JobDefinition *job = l.config->jobs;
    assert_int_equal(l.config->n_jobs, 1);
    assert_string_equal(job->name, "works.Works/Make");
    assert_string_equal(job->method->version->name, "v2");
    assert_int_equal(job->revision, 1);
    assert_true(job->accepts);
    assert_int_equal(job->bytes, 256 << 10);
    assert_int_equal(job->running, 100);
    assert_int_equal(job->running_per_client, 10);
    assert_int_equal(job->retrying, 100);
    assert_int_equal(job->retrying_per_client, 10);
    assert_int_equal(job->queued_per_client, 10000);
    assert_int_equal(job->keep, 30 * 86400 * SECOND);
    assert_int_equal(job->park_after, 20);
    assert_null(job->forward[0]);
    assert_null(job->schedule);
    assert_null(job->resource.kind);
    assert_false(job->is_operation);
    const JobStep *step = job->steps;
    assert_int_equal(step->rules.kind, JOB_STEP_CALL);
    assert_false(step->rules.graceful);
    assert_false(step->rules.has_undo);
    assert_int_equal(step->rules.retry_for, 3600 * SECOND);
    assert_int_equal(step->rules.initial_backoff, SECOND);
    assert_int_equal(step->rules.max_backoff, 60 * SECOND);
    assert_int_equal(step->call->timeout, 30 * SECOND);
    assert_false(step->call->honours_key);
    assert_int_equal(step->call->metadata->n, 0);
    assert_null(step->undo);
    assert_memory_equal(&job->rules.steps[0], &step->rules, sizeof step->rules);
    unload(&l);
}

static void steps_are_calls_polls_times_and_events(void **state)
{
    Loaded l = load_good(JOB_OF(
        "works.Works/Make", "",
        "{name: a, method: works.Tools/See, wait: {until: {field: ready, is: ['true']}}}, {name: "
        "b, "
        "wait: 5s}, {name: c, wait: {event: approved}, on_failure: graceful}, {name: d, method: "
        "works.Tools/Take, idempotency: key, timeout: 2s, retry: 5m, undo: {method: "
        "works.Tools/Give, timeout: 9s}}"));
    const JobStep *steps = l.config->jobs->steps;
    assert_int_equal(steps[0].rules.kind, JOB_STEP_POLL);
    assert_int_equal(steps[0].rules.every, 2 * SECOND);
    assert_int_equal(steps[0].rules.wait, 600 * SECOND);
    assert_int_equal(steps[1].rules.kind, JOB_STEP_TIME);
    assert_int_equal(steps[1].rules.wait, 5 * SECOND);
    assert_null(steps[1].call);
    assert_int_equal(steps[2].rules.kind, JOB_STEP_EVENT);
    assert_int_equal(steps[2].rules.wait, 7 * 86400 * SECOND);
    assert_string_equal(steps[2].event, "approved");
    assert_true(steps[2].rules.graceful);
    assert_int_equal(steps[3].rules.kind, JOB_STEP_CALL);
    assert_int_equal(steps[3].rules.retry_for, 300 * SECOND);
    assert_true(steps[3].rules.has_undo);
    assert_true(steps[3].call->honours_key);
    assert_int_equal(steps[3].call->timeout, 2 * SECOND);
    assert_int_equal(steps[3].undo->timeout, 9 * SECOND);
    unload(&l);
}

/* A stale or default response would be a lie that the job is built on. */
static void no_fallback_stands_in_for_the_response_of_a_step(void **state)
{
    Loaded l =
        load_good(JOB("") "routes: [{match: works.Tools, on_failure: {graceful: {stale: 10m, "
                          "default: {}, writes: true}}}]\n");
    const Route *route = l.config->jobs->steps[0].call->route;
    assert_string_equal(route->match, "works.Works/Make steps.a");
    assert_int_equal(route->on_failure, FAILURE_LOUD);
    assert_int_equal(route->n_fallbacks, 0);
    assert_int_equal(route->stale_for, 0);
    assert_int_equal(route->timeout, 30 * SECOND);
    assert_int_equal(route->line, 12);
    unload(&l);
}

static void what_is_sent_is_the_step_s_over_the_job_s(void **state)
{
    Loaded l = load_good(JOB_OF("works.Works/Make",
                                ", send: {X-Team: hosting, x-who: gateway}, forward: [X-Tenant]",
                                "{name: a, method: works.Tools/See, send: {x-team: tools}}"));
    const Fields *fields = l.config->jobs->steps[0].call->metadata;
    assert_int_equal(fields->n, 2);
    assert_bytes(fields_get(fields, "x-team"), "tools");
    assert_bytes(fields_get(fields, "x-who"), "gateway");
    assert_string_equal(l.config->jobs->forward[0], "x-tenant");
    assert_null(l.config->jobs->forward[1]);
    unload(&l);
}

static void needs_are_bits_of_what_a_plan_reads(void **state)
{
    Loaded l =
        load_good(JOB_OF("works.Works/Make", ", answer: {title: steps.b.id, words: job.id}",
                         "{name: a, method: works.Tools/See, request: {tool: request.title}}, "
                         "{name: b, method: works.Tools/See, request: {tool: steps.a.id}}"));
    const JobDefinition *job = l.config->jobs;
    assert_true(job->steps[0].call->needs.request);
    assert_false(job->steps[0].call->needs.job);
    assert_int_equal(job->steps[0].call->needs.steps, 0);
    assert_int_equal(job->steps[1].call->needs.steps, 1);
    assert_false(job->view.needs.request);
    assert_true(job->view.needs.job);
    assert_int_equal(job->view.needs.steps, 2);
    unload(&l);
}

/* ---- Revisions ------------------------------------------------------------------------------- */

static void the_largest_revision_accepts_and_all_are_found(void **state)
{
    Loaded l = load_good(JOB(", revision: 2") JOB(", revision: 3") JOB(""));
    const Config *config = l.config;
    Bytes name = bytes_of("works.Works/Make");
    assert_int_equal(config->n_jobs, 3);
    assert_ptr_equal(config_find_job(config, name, 1), &config->jobs[2]);
    assert_ptr_equal(config_find_job(config, name, 2), &config->jobs[0]);
    assert_null(config_find_job(config, name, 4));
    assert_null(config_find_job(config, bytes_of("works.Works/Get"), 1));
    assert_false(config->jobs[0].accepts);
    assert_true(config->jobs[1].accepts);
    assert_ptr_equal(method_named(&l, 1, "Make")->extras->job->definition, &config->jobs[1]);
    unload(&l);
}

/* Jobs of the old one go on as they were written; a new one is begun in the new version. */
static void revisions_may_be_written_in_other_versions(void **state)
{
    Loaded l = load_good(
        "  - {method: works.Works/Make, version: v1, revision: 1, resource: {kind: work, key: "
        "request.label, read: [{method: works.Works/Get, key: label}]}, steps: [" SEE "]}\n"
        "  - {method: works.Works/Make, version: v2, revision: 2, resource: {kind: work, key: "
        "request.title, read: [{method: works.Works/Get, key: title}]}, steps: [" SEE "]}\n");
    const JobDefinition *old = &l.config->jobs[0], *new = &l.config->jobs[1];
    const Method *make = method_named(&l, 1, "Make"), *get = method_named(&l, 1, "Get");
    assert_ptr_equal(make->extras->job->definition, new);
    assert_ptr_equal(method_named(&l, 0, "Make")->extras->made_as, make);
    assert_null(method_named(&l, 0, "Make")->extras->job);
    assert_ptr_equal(job_view_for(old, get), old->resource.reads[0]);
    assert_string_equal(job_view_for(old, get)->to[1].type->full_name, "works.v2.Work");
    unload(&l);
}

static uint64_t structure_of(const char *jobs)
{
    Loaded l = load(jobs);
    assert_string_equal(l.told, "");
    uint64_t structure = l.config->jobs[0].structure;
    unload(&l);
    return structure;
}

static void the_structure_is_steps_and_their_methods_not_times_and_paths(void **state)
{
    uint64_t plain = structure_of(STEP("timeout: 1s"));
    static const char *const same[] = {
        STEP("timeout: 2s"),
        STEP("request: {tool: request.title}"),
        STEP("on_failure: graceful, retry: 5s"),
        STEP("when: {field: request.title, is: [x]}"),
        STEP("idempotency: key"),
        JOB(", answer: {title: request.title}, keep: 1h, revision: 7"),
    };
    static const char *const other[] = {
        JOB_OF("works.Works/Make", "", "{name: b, method: works.Tools/See}"),
        JOB_OF("works.Works/Make", "", "{name: a, method: works.Tools/Give}"),
        JOB_OF("works.Works/Make", "", SEE ", {name: b, wait: 1s}"),
        JOB_OF("works.Works/Make", "", "{name: a, wait: 1s}"),
        JOB_OF("works.Works/Make", "", "{name: a, wait: {event: e}}"),
        JOB_OF("works.Works/Make", "", "{name: a, wait: {event: f}}"),
        STEP("undo: {method: works.Tools/Give}"),
        STEP("wait: {until: {field: ready, is: ['true']}}"),
        JOB_OF("works.Works/Make", ", version: v1", SEE),
        JOB_OF("works.Works/Build", "", SEE),
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_int_equal(structure_of(same[i]), plain);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        assert_int_not_equal(structure_of(other[i]), plain);
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(structure_of(other[i]), structure_of(other[k]));
    }
}

/* It is stored with jobs: a gateway of another build must find the same. The beginning of the
   SHA-256 of "works.Works/Make v2;a call  v2 /works.v2.Tools/See;;". */
static void the_structure_is_the_same_in_every_build(void **state)
{
    assert_true(structure_of(JOB("")) == UINT64_C(0x0fa69803cff521e4));
}

/* ---- Methods --------------------------------------------------------------------------------- */

static void methods_of_all_versions_are_made_in_that_of_the_job(void **state)
{
    Loaded l = load_good(JOB(", resource: {kind: work, key: request.title, busy: queue, read: "
                             "[{method: works.Works/Get, key: title}], block: [{method: "
                             "works.Works/Change, key: spec.number}]}"));
    const Method *make = method_named(&l, 1, "Make"), *get = method_named(&l, 1, "Get");
    const Method *change = method_named(&l, 1, "Change");
    assert_int_equal(make->extras->maker, MAKER_JOB);
    assert_int_equal(make->extras->job->use, JOB_BEGINS);
    assert_int_equal(make->extras->made_bytes, 256 << 10);
    assert_string_equal(make->extras->job->kind, "work");
    assert_int_equal(l.config->jobs->resource.busy, JOB_BUSY_QUEUE);
    assert_int_equal(get->extras->job->use, JOB_READS);
    assert_null(get->extras->job->definition);
    assert_int_equal(change->extras->job->use, JOB_BLOCKED);
    assert_string_equal(change->extras->job->key[1]->name, "number");
    assert_null(change->extras->job->key[2]);
    assert_ptr_equal(method_named(&l, 0, "Make")->extras->made_as, make);
    assert_ptr_equal(method_named(&l, 0, "Get")->extras->made_as, get);
    assert_null(method_named(&l, 0, "Build")->extras->made_as);
    assert_non_null(make->pairs[1].request[CODEC_JSON][CODEC_PROTO]);
    unload(&l);
}

/* Its messages are read and written by the gateway alone. */
static void jobs_and_steps_may_be_of_a_version_without_instances(void **state)
{
    Loaded l = load_good(
        JOB_OF("works.Works/Make",
               ", version: v1, answer: {label: request.label}, schedule: {every: 1h, request: "
               "{label: roof}}",
               "{name: a, method: works.Works/Get, version: v1, request: {label: request.label}}"));
    const Method *make = method_named(&l, 0, "Make");
    assert_ptr_equal(make->extras->made_as, make);
    assert_non_null(make->pairs[0].request[CODEC_JSON][CODEC_PROTO]);
    assert_non_null(l.config->jobs->steps[0].call->check);
    assert_bytes(l.config->jobs->schedule->request, "\x0a\x04roof");
    unload(&l);
}

static void methods_of_one_kind_share_their_readers(void **state)
{
#define SHARED(method)                                                                             \
    JOB_OF(method,                                                                                 \
           ", resource: {kind: work, key: request.title, read: [{method: "                         \
           "works.Works/Get, key: title}]}",                                                       \
           SEE)
    Loaded l = load_good(SHARED("works.Works/Make") SHARED("works.Works/Build"));
    const Method *get = method_named(&l, 1, "Get");
    assert_non_null(job_view_for(&l.config->jobs[0], get));
    assert_non_null(job_view_for(&l.config->jobs[1], get));
    unload(&l);
}

static void a_step_may_call_the_method_that_begins_its_job(void **state)
{
    Loaded l = load_good(JOB_OF("works.Works/Make", "",
                                "{name: a, method: works.Works/Make, idempotency: key, request: "
                                "{title: request.title}}"));
    assert_ptr_equal(l.config->jobs->steps[0].call->method, l.config->jobs->method);
    unload(&l);
}

/* ---- Schedules ------------------------------------------------------------------------------- */

static void a_schedule_has_its_time_and_request(void **state)
{
    Loaded l = load_good(JOB(", schedule: {at: '03:30', request: {title: roof}}"));
    const JobSchedule *schedule = l.config->jobs->schedule;
    assert_int_equal(schedule->every, 0);
    assert_int_equal(schedule->at, (3 * 60 + 30) * 60 * SECOND);
    assert_bytes(schedule->request, "\x0a\x04roof");
    unload(&l);
    l = load_good(JOB(", schedule: 6h"));
    schedule = l.config->jobs->schedule;
    assert_int_equal(schedule->every, 6 * 3600 * SECOND);
    assert_int_equal(schedule->request.size, 0);
    assert_non_null(schedule->request.data);
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_told_with_their_place_and_what_to_write),
        cmocka_unit_test(jobs_need_a_store),
        cmocka_unit_test(what_may_not_work_is_doubted),
        cmocka_unit_test(calls_that_go_past_the_jobs_are_doubted),
        cmocka_unit_test(a_definition_has_its_defaults),
        cmocka_unit_test(steps_are_calls_polls_times_and_events),
        cmocka_unit_test(no_fallback_stands_in_for_the_response_of_a_step),
        cmocka_unit_test(what_is_sent_is_the_step_s_over_the_job_s),
        cmocka_unit_test(needs_are_bits_of_what_a_plan_reads),
        cmocka_unit_test(the_largest_revision_accepts_and_all_are_found),
        cmocka_unit_test(revisions_may_be_written_in_other_versions),
        cmocka_unit_test(the_structure_is_steps_and_their_methods_not_times_and_paths),
        cmocka_unit_test(the_structure_is_the_same_in_every_build),
        cmocka_unit_test(methods_of_all_versions_are_made_in_that_of_the_job),
        cmocka_unit_test(jobs_and_steps_may_be_of_a_version_without_instances),
        cmocka_unit_test(methods_of_one_kind_share_their_readers),
        cmocka_unit_test(a_step_may_call_the_method_that_begins_its_job),
        cmocka_unit_test(a_schedule_has_its_time_and_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
