#include "tests/unit/check.h"

#include <stdlib.h>

static void splitting_gives_every_part_also_the_empty_ones(void **state)
{
    Bytes rest = bytes_of("a,,bc,"), part;
    assert_true(bytes_split(&rest, ',', &part));
    assert_bytes(part, "a");
    assert_true(bytes_split(&rest, ',', &part));
    assert_bytes(part, "");
    assert_true(bytes_split(&rest, ',', &part));
    assert_bytes(part, "bc");
    assert_true(bytes_split(&rest, ',', &part));
    assert_bytes(part, "");
    assert_false(bytes_split(&rest, ',', &part));
}

static void a_slice_is_cut_to_what_is_there(void **state)
{
    assert_bytes(bytes_slice(bytes_of("hello"), 1, 3), "ell");
    assert_bytes(bytes_slice(bytes_of("hello"), 3, 30), "lo");
    assert_bytes(bytes_slice(bytes_of("hello"), 9, 1), "");
}

static void a_number_must_be_whole_and_fit(void **state)
{
    uint64_t n;
    assert_true(bytes_to_u64(bytes_of("18446744073709551615"), &n));
    assert_true(n == UINT64_MAX);
    assert_false(bytes_to_u64(bytes_of("18446744073709551616"), &n));
    assert_false(bytes_to_u64(bytes_of(""), &n));
    assert_false(bytes_to_u64(bytes_of("-1"), &n));
    assert_false(bytes_to_u64(bytes_of("1 "), &n));
}

static void a_buffer_grows_and_says_when_it_is_full(void **state)
{
    Arena *arena = arena_new(32 * 1024);
    Buffer buffer = buffer_in(arena);
    for (int i = 0; i < 1000; i++)
        buffer_printf(&buffer, "%d,", i % 10);
    assert_int_equal(buffer.size, 2000);
    assert_false(buffer.full);
    for (int i = 0; i < 100; i++)
        buffer_add(&buffer,
                   "0123456789012345678901234567890123456789012345678901234567890123"
                   "0123456789012345678901234567890123456789012345678901234567890123"
                   "0123456789012345678901234567890123456789012345678901234567890123"
                   "0123456789012345678901234567890123456789012345678901234567890123"
                   "0123456789012345678901234567890123456789012345678901234567890123"
                   "0123456789012345678901234567890123456789012345678901234567890123",
                   384);
    assert_true(buffer.full);
    arena_free(arena);
}

static void names_compare_without_case_where_asked(void **state)
{
    assert_true(bytes_are_nocase(bytes_of("Content-Type"), "content-type"));
    assert_false(bytes_are(bytes_of("Content-Type"), "content-type"));
    assert_true(bytes_start_with(bytes_of("application/grpc+proto"), "application/grpc"));
    assert_false(bytes_start_with(bytes_of("app"), "application"));
    assert_true(bytes_end_with(bytes_of("trace-bin"), "-bin"));
    assert_bytes(bytes_trim(bytes_of(" \ta b ")), "a b");
    assert_true(bytes_compare(bytes_of("ab"), bytes_of("abc")) < 0);
    assert_true(bytes_compare(bytes_of("b"), bytes_of("abc")) > 0);
}

static void a_copy_of_any_size_is_put_where_it_belongs_and_nowhere_else(void **state)
{
    uint8_t from[80], into[100];
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (uint8_t)(i + 1);
    for (size_t size = 0; size < sizeof from; size++) {
        memset(into, 0, sizeof into);
        assert_ptr_equal(bytes_put(into + 10, bytes(from, size)), into + 10 + size);
        for (size_t i = 0; i < sizeof into; i++)
            assert_int_equal(into[i], i >= 10 && i < 10 + size ? i - 9 : 0);
    }
    assert_ptr_equal(bytes_put(into, BYTES_NONE), into);
}

static void texts_of_any_size_are_equal_only_if_each_byte_is(void **state)
{
    uint8_t one[80], other[80];
    for (size_t i = 0; i < sizeof one; i++)
        one[i] = other[i] = (uint8_t)(i + 1);
    for (size_t size = 0; size < sizeof one; size++) {
        assert_true(bytes_are_at(one, bytes(other, size)));
        for (size_t i = 0; i < sizeof one; i++) {
            other[i] ^= 0x80;
            assert_int_equal(bytes_are_at(one, bytes(other, size)), i >= size);
            other[i] ^= 0x80;
        }
    }
    assert_true(bytes_are_at(one, BYTES_NONE));
}

static void only_ascii_letters_have_a_lower_case(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    assert_bytes(bytes_lower(arena, bytes_of("@AZ[`az{\xc3\x84")), "@az[`az{\xc3\x84");
    assert_non_null(bytes_lower(arena, BYTES_NONE).data);
    arena_free(arena);
    arena = arena_new(8192);
    static const uint8_t large[9000];
    assert_null(bytes_lower(arena, bytes(large, sizeof large)).data);
    arena_free(arena);
}

static void a_long_text_is_cut_between_characters(void **state)
{
    static const struct {
        const char *text;
        size_t most;
        const char *cut;
    } rows[] = {
        {"abc", 3, "abc"},
        {"abc", 2, "ab"},
        {"abc", 0, ""},
        {"a\xc3\xa4", 3, "a\xc3\xa4"},
        {"a\xc3\xa4z", 3, "a\xc3\xa4"},
        {"a\xc3\xa4z", 2, "a"},
        {"\xe2\x82\xacz", 3, "\xe2\x82\xac"},
        {"\xe2\x82\xacz", 2, ""},
        {"\xe2\x82\xacz", 1, ""},
        {"\xf0\x9f\x8e\x88z", 4, "\xf0\x9f\x8e\x88"},
        {"\xf0\x9f\x8e\x88z", 3, ""},
        {"\xa4\xa4\xa4\xa4\xa4z", 5, "\xa4\xa4\xa4\xa4\xa4"}, /* no UTF-8 */
        {"\xff\xffz", 2, "\xff"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_bytes(bytes_cut_text(bytes_of(rows[i].text), rows[i].most), rows[i].cut);
    assert_int_equal(bytes_cut_text(BYTES_NONE, 10).size, 0);
}

static const char *formatted(char *text, size_t capacity, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_format(text, capacity, format, args);
    va_end(args);
    return text;
}

static void a_formatted_text_is_cut_between_characters(void **state)
{
    char text[4];
    assert_string_equal(formatted(text, sizeof text, "%s", "abc"), "abc");
    assert_string_equal(formatted(text, sizeof text, "%s", "abcd"), "abc");
    assert_string_equal(formatted(text, sizeof text, "%s", "ab\xc3\xa4"), "ab");
    assert_string_equal(formatted(text, sizeof text, "%s", "a\xc3\xa4z"), "a\xc3\xa4");
    assert_string_equal(formatted(text, sizeof text, "%s", ""), "");
}

static void a_text_on_the_heap_is_a_copy_of_its_own(void **state)
{
    static const char *const texts[] = {"", "a", "orders \xc3\xa4"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *copy = text_copy(texts[i]);
        assert_string_equal(copy, texts[i]);
        assert_ptr_not_equal(copy, texts[i]);
        free(copy);
    }
    assert_null(text_copy(NULL));
}

static void bytes_on_the_heap_are_copied_whole_and_end_with_nul(void **state)
{
    static const Bytes all[] = {{(const uint8_t *)"orders v2", 6}, /* more stands behind it */
                                {(const uint8_t *)"a\0b", 3},
                                {(const uint8_t *)"", 0},
                                {NULL, 0}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char *copy = text_copy_bytes(all[i]);
        assert_non_null(copy);
        assert_true(bytes_equal(bytes(copy, all[i].size), all[i]));
        assert_int_equal(copy[all[i].size], 0);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_any_size_are_equal_only_if_each_byte_is),
        cmocka_unit_test(only_ascii_letters_have_a_lower_case),
        cmocka_unit_test(a_text_on_the_heap_is_a_copy_of_its_own),
        cmocka_unit_test(bytes_on_the_heap_are_copied_whole_and_end_with_nul),
        cmocka_unit_test(a_long_text_is_cut_between_characters),
        cmocka_unit_test(a_formatted_text_is_cut_between_characters),
        cmocka_unit_test(a_copy_of_any_size_is_put_where_it_belongs_and_nowhere_else),
        cmocka_unit_test(splitting_gives_every_part_also_the_empty_ones),
        cmocka_unit_test(a_slice_is_cut_to_what_is_there),
        cmocka_unit_test(a_number_must_be_whole_and_fit),
        cmocka_unit_test(a_buffer_grows_and_says_when_it_is_full),
        cmocka_unit_test(names_compare_without_case_where_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
