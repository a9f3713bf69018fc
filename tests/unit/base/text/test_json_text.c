#include "base/text/json_text.h"

#include "tests/unit/check.h"

static Arena *arena;

static Bytes written(const char *text)
{
    Buffer out = buffer_in(arena);
    json_text_add(&out, bytes_of(text));
    return buffer_bytes(&out);
}

static bool is_json(const char *text)
{
    JsonCursor cursor = json_cursor(bytes_of(text), arena);
    json_cursor_skip(&cursor);
    return json_cursor_finish(&cursor);
}

static void a_string_is_escaped_and_repaired(void **state)
{
    assert_bytes(written("say \"hi\"\\\n\t\r\x01"), "\"say \\\"hi\\\"\\\\\\n\\t\\r\\u0001\"");
    assert_bytes(written("\xc3\xbc\xff"), "\"\xc3\xbc\xef\xbf\xbd\"");
    assert_bytes(written(""), "\"\"");
    assert_bytes(written("\x7f\xc2\x9b\xc2\x9f\xc2\xa0"), "\"\\u007f\\u009b\\u009f\xc2\xa0\"");
    assert_bytes(written("\xc2\x80"), "\"\\u0080\"");
}

static void members_are_parted_by_commas(void **state)
{
    Buffer out = buffer_in(arena);
    buffer_add_text(&out, "{");
    json_text_add_key(&out, "a");
    buffer_add_text(&out, "{");
    json_text_add_key(&out, "b");
    buffer_add_text(&out, "1}");
    json_text_add_key(&out, "c\"");
    buffer_add_text(&out, "2}");
    assert_bytes(buffer_bytes(&out), "{\"a\":{\"b\":1},\"c\\\"\":2}");
}

static void members_and_elements_have_their_commas(void **state)
{
    Buffer out = buffer_in(arena);
    buffer_add_text(&out, "{");
    json_text_add_member(&out, "a", bytes_of("\"x\""));
    json_text_add_number(&out, "b", UINT64_MAX);
    json_text_add_bool(&out, "c", true);
    json_text_add_bool(&out, "d", false);
    json_text_add_key(&out, "e");
    buffer_add_byte(&out, '[');
    for (int i = 0; i < 3; i++) {
        json_text_add_element(&out);
        json_text_add(&out, bytes_of("y"));
    }
    buffer_add_text(&out, "]}");
    assert_bytes(buffer_bytes(&out), "{\"a\":\"\\\"x\\\"\",\"b\":18446744073709551615,\"c\":true,"
                                     "\"d\":false,\"e\":[\"y\",\"y\",\"y\"]}");
}

static void a_cursor_walks_objects_and_arrays(void **state)
{
    JsonCursor cursor = json_cursor(
        bytes_of(" {\"a\" : [1, -2.5e3,true ] ,\"b\":{}, \"c\":\"x\\u00fc\\ud83d\\ude00\\n\"} "),
        arena);
    bool first = true, first_element = true;
    Bytes name;
    assert_true(json_cursor_member(&cursor, &first, &name));
    assert_bytes(name, "a");
    assert_true(json_cursor_element(&cursor, &first_element));
    assert_bytes(json_cursor_skip(&cursor), "1");
    assert_true(json_cursor_element(&cursor, &first_element));
    assert_bytes(json_cursor_skip(&cursor), "-2.5e3");
    assert_true(json_cursor_element(&cursor, &first_element));
    assert_int_equal(json_cursor_peek(&cursor), JSON_KIND_BOOL);
    assert_bytes(json_cursor_skip(&cursor), "true");
    assert_false(json_cursor_element(&cursor, &first_element));
    assert_true(json_cursor_member(&cursor, &first, &name));
    assert_bytes(name, "b");
    assert_bytes(json_cursor_skip(&cursor), "{}");
    assert_true(json_cursor_member(&cursor, &first, &name));
    assert_bytes(name, "c");
    assert_bytes(json_cursor_string(&cursor), "x\xc3\xbc\xf0\x9f\x98\x80\n");
    assert_false(json_cursor_member(&cursor, &first, &name));
    assert_true(json_cursor_finish(&cursor));
}

static void what_is_not_json_is_found(void **state)
{
    static const char *const good[] = {"null", "0",  "-0",      "10",      "0.5",
                                       "1E+2", "[]", "[[],{}]", "\"\\/\"", " 1 "};
    static const char *const bad[] = {
        "",          "nul",         "01",          "-",
        "1.",        ".5",          "1e",          "+1",
        "[1,]",      "[1",          "{\"a\"}",     "{\"a\":1,}",
        "{a:1}",     "[1 2]",       "\"",          "\"\\x\"",
        "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\"", "\"\xff\"",
        "\"\n\"",    "1 1",         "[",           "]",
        "{,}",       "truefalse",   "'a'",         "\"\\ud800\\u0041\"",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(is_json(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(is_json(bad[i]));
}

static void nesting_has_an_end(void **state)
{
    char deep[4096];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_false(is_json(deep));
}

static void a_time_is_a_text_in_utc_with_the_digits_that_it_needs(void **state)
{
    static const struct {
        int64_t seconds;
        int32_t nanos;
        const char *text;
    } rows[] = {
        {0, 0, "1970-01-01T00:00:00Z"},
        {-1, 0, "1969-12-31T23:59:59Z"},
        {1764450305, 0, "2025-11-29T21:05:05Z"},
        {1764450305, 250000000, "2025-11-29T21:05:05.250Z"},
        {1764450305, 1000, "2025-11-29T21:05:05.000001Z"},
        {1764450305, 999999999, "2025-11-29T21:05:05.999999999Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Buffer out = buffer_in(arena);
        buffer_add_byte(&out, '{');
        json_text_add_time(&out, "at", rows[i].seconds, rows[i].nanos);
        json_text_add_time(&out, "\"", 0, 0);
        buffer_add_byte(&out, '}');
        const char *expected =
            arena_printf(arena, "{\"at\":\"%s\",\"\\\"\":\"1970-01-01T00:00:00Z\"}", rows[i].text);
        assert_bytes(buffer_bytes(&out), expected);
    }
}

int main(void)
{
    arena = arena_new(1 << 20);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_string_is_escaped_and_repaired),
        cmocka_unit_test(members_are_parted_by_commas),
        cmocka_unit_test(members_and_elements_have_their_commas),
        cmocka_unit_test(a_time_is_a_text_in_utc_with_the_digits_that_it_needs),
        cmocka_unit_test(a_cursor_walks_objects_and_arrays),
        cmocka_unit_test(what_is_not_json_is_found),
        cmocka_unit_test(nesting_has_an_end),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(arena);
    return failures;
}
