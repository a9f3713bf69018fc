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
        uint32_t of_service = 1;
        Code read;
        assert_true(code_read_digits(bytes_of(code_digits((Code)code)), &read, &of_service));
        assert_int_equal(read, code);
        assert_int_equal(of_service, 0);
    }
    assert_string_equal(code_connect_name(CODE_CANCELLED), "canceled");
    assert_string_equal(code_connect_name(CODE_DEADLINE_EXCEEDED), "deadline_exceeded");
    Code kept = CODE_ABORTED;
    assert_false(code_by_connect_name(bytes_of("ok"), &kept));
    assert_false(code_by_connect_name(bytes_of("CANCELED"), &kept));
    assert_int_equal(kept, CODE_ABORTED);
}

static void a_grpc_status_is_googles_or_the_services_own_or_unknown(void **state)
{
    static const struct {
        const char *digits;
        Code code;
        uint32_t of_service;
        bool malformed;
    } rows[] = {
        {"0", CODE_OK, 0},
        {"16", CODE_UNAUTHENTICATED, 0},
        {"17", CODE_UNKNOWN, 17},
        {"2021", CODE_UNKNOWN, 2021},
        {"0017", CODE_UNKNOWN, 17},
        {"2147483647", CODE_UNKNOWN, 2147483647},
        {"2147483648", CODE_UNKNOWN, 0, true},
        {"18446744073709551617", CODE_UNKNOWN, 0, true},
        {"-1", CODE_UNKNOWN, 0, true},
        {"17 ", CODE_UNKNOWN, 0, true},
        {"abc", CODE_UNKNOWN, 0, true},
        {"", CODE_UNKNOWN, 0, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t of_service = 1;
        Code code;
        assert_int_equal(code_read_digits(bytes_of(rows[i].digits), &code, &of_service),
                         !rows[i].malformed);
        assert_int_equal(code, rows[i].code);
        assert_int_equal(of_service, rows[i].of_service);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grpc_codes_become_the_http_codes_of_connects_table),
        cmocka_unit_test(http_infers_only_what_the_mapping_says),
        cmocka_unit_test(a_rest_service_means_what_its_status_says),
        cmocka_unit_test(the_names_go_both_ways),
        cmocka_unit_test(a_grpc_status_is_googles_or_the_services_own_or_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
