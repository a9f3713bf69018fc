#include "adapters/document/document_list.h"

#include "tests/unit/check.h"

#include <stdio.h>

static Bytes file_bytes(Arena *arena, const char *path)
{
    Buffer text = buffer_in(arena);
    char piece[4096];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    for (size_t size; (size = fread(piece, 1, sizeof piece, file)) > 0;)
        buffer_add(&text, piece, size);
    assert_int_equal(fclose(file), 0);
    return buffer_bytes(&text);
}

/* "3 rooms[0].windows = 2" */
static void add_line(void *owner, const DocumentValue *value)
{
    Buffer *out = owner;
    buffer_printf(out, "%d %s = %s%.*s\n", value->line, value->path, value->secret ? "?" : "",
                  BYTES_ARGS(value->text));
}

static void assert_listed(const char *yaml, const char *expected)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes set = file_bytes(arena, SCHEMAS "house.binpb");
    const Schema *schema;
    const DocumentRules *rules;
    assert_ok(arena, schema_load(arena, set, "house", &schema));
    assert_ok(arena, document_rules_load(arena, set, &rules));
    const MessageType *type = schema_message(schema, bytes_of("house.House"));
    YamlDocument document;
    Problems problems = problems_in(arena);
    yaml_parse(arena, bytes_of(yaml), "a.yaml", NULL, &problems, &document);
    Buffer out = buffer_in(arena);
    document_list(rules, type, &document, arena, add_line, &out);
    assert_bytes(buffer_bytes(&out), expected);
    arena_free(arena);
}

/* Documents with mistakes are listed, too: secrets are looked for in them. */
static void a_value_of_another_kind_is_listed_as_it_is(void **state)
{
    assert_listed("name: [1]\n"
                  "rooms: {hall: [[x, [y]]]}\n"
                  "keys: [2]\n"
                  "owners: {ada: 1}\n",
                  "1 name = [1]\n"
                  "2 rooms[0] = [[\"x\",[\"y\"]]]\n"
                  "3 keys. = 2\n"
                  "4 owners[0] = 1\n");
}

static void each_value_has_its_path_and_its_line(void **state)
{
    assert_listed("name: 3.1.0\n"
                  "rooms:\n"
                  "  - kitchen\n"
                  "  - {name: hall, windows: 2}\n"
                  "warm_up: 90s\n"
                  "keys: {front: 2}\n"
                  "owners: [ada, bob]\n"
                  "guests: {eve: [1, x]}\n"
                  "heating: gas\n",
                  "1 name = 3.1.0\n"
                  "3 rooms[0] = kitchen\n"
                  "4 rooms[1].name = hall\n"
                  "4 rooms[1].windows = 2\n"
                  "5 warm_up = 90s\n"
                  "6 keys.front = 2\n"
                  "7 owners[0] = ada\n"
                  "7 owners[1] = bob\n"
                  "8 guests = {\"eve\":[1,\"x\"]}\n"
                  "9 heating = gas\n");
    assert_listed("noise: [hall, attic]\n", "1 noise[0] = hall\n1 noise[1] = attic\n");
    assert_listed("noise: white\n", "1 noise = white\n");
}

static void what_is_not_said_of_a_message_is_its_default(void **state)
{
    assert_listed("name: a\nrooms: [b]\nlocks: [{}, {patience: 1s, keys: 5}]\n",
                  "1 name = a\n"
                  "2 rooms[0] = b\n"
                  "0 locks[0].patience = 1m30s\n"
                  "0 locks[0].room = 64KiB\n"
                  "0 locks[0].colour = dark_red\n"
                  "0 locks[0].keys = 2\n"
                  "3 locks[1].patience = 1s\n"
                  "3 locks[1].keys = 5\n"
                  "0 locks[1].room = 64KiB\n"
                  "0 locks[1].colour = dark_red\n");
}

static void secrets_are_not_told(void **state)
{
    assert_listed("locks:\n  - code: '4711'\n    patience: 1s\n    room: 1KiB\n    colour: white\n"
                  "    keys: 1\n",
                  "2 locks[0].code = ?\n"
                  "3 locks[0].patience = 1s\n"
                  "4 locks[0].room = 1KiB\n"
                  "5 locks[0].colour = white\n"
                  "6 locks[0].keys = 1\n");
}

static void what_is_not_read_is_not_told(void **state)
{
    assert_listed("name: a\nchimney: true\nnonsense: 1\n", "1 name = a\n");
    assert_listed("", "");
    assert_listed("[1]", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_of_another_kind_is_listed_as_it_is),
        cmocka_unit_test(each_value_has_its_path_and_its_line),
        cmocka_unit_test(what_is_not_said_of_a_message_is_its_default),
        cmocka_unit_test(secrets_are_not_told),
        cmocka_unit_test(what_is_not_read_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
