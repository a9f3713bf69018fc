/* Any text as a change list: it is refused with problems, or its plans do what the oracle reads in
   it. */
#include "adapters/prove/prove.h"
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGES = 6 };

static const char *const kinds[] = {
    "Rename",   "Swap",     "Move",     "Gone",      "Numbers",   "Texts",   "Times",  "Lists",
    "Zero",     "Presence", "Enums",    "Kinds",     "Templates", "Amounts", "Masks",  "Types",
    "Wrappers", "Tree",     "Choice",   "Round",     "Inside",    "Given",   "Ports",  "Hoisted",
    "Words",    "Names",    "Meanings", "Namesakes", "Merges",    "Keyed",   "Scales", "Seconds",
    "Floats",   "Serials",  "Parted",   "Boxed",     "Unchosen"};

static const Schema *the_schema(void)
{
    static const Schema *schema;
    if (!schema) {
        static Arena *arena;
        arena = arena_new(ARENA_UNLIMITED);
        Result r = schema_load_file(arena, SCHEMAS "changes.binpb", &schema);
        if (failed(r)) {
            fprintf(stderr, "%s\n", error_text(arena, r));
            abort();
        }
    }
    return schema;
}

static void prove(Arena *arena, const ChangeList *list)
{
    ProveOptions options = {.n_messages = MESSAGES, .seed = 7, .json = true};
    ProveOutcome outcome;
    Result r = prove_chain(arena, &list, 1, &options, &outcome);
    if (!failed(r) && !outcome.disproved)
        return;
    fprintf(stderr, "%s\n%.*s\n", error_text(arena, r), BYTES_ARGS(outcome.counter_example));
    abort();
}

/* The first byte chooses the messages that the list is about. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    const char *kind = kinds[data[0] % (sizeof kinds / sizeof *kinds)];
    ChangeSide from = {"v1", the_schema(), arena_printf(arena, "changes.%s.Old", kind)};
    ChangeSide to = {"v2", the_schema(), arena_printf(arena, "changes.%s.New", kind)};
    Problems problems = problems_in(arena);
    const ChangeList *list;
    Result r =
        changes_load(arena, bytes(data + 1, size - 1), "list.yaml", &from, &to, &problems, &list);
    if (failed(r) || !list == !problems.n)
        abort();
    if (list)
        prove(arena, list);
    Buffer told = buffer_in(arena);
    problems_print(&problems, &told);
    arena_free(arena);
    return 0;
}
