/* The oracle's conversion of an Any's content. */
#include "adapters/prove/oracle_internal.h"

/* Types of the version's package must have counterparts; others are shared by all versions. */
static bool is_own(const Oracle *o, const MessageType *type)
{
    const ChangeSide *side = &o->list->sides[!o->to];
    return table_get(&o->list->fates[!o->to], bytes_of(type->full_name)) ||
           (side->package[0] ? side_name(side, type->full_name) != type->full_name
                             : !type->package[0]);
}

/* Converts only the Anys inside a message. */
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

/* Converts the content to its counterpart. Without one it is kept; byte for byte if it cannot
   contain an Any. */
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

/* Finds the type in any version, the nearest first: Anys inside it are converted list by list,
   regardless of which version has the outer type. */
static const MessageType *find_type(const Oracle *o, const Tree *holder, Bytes name)
{
    const MessageType *found = schema_message(o->list->sides[!o->to].schema, name);
    return found ? found : tree_find_type(&o->chain->known, holder->type->schema, name);
}

static bool is_named(const JsonNode *names, const ChangeSide *side, const MethodType *method)
{
    for (const JsonNode *item = names->kind == JSON_ARRAY ? names->first : names; item;
         item = names->kind == JSON_ARRAY ? item->next : NULL) {
        size_t dot = item->text.size;
        while (dot && item->text.data[dot - 1] != '.')
            dot--;
        if (bytes_are(bytes_slice(item->text, dot, item->text.size), method->name) &&
            bytes_are(bytes_slice(item->text, 0, dot - (dot > 0)),
                      side_name(side, method->service->full_name)))
            return true;
    }
    return false;
}

/* The pair for the content of this field, by the method that started the operation, or by all
   methods that may have. */
static const MessagePair *held_pair(const Oracle *o, const MessageType *type)
{
    HeldPart part = strcmp(o->part, "metadata") == 0 ? HELD_METADATA : HELD_RESPONSE;
    const MessagePair *found = NULL;
    if (!o->method || (part == HELD_RESPONSE && strcmp(o->part, "response") != 0))
        return NULL;
    const MethodEntry *own = o->method;
    bool begins = own->held[OLD][0] || own->held[OLD][1] || own->held[NEW][0] || own->held[NEW][1];
    for (uint32_t i = 0; i < o->list->n_methods; i++) {
        const MethodEntry *entry = &o->list->methods[i];
        const MessageType *ends[2] = {entry->held[OLD][part], entry->held[NEW][part]};
        if (!entry->ends[OLD] || !entry->ends[NEW] || !ends[OLD] || !ends[NEW] ||
            ends[!o->to] != type || (begins && entry != own) ||
            (!begins && own->operations_of &&
             !is_named(own->operations_of, &o->list->sides[OLD], entry->ends[OLD])))
            continue;
        const MessagePair *pair = table_get(&o->list->pairs_by_ends, bytes(ends, sizeof ends));
        if (!pair || !pair->checked || pair->bad)
            continue;
        if (found && found != pair)
            return NULL; /* ambiguous: the method is not known */
        found = pair;
    }
    return found;
}

Result oracle_any(Oracle *o, const Tree *from, Tree *to)
{
    Bytes url = text_in(from, 1), value = text_in(from, 2);
    size_t name = url.size;
    while (name && url.data[name - 1] != '/')
        name--;
    const MessageType *type = find_type(o, from, bytes_slice(url, name, url.size));
    const MessagePair *pair = type ? held_pair(o, type) : NULL;
    const MethodEntry *method = o->method;
    if (type && !pair)
        pair = oracle_find_pair(o, type);
    if (type && !pair && type->schema == o->list->sides[!o->to].schema && is_own(o, type)) {
        const TypeGone *gone = table_get(&o->list->fates[!o->to], bytes_of(type->full_name));
        if (gone && gone->fate == TYPE_DROPPED)
            return OK;
        if (!gone || gone->fate == TYPE_LOUD)
            return FAIL(o->arena, FAULT_CANNOT_CONVERT, "%s has no counterpart", type->full_name);
    }
    o->method = NULL; /* the content is not the method's operation */
    Result r = type ? any_content(o, type, pair, &value) : OK;
    o->method = method;
    if (pair)
        url = bytes_of(arena_printf(o->arena, "%.*s%s", BYTES_ARGS(bytes_slice(url, 0, name)),
                                    pair->ends[o->to]->full_name));
    tree_put(o->arena, to, message_field_by_number(to->type, 1),
             (TreeValue){.plain = {.bytes = url}});
    tree_put(o->arena, to, message_field_by_number(to->type, 2),
             (TreeValue){.plain = {.bytes = value}});
    return r;
}
