#include "tests/unit/check.h"

#include "gateway/tally/tally.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NOON (INT64_C(1772366400) * SECOND)

enum { ROWS = 100, KINDS = 50 };

typedef struct Bench {
    Arena *arena;
    Tally *tally, *other;
    Route route;
    Version v1, v3;
    MethodType types[KINDS];
    Method methods[KINDS];
    Instance instance, second;
    AttemptRecord attempts[2];
    CallRecord record;
} Bench;

static int setup(void **state)
{
    Bench *b = calloc(1, sizeof *b);
    b->arena = arena_new(ARENA_UNLIMITED);
    b->tally = tally_new(ROWS);
    b->other = tally_new(ROWS);
    b->route = (Route){.match = "orders", .impact = IMPACT_HIGH};
    b->v1 = (Version){.name = "v1"};
    b->v3 = (Version){.name = "v3"};
    b->instance = (Instance){.address = {.text = "127.0.0.1:7001"}};
    b->second = (Instance){.address = {.text = "127.0.0.1:7002"}};
    for (int i = 0; i < KINDS; i++) {
        b->types[i].path = arena_printf(b->arena, "/shop.orders.v1.Orders/Get%d", i);
        b->methods[i] = (Method){.type = &b->types[i],
                                 .version = &b->v1,
                                 .extras = &method_no_extras,
                                 .series = (uint32_t)i + 1};
    }
    b->record = (CallRecord){
        .request_id = bytes_of("0123456789abcdef0123456789abcdef"),
        .peer = "127.0.0.1:52314",
        .method = &b->methods[0],
        .route = &b->route,
        .client_version = &b->v1,
        .served_version = &b->v3,
        .instance = &b->instance,
        .began = NOON,
        .time_total = SECOND,
    };
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    Bench *b = *state;
    tally_free(b->tally);
    tally_free(b->other);
    arena_free(b->arena);
    free(b);
    return 0;
}

static void record(Bench *b)
{
    tally_record(b->tally, &b->record, bytes_of("{}"));
}

static void fail_with(Bench *b, Code code, Result why)
{
    b->record.status = (Status){.code = code};
    b->record.why = why;
}

static long clients_of(const Tally *tally, uint32_t series, int64_t wall)
{
    return lround(recent_clients_count(&tally_use(tally, series)->clients, wall));
}

static IpAddress address(uint8_t last)
{
    return (IpAddress){.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last},
                       .known = true};
}

static void good_calls_count_clients_only(void **state)
{
    Bench *b = *state;
    const IpAddress first = address(1), second = address(2);
    b->record.address = &first;
    record(b);
    b->record.peer = "127.0.0.1:52315"; /* the same client */
    record(b);
    b->record.address = &second;
    record(b);
    assert_int_equal(b->tally->failures.n + b->tally->mistakes.n, 0);
    assert_int_equal(clients_of(b->tally, 1, NOON + SECOND), 2);
    assert_null(tally_use(b->tally, 2));
}

static void a_client_is_its_name_before_its_address(void **state)
{
    Bench *b = *state;
    const IpAddress first = address(1), second = address(2);
    b->record.address = &first;
    record(b);
    b->record.client = bytes_of("ada");
    record(b);
    b->record.address = &second;
    record(b);
    b->record.client = bytes_of("bob");
    record(b);
    assert_int_equal(clients_of(b->tally, 1, NOON + SECOND), 3);
}

static void a_client_counts_in_each_hour_in_which_it_calls(void **state)
{
    Bench *b = *state;
    record(b);
    b->record.began = NOON + WINDOW_HOUR - SECOND - 1; /* ends as the last of its hour */
    record(b);
    b->record.began += 1;
    record(b);
    int64_t end = NOON + WINDOW_HOUR;
    assert_int_equal(clients_of(b->tally, 1, end), 1);
    assert_int_equal(clients_of(b->tally, 1, end + 2 * WINDOW_HOUR - 1), 1);
    assert_int_equal(clients_of(b->tally, 1, end + 2 * WINDOW_HOUR), 0);
}

static void a_failure_has_all_of_its_key(void **state)
{
    Bench *b = *state;
    Result why = FAIL(b->arena, FAULT_SYSTEM, "connecting to 10.0.0.7:7001");
    fail_with(b, CODE_UNAVAILABLE,
              FAIL_OVER(b->arena, why, FAULT_UPSTREAM_DOWN, "calling Get of order 7"));
    record(b);
    assert_int_equal(b->tally->failures.n, 1);
    const FailureRow *row = b->tally->failures.rows[0];
    assert_ptr_equal(row->key.fault, &FAULT_UPSTREAM_DOWN);
    assert_int_equal(row->key.code, CODE_UNAVAILABLE);
    assert_bytes(row->key.route, "orders");
    assert_bytes(row->key.method, "shop.orders.v1.Orders/Get0");
    assert_bytes(row->key.client_version, "v1");
    assert_bytes(row->key.served_version, "v3");
    assert_bytes(row->key.leg, "");
    assert_bytes(row->key.cause, "connecting to *");
    assert_int_equal(row->impact, IMPACT_HIGH);
    assert_int_equal(row->series, 1);
    assert_int_equal(row->last, NOON + SECOND);
    assert_string_equal(row->instances.names[0], "127.0.0.1:7001");
    assert_string_equal(row->samples[0].id, "0123456789abcdef0123456789abcdef");
}

static void a_call_that_came_to_nothing_has_a_row_too(void **state)
{
    Bench *b = *state;
    b->record = (CallRecord){.peer = "unix", .began = NOON};
    fail_with(b, CODE_UNIMPLEMENTED, FAIL(b->arena, FAULT_UNKNOWN_PATH, "finding /nowhere"));
    record(b);
    assert_int_equal(b->tally->mistakes.n, 1);
    assert_bytes(b->tally->mistakes.rows[0]->key.method, "");
    assert_bytes(b->tally->mistakes.rows[0]->key.route, "");
}

static void mistakes_of_clients_are_apart(void **state)
{
    Bench *b = *state;
    Result why = FAIL(b->arena, FAULT_UPSTREAM_STATUS, "127.0.0.1:7001 returned: no");
    fail_with(b, CODE_NOT_FOUND, why);
    record(b);
    assert_int_equal(b->tally->mistakes.n, 1);
    assert_int_equal(b->tally->failures.n, 0);
    fail_with(b, CODE_INTERNAL, why);
    record(b);
    assert_int_equal(b->tally->mistakes.n, 1);
    assert_int_equal(b->tally->failures.n, 1);
}

/* Whatever a client sends, it can make no kinds of failures, and pushes out none. */
static void a_flood_of_mistakes_is_one_row(void **state)
{
    Bench *b = *state;
    fail_with(b, CODE_INTERNAL, FAIL(b->arena, FAULT_INTERNAL, "once"));
    record(b);
    for (int i = 0; i < 2 * ROWS; i++) {
        char word[3] = {(char)('g' + i / 20), (char)('g' + i % 20)};
        fail_with(b, CODE_UNIMPLEMENTED, FAIL(b->arena, FAULT_UNKNOWN_PATH, "finding %s", word));
        record(b);
    }
    assert_int_equal(b->tally->failures.n, 1);
    assert_int_equal(b->tally->mistakes.n, 1);
    assert_int_equal(b->tally->mistakes.rows[0]->count, 2 * ROWS);
}

static void a_service_that_quotes_clients_makes_few_rows(void **state)
{
    Bench *b = *state;
    for (int i = 0; i < 2 * ROWS; i++) {
        char word[3] = {(char)('g' + i / 20), (char)('g' + i % 20)};
        fail_with(b, CODE_INTERNAL,
                  FAIL(b->arena, FAULT_UPSTREAM_STATUS, "10.0.0.7:1 returned INTERNAL: %s", word));
        record(b);
    }
    assert_int_equal(b->tally->failures.n, FAILURE_CAUSES + 1);
    uint64_t n = 0;
    for (int i = 0; i < FAILURE_CAUSES + 1; i++)
        n += b->tally->failures.rows[i]->count;
    assert_int_equal(n, 2 * ROWS);
}

static void a_degraded_call_has_its_cause_and_the_code_of_its_fault(void **state)
{
    Bench *b = *state;
    fail_with(b, CODE_OK, FAIL(b->arena, FAULT_UPSTREAM_DOWN, "connecting"));
    b->record.degraded = "UPSTREAM_DOWN";
    record(b);
    const FailureRow *row = b->tally->failures.rows[0];
    assert_int_equal(row->key.code, FAULT_UPSTREAM_DOWN.grpc_status);
    assert_int_equal(row->degraded, 1);
    assert_bytes(row->key.cause, "connecting");
}

static void a_degraded_call_has_the_code_that_the_service_returned(void **state)
{
    Bench *b = *state;
    Result why = FAIL(b->arena, FAULT_UPSTREAM_STATUS, "returned RESOURCE_EXHAUSTED");
    b->attempts[0] =
        (AttemptRecord){.instance = &b->instance, .code = CODE_RESOURCE_EXHAUSTED, .why = why};
    b->record.attempts = b->attempts;
    fail_with(b, CODE_OK, FAIL_OVER(b->arena, why, FAULT_UPSTREAM_STATUS, "no other is left"));
    b->record.degraded = "UPSTREAM_STATUS";
    record(b);
    assert_int_equal(b->tally->failures.n, 1);
    assert_int_equal(b->tally->failures.rows[0]->key.code, CODE_RESOURCE_EXHAUSTED);
}

static void the_row_of_a_degraded_call_names_who_failed_and_not_who_stood_in(void **state)
{
    Bench *b = *state;
    Result why = FAIL(b->arena, FAULT_UPSTREAM_STATUS, "returned INTERNAL");
    b->attempts[0] = (AttemptRecord){.next = &b->attempts[1],
                                     .instance = &b->second,
                                     .served = &b->v1,
                                     .code = CODE_INTERNAL,
                                     .why = why};
    b->attempts[1] = (AttemptRecord){.instance = &b->instance, .served = &b->v3};
    b->record.attempts = b->attempts;
    fail_with(b, CODE_OK, why);
    b->record.degraded = "UPSTREAM_STATUS";
    record(b);
    assert_int_equal(b->tally->failures.n, 1);
    const FailureRow *row = b->tally->failures.rows[0];
    assert_bytes(row->key.served_version, "v1");
    assert_int_equal(row->instances.n, 1);
    assert_string_equal(row->instances.names[0], "127.0.0.1:7002");
}

static void try_two(Bench *b, Result first)
{
    b->attempts[0] = (AttemptRecord){.next = &b->attempts[1],
                                     .instance = &b->second,
                                     .served = &b->v1,
                                     .code = CODE_UNAVAILABLE,
                                     .why = first};
    b->attempts[1] = (AttemptRecord){.instance = &b->instance};
    b->record.attempts = b->attempts;
    b->record.n_attempts = 2;
    record(b);
}

static void what_another_attempt_made_good_is_not_lost(void **state)
{
    Bench *b = *state;
    try_two(b, FAIL(b->arena, FAULT_UPSTREAM_RESET, "reading"));
    assert_int_equal(b->tally->failures.n, 1);
    const FailureRow *row = b->tally->failures.rows[0];
    assert_int_equal(row->retried, 1);
    assert_true(row->key.attempt);
    assert_int_equal(row->key.code, CODE_UNAVAILABLE);
    assert_bytes(row->key.served_version, "v1");
    assert_string_equal(row->instances.names[0], "127.0.0.1:7002");
}

static void an_attempt_that_was_only_slower_has_not_failed(void **state)
{
    Bench *b = *state;
    try_two(b, FAIL(b->arena, FAULT_SUPERSEDED, "the other responded first"));
    assert_int_equal(b->tally->failures.n, 0);
}

static void a_leg_that_its_composed_call_has_cancelled_is_nobodys_failure(void **state)
{
    Bench *b = *state;
    fail_with(b, CODE_CANCELLED, FAIL(b->arena, FAULT_CANCELLED, "another leg has failed"));
    b->record.leg = "sites";
    record(b);
    assert_int_equal(b->tally->failures.n + b->tally->mistakes.n, 0);
    fail_with(b, CODE_UNAVAILABLE, FAIL(b->arena, FAULT_UPSTREAM_DOWN, "connecting"));
    record(b);
    assert_int_equal(b->tally->failures.n, 1);
    fail_with(b, CODE_CANCELLED, FAIL(b->arena, FAULT_CANCELLED, "the client has left"));
    b->record.leg = NULL;
    record(b);
    assert_int_equal(b->tally->mistakes.n, 1);
}

static void a_failed_call_counts_once_however_often_it_was_tried(void **state)
{
    Bench *b = *state;
    Result why = FAIL(b->arena, FAULT_UPSTREAM_RESET, "reading");
    fail_with(b, CODE_UNAVAILABLE, why);
    b->attempts[1].why = why;
    try_two(b, why);
    assert_int_equal(b->tally->failures.n, 1);
    assert_int_equal(b->tally->failures.rows[0]->count, 1);
}

static void an_attempt_that_failed_otherwise_than_the_call_has_a_row_of_its_own(void **state)
{
    Bench *b = *state;
    Result last = FAIL(b->arena, FAULT_UPSTREAM_DOWN, "connecting");
    fail_with(b, CODE_UNAVAILABLE, FAIL_OVER(b->arena, last, FAULT_UPSTREAM_DOWN, "none is left"));
    b->attempts[0] = (AttemptRecord){.next = &b->attempts[1],
                                     .instance = &b->second,
                                     .code = CODE_INTERNAL,
                                     .why = FAIL(b->arena, FAULT_UPSTREAM_PROTOCOL, "reading")};
    b->attempts[1] =
        (AttemptRecord){.instance = &b->instance, .code = CODE_UNAVAILABLE, .why = last};
    b->record.attempts = b->attempts;
    record(b);
    assert_int_equal(b->tally->failures.n, 2);
    const FailureRow *call = b->tally->failures.rows[0], *attempt = b->tally->failures.rows[1];
    assert_false(call->key.attempt);
    assert_int_equal(call->count, 1);
    assert_int_equal(call->retried, 0);
    assert_true(attempt->key.attempt);
    assert_ptr_equal(attempt->key.fault, &FAULT_UPSTREAM_PROTOCOL);
    assert_int_equal(attempt->key.code, CODE_INTERNAL);
    assert_int_equal(attempt->retried, 1);
}

/* As in a storm: of each kind in turn, with other numbers in its text each time. */
static void fifty_kinds_are_fifty_rows_with_exact_counts(void **state)
{
    Bench *b = *state;
    enum { CALLS = 50000, MORE = 17 };
    for (int i = 0; i < CALLS + MORE; i++) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        b->record.method = &b->methods[i % KINDS];
        fail_with(b, CODE_UNAVAILABLE,
                  FAIL(arena, FAULT_UPSTREAM_DOWN, "10.0.%d.%d:%d is away for %d ms", i % 7,
                       i % 251, 7000 + i % 100, i));
        b->record.began = NOON + i * MILLISECOND;
        record(b);
        arena_free(arena);
    }
    assert_int_equal(b->tally->failures.n, KINDS);
    assert_int_equal(b->tally->failures.evicted, 0);
    for (int i = 0; i < KINDS; i++) {
        const FailureRow *row = b->tally->failures.rows[i];
        assert_int_equal(row->count, CALLS / KINDS + (row->series <= MORE));
    }
}

static void tallies_are_added(void **state)
{
    Bench *b = *state;
    fail_with(b, CODE_INTERNAL, FAIL(b->arena, FAULT_INTERNAL, "once"));
    record(b);
    tally_record(b->other, &b->record, bytes_of("{}"));
    fail_with(b, CODE_UNIMPLEMENTED, FAIL(b->arena, FAULT_UNKNOWN_PATH, "finding"));
    tally_record(b->other, &b->record, bytes_of("{}"));
    tally_take(b->tally, b->other);
    assert_int_equal(b->tally->failures.rows[0]->count, 2);
    assert_int_equal(b->tally->mistakes.rows[0]->count, 1);
    assert_int_equal(clients_of(b->tally, 1, NOON + SECOND), 1);
    assert_int_equal(b->other->failures.n + b->other->mistakes.n, 0);
    tally_take(b->tally, b->other); /* nothing is added twice */
    assert_int_equal(b->tally->failures.rows[0]->count, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(good_calls_count_clients_only),
        TEST(a_client_is_its_name_before_its_address),
        TEST(a_client_counts_in_each_hour_in_which_it_calls),
        TEST(a_failure_has_all_of_its_key),
        TEST(a_call_that_came_to_nothing_has_a_row_too),
        TEST(mistakes_of_clients_are_apart),
        TEST(a_flood_of_mistakes_is_one_row),
        TEST(a_service_that_quotes_clients_makes_few_rows),
        TEST(a_degraded_call_has_its_cause_and_the_code_of_its_fault),
        TEST(a_degraded_call_has_the_code_that_the_service_returned),
        TEST(the_row_of_a_degraded_call_names_who_failed_and_not_who_stood_in),
        TEST(what_another_attempt_made_good_is_not_lost),
        TEST(an_attempt_that_was_only_slower_has_not_failed),
        TEST(a_leg_that_its_composed_call_has_cancelled_is_nobodys_failure),
        TEST(a_failed_call_counts_once_however_often_it_was_tried),
        TEST(an_attempt_that_failed_otherwise_than_the_call_has_a_row_of_its_own),
        TEST(fifty_kinds_are_fifty_rows_with_exact_counts),
        TEST(tallies_are_added),
    };
    return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
