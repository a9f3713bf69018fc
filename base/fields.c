#include "base/fields.h"

#include "base/arena.h"

void fields_add(Fields *fields, Bytes name, Bytes value)
{
    if (fields->n == fields->capacity) {
        uint32_t capacity = fields->capacity ? fields->capacity * 2 : 4;
        Field *grown = arena_grow(fields->arena, fields->items, fields->n * sizeof(Field),
                                  capacity * sizeof(Field));
        if (!grown) {
            fields->full = true;
            return;
        }
        fields->items = grown;
        fields->capacity = capacity;
    }
    fields->items[fields->n++] = (Field){name, value};
}

void fields_add_text(Fields *fields, const char *name, const char *value)
{
    fields_add_copy(fields, name, bytes_of(value));
}

void fields_add_copy(Fields *fields, const char *name, Bytes value)
{
    Bytes copy = bytes_copy(fields->arena, value);
    fields->full |= !copy.data;
    fields_add(fields, bytes_of(name), copy);
}

void fields_set(Fields *fields, const char *name, Bytes value)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < fields->n; i++) {
        if (!bytes_are(fields->items[i].name, name))
            fields->items[n++] = fields->items[i];
    }
    fields->n = n;
    fields_add(fields, bytes_of(name), value);
}

Bytes fields_get(const Fields *fields, const char *name)
{
    for (uint32_t i = 0; i < fields->n; i++) {
        if (bytes_are(fields->items[i].name, name))
            return fields->items[i].value;
    }
    return BYTES_NONE;
}

Bytes fields_joined(const Fields *fields, const char *name)
{
    Bytes first = BYTES_NONE;
    Buffer all = buffer_in(fields->arena);
    for (uint32_t i = 0; i < fields->n; i++) {
        if (!bytes_are(fields->items[i].name, name))
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
