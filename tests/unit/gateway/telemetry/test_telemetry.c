#include "tests/unit/check.h"

#include "base/text/json_text.h"
#include "gateway/identity/known_client.h"
#include "gateway/telemetry/log_line.h"
#include "tests/unit/gateway/telemetry_fixture.h"

static void one_call_is_one_line(void **state)
{
    Fixture *f = *state;
    telemetry_record(&f->loop, &f->record);
    assert_bytes(
        fixture_log(f),
        "{\"time\":\"2026-03-01T12:00:00.123Z\",\"log\":\"call\",\"level\":\"info\",\"node\":"
        "\"node-1\","
        "\"request_id\":\"0123456789abcdef0123456789abcdef\","
        "\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\",\"peer\":\"127.0.0.1:52314\","
        "\"listener\":\"127.0.0.1:8080\",\"dialect\":\"rest\",\"codec\":\"json\",\"verb\":\"GET\","
        "\"path\":\"/v1/orders/42\",\"service\":\"orders\",\"method\":\"shop.orders.v1.Orders/"
        "Get\","
        "\"client_version\":\"v1\",\"response_version\":\"v1\",\"served_version\":\"v2\",\"rule\":"
        "\"prefix\","
        "\"served_why\":\"fewest losses\",\"instance\":\"127.0.0.1:7002\",\"build\":\"3.1.0\","
        "\"route\":\"orders\",\"failure_mode\":\"graceful\",\"impact\":\"high\",\"code\":\"OK\","
        "\"http_status\":200,\"attempts\":[{\"instance\":\"127.0.0.1:7002\",\"code\":\"OK\",\"ms\":"
        "3.400}],\"losses\":0,\"unknown\":0,\"bytes_in\":10,\"bytes_"
        "out\":57,"
        "\"messages_in\":1,\"messages_out\":1,\"to_upstream_ms\":1.000,\"upstream_head_ms\":3.000,"
        "\"total_ms\":3.456}\n");
}

static void a_call_that_came_to_nothing_has_a_line_too(void **state)
{
    Fixture *f = *state;
    f->record = (CallRecord){.peer = "unix",
                             .status = {.code = CODE_UNIMPLEMENTED},
                             .http_status = 404,
                             .why = FAIL(f->arena, FAULT_UNKNOWN_PATH, "finding /nowhere")};
    telemetry_record(&f->loop, &f->record);
    Bytes log = fixture_log(f);
    assert_non_null(strstr(arena_text(f->arena, log), "\"level\":\"info\""));
    assert_non_null(strstr(arena_text(f->arena, log), "\"causes\":[{\"fault\":\"UNKNOWN_PATH\","
                                                      "\"doing\":\"finding /nowhere\",\"at\":"));
}

/* Takes the causes out of a line by its own reader, so that order and escaping are those of
   JSON. */
static void the_chain_is_told_outermost_first(void **state)
{
    Fixture *f = *state;
    Result why =
        FAIL_FIELD(f->arena, FAULT_BAD_VALUE, "order.total", "reading \"12,5\"\n as a number");
    why = FAIL_OVER(f->arena, why, FAULT_CANNOT_CONVERT, "converting the request");
    f->record.why = why;
    f->record.status = (Status){.code = CODE_INVALID_ARGUMENT};
    telemetry_record(&f->loop, &f->record);

    JsonCursor cursor = json_cursor(bytes_trim(fixture_log(f)), f->arena);
    Bytes name, faults = BYTES_NONE;
    for (bool first = true; json_cursor_member(&cursor, &first, &name);) {
        Bytes value = json_cursor_skip(&cursor);
        if (bytes_are(name, "causes"))
            faults = value;
    }
    assert_true(json_cursor_finish(&cursor));
    assert_true(bytes_start_with(
        faults, "[{\"fault\":\"CANNOT_CONVERT\",\"doing\":\"converting the request\","
                "\"at\":\"tests/unit/gateway/telemetry/test_telemetry.c:"));
    const char *rest = arena_text(f->arena, faults);
    assert_non_null(
        strstr(rest, "{\"fault\":\"BAD_VALUE\",\"doing\":\"reading \\\"12,5\\\"\\n as a number\","
                     "\"field\":\"order.total\",\"at\":"));
}

static const char *level_in_log(Fixture *f)
{
    telemetry_record(&f->loop, &f->record);
    const char *log = arena_text(f->arena, fixture_log(f));
    const char *at = strstr(log, "\"level\":\"");
    assert_non_null(at);
    return at + strlen("\"level\":\"");
}

static void what_the_operator_should_look_at_is_an_error(void **state)
{
    Fixture *f = *state;
    f->record.why = FAIL(f->arena, FAULT_UPSTREAM_DOWN, "connecting");
    f->record.status = (Status){.code = CODE_UNAVAILABLE};
    assert_memory_equal(level_in_log(f), "error\"", 6);
}

static void what_a_client_can_cause_is_none(void **state)
{
    Fixture *f = *state;
    f->record.why = FAIL(f->arena, FAULT_UPSTREAM_STATUS, "no such order");
    f->record.status = (Status){.code = CODE_NOT_FOUND};
    assert_memory_equal(level_in_log(f), "info\"", 5);
}

static void a_degraded_call_is_a_warning(void **state)
{
    Fixture *f = *state;
    f->record.why = FAIL(f->arena, FAULT_UPSTREAM_DOWN, "connecting");
    f->record.degraded = FAULT_UPSTREAM_DOWN.name;
    assert_memory_equal(level_in_log(f), "warning\"", 8);
}

static const Claim claims[] = {{"plan", {(const uint8_t *)"gold", 4}},
                               {"said", {(const uint8_t *)"\"so\"", 4}}};
static const Identity identity = {.name = {(const uint8_t *)"ada", 3},
                                  .tenant = {(const uint8_t *)"shop", 4},
                                  .class = {(const uint8_t *)"partner", 7},
                                  .claims = claims,
                                  .n_claims = 2,
                                  .how = PROOF_CERTIFICATE};

static void who_called_is_told_whole(void **state)
{
    Fixture *f = *state;
    f->record.client = bytes_of("ada");
    f->record.identity = &identity;
    f->record.claimed = true;
    telemetry_record(&f->loop, &f->record);
    assert_non_null(strstr(arena_text(f->arena, fixture_log(f)),
                           "\"client\":\"ada\",\"client_by\":\"certificate\","
                           "\"tenant\":\"shop\",\"class\":\"partner\","
                           "\"claims\":{\"plan\":\"gold\",\"said\":\"\\\"so\\\"\"},"));
}

/* How many lines of the log have it. */
static int count_of(Fixture *f, const char *text)
{
    int n = 0;
    for (const char *at = arena_text(f->arena, fixture_log(f)); (at = strstr(at, text)); at++)
        n++;
    return n;
}

static void each_line_of_a_client_that_is_known_tells_it(void **state)
{
    Fixture *f = *state;
    static const Config config;
    KnownClient *known = known_client_new(&identity, &config);
    f->record.client = known->shown;
    f->record.identity = &known->identity;
    f->record.claimed = true;
    telemetry_record(&f->loop, &f->record);
    telemetry_record(&f->loop, &f->record);
    assert_int_equal(count_of(f,
                              ",\"client\":\"ada\",\"client_by\":\"certificate\","
                              "\"tenant\":\"shop\",\"class\":\"partner\","
                              "\"claims\":{\"plan\":\"gold\",\"said\":\"\\\"so\\\"\"},\"dialect\""),
                     2);
    known_client_release(known);
}

static void claims_are_told_only_where_they_may_be(void **state)
{
    Fixture *f = *state;
    f->record.client = bytes_of("35800f8e0bed84cf205738a4624ad922");
    f->record.identity = &identity;
    telemetry_record(&f->loop, &f->record);
    const char *line = arena_text(f->arena, fixture_log(f));
    assert_non_null(strstr(line, "\"class\":\"partner\""));
    assert_null(strstr(line, "claims"));
    assert_null(strstr(line, "gold"));
}

static void long_and_broken_texts_are_cut_and_repaired(void **state)
{
    Fixture *f = *state;
    char path[5000];
    memset(path, 'a', sizeof path);
    path[1] = '\xff';
    path[2] = '"';
    f->record.path = bytes(path, sizeof path);
    telemetry_record(&f->loop, &f->record);
    const char *log = arena_text(f->arena, fixture_log(f));
    const char *at = strstr(log, "\"path\":\"a\xef\xbf\xbd\\\"aaa");
    assert_non_null(at);
    assert_int_equal(strchr(at + 16, '"') - at, 8 + 1 + 3 + 2 + 1024 - 3);
}

static void events_are_lines_and_chains(void **state)
{
    Fixture *f = *state;
    Result why = FAIL(f->arena, FAULT_NO_FILE, "opening shop.yaml");
    telemetry_event("warning", "reload", why, "the config was refused, %d mistakes", 3);
    const char *log = arena_text(f->arena, fixture_log(f));
    assert_non_null(strstr(
        log,
        "\"log\":\"event\",\"level\":\"warning\",\"node\":\"node-1\",\"event\":\"reload\","
        "\"message\":\"the config was refused, 3 mistakes\",\"causes\":[{\"fault\":\"NO_FILE\""));
}

static void mistakes_are_a_list_of_limited_length(void **state)
{
    Fixture *f = *state;
    Buffer mistakes = buffer_in(f->arena), list = buffer_in(f->arena), none = buffer_in(f->arena);
    for (int i = 1; i <= 21; i++)
        buffer_printf(&mistakes, "a.yaml:%d: \"x\"\n", i);
    log_line_lines(&list, LOG_KEY("mistakes"), buffer_bytes(&mistakes));
    log_line_lines(&none, LOG_KEY("mistakes"), BYTES_NONE);
    telemetry_event_members("error", "config_refused", OK, buffer_bytes(&list), "it stays");
    telemetry_event_members("error", "config_refused", OK, buffer_bytes(&none), "no list");
    const char *log = arena_text(f->arena, fixture_log(f));
    assert_non_null(strstr(log, "\"level\":\"error\",\"node\":\"node-1\","
                                "\"event\":\"config_refused\""));
    assert_non_null(
        strstr(log, "\"message\":\"it stays\",\"mistakes\":[\"a.yaml:1: \\\"x\\\"\",\""));
    assert_non_null(strstr(log, "\"a.yaml:20: \\\"x\\\"\"]}"));
    assert_non_null(strstr(log, "\"message\":\"no list\"}"));
}

static void a_start_without_its_log_fails(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    LogOutputConfig output;
    LogConfig log = log_config_of_file("/nonexistent/log", &output);
    assert_fault(telemetry_start(arena, &log, NULL), FAULT_NO_FILE);
    assert_null(telemetry_config());
    arena_free(arena);
}

/* Whether a call is in the log, where none that went well is; with its line in `line_out`. */
static bool is_logged(Fixture *f, const CallRecord *record, const char **line_out)
{
    f->config->log.samples = true;
    f->config->log.slow = 10 * MILLISECOND;
    telemetry_adopt(f->config);
    telemetry_record(&f->loop, record);
    Bytes log = fixture_log(f);
    *line_out = arena_text(f->arena, log);
    return log.size > 0;
}

static CallRecord good_call(Fixture *f)
{
    CallRecord record = f->record;
    record.n_losses = record.n_unknown = 0;
    return record;
}

/* Each of these alone keeps a call. */
static void keep_failed(CallRecord *r, Result why)
{
    r->status.code = CODE_NOT_FOUND;
}
static void keep_status(CallRecord *r, Result why)
{
    r->http_status = 400;
}
static void keep_cause(CallRecord *r, Result why)
{
    r->why = why;
}
static void keep_detail(CallRecord *r, Result why)
{
    r->detail_why = why;
}
static void keep_degraded(CallRecord *r, Result why)
{
    r->degraded = "UPSTREAM_DOWN";
}
static void keep_partial(CallRecord *r, Result why)
{
    r->partial = true;
}
static void keep_lossy(CallRecord *r, Result why)
{
    r->n_losses = 1;
}
static void keep_unknown(CallRecord *r, Result why)
{
    r->n_unknown = 1;
}
static void keep_repeated(CallRecord *r, Result why)
{
    r->n_attempts = 2;
}
static void keep_slow(CallRecord *r, Result why)
{
    r->time_total = 10 * MILLISECOND;
}

static void whatever_did_not_go_well_is_in_the_log(void **state)
{
    static void (*const changes[])(CallRecord * r, Result why) = {
        keep_failed,  keep_status, keep_cause,   keep_detail,   keep_degraded,
        keep_partial, keep_lossy,  keep_unknown, keep_repeated, keep_slow};
    Fixture *f = *state;
    const char *line;
    fixture_end(state);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        assert_int_equal(fixture_begin(state), 0);
        f = *state;
        CallRecord record = good_call(f);
        changes[i](&record, FAIL(f->arena, FAULT_UPSTREAM_DOWN, "down"));
        assert_true(is_logged(f, &record, &line));
        assert_null(strstr(line, "sampled"));
        fixture_end(state);
    }
    assert_int_equal(fixture_begin(state), 0);
}

static void a_call_that_went_well_and_is_not_drawn_is_only_counted(void **state)
{
    Fixture *f = *state;
    const char *line;
    CallRecord record = good_call(f);
    record.time_total = 10 * MILLISECOND - 1;
    record.http_status = 399;
    assert_false(is_logged(f, &record, &line));
}

/* The share is that of the running config, and the draw that of the trace. */
static void a_call_that_is_drawn_says_its_share(void **state)
{
    Fixture *f = *state;
    const char *line;
    CallRecord record = good_call(f);
    f->config->log.share = 0.9999999999;
    assert_true(is_logged(f, &record, &line));
    assert_non_null(strstr(line, ",\"sampled\":0.9999999999}\n"));
}

static void the_config_stays_until_its_last_call_has_ended(void **state)
{
    Fixture *f = *state;
    Config *running = config_ref(f->config); /* a call's */
    Config *next = fixture_config(2);
    telemetry_adopt(next);
    Config *newest = telemetry_config();
    assert_ptr_equal(newest, next);
    config_unref(newest);

    config_unref(f->config);
    f->config = next;
    assert_int_equal(atomic_load(&running->references), 2); /* the call's and telemetry's */
    config_unref(running);
    telemetry_adopt(next); /* retires the first one; leaks are found by the sanitizer */
    assert_int_equal(atomic_load(&next->references), 3);
}

static int n_let_go;
static void (*let_go)(Config *config);

static void note_let_go(Config *config)
{
    n_let_go++;
    let_go(config);
}

/* One that is older goes before one that a call still uses. */
static void a_config_that_is_used_keeps_no_older_one(void **state)
{
    Fixture *f = *state;
    Config *used = fixture_config(2), *newest = fixture_config(3);
    let_go = f->config->let_go;
    f->config->let_go = note_let_go;
    n_let_go = 0;
    telemetry_adopt(used);
    telemetry_adopt(newest);
    assert_int_equal(n_let_go, 0);
    config_unref(f->config);
    f->config = used;
    telemetry_adopt(newest);
    assert_int_equal(n_let_go, 1);
    assert_int_equal(atomic_load(&used->references), 2);
    config_unref(newest);
}

static void an_opaque_routes_call_says_its_route(void **state)
{
    Fixture *f = *state;
    f->record.method = NULL;
    f->record.route = &f->config->http_routes[0];
    telemetry_record(&f->loop, &f->record);
    assert_non_null(
        strstr(arena_text(f->arena, fixture_log(f)), "\"route\":\"/legacy\",\"failure_mode\":"));
}

static void attempts_are_a_list(void **state)
{
    Fixture *f = *state;
    AttemptRecord first = *f->record.attempts;
    first.next = f->record.attempts;
    first.instance = &f->config->services[0].instances[0];
    first.code = CODE_UNAVAILABLE;
    first.why = FAIL(f->arena, FAULT_UPSTREAM_RESET, "broke off");
    f->record.attempts = &first;
    telemetry_record(&f->loop, &f->record);
    assert_non_null(strstr(
        arena_text(f->arena, fixture_log(f)),
        "\"attempts\":[{\"instance\":\"127.0.0.1:7001\",\"code\":\"UNAVAILABLE\",\"ms\":3.400,"
        "\"why\":\"UPSTREAM_RESET\"},{\"instance\":\"127.0.0.1:7002\",\"code\":\"OK\",\"ms\":3."
        "400"
        "}],"));
}

static void a_loop_without_counters_counts_nothing(void **state)
{
    Loop loop = {0};
    CallRecord record = {0};
    telemetry_record(&loop, &record);
    telemetry_count(&loop, COUNTER_RETRIES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_call_is_one_line),
        TEST(a_call_that_came_to_nothing_has_a_line_too),
        TEST(the_chain_is_told_outermost_first),
        TEST(what_the_operator_should_look_at_is_an_error),
        TEST(what_a_client_can_cause_is_none),
        TEST(a_degraded_call_is_a_warning),
        TEST(who_called_is_told_whole),
        TEST(each_line_of_a_client_that_is_known_tells_it),
        TEST(claims_are_told_only_where_they_may_be),
        TEST(long_and_broken_texts_are_cut_and_repaired),
        TEST(events_are_lines_and_chains),
        TEST(mistakes_are_a_list_of_limited_length),
        TEST(whatever_did_not_go_well_is_in_the_log),
        TEST(a_call_that_went_well_and_is_not_drawn_is_only_counted),
        TEST(a_call_that_is_drawn_says_its_share),
        TEST(the_config_stays_until_its_last_call_has_ended),
        TEST(a_config_that_is_used_keeps_no_older_one),
        TEST(an_opaque_routes_call_says_its_route),
        TEST(attempts_are_a_list),
        cmocka_unit_test(a_start_without_its_log_fails),
        cmocka_unit_test(a_loop_without_counters_counts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
