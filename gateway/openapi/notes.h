/*
 * Notes: what a descriptor set says of its elements beyond their types: comments, deprecation, how
 * fields behave.
 *
 * A schema keeps what calls need; this is read from its descriptors again when a description is
 * made. Comments are there if the set was made with them (protoc --include_source_info; buf does so
 * by itself). Lives in its arena, which has no limit; any thread may read it.
 */
#ifndef GATEWAY_OPENAPI_NOTES_H
#define GATEWAY_OPENAPI_NOTES_H

#include "adapters/schema/schema.h"

typedef struct Note {
    Bytes comment; /* without the blanks that began its lines; empty: none */
    bool deprecated;
    bool output_only, input_only; /* google.api.field_behavior; REQUIRED is in the schema */
} Note;

typedef struct Notes {
    Table by_name; /* full name, of fields behind that of their message -> Note */
} Notes;

Notes notes_read(const Schema *schema, Arena *arena);

/* Of a message, enum, service or method (`member` NULL: of the element itself), or of a field or
   value in it. Never NULL: nothing is said of most. */
const Note *notes_of(const Notes *notes, const char *full_name, const char *member, Arena *arena);

#endif
