#include "base/text/printable.h"

#include "base/arena.h"
#include "tests/unit/check.h"

static Arena *arena;

static Bytes printed(const char *text)
{
    Buffer out = buffer_in(arena);
    printable_add(&out, bytes_of(text));
    return buffer_bytes(&out);
}

static void text_stays_as_it_is(void **state)
{
    assert_bytes(printed("gw1 \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80 ~"),
                 "gw1 \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80 ~");
    assert_bytes(printed(""), "");
}

static void what_a_terminal_obeys_is_escaped(void **state)
{
    assert_bytes(printed("\x1b[2J\x07\x7f"), "\\x1b[2J\\x07\\x7f");
    assert_bytes(printed("a\r\nb\tc"), "a\\r\\nb\\tc");
    assert_bytes(printed("\xc2\x80\xc2\x9f\xc2\xa0"), "\\u0080\\u009f\xc2\xa0");
}

static void what_turns_text_around_is_escaped(void **state)
{
    assert_bytes(printed("\xe2\x80\xa9\xe2\x80\xaa\xe2\x80\xae\xe2\x80\xaf"),
                 "\\u2029\\u202a\\u202e\xe2\x80\xaf");
    assert_bytes(printed("\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa"),
                 "\\u2065\\u2066\\u2069\\u206a");
}

static void what_nobody_sees_is_escaped(void **state)
{
    assert_bytes(printed("\xe2\x80\x8b\xef\xbb\xbf"
                         "admin\xc2\xad"),
                 "\\u200b\\ufeffadmin\\u00ad");
    assert_bytes(printed("\xe2\x80\x8d\xe1\x85\x9f\xe2\xa0\x80\xef\xb8\x8f"),
                 "\\u200d\\u115f\\u2800\\ufe0f");
    assert_bytes(printed("\xf3\xa0\x81\x81\xf0\x9f\x98\x80"), "\\U000e0041\xf0\x9f\x98\x80");
}

static void what_is_no_text_is_replaced(void **state)
{
    assert_bytes(printed("a\xff\x1b\xc2"), "a\xef\xbf\xbd\\x1b\xef\xbf\xbd");
}

static void lines_stay_lines(void **state)
{
    Buffer out = buffer_in(arena);
    printable_add_lines(&out, bytes_of("a\n\tb\r\n\x1b"));
    assert_bytes(buffer_bytes(&out), "a\n\tb\\r\n\\x1b");
}

static int setup(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int teardown(void **state)
{
    arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_stays_as_it_is),
        cmocka_unit_test(what_a_terminal_obeys_is_escaped),
        cmocka_unit_test(what_turns_text_around_is_escaped),
        cmocka_unit_test(what_nobody_sees_is_escaped),
        cmocka_unit_test(what_is_no_text_is_replaced),
        cmocka_unit_test(lines_stay_lines),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
