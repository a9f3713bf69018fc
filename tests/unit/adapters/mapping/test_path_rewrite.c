#include "adapters/mapping/path_rewrite.h"

#include "adapters/schema/wire.h"
#include "tests/unit/adapters/changes_schema.h"
#include "tests/unit/adapters/errors_changes.h"

static const Mapping *mapping_of(Loaded *loaded, const char *kind, const char *yaml,
                                 const char *message, bool upwards)
{
    const MappingSet *set = read_set(loaded, kind, yaml, upwards);
    const char *name =
        arena_printf(loaded->arena, "changes.%s.%s.%s", kind, upwards ? "Old" : "New", message);
    return mapping_set_find(set, schema_message(loaded->schema, bytes_of(name)));
}

/* What a path becomes, joined by commas; "-": nothing. */
static Bytes rewritten_by(Loaded *loaded, const Mapping *mapping, const char *path)
{
    PathRewrite rewrite = path_rewrite_in(loaded->arena);
    Buffer text = buffer_in(loaded->arena);
    if (!path_rewrite(&rewrite, mapping, bytes_of(path)))
        return bytes_of("-");
    WireReader reader = wire_reader(buffer_bytes(&rewrite.paths));
    for (WireField f; wire_next(&reader, &f);) {
        if (text.size)
            buffer_add_byte(&text, ',');
        buffer_add_bytes(&text, f.bytes);
    }
    return buffer_bytes(&text);
}

static Bytes rewritten(Loaded *loaded, bool upwards, const char *path)
{
    return rewritten_by(loaded, mapping_of(loaded, "Errors", ERRORS_CHANGES, "Request", upwards),
                        path);
}

static void a_path_gets_the_names_of_the_other_version(void **state)
{
    assert_bytes(rewritten(*state, true, "name"), "title");
    assert_bytes(rewritten(*state, false, "title"), "name");
    assert_bytes(rewritten(*state, true, "note.text"), "note_text");
    assert_bytes(rewritten(*state, true, "note"), "note_text");
    assert_bytes(rewritten(*state, false, "note_text"), "note.text");
    assert_bytes(rewritten(*state, false, "total.units"), "cents");
    assert_bytes(rewritten(*state, true, "nowhere"), "-");
}

static void one_path_becomes_those_that_are_made_of_it(void **state)
{
    assert_bytes(rewritten(*state, true, "project"), "path");
    assert_bytes(rewritten(*state, false, "path"), "project,topic");
}

static void the_path_of_an_error_leads_into_the_elements_of_lists_and_maps(void **state)
{
    assert_bytes(rewritten(*state, false, "lines[2].code"), "items[2].sku");
    assert_bytes(rewritten(*state, true, "items[0]"), "lines[0]");
    assert_bytes(rewritten(*state, true, "items[10].same"), "lines[10].same");
    assert_bytes(rewritten(*state, false, "by_key[\"a.b]\\\"\"].code"), "by_key[\"a.b]\\\"\"].sku");
}

static void an_error_may_spell_names_as_json_does(void **state)
{
    assert_bytes(rewritten(*state, false, "noteText"), "note.text");
    assert_bytes(rewritten(*state, false, "otherName"), "other_name");
}

static void the_elements_of_a_list_that_is_merged_or_parted_are_counted_on(void **state)
{
    static const char *const yaml =
        "messages:\n  M:\n    emails: {from: [primary, others], first: loud}\n"
        "    items: {to: [item, more], first: loud}\n"
        "    colors: {from: [color, colors], by: enum_name, first: graceful}\n"
        "    scores: {from: [best, scores], first: graceful}\n"
        "    phones: {from: [contact.phone, contact.phones], first: loud}\n"
        "  Item: {a: b}";
    const Mapping *up = mapping_of(*state, "Merges", yaml, "M", true);
    const Mapping *down = mapping_of(*state, "Merges", yaml, "M", false);
    assert_bytes(rewritten_by(*state, up, "others"), "emails");
    assert_bytes(rewritten_by(*state, up, "primary"), "emails");
    assert_bytes(rewritten_by(*state, down, "emails"), "primary,others");
    assert_bytes(rewritten_by(*state, up, "primary"), "emails");
    assert_bytes(rewritten_by(*state, up, "others[0]"), "emails[1]");
    assert_bytes(rewritten_by(*state, down, "emails[0]"), "primary");
    assert_bytes(rewritten_by(*state, down, "emails[1]"), "others[0]");
    assert_bytes(rewritten_by(*state, down, "emails[11]"), "others[10]");
    assert_bytes(rewritten_by(*state, up, "items[0].a"), "item.b");
    assert_bytes(rewritten_by(*state, up, "items[2].a"), "more[1].b");
    assert_bytes(rewritten_by(*state, down, "more[0].b"), "items[1].a");
    assert_bytes(rewritten_by(*state, down, "emails[x]"), "others[x]");
}

static void nobody_knows_where_an_element_of_a_list_with_a_key_is(void **state)
{
    static const char *const yaml =
        "messages:\n  M:\n    labels: {key: name, duplicates: loud}\n"
        "    prices: {key: id, duplicates: graceful}\n"
        "    tags: {key: on, value: text, by: text, duplicates: graceful}\n"
        "    nodes: {key: id, duplicates: graceful}\n"
        "  Label: {note: {removed: graceful}, color: {removed: graceful}}\n"
        "  Label to LabelValue: {note: text, extra: {added: here}}\n"
        "  Price to Priced: {cents: {by: text}}\n"
        "  Node: {nodes: {key: id, duplicates: loud}, id: {removed: loud}}\n";
    const Mapping *up = mapping_of(*state, "Keyed", yaml, "M", true);
    const Mapping *down = mapping_of(*state, "Keyed", yaml, "M", false);
    assert_bytes(rewritten_by(*state, up, "labels"), "labels");
    assert_bytes(rewritten_by(*state, up, "labels[1].note"), "labels");
    assert_bytes(rewritten_by(*state, down, "labels[\"a\"].text"), "labels");
    assert_bytes(rewritten_by(*state, down, "prices[3].cents"), "prices");
}

/* `value` of the target's title, by a guard that reads the source's name. */
static Bytes rewritten_by_guard(Loaded *loaded, ExprKind kind, const Literal *constant)
{
    const MessageType *from =
        schema_message(loaded->schema, bytes_of("changes.Errors.Old.Request"));
    const MessageType *to = schema_message(loaded->schema, bytes_of("changes.Errors.New.Request"));
    const FieldType *name = message_field(from, bytes_of("name"));
    Expr read = {.kind = EXPR_FIELD, .steps = &name, .n_steps = 1}, made_up = {.kind = EXPR_CONST};
    const Expr *args[] = {&made_up, &read};
    Expr guarded = {.kind = kind, .args = args, .n_args = 2, .constants = constant};
    Rule rule = {.target = message_field(to, bytes_of("title")), .value = &guarded};
    Mapping mapping = {.from = from, .to = to, .rules = &rule, .n_rules = 1};
    return rewritten_by(loaded, &mapping, "name");
}

static void what_only_decides_whether_there_is_a_value_leads_nowhere(void **state)
{
    Literal kind = {0};
    assert_bytes(rewritten_by_guard(*state, EXPR_WHEN, NULL), "-");
    assert_bytes(rewritten_by_guard(*state, EXPR_UNLESS, NULL), "-");
    assert_bytes(rewritten_by_guard(*state, EXPR_WHEN, &kind), "title");
    assert_bytes(rewritten_by_guard(*state, EXPR_DEFAULT, NULL), "title");
}

static void nonsense_is_no_path(void **state)
{
    static const char *const bad[] = {"",          ".",      "..",  "[",      "]",
                                      "[1]",       "lines[", "[\"", ".title", "title[",
                                      "lines[0]]", "titles", "tit"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        (void)rewritten(*state, false, bad[i]); /* whatever it finds, it ends */
    assert_bytes(rewritten(*state, false, "."), "-");
    assert_bytes(rewritten(*state, false, "[1]"), "-");
    assert_bytes(rewritten(*state, false, "titles"), "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_gets_the_names_of_the_other_version),
        cmocka_unit_test(one_path_becomes_those_that_are_made_of_it),
        cmocka_unit_test(the_path_of_an_error_leads_into_the_elements_of_lists_and_maps),
        cmocka_unit_test(an_error_may_spell_names_as_json_does),
        cmocka_unit_test(the_elements_of_a_list_that_is_merged_or_parted_are_counted_on),
        cmocka_unit_test(nobody_knows_where_an_element_of_a_list_with_a_key_is),
        cmocka_unit_test(what_only_decides_whether_there_is_a_value_leads_nowhere),
        cmocka_unit_test(nonsense_is_no_path),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
