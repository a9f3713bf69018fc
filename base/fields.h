/*
 * Fields: an ordered list of names and values: HTTP header fields, gRPC metadata, trailers.
 *
 * Names are in lower case (RFC 9113 section 8.2.1); a name may occur several times. Names and
 * values are borrowed and live as long as the arena. Like a Buffer, a list at its arena's limit
 * drops what is added and sets `full`.
 */
#ifndef BASE_FIELDS_H
#define BASE_FIELDS_H

#include "base/bytes.h"

typedef struct Field {
    Bytes name, value;
} Field;

enum { FIELD_EXTRA = 32 /* what a field counts beyond its text: fields_size */ };

typedef struct Fields {
    Field *items;
    uint32_t n, capacity;
    Arena *arena;
    bool full;
} Fields;

static inline Fields fields_in(Arena *arena)
{
    return (Fields){.arena = arena};
}

/* False, with `full` set, at the arena's limit. */
bool fields_extend(Fields *fields);

/* Another list of the same names and values, with room for `more`. `from` may be NULL. */
Fields fields_copy(Arena *arena, const Fields *from, uint32_t more);

/* Borrows both. */
static inline void fields_add(Fields *fields, Bytes name, Bytes value)
{
    if (fields->n < fields->capacity || fields_extend(fields))
        fields->items[fields->n++] = (Field){name, value};
}

/* `name` is a literal; the value is copied. */
static inline void fields_add_copy(Fields *fields, const char *name, Bytes value)
{
    Bytes copy = bytes_copy(fields->arena, value);
    fields->full |= !copy.data;
    fields_add(fields, bytes_of(name), copy);
}

static inline void fields_add_text(Fields *fields, const char *name, const char *value)
{
    fields_add_copy(fields, name, bytes_of(value));
}

/* In decimal. */
void fields_add_number(Fields *fields, const char *name, uint64_t value);

/* Bytes of names and values, and FIELD_EXTRA for each, as HTTP/2 counts them (RFC 9113 section
   6.5.2). */
static inline size_t fields_size(const Fields *fields)
{
    size_t size = 0;
    for (uint32_t i = 0; i < fields->n; i++)
        size += fields->items[i].name.size + fields->items[i].value.size + FIELD_EXTRA;
    return size;
}

/* Removes all values under that name. */
void fields_drop(Fields *fields, Bytes name);

static inline void fields_remove(Fields *fields, const char *name)
{
    fields_drop(fields, bytes_of(name));
}

/* Replaces all values under that name by this one. `name` is a literal; the value is borrowed. */
static inline void fields_set(Fields *fields, const char *name, Bytes value)
{
    fields_remove(fields, name);
    fields_add(fields, bytes_of(name), value);
}

/* The first value under that name; data is NULL if there is none. */
Bytes fields_find(const Fields *fields, Bytes name);

static inline Bytes fields_get(const Fields *fields, const char *name)
{
    return fields_find(fields, bytes_of(name));
}

/* All values under that name joined by ", " (RFC 9110 section 5.3), those of "cookie" by "; "
   (RFC 9113 section 8.2.3); data is NULL if there is none. */
Bytes fields_join(const Fields *fields, Bytes name);

static inline Bytes fields_joined(const Fields *fields, const char *name)
{
    return fields_join(fields, bytes_of(name));
}

#endif
