/* What the tests of change lists share: schemas/changes.proto, in which each kind of change is a
   message with the messages Old and New in place of two packages. */
#ifndef TESTS_UNIT_ADAPTERS_CHANGES_SCHEMA_H
#define TESTS_UNIT_ADAPTERS_CHANGES_SCHEMA_H

#include "adapters/changes/changes.h"
#include "tests/unit/check.h"

typedef struct Loaded {
    Arena *arena;
    const Schema *schema;
} Loaded;

static inline int load(void **state)
{
    static Loaded loaded;
    loaded.arena = arena_new(ARENA_UNLIMITED);
    assert_ok(loaded.arena,
              schema_load_file(loaded.arena, SCHEMAS "changes.binpb", &loaded.schema));
    *state = &loaded;
    return 0;
}

static inline int unload(void **state)
{
    arena_free(((Loaded *)*state)->arena);
    return 0;
}

static inline void both_sides(Loaded *loaded, const char *kind, ChangeSide *from, ChangeSide *to)
{
    *from = (ChangeSide){"v1", loaded->schema, arena_printf(loaded->arena, "changes.%s.Old", kind)};
    *to = (ChangeSide){"v2", loaded->schema, arena_printf(loaded->arena, "changes.%s.New", kind)};
}

static inline const ChangeList *read_list(Loaded *loaded, const char *kind, const char *yaml,
                                          Problems *problems)
{
    ChangeSide from, to;
    both_sides(loaded, kind, &from, &to);
    bool whole = strncmp(yaml, "from:", 5) == 0;
    const char *text = arena_printf(loaded->arena, "%s%s", whole ? "" : "from: v1\nto: v2\n", yaml);
    const ChangeList *list;
    assert_ok(loaded->arena, changes_load(loaded->arena, bytes_of(text), "list.yaml", &from, &to,
                                          problems, &list));
    return list;
}

/* A list that is right, as the mappings of one direction. */
static inline const MappingSet *read_set(Loaded *loaded, const char *kind, const char *yaml,
                                         bool upwards)
{
    Problems problems = problems_in(loaded->arena);
    const ChangeList *list = read_list(loaded, kind, yaml, &problems);
    Buffer text = buffer_in(loaded->arena);
    problems_print(&problems, &text);
    if (!list)
        fail_msg("%.*s", BYTES_ARGS(buffer_bytes(&text)));
    const MappingSet *set;
    assert_ok(loaded->arena, changes_compose(loaded->arena, &list, 1, upwards, &problems, &set));
    return set;
}

#endif
