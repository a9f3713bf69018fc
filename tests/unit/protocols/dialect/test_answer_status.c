/* What the errors of REST instances mean. */
#include "protocols/dialect/answer_status.h"
#include "protocols/dialect/error_details.h"

#include "tests/unit/check.h"
#include "tests/unit/protocols/dialect/detail_json.h"

static Arena *arena;
static Status status;
static Bytes foreign;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static void read_body(uint16_t http_status, const char *body)
{
    DetailJson by = detail_json_in(arena);
    assert_ok(arena, rest_status_read(http_status, bytes_of(body), &by, arena, &status, &foreign));
}

static Bytes detail_text(const ErrorDetail *detail)
{
    DetailJson by = detail_json_in(arena);
    Buffer json = buffer_in(arena);
    error_detail_to_json(detail, &by, arena, &json);
    return buffer_bytes(&json);
}

static void a_problem_says_what_happened_and_http_the_code(void **state)
{
    read_body(404,
              "{\"type\":\"/problems/none\",\"title\":\"Nothing\",\"status\":400,\"detail\":\"no "
              "order 42\",\"x\":[1]}");
    assert_int_equal(status.code, CODE_NOT_FOUND);
    assert_int_equal(status.http_status, 404);
    assert_bytes(status.message, "no order 42");
    read_body(409, "{\"title\":\"Nothing\",\"detail\":5}");
    assert_int_equal(status.code, CODE_ABORTED);
    assert_bytes(status.message, "Nothing");
}

static void our_own_problem_keeps_its_code_and_details_of_unknown_types(void **state)
{
    read_body(400, "{\"type\":\"about:blank\",\"status\":400,\"detail\":\"not "
                   "paid\",\"code\":\"FAILED_PRECONDITION\","
                   "\"details\":[{\"@type\":\"t.com/shop.Unknown\",\"value\":\"+/"
                   "8=\"},{\"@type\":\"t.com/shop.Known\",\"a\":1}]}");
    assert_int_equal(status.code, CODE_FAILED_PRECONDITION);
    ErrorDetails details = error_details_read(status.details, arena);
    assert_int_equal(details.n, 2);
    assert_bytes(details.items[0].type_url, "t.com/shop.Unknown");
    assert_bytes(details.items[0].value, "\xfb\xff");
    assert_bytes(detail_text(&details.items[1]),
                 "{\"@type\":\"type.googleapis.com/google.protobuf.Struct\","
                 "\"value\":{\"@type\":\"t.com/shop.Known\",\"a\":1}}");
}

static void an_aip_193_error_has_http_in_code_and_the_name_in_status(void **state)
{
    read_body(409, "{\"error\":{\"code\":409,\"message\":\"there "
                   "already\",\"status\":\"ALREADY_EXISTS\",\"details\":[{\"@type\":"
                   "\"type.googleapis.com/"
                   "google.rpc.ErrorInfo\",\"reason\":\"TWICE\",\"domain\":\"shop\",\"metadata\":{"
                   "\"id\":\"42\"}}]}}");
    assert_int_equal(status.code, CODE_ALREADY_EXISTS);
    assert_bytes(status.message, "there already");
    ErrorDetails details = error_details_read(status.details, arena);
    assert_int_equal(details.n, 1);
    assert_bytes(detail_text(&details.items[0]),
                 "{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"TWICE\","
                 "\"domain\":\"shop\",\"metadata\":{\"id\":\"42\"}}");
}

static void a_grpc_gateways_code_is_the_grpc_number(void **state)
{
    read_body(400, "{\"error\":\"late\",\"code\":11,\"message\":\"out of range\",\"details\":[]}");
    assert_int_equal(status.code, CODE_OUT_OF_RANGE);
    assert_bytes(status.message, "out of range");
    read_body(400, "{\"error\":\"invalid_grant\"}");
    assert_int_equal(status.code, CODE_INVALID_ARGUMENT);
    assert_bytes(status.message, "invalid_grant");
}

static void what_is_no_object_among_the_details_is_passed_over(void **state)
{
    read_body(400, "{\"details\":[7,\"text\",null,{\"@type\":\"type.googleapis.com/"
                   "google.rpc.RetryInfo\",\"retryDelay\":\"1.5s\"},[]]}");
    ErrorDetails details = error_details_read(status.details, arena);
    assert_int_equal(details.n, 1);
    assert_bytes(
        detail_text(&details.items[0]),
        "{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"1.500s\"}");
}

static void details_that_are_no_list_are_passed_over(void **state)
{
    read_body(400, "{\"details\":{\"a\":1},\"message\":\"no\"}");
    assert_bytes(status.message, "no");
    assert_int_equal(status.details.size, 0);
}

static void details_above_the_limit_are_left_out(void **state)
{
    for (size_t n = ERROR_DETAILS_MOST - 1; n <= ERROR_DETAILS_MOST + 1; n++) {
        Buffer body = buffer_in(arena);
        buffer_add_text(&body, "{\"message\":\"no\",\"details\":[");
        for (size_t i = 0; i < n; i++)
            buffer_printf(&body, "%s{\"@type\":\"t.com/a.B\",\"value\":\"\"}", i ? "," : "");
        buffer_add_text(&body, "]}");
        buffer_add_byte(&body, '\0');
        read_body(400, (const char *)body.data);
        assert_bytes(status.message, "no");
        assert_int_equal(error_details_read(status.details, arena).n,
                         n < ERROR_DETAILS_MOST ? n : ERROR_DETAILS_MOST);
    }
}

static void any_other_body_leaves_the_word_to_http(void **state)
{
    static const char *const bodies[] = {"",
                                         "<html>",
                                         "\"text\"",
                                         "[{}]",
                                         "{\"code\":",
                                         "{\"code\":\"NOT_FOUND\"} x",
                                         "{\"code\":\"OK\"}",
                                         "{\"code\":0}",
                                         "{\"code\":404}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        read_body(503, bodies[i]);
        assert_int_equal(status.code, CODE_UNAVAILABLE);
        assert_bytes(status.message, "the service returned HTTP status 503 Service Unavailable");
        assert_bytes(foreign, bodies[i]);
    }
    read_body(503, "{\"message\":\"away\"}");
    assert_int_equal(foreign.size, 0);
    read_body(204, "");
    assert_int_equal(status.code, CODE_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_problem_says_what_happened_and_http_the_code),
        cmocka_unit_test(our_own_problem_keeps_its_code_and_details_of_unknown_types),
        cmocka_unit_test(an_aip_193_error_has_http_in_code_and_the_name_in_status),
        cmocka_unit_test(a_grpc_gateways_code_is_the_grpc_number),
        cmocka_unit_test(what_is_no_object_among_the_details_is_passed_over),
        cmocka_unit_test(details_that_are_no_list_are_passed_over),
        cmocka_unit_test(details_above_the_limit_are_left_out),
        cmocka_unit_test(any_other_body_leaves_the_word_to_http),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
