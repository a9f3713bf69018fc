#include "tests/unit/check.h"

#include "gateway/job_store/job_record.h"

#include <stdlib.h>

static void a_copy_has_all_and_shares_nothing(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED), *other = arena_new(ARENA_UNLIMITED);
    JobRecord *record = arena_make(arena, JobRecord);
    char text[] = "text", response[] = "response";
    Bytes *texts[] = {&record->id,        &record->definition,      &record->client,
                      &record->resource,  &record->request_id,      &record->step,
                      &record->request,   &record->failure.step,    &record->failure.fault,
                      &record->owner,     &record->failure.message, &record->damage,
                      &record->order.who, &record->order.why};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = bytes_of(text);
    record->responses[2] = bytes_of(response);
    record->responses[3] = bytes(response, 0);
    record->forwarded = fields_in(arena);
    fields_add(&record->forwarded, bytes_of(text), bytes_of(response));
    record->token = 7;
    record->position.begun = 5;

    JobRecord *copy = job_record_copy(record, other);
    memset(text, 'x', 4);
    memset(response, 'x', 8);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const Bytes *copied = (const Bytes *)((char *)copy + ((char *)texts[i] - (char *)record));
        assert_bytes(*copied, "text");
    }
    assert_bytes(copy->responses[2], "response");
    assert_non_null(copy->responses[3].data); /* an empty response is one */
    assert_null(copy->responses[4].data);
    assert_bytes(fields_get(&copy->forwarded, "text"), "response");
    assert_int_equal(copy->token, 7);
    assert_int_equal(copy->position.begun, 5);
    arena_free(arena);
    arena_free(other);
}

/* As job_next takes them: job_state.h. */
static void orders_fit_the_states_in_which_they_mean_something(void **state)
{
    static const JobStepRules step = {.kind = JOB_STEP_EVENT, .has_undo = true};
    static const JobRules rules = {&step, 1};
    for (JobEvent order = JOB_ARRIVED; order <= JOB_UNDO; order++)
        for (JobState from = JOB_QUEUED; from < JOB_STATES; from++) {
            JobPosition position = {.state = from};
            bool taken = job_next(&rules, &position, order, 1, 1);
            assert_int_equal(job_order_fits(order, from), taken);
        }
    assert_false(job_order_fits(JOB_TAKEN, JOB_QUEUED));
    assert_false(job_order_fits(JOB_SUCCEEDED, JOB_RUNNING));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_has_all_and_shares_nothing),
        cmocka_unit_test(orders_fit_the_states_in_which_they_mean_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
