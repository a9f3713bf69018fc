/*
 * A runner, one step after the other: the storage only notes what it is asked, and each test says
 * how that ends. What happens by chance is in test_job_simulation.c.
 */
#include "gateway/job_run/job_runner.h"

#include "base/clock.h"
#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>

#define LEASE (12 * SECOND)
#define BEAT (1 * SECOND)
#define WALL (1000000 * SECOND)

typedef struct Bench {
    JobStorage storage;
    JobBackend backend;
    JobBook book;
    JobClock clock;
    JobHearer hearer;
    JobRunner *runner;
    Arena *arena;
    int64_t now, wake_at;

    /* What it was asked last; functions NULL: nothing waits for an answer. */
    void *owner; /* of the writing */
    JobOnRenewed *renews;
    JobOnClaimed *claims;
    JobOnWritten *writes;
    JobRecord *written;
    bool content, releases, all_released;
    uint32_t n_writes, asked;

    JobCallOrder call; /* the one that runs; on_end NULL: none */
    uint32_t n_calls, n_cancelled;
    uint64_t passed_over; /* bits of steps whose `when` does not hold */
    bool missing;         /* the definition */
    uint32_t n_changes, n_stuck;
    char why[200];
} Bench;

static const JobStepRules rules[] = {
    {.kind = JOB_STEP_CALL,
     .retry_for = 60 * SECOND,
     .initial_backoff = SECOND,
     .max_backoff = SECOND,
     .has_undo = true},
    {.kind = JOB_STEP_TIME, .wait = 30 * SECOND},
    {.kind = JOB_STEP_CALL, .retry_for = 0},
};
static const JobStep steps[] = {{.name = "reserve"}, {.name = "rest"}, {.name = "publish"}};
static const JobDefinition definition = {
    .name = "sites/Create", .revision = 1, .steps = steps, .rules = {rules, 3}};

#define OF(type, member, pointer) ((type *)((char *)(pointer)-offsetof(type, member)))

static void renew(JobStorage *s, Bytes name, int64_t lease, int64_t now, JobOnRenewed *on_renewed,
                  void *owner)
{
    Bench *b = OF(Bench, storage, s);
    assert_null(b->renews);
    b->renews = on_renewed;
}

static void claim(JobStorage *s, Bytes name, const JobLimit *limits, uint32_t n, uint32_t most,
                  int64_t wall, JobOnClaimed *on_claimed, void *owner)
{
    Bench *b = OF(Bench, storage, s);
    assert_null(b->claims);
    b->claims = on_claimed;
    b->asked = most;
}

static void write_record(JobStorage *s, const JobRecord *record, bool content, bool release,
                         int64_t wall, JobOnWritten *on_written, void *owner)
{
    Bench *b = OF(Bench, storage, s);
    assert_null(b->writes);
    b->writes = on_written;
    b->written = job_record_copy(record, b->arena);
    b->content = content;
    b->releases = release;
    b->owner = owner;
    b->n_writes++;
}

static void release_all(JobStorage *s, Bytes name, JobOnDone *on_done, void *owner)
{
    OF(Bench, storage, s)->all_released = true;
}

static bool holds(JobBackend *backend, const JobDefinition *d, const JobRecord *r, uint32_t step)
{
    return !(OF(Bench, backend, backend)->passed_over & UINT64_C(1) << step);
}

static void *call(JobBackend *backend, const JobCallOrder *order)
{
    Bench *b = OF(Bench, backend, backend);
    assert_null(b->call.on_end);
    b->call = *order;
    b->n_calls++;
    return b;
}

static void cancel(JobBackend *backend, void *cancelled)
{
    Bench *b = OF(Bench, backend, backend);
    assert_non_null(b->call.on_end);
    b->call.on_end = NULL;
    b->n_cancelled++;
}

static const JobDefinition *hold(JobBook *book, const JobRecord *record, void **held_out)
{
    *held_out = NULL;
    return OF(Bench, book, book)->missing ? NULL : &definition;
}

static void release(JobBook *book, void *held)
{
}

static const JobLimit *limits(JobBook *book, uint32_t *n_out)
{
    static const JobLimit limit;
    *n_out = 1;
    return &limit;
}

static int64_t now(JobClock *clock)
{
    return OF(Bench, clock, clock)->now;
}

static int64_t wall(JobClock *clock)
{
    return WALL + OF(Bench, clock, clock)->now;
}

static void wake(JobClock *clock, int64_t when)
{
    OF(Bench, clock, clock)->wake_at = when;
}

static void on_change(JobHearer *hearer, const JobRecord *record)
{
    OF(Bench, hearer, hearer)->n_changes++;
}

static void on_call(JobHearer *hearer, const JobCallOrder *order, const JobCallEnd *end)
{
}

static void on_stuck(JobHearer *hearer, const JobRecord *record, const char *why)
{
    Bench *b = OF(Bench, hearer, hearer);
    b->n_stuck++;
    snprintf(b->why, sizeof b->why, "%s", why);
}

/* ---- What tests say -------------------------------------------------------------------------- */

static void pass(Bench *b, int64_t time)
{
    b->now += time;
    while (b->wake_at <= b->now) {
        b->wake_at = INT64_MAX;
        job_runner_turn(b->runner);
    }
}

static void renewed(Bench *b, Result r, bool lost, const JobOrdered *orders, uint32_t n)
{
    JobOnRenewed *on_renewed = b->renews;
    assert_non_null(on_renewed);
    b->renews = NULL;
    on_renewed(b->runner, r, lost, orders, n);
}

static void written(Bench *b, Result r, bool is)
{
    JobOnWritten *on_written = b->writes;
    assert_non_null(on_written);
    b->writes = NULL;
    on_written(b->owner, r, is);
}

static void claimed(Bench *b, const JobRecord *record)
{
    JobOnClaimed *on_claimed = b->claims;
    assert_non_null(on_claimed);
    b->claims = NULL;
    on_claimed(b->runner, OK, &record, record ? 1 : 0);
}

static void ended(Bench *b, JobEvent event)
{
    JobCallOrder order = b->call;
    assert_non_null(order.on_end);
    b->call.on_end = NULL;
    order.on_end(order.owner, &(JobCallEnd){.event = event,
                                            .response = bytes_of("response"),
                                            .failure = {.step = bytes_of("reserve"),
                                                        .fault = bytes_of("UPSTREAM_DOWN"),
                                                        .code = CODE_UNAVAILABLE,
                                                        .message = bytes_of("away")}});
}

static Result down(Bench *b)
{
    return FAIL(b->arena, FAULT_STORE_DOWN, "it is down");
}

static JobRecord queued(void)
{
    return (JobRecord){.id = bytes_of("01mcc5rm001r00000000000000"),
                       .definition = bytes_of("sites/Create"),
                       .revision = 1,
                       .owner = bytes_of("one"),
                       .token = 5,
                       .position = job_accepted(WALL)};
}

static void set_up(Bench *b)
{
    *b = (Bench){.storage = {.renew = renew,
                             .claim = claim,
                             .write = write_record,
                             .release_all = release_all},
                 .backend = {holds, call, cancel},
                 .book = {hold, release, limits},
                 .clock = {now, wall, wake},
                 .hearer = {on_change, on_call, on_stuck},
                 .arena = arena_new(ARENA_UNLIMITED),
                 .now = 100 * SECOND,
                 .wake_at = INT64_MAX};
    b->runner = job_runner_new(&(JobRunnerSettings){.storage = &b->storage,
                                                    .backend = &b->backend,
                                                    .book = &b->book,
                                                    .clock = &b->clock,
                                                    .hearer = &b->hearer,
                                                    .name = "one",
                                                    .lease = LEASE,
                                                    .beat = BEAT,
                                                    .most = 40,
                                                    .seed = 1});
    job_runner_turn(b->runner);
}

/* It has its lease, and looks for jobs. */
static void begin(Bench *b)
{
    set_up(b);
    renewed(b, OK, true, NULL, 0);
    pass(b, 0);
}

/* The first step is being called. */
static void begin_call(Bench *b)
{
    begin(b);
    JobRecord record = queued();
    claimed(b, &record);
    written(b, OK, true);
    assert_non_null(b->call.on_end);
}

static void tear_down(Bench *b)
{
    job_runner_free(b->runner);
    assert_true(b->all_released);
    arena_free(b->arena);
}

#define WRITTEN(b, its_state, its_step, is_released)                                               \
    do {                                                                                           \
        assert_string_equal(job_state_name((b)->written->position.state), its_state);              \
        assert_int_equal((b)->written->position.step, its_step);                                   \
        assert_int_equal((b)->releases, is_released);                                              \
    } while (0)

/* ---- Tests ----------------------------------------------------------------------------------- */

static void nothing_is_claimed_without_a_lease(void **state)
{
    Bench b;
    set_up(&b);
    assert_non_null(b.renews);
    assert_null(b.claims);
    renewed(&b, down(&b), false, NULL, 0);
    pass(&b, BEAT - 1);
    assert_null(b.renews);
    pass(&b, 1);
    renewed(&b, OK, true, NULL, 0);
    pass(&b, 0);
    assert_non_null(b.claims);
    assert_int_equal(b.asked, JOB_CLAIM_MOST);
    tear_down(&b);
}

static void it_is_stored_that_a_step_has_begun_before_it_is_called(void **state)
{
    Bench b;
    begin(&b);
    JobRecord record = queued();
    claimed(&b, &record);
    WRITTEN(&b, "running", 0, false);
    assert_int_equal(b.written->position.begun, 1);
    assert_bytes(b.written->step, "reserve");
    assert_int_equal(b.n_calls, 0);
    written(&b, OK, true);
    assert_int_equal(b.n_calls, 1);
    assert_bytes(b.call.key, "01mcc5rm001r00000000000000-reserve");
    tear_down(&b);
}

static void a_response_is_stored_with_the_next_position_and_a_wait_releases_the_job(void **state)
{
    Bench b;
    begin_call(&b);
    ended(&b, JOB_SUCCEEDED);
    WRITTEN(&b, "waiting", 1, true);
    assert_true(b.content);
    assert_bytes(b.written->responses[0], "response");
    assert_int_equal(b.written->position.due, WALL + b.now + 30 * SECOND);
    written(&b, OK, true);
    assert_int_equal(job_runner_held(b.runner), 0);
    tear_down(&b);
}

static void steps_whose_condition_does_not_hold_are_never_stored_as_begun(void **state)
{
    Bench b;
    begin(&b);
    b.passed_over = 3;
    JobRecord record = queued();
    claimed(&b, &record);
    WRITTEN(&b, "running", 2, false);
    assert_int_equal(b.written->position.begun, 4);
    tear_down(&b);
}

static void a_call_that_broke_is_tried_again_with_the_same_key(void **state)
{
    Bench b;
    begin_call(&b);
    ended(&b, JOB_BROKE);
    WRITTEN(&b, "waiting", 0, true);
    assert_bytes(b.written->failure.fault, "UPSTREAM_DOWN");
    written(&b, OK, true);
    pass(&b, BEAT); /* it is due by then, and looked for */
    JobRecord again = *b.written;
    uint32_t n_writes = b.n_writes;
    again.position.due = WALL;
    claimed(&b, &again);
    assert_int_equal(b.n_writes, n_writes); /* nothing is new: it is called at once */
    assert_int_equal(b.n_calls, 2);
    assert_bytes(b.call.key, "01mcc5rm001r00000000000000-reserve");
    ended(&b, JOB_SUCCEEDED);
    assert_int_equal(b.written->failure.fault.size, 0);
    tear_down(&b);
}

/* Of a refusal at its first call it is known that the step has had no effect. */
static void a_step_is_declined_only_by_its_first_call(void **state)
{
    Bench b;
    begin_call(&b);
    ended(&b, JOB_DECLINED);
    WRITTEN(&b, "undone", 0, true);
    assert_bytes(b.written->failure.fault, "UPSTREAM_DOWN");
    tear_down(&b);
    begin_call(&b);
    ended(&b, JOB_BROKE);
    written(&b, OK, true);
    pass(&b, BEAT);
    JobRecord again = *b.written;
    again.position.due = WALL;
    claimed(&b, &again);
    ended(&b, JOB_DECLINED);
    WRITTEN(&b, "undoing", 0, false);
    tear_down(&b);
}

static void who_has_taken_a_call_over_does_not_know_of_those_before(void **state)
{
    Bench b;
    begin(&b);
    JobRecord record = queued();
    record.position = (JobPosition){.state = JOB_RUNNING, .begun = 1, .step_began = WALL};
    claimed(&b, &record);
    ended(&b, JOB_DECLINED);
    WRITTEN(&b, "undoing", 0, false);
    tear_down(&b);
}

static void what_the_store_did_not_take_is_written_again(void **state)
{
    Bench b;
    begin_call(&b);
    ended(&b, JOB_SUCCEEDED);
    written(&b, down(&b), false);
    assert_null(b.writes);
    pass(&b, BEAT);
    WRITTEN(&b, "waiting", 1, true);
    assert_true(b.content);
    written(&b, OK, true);
    assert_int_equal(job_runner_held(b.runner), 0);
    tear_down(&b);
}

static void a_job_that_is_somebody_elses_is_dropped(void **state)
{
    Bench b;
    begin(&b);
    JobRecord record = queued();
    claimed(&b, &record);
    written(&b, OK, false);
    assert_int_equal(job_runner_held(b.runner), 0);
    assert_int_equal(b.n_calls, 0);
    assert_int_equal(b.n_changes, 0);
    tear_down(&b);
}

static void a_call_is_cancelled_just_before_its_lease_is_over(void **state)
{
    Bench b;
    begin_call(&b);
    pass(&b, LEASE / 3);
    assert_non_null(b.renews); /* and the store does not answer */
    pass(&b, LEASE - LEASE / 3 - LEASE / 12 - 1);
    assert_int_equal(b.n_cancelled, 0);
    pass(&b, 1);
    assert_int_equal(b.n_cancelled, 1);
    WRITTEN(&b, "running", 0, true);
    written(&b, OK, true);
    assert_int_equal(job_runner_held(b.runner), 0);
    tear_down(&b);
}

static void who_was_taken_for_dead_cancels_its_calls(void **state)
{
    Bench b;
    begin_call(&b);
    pass(&b, LEASE / 3);
    renewed(&b, OK, true, NULL, 0);
    assert_int_equal(b.n_cancelled, 1);
    written(&b, OK, false);
    assert_int_equal(job_runner_held(b.runner), 0);
    tear_down(&b);
}

static void a_renewal_that_comes_in_time_lets_the_call_go_on(void **state)
{
    Bench b;
    begin_call(&b);
    for (int i = 0; i < 5; i++) {
        pass(&b, LEASE / 3);
        renewed(&b, OK, false, NULL, 0);
    }
    assert_int_equal(b.n_cancelled, 0);
    tear_down(&b);
}

static void an_order_is_carried_out_when_the_call_has_ended(void **state)
{
    Bench b;
    begin_call(&b);
    JobOrdered ordered = {queued().id, {true, JOB_CANCEL, bytes_of("ada"), bytes_of("not wanted")}};
    pass(&b, LEASE / 3);
    renewed(&b, OK, false, &ordered, 1);
    assert_int_equal(b.n_cancelled, 0);
    ended(&b, JOB_SUCCEEDED);
    WRITTEN(&b, "undoing", 0, false);
    assert_true(b.written->order.given); /* it is cleared with this */
    assert_bytes(b.written->failure.fault, "CANCELLED");
    assert_bytes(b.written->failure.message, "not wanted");
    written(&b, OK, true);
    assert_true(b.call.undo);
    assert_bytes(b.call.key, "01mcc5rm001r00000000000000-reserve-undo");
    ended(&b, JOB_SUCCEEDED);
    WRITTEN(&b, "undone", 0, true);
    assert_false(b.written->order.given);
    assert_bytes(b.written->failure.fault, "CANCELLED");
    tear_down(&b);
}

/* No step begins after it: also if it comes while an earlier renewal is under way. */
static void of_an_order_that_is_heard_it_asks_at_once(void **state)
{
    Bench b;
    begin_call(&b);
    pass(&b, LEASE / 12);
    assert_null(b.renews);
    job_runner_hear(b.runner, queued().id);
    pass(&b, 0);
    assert_non_null(b.renews);
    job_runner_hear_order(b.runner);
    renewed(&b, OK, false, NULL, 0);
    JobOrdered ordered = {queued().id, {true, JOB_CANCEL, bytes_of("ada"), bytes_of("not wanted")}};
    pass(&b, 20 * MILLISECOND);
    renewed(&b, OK, false, &ordered, 1);
    ended(&b, JOB_SUCCEEDED);
    WRITTEN(&b, "undoing", 0, false);
    pass(&b, 20 * MILLISECOND);
    assert_null(b.renews);
    tear_down(&b);
}

static void an_order_that_was_not_carried_out_stays_when_the_job_is_handed_over(void **state)
{
    Bench b;
    begin_call(&b);
    JobOrdered ordered = {queued().id, {true, JOB_CANCEL, BYTES_NONE, BYTES_NONE}};
    pass(&b, LEASE / 3);
    renewed(&b, OK, false, &ordered, 1);
    pass(&b, LEASE);
    assert_int_equal(b.n_cancelled, 1);
    WRITTEN(&b, "running", 0, true);
    assert_false(b.written->order.given);
    tear_down(&b);
}

static void a_job_without_its_definition_waits_and_is_told_of(void **state)
{
    Bench b;
    begin(&b);
    b.missing = true;
    JobRecord record = queued();
    claimed(&b, &record);
    WRITTEN(&b, "queued", 0, true);
    assert_true(b.written->position.due > WALL + b.now);
    assert_int_equal(b.n_stuck, 1);
    assert_non_null(strstr(b.why, "definition"));
    assert_int_equal(b.n_calls, 0);
    tear_down(&b);
}

static void a_damaged_job_is_not_executed(void **state)
{
    Bench b;
    begin(&b);
    JobRecord record = queued();
    record.damage = bytes_of("no key has the id 2026-11");
    claimed(&b, &record);
    WRITTEN(&b, "queued", 0, true);
    assert_non_null(strstr(b.why, "2026-11"));
    assert_int_equal(b.n_calls, 0);
    tear_down(&b);
}

static void a_failed_job_is_told_of(void **state)
{
    Bench b;
    begin(&b);
    b.passed_over = 3;
    JobRecord record = queued();
    claimed(&b, &record);
    written(&b, OK, true);
    ended(&b, JOB_REFUSED);
    WRITTEN(&b, "failed", 2, true);
    assert_int_equal(b.n_stuck, 0);
    written(&b, OK, true);
    assert_int_equal(b.n_stuck, 1);
    tear_down(&b);
}

static void one_that_stops_lets_its_call_end_and_hands_the_job_over(void **state)
{
    Bench b;
    begin(&b);
    b.passed_over = 2;
    JobRecord record = queued();
    claimed(&b, &record);
    written(&b, OK, true);
    job_runner_stop(b.runner);
    assert_int_equal(job_runner_held(b.runner), 1);
    ended(&b, JOB_SUCCEEDED);
    WRITTEN(&b, "running", 2, true);
    written(&b, OK, true);
    assert_int_equal(job_runner_held(b.runner), 0);
    assert_int_equal(b.n_calls, 1);
    pass(&b, 2 * BEAT);
    assert_null(b.claims);
    tear_down(&b);
}

static void what_is_claimed_under_a_lease_that_is_over_is_given_back(void **state)
{
    Bench b;
    begin(&b);
    pass(&b, LEASE / 3);
    pass(&b, LEASE);
    renewed(&b, OK, true, NULL, 0); /* late: the claim was made before */
    b.now += LEASE / 3;
    job_runner_turn(b.runner);
    renewed(&b, OK, false, NULL, 0);
    JobRecord record = queued();
    claimed(&b, &record);
    WRITTEN(&b, "queued", 0, true);
    tear_down(&b);
}

static void what_is_heard_is_looked_for_at_once_but_not_each_time(void **state)
{
    Bench b;
    begin(&b);
    claimed(&b, NULL);
    pass(&b, BEAT / 2);
    assert_null(b.claims);
    job_runner_hear(b.runner, bytes_of("01mcc5rm001r00000000000001"));
    pass(&b, 0);
    claimed(&b, NULL);
    job_runner_hear(b.runner, BYTES_NONE);
    pass(&b, 0);
    assert_null(b.claims);
    pass(&b, 20 * MILLISECOND);
    assert_non_null(b.claims);
    tear_down(&b);
}

static void when_a_job_ends_another_one_may_run_in_its_place(void **state)
{
    Bench b;
    begin_call(&b);
    ended(&b, JOB_DECLINED); /* there is nothing to undo */
    WRITTEN(&b, "undone", 0, true);
    assert_null(b.claims);
    written(&b, OK, true);
    pass(&b, 20 * MILLISECOND);
    assert_non_null(b.claims);
    tear_down(&b);
}

static void while_a_job_waits_another_one_may_run_in_its_place(void **state)
{
    Bench b;
    begin_call(&b);
    ended(&b, JOB_SUCCEEDED);
    WRITTEN(&b, "waiting", 1, true); /* for longer than a beat */
    written(&b, OK, true);
    pass(&b, 20 * MILLISECOND);
    assert_non_null(b.claims);
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_claimed_without_a_lease),
        cmocka_unit_test(it_is_stored_that_a_step_has_begun_before_it_is_called),
        cmocka_unit_test(a_response_is_stored_with_the_next_position_and_a_wait_releases_the_job),
        cmocka_unit_test(steps_whose_condition_does_not_hold_are_never_stored_as_begun),
        cmocka_unit_test(a_call_that_broke_is_tried_again_with_the_same_key),
        cmocka_unit_test(a_step_is_declined_only_by_its_first_call),
        cmocka_unit_test(who_has_taken_a_call_over_does_not_know_of_those_before),
        cmocka_unit_test(what_the_store_did_not_take_is_written_again),
        cmocka_unit_test(a_job_that_is_somebody_elses_is_dropped),
        cmocka_unit_test(a_call_is_cancelled_just_before_its_lease_is_over),
        cmocka_unit_test(who_was_taken_for_dead_cancels_its_calls),
        cmocka_unit_test(a_renewal_that_comes_in_time_lets_the_call_go_on),
        cmocka_unit_test(an_order_is_carried_out_when_the_call_has_ended),
        cmocka_unit_test(of_an_order_that_is_heard_it_asks_at_once),
        cmocka_unit_test(an_order_that_was_not_carried_out_stays_when_the_job_is_handed_over),
        cmocka_unit_test(a_job_without_its_definition_waits_and_is_told_of),
        cmocka_unit_test(a_damaged_job_is_not_executed),
        cmocka_unit_test(a_failed_job_is_told_of),
        cmocka_unit_test(one_that_stops_lets_its_call_end_and_hands_the_job_over),
        cmocka_unit_test(what_is_claimed_under_a_lease_that_is_over_is_given_back),
        cmocka_unit_test(what_is_heard_is_looked_for_at_once_but_not_each_time),
        cmocka_unit_test(when_a_job_ends_another_one_may_run_in_its_place),
        cmocka_unit_test(while_a_job_waits_another_one_may_run_in_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
