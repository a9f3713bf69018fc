/* Which messages of a schema an Any may be inside of: found from each Any back to all that lead to
   it, so that the cost is that of the schema, however many messages ask. */
#include "adapters/schema/schema.h"

#include "base/arena.h"

/* A field of message type, in the row of those of one type. */
typedef struct Use {
    uint32_t user, next; /* message indexes, and place of the next use + 1 */
} Use;

typedef struct Reach {
    const Schema *schema;
    bool *found;         /* by the message's index */
    uint32_t *first_use; /* by the index of what is used: place + 1 */
    Use *uses;
    uint32_t *waiting, n_waiting;
} Reach;

static void add_found(Reach *reach, uint32_t message)
{
    if (reach->found[message])
        return;
    reach->found[message] = true;
    reach->waiting[reach->n_waiting++] = message;
}

static size_t count_fields(const Schema *schema)
{
    size_t n = 0;
    for (uint32_t i = 0; i < schema->n_messages; i++)
        n += schema->messages[i].n_fields;
    return n;
}

static void find_uses(Reach *reach)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < reach->schema->n_messages; i++) {
        const MessageType *type = &reach->schema->messages[i];
        if (type->well_known == WELL_KNOWN_ANY)
            add_found(reach, i);
        for (uint32_t k = 0; k < type->n_fields; k++) {
            const MessageType *inner = type->fields[k].message;
            if (!inner)
                continue;
            reach->uses[n] = (Use){i, reach->first_use[inner->index]};
            reach->first_use[inner->index] = ++n;
        }
    }
}

const bool *any_reach(Arena *arena, const Schema *schema)
{
    Arena *scratch = arena_new(ARENA_UNLIMITED);
    Reach reach = {.schema = schema,
                   .found = arena_array(arena, bool, schema->n_messages),
                   .first_use = arena_array(scratch, uint32_t, schema->n_messages),
                   .uses = arena_array(scratch, Use, count_fields(schema) + 1),
                   .waiting = arena_array(scratch, uint32_t, schema->n_messages)};
    CHECK(reach.found && reach.first_use && reach.uses && reach.waiting); /* without a limit */
    find_uses(&reach);
    while (reach.n_waiting) {
        uint32_t used = reach.waiting[--reach.n_waiting];
        for (uint32_t at = reach.first_use[used]; at; at = reach.uses[at - 1].next)
            add_found(&reach, reach.uses[at - 1].user);
    }
    arena_free(scratch);
    return reach.found;
}
