#include "tests/unit/check.h"
#include "tests/unit/gateway/telemetry_fixture.h"

#include "adapters/schema/wire.h"
#include "gateway/headers/baggage.h"
#include "gateway/otlp/otlp_wire.h"
#include "gateway/trace/span_write.h"

static const TraceContext within = {.known = true,
                                    .recorded = true,
                                    .trace_id = "0af7651916cd43dd8448eb211c80319c",
                                    .caller = "b7ad6b7169203331",
                                    .span = "00f067aa0ba902b7"};

enum { /* fields of a Span */
       TRACE_ID = 1,
       SPAN_ID = 2,
       PARENT = 4,
       NAME = 5,
       KIND = 6,
       START = 7,
       ATTRIBUTE = 9,
       STATUS = 15,
};
enum { INTERNAL = 1, SERVER = 2, CLIENT = 3, ERROR = 2 };

static Bytes write_redacted(Fixture *f, const TraceContext *context, int64_t began,
                            const char *const *redact)
{
    Random random;
    Buffer out = buffer_in(f->arena);
    random_seed_fixed(&random, 1);
    uint32_t n = spans_write(&f->record, context, began, &random, redact, &out);
    assert_int_equal(n, 2);
    return buffer_bytes(&out);
}

/* The spans of the fixture's call. */
static Bytes write_spans(Fixture *f, const TraceContext *context, int64_t began)
{
    return write_redacted(f, context, began, NULL);
}

static Bytes span_at(Bytes spans, uint32_t number)
{
    WireReader reader = wire_reader(spans);
    WireField field = {0};
    for (uint32_t i = 0; i <= number; i++)
        assert_true(wire_next(&reader, &field));
    assert_int_equal(field.number, 2); /* ScopeSpans.spans */
    return field.bytes;
}

static uint64_t number_in(Bytes message, uint32_t number)
{
    WireReader reader = wire_reader(message);
    for (WireField field; wire_next(&reader, &field);)
        if (field.number == number)
            return field.value;
    return 0;
}

/* The text of an attribute; empty: there is none. */
static Bytes said(Bytes span, const char *key)
{
    WireReader reader = wire_reader(span);
    for (WireField field; wire_next(&reader, &field);)
        if (field.number == ATTRIBUTE && bytes_are(wire_find_bytes(field.bytes, 1), key))
            return wire_find_bytes(wire_find_bytes(field.bytes, 2), 1);
    return BYTES_NONE;
}

static void a_call_and_each_of_its_attempts_are_spans(void **state)
{
    Bytes spans = write_spans(*state, &within, 0);
    Bytes call = span_at(spans, 0), attempt = span_at(spans, 1);
    assert_int_equal(number_in(call, KIND), SERVER);
    assert_int_equal(number_in(attempt, KIND), CLIENT);
    assert_bytes(wire_find_bytes(call, PARENT), "\xb7\xad\x6b\x71\x69\x20\x33\x31");
    Bytes parent = wire_find_bytes(attempt, PARENT), span = wire_find_bytes(call, SPAN_ID);
    assert_int_equal(parent.size, 8);
    assert_memory_equal(parent.data, span.data, 8);
    assert_int_equal(wire_find_bytes(attempt, SPAN_ID).size, 8);
    assert_int_equal(wire_find_bytes(attempt, TRACE_ID).size, 16);
    assert_null(wire_find_bytes(call, STATUS).data);
}

static void an_attempt_has_the_span_that_its_instance_was_told(void **state)
{
    Fixture *f = *state;
    AttemptRecord attempt = *f->record.attempts;
    attempt.span = UINT64_C(0x0102030405060708);
    f->record.attempts = &attempt;
    Bytes spans = write_spans(f, &within, 0);
    assert_bytes(wire_find_bytes(span_at(spans, 1), SPAN_ID), "\1\2\3\4\5\6\7\10");
}

static void a_trace_that_the_gateway_has_begun_has_no_parent(void **state)
{
    Fixture *f = *state;
    Random random;
    TraceContext begun = {0};
    random_seed_fixed(&random, 1);
    trace_context_start(&begun, &random);
    assert_null(wire_find_bytes(span_at(write_spans(f, &begun, 0), 0), PARENT).data);
}

static void times_of_attempts_are_those_of_the_wall(void **state)
{
    Fixture *f = *state;
    int64_t began = f->record.attempts->began - MILLISECOND;
    Bytes spans = write_spans(f, &within, began);
    assert_int_equal(number_in(span_at(spans, 0), START), f->record.began);
    assert_int_equal(number_in(span_at(spans, 1), START), f->record.began + MILLISECOND);
}

static void legs_and_steps_are_no_calls_of_clients(void **state)
{
    Fixture *f = *state;
    f->record.leg = "bill";
    Bytes leg = span_at(write_spans(f, &within, 0), 0);
    assert_int_equal(number_in(leg, KIND), INTERNAL);
    assert_bytes(said(leg, "passerelle.leg"), "bill");
    f->record.leg = NULL;
    f->record.step_of = "job-1";
    assert_int_equal(number_in(span_at(write_spans(f, &within, 0), 0), KIND), INTERNAL);
}

static void failures_say_their_causes(void **state)
{
    Fixture *f = *state;
    Result origin = FAIL(f->arena, FAULT_UPSTREAM_DOWN, "connecting to 10.0.0.7");
    f->record.why = FAIL_OVER(f->arena, origin, FAULT_UPSTREAM_DOWN, "calling orders");
    f->record.status.code = CODE_UNAVAILABLE;
    Bytes call = span_at(write_spans(f, &within, 0), 0), status = wire_find_bytes(call, STATUS);
    assert_bytes(wire_find_bytes(status, 2), "calling orders: connecting to 10.0.0.7");
    assert_int_equal(number_in(status, 3), ERROR);
    assert_bytes(said(call, "error.type"), "UPSTREAM_DOWN");
}

static void mistakes_of_clients_are_no_errors(void **state)
{
    Fixture *f = *state;
    f->record.why = FAIL(f->arena, FAULT_UNKNOWN_PATH, "finding /nowhere");
    f->record.status.code = CODE_UNIMPLEMENTED;
    Bytes call = span_at(write_spans(f, &within, 0), 0);
    assert_null(wire_find_bytes(call, STATUS).data);
    assert_bytes(said(call, "error.type"), "UNKNOWN_PATH");
    assert_bytes(said(call, "passerelle.causes"), "finding /nowhere");
}

static void texts_are_whole_up_to_a_size_and_cut_beyond(void **state)
{
    Fixture *f = *state;
    char text[OTLP_TEXT_MOST + 1];
    memset(text, 'x', sizeof text);
    f->record.path = bytes(text, OTLP_TEXT_MOST);
    assert_int_equal(said(span_at(write_spans(f, &within, 0), 0), "url.path").size, OTLP_TEXT_MOST);
    f->record.path = bytes(text, OTLP_TEXT_MOST + 1);
    assert_in_range(said(span_at(write_spans(f, &within, 0), 0), "url.path").size, 1,
                    OTLP_TEXT_MOST);
}

static void long_causes_and_names_are_cut(void **state)
{
    Fixture *f = *state;
    char text[2 * OTLP_TEXT_MOST];
    memset(text, 'x', sizeof text);
    f->record.why = FAIL(f->arena, FAULT_UPSTREAM_DOWN, "%.*s", OTLP_TEXT_MOST / 2 - 1, text);
    for (int i = 0; i < 3; i++)
        f->record.why = FAIL_OVER(f->arena, f->record.why, FAULT_UPSTREAM_DOWN, "%.*s",
                                  OTLP_TEXT_MOST / 2 - 1, text);
    f->record.status.code = CODE_UNAVAILABLE;
    f->record.method = NULL;
    f->record.verb = bytes(text, sizeof text);
    Bytes call = span_at(write_spans(f, &within, 0), 0);
    assert_in_range(wire_find_bytes(wire_find_bytes(call, STATUS), 2).size, OTLP_TEXT_MOST / 2,
                    OTLP_TEXT_MOST);
    assert_bytes(wire_find_bytes(call, NAME),
                 "HTTP orders"); /* verbs that clients invent are one */
}

static void what_is_redacted_is_in_no_span(void **state)
{
    static const char *const redact[] = {"path", "client", NULL};
    Fixture *f = *state;
    f->record.dialect = DIALECT_REST;
    f->record.path = bytes_of("/v1/orders/secret");
    f->record.client = bytes_of("ada");
    f->record.why = FAIL(f->arena, FAULT_UNKNOWN_PATH, "finding /v1/orders/secret");
    Bytes spans = write_redacted(f, &within, 0, redact), call = span_at(spans, 0);
    assert_bytes(said(call, "url.path"), "redacted");
    assert_bytes(said(call, "enduser.id"), "redacted");
    assert_bytes(said(call, "error.type"), "UNKNOWN_PATH");
    assert_null(memmem(spans.data, spans.size, "secret", 6));
    assert_bytes(said(span_at(write_spans(f, &within, 0), 0), "url.path"), "/v1/orders/secret");
}

static void members_of_baggage_and_instances_are_redacted_by_their_names(void **state)
{
    static const char *const redact[] = {"tenant", "instance", NULL};
    Fixture *f = *state;
    BaggageNotes *notes = arena_alloc(f->arena, sizeof *notes + 2 * sizeof notes->items[0]);
    notes->n = 2;
    notes->items[0].name = "tenant";
    notes->items[0].value = bytes_of("acme");
    notes->items[1].name = "zone";
    notes->items[1].value = bytes_of("north");
    TraceContext context = within;
    context.noted = notes;
    Bytes spans = write_redacted(f, &context, 0, redact), call = span_at(spans, 0);
    assert_bytes(said(call, "tenant"), "redacted");
    assert_bytes(said(call, "zone"), "north");
    assert_bytes(said(span_at(spans, 1), "server.address"), "redacted");
    assert_bytes(said(span_at(write_spans(f, &context, 0), 0), "tenant"), "acme");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_and_each_of_its_attempts_are_spans),
        TEST(an_attempt_has_the_span_that_its_instance_was_told),
        TEST(a_trace_that_the_gateway_has_begun_has_no_parent),
        TEST(times_of_attempts_are_those_of_the_wall),
        TEST(legs_and_steps_are_no_calls_of_clients),
        TEST(failures_say_their_causes),
        TEST(mistakes_of_clients_are_no_errors),
        TEST(texts_are_whole_up_to_a_size_and_cut_beyond),
        TEST(long_causes_and_names_are_cut),
        TEST(what_is_redacted_is_in_no_span),
        TEST(members_of_baggage_and_instances_are_redacted_by_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
