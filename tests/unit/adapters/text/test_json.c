#include "adapters/text/json.h"

#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int begin(void **state)
{
    *state = arena_new(1 << 24);
    return 0;
}

static int end(void **state)
{
    arena_free(*state);
    return 0;
}

static JsonNode *parse(Arena *arena, const char *text)
{
    JsonNode *root;
    assert_ok(arena, json_parse(arena, bytes_of(text), NULL, &root));
    return root;
}

static void assert_refused(Arena *arena, const char *text, size_t size)
{
    JsonNode *root;
    Result r = json_parse(arena, bytes(text, size), NULL, &root);
    if (!failed(r))
        fail_msg("%.*s was taken for JSON", (int)size, text);
    assert_string_equal(r.error->fault->name, "BAD_JSON");
    assert_null(root);
}

static void a_tree_is_written_as_it_was_read(void **state)
{
    const char *texts[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "12.5e-3",
        "1E+2",
        "\"\"",
        "[]",
        "{}",
        "[1,[2,[]],{}]",
        "{\"a\":1,\"b\":{\"c\":[null]},\"a\":2}",
        "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
        "\"a long string that needs no escape at all\"",
        "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\"",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        Buffer out = buffer_in(*state);
        json_write(&out, parse(*state, texts[i]));
        assert_bytes(buffer_bytes(&out), texts[i]);
    }
}

static void blanks_are_allowed_between_tokens_only(void **state)
{
    JsonNode *root = parse(*state, " \t\r\n{ \"a\" : [ 1 , 2 ] } \n");
    assert_int_equal(root->count, 1);
    assert_int_equal(json_member(root, "a")->count, 2);
    assert_bytes(json_member(root, "a")->text, "[ 1 , 2 ]");
    assert_int_equal(json_member(root, "a")->offset, 12);
    assert_refused(*state, "1 2", 3);
    assert_refused(*state, "tr ue", 5);
    assert_refused(*state, "\f1", 2);
}

static void escapes_are_undone(void **state)
{
    assert_bytes(parse(*state, "\"a\\/\\u0041\\u00e9\\u20ac\\ud83d\\ude00\xc3\xa9z\"")->text,
                 "a/A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9z");
    JsonNode *nul = parse(*state, "\"a\\u0000b\"");
    assert_int_equal(nul->text.size, 3);
    assert_memory_equal(nul->text.data, "a\0b", 3);
}

static void a_member_is_a_text_or_a_number_or_is_missing(void **state)
{
    JsonNode *root = parse(*state, "{\"a\":\"x\",\"n\":7,\"most\":9223372036854775807,"
                                   "\"more\":9223372036854775808,\"less\":-1}");
    assert_bytes(json_member_text(root, "a"), "x");
    assert_int_equal(json_member_text(root, "b").size, 0);
    assert_int_equal(json_member_number(root, "n"), 7);
    assert_int_equal(json_member_number(root, "most"), INT64_MAX);
    assert_int_equal(json_member_number(root, "more"), 0);
    assert_int_equal(json_member_number(root, "less"), 0);
    assert_int_equal(json_member_number(root, "a"), 0);
    assert_int_equal(json_member_number(root, "b"), 0);
}

static void strings_without_escapes_are_borrowed(void **state)
{
    const char *text = "{\"name\":\"value\"}";
    JsonNode *child = parse(*state, text)->first;
    assert_ptr_equal(child->name.data, text + 2);
    assert_ptr_equal(child->text.data, text + 9);
}

static void what_is_not_json_is_refused(void **state)
{
    const char *texts[] = {
        "",
        " ",
        "nul",
        "nulll",
        "True",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "1e+",
        "0x1",
        "NaN",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\" 1}",
        "{1:2}",
        "]",
        "}",
        "\"",
        "\"a",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\\ud83d\\ud83d\"",
        "'a'",
        "\"a\nb\"",
        "\"\x80\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\\n\xff\"",
        "[1]x",
        "\xef\xbb\xbf{}",
        "/**/1",
        "\"\\",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_refused(*state, texts[i], strlen(texts[i]));
    assert_refused(*state, "\"\0\"", 3);
    assert_refused(*state, "1\0", 2);
}

static void every_text_cut_off_is_refused(void **state)
{
    const char *text = "{\"a\":[1.5e3,true,null,\"x\\u00e9\\n\xc3\xa9\"],\"b\":{\"c\":false}}";
    for (size_t size = 0; size < strlen(text); size++)
        assert_refused(*state, text, size);
}

/* The text ends where the readable memory does: one byte too far crashes. */
static void nothing_is_read_behind_the_end(void **state)
{
    const char *texts[] = {"{\"abcdefgh\":\"12345678\"}",
                           "\"12345678",
                           "123456",
                           "[true",
                           "nul",
                           "\"\\u00",
                           "\"\\",
                           "\"123456789012345"};
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *memory =
        mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    assert_int_equal(mprotect(memory + page, page, PROT_NONE), 0);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        size_t size = strlen(texts[i]);
        JsonNode *root;
        memcpy(memory + page - size, texts[i], size);
        Result r = json_parse(*state, bytes(memory + page - size, size), NULL, &root);
        assert_int_equal(failed(r), i != 0 && i != 2);
    }
    munmap(memory, 2 * page);
}

static void a_mistake_is_told_with_line_and_column(void **state)
{
    JsonNode *root;
    Result r = json_parse(*state, bytes_of("{\n  \"a\": 1,\n  \"b\": tru\n}"), NULL, &root);
    assert_fault(r, FAULT_BAD_JSON);
    assert_non_null(strstr(r.error->doing, "line 3 column 8"));
}

static void depth_and_elements_are_limited(void **state)
{
    JsonNode *root;
    JsonLimits limits = {.depth = 3, .elements = 4};
    assert_ok(*state, json_parse(*state, bytes_of("[[[1]]]"), &limits, &root));
    assert_fault(json_parse(*state, bytes_of("[[[[]]]]"), &limits, &root), FAULT_TOO_DEEP);
    assert_ok(*state, json_parse(*state, bytes_of("[1,[],3,4]"), &limits, &root));
    assert_fault(json_parse(*state, bytes_of("[1,[2],3,4]"), &limits, &root),
                 FAULT_MESSAGE_TOO_LARGE);

    char deep[300];
    memset(deep, '[', sizeof(deep));
    assert_fault(json_parse(*state, bytes(deep, sizeof(deep)), NULL, &root), FAULT_TOO_DEEP);
}

static void a_small_arena_is_an_error(void **state)
{
    static const char item[] = "\"\\n12345678901234567890\",";
    Buffer text = buffer_in(*state);
    buffer_add_byte(&text, '[');
    for (int i = 0; i < 2000; i++)
        buffer_add_text(&text, item);
    buffer_add_text(&text, "1]");
    for (size_t limit = 5000; limit < 100000; limit += 1000) {
        Arena *arena = arena_new(limit);
        JsonNode *root;
        assert_fault(json_parse(arena, buffer_bytes(&text), NULL, &root), FAULT_OUT_OF_MEMORY);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_is_written_as_it_was_read),
        cmocka_unit_test(blanks_are_allowed_between_tokens_only),
        cmocka_unit_test(escapes_are_undone),
        cmocka_unit_test(a_member_is_a_text_or_a_number_or_is_missing),
        cmocka_unit_test(strings_without_escapes_are_borrowed),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(every_text_cut_off_is_refused),
        cmocka_unit_test(nothing_is_read_behind_the_end),
        cmocka_unit_test(a_mistake_is_told_with_line_and_column),
        cmocka_unit_test(depth_and_elements_are_limited),
        cmocka_unit_test(a_small_arena_is_an_error),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
