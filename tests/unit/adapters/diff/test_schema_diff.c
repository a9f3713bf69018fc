#include "adapters/diff/schema_diff.h"

#include "adapters/text/json.h"
#include "tests/unit/adapters/changes_schema.h"

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
    buffer_add_bytes(&text, diff.change_list);
    assert_bytes(buffer_bytes(&text), expected);
}

static void moves_are_guessed_and_marked(void **state)
{
    check(state, "Move",
          "                  Address: message added\n"
          "wire json source  M.street: moved to address.street (guess)\n"
          "     json source  M.city: removed\n"
          "                  M.note: added\n"
          "     json source  Extra.note: removed\n"
          "                  Extra.city: added\n"
          "6 differences, 3 of them breaking\n"
          "# What became of changes.Move.Old in changes.Move.New. Lines marked \"guess\" are to be "
          "looked at.\n"
          "from: v1\n"
          "to: v2\n"
          "messages:\n"
          "  M:\n"
          "    street: address.street  # guess\n"
          "    city: {removed: graceful}\n"
          "    note: {added: graceful}\n"
          "  Extra:\n"
          "    note: {removed: graceful}\n"
          "    city: {added: graceful}\n");
}

static void a_move_is_from_the_message_that_takes_most_or_from_none(void **state)
{
    check(state, "Rivals",
          "          source  Repo: message removed\n"
          "          source  Trigger: message removed\n"
          "                  Build: message added\n"
          "                  Service: message added\n"
          "wire json source  M.runtime: moved to service.runtime (guess)\n"
          "wire json source  M.label: moved to service.label (guess)\n"
          "wire json source  M.size: moved to service.size (guess)\n"
          "     json source  M.repo: removed\n"
          "     json source  M.trigger: removed\n"
          "                  M.url: added\n"
          "                  M.build: added\n"
          "11 differences, 7 of them breaking\n"
          "# What became of changes.Rivals.Old in changes.Rivals.New. Lines marked "
          "\"guess\" are to be looked at.\n"
          "from: v1\n"
          "to: v2\n"
          "messages:\n"
          "  M:\n"
          "    runtime: service.runtime  # guess\n"
          "    label: service.label  # guess\n"
          "    size: service.size  # guess\n"
          "    repo: {removed: graceful}\n"
          "    trigger: {removed: graceful}\n"
          "    url: {added: graceful}\n"
          "    build: {added: graceful}\n");
}

static void numbers_break_the_wire_by_their_form_and_json_by_their_quotes(void **state)
{
    check(state, "Numbers",
          "     json source  M.a: from int32 to int64\n"
          "     json source  M.b: from uint64 to int32\n"
          "wire      source  M.c: from float to double\n"
          "wire json source  M.d: from int64 to double\n"
          "     json source  M.e: from list of int32 to list of int64\n"
          "5 differences, 5 of them breaking\n"
          "# What became of changes.Numbers.Old in changes.Numbers.New. Lines marked "
          "\"guess\" are to be looked at.\n"
          "from: v1\n"
          "to: v2\n"
          "messages:\n"
          "  M:\n"
          "    d: {by: number}  # guess\n");
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
          "# What became of changes.Enums.Old in changes.Enums.New. Lines marked \"guess\" are to "
          "be looked at.\n"
          "from: v1\n"
          "to: v2\n"
          "enums:\n"
          "  Status:\n"
          "    PENDING: {removed: loud}\n"
          "    WAITING: {removed: loud}\n"
          "    LOST: {removed: loud}\n"
          "    QUEUED: {added: loud}\n"
          "    HELD: {added: loud}\n");
}

static void types_that_changed_get_a_converter(void **state)
{
    check(state, "Texts",
          "wire json source  M.a: from int32 to string\n"
          "wire json source  M.b: from bool to string\n"
          "wire json source  M.c: from bytes to string\n"
          "wire json source  M.d: from bytes to string\n"
          "wire json source  M.e: from Color to string\n"
          "wire json source  M.f: from bool to State\n"
          "          source  Color: enum removed\n"
          "7 differences, 7 of them breaking\n"
          "# What became of changes.Texts.Old in changes.Texts.New. Lines marked \"guess\" are to "
          "be looked at.\n"
          "from: v1\n"
          "to: v2\n"
          "messages:\n"
          "  M:\n"
          "    a: {by: text}  # guess\n"
          "    b: {by: text}  # guess\n"
          "    c: {by: utf8}  # guess\n"
          "    d: {by: utf8}  # guess\n"
          "    e: {by: enum_name}  # guess\n"
          "    f: [{removed: graceful}, {added: graceful}]  # no converter fits\n");
}

static void renamed_messages_are_guessed(void **state)
{
    check(state, "Types",
          "          source  Item: renamed to Line (guess)\n"
          "     json source  Item.sku: removed\n"
          "                  Item.code: added\n"
          "3 differences, 2 of them breaking\n"
          "# What became of changes.Types.Old in changes.Types.New. Lines marked \"guess\" are to "
          "be looked at.\n"
          "from: v1\n"
          "to: v2\n"
          "types:\n"
          "  Item: Line  # guess\n"
          "messages:\n"
          "  Item:\n"
          "    sku: {removed: graceful}\n"
          "    code: {added: graceful}\n");
}

static void what_is_the_same_is_not_told(void **state)
{
    check(state, "Same",
          "0 differences, 0 of them breaking\n"
          "# What became of changes.Same.Old in changes.Same.New. Lines marked \"guess\" are to be "
          "looked at.\n"
          "from: v1\n"
          "to: v2\n");
}

/* So that it can be started from. */
static void the_first_list_loads(void **state)
{
    static const char *const kinds[] = {"Rename",   "Swap",      "Move",     "Gone",  "Numbers",
                                        "Wrappers", "Lists",     "Presence", "Enums", "Zero",
                                        "Choice",   "Templates", "Kinds",    "Masks", "Tree",
                                        "Same",     "Types",     "Rivals"};
    Loaded *loaded = *state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        SchemaDiff diff;
        differ(loaded, kinds[i], &diff);
        Problems problems = problems_in(loaded->arena);
        const char *yaml = arena_text(loaded->arena, diff.change_list);
        const char *from = strstr(yaml, "from:");
        assert_non_null(from);
        read_list(loaded, kinds[i], from, &problems);
        Buffer text = buffer_in(loaded->arena);
        problems_print(&problems, &text);
        if (problems.n)
            fail_msg("%s: %.*s\n%s", kinds[i], BYTES_ARGS(buffer_bytes(&text)), from);
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
        cmocka_unit_test(the_first_list_loads),
        cmocka_unit_test(a_diff_is_json_too),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
