#include "base/fields.h"

#include "base/arena.h"

bool fields_extend(Fields *fields)
{
    uint32_t capacity = fields->capacity ? fields->capacity * 2 : 8;
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

void fields_drop(Fields *fields, Bytes name)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < fields->n; i++) {
        if (bytes_equal(fields->items[i].name, name))
            continue;
        if (n != i)
            fields->items[n] = fields->items[i];
        n++;
    }
    fields->n = n;
}

Bytes fields_find(const Fields *fields, Bytes name)
{
    for (uint32_t i = 0; i < fields->n; i++) {
        if (bytes_equal(fields->items[i].name, name))
            return fields->items[i].value;
    }
    return BYTES_NONE;
}

Bytes fields_join(const Fields *fields, Bytes name)
{
    Bytes first = BYTES_NONE;
    Buffer all = buffer_in(fields->arena);
    for (uint32_t i = 0; i < fields->n; i++) {
        if (!bytes_equal(fields->items[i].name, name))
            continue;
        Bytes value = fields->items[i].value;
        if (!first.data) {
            first = value.data ? value : bytes("", 0);
            continue;
        }
        if (all.size == 0)
            buffer_add_bytes(&all, first);
        buffer_add_text(&all, ", ");
        buffer_add_bytes(&all, value);
    }
    return all.size ? buffer_bytes(&all) : first;
}
