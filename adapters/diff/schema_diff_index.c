/* Where to look for a counterpart: lists by name, so that not each is compared with each. */
#include "adapters/diff/schema_diff_internal.h"

void list_add(Arena *arena, List *list, const void *item)
{
    if (list->n == list->capacity) {
        uint32_t capacity = list->capacity ? list->capacity * 2 : 2;
        list->items = arena_grow(arena, list->items, list->n * sizeof *list->items,
                                 capacity * sizeof *list->items);
        list->capacity = capacity;
    }
    list->items[list->n++] = item;
}

void lists_add(Table *lists, const char *key, const void *item)
{
    List *list = table_get(lists, bytes_of(key));
    if (!list) {
        list = arena_make(lists->arena, List);
        table_put(lists, bytes_of(key), list);
    }
    list_add(lists->arena, list, item);
}

const List *lists_get(const Table *lists, const char *key)
{
    static const List empty;
    const List *list = table_get(lists, bytes_of(key));
    return list ? list : &empty;
}

static void index_message(Diffing *d, int end, const MessageType *message)
{
    if (message->map_entry)
        return;
    lists_add(&d->by_name[end], message->name, message);
    lists_add(&d->by_words[end], diff_name_key(d, message->name), message);
    for (uint32_t i = 0; i < message->n_fields; i++) {
        const FieldType *field = &message->fields[i];
        lists_add(&d->by_field[end], field->name, message);
        const MessageType *inner = value_type_element(field).message;
        if (inner)
            lists_add(&d->users[end], inner->full_name, message);
        const EnumType *type = value_type_element(field).enumeration;
        if (type)
            lists_add(&d->users[end], type->full_name, message);
    }
}

static void index_enum(Diffing *d, int end, const EnumType *type)
{
    lists_add(&d->enums_by_name[end], type->name, type);
    lists_add(&d->enums_by_words[end], diff_name_key(d, type->name), type);
    const char *const *bare = diff_bare_names(d, type)->names;
    for (uint32_t i = 0; i < type->n_values; i++)
        if (!enum_is_unspecified(bare[i]))
            lists_add(&d->enums_by_value[end], bare[i], type);
}

void diff_index(Diffing *d)
{
    for (int end = 0; end < 2; end++) {
        const ChangeSide *side = &d->sides[end];
        for (uint32_t i = 0; i < side->schema->n_messages; i++)
            index_message(d, end, &side->schema->messages[i]);
        for (uint32_t i = 0; i < side->schema->n_enums; i++)
            index_enum(d, end, &side->schema->enums[i]);
    }
    diff_index_methods(d);
}

/* ---- Candidates ------------------------------------------------------------------------------ */

static bool has(const Candidates *candidates, const void *item)
{
    for (uint32_t i = 0; i < candidates->n; i++)
        if (candidates->items[i] == item)
            return true;
    return false;
}

void candidates_add(Candidates *candidates, const List *list)
{
    for (uint32_t i = 0; list->n <= MOST_NAMESAKES && i < list->n; i++)
        if (candidates->n < MOST_CANDIDATES && !has(candidates, list->items[i]))
            candidates->items[candidates->n++] = list->items[i];
}

void diff_message_candidates(Diffing *d, int end, const MessageType *type, Candidates *out)
{
    enum { FEW = 8 };
    out->n = 0;
    candidates_add(out, lists_get(&d->by_words[end], diff_name_key(d, type->name)));
    for (uint32_t i = 0; i < type->n_fields; i++) {
        const List *list = lists_get(&d->by_field[end], type->fields[i].name);
        if (list->n <= FEW)
            candidates_add(out, list);
    }
}

void diff_enum_candidates(Diffing *d, int end, const EnumType *type, Candidates *out)
{
    out->n = 0;
    candidates_add(out, lists_get(&d->enums_by_words[end], diff_name_key(d, type->name)));
    const char *const *bare = diff_bare_names(d, type)->names;
    for (uint32_t i = 0; i < type->n_values; i++)
        candidates_add(out, lists_get(&d->enums_by_value[end], bare[i]));
}
