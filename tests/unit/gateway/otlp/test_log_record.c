#include "gateway/otlp/log_record.h"

#include "adapters/schema/wire.h"
#include "base/arena.h"

#include "tests/unit/check.h"

enum { /* fields of a LogRecord */
       TIME = 1,
       SEVERITY = 2,
       SEVERITY_TEXT = 3,
       BODY = 5,
       ATTRIBUTE = 6,
       FLAGS = 8,
       TRACE = 9,
       SPAN = 10,
       OBSERVED = 11,
       EVENT = 12,
};

static Arena *arena;
static bool written;
static const char *const *hidden; /* NULL: nothing is */

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    hidden = NULL;
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

/* The record; empty: none was written. */
static Bytes record_of_least(const char *line, LogLevel least)
{
    Buffer out = buffer_in(arena);
    const LogRecordForm form = {.least = least, .redact = hidden, .observed = 77};
    written = log_record_write(bytes_of(line), &form, arena, &out);
    assert_int_equal(written, out.size > 0);
    return wire_find_bytes(buffer_bytes(&out), 2);
}

static Bytes record_of(const char *line)
{
    return record_of_least(line, LOG_INFO);
}

static uint64_t number_in(Bytes message, uint32_t number)
{
    WireReader reader = wire_reader(message);
    for (WireField field; wire_next(&reader, &field);)
        if (field.number == number)
            return field.value;
    return 0;
}

/* The AnyValue of an attribute; empty: there is none. */
static Bytes said(Bytes record, const char *key)
{
    WireReader reader = wire_reader(record);
    for (WireField field; wire_next(&reader, &field);)
        if (field.number == ATTRIBUTE && bytes_are(wire_find_bytes(field.bytes, 1), key))
            return wire_find_bytes(field.bytes, 2);
    return BYTES_NONE;
}

static Bytes text_said(Bytes record, const char *key)
{
    return wire_find_bytes(said(record, key), 1);
}

#define CALL                                                                                       \
    "{\"time\":\"2026-11-30T10:00:00.250Z\",\"log\":\"call\",\"level\":\"error\",\"node\":\"n\","  \
    "\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\",\"span_id\":\"10f067aa0ba902b7\","          \
    "\"verb\":\"GET\",\"path\":\"/v1/orders/7\",\"method\":\"shop.v1.Orders/Get\","                \
    "\"code\":\"UNAVAILABLE\",\"http_status\":503,\"total_ms\":1.500,"                             \
    "\"attempts\":[{\"instance\":\"a:1\",\"ms\":2}],\"spilled\":18446744073709551615}"

static void a_call_says_what_was_called_and_in_which_span(void **state)
{
    Bytes record = record_of(CALL);
    assert_int_equal(number_in(record, TIME), INT64_C(1796032800250000000));
    assert_int_equal(number_in(record, OBSERVED), 77);
    assert_int_equal(number_in(record, SEVERITY), 17);
    assert_bytes(wire_find_bytes(record, SEVERITY_TEXT), "error");
    assert_bytes(wire_find_bytes(wire_find_bytes(record, BODY), 1),
                 "shop.v1.Orders/Get UNAVAILABLE");
    assert_bytes(wire_find_bytes(record, EVENT), "passerelle.call");
    assert_bytes(wire_find_bytes(record, SPAN), "\x10\xf0\x67\xaa\x0b\xa9\x02\xb7");
    assert_int_equal(wire_find_bytes(record, TRACE).size, 16);
    assert_int_equal(number_in(record, FLAGS), 1);
}

static void members_are_attributes_under_the_names_of_spans(void **state)
{
    Bytes record = record_of(CALL);
    assert_bytes(text_said(record, "http.request.method"), "GET");
    assert_bytes(text_said(record, "url.path"), "/v1/orders/7");
    assert_bytes(text_said(record, "passerelle.code"), "UNAVAILABLE");
    assert_int_equal(number_in(said(record, "http.response.status_code"), 3), 503);
    assert_null(said(record, "passerelle.node").data);
    assert_null(said(record, "passerelle.level").data);
    assert_null(said(record, "passerelle.trace_id").data);
}

static void numbers_are_whole_where_they_can_be(void **state)
{
    Bytes record = record_of(CALL);
    double millis, large;
    uint64_t bits = number_in(said(record, "passerelle.total_ms"), 4);
    memcpy(&millis, &bits, sizeof millis);
    assert_true(millis == 1.5);
    bits = number_in(said(record, "passerelle.spilled"), 4); /* more than an int64 */
    memcpy(&large, &bits, sizeof large);
    assert_true(large > 1.8e19);
    assert_int_equal(
        number_in(said(record_of("{\"level\":\"info\",\"n\":9223372036854775807}"), "passerelle.n"),
                  3),
        INT64_MAX);
}

static void lists_and_objects_are_nested_as_in_the_line(void **state)
{
    Bytes list = wire_find_bytes(said(record_of(CALL), "passerelle.attempts"), 5);
    Bytes object = wire_find_bytes(wire_find_bytes(list, 1), 6);
    Bytes last = wire_find_bytes(object, 1);
    assert_bytes(wire_find_bytes(last, 1), "ms");
    assert_int_equal(number_in(wire_find_bytes(last, 2), 3), 2);
}

static void an_event_has_its_name_and_its_message(void **state)
{
    Bytes record = record_of("{\"time\":\"2026-11-30T10:00:00Z\",\"log\":\"event\",\"level\":"
                             "\"warning\",\"event\":\"upstream_down\",\"message\":\"it is down\","
                             "\"known\":true,\"gone\":null}");
    assert_bytes(wire_find_bytes(record, EVENT), "passerelle.upstream_down");
    assert_bytes(wire_find_bytes(wire_find_bytes(record, BODY), 1), "it is down");
    assert_int_equal(number_in(record, SEVERITY), 13);
    assert_int_equal(number_in(said(record, "passerelle.known"), 2), 1);
    assert_int_equal(said(record, "passerelle.gone").size, 0);
    assert_null(wire_find_bytes(record, TRACE).data);
}

static void a_trace_that_is_not_recorded_has_no_span(void **state)
{
    Bytes record =
        record_of("{\"log\":\"call\",\"level\":\"info\",\"verb\":\"GET\",\"path\":\"/x\","
                  "\"code\":\"OK\",\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\"}");
    assert_int_equal(wire_find_bytes(record, TRACE).size, 16);
    assert_null(wire_find_bytes(record, SPAN).data);
    assert_int_equal(number_in(record, FLAGS), 0);
    assert_bytes(wire_find_bytes(wire_find_bytes(record, BODY), 1), "GET /x OK");
}

static void what_the_log_does_not_show_is_not_sent(void **state)
{
    hidden = (const char *const[]){"path", NULL};
    Bytes record =
        record_of("{\"log\":\"call\",\"level\":\"info\",\"verb\":\"GET\",\"path\":\"/secret\","
                  "\"code\":\"OK\"}");
    assert_bytes(text_said(record, "url.path"), "redacted");
    assert_bytes(wire_find_bytes(wire_find_bytes(record, BODY), 1), "GET redacted OK");
}

static void lines_below_a_level_are_left_out(void **state)
{
    static const char info[] = "{\"level\":\"info\"}", warning[] = "{\"level\":\"warning\"}",
                      error[] = "{\"level\":\"error\"}";
    record_of_least(info, LOG_INFO);
    assert_true(written);
    record_of_least(info, LOG_WARNING);
    assert_false(written);
    record_of_least(warning, LOG_WARNING);
    assert_true(written);
    record_of_least(warning, LOG_ERROR);
    assert_false(written);
    record_of_least(error, LOG_ERROR);
    assert_true(written);
}

static void what_is_no_line_of_the_log_is_left_out(void **state)
{
    static const char *const lines[] = {
        "", "no JSON", "[]", "{}", "{\"level\":\"debug\"}", "{\"level\":\"info\"", "{\"level\":1}"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        record_of(lines[i]);
        assert_false(written);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_says_what_was_called_and_in_which_span),
        TEST(members_are_attributes_under_the_names_of_spans),
        TEST(numbers_are_whole_where_they_can_be),
        TEST(lists_and_objects_are_nested_as_in_the_line),
        TEST(an_event_has_its_name_and_its_message),
        TEST(a_trace_that_is_not_recorded_has_no_span),
        TEST(what_the_log_does_not_show_is_not_sent),
        TEST(lines_below_a_level_are_left_out),
        TEST(what_is_no_line_of_the_log_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
