/* Two FileDescriptorSets, behind two bytes with the size of the first: what changed between the
   packages of their first messages. The first change list is refused for its marks, and for nothing
   else. */
#include "adapters/diff/schema_diff.h"
#include "base/arena.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The list as a person leaves it who agrees with everything. */
static Bytes decided(Arena *arena, Bytes list)
{
    static const char mark[] = "  # decide:";
    Buffer out = buffer_in(arena);
    Bytes line;
    while (bytes_split(&list, '\n', &line)) {
        size_t end = 0;
        for (bool quoted = false; end < line.size; end++) {
            quoted ^= line.data[end] == '"'; /* a default of a schema may have the mark in it */
            if (!quoted && bytes_start_with(bytes_slice(line, end, line.size), mark))
                break;
        }
        buffer_add_bytes(&out, bytes_slice(line, 0, end));
        buffer_add_byte(&out, '\n');
    }
    return buffer_bytes(&out);
}

static void check_list(Arena *arena, const SchemaDiff *diff, const ChangeSide *from,
                       const ChangeSide *to)
{
    Problems problems = problems_in(arena);
    const ChangeList *list;
    Result r = changes_load(arena, decided(arena, diff->change_list), "list.yaml", from, to,
                            &problems, &list);
    CHECK(!failed(r));
    if (problems.n) {
        Buffer told = buffer_in(arena);
        problems_print(&problems, &told);
        fprintf(stderr, "%.*s%.*s", BYTES_ARGS(diff->change_list), BYTES_ARGS(buffer_bytes(&told)));
    }
    CHECK(list && !problems.n);
}

/* False: the bytes are no schema, or one without messages. */
static bool load_side(Arena *arena, Bytes set, ChangeSide *side)
{
    Result r = schema_load(arena, set, "fuzz", &side->schema);
    if (failed(r)) {
        error_ignore(r, "most bytes are no schema");
        return false;
    }
    if (!side->schema->n_messages)
        return false;
    side->package = side->schema->messages[0].package;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    ChangeSide from = {.version = "v1"}, to = {.version = "v2"};
    Bytes both = bytes(data + 2, size - 2);
    size_t first = (size_t)data[0] << 8 | data[1];
    if (load_side(arena, bytes_slice(both, 0, first), &from) &&
        load_side(arena, bytes_slice(both, first, both.size), &to)) {
        SchemaDiff diff;
        Buffer told = buffer_in(arena);
        schema_diff(arena, &from, &to, &diff);
        schema_diff_text(&diff, &told);
        schema_diff_json(&diff, &told);
        /* Versions have packages of their own: with one for both, their types are the same ones. */
        if (*from.package && *to.package && strcmp(from.package, to.package) != 0)
            check_list(arena, &diff, &from, &to);
    }
    arena_free(arena);
    return 0;
}
