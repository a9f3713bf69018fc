#include "base/fields.h"

#include "base/arena.h"

#include <string.h>

static bool grow(Fields *fields, uint32_t capacity)
{
    Field *grown = arena_grow(fields->arena, fields->items, fields->n * sizeof(Field),
                              capacity * sizeof(Field));
    if (!grown) {
        fields->full = true;
        return false;
    }
    fields->items = grown;
    fields->capacity = capacity;
    return true;
}

bool fields_extend(Fields *fields)
{
    return grow(fields, fields->capacity ? fields->capacity * 2 : 8);
}

Fields fields_copy(Arena *arena, const Fields *from, uint32_t more)
{
    Fields copy = fields_in(arena);
    uint32_t n = from ? from->n : 0;
    if (n + more == 0 || !grow(&copy, n + more))
        return copy;
    if (n)
        memcpy(copy.items, from->items, n * sizeof *copy.items);
    copy.n = n;
    return copy;
}

void fields_add_number(Fields *fields, const char *name, uint64_t value)
{
    const char *text = arena_printf(fields->arena, "%llu", (unsigned long long)value);
    fields->full |= !text;
    if (text)
        fields_add(fields, bytes_of(name), bytes_of(text));
}

static inline bool has_name(const Field *field, Bytes name)
{
    return field->name.size == name.size && bytes_are_at(field->name.data, name);
}

void fields_drop(Fields *fields, Bytes name)
{
    Field *items = fields->items; /* NULL: there are none */
    uint32_t kept = 0;
    while (kept < fields->n && !has_name(&items[kept], name))
        kept++;
    for (uint32_t from = kept; from < fields->n; from++)
        if (!has_name(&items[from], name))
            items[kept++] = items[from];
    fields->n = kept;
}

Bytes fields_find(const Fields *fields, Bytes name)
{
    for (uint32_t i = 0; i < fields->n; i++) {
        if (has_name(&fields->items[i], name))
            return fields->items[i].value;
    }
    return BYTES_NONE;
}

Bytes fields_join(const Fields *fields, Bytes name)
{
    Bytes first = BYTES_NONE;
    Buffer all = buffer_in(fields->arena);
    for (uint32_t i = 0; i < fields->n; i++) {
        if (!has_name(&fields->items[i], name))
            continue;
        Bytes value = fields->items[i].value;
        if (!first.data) {
            first = value.data ? value : bytes("", 0);
            continue;
        }
        if (all.size == 0)
            buffer_add_bytes(&all, first);
        buffer_add_text(&all, bytes_are(name, "cookie") ? "; " : ", ");
        buffer_add_bytes(&all, value);
    }
    return all.size ? buffer_bytes(&all) : first;
}
