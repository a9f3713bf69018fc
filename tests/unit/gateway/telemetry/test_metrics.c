#include "tests/unit/check.h"

#include "gateway/instances/instances.h"
#include "gateway/telemetry/metrics.h"
#include "tests/unit/gateway/telemetry_fixture.h"

#include <pthread.h>

static const char *page(Fixture *f, bool openmetrics)
{
    Buffer out = buffer_in(f->arena);
    metrics_write(openmetrics ? METRICS_OPENMETRICS : METRICS_TEXT, &out);
    return arena_text(f->arena, buffer_bytes(&out));
}

/* The page has this line, whole. */
static void assert_line(const char *text, const char *line)
{
    const char *at = text;
    size_t size = strlen(line);
    while ((at = strstr(at, line))) {
        if ((at == text || at[-1] == '\n') && at[size] == '\n')
            return;
        at += size;
    }
    fail_msg("no line \"%s\" in:\n%s", line, text);
}

#define assert_no(text, piece) assert_null(strstr((text), (piece)))

#define CALL_LABELS                                                                                \
    "{service=\"orders\",method=\"shop.orders.v1.Orders/Get\",client_version=\"v1\","              \
    "served_version=\"v2\",dialect=\"rest\",code=\"OK\",fault=\"\",degraded=\"false\"} "
#define METHOD_LABELS "service=\"orders\",method=\"shop.orders.v1.Orders/Get\",version=\"v1\""

static void calls_of_all_loops_are_one_sum(void **state)
{
    Fixture *f = *state;
    telemetry_record(&f->loop, &f->record);
    telemetry_record(&f->loop, &f->record);
    telemetry_record(&f->other_loop, &f->record);
    const char *text = page(f, false);
    assert_line(text, "# TYPE passerelle_calls_total counter");
    assert_line(text, "passerelle_calls_total" CALL_LABELS "3");
    assert_line(text, "passerelle_sent_bytes_total{" METHOD_LABELS "} 171");
    assert_line(text, "passerelle_received_messages_total{" METHOD_LABELS "} 3");
    assert_line(text, "passerelle_upstream_calls_total{instance=\"127.0.0.1:7002\",code=\"OK\"} 3");
    assert_line(text,
                "passerelle_upstream_head_seconds_sum{instance=\"127.0.0.1:7002\"} 0.006000000");
    assert_line(text, "passerelle_upstream_head_seconds_count{instance=\"127.0.0.1:7002\"} 3");
    assert_no(text, "passerelle_unknown_fields_total{");
    assert_no(text, "127.0.0.1:7001\",code");
}

/* Each counter of a method moves by what its own member of the record says. */
static void each_counter_of_a_call_moves(void **state)
{
    Fixture *f = *state;
    f->record.bytes_in = 3;
    f->record.bytes_out = 5;
    f->record.messages_in = 7;
    f->record.messages_out = 11;
    f->record.n_unknown = 13;
    f->record.n_losses = 17;
    telemetry_record(&f->loop, &f->record);
    telemetry_record(&f->loop, &f->record);
    const char *text = page(f, false);
    assert_line(text, "passerelle_received_bytes_total{" METHOD_LABELS "} 6");
    assert_line(text, "passerelle_sent_bytes_total{" METHOD_LABELS "} 10");
    assert_line(text, "passerelle_received_messages_total{" METHOD_LABELS "} 14");
    assert_line(text, "passerelle_sent_messages_total{" METHOD_LABELS "} 22");
    assert_line(text, "passerelle_unknown_fields_total{" METHOD_LABELS "} 26");
    assert_line(text, "passerelle_call_losses_total{" METHOD_LABELS "} 34");
}

/* A duration at a bound is below it; one nanosecond more is not. */
static void each_bucket_ends_at_its_bound(void **state)
{
    static const struct {
        int64_t bound;
        const char *le;
    } buckets[] = {
        {500000, "0.0005"},  {1000000, "0.001"},  {2500000, "0.0025"}, {5000000, "0.005"},
        {10000000, "0.01"},  {25000000, "0.025"}, {50000000, "0.05"},  {100000000, "0.1"},
        {250000000, "0.25"}, {500000000, "0.5"},  {1000000000, "1"},   {2500000000, "2.5"},
        {5000000000, "5"},   {10000000000, "10"}, {30000000000, "30"},
    };
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof buckets / sizeof *buckets; i++) {
        f->record.time_total = buckets[i].bound;
        telemetry_record(&f->loop, &f->record);
        f->record.time_total = buckets[i].bound + 1;
        telemetry_record(&f->loop, &f->record);
        assert_line(page(f, false),
                    arena_printf(f->arena,
                                 "passerelle_call_duration_seconds_bucket{" METHOD_LABELS
                                 ",le=\"%s\"} %zu",
                                 buckets[i].le, 2 * i + 1));
    }
}

static void durations_fall_into_cumulative_buckets(void **state)
{
    Fixture *f = *state;
    static const int64_t times[] = {100 * MICROSECOND, 500 * MICROSECOND, 501 * MICROSECOND,
                                    31 * SECOND};
    for (size_t i = 0; i < 4; i++) {
        f->record.time_total = times[i];
        telemetry_record(&f->loop, &f->record);
    }
    const char *text = page(f, false);
    assert_line(text, "# TYPE passerelle_call_duration_seconds histogram");
    assert_line(text, "passerelle_call_duration_seconds_bucket{" METHOD_LABELS ",le=\"0.0005\"} 2");
    assert_line(text, "passerelle_call_duration_seconds_bucket{" METHOD_LABELS ",le=\"0.001\"} 3");
    assert_line(text, "passerelle_call_duration_seconds_bucket{" METHOD_LABELS ",le=\"30\"} 3");
    assert_line(text, "passerelle_call_duration_seconds_bucket{" METHOD_LABELS ",le=\"+Inf\"} 4");
    assert_line(text, "passerelle_call_duration_seconds_sum{" METHOD_LABELS "} 31.001101000");
    assert_line(text, "passerelle_call_duration_seconds_count{" METHOD_LABELS "} 4");
    assert_line(text, "passerelle_service_duration_seconds_count{service=\"orders\"} 4");
}

static void errors_are_told_by_both_ends_of_their_chain(void **state)
{
    Fixture *f = *state;
    Result why = FAIL(f->arena, FAULT_SYSTEM, "connecting: refused");
    f->record.why = FAIL_OVER(f->arena, why, FAULT_UPSTREAM_DOWN, "calling");
    f->record.status = (Status){.code = CODE_UNAVAILABLE};
    AttemptRecord failed_one = *f->record.attempts;
    failed_one.code = CODE_UNAVAILABLE;
    f->record.attempts = &failed_one;
    telemetry_record(&f->loop, &f->record);
    f->record.status = (Status){0};
    f->record.degraded = FAULT_UPSTREAM_DOWN.name;
    f->record.degraded_by = FALLBACK_DEFAULT;
    telemetry_record(&f->loop, &f->record);
    telemetry_record(&f->other_loop, &f->record);
    const char *text = page(f, false);
    assert_line(
        text,
        "passerelle_errors_total{service=\"orders\",fault=\"UPSTREAM_DOWN\",side=\"upstream\","
        "origin=\"SYSTEM\",degraded=\"false\"} 1");
    assert_line(
        text,
        "passerelle_errors_total{service=\"orders\",fault=\"UPSTREAM_DOWN\",side=\"upstream\","
        "origin=\"SYSTEM\",degraded=\"true\",by=\"default\"} 2");
    assert_line(text,
                "passerelle_calls_total{service=\"orders\",method=\"shop.orders.v1.Orders/Get\","
                "client_version=\"v1\",served_version=\"v2\",dialect=\"rest\",code=\"OK\","
                "fault=\"UPSTREAM_DOWN\",degraded=\"true\",by=\"default\"} 2");
    assert_line(
        text,
        "passerelle_upstream_calls_total{instance=\"127.0.0.1:7002\",code=\"UNAVAILABLE\"} 3");
}

/* "high" is the impact of the service's route; the opaque one is of no service here. */
static void calls_are_counted_by_impact_and_outcome(void **state)
{
    Fixture *f = *state;
#define OUTCOME(impact, outcome)                                                                   \
    "passerelle_outcomes_total{service=\"orders\",impact=\"" impact "\",outcome=\"" outcome "\"} "
    assert_line(page(f, false), OUTCOME("high", "failed") "0"); /* from the start */
    assert_no(page(f, false), "impact=\"low\"");

    telemetry_record(&f->loop, &f->record);
    f->record.why = FAIL(f->arena, FAULT_UNKNOWN_METHOD, "Get");
    telemetry_record(&f->other_loop, &f->record);
    f->record.why = FAIL(f->arena, FAULT_UPSTREAM_DOWN, "connecting");
    telemetry_record(&f->loop, &f->record);
    telemetry_record(&f->other_loop, &f->record);
    f->record.degraded = FAULT_UPSTREAM_DOWN.name;
    telemetry_record(&f->loop, &f->record);
    const char *text = page(f, false);
    assert_line(text, OUTCOME("high", "good") "1");
    assert_line(text, OUTCOME("high", "client") "1");
    assert_line(text, OUTCOME("high", "failed") "2");
    assert_line(text, OUTCOME("high", "degraded") "1");
#undef OUTCOME
}

static void what_alone_prevented_an_attempt_is_counted_by_service(void **state)
{
    Fixture *f = *state;
    const char *family = "passerelle_retries_refused_total{service=\"orders\",reason=";
    assert_null(strstr(page(f, false), family));
    f->record.retry_refused = RETRY_REFUSED_BUDGET;
    telemetry_record(&f->loop, &f->record);
    telemetry_record(&f->loop, &f->record);
    f->record.retry_refused = RETRY_REFUSED_DEADLINE;
    telemetry_record(&f->loop, &f->record);
    f->record.retry_refused = RETRY_NOT_REFUSED;
    telemetry_record(&f->loop, &f->record);
    const char *text = page(f, false);
    assert_line(text, "passerelle_retries_refused_total{service=\"orders\",reason=\"budget\"} 2");
    assert_line(text, "passerelle_retries_refused_total{service=\"orders\",reason=\"deadline\"} 1");
    assert_null(
        strstr(text, "passerelle_retries_refused_total{service=\"orders\",reason=\"pushback"));
}

/* One that the code calls the caller's, and for each of the others one of the service's. */
static void a_services_own_error_is_the_callers_mistake_by_its_code(void **state)
{
    Fixture *f = *state;
    f->record.why = FAIL(f->arena, FAULT_UPSTREAM_STATUS, "it said so");
    unsigned callers = 0, upstream = 0;
    for (int code = CODE_OK + 1; code < CODE_COUNT; code++) {
        f->record.status = (Status){.code = (Code)code};
        assert_int_equal(telemetry_side(&f->record),
                         code_is_callers((Code)code) ? SIDE_CLIENT : SIDE_UPSTREAM);
        *(code_is_callers((Code)code) ? &callers : &upstream) += 1;
        telemetry_record(&f->loop, &f->record);
    }
    assert_int_equal(callers, 8);
    assert_int_equal(upstream, 8);
    const char *text = page(f, false);
    assert_line(text, "passerelle_errors_total{service=\"orders\",fault=\"UPSTREAM_STATUS\","
                      "side=\"client\",origin=\"UPSTREAM_STATUS\",degraded=\"false\"} 8");
    assert_line(text, "passerelle_errors_total{service=\"orders\",fault=\"UPSTREAM_STATUS\","
                      "side=\"upstream\",origin=\"UPSTREAM_STATUS\",degraded=\"false\"} 8");
    /* What the gateway found itself is judged by its fault alone. */
    f->record.why = FAIL(f->arena, FAULT_UPSTREAM_MESSAGE, "not valid");
    f->record.status = (Status){.code = CODE_NOT_FOUND};
    assert_int_equal(telemetry_side(&f->record), SIDE_UPSTREAM);
}

static void take_failures(void *owner, const MethodTotals *totals)
{
    *(uint64_t *)owner += totals->failures;
}

static uint64_t failures(void)
{
    uint64_t sum = 0;
    method_totals_read(take_failures, &sum);
    return sum;
}

static void totals_of_methods_have_no_mistakes_of_clients(void **state)
{
    Fixture *f = *state;
    uint64_t before = failures();
    f->record.status.code = CODE_DEADLINE_EXCEEDED;
    f->record.why = FAIL(f->arena, FAULT_CLIENT_DEADLINE, "the client's deadline has passed");
    telemetry_record(&f->loop, &f->record);
    assert_int_equal(failures(), before);
    f->record.why = FAIL(f->arena, FAULT_DEADLINE_EXCEEDED, "the gateway's own has");
    telemetry_record(&f->loop, &f->record);
    assert_int_equal(failures(), before + 1);
}

static void calls_without_a_method_are_counted_without_names(void **state)
{
    Fixture *f = *state;
    CallRecord nowhere = {.path = bytes_of("/made/up/by/a/peer"),
                          .status = {.code = CODE_UNIMPLEMENTED}};
    CallRecord opaque = {.route = &f->config->http_routes[0], .dialect = DIALECT_HTTP};
    telemetry_record(&f->loop, &nowhere);
    telemetry_record(&f->loop, &opaque);
    const char *text = page(f, false);
    assert_line(
        text,
        "passerelle_calls_total{service=\"\",method=\"\",client_version=\"\",served_version=\"\","
        "dialect=\"grpc\",code=\"UNIMPLEMENTED\",fault=\"\",degraded=\"false\"} 1");
    assert_line(
        text, "passerelle_calls_total{service=\"\",method=\"/legacy\",client_version=\"\","
              "served_version=\"\",dialect=\"http\",code=\"OK\",fault=\"\",degraded=\"false\"} 1");
    assert_no(text, "made/up");
}

static void each_attempt_counts_for_its_own_instance(void **state)
{
    Fixture *f = *state;
    const Service *service = &f->config->services[0];
    AttemptRecord second = *f->record.attempts, first = {
                                                    .next = &second,
                                                    .instance = &service->instances[0],
                                                    .code = CODE_UNAVAILABLE,
                                                };
    f->record.attempts = &first;
    telemetry_record(&f->loop, &f->record);
    const char *text = page(f, false);
    assert_line(
        text,
        "passerelle_upstream_calls_total{instance=\"127.0.0.1:7001\",code=\"UNAVAILABLE\"} 1");
    assert_line(text, "passerelle_upstream_calls_total{instance=\"127.0.0.1:7002\",code=\"OK\"} 1");
}

static void a_code_that_is_none_counts_as_unknown(void **state)
{
    Fixture *f = *state;
    AttemptRecord odd = *f->record.attempts;
    odd.code = (Code)99;
    f->record.attempts = &odd;
    telemetry_record(&f->loop, &f->record);
    assert_line(page(f, false),
                "passerelle_upstream_calls_total{instance=\"127.0.0.1:7002\",code=\"UNKNOWN\"} 1");
}

static void counts_go_on_after_a_reload(void **state)
{
    Fixture *f = *state;
    telemetry_record(&f->loop, &f->record);
    atomic_fetch_add(&f->config->loss_counts[0], 5);

    Config *next = fixture_config(2);
    telemetry_adopt(next);
    telemetry_record(&f->loop, &f->record); /* a call that began before */
    atomic_fetch_add(&f->config->loss_counts[0], 1);
    config_unref(f->config);
    f->config = next;
    CallRecord record = fixture_record(next);
    telemetry_record(&f->loop, &record);
    atomic_fetch_add(&next->loss_counts[0], 10);

    const char *first = page(f, false), *again = page(f, false);
    assert_line(first, "passerelle_calls_total" CALL_LABELS "3");
    for (int i = 0; i < 2; i++)
        assert_line(i ? again : first,
                    "passerelle_losses_total{service=\"orders\",from=\"v1\",to=\"v2\","
                    "field=\"Order.comment\",kind=\"dropped\"} 16");
    assert_line(again, "passerelle_config_generation 2");
    assert_line(again, "passerelle_config_reloads_total{outcome=\"taken\"} 1");
    assert_line(again, "passerelle_config_last_reload_success 1");
}

static void a_refused_reload_shows_until_one_is_taken(void **state)
{
    Fixture *f = *state;
    telemetry_reload_failed();
    const char *text = page(f, false);
    assert_line(text, "passerelle_config_last_reload_success 0");
    assert_line(text, "passerelle_config_reloads_total{outcome=\"refused\"} 1");
    telemetry_adopt(f->config);
    assert_line(page(f, false), "passerelle_config_last_reload_success 1");
}

static void an_instance_is_down_while_one_loop_leaves_it_alone(void **state)
{
    Fixture *f = *state;
    const Instance *instances = f->config->services[0].instances;
    known_instance_set_down(instances[0].known, true);
    const char *text = page(f, false);
    assert_line(text, "passerelle_upstream_up{service=\"orders\",instance=\"127.0.0.1:7001\"} 0");
    assert_line(text, "passerelle_upstream_up{service=\"orders\",instance=\"127.0.0.1:7002\"} 1");
    known_instance_set_down(instances[0].known, false);
    assert_line(page(f, false),
                "passerelle_upstream_up{service=\"orders\",instance=\"127.0.0.1:7001\"} 1");
}

static void each_bar_of_an_instance_is_a_series(void **state)
{
    Fixture *f = *state;
    Service *service = &f->config->services[0];
    KnownInstance *known = service->instances[0].known;
    assert_null(strstr(page(f, false), "passerelle_instance_barred{"));
    assert_line(page(f, false), "passerelle_service_all_used{service=\"orders\"} 0");
    known_instance_bar(known, BAR_EJECTED, true);
    known_instance_bar(known, BAR_DRAINED, true);
    service->all_used = true;
    const char *text = page(f, false);
    assert_line(text, "passerelle_instance_barred{service=\"orders\",instance=\"127.0.0.1:7001\","
                      "reason=\"ejected\"} 1");
    assert_line(text, "passerelle_instance_barred{service=\"orders\",instance=\"127.0.0.1:7001\","
                      "reason=\"drained\"} 1");
    assert_null(strstr(text, "reason=\"unhealthy\""));
    assert_line(text, "passerelle_service_all_used{service=\"orders\"} 1");
}

static void connections_and_events_are_counted(void **state)
{
    Fixture *f = *state;
    telemetry_count(&f->loop, COUNTER_CONNECTIONS_OPENED);
    telemetry_count(&f->other_loop, COUNTER_CONNECTIONS_OPENED);
    telemetry_count(&f->other_loop, COUNTER_CONNECTIONS_CLOSED);
    telemetry_event("info", "started", OK, "hello");
    telemetry_event("info", "started", OK, "hello again");
    const char *text = page(f, false);
    assert_line(text, "passerelle_connections 1");
    assert_line(text, "passerelle_connections_opened_total 2");
    assert_line(text, "passerelle_events_total{level=\"info\",event=\"started\"} 2");
    assert_line(text, "passerelle_log_dropped_total 0");
    assert_line(text, "passerelle_loops 2");
}

static void the_process_is_seen_as_it_is(void **state)
{
    Fixture *f = *state;
    const char *text = page(f, false);
    double value;
    assert_line(text, "passerelle_build_info{version=\"" VERSION "\"} 1");
    assert_int_equal(sscanf(strstr(text, "\nprocess_resident_memory_bytes "), "%*s %lf", &value),
                     1);
    assert_true(value > 100000);
    assert_int_equal(sscanf(strstr(text, "\nprocess_open_fds "), "%*s %lf", &value), 1);
    assert_in_range(value, 3, 1000);
    assert_int_equal(sscanf(strstr(text, "\nprocess_start_time_seconds "), "%*s %lf", &value), 1);
    double age = (double)clock_wall() / (double)SECOND - value;
    assert_true(age > -1 && age < 600);
}

static void labels_are_escaped(void **state)
{
    Fixture *f = *state;
    Config *odd = fixture_config(2);
    odd->services[0].name = "a\"b\\c\nd";
    telemetry_adopt(odd);
    CallRecord record = fixture_record(odd);
    telemetry_record(&f->loop, &record);
    assert_line(page(f, false),
                "passerelle_service_duration_seconds_count{service=\"a\\\"b\\\\c\\nd\"} 1");
    config_unref(odd);
}

/* Every sample belongs to the family declared last before it, and no family is declared twice. */
static void assert_well_formed(Fixture *f, Bytes text)
{
    Bytes line, family = BYTES_NONE;
    Table families = table_in(f->arena);
    while (bytes_split(&text, '\n', &line) && line.size) {
        if (bytes_start_with(line, "# TYPE ")) {
            Bytes rest = bytes_slice(line, 7, line.size);
            assert_true(bytes_split(&rest, ' ', &family));
            if (table_put(&families, family, f))
                fail_msg("twice: %.*s", BYTES_ARGS(family));
        } else if (line.data[0] != '#') {
            if (!bytes_equal(bytes_slice(line, 0, family.size), family))
                fail_msg("out of its family: %.*s", BYTES_ARGS(line));
        }
    }
    assert_true(families.n > 20);
}

static void both_formats_are_well_formed(void **state)
{
    Fixture *f = *state;
    telemetry_record(&f->loop, &f->record);
    const char *text = page(f, true);
    assert_well_formed(f, bytes_of(text));
    assert_well_formed(f, bytes_of(page(f, false)));
    assert_line(text, "# TYPE passerelle_calls counter");
    assert_line(text, "# TYPE passerelle_build info");
    assert_line(text, "passerelle_calls_total" CALL_LABELS "1");
    assert_true(bytes_end_with(bytes_of(text), "\n# EOF\n"));
    assert_no(page(f, false), "# EOF");
}

static void a_page_can_be_read_before_there_is_a_config(void **state)
{
    Fixture f = {.arena = arena_new(ARENA_UNLIMITED)};
    LogOutputConfig output;
    LogConfig log = log_config_of_file("/dev/null", &output);
    assert_ok(f.arena, telemetry_start(f.arena, &log, NULL));
    const char *text = page(&f, false);
    assert_well_formed(&f, bytes_of(text));
    assert_line(text, "passerelle_loops 0");
    telemetry_stop();
    arena_free(f.arena);
}

static void each_format_is_given_where_it_is_asked_for(void **state)
{
    static const struct {
        const char *accept;
        MetricsFormat format;
    } cases[] = {
        {"application/openmetrics-text;version=1.0.0;q=0.5, text/plain;q=0.3", METRICS_OPENMETRICS},
        {"text/plain, application/openmetrics-text", METRICS_OPENMETRICS},
        {"text/plain;version=0.0.4", METRICS_TEXT},
        {"", METRICS_TEXT},
        {"*/*", METRICS_TEXT},
        /* as Prometheus 2.42 asks with native histograms */
        {"application/"
         "vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
         "application/openmetrics-text;version=1.0.0;q=0.8,application/"
         "openmetrics-text;version=0.0.1;"
         "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         METRICS_PROTOBUF},
        {"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
         "encoding=delimited; q=0.5",
         METRICS_PROTOBUF},
        {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
         METRICS_TEXT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(metrics_format(bytes_of(cases[i].accept)), cases[i].format);
    assert_int_equal(metrics_format(BYTES_NONE), METRICS_TEXT);
}

static void *record_many(void *argument)
{
    Fixture *f = argument;
    for (int i = 0; i < 20000; i++) {
        CallRecord record = f->record;
        record.status.code = (Code)(i % 17);
        record.method = &f->config->services[0].versions[i & 1].methods[0];
        telemetry_record(&f->other_loop, &record);
    }
    return NULL;
}

static void pages_can_be_read_while_calls_are_counted(void **state)
{
    Fixture *f = *state;
    pthread_t loop;
    assert_int_equal(pthread_create(&loop, NULL, record_many, f), 0);
    for (int i = 0; i < 30; i++)
        assert_well_formed(f, bytes_of(page(f, false)));
    pthread_join(loop, NULL);
    assert_line(page(f, false),
                "passerelle_service_duration_seconds_count{service=\"orders\"} 20000");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_of_all_loops_are_one_sum),
        TEST(each_counter_of_a_call_moves),
        TEST(each_bucket_ends_at_its_bound),
        TEST(durations_fall_into_cumulative_buckets),
        TEST(errors_are_told_by_both_ends_of_their_chain),
        TEST(calls_are_counted_by_impact_and_outcome),
        TEST(what_alone_prevented_an_attempt_is_counted_by_service),
        TEST(a_services_own_error_is_the_callers_mistake_by_its_code),
        TEST(totals_of_methods_have_no_mistakes_of_clients),
        TEST(calls_without_a_method_are_counted_without_names),
        TEST(each_attempt_counts_for_its_own_instance),
        TEST(a_code_that_is_none_counts_as_unknown),
        TEST(counts_go_on_after_a_reload),
        TEST(a_refused_reload_shows_until_one_is_taken),
        TEST(an_instance_is_down_while_one_loop_leaves_it_alone),
        TEST(each_bar_of_an_instance_is_a_series),
        TEST(connections_and_events_are_counted),
        TEST(the_process_is_seen_as_it_is),
        TEST(labels_are_escaped),
        TEST(both_formats_are_well_formed),
        TEST(pages_can_be_read_while_calls_are_counted),
        cmocka_unit_test(a_page_can_be_read_before_there_is_a_config),
        cmocka_unit_test(each_format_is_given_where_it_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
