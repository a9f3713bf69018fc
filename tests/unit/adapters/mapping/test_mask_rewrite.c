#include "adapters/mapping/mask_rewrite.h"

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

/* The paths of a mask, separated by commas. */
static Bytes mask_of(Arena *arena, const char *paths)
{
    Buffer mask = buffer_in(arena);
    Bytes rest = bytes_of(paths), path;
    while (rest.size && bytes_split(&rest, ',', &path))
        wire_add_bytes(&mask, 1, path);
    return buffer_bytes(&mask);
}

/* "title,note_text", with a + in front if it is wider; else why it is refused. */
static Bytes rewritten_by(Arena *arena, const Mapping *mapping, bool widen, const char *paths)
{
    MaskRewrite rewrite;
    Buffer text = buffer_in(arena);
    MaskFate fate = mask_rewrite(arena, mapping, mask_of(arena, paths), widen, &rewrite);
    assert_false(rewrite.paths.full);
    switch (fate) {
    case MASK_NO_FIELD: buffer_printf(&text, "no field: %.*s", BYTES_ARGS(rewrite.path)); break;
    case MASK_NO_COUNTERPART:
        buffer_printf(&text, "no place: %.*s", BYTES_ARGS(rewrite.path));
        break;
    case MASK_PART:
        buffer_printf(&text, "%.*s is a part of %s: name %s", BYTES_ARGS(rewrite.path),
                      rewrite.whole, rewrite.instead);
        break;
    case MASK_MALFORMED: buffer_add_text(&text, "malformed"); break;
    case MASK_TOO_LONG: buffer_add_text(&text, "too long"); break;
    case MASK_OK: break;
    }
    WireReader reader = wire_reader(fate == MASK_OK ? buffer_bytes(&rewrite.paths) : BYTES_NONE);
    for (WireField f; wire_next(&reader, &f);) {
        buffer_add_text(&text, text.size ? "," : rewrite.widened ? "+" : "");
        buffer_add_bytes(&text, f.bytes);
    }
    return buffer_bytes(&text);
}

static void becomes(Loaded *loaded, const Mapping *mapping, const char *paths, const char *expected)
{
    assert_bytes(rewritten_by(loaded->arena, mapping, false, paths), expected);
}

static const Mapping *request(Loaded *loaded, bool upwards)
{
    return mapping_of(loaded, "Errors", ERRORS_CHANGES, "Request", upwards);
}

static void a_path_gets_the_names_of_the_other_version(void **state)
{
    const Mapping *up = request(*state, true), *down = request(*state, false);
    becomes(*state, up, "name", "title");
    becomes(*state, down, "title", "name");
    becomes(*state, up, "note.text", "note_text");
    becomes(*state, up, "note", "note_text");
    becomes(*state, down, "note_text", "note.text");
    becomes(*state, up, "name,note,name", "title,note_text");
    becomes(*state, up, "*", "*");
    becomes(*state, up, "", "");
}

static void what_names_no_field_is_refused(void **state)
{
    static const char *const bad[] = {
        "nowhere",  "name.x", "name.",          ".name",          "items.sku",   "items.0",
        "items[2]", "nam",    "names",          "note.text.more", "noteText",    "note..text",
        "note.",    ".",      "by_key.x.sku.y", "by_key.x.",      "by_key.x.no", "items.*.no"};
    const Mapping *up = request(*state, true);
    Arena *arena = ((Loaded *)*state)->arena;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        becomes(*state, up, bad[i], arena_printf(arena, "no field: %s", bad[i]));
    becomes(*state, up, "name,nowhere", "no field: nowhere");
    assert_int_equal(mask_rewrite(arena, up, bytes("\x0a\x00", 2), false, &(MaskRewrite){0}),
                     MASK_NO_FIELD);
}

static void the_elements_of_lists_and_maps_are_named_as_in_aip_161(void **state)
{
    const Mapping *up = request(*state, true), *down = request(*state, false);
    becomes(*state, up, "items", "lines");
    becomes(*state, up, "items.*", "lines.*");
    becomes(*state, up, "items.*.sku", "lines.*.code");
    becomes(*state, down, "by_key.x.code", "by_key.x.sku");
    becomes(*state, down, "by_key.*.code", "by_key.*.sku");
    becomes(*state, down, "by_key.`a.b`.code", "by_key.`a.b`.sku");
    becomes(*state, down, "by_key.x", "by_key.x");
    becomes(*state, down, "by_key", "by_key");
    const char *deep = "messages: {M: {a: box.inner.b, c: box.inner.c}}";
    up = mapping_of(*state, "Deep", deep, "M", true);
    down = mapping_of(*state, "Deep", deep, "M", false);
    becomes(*state, up, "a.key", "box.inner.b.key");
    becomes(*state, up, "a.`k.e.y`", "box.inner.b.`k.e.y`");
    becomes(*state, up, "a.`k", "box.inner.b.`k");
    becomes(*state, up, "a", "box.inner.b");
    becomes(*state, down, "box.inner.b.key", "a.key");
    becomes(*state, down, "box.inner", "a,c");
    becomes(*state, down, "box", "a,c");
}

static void a_part_of_a_template_is_refused_and_all_parts_are_the_whole(void **state)
{
    const Mapping *up = request(*state, true), *down = request(*state, false);
    becomes(*state, up, "project", "project is a part of path: name project and topic");
    becomes(*state, up, "name,topic", "topic is a part of path: name project and topic");
    becomes(*state, up, "project,topic", "path");
    becomes(*state, down, "path", "project,topic");
}

static void a_part_of_an_amount_is_refused(void **state)
{
    const Mapping *up = request(*state, true), *down = request(*state, false);
    becomes(*state, up, "cents", "total");
    becomes(*state, down, "total", "cents");
    becomes(*state, down, "total.units", "total.units is a part of cents: name total");
    becomes(*state, down, "total.nanos,total.units", "cents");
}

static const char amounts[] =
    "messages: {M: {cents: {to: total, by: cents_to_money, currency: currency}, fee: {by: "
    "units_to_money, currency: EUR}, meters: {to: kilometers, by: scale, divided_by: 1000}}}";

static void an_amount_and_its_currency_are_parts_of_their_own(void **state)
{
    const Mapping *up = mapping_of(*state, "Amounts", amounts, "M", true),
                  *down = mapping_of(*state, "Amounts", amounts, "M", false);
    becomes(*state, up, "cents", "total.units,total.nanos");
    becomes(*state, up, "currency", "total.currency_code");
    becomes(*state, up, "currency,cents", "total");
    becomes(*state, down, "total.currency_code", "currency");
    becomes(*state, down, "total.units", "total.units is a part of cents: name total");
    becomes(*state, down, "total.units,total.nanos", "cents");
    becomes(*state, down, "total", "cents,currency");
    becomes(*state, up, "fee", "fee");
    becomes(*state, down, "fee", "fee");
    becomes(*state, down, "fee.currency_code", "no place: fee.currency_code");
    becomes(*state, down, "fee.nanos", "fee.nanos is a part of fee: name fee");
}

static void a_part_becomes_the_whole_where_the_list_says_so(void **state)
{
    Arena *arena = ((Loaded *)*state)->arena;
    const Mapping *up = request(*state, true), *down = request(*state, false);
    assert_bytes(rewritten_by(arena, up, true, "project"), "+path");
    assert_bytes(rewritten_by(arena, up, true, "project,topic"), "path");
    assert_bytes(rewritten_by(arena, up, true, "name"), "title");
    assert_bytes(rewritten_by(arena, down, true, "total.units,title"), "+cents,name");
    assert_bytes(rewritten_by(arena, down, true, "total.euros"), "no field: total.euros");
}

static void a_part_of_a_list_or_of_one_that_it_becomes_is_refused(void **state)
{
    const char *lists = "messages: {M: {a: {to: a, more: loud}, b: {to: b, more: loud}, c: {to: c, "
                        "more: loud}}, Inner: {x: y}}";
    const Mapping *up = mapping_of(*state, "Lists", lists, "M", true),
                  *down = mapping_of(*state, "Lists", lists, "M", false);
    becomes(*state, up, "c", "c");
    becomes(*state, up, "c.x", "c.x is a part of c: name c");
    becomes(*state, down, "c", "c");
    becomes(*state, down, "c.*.y", "c.*.y is a part of c: name c");
    becomes(*state, up, "a,b", "a,b");
    static const char *const merges =
        "messages:\n  M:\n    emails: {from: [primary, others], first: loud}\n"
        "    items: {to: [item, more], first: loud}\n"
        "    colors: {from: [color, colors], by: enum_name, first: graceful}\n"
        "    scores: {from: [best, scores], first: graceful}\n"
        "    phones: {from: [contact.phone, contact.phones], first: loud}\n"
        "  Item: {a: b}";
    up = mapping_of(*state, "Merges", merges, "M", true);
    down = mapping_of(*state, "Merges", merges, "M", false);
    becomes(*state, up, "primary", "primary is a part of emails: name primary and others");
    becomes(*state, up, "others,primary", "emails");
    becomes(*state, up, "contact", "phones");
    becomes(*state, up, "contact.phone",
            "contact.phone is a part of phones: name contact.phone and contact.phones");
    becomes(*state, down, "emails", "primary,others");
    becomes(*state, up, "items", "item,more");
    becomes(*state, down, "item.b", "item.b is a part of items: name item and more");
}

static void an_entry_of_a_map_that_becomes_a_list_is_a_part_of_it(void **state)
{
    static const char *const keyed =
        "messages:\n  M:\n    labels: {key: name, duplicates: loud}\n"
        "    prices: {key: id, duplicates: graceful}\n"
        "    tags: {key: on, value: text, by: text, duplicates: graceful}\n"
        "    nodes: {key: id, duplicates: graceful}\n"
        "  Label: {note: {removed: graceful}, color: {removed: graceful}}\n"
        "  Label to LabelValue: {note: text, extra: {added: here}}\n"
        "  Price to Priced: {cents: {by: text}}\n"
        "  Node: {nodes: {key: id, duplicates: loud}, id: {removed: loud}}\n";
    const Mapping *up = mapping_of(*state, "Keyed", keyed, "M", true),
                  *down = mapping_of(*state, "Keyed", keyed, "M", false);
    becomes(*state, up, "labels", "labels");
    becomes(*state, up, "labels.*.note", "labels.*.note is a part of labels: name labels");
    becomes(*state, down, "labels.a", "labels.a is a part of labels: name labels");
    becomes(*state, up, "prices.7", "prices.7 is a part of prices: name prices");
}

static void a_kind_and_its_value_are_named_together(void **state)
{
    static const char *const kinds =
        "messages:\n  M:\n    value: [{to: card, when: {kind: CARD}}, {to: bank, when: {kind: "
        "BANK}}]\n    kind: {select: {card: CARD, bank: BANK}}\n    api: {constant: \"2\"}";
    const Mapping *up = mapping_of(*state, "Kinds", kinds, "M", true),
                  *down = mapping_of(*state, "Kinds", kinds, "M", false);
    becomes(*state, up, "value", "value is a part of card: name value and kind");
    becomes(*state, up, "kind", "kind is a part of card: name value and kind");
    becomes(*state, up, "kind,value", "card,bank");
    becomes(*state, down, "card", "kind,value"); /* a oneof is named as a whole */
    becomes(*state, down, "api", "no place: api");
}

static void a_value_that_means_something_is_named_with_what_it_is_beside(void **state)
{
    static const char *const meanings =
        "messages:\n  M:\n    unlimited: {means: {true: {max_attempts: -1}}}\n"
        "    format: {means: {AVRO: {avro: {}}, JSON: {json: {}}}}\n"
        "    forever: {means: {true: {days: -7}}}\n"
        "    speed: {means: {0: {pace: SLOW}, 9: {pace: FAST}}}\n";
    const Mapping *up = mapping_of(*state, "Meanings", meanings, "M", true),
                  *down = mapping_of(*state, "Meanings", meanings, "M", false);
    becomes(*state, up, "unlimited",
            "unlimited is a part of max_attempts: name unlimited and max_attempts");
    becomes(*state, up, "max_attempts,unlimited", "max_attempts");
    becomes(*state, up, "format", "avro,json");
    becomes(*state, up, "speed", "pace");
    becomes(*state, down, "max_attempts", "unlimited,max_attempts");
    becomes(*state, down, "avro", "format");
}

static void a_mask_has_at_most_so_many_paths(void **state)
{
    Arena *arena = ((Loaded *)*state)->arena;
    Buffer mask = buffer_in(arena);
    MaskRewrite rewrite;
    for (int i = 0; i < MASK_REWRITE_MOST; i++)
        wire_add_bytes(&mask, 1, bytes_of(arena_printf(arena, "by_key.k%d", i)));
    const Mapping *up = request(*state, true);
    assert_int_equal(mask_rewrite(arena, up, buffer_bytes(&mask), false, &rewrite), MASK_OK);
    wire_add_bytes(&mask, 1, bytes_of("name"));
    assert_int_equal(mask_rewrite(arena, up, buffer_bytes(&mask), false, &rewrite), MASK_TOO_LONG);
    assert_int_equal(mask_rewrite(arena, up, bytes("\x0a\x05x", 3), false, &rewrite),
                     MASK_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_gets_the_names_of_the_other_version),
        cmocka_unit_test(what_names_no_field_is_refused),
        cmocka_unit_test(the_elements_of_lists_and_maps_are_named_as_in_aip_161),
        cmocka_unit_test(a_part_of_a_template_is_refused_and_all_parts_are_the_whole),
        cmocka_unit_test(a_part_of_an_amount_is_refused),
        cmocka_unit_test(an_amount_and_its_currency_are_parts_of_their_own),
        cmocka_unit_test(a_part_becomes_the_whole_where_the_list_says_so),
        cmocka_unit_test(a_part_of_a_list_or_of_one_that_it_becomes_is_refused),
        cmocka_unit_test(an_entry_of_a_map_that_becomes_a_list_is_a_part_of_it),
        cmocka_unit_test(a_kind_and_its_value_are_named_together),
        cmocka_unit_test(a_value_that_means_something_is_named_with_what_it_is_beside),
        cmocka_unit_test(a_mask_has_at_most_so_many_paths),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
