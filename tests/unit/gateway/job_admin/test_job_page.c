/* What operators see of jobs, by the definitions of a real config. */
#include "gateway/job_admin/job_page.h"

#include "adapters/run/plan_run.h"
#include "base/clock.h"
#include "tests/unit/gateway/job/works.h"
#include "tests/unit/gateway/service/loaded.h"

#define WALL (1700000000 * SECOND)
#define STEPS                                                                                      \
    "steps: [{name: take, method: works.Tools/Take, idempotency: key, request: {plan: "            \
    "request.plan}, undo: {method: works.Tools/Give, request: {holder: job.id}}}, {name: rest, "   \
    "wait: {for: 1s}}, {name: approval, wait: {event: approved, for: 1h}}]"
#define JOBS                                                                                       \
    WORKS_JOBS "  - {method: works.Works/Make, resource: {kind: work, key: request.spec.title, "   \
               "busy: queue}, " STEPS "}\n"

static Loaded load(const char *more)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Loaded l = load_text(arena, arena_printf(arena, "%s" JOBS, more));
    assert_string_equal(l.told, "");
    return l;
}

static Bytes message_of(const Loaded *l, const Plan *plan, const char *json)
{
    Buffer out = buffer_in(l->arena);
    assert_ok(l->arena,
              plan_run(plan, &(PlanInput){.bytes = bytes_of(json)}, l->arena, &out, NULL));
    return buffer_message(&out);
}

/* It waits for its approval; its first step has responded. */
static JobRecord job_of(const Loaded *l)
{
    const JobDefinition *definition = &l->config->jobs[0];
    const Method *make = definition->method, *take = definition->steps[0].call->method;
    JobRecord record = job_record_of(definition, bytes_of("01j"), WALL - 60 * SECOND);
    record.client = bytes_of("ada");
    record.resource = bytes_of("work/secret");
    record.request_id = bytes_of("r-1");
    record.since = WALL - 5 * SECOND;
    record.step = bytes_of("approval");
    record.position = (JobPosition){
        .state = JOB_WAITING, .step = 2, .begun = 5, .step_began = 1, .due = WALL + SECOND};
    record.request =
        message_of(l, make->pairs[make->version->index].request[CODEC_JSON][CODEC_PROTO],
                   "{\"spec\":{\"title\":\"secret\"},\"plan\":\"small\"}");
    record.responses[0] =
        message_of(l, take->pairs[take->version->index].response[CODEC_JSON][CODEC_PROTO],
                   "{\"place\":\"here\"}");
    return record;
}

static const char *page_of(const Loaded *l, const JobRecord *record)
{
    Buffer out = buffer_in(l->arena);
    job_page_job(l->config, record, WALL, &out);
    return arena_text(l->arena, buffer_bytes(&out));
}

static const char *list_of(const Loaded *l, const JobRecord *record, uint32_t most)
{
    const JobRecord *jobs[] = {record};
    Buffer out = buffer_in(l->arena);
    job_page_list(l->config, jobs, 1, most, WALL, &out);
    return arena_text(l->arena, buffer_bytes(&out));
}

#define HAS(page, text)                                                                            \
    do {                                                                                           \
        if (!strstr((page), (text)))                                                               \
            fail_msg("%s is not in %s", (text), (page));                                           \
    } while (0)
#define HAS_NOT(page, text) assert_null(strstr((page), (text)))

static void a_job_is_shown_with_its_messages_and_steps(void **state)
{
    Loaded l = load("");
    JobRecord record = job_of(&l);
    const char *page = page_of(&l, &record);
    HAS(page,
        "{\"id\":\"01j\",\"method\":\"works.Works/Make\",\"revision\":1,\"state\":\"waiting\"");
    HAS(page, "\"client\":\"ada\",\"resource\":\"work/secret\"");
    HAS(page, "\"seconds\":5,");
    HAS(page, "\"stuck\":false");
    HAS(page, "\"request\":{");
    HAS(page, "{\"name\":\"take\",\"state\":\"done\",\"response\":{\"place\":\"here\"");
    HAS(page, "{\"name\":\"rest\",\"state\":\"passed_over\"}");
    HAS(page, "{\"name\":\"approval\",\"state\":\"current\",\"event\":\"approved\"}");
    HAS_NOT(page, "failure");
    HAS_NOT(page, "parked");
    unload(&l);
}

static void each_step_has_its_state(void **state)
{
    Loaded l = load("");
    static const struct {
        JobPosition position;
        const char *states[3];
    } rows[] = {
        {{JOB_QUEUED}, {"not_begun", "not_begun", "not_begun"}},
        {{JOB_RUNNING, .begun = 1}, {"current", "not_begun", "not_begun"}},
        {{JOB_DONE, .step = 2, .begun = 3}, {"done", "done", "passed_over"}},
        {{JOB_FAILED, .step = 1, .begun = 3}, {"done", "current", "not_begun"}},
        {{JOB_UNDOING, .step = 0, .begun = 3}, {"current", "begun", "not_begun"}},
        {{JOB_UNDONE, .begun = 1, .undone = 1}, {"undone", "not_begun", "not_begun"}},
        {{JOB_FAILED, .step = 0, .begun = 3, .undone = 2, .undo_failed = 1},
         {"undo_failed", "undone", "not_begun"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        JobRecord record = job_of(&l);
        record.position = rows[i].position;
        record.responses[0] = BYTES_NONE;
        const char *page = page_of(&l, &record);
        static const char *const names[] = {"take", "rest", "approval"};
        for (size_t s = 0; s < 3; s++)
            HAS(page, arena_printf(l.arena, "{\"name\":\"%s\",\"state\":\"%s\"", names[s],
                                   rows[i].states[s]));
    }
    unload(&l);
}

static void why_it_does_not_go_on_is_said(void **state)
{
    Loaded l = load("");
    JobRecord record = job_of(&l);
    record.parked = bytes_of("take UPSTREAM_DOWN");
    HAS(page_of(&l, &record), "\"parked\":\"take UPSTREAM_DOWN\"");
    record = job_of(&l);
    record.position.state = JOB_FAILED;
    record.failure = (JobFailure){.step = bytes_of("take"),
                                  .fault = bytes_of("UPSTREAM_STATUS"),
                                  .code = CODE_NOT_FOUND,
                                  .message = bytes_of("no such plan")};
    record.order = (JobOrder){true, JOB_RETRY, bytes_of("ann"), bytes_of("again")};
    const char *page = page_of(&l, &record), *list = list_of(&l, &record, 9);
    HAS(page, "\"stuck\":true");
    HAS(page, "\"failure\":{\"step\":\"take\",\"fault\":\"UPSTREAM_STATUS\",\"code\":\"NOT_FOUND\","
              "\"message\":\"no such plan\"}");
    HAS(page, "\"order\":{\"what\":\"retry\",\"who\":\"ann\",\"why\":\"again\"}");
    HAS(list, "\"fault\":\"UPSTREAM_STATUS\"");
    HAS_NOT(list, "no such plan"); /* what is sealed is not in lists */
    HAS_NOT(list, "again");
    unload(&l);
}

static void what_cannot_be_shown_says_why(void **state)
{
    Loaded l = load("");
    JobRecord record = job_of(&l);
    record.structure++;
    HAS(page_of(&l, &record), "\"unreadable\":\"the config has no definition");
    HAS(page_of(&l, &record), "\"stuck\":true");
    record = job_of(&l);
    record.damage = bytes_of("no such key");
    HAS(page_of(&l, &record), "\"unreadable\":\"no such key\"");
    unload(&l);
}

static void a_full_page_says_where_the_next_one_begins(void **state)
{
    Loaded l = load("");
    JobRecord record = job_of(&l);
    HAS_NOT(list_of(&l, &record, 2), "\"next\"");
    HAS(list_of(&l, &record, 1), "],\"next\":\"01j\"}");
    unload(&l);
}

static void what_is_redacted_is_hidden_wherever_it_is(void **state)
{
    Loaded l = load("ledger: {redact: [spec.title, client]}\n");
    JobRecord record = job_of(&l);
    record.failure =
        (JobFailure){.fault = bytes_of("UPSTREAM_STATUS"), .message = bytes_of("secret is taken")};
    const char *page = page_of(&l, &record);
    HAS_NOT(page, "secret");
    HAS_NOT(page, "ada");
    HAS(page, "\"resource\":\"work/redacted\"");
    HAS(page, "\"plan\":\"small\"");
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_is_shown_with_its_messages_and_steps),
        cmocka_unit_test(each_step_has_its_state),
        cmocka_unit_test(why_it_does_not_go_on_is_said),
        cmocka_unit_test(what_cannot_be_shown_says_why),
        cmocka_unit_test(a_full_page_says_where_the_next_one_begins),
        cmocka_unit_test(what_is_redacted_is_hidden_wherever_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
