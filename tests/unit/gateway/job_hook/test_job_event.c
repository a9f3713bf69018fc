#include "tests/unit/check.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/job/job_told.h"
#include "gateway/job_hook/job_event.h"

#define WALL (1700000000 * SECOND)

static JobRecord record(JobState state)
{
    return (JobRecord){
        .id = bytes_of("01m8mqfvd2zwgknvp0f2dqdr39"),
        .definition = bytes_of("hosting.Sites/Create"),
        .client = bytes_of("ada"),
        .resource = bytes_of("site/a"),
        .request_id = bytes_of("r-1"),
        .created = WALL - SECOND,
        .step = bytes_of("publish"),
        .told = UINT64_C(7) << 16,
        .position = {.state = state},
        .failure = {.step = bytes_of("publish"),
                    .fault = bytes_of("UPSTREAM_STATUS"),
                    .code = CODE_NOT_FOUND,
                    .message = bytes_of("no plan; then the undo of reserve failed")}};
}

static const char *written(Arena *arena, const Config *config, const JobRecord *record)
{
    Buffer out = buffer_in(arena);
    job_event_write(config, record, WALL, &out);
    return arena_text(arena, buffer_bytes(&out));
}

static void an_event_is_a_cloudevent_about_the_operation(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    static const Config config;
    JobRecord failed = record(JOB_FAILED);
    assert_string_equal(
        written(arena, &config, &failed),
        "{\"specversion\":\"1.0\",\"id\":\"01m8mqfvd2zwgknvp0f2dqdr39-7\","
        "\"source\":\"/v1/operations\",\"type\":\"passerelle.job.failed\","
        "\"subject\":\"operations/01m8mqfvd2zwgknvp0f2dqdr39\",\"time\":\"2023-11-14T22:13:20Z\","
        "\"datacontenttype\":\"application/json\",\"data\":{"
        "\"id\":\"01m8mqfvd2zwgknvp0f2dqdr39\","
        "\"name\":\"operations/01m8mqfvd2zwgknvp0f2dqdr39\","
        "\"link\":\"/v1/operations/01m8mqfvd2zwgknvp0f2dqdr39\","
        "\"method\":\"hosting.Sites/"
        "Create\",\"number\":7,\"state\":\"failed\",\"step\":\"publish\","
        "\"created\":\"2023-11-14T22:13:19Z\",\"client\":\"ada\",\"request_id\":\"r-1\","
        "\"resource\":\"site/a\",\"reason\":{\"step\":\"publish\",\"fault\":\"UPSTREAM_STATUS\","
        "\"code\":\"NOT_FOUND\",\"message\":\"no plan\"}}}");
    arena_free(arena);
}

static void what_a_job_does_not_have_is_left_out(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    static const Config config;
    JobRecord queued = record(JOB_QUEUED);
    queued.step = queued.client = queued.resource = queued.request_id = BYTES_NONE;
    queued.failure = (JobFailure){.code = CODE_OK};
    const char *text = written(arena, &config, &queued);
    static const char *const left_out[] = {"\"step\"", "client", "resource", "request_id",
                                           "reason"};
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        assert_null(strstr(text, left_out[i]));
    arena_free(arena);
}

/* No definition tells which field of the request the resource is: it may be any of them. */
static void what_is_redacted_is_not_told(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    const char *names[] = {"client", NULL};
    Config config = {.ledger.redact = names};
    JobRecord failed = record(JOB_FAILED);
    const char *text = written(arena, &config, &failed);
    assert_null(strstr(text, "ada"));
    assert_null(strstr(text, "no plan"));
    assert_null(strstr(text, "site/a"));
    assert_non_null(strstr(text, "\"resource\":\"site/redacted\""));
    names[0] = "spec.owner";
    assert_non_null(strstr(written(arena, &config, &failed), "ada"));
    arena_free(arena);
}

static void a_webhook_is_told_of_its_methods_and_states(void **state)
{
    static const char *const methods[] = {"hosting.Sites/Delete", "hosting.Sites/Create", NULL};
    static const char *const others[] = {"hosting.Sites/Crea", "hosting.Sites/CreateAll", NULL};
    JobWebhookConfig webhook = {.states = 1u << JOB_DONE | 1u << JOB_FAILED};
    JobRecord job = record(JOB_DONE);
    assert_true(job_event_is_wanted(&webhook, &job));
    webhook.methods = methods;
    assert_true(job_event_is_wanted(&webhook, &job));
    webhook.methods = others;
    assert_false(job_event_is_wanted(&webhook, &job));
    webhook.methods = NULL;
    for (JobState s = JOB_QUEUED; s < JOB_STATES; s++) {
        job.position.state = s;
        assert_int_equal(job_event_is_wanted(&webhook, &job), s == JOB_DONE || s == JOB_FAILED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_a_cloudevent_about_the_operation),
        cmocka_unit_test(what_a_job_does_not_have_is_left_out),
        cmocka_unit_test(what_is_redacted_is_not_told),
        cmocka_unit_test(a_webhook_is_told_of_its_methods_and_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
