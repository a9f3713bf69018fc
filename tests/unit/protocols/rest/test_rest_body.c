/* Streams of JSON as the body of a response. */
#include "protocols/rest/rest.h"

#include "tests/unit/check.h"

static Arena *arena;
static Buffer out;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    out = buffer_in(arena);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static Call call_with(const char *accept, const char *last_id)
{
    Fields *head = arena_make(arena, Fields);
    *head = fields_in(arena);
    fields_add_text(head, "accept", accept);
    if (last_id)
        fields_add_text(head, "last-event-id", last_id);
    return (Call){.dialect = DIALECT_REST, .head = head};
}

static RestBody begun(const char *accept, const char *last_id)
{
    Call call = call_with(accept, last_id);
    return rest_body_of(&call);
}

static void lines_are_messages_alone(void **state)
{
    RestBody body = begun("*/*", NULL);
    rest_body_add(&body, bytes_of("{}"), &out);
    rest_body_add(&body, bytes_of("1"), &out);
    rest_body_fail(&body, bytes_of("{\"error\":1}"), true, &out);
    rest_body_end(&body, bytes_of("{}"), &out);
    assert_bytes(buffer_bytes(&out), "{}\n1\n{\"error\":1}\n");
    assert_int_equal(body.written, 2);
}

static void an_array_is_one_json_value_whenever_it_ends(void **state)
{
    RestBody body = begun("application/json", NULL);
    rest_body_end(&body, bytes_of("{}"), &out);
    assert_bytes(buffer_bytes(&out), "[]");
    out.size = 0;
    rest_body_add(&body, bytes_of("{}"), &out);
    assert_bytes(buffer_bytes(&out), "[\n{}\n");
    rest_body_add(&body, bytes_of("2"), &out);
    RestBody failed = body;
    Buffer with_error = buffer_in(arena);
    buffer_add_bytes(&with_error, buffer_bytes(&out));
    rest_body_end(&body, bytes_of("{}"), &out);
    assert_bytes(buffer_bytes(&out), "[\n{}\n,2\n]");
    rest_body_fail(&failed, bytes_of("{\"error\":1}"), true, &with_error);
    assert_bytes(buffer_bytes(&with_error), "[\n{}\n,2\n,{\"error\":1}\n]");
}

static void results_are_lines_as_grpc_gateway_writes_them(void **state)
{
    Call call = call_with("application/json", NULL);
    call.usual_stream = REST_STREAM_RESULTS;
    RestBody body = rest_body_of(&call);
    rest_body_add(&body, bytes_of("{}"), &out);
    rest_body_add(&body, bytes_of("1"), &out);
    rest_body_end(&body, bytes_of("{}"), &out);
    assert_bytes(buffer_bytes(&out), "{\"result\":{}}\n{\"result\":1}\n");
    assert_int_equal(body.written, 2);
    out.size = 0;
    rest_body_fail(&body, bytes_of("{\"error\":1}"), true, &out);
    assert_bytes(buffer_bytes(&out), "{\"error\":1}\n");
}

static void events_count_on_from_the_last_that_the_client_had(void **state)
{
    static const struct {
        const char *last_id;
        const char *expected;
    } rows[] = {
        {NULL, "id: 1\n"},        {"0", "id: 1\n"}, {"7", "id: 8\n"},   {" 7 ", "id: 8\n"},
        {"someone's", "id: 1\n"}, {"", "id: 1\n"},  {"end", "id: 1\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        RestBody body = begun("text/event-stream", rows[i].last_id);
        out.size = 0;
        rest_body_add(&body, bytes_of("{}"), &out);
        assert_true(bytes_start_with(buffer_bytes(&out), rows[i].expected));
    }
    RestBody body = begun("text/event-stream", "41");
    out.size = 0;
    rest_body_add(&body, bytes_of("{}"), &out);
    rest_body_add(&body, bytes_of("[]"), &out);
    rest_body_end(&body, bytes_of("{\"a\":1}"), &out);
    assert_bytes(buffer_bytes(&out), "id: 42\ndata: {}\n\nid: 43\ndata: []\n\n"
                                     "event: end\nid: end\ndata: {\"a\":1}\n\n");
}

static void only_events_are_over_and_only_by_the_last_ones_id(void **state)
{
    static const struct {
        const char *accept, *last_id;
        bool over;
    } rows[] = {
        {"text/event-stream", "end", true},
        {"text/event-stream", "END", false},
        {"text/event-stream", "7", false},
        {"text/event-stream", NULL, false},
        {"*/*", "end", false},
        {"application/json", "end", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Call call = call_with(rows[i].accept, rows[i].last_id);
        assert_int_equal(rest_body_is_over(&call), rows[i].over);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(lines_are_messages_alone),
        TEST(an_array_is_one_json_value_whenever_it_ends),
        TEST(results_are_lines_as_grpc_gateway_writes_them),
        TEST(events_count_on_from_the_last_that_the_client_had),
        TEST(only_events_are_over_and_only_by_the_last_ones_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
