/*
 * Lines of templates, then a path. Whatever matches, matches again when it is written from what was
 * found; a template written with plain values is found under its own path.
 */
#include "base/arena.h"
#include "protocols/rest/rest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Bytes value_in_match(void *owner, Bytes field_path)
{
    const RestMatch *match = owner;
    for (size_t i = 0; i < match->n_parameters; i++) {
        if (bytes_equal(match->parameters[i].field_path, field_path))
            return match->parameters[i].text;
    }
    return BYTES_NONE;
}

static bool find(const RestTable *table, Bytes path, Arena *arena, RestMatch *match)
{
    bool found;
    Result r = rest_table_match(table, bytes_of("GET"), path, arena, match, &found);
    if (failed(r)) {
        CHECK(r.error->fault == &FAULT_BAD_REQUEST);
        return false;
    }
    return found;
}

/* What a matched template makes of the values that it found, is a path that matches something
   too. */
static void check_round_trip(const RestTable *table, RestMatch *match, Arena *arena)
{
    const RestTemplate *template = match->value;
    Buffer path = buffer_in(arena);
    Result r = rest_template_expand(template, value_in_match, match, arena, &path);
    if (failed(r)) {
        CHECK(r.error->fault ==
              &FAULT_BAD_VALUE); /* a wildcard without a variable, an odd literal */
        return;
    }
    RestMatch again;
    CHECK(find(table, buffer_bytes(&path), arena, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    RestTable *table = rest_table_new(arena);
    Bytes rest = bytes(data, size), line = BYTES_NONE;
    RestMatch match;
    while (bytes_split(&rest, '\n', &line) && rest.data) {
        const RestTemplate *template;
        void *shadowed;
        if (failed(rest_template_parse(arena, line, &template)))
            continue;
        Result r =
            rest_table_add(table, bytes_of("GET"), line, (void *)(uintptr_t) template, &shadowed);
        CHECK(!failed(r));
    }
    if (find(table, line, arena, &match))
        check_round_trip(table, &match, arena);
    RestParameter *parameters;
    size_t n;
    Result r = rest_query_parse(line, arena, &parameters, &n);
    CHECK(!failed(r) || r.error->fault == &FAULT_BAD_REQUEST);
    arena_free(arena);
    return 0;
}
