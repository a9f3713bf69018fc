#include "adapters/schema/schema.h"
#include "base/arena.h"

/* The pairs that are being compared, or are equal: needed for recursive types. */
typedef struct Pairs {
    Arena *arena;
    Table seen;
} Pairs;

static bool begin_pair(Pairs *pairs, const MessageType *a, const MessageType *b)
{
    const void *pair[2] = {a, b};
    Bytes key = bytes(pair, sizeof(pair));
    if (table_get(&pairs->seen, key))
        return false;
    table_put(&pairs->seen, bytes_copy(pairs->arena, key), pairs);
    return true;
}

static bool same_values(const EnumType *a, const EnumType *b)
{
    if (a == b)
        return true;
    if (a->closed != b->closed || a->n_values != b->n_values)
        return false;
    for (uint32_t i = 0; i < a->n_values; i++) {
        const EnumValue *value = enum_value_by_name(b, bytes_of(a->values[i].name));
        if (!value || value->number != a->values[i].number)
            return false;
    }
    return true;
}

static bool same_message(Pairs *pairs, const MessageType *a, const MessageType *b);

/* A proto2 default is the value of an unset field, so different defaults are a different
   meaning. */
static bool same_field(Pairs *pairs, const FieldType *a, const FieldType *b)
{
    if (a->number != b->number || a->kind != b->kind || a->repeated != b->repeated ||
        a->required != b->required || a->presence != b->presence || a->packed != b->packed ||
        a->check_utf8 != b->check_utf8 || strcmp(a->name, b->name) != 0 ||
        !bytes_equal(field_default(a), field_default(b)) || !a->oneof != !b->oneof)
        return false;
    if (a->oneof && strcmp(a->oneof->name, b->oneof->name) != 0)
        return false;
    if (a->enumeration && !same_values(a->enumeration, b->enumeration))
        return false;
    return !a->message || same_message(pairs, a->message, b->message);
}

static bool same_message(Pairs *pairs, const MessageType *a, const MessageType *b)
{
    if (a == b || !begin_pair(pairs, a, b))
        return true;
    if (a->n_fields != b->n_fields || a->map_entry != b->map_entry ||
        a->message_set != b->message_set || a->well_known != b->well_known)
        return false;
    for (uint32_t i = 0; i < a->n_fields; i++) {
        if (!same_field(pairs, &a->fields[i], &b->fields[i]))
            return false;
    }
    return true;
}

bool message_same_wire(const MessageType *a, const MessageType *b)
{
    Pairs pairs = {.arena = arena_new(ARENA_UNLIMITED)};
    pairs.seen = table_in(pairs.arena);
    bool same = same_message(&pairs, a, b);
    arena_free(pairs.arena);
    return same;
}
