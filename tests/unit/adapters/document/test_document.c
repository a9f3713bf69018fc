#include "adapters/document/document.h"

#include "tests/unit/check.h"

#include <stdio.h>

typedef struct Fixture {
    Arena *arena;
    const Schema *house, *kinds;
    const DocumentRules *rules;
} Fixture;

static Bytes file_bytes(Arena *arena, const char *path)
{
    Buffer text = buffer_in(arena);
    char piece[4096];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    for (size_t size; (size = fread(piece, 1, sizeof piece, file)) > 0;)
        buffer_add(&text, piece, size);
    fclose(file);
    return buffer_bytes(&text);
}

static int setup(void **state)
{
    static Fixture f;
    f.arena = arena_new(ARENA_UNLIMITED);
    Bytes set = file_bytes(f.arena, SCHEMAS "house.binpb");
    assert_ok(f.arena, schema_load(f.arena, set, "house", &f.house));
    assert_ok(f.arena, document_rules_load(f.arena, set, &f.rules));
    assert_ok(f.arena, schema_load_file(f.arena, SCHEMAS "kinds.binpb", &f.kinds));
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    arena_free(((Fixture *)*state)->arena);
    return 0;
}

typedef struct Read {
    Bytes json, told;
} Read;

static Read read_as(Fixture *f, const DocumentRules *rules, const MessageType *type,
                    const char *text)
{
    assert_non_null(type);
    YamlDocument document;
    Problems problems = problems_in(f->arena);
    Buffer json = buffer_in(f->arena), told = buffer_in(f->arena);
    yaml_parse(f->arena, bytes_of(text), "dir/a.yaml", NULL, &problems, &document);
    assert_non_null(document.root);
    document_read(rules, type, &document, document.root, "", &problems, &problems, &problems,
                  &json);
    problems_print(&problems, &told);
    return (Read){buffer_bytes(&json), buffer_bytes(&told)};
}

static Read read_house(Fixture *f, const char *text)
{
    return read_as(f, f->rules, schema_message(f->house, bytes_of("house.House")), text);
}

static Read read_value(Fixture *f, const char *type, const char *text)
{
    return read_as(f, NULL, schema_message(f->kinds, bytes_of(type)), text);
}

/* ---- As a config ----------------------------------------------------------------------------- */

static void all_spellings_become_plain_values(void **state)
{
    Read read = read_house(*state, "name: 3.1.0\n"
                                   "rooms: [kitchen, {name: hall, windows: 2}]\n"
                                   "warm_up: 1.5s\n"
                                   "cellar: 1KiB\n"
                                   "built: 1970-01-02\n"
                                   "plan: plans/ground.txt\n"
                                   "guests: {names: [ann, \"5\", 5, true, ~]}\n"
                                   "heating: gas\n"
                                   "colour: dark_red\n"
                                   "keys: {front: 2, back: 1}\n"
                                   "garden: true\n"
                                   "height: 7.5\n"
                                   "floors: 0\n"
                                   "owners: [1, two]\n");
    assert_bytes(read.told, "");
    assert_bytes(
        read.json,
        "{\"name\":\"3.1.0\",\"rooms\":[{\"name\":\"kitchen\"},{\"name\":\"hall\",\"windows\":2}],"
        "\"warm_up\":1500000000,\"cellar\":1024,\"built\":86400000000000,"
        "\"plan\":\"dir/plans/ground.txt\","
        "\"guests\":\"{\\\"names\\\":[\\\"ann\\\",\\\"5\\\",5,true,null]}\","
        "\"heating\":{\"gas\":{}},\"colour\":\"COLOUR_DARK_RED\",\"keys\":{\"front\":2,\"back\":1},"
        "\"garden\":true,\"height\":7.5,\"floors\":0,\"owners\":[\"1\",\"two\"]}");
}

static void a_choice_is_a_word_or_a_map(void **state)
{
    Read read = read_house(*state, "{name: a, rooms: [b], heating: {wood: {kind: oak}}}");
    assert_bytes(read.told, "");
    assert_bytes(
        read.json,
        "{\"name\":\"a\",\"rooms\":[{\"name\":\"b\"}],\"heating\":{\"wood\":{\"kind\":\"oak\"}}}");
    read = read_house(*state, "{name: a, rooms: [b], heating: {wood: {}, gas: {}}}");
    assert_bytes(read.told, "dir/a.yaml:1:43: heating.gas: only one of wood and gas may be said\n");
    read = read_house(*state, "{name: a, rooms: [b], heating: gass}");
    assert_bytes(read.told,
                 "dir/a.yaml:1:32: heating: gass is not known here (did you mean gas)\n");
    read = read_house(*state, "{name: a, rooms: [b], heating: electric}");
    assert_bytes(read.told, "dir/a.yaml:1:32: heating: electric is not known here (gas or wood)\n");
}

/* Nor is it anybody's hint. */
static void a_key_that_was_replaced_is_refused_with_what_to_write(void **state)
{
    Read read = read_house(*state, "name: a\nrooms: [b]\nchimney: true\n");
    assert_bytes(read.told,
                 "dir/a.yaml:3:1: chimney: this key is no longer read (write heating: wood)\n");
    assert_bytes(read.json, "{\"name\":\"a\",\"rooms\":[{\"name\":\"b\"}]}");
    read = read_house(*state, "name: a\nrooms: [b]\nchimny: true\n");
    assert_bytes(read.told, "dir/a.yaml:3:1: chimny: there is no such key\n");
}

static void a_deprecated_key_is_read_and_what_to_write_is_told(void **state)
{
    Read read = read_house(*state, "name: a\nrooms: [b]\nattic: 3\n");
    assert_bytes(read.told, "dir/a.yaml:3:1: attic: this key is deprecated: a later release does "
                            "not read it (write floors: 3)\n");
    assert_bytes(read.json, "{\"name\":\"a\",\"rooms\":[{\"name\":\"b\"}],\"attic\":3}");
    read = read_house(*state, "name: a\nrooms: [b]\natic: 3\n");
    assert_bytes(read.told, "dir/a.yaml:3:1: atic: there is no such key\n");
}

static void an_absolute_file_stays_as_it_is(void **state)
{
    Read read = read_house(*state, "{name: a, rooms: [b], plan: /etc/plan}");
    assert_bytes(read.json, "{\"name\":\"a\",\"rooms\":[{\"name\":\"b\"}],\"plan\":\"/etc/plan\"}");
}

static void a_standard_stream_is_no_file_beside_the_document(void **state)
{
    Read read = read_house(*state, "{name: a, rooms: [b], plan: '-'}");
    assert_bytes(read.json, "{\"name\":\"a\",\"rooms\":[{\"name\":\"b\"}],\"plan\":\"-\"}");
    read = read_house(*state, "{name: a, rooms: [b], plan: '-x'}");
    assert_bytes(read.json, "{\"name\":\"a\",\"rooms\":[{\"name\":\"b\"}],\"plan\":\"dir/-x\"}");
}

static void every_mistake_is_told_at_its_place(void **state)
{
    Read read = read_house(*state, "nam: x\n"
                                   "rooms:\n"
                                   "  - windows: many\n"
                                   "  - {name: hall, windows: -1}\n"
                                   "  - [a]\n"
                                   "warm_up: 2\n"
                                   "cellar: 1MiB\n"
                                   "built: 2026-02-30\n"
                                   "colour: red\n"
                                   "garden: yes\n"
                                   "floors: -2\n"
                                   "height: tall\n"
                                   "owners: ann\n"
                                   "keys: {front: 5000000000}\n"
                                   "guests:\n"
                                   "plan:\n");
    assert_bytes(
        read.told,
        "dir/a.yaml:1:1: nam: there is no such key (did you mean name)\n"
        "dir/a.yaml:1:1: the key name is missing (add name: TEXT)\n"
        "dir/a.yaml:3:5: rooms[0]: the key name is missing (add name: TEXT)\n"
        "dir/a.yaml:3:14: rooms[0].windows: many is not a whole number\n"
        "dir/a.yaml:4:27: rooms[1].windows: must be at least 0\n"
        "dir/a.yaml:5:5: rooms[2]: a map is expected here, not a list\n"
        "dir/a.yaml:6:10: warm_up: 2 is not a length of time (for example 250ms, 2s or 1h30m)\n"
        "dir/a.yaml:7:9: cellar: must be at most 4KiB\n"
        "dir/a.yaml:8:8: built: 2026-02-30 is not a date (for example 2026-03-01 or "
        "2026-03-01T12:00:00Z)\n"
        "dir/a.yaml:9:9: colour: red is not known here (white or dark_red)\n"
        "dir/a.yaml:10:9: garden: yes is not a truth value (true or false)\n"
        "dir/a.yaml:11:9: floors: must be at least 0\n"
        "dir/a.yaml:12:9: height: tall is not a number\n"
        "dir/a.yaml:13:9: owners: a list is expected here ([ann])\n"
        "dir/a.yaml:14:15: keys.front: must be at most 4294967295\n"
        "dir/a.yaml:16:6: plan: there is no value\n");
    /* What was right is there, at the index that it had. */
    assert_bytes(read.json,
                 "{\"rooms\":[{},{\"name\":\"hall\"},{}],\"keys\":{},\"guests\":\"null\"}");
}

static void a_config_has_one_spelling_of_a_key(void **state)
{
    Read read = read_house(*state, "{name: a, rooms: [b], warmUp: 1s}");
    assert_bytes(read.told,
                 "dir/a.yaml:1:23: warmUp: there is no such key (did you mean warm_up)\n");
}

static void a_list_that_is_needed_may_not_be_empty(void **state)
{
    assert_bytes(read_house(*state, "{name: a, rooms: []}").told,
                 "dir/a.yaml:1:18: rooms: at least one is needed\n");
    assert_bytes(read_house(*state, "{name: a}").told,
                 "dir/a.yaml:1:1: the key rooms is missing\n");
}

static void a_document_that_is_no_map_is_told(void **state)
{
    assert_bytes(read_house(*state, "[a]").told,
                 "dir/a.yaml:1:1: a map is expected here, not a list\n");
    assert_bytes(read_house(*state, "").told,
                 "dir/a.yaml:1:1: a map is expected here, not nothing\n");
    Read read = read_house(*state, "a");
    assert_bytes(read.json, "{}");
}

/* ---- As a value of an API -------------------------------------------------------------------- */

static void a_list_in_place_of_a_message_is_its_list(void **state)
{
    Read read = read_house(*state, "{name: a, rooms: [b], noise: [hall]}");
    assert_bytes(read.told, "");
    assert_bytes(read.json, "{\"name\":\"a\",\"rooms\":[{\"name\":\"b\"}],"
                            "\"noise\":{\"rooms\":[\"hall\"]}}");
    read = read_house(*state, "{name: a, rooms: [b], noise: white}");
    assert_bytes(read.json, "{\"name\":\"a\",\"rooms\":[{\"name\":\"b\"}],"
                            "\"noise\":{\"colour\":\"COLOUR_WHITE\"}}");
    read = read_house(*state, "{name: a, rooms: [b], noise: [{}]}");
    assert_bytes(read.told, "dir/a.yaml:1:31: noise[0]: one value is expected here, not a map\n");
    read = read_house(*state, "{name: a, rooms: [b], heating: [gas]}");
    assert_bytes(read.told, "dir/a.yaml:1:32: heating: a map is expected here, not a list\n");
}

static void words_take_the_type_of_their_field(void **state)
{
    Read read =
        read_as(*state, NULL, schema_message(((Fixture *)*state)->house, bytes_of("house.House")),
                "{name: 5, warmUp: 7, warm_up: 8, colour: COLOUR_WHITE, garden: true, height: 1e3,"
                " floors: \"3\", keys: {a: 1}, cellar: ~, heating: {gas: {}}}");
    assert_bytes(read.told, "dir/a.yaml:1:22: warm_up: this is here in both spellings\n");
    assert_bytes(read.json,
                 "{\"name\":\"5\",\"warm_up\":7,\"colour\":\"COLOUR_WHITE\",\"garden\":true,"
                 "\"height\":1e3,\"floors\":3,\"keys\":{\"a\":1},\"heating\":{\"gas\":{}}}");
}

static void well_known_types_are_spelled_as_in_json(void **state)
{
    Read read = read_value(
        *state, "test.kinds.Kinds",
        "{time: 2026-03-01T00:00:00Z, duration: 2s, mask: \"a,b\", structure: {a: [1, x]},"
        " value: ~, list: [true], any: {\"@type\": x/y, z: 1}, wrapped: 5,"
        " wrapped_text: 5, labels: {a: 1}, byNumber: {3: {aBool: true}}, children: []}");
    assert_bytes(read.told, "");
    assert_bytes(
        read.json,
        "{\"time\":\"2026-03-01T00:00:00Z\",\"duration\":\"2s\",\"mask\":\"a,b\","
        "\"structure\":{\"a\":[1,\"x\"]},\"value\":null,\"list\":[true],"
        "\"any\":{\"@type\":\"x/y\",\"z\":1},\"wrapped\":5,\"wrapped_text\":\"5\","
        "\"labels\":{\"a\":\"1\"},\"by_number\":{\"3\":{\"a_bool\":true}},\"children\":[]}");
    read = read_value(*state, "test.kinds.Kinds", "{by_number: {x: {}}, time: [1], wrapped: many}");
    assert_bytes(read.told, "dir/a.yaml:1:14: by_number.x: x is not a whole number\n"
                            "dir/a.yaml:1:28: time: a text is expected here\n"
                            "dir/a.yaml:1:42: wrapped: many is not a whole number\n");
}

static void mistakes_in_a_value_name_the_nearest_word(void **state)
{
    Read read =
        read_as(*state, NULL, schema_message(((Fixture *)*state)->house, bytes_of("house.House")),
                "{nmae: a, colour: COLOUR_WITE, rooms: [kitchen], heating: gas}");
    assert_bytes(
        read.told,
        "dir/a.yaml:1:2: nmae: there is no such key (did you mean name)\n"
        "dir/a.yaml:1:19: colour: COLOUR_WITE is not a value of house.Colour (did you mean "
        "COLOUR_WHITE)\n"
        "dir/a.yaml:1:40: rooms[0]: a map is expected here, not one value\n"
        "dir/a.yaml:1:59: heating: a map is expected here, not one value\n");
}

/* ---- Places ---------------------------------------------------------------------------------- */

static void a_path_leads_to_its_node_or_the_nearest_above(void **state)
{
    Fixture *f = *state;
    YamlDocument document;
    Problems problems = problems_in(f->arena);
    yaml_parse(f->arena, bytes_of("a:\n  - b\n  - {c: d, e.f: g}\n"), "a.yaml", NULL, &problems,
               &document);
    const JsonNode *node = document_node(&document, "a[1].c");
    assert_bytes(node->text, "d");
    assert_null(document_node(&document, "a[1].x"));
    assert_null(document_node(&document, "a[7]"));
    assert_null(document_node(&document, "a[0].address"));

    Buffer told = buffer_in(f->arena);
    document_tell(&document, &problems, "a[0].address", "x", "is %s", "wrong");
    document_tell(&document, &problems, "a[1].z.y", NULL, "is missing");
    problems_print(&problems, &told);
    assert_bytes(buffer_bytes(&told), "a.yaml:2:5: a[0].address: is wrong (x)\n"
                                      "a.yaml:3:5: a[1].z.y: is missing\n");
}

#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SENTENCE(all_spellings_become_plain_values),
        SENTENCE(a_choice_is_a_word_or_a_map),
        SENTENCE(a_key_that_was_replaced_is_refused_with_what_to_write),
        SENTENCE(a_deprecated_key_is_read_and_what_to_write_is_told),
        SENTENCE(an_absolute_file_stays_as_it_is),
        SENTENCE(a_standard_stream_is_no_file_beside_the_document),
        SENTENCE(every_mistake_is_told_at_its_place),
        SENTENCE(a_config_has_one_spelling_of_a_key),
        SENTENCE(a_list_that_is_needed_may_not_be_empty),
        SENTENCE(a_document_that_is_no_map_is_told),
        SENTENCE(a_list_in_place_of_a_message_is_its_list),
        SENTENCE(words_take_the_type_of_their_field),
        SENTENCE(well_known_types_are_spelled_as_in_json),
        SENTENCE(mistakes_in_a_value_name_the_nearest_word),
        SENTENCE(a_path_leads_to_its_node_or_the_nearest_above),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
