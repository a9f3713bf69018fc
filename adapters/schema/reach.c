/* What messages of each type can contain. Searches backwards from the contained types to all
   messages that use them, so that the total cost is linear in the size of the schema. */
#include "adapters/schema/schema.h"

#include "base/arena.h"

/* A field of message type; the uses of one type are a linked list. */
typedef struct Use {
    uint32_t user, next; /* index of the message with the field; index of the next use + 1 */
} Use;

typedef struct Reach {
    const Schema *schema;
    uint8_t *levels;     /* index: of the message */
    uint32_t *first_use; /* index: of the used message; value: index of the use + 1 */
    Use *uses;
    uint32_t *waiting, n_waiting;
} Reach;

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
        for (uint32_t k = 0; k < type->n_fields; k++) {
            const MessageType *inner = type->fields[k].message;
            if (!inner || inner->schema != reach->schema) /* placement.h: of another schema */
                continue;
            reach->uses[n] = (Use){i, reach->first_use[inner->index]};
            reach->first_use[inner->index] = ++n;
        }
    }
}

/* Raises to this level all messages of a lower level that can contain a message of this level. */
static void spread_level(Reach *reach, uint8_t level)
{
    for (uint32_t i = 0; i < reach->schema->n_messages; i++) {
        if (reach->levels[i] == level)
            reach->waiting[reach->n_waiting++] = i;
    }
    while (reach->n_waiting) {
        uint32_t used = reach->waiting[--reach->n_waiting];
        for (uint32_t at = reach->first_use[used]; at; at = reach->uses[at - 1].next) {
            uint32_t user = reach->uses[at - 1].user;
            if (reach->levels[user] >= level)
                continue;
            reach->levels[user] = level;
            reach->waiting[reach->n_waiting++] = user;
        }
    }
}

void reach_spread(const Schema *schema, uint8_t *levels)
{
    Arena *scratch = arena_new(ARENA_UNLIMITED);
    Reach reach = {.schema = schema,
                   .levels = levels,
                   .first_use = arena_array(scratch, uint32_t, schema->n_messages),
                   .uses = arena_array(scratch, Use, count_fields(schema) + 1),
                   .waiting = arena_array(scratch, uint32_t, schema->n_messages)};
    CHECK(reach.first_use && reach.uses && reach.waiting); /* the arena has no limit */
    uint8_t highest = 0;
    for (uint32_t i = 0; i < schema->n_messages; i++)
        highest = levels[i] > highest ? levels[i] : highest;
    find_uses(&reach);
    for (uint8_t level = highest; level; level--)
        spread_level(&reach, level);
    arena_free(scratch);
}

const bool *any_reach(Arena *arena, const Schema *schema)
{
    bool *found = arena_array(arena, bool, schema->n_messages);
    uint8_t *levels = arena_array(arena, uint8_t, schema->n_messages);
    CHECK(found && levels); /* the arena has no limit */
    for (uint32_t i = 0; i < schema->n_messages; i++)
        levels[i] = schema->messages[i].well_known == WELL_KNOWN_ANY;
    reach_spread(schema, levels);
    for (uint32_t i = 0; i < schema->n_messages; i++)
        found[i] = levels[i];
    return found;
}
