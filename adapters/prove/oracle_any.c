/* The oracle on what an Any brings. */
#include "adapters/prove/oracle_internal.h"

/* Types of the version's own package have to have counterparts; others are the same to all. */
static bool is_own(const Oracle *o, const MessageType *type)
{
    const ChangeSide *side = &o->list->sides[!o->to];
    return table_get(&o->list->fates[!o->to], bytes_of(type->full_name)) ||
           (side->package[0] ? side_name(side, type->full_name) != type->full_name
                             : !type->package[0]);
}

/* A message that stays what it is, but for what the Anys in it bring. */
static Result convert_anys(Oracle *o, Tree *tree)
{
    Result r = OK;
    for (uint32_t i = 0; i < tree->type->n_fields; i++) {
        TreeField *field = &tree->fields[i];
        for (uint32_t k = 0; tree->type->fields[i].message && k < field->n && !failed(r); k++) {
            Tree *inner = field->values[k].message;
            if (inner->type->well_known == WELL_KNOWN_ANY) {
                field->values[k].message = tree_new(o->arena, inner->type);
                r = oracle_any(o, inner, field->values[k].message);
            } else {
                r = convert_anys(o, inner);
            }
        }
    }
    return r;
}

static bool reaches_any(const MessageType *type, bool *seen)
{
    if (type->well_known == WELL_KNOWN_ANY)
        return true;
    if (seen[type->index])
        return false;
    seen[type->index] = true;
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const MessageType *inner = type->fields[i].message;
        if (inner && inner->schema == type->schema && reaches_any(inner, seen))
            return true;
    }
    return false;
}

/* What is in it: as its counterpart, or as it is: then to the byte, where no Any can be in it. */
static Result any_content(Oracle *o, const MessageType *type, const MessagePair *pair, Bytes *value)
{
    Tree *before, *after = NULL;
    if (!pair && !reaches_any(type, arena_array(o->arena, bool, type->schema->n_messages + 1)))
        return OK;
    Result r = tree_parse(o->arena, type, *value, &before);
    if (!failed(r) && pair) {
        r = oracle_pair(o, pair, before, &after);
    } else if (!failed(r) && type->well_known == WELL_KNOWN_ANY) {
        after = tree_new(o->arena, type);
        r = oracle_any(o, before, after);
    } else if (!failed(r)) {
        after = before;
        r = convert_anys(o, after);
    }
    if (failed(r))
        return r;
    Buffer out = buffer_in(o->arena);
    tree_write(after, &out);
    *value = buffer_bytes(&out);
    return OK;
}

static Bytes text_in(const Tree *tree, uint32_t number)
{
    const TreeField *field = tree_field(tree, message_field_by_number(tree->type, number));
    return field->n ? field->values[0].plain.bytes : BYTES_NONE;
}

/* A type that any version knows, the nearest first: what an Any inside it brings is converted list
   by list, whoever knows the message around it. */
static const MessageType *find_type(const Oracle *o, const Tree *holder, Bytes name)
{
    const MessageType *found = schema_message(o->list->sides[!o->to].schema, name);
    return found ? found : tree_find_type(&o->chain->known, holder->type->schema, name);
}

Result oracle_any(Oracle *o, const Tree *from, Tree *to)
{
    Bytes url = text_in(from, 1), value = text_in(from, 2);
    size_t name = url.size;
    while (name && url.data[name - 1] != '/')
        name--;
    const MessageType *type = find_type(o, from, bytes_slice(url, name, url.size));
    const MessagePair *pair = type ? oracle_find_pair(o, type) : NULL;
    if (type && !pair && type->schema == o->list->sides[!o->to].schema && is_own(o, type)) {
        const TypeGone *gone = table_get(&o->list->fates[!o->to], bytes_of(type->full_name));
        if (gone && gone->fate == TYPE_DROPPED)
            return OK;
        if (!gone || gone->fate == TYPE_LOUD)
            return FAIL(o->arena, FAULT_CANNOT_CONVERT, "%s has no counterpart", type->full_name);
    }
    Result r = type ? any_content(o, type, pair, &value) : OK;
    if (pair)
        url = bytes_of(arena_printf(o->arena, "%.*s%s", BYTES_ARGS(bytes_slice(url, 0, name)),
                                    pair->ends[o->to]->full_name));
    tree_put(o->arena, to, message_field_by_number(to->type, 1),
             (TreeValue){.plain = {.bytes = url}});
    tree_put(o->arena, to, message_field_by_number(to->type, 2),
             (TreeValue){.plain = {.bytes = value}});
    return r;
}
