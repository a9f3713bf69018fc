/*
 * Loaded: a config that was read from a text, which may name the garage's files; and what was told
 * of it.
 */
#ifndef TESTS_LOADED_H
#define TESTS_LOADED_H

#include "gateway/service/config_load.h"

#include "tests/unit/check.h"
#include "tests/unit/gateway/garage.h"

typedef struct Loaded {
    Arena *arena;
    Config *config;   /* NULL: it has mistakes */
    const char *told; /* in `arena`; "": nothing */
} Loaded;

/* Takes the arena, in which the text is. */
static inline Loaded load_text(Arena *arena, const char *text)
{
    Loaded l = {.arena = arena};
    Arena *config = arena_new(ARENA_UNLIMITED);
    Problems problems = problems_in(arena);
    Buffer told = buffer_in(arena);
    assert_ok(arena,
              config_load_text(bytes_of(text), FILES "a.yaml", NULL, config, &problems, &l.config));
    problems_print(&problems, &told);
    l.told = without_folder(arena, buffer_bytes(&told));
    if (!l.config)
        arena_free(config);
    return l;
}

static inline void unload(Loaded *l)
{
    if (l->config)
        config_unref(l->config);
    arena_free(l->arena);
}

#endif
