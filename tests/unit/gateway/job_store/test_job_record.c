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
                      &record->order.who, &record->order.why,       &record->parked};
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

/* As job_next takes them: job_state.h. But what has failed is not cancelled any more. */
static void orders_fit_the_states_in_which_they_mean_something(void **state)
{
    static const JobStepRules step = {.kind = JOB_STEP_EVENT, .has_undo = true};
    static const JobRules rules = {&step, 1};
    for (JobEvent order = JOB_ARRIVED; order <= JOB_UNDO; order++)
        for (JobState from = JOB_QUEUED; from < JOB_STATES; from++) {
            JobPosition position = {.state = from};
            bool taken = job_next(&rules, &position, order, 1, 1);
            bool too_late = order == JOB_CANCEL && from == JOB_FAILED;
            assert_int_equal(job_order_fits(order, from), taken && !too_late);
        }
    assert_false(job_order_fits(JOB_TAKEN, JOB_QUEUED));
    assert_false(job_order_fits(JOB_SUCCEEDED, JOB_RUNNING));
}

static void what_failed_first_stays_the_failure_and_each_failed_undo_is_told(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    JobFailure none = {.code = CODE_OK};
    JobFailure first = {.step = bytes_of("publish"),
                        .fault = bytes_of("UPSTREAM_STATUS"),
                        .code = CODE_ALREADY_EXISTS,
                        .message = bytes_of("it is there")};
    JobFailure undo = {.step = bytes_of("reserve"),
                       .fault = bytes_of("UPSTREAM_DOWN"),
                       .code = CODE_UNAVAILABLE,
                       .message = bytes_of("away")};
    JobFailure both = job_failure_add_undo(&first, &undo, arena);
    assert_bytes(both.step, "publish");
    assert_bytes(both.fault, "UPSTREAM_STATUS");
    assert_int_equal(both.code, CODE_ALREADY_EXISTS);
    assert_bytes(both.message, "it is there; then the undo of reserve failed: away");
    undo.message = bytes_of("still away");
    JobFailure again = job_failure_add_undo(&both, &undo, arena);
    assert_bytes(again.message, "it is there; then the undo of reserve failed: still away");
    assert_bytes(job_failure_cause(again.message), "it is there");
    undo.step = bytes_of("res");
    again = job_failure_add_undo(&again, &undo, arena);
    assert_bytes(again.message, "it is there; then the undo of reserve failed: still away; then the"
                                " undo of res failed: still away");
    undo.step = bytes_of("reserve");
    undo.message = bytes_of("gone");
    again = job_failure_add_undo(&again, &undo, arena);
    assert_bytes(again.message, "it is there; then the undo of res failed: still away; then the"
                                " undo of reserve failed: gone");
    assert_bytes(job_failure_cause(first.message), "it is there");
    assert_bytes(job_failure_cause(BYTES_NONE), "");
    JobFailure alone = job_failure_add_undo(&none, &undo, arena);
    assert_bytes(alone.step, "reserve");
    assert_int_equal(alone.code, CODE_UNAVAILABLE);
    arena_free(arena);
}

static void the_failed_step_is_told_only_of_what_has_failed_for_good(void **state)
{
    static const bool told[JOB_STATES] = {
        [JOB_FAILED] = true, [JOB_UNDOING] = true, [JOB_UNDONE] = true};
    JobRecord record = {
        .failure = {.step = bytes_of("publish"), .fault = bytes_of("UPSTREAM_STATUS")}};
    for (JobState at = JOB_QUEUED; at < JOB_STATES; at++) {
        record.position.state = at;
        assert_bytes(job_failed_step(&record), told[at] ? "publish" : "");
    }
    record.position.state = JOB_UNDONE;
    record.failure.fault = bytes_of("CANCELLED");
    assert_bytes(job_failed_step(&record), "");
}

/* Without a definition nobody knows what there is to undo. */
static void what_nobody_can_execute_ends_if_it_is_cancelled_and_rests_else(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    static const struct {
        JobState from;
        JobEvent order;
        bool given_up;
        JobState to;
    } rows[] = {
        {JOB_QUEUED, JOB_CANCEL, true, JOB_UNDONE},     {JOB_RUNNING, JOB_CANCEL, true, JOB_FAILED},
        {JOB_WAITING, JOB_CANCEL, true, JOB_FAILED},    {JOB_UNDOING, JOB_CANCEL, true, JOB_FAILED},
        {JOB_WAITING, JOB_ARRIVED, false, JOB_WAITING}, {JOB_FAILED, JOB_RETRY, true, JOB_FAILED},
        {JOB_FAILED, JOB_SKIP, true, JOB_FAILED},       {JOB_FAILED, JOB_UNDO, true, JOB_FAILED},
        {JOB_DONE, JOB_UNDO, true, JOB_DONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        JobRecord record = {.position = {.state = rows[i].from, .due = 7},
                            .order = {.given = true, .event = rows[i].order}};
        assert_int_equal(job_give_up(&record, arena), rows[i].given_up);
        assert_int_equal(record.position.state, rows[i].to);
        bool cancelled = rows[i].to != rows[i].from;
        assert_int_equal(record.failure.fault.size != 0, cancelled);
        assert_int_equal(record.position.due, cancelled ? 0 : 7);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_nobody_can_execute_ends_if_it_is_cancelled_and_rests_else),
        cmocka_unit_test(a_copy_has_all_and_shares_nothing),
        cmocka_unit_test(what_failed_first_stays_the_failure_and_each_failed_undo_is_told),
        cmocka_unit_test(the_failed_step_is_told_only_of_what_has_failed_for_good),
        cmocka_unit_test(orders_fit_the_states_in_which_they_mean_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
