#include "adapters/text/number_text.h"

#include "tests/unit/check.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void assert_double(double number, const char *expected)
{
    uint8_t text[NUMBER_TEXT_MAX];
    size_t size = number_write_double(text, number);
    assert_bytes(bytes(text, size), expected);
}

static void assert_float(float number, const char *expected)
{
    uint8_t text[NUMBER_TEXT_MAX];
    size_t size = number_write_float(text, number);
    assert_bytes(bytes(text, size), expected);
}

static void integers_are_written_in_full(void **state)
{
    const uint64_t numbers[] = {0,
                                9,
                                10,
                                99,
                                100,
                                12345,
                                UINT64_C(9999999999999999999),
                                UINT64_C(10000000000000000000),
                                UINT64_MAX};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        char expected[32];
        uint8_t text[NUMBER_TEXT_MAX];
        snprintf(expected, sizeof(expected), "%llu", (unsigned long long)numbers[i]);
        assert_bytes(bytes(text, number_write_u64(text, numbers[i])), expected);
    }
    uint8_t text[NUMBER_TEXT_MAX];
    assert_bytes(bytes(text, number_write_i64(text, INT64_MIN)), "-9223372036854775808");
}

static void doubles_are_written_as_short_as_they_can_be_read_back(void **state)
{
    assert_double(0, "0");
    assert_double(-0.0, "-0");
    assert_double(1, "1");
    assert_double(-1.25, "-1.25");
    assert_double(0.1, "0.1");
    assert_double(0.0001, "0.0001");
    assert_double(0.00001, "1e-05");
    assert_double(1e15, "1e+15");
    assert_double(999999999999999, "999999999999999");
    assert_double(1.0 / 3, "0.33333333333333331");
    assert_double(DBL_MAX, "1.7976931348623157e+308");
    assert_double(5e-324, "4.94065645841247e-324");
    assert_float(0.1f, "0.1");
    assert_float(16777216.0f, "16777216");
    assert_float(1e6f, "1e+06");
    assert_float(999999.0f, "999999");
    assert_float(1.0f / 3, "0.33333334");
    assert_float(FLT_MAX, "3.402823466e+38");
    assert_float(-FLT_MAX, "-3.402823466e+38");
    assert_float(nextafterf(FLT_MAX, 0), "3.4028233e+38");
}

/* The short way beside the C library's long one. */
static void random_doubles_are_written_as_printf_does(void **state)
{
    srand48(7);
    for (int i = 0; i < 200000; i++) {
        double number = i % 3 == 0   ? (double)(lrand48() % 1000000) / 1000.0
                        : i % 3 == 1 ? (double)mrand48() * 1e-7
                                     : ldexp(drand48(), (int)(lrand48() % 200) - 100);
        char expected[40];
        snprintf(expected, sizeof(expected), "%.15g", number);
        if (strtod(expected, NULL) != number)
            snprintf(expected, sizeof(expected), "%.17g", number);
        assert_double(number, expected);
    }
}

static void whole_numbers_are_read_in_any_spelling(void **state)
{
    static const struct {
        const char *text;
        int64_t number;
    } rows[] = {
        {"0", 0},
        {"-0", 0},
        {"12", 12},
        {"-9223372036854775808", INT64_MIN},
        {"9223372036854775807", INT64_MAX},
        {"1.0", 1},
        {"1.50e1", 15},
        {"1e3", 1000},
        {"100e-2", 1},
        {"0.001E+3", 1},
        {"0e99999999999", 0},
        {"1200000000000000000.0", 1200000000000000000},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int64_t number;
        assert_true(number_read_i64(bytes_of(rows[i].text), &number));
        assert_int_equal(number, rows[i].number);
    }
    uint64_t number;
    assert_true(number_read_u64(bytes_of("18446744073709551615"), &number));
    assert_int_equal(number, UINT64_MAX);
    assert_true(number_read_u64(bytes_of("-0"), &number));
    static const char *const largest[] = {"1.8446744073709551615e19", "18446744073709551615.0",
                                          "18446744073709551615e0", "184467440737095516150e-1",
                                          "0.18446744073709551615E+20"};
    for (size_t i = 0; i < sizeof largest / sizeof *largest; i++) {
        assert_true(number_read_u64(bytes_of(largest[i]), &number));
        assert_int_equal(number, UINT64_MAX);
    }
    assert_true(number_read_u64(bytes_of("1.0000000000000000001e19"), &number));
    assert_int_equal(number, UINT64_C(10000000000000000001));
}

static void what_is_no_whole_number_in_range_is_refused(void **state)
{
    const char *texts[] = {"",
                           "-",
                           "+1",
                           "01",
                           "1.5",
                           "1e-1",
                           "1e",
                           "1e+",
                           ".5",
                           "1.",
                           " 1",
                           "1 ",
                           "0x1",
                           "9223372036854775808",
                           "-9223372036854775809",
                           "1e19",
                           "1e99999999999999",
                           "NaN"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        int64_t number;
        if (number_read_i64(bytes_of(texts[i]), &number))
            fail_msg("\"%s\" was read as a number", texts[i]);
    }
    uint64_t number;
    assert_false(number_read_u64(bytes_of("18446744073709551616"), &number));
    static const char *const beyond[] = {"-1",
                                         "1.8446744073709551616e19",
                                         "1.84467440737095516155e19",
                                         "1.8446744073709551615e20",
                                         "18446744073709551615e1",
                                         "9.9999999999999999999e19",
                                         "1844674407370955161.5",
                                         "-1.8446744073709551615e19"};
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        if (number_read_u64(bytes_of(beyond[i]), &number))
            fail_msg("\"%s\" was read as a number", beyond[i]);
    }
}

static void doubles_are_read_exactly(void **state)
{
    const char *texts[] = {"0.1",
                           "1e23",
                           "-2.5e-3",
                           "123456789012345678901234567890",
                           "5e-324",
                           "1.7976931348623157e308",
                           "9007199254740993",
                           "0.000001",
                           "1e-400"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        double number;
        assert_true(number_read_double(bytes_of(texts[i]), &number));
        assert_true(number == strtod(texts[i], NULL));
    }
    double number;
    float small;
    assert_false(number_read_double(bytes_of("1e309"), &number));
    assert_false(number_read_double(bytes_of("Infinity"), &number));
    assert_false(number_read_float(bytes_of("1e39"), &small));
    assert_true(number_read_float(bytes_of("3.4028235e38"), &small));
    assert_true(small == FLT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_written_in_full),
        cmocka_unit_test(doubles_are_written_as_short_as_they_can_be_read_back),
        cmocka_unit_test(random_doubles_are_written_as_printf_does),
        cmocka_unit_test(whole_numbers_are_read_in_any_spelling),
        cmocka_unit_test(what_is_no_whole_number_in_range_is_refused),
        cmocka_unit_test(doubles_are_read_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
