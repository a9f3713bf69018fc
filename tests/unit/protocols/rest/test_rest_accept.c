/* What REST clients take, by their Accept field. */
#include "protocols/rest/rest.h"

#include "tests/unit/check.h"

static Call call_that_accepts(const char *accept, Fields *head)
{
    *head = (Fields){0};
    static Field field;
    field = (Field){bytes_of("accept"), bytes_of(accept)};
    if (accept)
        *head = (Fields){.items = &field, .n = 1};
    return (Call){.dialect = DIALECT_REST, .head = head};
}

static void assert_json_is(bool accepted, const char *accept)
{
    Fields head;
    Call call = call_that_accepts(accept, &head);
    if (rest_accepts(&call, false) != accepted)
        fail_msg("accept: %s", accept);
}

static void json_is_accepted_by_its_names_and_by_families(void **state)
{
    static const char *const good[] = {NULL,
                                       "",
                                       " ",
                                       "*/*",
                                       "application/*",
                                       "Application/JSON",
                                       "application/json;version=2",
                                       "application/vnd.shop.v2+json",
                                       "text/html, */*;q=0.001",
                                       "text/html,,application/json",
                                       "application/json; q=1.000",
                                       "text/html;q=1,application/json;Q=0.5"};
    static const char *const bad[] = {
        "text/html", "application/jsonx",    "application/x-ndjson",     "text/*", "json", "*",
        "+json",     "application/json;q=0", "application/json; q=0.000"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_json_is(true, good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_json_is(false, bad[i]);
}

/* RFC 9110 section 12.5.1: "The most specific reference has precedence". */
static void the_most_precise_range_decides(void **state)
{
    assert_json_is(false, "*/*, application/json;q=0");
    assert_json_is(true, "*/*;q=0, application/*;q=0, application/json");
    assert_json_is(false, "*/*, application/*;q=0");
    assert_json_is(true, "application/json;q=0, application/json");
}

static void a_stream_is_what_is_wanted_more_and_lines_when_in_doubt(void **state)
{
    static const struct {
        const char *accept;
        bool accepted;
        RestStream stream;
    } rows[] = {
        {NULL, true, REST_STREAM_LINES},
        {"*/*", true, REST_STREAM_LINES},
        {"application/json", true, REST_STREAM_ARRAY},
        {"application/*", true, REST_STREAM_LINES},
        {"application/vnd.shop.v2+json", true, REST_STREAM_ARRAY},
        {"application/json, text/plain, */*", true, REST_STREAM_ARRAY},
        {"application/json;q=0.9, */*;q=0.8", true, REST_STREAM_ARRAY},
        {"application/json;q=0.8, */*;q=0.9", true, REST_STREAM_LINES},
        {"application/json, application/x-ndjson", true, REST_STREAM_LINES},
        {"application/json, application/x-ndjson;q=0.9", true, REST_STREAM_ARRAY},
        {"application/x-ndjson, application/json;q=0.9", true, REST_STREAM_LINES},
        {"application/json, text/event-stream", true, REST_STREAM_EVENTS},
        {"application/json, text/event-stream;q=0.9", true, REST_STREAM_ARRAY},
        {"application/json;q=0, */*", true, REST_STREAM_LINES},
        {"application/x-ndjson", true, REST_STREAM_LINES},
        {"text/event-stream", true, REST_STREAM_EVENTS},
        {"TEXT/*", true, REST_STREAM_EVENTS},
        {"text/event-stream, */*", true, REST_STREAM_EVENTS},
        {"text/event-stream;q=0.9, */*", true, REST_STREAM_LINES},
        {"text/event-stream, */*;q=0.9", true, REST_STREAM_EVENTS},
        {"application/x-ndjson;q=0.8, text/event-stream;q=0.81", true, REST_STREAM_EVENTS},
        {"text/event-stream;q=0, */*", true, REST_STREAM_LINES},
        {"text/html", false, REST_STREAM_LINES},
        {"text/event-stream;q=0, application/json;q=0", false, REST_STREAM_LINES},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Fields head;
        Call call = call_that_accepts(rows[i].accept, &head);
        if (rest_accepts(&call, true) != rows[i].accepted ||
            rest_stream_of(&call) != rows[i].stream)
            fail_msg("accept: %s", rows[i].accept);
    }
}

static void a_route_says_what_is_usual_where_accept_does_not_decide(void **state)
{
    static const struct {
        const char *accept;
        RestStream array, results; /* where these are usual */
    } rows[] = {
        {NULL, REST_STREAM_ARRAY, REST_STREAM_RESULTS},
        {"*/*", REST_STREAM_ARRAY, REST_STREAM_RESULTS},
        {"application/*", REST_STREAM_ARRAY, REST_STREAM_RESULTS},
        {"application/json", REST_STREAM_ARRAY, REST_STREAM_RESULTS},
        {"application/json, application/x-ndjson", REST_STREAM_ARRAY, REST_STREAM_RESULTS},
        {"application/json;q=0.9, application/x-ndjson", REST_STREAM_LINES, REST_STREAM_LINES},
        {"application/x-ndjson", REST_STREAM_LINES, REST_STREAM_LINES},
        {"application/x-ndjson;q=0.5, */*;q=0.4", REST_STREAM_LINES, REST_STREAM_LINES},
        {"text/event-stream", REST_STREAM_EVENTS, REST_STREAM_EVENTS},
        {"text/event-stream, */*", REST_STREAM_EVENTS, REST_STREAM_EVENTS},
        {"text/event-stream;q=0.9, */*", REST_STREAM_ARRAY, REST_STREAM_RESULTS},
        {"application/x-ndjson, text/event-stream;q=0.9", REST_STREAM_LINES, REST_STREAM_LINES},
        {"text/html", REST_STREAM_ARRAY, REST_STREAM_RESULTS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Fields head;
        Call call = call_that_accepts(rows[i].accept, &head);
        call.usual_stream = REST_STREAM_ARRAY;
        RestStream array = rest_stream_of(&call);
        call.usual_stream = REST_STREAM_RESULTS;
        if (array != rows[i].array || rest_stream_of(&call) != rows[i].results)
            fail_msg("accept: %s", rows[i].accept);
    }
}

static void odd_qualities_do_no_harm(void **state)
{
    static const char *const odd[] = {"application/json;q=",
                                      "application/json;q",
                                      "application/json;q=x",
                                      "application/json;q=0.xyz",
                                      "application/json;q=0.1234567",
                                      ";q=1",
                                      ",",
                                      ";;;",
                                      "application/json;;q=0.5"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        Fields head;
        Call call = call_that_accepts(odd[i], &head);
        (void)rest_accepts(&call, true);
    }
    assert_json_is(true, "application/json;q=0.1234567");
    assert_json_is(true, "application/json;;q=0.5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_accepted_by_its_names_and_by_families),
        cmocka_unit_test(the_most_precise_range_decides),
        cmocka_unit_test(a_stream_is_what_is_wanted_more_and_lines_when_in_doubt),
        cmocka_unit_test(a_route_says_what_is_usual_where_accept_does_not_decide),
        cmocka_unit_test(odd_qualities_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
