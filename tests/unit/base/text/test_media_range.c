#include "base/text/media_range.h"

#include "tests/unit/check.h"

#include <stdio.h>

/* "type@quality type@quality" */
static void assert_ranges(const char *list, const char *expected)
{
    char text[512] = "";
    MediaRange range;
    Bytes rest = bytes_of(list);
    while (media_range_next(&rest, &range))
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.*s@%u", text[0] ? " " : "",
                 BYTES_ARGS(range.type), range.quality);
    assert_string_equal(text, expected);
}

static void a_list_is_taken_apart_and_empty_elements_say_nothing(void **state)
{
    assert_ranges("", "");
    assert_ranges(" , ,", "");
    assert_ranges("a/b", "a/b@1000");
    assert_ranges(" a/b ,c/d;x=1 ; q=0.5,, e/*", "a/b@1000 c/d@500 e/*@1000");
    assert_ranges("v3;q=1, v2 ; Q=0.25 ;x", "v3@1000 v2@250");
    assert_ranges(";q=0.5", "@500");
}

static void a_weight_is_a_number_up_to_one_in_thousandths(void **state)
{
    static const struct {
        const char *q;
        unsigned quality;
    } rows[] = {
        {"0", 0},        {"0.", 0},     {"0.0", 0},     {"0.001", 1}, {"0.0009", 0},
        {"0.5", 500},    {".5", 500},   {"0.999", 999}, {"1", 1000},  {"1.", 1000},
        {"1.000", 1000}, {"1.5", 1000}, {"2", 1000},    {"10", 1000}, {"x", 0},
        {"-1", 0},       {"0.5.5", 0},  {"1e0", 0},     {"", 0},      {"\"0.5\"", 500},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char list[32];
        MediaRange range;
        snprintf(list, sizeof list, "a/b;q=%s", rows[i].q);
        Bytes rest = bytes_of(list);
        assert_true(media_range_next(&rest, &range));
        if (range.quality != rows[i].quality)
            fail_msg("%s: %u", list, range.quality);
    }
}

static void separators_in_quotes_separate_nothing(void **state)
{
    Bytes rest = bytes_of("a/b;x=\"1,2;version=9\\\",\";version=\"2\", c/d");
    MediaRange range;
    assert_true(media_range_next(&rest, &range));
    assert_bytes(range.type, "a/b");
    assert_bytes(media_parameter(range.parameters, "version"), "2");
    assert_bytes(media_parameter(range.parameters, "x"), "1,2;version=9\\\",");
    assert_true(media_range_next(&rest, &range));
    assert_bytes(range.type, "c/d");
    assert_false(media_range_next(&rest, &range));
    assert_ranges("a/b;x=\"1, c/d", "a/b@1000"); /* a quote that never ends */
    assert_ranges("a/b;x=\"1\\", "a/b@1000");
}

static void a_parameter_is_found_by_its_name_in_any_case(void **state)
{
    Bytes parameters = bytes_of("Version=2; version=3;empty=;bare;quoted=\"\"; q=1");
    assert_bytes(media_parameter(parameters, "version"), "2");
    assert_bytes(media_parameter(parameters, "empty"), "");
    assert_bytes(media_parameter(parameters, "quoted"), "");
    assert_non_null(media_parameter(parameters, "empty").data);
    assert_null(media_parameter(parameters, "bare").data);
    assert_null(media_parameter(parameters, "none").data);
    assert_null(media_parameter(BYTES_NONE, "version").data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_taken_apart_and_empty_elements_say_nothing),
        cmocka_unit_test(a_weight_is_a_number_up_to_one_in_thousandths),
        cmocka_unit_test(separators_in_quotes_separate_nothing),
        cmocka_unit_test(a_parameter_is_found_by_its_name_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
