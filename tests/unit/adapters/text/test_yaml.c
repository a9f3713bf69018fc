#include "adapters/text/yaml.h"

#include "tests/unit/check.h"

/* The tree as one line, so that a test can say what it expects: text in quotes is a string, words
   without are JSON_TEXT. */
static void sketch(Buffer *out, const JsonNode *node)
{
    switch (node->kind) {
    case JSON_NULL: buffer_add_text(out, "null"); return;
    case JSON_STRING: buffer_printf(out, "\"%.*s\"", BYTES_ARGS(node->text)); return;
    case JSON_TEXT: buffer_printf(out, "%.*s", BYTES_ARGS(node->text)); return;
    case JSON_FALSE:
    case JSON_TRUE:
    case JSON_NUMBER: fail_msg("YAML makes no such node"); return;
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    uint32_t n = 0;
    buffer_add_text(out, node->kind == JSON_ARRAY ? "[" : "{");
    for (const JsonNode *child = node->first; child; child = child->next, n++) {
        buffer_add_text(out, n ? ", " : "");
        if (node->kind == JSON_OBJECT)
            buffer_printf(out, "%.*s: ", BYTES_ARGS(child->name));
        sketch(out, child);
    }
    assert_int_equal(n, node->count);
    buffer_add_text(out, node->kind == JSON_ARRAY ? "]" : "}");
}

typedef struct Read {
    YamlDocument document;
    Problems problems;
    Buffer tree, told;
} Read;

static Read read_with(Arena *arena, Bytes text, const JsonLimits *limits)
{
    Read read = {
        .problems = problems_in(arena), .tree = buffer_in(arena), .told = buffer_in(arena)};
    yaml_parse(arena, text, "a.yaml", limits, &read.problems, &read.document);
    if (read.document.root)
        sketch(&read.tree, read.document.root);
    problems_print(&read.problems, &read.told);
    return read;
}

static Read read_text(Arena *arena, const char *text)
{
    return read_with(arena, bytes_of(text), NULL);
}

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

static void words_numbers_and_quoted_texts_keep_what_was_written(void **state)
{
    Read read =
        read_text(*state, "a: 1\nb: \"1\"\nc: [yes, 'no', 2026-03-01]\nd: |\n  two\n  lines\n"
                          "e: {f: {g: -0.5e3}}\n");
    assert_bytes(buffer_bytes(&read.told), "");
    assert_bytes(
        buffer_bytes(&read.tree),
        "{a: 1, b: \"1\", c: [yes, \"no\", 2026-03-01], d: \"two\nlines\n\", e: {f: {g: -0.5e3}}}");
}

static void nothing_is_null_in_every_spelling(void **state)
{
    Read read = read_text(*state, "[~, null, Null, NULL, '', '~', nullable]");
    assert_bytes(buffer_bytes(&read.tree), "[null, null, null, null, \"\", \"~\", nullable]");
    read = read_text(*state, "a:\nb: 1\n");
    assert_bytes(buffer_bytes(&read.tree), "{a: null, b: 1}");
    read = read_text(*state, "# only a comment\n");
    assert_bytes(buffer_bytes(&read.tree), "null");
    read = read_text(*state, "");
    assert_bytes(buffer_bytes(&read.tree), "null");
    read = read_with(*state, BYTES_NONE, NULL);
    assert_bytes(buffer_bytes(&read.tree), "null");
    assert_bytes(buffer_bytes(&read.told), "");
}

static void json_is_read_as_it_is(void **state)
{
    Read read = read_text(*state, "{\"a\": [1, \"x\\u00e9\", null], \"b\": {}}");
    assert_bytes(buffer_bytes(&read.tree), "{a: [1, \"x\xc3\xa9\", null], b: {}}");
    assert_bytes(buffer_bytes(&read.told), "");
}

static void every_value_knows_its_place_and_that_of_its_key(void **state)
{
    Read read = read_text(*state, "first: 1\nlist:\n  - x\n  - key: value\n");
    const JsonNode *list = read.document.root->first->next;
    const YamlPlace *place = yaml_place(&read.document, list);
    assert_int_equal(place->name_line, 2);
    assert_int_equal(place->name_column, 1);
    assert_int_equal(place->line, 3);
    assert_int_equal(place->column, 3);

    const JsonNode *x = list->first, *value = x->next->first;
    assert_int_equal(yaml_place(&read.document, x)->line, 3);
    assert_int_equal(yaml_place(&read.document, x)->column, 5);
    assert_int_equal(yaml_place(&read.document, x)->name_column, 5);
    assert_int_equal(yaml_place(&read.document, value)->column, 10);
    assert_int_equal(yaml_place(&read.document, value)->name_column, 5);
    assert_int_equal(yaml_place(&read.document, value)->name_line, 4);
}

static void columns_are_characters_not_bytes(void **state)
{
    Read read = read_text(*state, "\xc3\xa9\xc3\xa9: x\n");
    assert_int_equal(yaml_place(&read.document, read.document.root->first)->column, 5);
}

static void a_key_twice_is_told_and_the_first_stays(void **state)
{
    Read read = read_text(*state, "a: 1\nb:\n  c: 1\n  c: {d: [1]}\n  e: 2\na: 3\n");
    assert_bytes(buffer_bytes(&read.told),
                 "a.yaml:4:3: the key c is here twice, first in line 3\n"
                 "a.yaml:6:1: the key a is here twice, first in line 1\n");
    assert_bytes(buffer_bytes(&read.tree), "{a: 1, b: {c: 1, e: 2}}");
}

static void tags_are_refused(void **state)
{
    Read read = read_text(*state, "c: !!str 5\nd: 2\n");
    assert_bytes(
        buffer_bytes(&read.told),
        "a.yaml:1:4: tags are not supported: tag:yaml.org,2002:str (quote a value that is to be "
        "a string)\n");
    assert_bytes(buffer_bytes(&read.tree), "{c: 5, d: 2}");
}

static void an_alias_is_what_its_anchor_is_at(void **state)
{
    Read read = read_text(*state, "a: &x 1\nb: *x\nc: &l [*x, {d: \"2\"}]\ne: *l\nf: &n\ng: *n\n");
    assert_bytes(buffer_bytes(&read.told), "");
    assert_bytes(buffer_bytes(&read.tree),
                 "{a: 1, b: 1, c: [1, {d: \"2\"}], e: [1, {d: \"2\"}], f: null, g: null}");
}

static void mistakes_inside_of_an_alias_are_at_its_anchor(void **state)
{
    Read read = read_text(*state, "a: &x\n  - 1\nb:   *x\n");
    const JsonNode *b = read.document.root->first->next;
    assert_int_equal(yaml_place(&read.document, b)->line, 3);
    assert_int_equal(yaml_place(&read.document, b)->column, 6);
    assert_int_equal(yaml_place(&read.document, b)->name_column, 1);
    assert_int_equal(yaml_place(&read.document, b->first)->line, 2);
    assert_int_equal(yaml_place(&read.document, b->first)->column, 5);
}

static void maps_are_merged_and_keys_of_the_map_itself_stay(void **state)
{
    Read read = read_text(*state, "a: &a {x: 1, y: 2}\n"
                                  "b: &b {<<: *a, y: 3, z: 4}\n"
                                  "c:\n  <<: [*a, *b]\n  w: 5\n"
                                  "d: {<<: {v: 6}, \"u\": 7}\n"
                                  "e: {\"<<\": 8}\n");
    assert_bytes(buffer_bytes(&read.told), "");
    assert_bytes(buffer_bytes(&read.tree),
                 "{a: {x: 1, y: 2}, b: {y: 3, z: 4, x: 1}, c: {w: 5, x: 1, y: 2, z: 4}, "
                 "d: {u: 7, v: 6}, e: {<<: 8}}");
}

static void what_is_no_map_is_not_merged(void **state)
{
    Read read = read_text(*state, "a: &a [1]\nb: {<<: *a, c: 2}\nd: {<<: word}\n");
    assert_bytes(buffer_bytes(&read.told),
                 "a.yaml:1:8: << takes a map, or a list of maps (*ANCHOR of a map)\n"
                 "a.yaml:3:9: << takes a map, or a list of maps (*ANCHOR of a map)\n");
    assert_bytes(buffer_bytes(&read.tree), "{a: [1], b: {c: 2}, d: {}}");
}

static void anchors_that_are_not_there_or_twice_are_told(void **state)
{
    Read read = read_text(
        *state, "a: *later\nb: &later 1\nc: &later 2\nd: *latr\n&k e: 3\n? *later\n: 4\n");
    assert_bytes(
        buffer_bytes(&read.told),
        "a.yaml:1:4: there is no anchor &later before this alias (\"*later\" if it is a text)\n"
        "a.yaml:3:4: the anchor &later is here twice, first in line 2 (&later_2)\n"
        "a.yaml:4:4: there is no anchor &latr before this alias (did you mean *later)\n"
        "a.yaml:5:1: a key has no anchor: &k (e: &k)\n"
        "a.yaml:6:3: a key must be a plain word, not an alias\n");
    assert_bytes(buffer_bytes(&read.tree), "{a: null, b: 1, c: 2, d: null, e: 3}");
}

static void an_alias_inside_of_its_anchor_is_refused(void **state)
{
    Read read = read_text(*state, "a: &a [1, {b: *a}]\n");
    assert_bytes(buffer_bytes(&read.told),
                 "a.yaml:1:15: *a is inside of &a, which so would never end\n");
    assert_bytes(buffer_bytes(&read.tree), "{a: [1, {b: null}]}");
}

/* Two to the power of 30 values, if they were all made. */
static void a_bomb_of_aliases_is_refused_when_it_has_become_large(void **state)
{
    Buffer text = buffer_in(*state);
    buffer_add_text(&text, "a0: &a0 [x, x]\n");
    for (int i = 1; i < 30; i++)
        buffer_printf(&text, "a%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1);
    Read read = read_with(*state, buffer_bytes(&text), NULL);
    assert_int_equal(read.problems.n, 1);
    assert_string_equal(read.problems.items[0].reason, "aliases stand for more than 100000 values");
    assert_null(read.document.root);
    assert_in_range(read.document.n_nodes, YAML_COPIES_MOST, YAML_COPIES_MOST + 200);
}

static void values_of_aliases_count_and_so_does_their_depth(void **state)
{
    JsonLimits limits = {.depth = 3, .elements = 8};
    Read read = read_with(*state, bytes_of("[&a [1, 2], *a, 3]"), &limits);
    assert_bytes(buffer_bytes(&read.told), "");
    read = read_with(*state, bytes_of("[&a [1, 2], *a, 3, 4]"), &limits);
    assert_bytes(buffer_bytes(&read.told), "a.yaml:1:20: more than 8 values\n");
    read = read_with(*state, bytes_of("[&a [1], [*a]]"), &limits);
    assert_bytes(buffer_bytes(&read.told), "");
    read = read_with(*state, bytes_of("[&a [1], [[*a]]]"), &limits);
    assert_bytes(buffer_bytes(&read.told), "a.yaml:1:12: nested deeper than 3 levels\n");
    read = read_with(*state, bytes_of("[&a [[1]], [*a]]"), &limits);
    assert_bytes(buffer_bytes(&read.told), "a.yaml:1:13: nested deeper than 3 levels\n");
}

static void a_text_more_has_places_of_its_own(void **state)
{
    Read read = read_text(*state, "a: &x 1\n");
    JsonNode *more = yaml_parse_more(*state, bytes_of("b: 2\nc: *x\n"), "b.yaml", NULL,
                                     &read.problems, &read.document);
    assert_string_equal(yaml_place(&read.document, more->first)->file, "b.yaml");
    assert_string_equal(yaml_place(&read.document, read.document.root->first)->file, "a.yaml");
    assert_int_equal(read.problems.n, 1);
    assert_string_equal(read.problems.items[0].file, "b.yaml");
}

static void a_key_that_is_no_word_is_dropped_with_its_value(void **state)
{
    Read read = read_text(*state, "? [a, {b: c}]\n: {d: e}\nf: g\n? {h: 1}\n: 2\ni: 4\n");
    assert_bytes(buffer_bytes(&read.told),
                 "a.yaml:1:3: a key must be a plain word, not a list or a map\n"
                 "a.yaml:4:3: a key must be a plain word, not a list or a map\n");
    assert_bytes(buffer_bytes(&read.tree), "{f: g, i: 4}");
}

static void broken_text_is_told_with_its_place(void **state)
{
    Read read = read_text(*state, "a: [1, 2\nb: 3\n");
    assert_null(read.document.root);
    assert_bytes(
        buffer_bytes(&read.told),
        "a.yaml:2:2: did not find expected ',' or ']', while parsing a flow sequence that begins "
        "in line 1\n");
    read = read_text(*state, "a: 1\n\tb: 2\n");
    assert_int_equal(read.problems.items[0].line, 2);
    read = read_text(*state, "a: \xff\n");
    assert_bytes(buffer_bytes(&read.told), "a.yaml:1:1: invalid leading UTF-8 octet (byte 3)\n");
}

static void a_second_document_is_refused(void **state)
{
    Read read = read_text(*state, "---\na: 1\n---\nb: 2\n");
    assert_null(read.document.root);
    assert_bytes(buffer_bytes(&read.told),
                 "a.yaml:3:1: one file holds one document; a second one begins here\n");
}

static void a_nul_character_is_refused(void **state)
{
    Read read = read_text(*state, "a: \"x\\0y\"\n");
    assert_bytes(buffer_bytes(&read.told),
                 "a.yaml:1:4: a text may not contain the character NUL\n");
}

static void depth_and_size_are_bounded(void **state)
{
    JsonLimits limits = {.depth = 3, .elements = 5};
    Read read = read_with(*state, bytes_of("[[[1]]]"), &limits);
    assert_bytes(buffer_bytes(&read.told), "");
    read = read_with(*state, bytes_of("[[[[1]]]]"), &limits);
    assert_bytes(buffer_bytes(&read.told), "a.yaml:1:4: nested deeper than 3 levels\n");
    assert_null(read.document.root);
    read = read_with(*state, bytes_of("[1, 2, 3, 4, 5]"), &limits);
    assert_bytes(buffer_bytes(&read.told), "a.yaml:1:14: more than 5 values\n");
    read = read_with(*state, bytes_of("? [[[1]]]\n: 2"), &limits);
    assert_bytes(buffer_bytes(&read.told),
                 "a.yaml:1:3: a key must be a plain word, not a list or a map\n"
                 "a.yaml:1:5: nested deeper than 3 levels\n");
}

#define SENTENCE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SENTENCE(words_numbers_and_quoted_texts_keep_what_was_written),
        SENTENCE(nothing_is_null_in_every_spelling),
        SENTENCE(json_is_read_as_it_is),
        SENTENCE(every_value_knows_its_place_and_that_of_its_key),
        SENTENCE(columns_are_characters_not_bytes),
        SENTENCE(a_key_twice_is_told_and_the_first_stays),
        SENTENCE(tags_are_refused),
        SENTENCE(an_alias_is_what_its_anchor_is_at),
        SENTENCE(mistakes_inside_of_an_alias_are_at_its_anchor),
        SENTENCE(maps_are_merged_and_keys_of_the_map_itself_stay),
        SENTENCE(what_is_no_map_is_not_merged),
        SENTENCE(anchors_that_are_not_there_or_twice_are_told),
        SENTENCE(an_alias_inside_of_its_anchor_is_refused),
        SENTENCE(a_bomb_of_aliases_is_refused_when_it_has_become_large),
        SENTENCE(values_of_aliases_count_and_so_does_their_depth),
        SENTENCE(a_text_more_has_places_of_its_own),
        SENTENCE(a_key_that_is_no_word_is_dropped_with_its_value),
        SENTENCE(broken_text_is_told_with_its_place),
        SENTENCE(a_second_document_is_refused),
        SENTENCE(a_nul_character_is_refused),
        SENTENCE(depth_and_size_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
