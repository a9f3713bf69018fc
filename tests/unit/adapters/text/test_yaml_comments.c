#include "adapters/text/yaml_comments.h"

#include "base/arena.h"
#include "tests/unit/check.h"

static int setup(void **state)
{
    *state = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

/* "line:column before|text" for each comment. */
static void check(Arena *arena, const char *yaml, const char *expected)
{
    YamlComments comments = yaml_comments(arena, bytes_of(yaml));
    Buffer out = buffer_in(arena);
    for (uint32_t i = 0; i < comments.n; i++)
        buffer_printf(&out, "%s%d:%d %.*s|%.*s", i ? "\n" : "", comments.items[i].line,
                      comments.items[i].column, BYTES_ARGS(comments.items[i].before),
                      BYTES_ARGS(comments.items[i].text));
    assert_bytes(buffer_bytes(&out), expected);
}

static void a_comment_ends_its_line(void **state)
{
    check(*state, "a: 1  # one\n  #   two  \nb: [2,  # three # and more\n  3]\n#four",
          "1:7 a: 1|one\n2:3 |two\n3:9 b: [2,|three # and more\n5:1 |four");
    check(*state, "a: 1 # one\r\nb: 2 # two\r\n", "1:6 a: 1|one\n2:6 b: 2|two");
    check(*state, "\xEF\xBB\xBF# one\na: 1", "1:1 |one");
}

static void what_is_in_a_value_is_no_comment(void **state)
{
    check(*state, "a: \"# no\"\nb: '# no'\nc: no#no\n\"# no\": 1\nd: 'it''s # no' # yes",
          "5:17 d: 'it''s # no'|yes");
    check(*state, "a: |\n  # no\n  text\nb: 1 # yes", "4:6 b: 1|yes");
}

static void places_are_counted_in_characters(void **state)
{
    check(*state, "\xC3\xA9: \"\xE2\x82\xAC # no\" # yes",
          "1:13 \xC3\xA9: \"\xE2\x82\xAC # no\"|yes");
}

static void a_text_that_is_no_yaml_has_the_comments_before_its_mistake(void **state)
{
    check(*state, "", "");
    check(*state, "a: 1 # one\nb: \"open # no", "1:6 a: 1|one");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_comment_ends_its_line, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_in_a_value_is_no_comment, setup, teardown),
        cmocka_unit_test_setup_teardown(places_are_counted_in_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(a_text_that_is_no_yaml_has_the_comments_before_its_mistake,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
