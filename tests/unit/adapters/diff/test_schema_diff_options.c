/* What clients see of a version beside names, places and types; schemas/seen_*.proto has a field,
   value or method for each kind. */
#include "tests/unit/adapters/diff/first_list.h"

typedef struct Loaded {
    Arena *arena;
    ChangeSide from, to;
    SchemaDiff diff;
} Loaded;

static int load(void **state)
{
    static Loaded loaded;
    Arena *arena = loaded.arena = arena_new(ARENA_UNLIMITED);
    loaded.from = (ChangeSide){"v1", NULL, "seen.v1"};
    loaded.to = (ChangeSide){"v2", NULL, "seen.v2"};
    assert_ok(arena, schema_load_file(arena, SCHEMAS "seen_old.binpb", &loaded.from.schema));
    assert_ok(arena, schema_load_file(arena, SCHEMAS "seen_new.binpb", &loaded.to.schema));
    schema_diff(arena, &loaded.from, &loaded.to, &loaded.diff);
    *state = &loaded;
    return 0;
}

static int unload(void **state)
{
    arena_free(((Loaded *)*state)->arena);
    return 0;
}

#define WIRE BREAKS_WIRE
#define JSON BREAKS_JSON
#define SOURCE BREAKS_SOURCE

/* One kind: how it is told, what it breaks, and the line of the first list; NULL: it needs none. */
static const struct Row {
    unsigned breaks;
    const char *told, *line;
} rows[] = {
    {JSON, "M.json_name_changed: its JSON name alpha became beta", NULL},
    {SOURCE, "M.renamed_in_proto: renamed to called_otherwise",
     "    renamed_in_proto: called_otherwise  # guess: the same JSON name\n"},
    {WIRE | JSON | SOURCE, "M.became_required: became required",
     "    became_required: {required: loud}  # decide: required: calls of v1 without it fail; or "
     "say a value for them\n"},
    {WIRE | JSON | SOURCE, "M.became_needed: became required",
     "    became_needed: {required: loud}  # decide: required: calls of v1 without it fail; or say "
     "a value for them\n"},
    {WIRE, "M.no_longer_required: is no longer required",
     "    no_longer_required: {optional: graceful}\n"},
    {WIRE | JSON, "M.default_changed: its default 7 became 8",
     "    default_changed: {required: 7, optional: 8}\n"},
    {WIRE | JSON, "M.tone: its default LOW became HIGH",
     "    tone: {required: LOW, optional: HIGH}\n"},
    {JSON | SOURCE, "M.widened_values: from map of string to int32 to map of string to int64",
     NULL},
    {WIRE | SOURCE, "M.group: from group M.Group to M.Group", NULL},
    {WIRE | SOURCE, "M.length_changed: from int32 to sint32", NULL},
    {SOURCE, "M.in_oneof_now: oneof (none) became other", NULL},
    {SOURCE, "M.leaves_oneof: oneof choice became (none)", NULL},
    {WIRE, "M.renumbered: renumbered from 18 to 22", NULL},
    {JSON | SOURCE, "M.seen.v1.note: renamed to seen.v2.note",
     "    seen.v1.note: seen.v2.note  # decide: a guess, by its name\n"},
    {WIRE, "Texts.text: its text must be UTF-8 now", NULL},
    {SOURCE, "Texts.text: presence became implicit: a zero that is set is as one that is not",
     NULL},
    {SOURCE, "Texts.color: presence became implicit: a zero that is set is as one that is not",
     NULL},
    {JSON | SOURCE, "Texts.color: renamed to colour",
     "    color: colour  # decide: a guess, the same number and type\n"},
    {WIRE, "Texts.texts: its text must be UTF-8 now", NULL},
    {WIRE, "Texts.names: its text must be UTF-8 now", NULL},
    {WIRE, "Texts.kept: its text must be UTF-8 now", NULL},
    {WIRE | JSON, "Mood: became open: a number without a name is a value now", NULL},
    {JSON | SOURCE, "Level.MOST: a second name of TOP, removed", NULL},
    {0, "Level.HIGHEST: a second name of a value, added", NULL},
    {0, "Level.UTTERLY: a second name of a value, added", NULL},
    {WIRE | JSON | SOURCE,
     "S.NoPromise: idempotency_level NO_SIDE_EFFECTS became IDEMPOTENCY_UNKNOWN",
     "  S.NoPromise: S.NoPromise  # decide: IDEMPOTENCY_UNKNOWN in v2: is it safe to repeat calls "
     "of v1, and may GET be refused?\n"},
    {WIRE | JSON | SOURCE, "S.LessPromise: idempotency_level NO_SIDE_EFFECTS became IDEMPOTENT",
     "  S.LessPromise: S.LessPromise  # decide: IDEMPOTENT in v2: may GET be refused?\n"},
    {SOURCE, "S.NotRepeated: idempotency_level IDEMPOTENT became IDEMPOTENCY_UNKNOWN",
     "  S.NotRepeated: S.NotRepeated  # decide: IDEMPOTENCY_UNKNOWN in v2: is it safe to repeat "
     "calls of v1?\n"},
    {0, "S.MorePromise: idempotency_level IDEMPOTENCY_UNKNOWN became NO_SIDE_EFFECTS", NULL},
    {WIRE | SOURCE, "S.FetchNote: renamed to S.GetNote",
     "  S.FetchNote: S.GetNote  # decide: a guess, by its types; IDEMPOTENCY_UNKNOWN in v2: is it "
     "safe to repeat calls of v1?\n"},
    {SOURCE, "S.FetchNote: idempotency_level IDEMPOTENT became IDEMPOTENCY_UNKNOWN", NULL},
    {WIRE | JSON | SOURCE,
     "S.Stream: other types: Item to stream Item, now stream Item to stream Item",
     "  S.Stream: {removed: \"its types are others in v2\"}  # decide: calls of v1 fail\n"},
    {JSON, "S.Path: its HTTP binding changed: GET /v1/items, now GET /v2/items", NULL},
    {JSON, "S.Path: an HTTP binding removed: GET /v1/old", NULL},
    {JSON, "S.Body: its HTTP binding changed: POST /items body *, now POST /items body id", NULL},
    {JSON, "S.ResponseBody: its HTTP binding changed: GET /ids response_body id, now GET /ids",
     NULL},
    {JSON, "S.Bindings: an HTTP binding removed: GET /b", NULL},
    {0, "S.Bindings: an HTTP binding added: GET /e", NULL},
    {JSON, "S.NoHttp: an HTTP binding removed: GET /only", NULL},
    {0, "S.Deprecated: is deprecated now", NULL},
    {WIRE | JSON | SOURCE, "S.Begin: the response of its operation: Receipt, now Bill", NULL},
    {0, "S.Begin: the metadata of its operation: Item, now not declared", NULL},
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static const Difference *told(const Loaded *loaded, const char *text)
{
    for (uint32_t i = 0; i < loaded->diff.n_items; i++) {
        const Difference *item = &loaded->diff.items[i];
        if (strcmp(arena_printf(loaded->arena, "%s: %s", item->path, item->what), text) == 0)
            return item;
    }
    return NULL;
}

static void each_kind_is_told_with_what_it_breaks(void **state)
{
    Loaded *loaded = *state;
    for (size_t i = 0; i < N_ROWS; i++) {
        const Difference *item = told(loaded, rows[i].told);
        if (!item || item->breaks != rows[i].breaks)
            fail_msg("%s: %s, breaks %u", rows[i].told, item ? "told" : "not told",
                     item ? item->breaks : 0);
    }
}

static void nothing_else_is_told(void **state)
{
    Loaded *loaded = *state;
    assert_int_equal(loaded->diff.n_items, N_ROWS);
}

static void the_list_has_a_line_for_what_a_person_decides_and_for_nothing_else(void **state)
{
    Loaded *loaded = *state;
    const char *list = arena_text(loaded->arena, loaded->diff.change_list);
    uint32_t lines = 0, expected = 0;
    for (const char *at = list; (at = strchr(at, '\n')); at++)
        lines += strncmp(at, "\n  ", 3) == 0;
    for (size_t i = 0; i < N_ROWS; i++) {
        expected += rows[i].line != NULL;
        if (rows[i].line && !strstr(list, rows[i].line))
            fail_msg("not in the list: %s\n%s", rows[i].line, list);
    }
    assert_int_equal(lines, expected + 2); /* "  M:", "  Texts:" */
    check_first_list(loaded->arena, &loaded->from, &loaded->to);
}

static void what_the_new_version_promises_no_more_is_told_the_other_way_round(void **state)
{
    Loaded *loaded = *state;
    SchemaDiff back;
    schema_diff(loaded->arena, &loaded->to, &loaded->from, &back);
    Loaded turned = {loaded->arena, loaded->to, loaded->from, back};
    assert_non_null(told(&turned, "M.json_name_changed: its JSON name beta became alpha"));
    assert_non_null(told(&turned, "Mood: became closed: a number without a name is no value any "
                                  "more"));
    assert_non_null(told(&turned, "Texts.text: its text need not be UTF-8 any more"));
    assert_non_null(told(&turned, "S.MorePromise: idempotency_level NO_SIDE_EFFECTS became "
                                  "IDEMPOTENCY_UNKNOWN"));
    assert_null(strstr(arena_text(loaded->arena, back.change_list), "S.NoPromise"));
    check_first_list(loaded->arena, &loaded->to, &loaded->from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_is_told_with_what_it_breaks),
        cmocka_unit_test(nothing_else_is_told),
        cmocka_unit_test(the_list_has_a_line_for_what_a_person_decides_and_for_nothing_else),
        cmocka_unit_test(what_the_new_version_promises_no_more_is_told_the_other_way_round),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
