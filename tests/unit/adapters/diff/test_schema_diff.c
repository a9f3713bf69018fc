#include "adapters/diff/schema_diff.h"

#include "adapters/text/json.h"
#include "tests/unit/adapters/changes_schema.h"
#include "tests/unit/adapters/diff/first_list.h"

static void differ(Loaded *loaded, const char *kind, SchemaDiff *diff)
{
    ChangeSide from, to;
    both_sides(loaded, kind, &from, &to);
    schema_diff(loaded->arena, &from, &to, diff);
}

static void check(void **state, const char *kind, const char *expected)
{
    Loaded *loaded = *state;
    SchemaDiff diff;
    Buffer text = buffer_in(loaded->arena);
    differ(loaded, kind, &diff);
    schema_diff_text(&diff, &text);
    const char *list = strstr(arena_text(loaded->arena, diff.change_list), "from: v1\nto: v2\n");
    assert_non_null(list);
    buffer_add_text(&text, list);
    assert_bytes(buffer_bytes(&text), expected);
}

static void moves_are_guessed_and_marked(void **state)
{
    check(state, "Move",
          "                  Address: message added\n"
          "wire json source  M.street: moved to address.street (guess)\n"
          "wire json source  M.city: moved to extra.city (guess)\n"
          "wire json source  M.note: moved here from extra.note (guess)\n"
          "     json source  Extra.note: removed\n"
          "                  Extra.city: added\n"
          "6 differences, 4 of them breaking\n"
          "from: v1\n"
          "to: v2\n"
          "messages:\n"
          "  M:\n"
          "    street: address.street  # guess: by its name\n"
          "    city: extra.city  # guess: by its name\n"
          "    extra.note: note  # guess: by its name\n"
          "  Extra:\n"
          "    note: {removed: graceful}  # decide: string, lost towards v2\n"
          "    city: {added: graceful}  # decide: string, lost towards v1\n");
}

static void a_move_is_from_the_message_that_takes_most_or_from_none(void **state)
{
    check(state, "Rivals",
          "          source  Repo: message removed\n"
          "          source  Trigger: message removed\n"
          "                  Build: message added\n"
          "                  Service: message added\n"
          "     json source  M.repo: removed\n"
          "     json source  M.trigger: removed\n"
          "wire json source  M.runtime: moved to service.runtime (guess)\n"
          "wire json source  M.label: moved to service.label (guess)\n"
          "wire json source  M.size: moved to service.size (guess)\n"
          "                  M.url: added\n"
          "                  M.build: added\n"
          "11 differences, 7 of them breaking\n"
          "from: v1\n"
          "to: v2\n"
          "messages:\n"
          "  M:\n"
          "    repo: {removed: graceful}  # decide: Repo, lost towards v2\n"
          "    trigger: {removed: graceful}  # decide: Trigger, lost towards v2\n"
          "    runtime: service.runtime  # guess: by its name\n"
          "    label: service.label  # guess: by its name\n"
          "    size: service.size  # guess: by its name\n"
          "    url: {added: graceful}  # decide: string, lost towards v1\n"
          "    build: {added: graceful}  # decide: Build, lost towards v1\n");
}

static void numbers_break_the_wire_by_their_form_and_json_by_their_quotes(void **state)
{
    check(state, "Numbers",
          "     json source  M.a: from int32 to int64\n"
          "     json source  M.b: from uint64 to int32\n"
          "wire      source  M.c: from float to double\n"
          "wire json source  M.d: from int64 to double\n"
          "     json source  M.e: from list of int32 to list of int64\n"
          "     json source  M.f: from map of string to int32 to map of string to int64\n"
          "6 differences, 6 of them breaking\n"
          "from: v1\n"
          "to: v2\n"
          "messages:\n"
          "  M:\n"
          "    d: {by: number}  # guess: by its types\n");
}

static void enum_values_are_renamed_added_and_removed(void **state)
{
    check(state, "Enums",
          "     json source  Status.PENDING: value removed\n"
          "     json source  Status.WAITING: value removed\n"
          "wire              Status.DONE: renumbered from 3 to 1\n"
          "     json source  Status.LOST: value removed\n"
          "                  Status.QUEUED: value added\n"
          "                  Status.HELD: value added\n"
          "6 differences, 4 of them breaking\n"
          "from: v1\n"
          "to: v2\n"
          "enums:\n"
          "  Status:\n"
          "    PENDING: {removed: loud}  # decide: lost towards v2\n"
          "    WAITING: {removed: loud}  # decide: lost towards v2\n"
          "    LOST: {removed: loud}  # decide: lost towards v2\n"
          "    QUEUED: {added: loud}  # decide: lost towards v1\n"
          "    HELD: {added: loud}  # decide: lost towards v1\n");
}

static void types_that_changed_get_a_converter(void **state)
{
    check(
        state, "Texts",
        "wire json source  M.a: from int32 to string\n"
        "wire json source  M.b: from bool to string\n"
        "wire json source  M.c: from bytes to string\n"
        "wire json source  M.d: from bytes to string\n"
        "wire json source  M.e: from Color to string\n"
        "wire json source  M.f: from bool to State\n"
        "          source  Color: enum removed\n"
        "7 differences, 7 of them breaking\n"
        "from: v1\n"
        "to: v2\n"
        "messages:\n"
        "  M:\n"
        "    a: {by: text}  # guess: by its types\n"
        "    b: {by: text}  # guess: by its types\n"
        "    c: {by: utf8}  # decide: is the text utf8, base64 or hex?\n"
        "    d: {by: utf8}  # decide: is the text utf8, base64 or hex?\n"
        "    e: {by: enum_name}  # guess: by its types\n"
        "    f: {by: flag, values: {false: OFF, true: ON}, others: loud}  # guess: by its types\n");
}

static void renamed_messages_are_guessed(void **state)
{
    check(state, "Types",
          "          source  Item: renamed to Line (guess)\n"
          "     json source  Item.sku: renamed to code (guess)\n"
          "2 differences, 2 of them breaking\n"
          "from: v1\n"
          "to: v2\n"
          "types:\n"
          "  Item: Line  # decide: a guess, by its place\n"
          "messages:\n"
          "  Item:\n"
          "    sku: code  # decide: a guess, the same number and type\n");
}

static void what_is_the_same_is_not_told(void **state)
{
    check(state, "Same",
          "no differences\n"
          "from: v1\n"
          "to: v2\n");
}

static void a_first_list_is_refused_for_its_marks_and_for_nothing_else(void **state)
{
    static const char *const kinds[] = {"Rename", "Swap",     "Move",      "Gone",     "Numbers",
                                        "Texts",  "Wrappers", "Lists",     "Presence", "Enums",
                                        "Zero",   "Choice",   "Templates", "Kinds",    "Masks",
                                        "Tree",   "Same",     "Types",     "Rivals",   "Times"};
    Loaded *loaded = *state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        ChangeSide from, to;
        both_sides(loaded, kinds[i], &from, &to);
        check_first_list(loaded->arena, &from, &to);
    }
}

static void a_diff_is_json_too(void **state)
{
    Loaded *loaded = *state;
    SchemaDiff diff;
    Buffer text = buffer_in(loaded->arena);
    JsonNode *root;
    differ(loaded, "Rename", &diff);
    schema_diff_json(&diff, &text);
    assert_ok(loaded->arena, json_parse(loaded->arena, buffer_bytes(&text), NULL, &root));
    assert_int_equal(root->count, diff.n_items);
    assert_int_equal(json_member(root->first, "wire")->kind, JSON_TRUE);
    assert_int_equal(json_member(root->first, "guess")->kind, JSON_FALSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_are_guessed_and_marked),
        cmocka_unit_test(a_move_is_from_the_message_that_takes_most_or_from_none),
        cmocka_unit_test(numbers_break_the_wire_by_their_form_and_json_by_their_quotes),
        cmocka_unit_test(enum_values_are_renamed_added_and_removed),
        cmocka_unit_test(types_that_changed_get_a_converter),
        cmocka_unit_test(renamed_messages_are_guessed),
        cmocka_unit_test(what_is_the_same_is_not_told),
        cmocka_unit_test(a_first_list_is_refused_for_its_marks_and_for_nothing_else),
        cmocka_unit_test(a_diff_is_json_too),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
