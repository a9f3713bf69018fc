/* The marks of a first list: "# decide: ...". */
#include "tests/unit/adapters/changes_schema.h"

/* What else a list of Gone has to say. */
#define REST "    level: {removed: loud}\n    region: {added: loud}\n"

static void check(void **state, const char *kind, const char *yaml, const char *expected)
{
    Loaded *loaded = *state;
    Problems problems = problems_in(loaded->arena);
    const ChangeList *list = read_list(loaded, kind, yaml, &problems);
    Buffer text = buffer_in(loaded->arena);
    problems_print(&problems, &text);
    assert_bytes(buffer_bytes(&text), expected);
    assert_true(!list == !!expected[0]);
}

static void a_list_with_an_open_mark_is_refused(void **state)
{
    check(state, "Gone",
          "messages:\n"
          "  M:\n"
          "    comment: {removed: graceful}  # decide: string, dropped towards v2\n"
          "    currency: {added: graceful}\n" REST,
          "list.yaml:5:35: M.comment: not decided yet: string, dropped towards v2 (write comment: "
          "{removed: graceful}, without the mark, or comment: {removed: loud} for an error)\n");
}

static void a_decided_list_is_taken(void **state)
{
    check(state, "Gone",
          "messages:\n"
          "  M:\n"
          "    comment: {removed: graceful}  # we decided: nobody reads it\n"
          "    currency: {added: graceful}   # guess\n" REST,
          "");
}

static void a_mark_tells_the_first_thing_of_its_line_or_stands_alone(void **state)
{
    check(
        state, "Gone",
        "# decide: everything\n"
        "messages:\n"
        "  M: {comment: {removed: loud},  # decide: one\n"
        "      level: {removed: loud}, currency: {added: loud}, region: {added: loud}}\n"
        "methods:  # decide: none\n",
        "list.yaml:3:1: not decided yet: everything (decide, and delete this comment)\n"
        "list.yaml:5:34: M: not decided yet: one (write M: {comment: {removed: loud}, without the "
        "mark, if it is right)\n"
        "list.yaml:7:11: methods: not decided yet: none (write methods:, without the mark, if it "
        "is "
        "right)\n");
}

static void marks_are_told_beside_other_mistakes(void **state)
{
    check(
        state, "Gone",
        "messages:\n"
        "  M:\n"
        "    comment: {removed: graceful}  # decide: it goes\n"
        "    currencies: {added: graceful}\n"
        "    currency: {added: graceful}\n" REST,
        "list.yaml:5:35: M.comment: not decided yet: it goes (write comment: {removed: graceful}, "
        "without the mark, or comment: {removed: loud} for an error)\n"
        "list.yaml:6:5: M.currencies: changes.Gone.New.M has no field currencies (did you mean "
        "currency?)\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_with_an_open_mark_is_refused),
        cmocka_unit_test(a_decided_list_is_taken),
        cmocka_unit_test(a_mark_tells_the_first_thing_of_its_line_or_stands_alone),
        cmocka_unit_test(marks_are_told_beside_other_mistakes),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
