/*
 * Lists of fields that may be seen: paths, restricted plans on messages whose text can be read; and
 * plans of random change lists with random lists, against the oracle's message from which all that
 * is not listed is taken away, field by field.
 *
 * CHANGE_SEEDS=n tries n chains instead of the usual few, from CHANGE_SEED on.
 */
#include "adapters/mapping/field_list.h"

#include "adapters/mapping/error_types.h"
#include "adapters/prove/oracle.h"
#include "adapters/prove/tree_random.h"
#include "adapters/prove/tree_scatter.h"
#include "tests/unit/adapters/plans.h"
#include "tests/unit/adapters/prove/random_changes.h"

#include <stdio.h>
#include <stdlib.h>

enum { SEEDS = 60, LISTS = 8, MESSAGES = 6, PATHS_MOST = 24 };

static const PlanOptions strict = {.unknown = UNKNOWN_COUNT, .walk_all = true};

/* ---- By hand --------------------------------------------------------------------------------- */

static FieldList *list_of(const char *type, const char *const *paths)
{
    FieldListPlace place;
    FieldList *list = field_list_new(bench.arena, identity_of(type)->to);
    for (; *paths; paths++)
        assert_int_equal(field_list_add(bench.arena, list, bytes_of(*paths), &place),
                         FIELD_LIST_FITS);
    return list;
}
#define LIST(type, ...) list_of(type, (const char *const[]){__VA_ARGS__, NULL})

/* What of the JSON of a test.kinds.Kinds is left, through all pairs of codecs. */
static void shows(const FieldList *list, PlanOptions options, const char *json,
                  const char *expected)
{
    const Mapping *same = identity_of("test.kinds.Kinds");
    const Mapping *part = field_list_restrict(bench.arena, list, same, bench.kinds_set);
    PlanOptions plain = {.types = bench.kinds_set, .from = CODEC_JSON, .to = CODEC_PROTO};
    Bytes wire = run_ok(compiled(same, plain), bytes_of(json));
    options.types = bench.kinds_set;
    for (Codec from = 0; from < CODEC_COUNT; from++)
        for (Codec to = 0; to < CODEC_COUNT; to++) {
            options.from = from;
            options.to = to;
            Bytes out = run_ok(compiled(part, options), from == CODEC_JSON ? bytes_of(json) : wire);
            if (to == CODEC_PROTO) {
                plain.from = CODEC_PROTO;
                plain.to = CODEC_JSON;
                out = run_ok(compiled(same, plain), out);
            }
            assert_bytes(out, expected);
        }
}

static void only_what_is_listed_is_there(void **state)
{
    static const char json[] = "{\"aString\":\"a\",\"anInt32\":7,\"texts\":[\"b\"],"
                               "\"inner\":{\"name\":\"c\",\"size\":\"LARGE\"}}";
    shows(LIST("test.kinds.Kinds", "an_int32"), strict, json, "{\"anInt32\":7}");
    shows(LIST("test.kinds.Kinds", "aString", "texts"), strict, json,
          "{\"aString\":\"a\",\"texts\":[\"b\"]}");
    shows(LIST("test.kinds.Kinds", "inner.name"), strict, json, "{\"inner\":{\"name\":\"c\"}}");
    shows(LIST("test.kinds.Kinds", "inner"), strict, json,
          "{\"inner\":{\"name\":\"c\",\"size\":\"LARGE\"}}");
    shows(LIST("test.kinds.Kinds", "time"), strict, json, "{}");
}

static void a_path_leads_into_each_element_of_a_list_and_each_value_of_a_map(void **state)
{
    shows(LIST("test.kinds.Kinds", "children.an_int32", "by_number.texts"), strict,
          "{\"anInt32\":1,\"children\":[{\"anInt32\":2,\"aString\":\"x\"},{\"aString\":\"y\"}],"
          "\"byNumber\":{\"5\":{\"texts\":[\"t\"],\"anInt32\":3},\"6\":{\"anInt32\":4}}}",
          "{\"children\":[{\"anInt32\":2},{}],\"byNumber\":{\"5\":{\"texts\":[\"t\"]},\"6\":{}}}");
}

static void a_type_within_itself_is_shown_as_far_as_the_path_leads(void **state)
{
    shows(LIST("test.kinds.Kinds", "child.an_int32", "child.child.a_string"), strict,
          "{\"anInt32\":1,\"child\":{\"anInt32\":2,\"aString\":\"no\","
          "\"child\":{\"anInt32\":3,\"aString\":\"yes\",\"child\":{\"aString\":\"no\"}}}}",
          "{\"child\":{\"anInt32\":2,\"child\":{\"aString\":\"yes\"}}}");
}

static void a_star_shows_all_that_the_schema_has(void **state)
{
    static const char json[] = "{\"anInt32\":7,\"inner\":{\"size\":\"LARGE\"}}";
    shows(LIST("test.kinds.Kinds", "*"), strict, json, json);
}

static void a_path_beside_one_of_the_whole_takes_nothing_away(void **state)
{
    static const char json[] = "{\"inner\":{\"name\":\"c\",\"size\":\"LARGE\"}}";
    shows(LIST("test.kinds.Kinds", "inner.name", "inner"), strict, json, json);
    shows(LIST("test.kinds.Kinds", "inner", "inner.name"), strict, json, json);
}

/* The member that came last counts, also if it is hidden: else the other one would be news. */
static void a_hidden_member_of_a_oneof_still_displaces_the_others(void **state)
{
    const Mapping *part = field_list_restrict(bench.arena, LIST("test.kinds.Kinds", "text"),
                                              identity_of("test.kinds.Kinds"), bench.kinds_set);
    PlanOptions options = strict;
    options.from = options.to = CODEC_PROTO;
    assert_int_equal(run_ok(compiled(part, options), bytes("\xb2\x01\x01t\xb8\x01\x05", 7)).size,
                     0);
    Bytes shown = run_ok(compiled(part, options), bytes("\xb8\x01\x05\xb2\x01\x01t", 7));
    assert_memory_equal(shown.data, "\xb2\x01\x01t", shown.size);
    assert_int_equal(shown.size, 4);
}

static void unknown_fields_are_dropped_at_every_depth(void **state)
{
    /* an_int32, inner with its name, and in both the field 1000. */
    Bytes wire = bytes("\x28\x07\xc0\x3e\x01\xb2\x04\x06\x0a\x01"
                       "c\xc0\x3e\x02",
                       14);
    static const char *const lists[][4] = {
        {"*"}, {"an_int32", "inner"}, {"an_int32", "inner.name"}};
    PlanOptions options = strict;
    options.from = options.to = CODEC_PROTO;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const Mapping *part =
            field_list_restrict(bench.arena, list_of("test.kinds.Kinds", lists[i]),
                                identity_of("test.kinds.Kinds"), bench.kinds_set);
        const Plan *plan = compiled(part, options);
        assert_false(plan_is_copy(plan));
        Bytes out = run_ok(plan, wire);
        assert_int_equal(out.size, 8);
        assert_memory_equal(out.data, "\x28\x07\xb2\x04\x03\x0a\x01\x63", 8);
    }
}

static void hidden_fields_are_not_written_as_defaults_either(void **state)
{
    PlanOptions options = strict;
    options.emit_defaults = true;
    options.from = CODEC_PROTO;
    options.to = CODEC_JSON;
    options.types = bench.kinds_set;
    const Mapping *part =
        field_list_restrict(bench.arena, LIST("test.kinds.Kinds", "an_int32", "texts"),
                            identity_of("test.kinds.Kinds"), bench.kinds_set);
    assert_bytes(run_ok(compiled(part, options), BYTES_NONE), "{\"anInt32\":0,\"texts\":[]}");
}

static void what_is_wrong_with_a_path_is_told(void **state)
{
    FieldList *list = field_list_new(bench.arena, identity_of("test.kinds.Kinds")->to);
    static const struct {
        const char *path, *name;
        FieldListMistake mistake;
    } cases[] = {
        {"nothing", "nothing", FIELD_LIST_NO_FIELD},
        {"inner.nothing", "nothing", FIELD_LIST_NO_FIELD},
        {"inner.", "", FIELD_LIST_NO_FIELD},
        {"", "", FIELD_LIST_NO_FIELD},
        {".inner", "", FIELD_LIST_NO_FIELD},
        {"inner.*", "*", FIELD_LIST_NO_FIELD},
        {"an_int32.x", "an_int32", FIELD_LIST_NO_WAY},
        {"labels.x", "labels", FIELD_LIST_NO_WAY},
        {"time.seconds", "time", FIELD_LIST_NO_WAY},
        {"any.value", "any", FIELD_LIST_NO_WAY},
        {"by_number.key", "key", FIELD_LIST_NO_FIELD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        FieldListPlace place;
        assert_int_equal(field_list_add(bench.arena, list, bytes_of(cases[i].path), &place),
                         cases[i].mistake);
        assert_bytes(place.name, cases[i].name);
    }
}

static void whether_all_of_a_path_is_hidden(void **state)
{
    const FieldList *list = LIST("test.kinds.Kinds", "inner.name", "child", "texts");
    static const char *const shown[] = {"texts",   "inner.name",   "inner", "child.child.an_int32",
                                        "nothing", "inner.nothing"};
    static const char *const hidden[] = {"inner.size", "an_int32", "children.an_int32"};
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        assert_false(field_list_hides(list, bytes_of(shown[i])));
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        assert_true(field_list_hides(list, bytes_of(hidden[i])));
    assert_false(field_list_hides(list, BYTES_NONE));
    assert_false(field_list_shows_all(list));
    list = LIST("test.kinds.Kinds", "*");
    assert_false(field_list_hides(list, bytes_of("an_int32")));
    assert_true(field_list_shows_all(list));
}

static void what_is_hidden_is_told_by_its_paths(void **state)
{
    const MessageType *inner = identity_of("test.kinds.Kinds.Inner")->to;
    Buffer out = buffer_in(bench.call);
    FieldListPlace place;
    FieldList *list = field_list_new(bench.arena, inner);
    field_list_add_hidden(list, &out);
    assert_bytes(buffer_bytes(&out), "name, size");
    assert_int_equal(field_list_add(bench.arena, list, bytes_of("name"), &place), FIELD_LIST_FITS);
    out.size = 0;
    field_list_add_hidden(list, &out);
    assert_bytes(buffer_bytes(&out), "size");
    out.size = 0;
    field_list_add_hidden(LIST("test.kinds.Kinds", "*"), &out);
    assert_int_equal(out.size, 0);
    field_list_add_hidden(LIST("test.kinds.Kinds", "inner.name"), &out);
    assert_non_null(memmem(out.data, out.size, ", inner.size, ", 14));
}

static void a_required_field_that_is_hidden_is_found(void **state)
{
    const MessageType *old = identity_of("test.old.Old")->to;
    const FieldType *required = NULL;
    for (uint32_t i = 0; i < old->n_fields && !required; i++)
        required = old->fields[i].required ? &old->fields[i] : NULL;
    assert_non_null(required);
    FieldListPlace place;
    FieldList *list = field_list_new(bench.arena, old);
    assert_ptr_equal(field_list_lacks(list), required);
    assert_int_equal(field_list_add(bench.arena, list, bytes_of("*"), &place), FIELD_LIST_FITS);
    assert_null(field_list_lacks(list));
    assert_null(field_list_lacks(LIST("test.kinds.Kinds", "inner.name")));
}

/* ---- The slow way ---------------------------------------------------------------------------- */

typedef struct Paths {
    const char *items[PATHS_MOST];
    uint32_t n;
} Paths;

/* Whether the path `inner` is `outer`, or leads on from it. */
static bool is_within(const char *inner, const char *outer)
{
    size_t size = strlen(outer);
    return strncmp(inner, outer, size) == 0 && (!inner[size] || inner[size] == '.');
}

static void hide(Arena *arena, Tree *tree, const Paths *paths, const char *at);

static void hide_in(Arena *arena, TreeField *field, const FieldType *type, const Paths *paths,
                    const char *at)
{
    for (uint32_t i = 0; i < field->n; i++) {
        Tree *inner = field->values[i].message;
        const FieldType *value = type->map ? message_field_by_number(type->message, 2) : NULL;
        if (value)
            hide(arena, tree_field(inner, value)->values[0].message, paths, at);
        else
            hide(arena, inner, paths, at);
    }
}

/* Looks at each field by itself: is it, or something in it, in the list? */
static void hide(Arena *arena, Tree *tree, const Paths *paths, const char *at)
{
    tree->raw = BYTES_NONE;
    for (uint32_t i = 0; i < tree->type->n_fields; i++) {
        const FieldType *type = &tree->type->fields[i];
        const char *path = arena_printf(arena, "%s%s%s", at, *at ? "." : "", type->name);
        bool whole = false, part = false;
        for (uint32_t k = 0; k < paths->n; k++) {
            whole |= is_within(path, paths->items[k]);
            part |= is_within(paths->items[k], path);
        }
        if (!whole && part)
            hide_in(arena, &tree->fields[i], type, paths, path);
        else if (!whole)
            tree->fields[i].n = 0;
    }
}

static const MessageType *leads_to(const FieldType *field)
{
    const MessageType *type =
        field->map ? message_field_by_number(field->message, 2)->message : field->message;
    return type && type->well_known == WELL_KNOWN_NONE ? type : NULL;
}

static void add_random_paths(Arena *arena, Random *random, const MessageType *type, const char *at,
                             int depth, Paths *paths)
{
    for (uint32_t i = 0; i < type->n_fields && paths->n < PATHS_MOST; i++) {
        const FieldType *field = &type->fields[i];
        const char *path = arena_printf(arena, "%s%s%s", at, *at ? "." : "", field->name);
        const MessageType *inside = leads_to(field);
        uint64_t choice = random_below(random, 4);
        if (choice == 0 || (choice == 1 && !inside) || field->extension)
            continue;
        if (inside && choice != 3 && depth < 3)
            add_random_paths(arena, random, inside, path, depth + 1, paths);
        else
            paths->items[paths->n++] = path;
    }
}

/* ---- Random lists on random change lists ----------------------------------------------------- */

typedef struct Trial {
    Arena *arena;
    OracleChain chain;
    const MappingSet *set, *same, *common;
    TreeHints hints;
    bool upwards;
    uint64_t seed, n_compared;
} Trial;

/* NULL: a long chain may be too much for one program. */
static const Plan *plan_of(const Trial *t, const Mapping *mapping, const MappingSet *types,
                           Codec from, Codec to)
{
    PlanOptions options = strict;
    const Plan *plan;
    options.from = from;
    options.to = to;
    options.types = types;
    options.common_types = t->common;
    Result r = plan_compile(t->arena, mapping, &options, &plan);
    if (failed(r) && !strstr(error_text(t->arena, r), "too many fields for one program"))
        assert_ok(t->arena, r);
    return plan;
}

static Bytes run_by(Arena *arena, const Plan *plan, Bytes from)
{
    Buffer out = buffer_in(arena);
    assert_ok(arena, plan_run(plan, &(PlanInput){.bytes = from}, arena, &out, NULL));
    return buffer_bytes(&out);
}

static void compare(const Trial *t, Arena *arena, const Paths *paths, const Tree *message,
                    const Tree *expected, const MessageType *type, Bytes shown)
{
    Tree *got;
    assert_ok(arena, tree_parse(arena, type, shown, &got));
    if (tree_equal(&t->chain.known, got, expected))
        return;
    Buffer told = buffer_in(arena);
    for (uint32_t i = 0; i < paths->n; i++)
        buffer_printf(&told, "%s ", paths->items[i]);
    buffer_add_text(&told, "\n  message: ");
    tree_print(message, &told);
    buffer_add_text(&told, "\n  by the plan: ");
    tree_print(got, &told);
    buffer_add_text(&told, "\n  expected: ");
    tree_print(expected, &told);
    fprintf(stderr, "%s: %.*s\n", type->full_name, BYTES_ARGS(buffer_bytes(&told)));
    fail_msg("CHANGE_SEED=%llu", (unsigned long long)t->seed);
}

/* One message: through the plan, also by way of JSON, and the slow way. */
static void try_message(Trial *t, Random *random, const Mapping *mapping, const Paths *paths,
                        const Plan *wire, const Plan *json, const Plan *back)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Tree *message = tree_random(arena, random, &t->hints, mapping->from), *expected;
    Result r = oracle_convert(arena, &t->chain, t->upwards, (OracleRole){0}, message, &expected);
    if (!failed(r)) {
        Buffer from = buffer_in(arena);
        hide(arena, expected, paths, "");
        if (random_below(random, 2) && !t->hints.serialized)
            tree_scatter(message, random, &from);
        else
            tree_write(message, &from);
        Bytes bytes = buffer_bytes(&from);
        compare(t, arena, paths, message, expected, mapping->to, run_by(arena, wire, bytes));
        compare(t, arena, paths, message, expected, mapping->to,
                run_by(arena, back, run_by(arena, json, bytes)));
        t->n_compared++;
    }
    error_ignore(r, "what the lists refuse is not shown");
    arena_free(arena);
}

static void try_list(Trial *t, Random *random, const Mapping *mapping)
{
    Paths paths = {.n = 0};
    FieldListPlace place;
    FieldList *list = field_list_new(t->arena, mapping->to);
    add_random_paths(t->arena, random, mapping->to, "", 0, &paths);
    for (uint32_t i = 0; i < paths.n; i++)
        assert_int_equal(field_list_add(t->arena, list, bytes_of(paths.items[i]), &place),
                         FIELD_LIST_FITS);
    if (field_list_lacks(list))
        return;
    const Mapping *part = field_list_restrict(t->arena, list, mapping, t->same);
    const Plan *wire = plan_of(t, part, t->set, CODEC_PROTO, CODEC_PROTO);
    const Plan *json = plan_of(t, part, t->set, CODEC_PROTO, CODEC_JSON);
    const Plan *back =
        plan_of(t, mapping_set_find(t->same, mapping->to), t->same, CODEC_JSON, CODEC_PROTO);
    for (int i = 0; wire && json && i < MESSAGES; i++)
        try_message(t, random, mapping, &paths, wire, json, back);
}

static bool is_own(const Trial *t, const Mapping *mapping)
{
    return mapping->from->schema == t->set->from &&
           mapping_set_find(t->set, mapping->from) == mapping && !mapping->from->map_entry &&
           mapping->to->schema == t->set->to && mapping->to->well_known == WELL_KNOWN_NONE;
}

static void try_direction(Trial *t)
{
    Random random;
    Problems problems = problems_in(t->arena);
    random_seed_fixed(&random, t->seed * 2 + t->upwards);
    assert_ok(t->arena, changes_compose(t->arena, t->chain.lists, t->chain.n_lists, t->upwards,
                                        &problems, &t->set));
    if (!t->set)
        return; /* such chains are refused as a whole */
    assert_ok(t->arena, mapping_set_identity(t->arena, t->set->to, &t->same));
    tree_hints(t->arena, t->set, &t->hints);
    t->hints.known = t->chain.known;
    for (int i = 0; i < LISTS; i++) {
        const Mapping *mapping = t->set->mappings[random_below(&random, t->set->n_mappings)];
        if (is_own(t, mapping))
            try_list(t, &random, mapping);
    }
}

static uint64_t try_chain(uint64_t seed)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Trial t = {.arena = arena, .seed = seed};
    RandomChain chain;
    const ChangeList *lists[RANDOM_VERSIONS];
    const Schema *schemas[RANDOM_VERSIONS + 1];
    Problems problems = problems_in(arena);
    assert_ok(arena, error_types_load(arena, &t.common));
    random_chain(arena, seed, &chain);
    for (uint32_t i = 0; i < chain.n_lists; i++)
        assert_ok(arena, changes_load(arena, bytes_of(chain.lists[i]), "list.yaml", &chain.sides[i],
                                      &chain.sides[i + 1], &problems, &lists[i]));
    assert_int_equal(problems.n, 0);
    for (uint32_t i = 0; i < chain.n_versions; i++)
        schemas[i] = chain.sides[i].schema;
    schemas[chain.n_versions] = t.common->from;
    t.chain = (OracleChain){lists, chain.n_lists, {schemas, chain.n_versions + 1}};
    for (int upwards = 0; upwards < 2; upwards++) {
        t.upwards = upwards;
        try_direction(&t);
    }
    arena_free(arena);
    return t.n_compared;
}

static void plans_of_random_lists_show_what_the_slow_way_shows(void **state)
{
    const char *first = getenv("CHANGE_SEED"), *many = getenv("CHANGE_SEEDS");
    uint64_t seed = first ? strtoull(first, NULL, 10) : 1;
    uint64_t n = many ? strtoull(many, NULL, 10) : first ? 1 : SEEDS, n_compared = 0;
    for (uint64_t i = 0; i < n; i++)
        n_compared += try_chain(seed + i);
    assert_true(first || n_compared > n * MESSAGES); /* it is about more than refusals */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_listed_is_there),
        cmocka_unit_test(a_path_leads_into_each_element_of_a_list_and_each_value_of_a_map),
        cmocka_unit_test(a_type_within_itself_is_shown_as_far_as_the_path_leads),
        cmocka_unit_test(a_star_shows_all_that_the_schema_has),
        cmocka_unit_test(a_path_beside_one_of_the_whole_takes_nothing_away),
        cmocka_unit_test(a_hidden_member_of_a_oneof_still_displaces_the_others),
        cmocka_unit_test(unknown_fields_are_dropped_at_every_depth),
        cmocka_unit_test(hidden_fields_are_not_written_as_defaults_either),
        cmocka_unit_test(what_is_wrong_with_a_path_is_told),
        cmocka_unit_test(whether_all_of_a_path_is_hidden),
        cmocka_unit_test(what_is_hidden_is_told_by_its_paths),
        cmocka_unit_test(a_required_field_that_is_hidden_is_found),
        cmocka_unit_test(plans_of_random_lists_show_what_the_slow_way_shows),
    };
    return cmocka_run_group_tests(tests, plans_begin, plans_end);
}
