/* The messages of jobs, with the plans of a config of two versions. */
#include "gateway/job/job_messages.h"

#include "adapters/run/plan_run.h"
#include "adapters/schema/wire.h"
#include "base/clock.h"
#include "tests/unit/gateway/job/works.h"
#include "tests/unit/gateway/service/loaded.h"

#include <stdio.h>

#define ANSWER                                                                                     \
    "answer: {title: request.spec.title, place: steps.take.place, operation: job.name, made: "     \
    "job.created, words: job.reason, inner.title: job.link, inner.words: job.state, inner.place: " \
    "job.step}, "
#define TAKE                                                                                       \
    "{name: take, method: works.Tools/Take, idempotency: key, request: {plan: request.plan, "      \
    "holder: job.id, key: job.key, step: job.step}, undo: {method: works.Tools/Give, request: "    \
    "{holder: job.id, tool: steps.take.id}}}"
#define OTHER                                                                                      \
    "{name: other, method: works.Tools/See, when: {field: request.kind, is: [KIND_LARGE, "         \
    "KIND_ODD]}, request: {tool: steps.take.id}}"
#define SEE                                                                                        \
    "{name: see, method: works.Tools/See, request: {tool: steps.take.id, other: steps.other.id}, " \
    "wait: {until: {field: ready, is: ['true']}, fails: {field: kind, is: [KIND_ODD]}, every: "    \
    "1s, for: 1m}}"
#define STEPS "steps: [" TAKE ", " OTHER ", " SEE "]"
#define STATES                                                                                     \
    "state: state, states: {queued: STATE_BUSY, running: STATE_BUSY, waiting: STATE_BUSY, "        \
    "failed: STATE_BAD, undoing: STATE_BAD, undone: STATE_UNKNOWN, done: STATE_GOOD}, "
#define RESOURCE                                                                                   \
    "resource: {kind: work, key: request.spec.title, read: [{method: works.Works/Get, key: "       \
    "title}, {method: works.Works/Look, key: title, answer: {work.title: request.spec.title, "     \
    "how: "                                                                                        \
    "job.step}, state: work.inner.mood}], block: [{method: works.Works/Change, key: "              \
    "spec.number}]}, "
#define MAKE "  - {method: works.Works/Make, " ANSWER STATES RESOURCE STEPS "}\n"
#define BUILD                                                                                      \
    "  - {method: works.Works/Build, answer: {title: request.title, place: steps.take.place}, "    \
    "metadata: {step: job.step}, steps: [" TAKE "]}\n"

enum { TAKE_STEP, OTHER_STEP, SEE_STEP, N_STEPS };

typedef struct Job {
    Loaded l;
    const JobDefinition *definition;
    Bytes responses[N_STEPS];
    JobPosition position;
    JobSources sources;
} Job;

/* ---- Messages as text ------------------------------------------------------------------------ */

static Bytes run(Arena *arena, const Plan *plan, Bytes from)
{
    Buffer out = buffer_in(arena);
    PlanInput input = {.bytes = from};
    assert_ok(arena, plan_run(plan, &input, arena, &out, NULL));
    return buffer_message(&out);
}

static const MethodPair *own_pair(const Method *method)
{
    return &method->pairs[method->version->index];
}

static Bytes request_of(const Job *j, const Method *method, const char *json)
{
    return run(j->l.arena, own_pair(method)->request[CODEC_JSON][CODEC_PROTO], bytes_of(json));
}

static Bytes response_of(const Job *j, const JobCall *call, const char *json)
{
    return run(j->l.arena, own_pair(call->method)->response[CODEC_JSON][CODEC_PROTO],
               bytes_of(json));
}

static const char *request_text(const Job *j, const JobCall *call, Bytes request)
{
    const Plan *plan = own_pair(call->method)->request[CODEC_PROTO][CODEC_JSON];
    return arena_text(j->l.arena, run(j->l.arena, plan, request));
}

static const char *response_text(const Job *j, const Method *method, Bytes response)
{
    const Plan *plan = own_pair(method)->response[CODEC_PROTO][CODEC_JSON];
    return arena_text(j->l.arena, run(j->l.arena, plan, response));
}

/* ---- Jobs ------------------------------------------------------------------------------------ */

static void begin(Job *j, const char *jobs, const char *request)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    *j = (Job){.l = load_text(arena, arena_printf(arena, WORKS_JOBS "%s", jobs))};
    assert_string_equal(j->l.told, "");
    j->definition = &j->l.config->jobs[0];
    j->position = (JobPosition){.state = JOB_QUEUED};
    j->sources = (JobSources){.id = bytes_of("01J"),
                              .request = request_of(j, j->definition->method, request),
                              .responses = j->responses,
                              .position = &j->position,
                              .created = 90 * SECOND + 5};
}

static void at_step(Job *j, uint32_t step)
{
    j->position.state = JOB_RUNNING;
    j->position.step = step;
    j->position.begun = (UINT64_C(2) << step) - 1;
}

static const char *asked(Job *j, uint32_t step, bool undo)
{
    const JobStep *of = &j->definition->steps[step];
    Bytes request;
    assert_ok(j->l.arena, job_make_request(j->definition, step, undo, bytes_of("01J-x"),
                                           &j->sources, j->l.arena, &request));
    return request_text(j, undo ? of->undo : of->call, request);
}

static const char *shown(Job *j)
{
    Bytes message;
    assert_ok(j->l.arena, job_represent(j->definition, &j->definition->view, &j->sources, NULL,
                                        j->l.arena, &message));
    return response_text(j, j->definition->method, message);
}

static JobEvent meaning(Job *j, uint32_t step, const char *json)
{
    JobEvent means;
    Bytes response = response_of(j, j->definition->steps[step].call, json);
    assert_ok(j->l.arena, job_response_means(j->definition, step, response, j->l.arena, &means));
    return means;
}

static const Method *method_named(const Job *j, uint32_t version, const char *name)
{
    const Version *of = &j->l.config->services[0].versions[version];
    for (uint32_t i = 0; i < of->n_methods; i++)
        if (strcmp(of->methods[i].type->name, name) == 0)
            return &of->methods[i];
    fail();
    return NULL;
}

#define REQUEST "{\"plan\": \"small\", \"kind\": \"KIND_LARGE\", \"spec\": {\"title\": \"t\"}}"

/* ---- Requests -------------------------------------------------------------------------------- */

static void a_step_is_asked_with_the_request_the_job_and_earlier_responses(void **state)
{
    Job j;
    begin(&j, MAKE, REQUEST);
    at_step(&j, TAKE_STEP);
    assert_string_equal(
        asked(&j, TAKE_STEP, false),
        "{\"plan\":\"small\",\"holder\":\"01J\",\"key\":\"01J-x\",\"step\":\"take\"}");
    j.responses[TAKE_STEP] =
        response_of(&j, j.definition->steps[TAKE_STEP].call, "{\"id\": \"hammer\"}");
    at_step(&j, OTHER_STEP);
    assert_string_equal(asked(&j, OTHER_STEP, false), "{\"tool\":\"hammer\"}");
    unload(&j.l);
}

static void what_comes_from_a_step_that_was_passed_over_stays_unset(void **state)
{
    Job j;
    begin(&j, MAKE, REQUEST);
    at_step(&j, SEE_STEP);
    j.position.begun = 1 << TAKE_STEP | 1 << SEE_STEP;
    j.responses[TAKE_STEP] = response_of(&j, j.definition->steps[0].call, "{\"id\": \"saw\"}");
    assert_string_equal(asked(&j, SEE_STEP, false), "{\"tool\":\"saw\"}");
    unload(&j.l);
}

static void an_empty_response_is_a_response(void **state)
{
    Job j;
    begin(&j, MAKE, REQUEST);
    at_step(&j, OTHER_STEP);
    j.responses[TAKE_STEP] = bytes("", 0);
    assert_string_equal(asked(&j, OTHER_STEP, false), "{}");
    unload(&j.l);
}

static void a_step_that_needs_a_response_that_nobody_has_cannot_be_asked(void **state)
{
    Job j;
    Bytes request;
    begin(&j, MAKE, REQUEST);
    at_step(&j, OTHER_STEP);
    Result r = job_make_request(j.definition, OTHER_STEP, false, BYTES_NONE, &j.sources, j.l.arena,
                                &request);
    assert_fault(r, FAULT_UPSTREAM_MESSAGE);
    assert_string_equal(error_origin(r)->doing,
                        "there is no response of the step take, which is needed");
    error_ignore(r, "as it should be");
    unload(&j.l);
}

static void an_undo_has_its_step_s_response(void **state)
{
    Job j;
    begin(&j, MAKE, REQUEST);
    at_step(&j, TAKE_STEP);
    j.responses[TAKE_STEP] = response_of(&j, j.definition->steps[0].call, "{\"id\": \"saw\"}");
    assert_string_equal(asked(&j, TAKE_STEP, true), "{\"holder\":\"01J\",\"tool\":\"saw\"}");
    unload(&j.l);
}

/* ---- Conditions ------------------------------------------------------------------------------ */

static void a_step_is_executed_if_its_condition_holds(void **state)
{
    static const struct {
        const char *request;
        bool holds;
    } cases[] = {{"{\"kind\": \"KIND_LARGE\"}", true},
                 {"{\"kind\": \"KIND_ODD\"}", true},
                 {"{\"kind\": \"KIND_SMALL\"}", false},
                 {"{}", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Job j;
        begin(&j, MAKE, cases[i].request);
        assert_int_equal(job_when_holds(j.definition, OTHER_STEP, &j.sources), cases[i].holds);
        assert_true(job_when_holds(j.definition, TAKE_STEP, &j.sources));
        unload(&j.l);
    }
}

static void a_response_says_that_it_is_done_or_not_yet_or_never(void **state)
{
    Job j;
    begin(&j, MAKE, REQUEST);
    assert_int_equal(meaning(&j, SEE_STEP, "{\"ready\": true}"), JOB_SUCCEEDED);
    assert_int_equal(meaning(&j, SEE_STEP, "{}"), JOB_NOT_YET);
    assert_int_equal(meaning(&j, SEE_STEP, "{\"kind\": \"KIND_ODD\"}"), JOB_REFUSED);
    assert_int_equal(meaning(&j, SEE_STEP, "{\"kind\": \"KIND_ODD\", \"ready\": true}"),
                     JOB_REFUSED);
    assert_int_equal(meaning(&j, TAKE_STEP, "{}"), JOB_SUCCEEDED);
    unload(&j.l);
}

static void a_response_that_cannot_be_read_is_none(void **state)
{
    Job j;
    JobEvent means;
    begin(&j, MAKE, REQUEST);
    Result r =
        job_response_means(j.definition, TAKE_STEP, bytes_of("\x0a\x7fx"), j.l.arena, &means);
    assert_fault(r, FAULT_UPSTREAM_MESSAGE);
    error_ignore(r, "as it should be");
    unload(&j.l);
}

/* Every kind of number, as the value that has all bits set, and as others. */
static void conditions_know_all_kinds_of_values(void **state)
{
    static const struct {
        const char *condition, *request;
        bool holds;
    } cases[] = {
        {"fast, is: ['true']", "{\"fast\": true}", true},
        {"fast, is: ['true']", "{}", false},
        {"fast, is: ['false']", "{}", true},
        {"plan, is: [a, b]", "{\"plan\": \"b\"}", true},
        {"plan, is: [a, b]", "{\"plan\": \"bb\"}", false},
        {"plan, is_not: [a, b]", "{\"plan\": \"bb\"}", true},
        {"plan, is_not: [a, b]", "{\"plan\": \"a\"}", false},
        {"plan, is: ['']", "{}", true},
        {"spec.title, is: [x]", "{\"spec\": {\"title\": \"x\"}}", true},
        {"spec.title, is: [x]", "{\"spec\": {}}", false},
        {"spec.number, is: ['7']", "{\"spec\": {\"number\": \"7\"}}", true},
        {"i32, is: ['-1']", "{\"i32\": -1}", true},
        {"i32, is: ['-1']", "{\"i32\": 1}", false},
        {"u32, is: ['4294967295']", "{\"u32\": 4294967295}", true},
        {"i64, is: ['-9223372036854775808']", "{\"i64\": \"-9223372036854775808\"}", true},
        {"u64, is: ['18446744073709551615']", "{\"u64\": \"18446744073709551615\"}", true},
        {"s32, is: ['-1']", "{\"s32\": -1}", true},
        {"s64, is: ['-5', '-6']", "{\"s64\": \"-6\"}", true},
        {"f32, is: ['4294967295']", "{\"f32\": 4294967295}", true},
        {"f64, is: ['3']", "{\"f64\": \"3\"}", true},
        {"sf32, is: ['-3']", "{\"sf32\": -3}", true},
        {"sf64, is: ['-3']", "{\"sf64\": \"-3\"}", true},
        {"kind, is: [KIND_ODD]", "{\"kind\": \"KIND_ODD\"}", true},
        {"kind, is_not: [KIND_ODD]", "{\"kind\": \"KIND_ODD\"}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Job j;
        char text[512];
        snprintf(text, sizeof text,
                 "  - {method: works.Works/Make, steps: [{name: s, method: works.Tools/See, when: "
                 "{field: request.%s}}]}\n",
                 cases[i].condition);
        begin(&j, text, cases[i].request);
        if (job_when_holds(j.definition, 0, &j.sources) != cases[i].holds)
            fail_msg("%s of %s", cases[i].condition, cases[i].request);
        unload(&j.l);
    }
}

/* A message in several records is all of them together; of several values the last one counts. */
static void a_message_in_pieces_is_read_as_one(void **state)
{
    Job j;
    Bytes resource;
    begin(&j, MAKE, REQUEST);
    Buffer pieces = buffer_in(j.l.arena);
    buffer_add_bytes(&pieces,
                     request_of(&j, j.definition->method, "{\"spec\": {\"title\": \"a\"}}"));
    buffer_add_bytes(&pieces,
                     request_of(&j, j.definition->method, "{\"spec\": {\"title\": \"b\"}}"));
    buffer_add_bytes(&pieces,
                     request_of(&j, j.definition->method, "{\"spec\": {\"number\": \"1\"}}"));
    assert_ok(j.l.arena, job_resource(j.definition->method->extras->job, buffer_bytes(&pieces),
                                      bytes_of("01J"), j.l.arena, &resource));
    assert_bytes(resource, "work/b");
    unload(&j.l);
}

/* What the plan to JSON, which reads all of the message, has at spec.title. */
static const char *title_by_json(const Job *j, Bytes request)
{
    const Plan *plan = own_pair(j->definition->method)->request[CODEC_PROTO][CODEC_JSON];
    const char *json = arena_text(j->l.arena, run(j->l.arena, plan, request));
    const char *spec = strstr(json, "\"spec\":{"), *end = spec ? strchr(spec, '}') : NULL;
    const char *title = spec ? strstr(spec, "\"title\":\"") : NULL;
    if (!title || title > end)
        return "";
    title += strlen("\"title\":\"");
    return arena_printf(j->l.arena, "work/%.*s", (int)strcspn(title, "\""), title);
}

static void add_piece(Buffer *pieces, uint64_t random)
{
    enum { TITLE = 1, SPEC = 3, NUMBER = 2 };
    static const char *const texts[] = {"", "a", "b", "longer"};
    Buffer spec = buffer_in(pieces->arena);
    const char *text = texts[random >> 8 & 3];
    if (random & 1)
        wire_add_bytes(&spec, TITLE, bytes_of(text));
    if (random & 2)
        wire_add_number(&spec, NUMBER, random >> 16 & 7);
    if (random & 4)
        wire_add_bytes(pieces, TITLE, bytes_of(text));
    if (random & 8)
        wire_add_bytes(pieces, SPEC, buffer_bytes(&spec));
}

static void a_key_is_what_the_whole_message_says(void **state)
{
    Job j;
    begin(&j, MAKE, REQUEST);
    uint64_t random = 1;
    for (uint32_t round = 0; round < 2000; round++) {
        Bytes resource;
        Buffer pieces = buffer_in(j.l.arena);
        for (uint32_t i = 0; i < 1 + round % 5; i++) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            add_piece(&pieces, random >> 32);
        }
        Bytes request = buffer_message(&pieces);
        assert_ok(j.l.arena, job_resource(j.definition->method->extras->job, request,
                                          bytes_of("01J"), j.l.arena, &resource));
        assert_bytes(resource, title_by_json(&j, request));
    }
    unload(&j.l);
}

/* ---- Views ----------------------------------------------------------------------------------- */

static void a_job_is_shown_as_the_response_of_its_method(void **state)
{
    Job j;
    begin(&j, MAKE, REQUEST);
    assert_string_equal(
        shown(&j), "{\"title\":\"t\",\"state\":\"STATE_BUSY\",\"operation\":\"operations/01J\","
                   "\"made\":\"1970-01-01T00:01:30.000000005Z\",\"inner\":{\"title\":"
                   "\"/v1/operations/01J\",\"words\":\"queued\"}}");
    at_step(&j, OTHER_STEP);
    j.position.state = JOB_FAILED;
    j.sources.reason = bytes_of("no tool");
    j.responses[TAKE_STEP] = response_of(&j, j.definition->steps[0].call, "{\"place\": \"hall\"}");
    assert_string_equal(
        shown(&j),
        "{\"title\":\"t\",\"place\":\"hall\",\"state\":\"STATE_BAD\",\"operation\":"
        "\"operations/01J\",\"made\":\"1970-01-01T00:01:30.000000005Z\",\"words\":\"no "
        "tool\",\"inner\":{\"title\":\"/v1/operations/01J\",\"place\":\"other\",\"words\":"
        "\"failed\"}}");
    j.sources.failed = bytes_of("take"); /* "other" is the one whose undo comes next */
    assert_non_null(strstr(shown(&j), "\"place\":\"take\""));
    j.position.state = JOB_UNDOING;
    assert_non_null(strstr(shown(&j), "\"place\":\"other\""));
    j.position.state = JOB_UNDONE;
    assert_non_null(strstr(shown(&j), "\"place\":\"take\""));
    j.sources.failed = BYTES_NONE;
    j.position.state = JOB_DONE;
    assert_non_null(strstr(shown(&j), "STATE_GOOD"));
    unload(&j.l);
}

static void a_job_is_converted_on_reading(void **state)
{
    Job j;
    Bytes message;
    begin(&j, MAKE, REQUEST);
    const Method *old = method_named(&j, 0, "Make");
    const Service *service = old->version->service;
    assert_ok(j.l.arena, job_represent(j.definition, &j.definition->view, &j.sources, old->version,
                                       j.l.arena, &message));
    const MessageConversion *to = j.definition->view.to;
    assert_string_equal(to[old->version->index].type->full_name, "works.v1.Work");
    assert_ptr_equal(to[1].type, j.definition->view.type);
    assert_null(to[1].plan);
    assert_int_equal(service->n_versions, 2);
    Bytes label = wire_find_bytes(message, 1), operation = wire_find_bytes(message, 4);
    assert_bytes(label, "t");
    assert_bytes(operation, "operations/01J");
    unload(&j.l);
}

static void a_method_that_reads_has_a_view_of_its_own_or_the_job_s(void **state)
{
    Job j;
    Bytes message;
    begin(&j, MAKE, REQUEST);
    at_step(&j, TAKE_STEP);
    const Method *look = method_named(&j, 1, "Look");
    const JobView *view = job_view_for(j.definition, look);
    assert_ok(j.l.arena, job_represent(j.definition, view, &j.sources, NULL, j.l.arena, &message));
    assert_string_equal(response_text(&j, look, message),
                        "{\"work\":{\"title\":\"t\",\"inner\":{\"mood\":\"MOOD_RUNNING\"}},"
                        "\"how\":\"take\"}");
    view = job_view_for(j.definition, method_named(&j, 1, "Get"));
    assert_ptr_equal(view->plan, j.definition->view.plan);
    assert_ptr_equal(job_view_for(j.definition, method_named(&j, 0, "Get")), view);
    assert_null(job_view_for(j.definition, method_named(&j, 1, "Change")));
    unload(&j.l);
}

/* ---- Operations ------------------------------------------------------------------------------ */

static const char *operation(Job *j, uint32_t version)
{
    Bytes message;
    const Method *build = method_named(j, version, "Build");
    assert_ok(j->l.arena,
              job_operation(j->definition, &j->sources, build->version, j->l.arena, &message));
    /* The error is no part of what the tests' schema calls an operation. */
    Bytes error = wire_find_bytes(message, 4);
    const Plan *plan = own_pair(method_named(j, 1, "Build"))->response[CODEC_PROTO][CODEC_JSON];
    if (error.data)
        return arena_printf(j->l.arena, "%.*s", BYTES_ARGS(wire_find_bytes(error, 2)));
    return arena_text(j->l.arena, run(j->l.arena, plan, message));
}

static void an_operation_has_its_name_metadata_and_result(void **state)
{
    Job j;
    begin(&j, BUILD, "{\"title\": \"t\"}");
    assert_true(j.definition->is_operation);
    assert_string_equal(operation(&j, 1), "{\"name\":\"operations/01J\",\"metadata\":{\"@type\":"
                                          "\"type.googleapis.com/works.v2.Progress\"}}");
    at_step(&j, 0);
    assert_string_equal(operation(&j, 1),
                        "{\"name\":\"operations/01J\",\"metadata\":{\"@type\":"
                        "\"type.googleapis.com/works.v2.Progress\",\"step\":\"take\"}}");
    j.position.state = JOB_DONE;
    j.responses[0] = response_of(&j, j.definition->steps[0].call, "{\"place\": \"hall\"}");
    assert_string_equal(operation(&j, 1),
                        "{\"name\":\"operations/01J\",\"metadata\":{\"@type\":"
                        "\"type.googleapis.com/works.v2.Progress\"},\"done\":true,\"response\":{"
                        "\"@type\":\"type.googleapis.com/works.v2.Work\",\"title\":\"t\",\"place\":"
                        "\"hall\"}}");
    unload(&j.l);
}

/* The JSON of another version's types is their bytes in base64: so the types are seen. */
static void its_result_is_of_the_version_that_asks(void **state)
{
    Job j;
    begin(&j, BUILD, "{\"title\": \"t\"}");
    j.position.state = JOB_DONE;
    Bytes message;
    assert_ok(j.l.arena, job_operation(j.definition, &j.sources,
                                       method_named(&j, 0, "Get")->version, j.l.arena, &message));
    Bytes response = wire_find_bytes(message, 5);
    assert_bytes(wire_find_bytes(response, 1), "type.googleapis.com/works.v1.Work");
    assert_bytes(wire_find_bytes(wire_find_bytes(response, 2), 1), "t");
    unload(&j.l);
}

static void a_job_that_came_to_nothing_is_an_error(void **state)
{
    Job j;
    begin(&j, BUILD, "{\"title\": \"t\"}");
    at_step(&j, 0);
    j.position.state = JOB_FAILED;
    j.sources.code = CODE_UNAVAILABLE;
    j.sources.reason = bytes_of("nobody is there");
    assert_string_equal(operation(&j, 1), "nobody is there");
    j.position.state = JOB_UNDONE;
    j.sources.code = CODE_OK;
    j.sources.reason = BYTES_NONE;
    assert_string_equal(operation(&j, 1), "the job was undone");
    j.position.cancelled = true;
    assert_string_equal(operation(&j, 1), "the job was cancelled");
    unload(&j.l);
}

static void any_job_can_be_read_as_an_operation(void **state)
{
    Job j;
    Bytes message;
    begin(&j, MAKE, REQUEST);
    j.position.state = JOB_DONE;
    assert_ok(j.l.arena, job_operation(j.definition, &j.sources, NULL, j.l.arena, &message));
    assert_bytes(wire_find_bytes(message, 1), "operations/01J");
    assert_bytes(wire_find_bytes(wire_find_bytes(message, 5), 1),
                 "type.googleapis.com/works.v2.Work");
    unload(&j.l);
}

/* ---- Resources ------------------------------------------------------------------------------- */

static const char *resource_of(Job *j, const char *method, const char *request)
{
    Bytes resource;
    const Method *of = method_named(j, 1, method);
    assert_ok(j->l.arena, job_resource(of->extras->job, request_of(j, of, request), bytes_of("01J"),
                                       j->l.arena, &resource));
    return arena_text(j->l.arena, resource);
}

static void what_a_call_is_about_is_its_kind_and_key(void **state)
{
    Job j;
    begin(&j, MAKE, REQUEST);
    assert_string_equal(resource_of(&j, "Make", REQUEST), "work/t");
    assert_string_equal(resource_of(&j, "Make", "{}"), "");
    assert_string_equal(resource_of(&j, "Get", "{\"title\": \"a/b\"}"), "work/a/b");
    assert_string_equal(resource_of(&j, "Change", "{\"spec\": {\"number\": \"-7\"}}"), "work/-7");
    assert_string_equal(resource_of(&j, "Change", "{\"spec\": {\"number\": \"0\"}}"), "");
    unload(&j.l);
    begin(&j, BUILD, "{}");
    assert_string_equal(resource_of(&j, "Build", "{\"title\": \"t\"}"), "");
    unload(&j.l);
    begin(&j,
          "  - {method: works.Works/Build, resource: {kind: work, key: job.id}, steps: [" TAKE
          "]}\n",
          "{}");
    assert_string_equal(resource_of(&j, "Build", "{}"), "work/01J");
    unload(&j.l);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void a_full_arena_is_told(void **state)
{
    Job j;
    begin(&j, MAKE, REQUEST);
    at_step(&j, OTHER_STEP);
    j.responses[TAKE_STEP] = response_of(&j, j.definition->steps[0].call, "{\"place\": \"hall\"}");
    for (size_t limit = 0; limit < 64 << 10; limit += 4096) {
        Arena *small = arena_new(limit);
        Bytes message;
        Result r =
            job_represent(j.definition, &j.definition->view, &j.sources, NULL, small, &message);
        if (failed(r)) {
            assert_fault(r, FAULT_OUT_OF_MEMORY);
            error_ignore(r, "as it should be");
        }
        arena_free(small);
    }
    unload(&j.l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_is_asked_with_the_request_the_job_and_earlier_responses),
        cmocka_unit_test(what_comes_from_a_step_that_was_passed_over_stays_unset),
        cmocka_unit_test(an_empty_response_is_a_response),
        cmocka_unit_test(a_step_that_needs_a_response_that_nobody_has_cannot_be_asked),
        cmocka_unit_test(an_undo_has_its_step_s_response),
        cmocka_unit_test(a_step_is_executed_if_its_condition_holds),
        cmocka_unit_test(a_response_says_that_it_is_done_or_not_yet_or_never),
        cmocka_unit_test(a_response_that_cannot_be_read_is_none),
        cmocka_unit_test(conditions_know_all_kinds_of_values),
        cmocka_unit_test(a_message_in_pieces_is_read_as_one),
        cmocka_unit_test(a_key_is_what_the_whole_message_says),
        cmocka_unit_test(a_job_is_shown_as_the_response_of_its_method),
        cmocka_unit_test(a_job_is_converted_on_reading),
        cmocka_unit_test(a_method_that_reads_has_a_view_of_its_own_or_the_job_s),
        cmocka_unit_test(an_operation_has_its_name_metadata_and_result),
        cmocka_unit_test(its_result_is_of_the_version_that_asks),
        cmocka_unit_test(a_job_that_came_to_nothing_is_an_error),
        cmocka_unit_test(any_job_can_be_read_as_an_operation),
        cmocka_unit_test(what_a_call_is_about_is_its_kind_and_key),
        cmocka_unit_test(a_full_arena_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
