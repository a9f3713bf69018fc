/*
 * Fields: an ordered list of names and values: HTTP header fields, gRPC metadata, trailers.
 *
 * Names are in lower case (RFC 9113 section 8.2.1); the same name may come several times. Names and
 * values are borrowed and live as long as the arena. Like a Buffer, a list at its arena's limit
 * drops what is added and says so in `full`.
 */
#ifndef BASE_FIELDS_H
#define BASE_FIELDS_H

#include "base/bytes.h"

typedef struct Field {
    Bytes name, value;
} Field;

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

/* Borrows both. */
void fields_add(Fields *fields, Bytes name, Bytes value);

/* `name` is a literal; the value is copied. */
void fields_add_text(Fields *fields, const char *name, const char *value);
void fields_add_copy(Fields *fields, const char *name, Bytes value);

/* This value under that name, and no other. `name` is a literal; the value is borrowed. */
void fields_set(Fields *fields, const char *name, Bytes value);

/* The first value under that name; data is NULL when there is none. */
Bytes fields_get(const Fields *fields, const char *name);

/* All values under that name joined by ", " (RFC 9110 section 5.3); data is NULL when there is
   none. */
Bytes fields_joined(const Fields *fields, const char *name);

#endif
