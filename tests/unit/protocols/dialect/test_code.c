#include "protocols/dialect/code.h"

#include "tests/unit/check.h"

static void grpc_codes_become_the_http_codes_of_connects_table(void **state)
{
    static const uint16_t expected[CODE_COUNT] = {200, 499, 500, 400, 504, 404, 409, 403, 429,
                                                  400, 409, 400, 501, 500, 503, 500, 401};
    for (int code = 0; code < CODE_COUNT; code++) {
        assert_int_equal(http_of_code((Code)code), expected[code]);
        assert_int_equal(rest_http_of_code((Code)code), expected[code]);
    }
    assert_int_equal(http_of_code((Code)99), 500);
}

static void http_infers_only_what_the_mapping_says(void **state)
{
    static const struct {
        uint16_t http;
        Code code;
    } rows[] = {
        {400, CODE_INTERNAL},      {401, CODE_UNAUTHENTICATED}, {403, CODE_PERMISSION_DENIED},
        {404, CODE_UNIMPLEMENTED}, {429, CODE_UNAVAILABLE},     {502, CODE_UNAVAILABLE},
        {503, CODE_UNAVAILABLE},   {504, CODE_UNAVAILABLE},     {200, CODE_UNKNOWN},
        {409, CODE_UNKNOWN},       {418, CODE_UNKNOWN},         {500, CODE_UNKNOWN},
        {501, CODE_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(code_inferred_from_http(rows[i].http), rows[i].code);
}

static void a_rest_service_means_what_its_status_says(void **state)
{
    static const struct {
        uint16_t http;
        Code code;
    } rows[] = {
        {200, CODE_OK},
        {204, CODE_OK},
        {400, CODE_INVALID_ARGUMENT},
        {401, CODE_UNAUTHENTICATED},
        {403, CODE_PERMISSION_DENIED},
        {404, CODE_NOT_FOUND},
        {409, CODE_ABORTED},
        {412, CODE_FAILED_PRECONDITION},
        {429, CODE_RESOURCE_EXHAUSTED},
        {499, CODE_CANCELLED},
        {500, CODE_INTERNAL},
        {501, CODE_UNIMPLEMENTED},
        {503, CODE_UNAVAILABLE},
        {504, CODE_DEADLINE_EXCEEDED},
        {422, CODE_INVALID_ARGUMENT},
        {302, CODE_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(rest_code_of_http(rows[i].http), rows[i].code);
}

static void the_names_go_both_ways(void **state)
{
    for (int code = 1; code < CODE_COUNT; code++) {
        Code back = CODE_OK;
        assert_true(code_by_connect_name(bytes_of(code_connect_name((Code)code)), &back));
        assert_int_equal(back, code);
        assert_true(code_by_name(bytes_of(code_name((Code)code)), &back));
        assert_int_equal(back, code);
        assert_int_equal(code_of_digits(bytes_of(code_digits((Code)code))), code);
    }
    assert_string_equal(code_connect_name(CODE_CANCELLED), "canceled");
    assert_string_equal(code_connect_name(CODE_DEADLINE_EXCEEDED), "deadline_exceeded");
    Code kept = CODE_ABORTED;
    assert_false(code_by_connect_name(bytes_of("ok"), &kept));
    assert_false(code_by_connect_name(bytes_of("CANCELED"), &kept));
    assert_int_equal(kept, CODE_ABORTED);
}

static void an_odd_grpc_status_is_unknown(void **state)
{
    assert_int_equal(code_of_digits(bytes_of("17")), CODE_UNKNOWN);
    assert_int_equal(code_of_digits(bytes_of("-1")), CODE_UNKNOWN);
    assert_int_equal(code_of_digits(bytes_of("abc")), CODE_UNKNOWN);
    assert_int_equal(code_of_digits(bytes_of("")), CODE_UNKNOWN);
    assert_int_equal(code_of_digits(bytes_of("0")), CODE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grpc_codes_become_the_http_codes_of_connects_table),
        cmocka_unit_test(http_infers_only_what_the_mapping_says),
        cmocka_unit_test(a_rest_service_means_what_its_status_says),
        cmocka_unit_test(the_names_go_both_ways),
        cmocka_unit_test(an_odd_grpc_status_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
