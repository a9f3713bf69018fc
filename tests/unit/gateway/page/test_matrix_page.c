#include "tests/unit/check.h"

#include "gateway/page/matrix_page.h"
#include "gateway/telemetry/call_matrix.h"
#include "tests/unit/gateway/telemetry_fixture.h"

static void record(Fixture *f, Loop *loop, uint32_t served, int64_t duration)
{
    CallRecord one = f->record;
    one.served_version = &f->config->services[0].versions[served];
    one.time_total = duration;
    telemetry_record(loop, &one);
}

static void a_cell_has_the_calls_of_all_loops_between_two_versions(void **state)
{
    Fixture *f = *state;
    CallMatrix matrix;
    for (int i = 0; i < 99; i++)
        record(f, i % 2 ? &f->loop : &f->other_loop, 1, 10 * MILLISECOND);
    record(f, &f->loop, 1, SECOND);
    record(f, &f->loop, 0, MILLISECOND);
    call_matrix_read(f->arena, &matrix);
    assert_int_equal(matrix.n_cells, 2);
    const MatrixCell *same = &matrix.cells[0], *other = &matrix.cells[1];
    assert_string_equal(same->served, "v1");
    assert_int_equal(same->calls, 1);
    assert_true(same->p99 > MILLISECOND * 95 / 100 && same->p99 < MILLISECOND * 105 / 100);
    assert_string_equal(other->service, "orders");
    assert_string_equal(other->client, "v1");
    assert_string_equal(other->served, "v2");
    assert_int_equal(other->calls, 100);
    assert_true(other->p50 > 10 * MILLISECOND * 95 / 100 &&
                other->p50 < 10 * MILLISECOND * 105 / 100);
    assert_true(other->p99 < 11 * MILLISECOND);
}

static void failed_and_degraded_calls_are_counted_apart(void **state)
{
    Fixture *f = *state;
    CallMatrix matrix;
    CallRecord bad = f->record;
    bad.status.code = CODE_INTERNAL;
    telemetry_record(&f->loop, &bad);
    telemetry_record(&f->loop, &bad);
    bad.why = FAIL(f->arena, FAULT_UPSTREAM_DOWN, "no instance");
    bad.degraded = "stale";
    bad.degraded_by = FALLBACK_STALE;
    bad.served_version = NULL;
    telemetry_record(&f->loop, &bad);
    call_matrix_read(f->arena, &matrix);
    assert_int_equal(matrix.n_cells, 2);
    assert_string_equal(matrix.cells[0].served, "");
    assert_int_equal(matrix.cells[0].errors, 0);
    assert_int_equal(matrix.cells[0].degraded, 1);
    assert_int_equal(matrix.cells[1].calls, 2);
    assert_int_equal(matrix.cells[1].errors, 2);
    assert_int_equal(matrix.cells[1].degraded, 0);
}

static void mistakes_of_clients_are_no_errors(void **state)
{
    Fixture *f = *state;
    CallMatrix matrix;
    CallRecord bad = f->record;
    bad.why = FAIL(f->arena, FAULT_UPSTREAM_STATUS, "the instance says so");
    bad.status.code = CODE_NOT_FOUND;
    telemetry_record(&f->loop, &bad);
    bad.why = (Result){NULL};
    bad.status.code = CODE_INVALID_ARGUMENT;
    telemetry_record(&f->other_loop, &bad);
    bad.why = FAIL(f->arena, FAULT_CLIENT_STALLED, "it does not read");
    bad.status.code = CODE_UNAVAILABLE;
    telemetry_record(&f->loop, &bad);
    bad.why = FAIL(f->arena, FAULT_UPSTREAM_DOWN, "no instance");
    bad.status.code = CODE_NOT_FOUND; /* of a route that translates codes */
    telemetry_record(&f->loop, &bad);
    bad.why = FAIL(f->arena, FAULT_UPSTREAM_STATUS, "the instance says so");
    bad.status.code = CODE_INTERNAL;
    telemetry_record(&f->loop, &bad);
    call_matrix_read(f->arena, &matrix);
    assert_int_equal(matrix.n_cells, 1);
    assert_int_equal(matrix.cells[0].calls, 5);
    assert_int_equal(matrix.cells[0].mistakes, 3);
    assert_int_equal(matrix.cells[0].errors, 2);
}

static void the_page_has_what_was_lost_and_what_may_be(void **state)
{
    Fixture *f = *state;
    record(f, &f->loop, 1, 10 * MILLISECOND);
    record(f, &f->loop, 0, 0);
    atomic_fetch_add(&f->config->loss_counts[0], 3);
    Buffer out = buffer_in(f->arena);
    matrix_page_write(f->config, &out);
    const char *page = arena_text(f->arena, buffer_bytes(&out));
    assert_non_null(strstr(page, "{\"since\":\"20"));
    const char *expected =
        "\"services\":[{\"service\":\"orders\",\"versions\":[\"v1\",\"v2\"],\"cells\":["
        "{\"client_version\":\"v1\",\"served_version\":\"v1\",\"calls\":1,\"errors\":0,"
        "\"mistakes\":0,\"degraded\":0,\"p50_ms\":0,\"p99_ms\":0,\"lost\":[],\"losses\":0,"
        "\"loses\":[]},"
        "{\"client_version\":\"v1\",\"served_version\":\"v2\",\"calls\":1,\"errors\":0,"
        "\"mistakes\":0,\"degraded\":0,\"p50_ms\":9.7,\"p99_ms\":9.7,\"lost\":[{\"field\":\"Order."
        "comment\","
        "\"kind\":\"dropped\",\"from\":\"v1\",\"to\":\"v2\",\"calls\":3}],\"losses\":3,"
        "\"loses\":[\"Order.comment\"]}]}]}";
    if (!strstr(page, expected))
        fail_msg("%s", page);
}

static void of_a_service_that_nobody_called_there_are_no_cells(void **state)
{
    Fixture *f = *state;
    Buffer out = buffer_in(f->arena);
    CallRecord opaque = f->record;
    opaque.method = NULL;
    opaque.route = &f->config->http_routes[0];
    opaque.client_version = opaque.served_version = NULL;
    telemetry_record(&f->loop, &opaque);
    matrix_page_write(f->config, &out);
    assert_true(bytes_end_with(buffer_bytes(&out), "\"cells\":[]}]}"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_begin, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_cell_has_the_calls_of_all_loops_between_two_versions),
        TEST(failed_and_degraded_calls_are_counted_apart),
        TEST(mistakes_of_clients_are_no_errors),
        TEST(the_page_has_what_was_lost_and_what_may_be),
        TEST(of_a_service_that_nobody_called_there_are_no_cells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
