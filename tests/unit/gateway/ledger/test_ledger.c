#include "tests/unit/check.h"

#include "adapters/text/json.h"
#include "gateway/ledger/ledger_internal.h"
#include "tests/unit/gateway/telemetry_fixture.h"

enum { LOOPS = 2, ROWS = 100 };

/* Two loops with threads of their own; this one is the main thread. */
typedef struct Bench {
    Fixture *f;
    uv_loop_t main;
    Config config;
    Ledger *ledger;
    Loop loops[LOOPS];
    LedgerBook *books[LOOPS];
    uv_thread_t threads[LOOPS];
    bool answered;
    const char *answer;
} Bench;

static void run_thread(void *loop)
{
    loop_run(loop);
}

static int setup(void **state)
{
    Bench *b = calloc(1, sizeof *b);
    if (fixture_begin((void **)&b->f) != 0 || uv_loop_init(&b->main) != 0)
        return -1;
    b->config = (Config){
        .node = "node-1",
        .ledger = {.rows = ROWS, .requests = 64 * 1024, .every = 3600 * SECOND},
    };
    b->ledger = ledger_new(&b->main, &b->config);
    for (uint32_t i = 0; i < LOOPS; i++) {
        loop_init(&b->loops[i], i);
        b->loops[i].telemetry = telemetry_new();
        b->books[i] = ledger_open_book(b->ledger, &b->loops[i]);
        uv_thread_create(&b->threads[i], run_thread, &b->loops[i]);
    }
    b->f->record.began = clock_wall();
    b->f->record.instance = &b->f->config->services[0].instances[1];
    *state = b;
    return 0;
}

static void stop_loop(Loop *loop, void *unused)
{
    loop_stop(loop);
}

static void stop_loops(Bench *b)
{
    for (int i = 0; i < LOOPS; i++) {
        loop_post(&b->loops[i], stop_loop, NULL);
        uv_thread_join(&b->threads[i]);
        ledger_close_book(b->books[i]);
        loop_deinit(&b->loops[i]);
    }
}

static void end(Bench *b)
{
    uv_run(&b->main, UV_RUN_DEFAULT);
    uv_loop_close(&b->main);
    ledger_free(b->ledger);
    fixture_end((void **)&b->f);
    free(b);
}

static int teardown(void **state)
{
    Bench *b = *state;
    stop_loops(b);
    ledger_stop(b->ledger);
    end(b);
    return 0;
}

typedef struct Recording {
    const CallRecord *record;
    uint32_t n;
    uv_sem_t done;
} Recording;

static void record_on_loop(Loop *loop, void *argument)
{
    Recording *recording = argument;
    for (uint32_t i = 0; i < recording->n; i++)
        telemetry_record(loop, recording->record);
    uv_sem_post(&recording->done);
}

/* The calls end on the loop's own thread. */
static void record(Bench *b, int loop, uint32_t n)
{
    Recording recording = {.record = &b->f->record, .n = n};
    uv_sem_init(&recording.done, 0);
    loop_post(&b->loops[loop], record_on_loop, &recording);
    uv_sem_wait(&recording.done);
    uv_sem_destroy(&recording.done);
}

static void fail_with(Bench *b, Code code, Result why)
{
    b->f->record.status = (Status){.code = code};
    b->f->record.why = why;
}

static void on_answer(void *owner, Bytes json)
{
    Bench *b = owner;
    b->answered = true;
    b->answer = arena_text(b->f->arena, json);
}

static JsonNode *wait_for_answer(Bench *b)
{
    while (!b->answered)
        uv_run(&b->main, UV_RUN_ONCE);
    b->answered = false;
    JsonNode *root = NULL;
    if (*b->answer)
        assert_ok(b->f->arena,
                  json_parse(b->f->arena, bytes_of(b->answer), &(JsonLimits){0}, &root));
    return root;
}

static JsonNode *read_page(Bench *b)
{
    ledger_read(b->ledger, on_answer, b);
    return wait_for_answer(b);
}

static JsonNode *find(Bench *b, const char *id)
{
    ledger_find(b->ledger, bytes_of(id), on_answer, b);
    return wait_for_answer(b);
}

#define assert_member(object, name, expected)                                                      \
    assert_bytes(json_member(object, name)->text, expected)

static void failures_of_all_loops_are_one_row(void **state)
{
    Bench *b = *state;
    fail_with(b, CODE_UNAVAILABLE, FAIL(b->f->arena, FAULT_UPSTREAM_RESET, "10.0.0.7:7001 left"));
    record(b, 0, 3);
    record(b, 1, 4);
    JsonNode *page = read_page(b);
    assert_member(page, "node", "node-1");
    JsonNode *failures = json_member(page, "failures");
    assert_int_equal(failures->count, 1);
    assert_member(failures->first, "count", "7");
    assert_member(failures->first, "fault", "UPSTREAM_RESET");
    assert_member(failures->first, "side", "upstream");
    assert_member(failures->first, "method", "shop.orders.v1.Orders/Get");
    assert_member(failures->first, "client_version", "v1");
    assert_member(failures->first, "served_version", "v2");
    assert_member(failures->first, "cause", "* left");
    assert_member(failures->first, "impact", "high");
    assert_member(failures->first, "clients", "1");
    assert_member(failures->first, "last_minute", "7");
    assert_member(failures->first, "criticality", "10.0000");
    assert_null(json_member(failures->first, "leg"));
    assert_int_equal(json_member(failures->first, "samples")->count, 5);
    assert_int_equal(json_member(page, "mistakes")->count, 0);
    record(b, 1, 1);
    page = read_page(b);
    assert_member(json_member(page, "failures")->first, "count", "8");
}

static void called_by_ada(Bench *b)
{
    static const Identity ada = {.how = PROOF_HEADER};
    b->f->record.client = bytes_of("ada");
    b->f->record.identity = &ada;
}

static void samples_have_their_records(void **state)
{
    Bench *b = *state;
    fail_with(b, CODE_NOT_FOUND, FAIL(b->f->arena, FAULT_UPSTREAM_STATUS, "no"));
    called_by_ada(b);
    record(b, 0, 1);
    JsonNode *row = json_member(read_page(b), "mistakes")->first;
    JsonNode *sample = json_member(row, "samples")->first;
    assert_member(sample, "request_id", "0123456789abcdef0123456789abcdef");
    assert_member(json_member(sample, "record"), "client", "ada");
}

static void what_is_redacted_is_in_no_page(void **state)
{
    Bench *b = *state;
    const char *names[] = {"client", NULL};
    b->config.ledger.redact = names;
    ledger_use(b->ledger, &b->config);
    fail_with(b, CODE_NOT_FOUND, FAIL(b->f->arena, FAULT_UPSTREAM_STATUS, "no"));
    called_by_ada(b);
    record(b, 0, 1);
    read_page(b);
    assert_null(strstr(b->answer, "ada"));
    assert_non_null(strstr(b->answer, "\"client\":\"redacted\""));
    find(b, "0123456789abcdef0123456789abcdef");
    assert_null(strstr(b->answer, "ada"));
}

static void the_most_critical_row_is_first(void **state)
{
    Bench *b = *state;
    fail_with(b, CODE_UNAVAILABLE, FAIL(b->f->arena, FAULT_UPSTREAM_RESET, "often"));
    record(b, 0, 5);
    fail_with(b, CODE_UNAVAILABLE, FAIL(b->f->arena, FAULT_UPSTREAM_RESET, "most often"));
    record(b, 0, 6);
    fail_with(b, CODE_UNAVAILABLE, FAIL(b->f->arena, FAULT_UPSTREAM_RESET, "once"));
    record(b, 0, 1);
    JsonNode *row = json_member(read_page(b), "failures")->first;
    assert_member(row, "cause", "most often");
    assert_member(row->next, "cause", "often");
    assert_member(row->next->next, "cause", "once");
}

/* No client has seen it. */
static void attempts_come_behind_calls(void **state)
{
    Bench *b = *state;
    AttemptRecord first = *b->f->record.attempts;
    first.next = b->f->record.attempts;
    first.code = CODE_UNAVAILABLE;
    first.why = FAIL(b->f->arena, FAULT_UPSTREAM_RESET, "reading");
    b->f->record.attempts = &first;
    record(b, 0, 5);
    b->f->record.attempts = NULL;
    fail_with(b, CODE_UNAVAILABLE, FAIL(b->f->arena, FAULT_UPSTREAM_RESET, "reading"));
    record(b, 0, 1);
    JsonNode *row = json_member(read_page(b), "failures")->first;
    assert_member(row, "of", "call");
    assert_member(row, "count", "1");
    assert_member(row->next, "of", "attempt");
    assert_member(row->next, "count", "5");
    assert_member(row->next, "criticality", "0.0000");
    assert_null(row->next->next);
}

static void a_call_is_found_on_whatever_loop_it_was(void **state)
{
    Bench *b = *state;
    b->f->record.request_id = bytes_of("good");
    b->f->record.lost = bytes_of("Order.comment");
    record(b, 1, 1);
    b->f->record.request_id = bytes_of("bad");
    fail_with(b, CODE_UNAVAILABLE, FAIL(b->f->arena, FAULT_UPSTREAM_RESET, "once"));
    record(b, 0, 1);
    assert_member(find(b, "good"), "request_id", "good");
    assert_member(find(b, "good"), "lost", "Order.comment");
    assert_member(find(b, "bad"), "code", "UNAVAILABLE");
    assert_null(find(b, "other"));
}

static void each_attempt_is_told_with_its_causes(void **state)
{
    Bench *b = *state;
    AttemptRecord first = *b->f->record.attempts;
    first.next = b->f->record.attempts;
    first.headed = 0;
    first.code = CODE_UNAVAILABLE;
    first.why = FAIL(b->f->arena, FAULT_UPSTREAM_RESET, "reading");
    b->f->record.attempts = &first;
    record(b, 0, 1);
    JsonNode *tries = json_member(find(b, "0123456789abcdef0123456789abcdef"), "tries");
    assert_int_equal(tries->count, 2);
    assert_member(tries->first, "sent_ms", "1.000");
    assert_null(json_member(tries->first, "head_ms"));
    assert_member(tries->first, "end_ms", "3.400");
    assert_member(json_member(tries->first, "causes")->first, "doing", "reading");
    assert_member(tries->first->next, "head_ms", "3.000");
    assert_null(json_member(tries->first->next, "causes"));
}

static void good_calls_do_not_push_out_failed_ones(void **state)
{
    Bench *b = *state;
    b->f->record.request_id = bytes_of("bad");
    fail_with(b, CODE_UNAVAILABLE, FAIL(b->f->arena, FAULT_UPSTREAM_RESET, "once"));
    record(b, 0, 1);
    b->f->record.request_id = bytes_of("good");
    fail_with(b, CODE_OK, OK);
    record(b, 0, 1);
    b->f->record.request_id = bytes_of("more");
    record(b, 0, 1000);
    assert_non_null(find(b, "bad"));
    assert_null(find(b, "good"));
    assert_non_null(find(b, "more"));
}

static void what_gave_way_is_counted(void **state)
{
    Bench *b = *state;
    fail_with(b, CODE_UNAVAILABLE, FAIL(b->f->arena, FAULT_UPSTREAM_RESET, "once"));
    for (int i = 0; i < ROWS + 1; i++) {
        Route route = {.match = arena_printf(b->f->arena, "route %d", i)};
        b->f->record.route = &route;
        record(b, 0, 2);
    }
    JsonNode *page = read_page(b);
    assert_int_equal(json_member(page, "failures")->count, ROWS);
    assert_member(json_member(page, "evicted_failures"), "rows", "1");
    assert_member(json_member(page, "evicted_failures"), "count", "2");
    b->config.ledger.rows = ROWS - 1;
    ledger_use(b->ledger, &b->config);
    page = read_page(b);
    assert_int_equal(json_member(page, "failures")->count, ROWS - 1);
    Buffer out = buffer_in(b->f->arena);
    ledger_metrics_write(&(Exposition){.out = &out}, b->ledger);
    const char *text = arena_text(b->f->arena, buffer_bytes(&out));
    assert_non_null(strstr(text, "passerelle_ledger_rows{side=\"gateway\"} 99\n"));
    assert_non_null(strstr(text, "passerelle_ledger_rows{side=\"client\"} 0\n"));
    assert_non_null(strstr(text, "passerelle_ledger_evicted_total 2\n"));
    assert_non_null(strstr(text, "passerelle_ledger_evicted_failures_total 4\n"));
}

/* Several readers at once, while loops count. */
static void nothing_is_counted_twice_or_lost(void **state)
{
    enum { ROUNDS = 50, EACH = 20 };
    Bench *b = *state;
    fail_with(b, CODE_UNAVAILABLE, FAIL(b->f->arena, FAULT_UPSTREAM_RESET, "once"));
    Recording recordings[LOOPS];
    for (int i = 0; i < LOOPS; i++) {
        recordings[i] = (Recording){.record = &b->f->record, .n = EACH};
        uv_sem_init(&recordings[i].done, 0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < LOOPS; i++)
            loop_post(&b->loops[i], record_on_loop, &recordings[i]);
        ledger_read(b->ledger, on_answer, b);
        ledger_read(b->ledger, on_answer, b);
        uv_run(&b->main, UV_RUN_NOWAIT);
    }
    for (int i = 0; i < LOOPS; i++) {
        for (int round = 0; round < ROUNDS; round++)
            uv_sem_wait(&recordings[i].done);
        uv_sem_destroy(&recordings[i].done);
    }
    for (int i = 0; i < 3; i++) /* those that were asked before have their answers then */
        read_page(b);
    JsonNode *row = json_member(read_page(b), "failures")->first;
    assert_member(row, "count", "2000");
}

static void who_waits_is_answered_at_the_end(void **state)
{
    Bench *b = *state;
    fail_with(b, CODE_UNAVAILABLE, FAIL(b->f->arena, FAULT_UPSTREAM_RESET, "once"));
    record(b, 0, 1);
    ledger_read(b->ledger, on_answer, b);
    record(b, 1, 1);
    stop_loops(b);
    ledger_stop(b->ledger);
    assert_true(b->answered);
    JsonNode *root;
    assert_ok(b->f->arena, json_parse(b->f->arena, bytes_of(b->answer), &(JsonLimits){0}, &root));
    assert_member(json_member(root, "failures")->first, "count", "2");
    end(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(failures_of_all_loops_are_one_row),
        TEST(samples_have_their_records),
        TEST(what_is_redacted_is_in_no_page),
        TEST(the_most_critical_row_is_first),
        TEST(attempts_come_behind_calls),
        TEST(a_call_is_found_on_whatever_loop_it_was),
        TEST(each_attempt_is_told_with_its_causes),
        TEST(good_calls_do_not_push_out_failed_ones),
        TEST(what_gave_way_is_counted),
        TEST(nothing_is_counted_twice_or_lost),
        cmocka_unit_test_setup(who_waits_is_answered_at_the_end, setup),
    };
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
