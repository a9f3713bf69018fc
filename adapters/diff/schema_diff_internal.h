/* What the files of the schema diff share. */
#ifndef ADAPTERS_SCHEMA_DIFF_INTERNAL_H
#define ADAPTERS_SCHEMA_DIFF_INTERNAL_H

#include "adapters/changes/change_list.h"
#include "adapters/diff/schema_diff.h"

typedef struct Diffing {
    Arena *arena;
    SchemaDiff *diff;
    const ChangeSide *sides; /* OLD, NEW */
    Table partners[2];       /* full name -> the message or enum type at the other end */
    Buffer types, messages, enums, methods;
} Diffing;

void diff_add(Diffing *d, unsigned breaks, bool guess, const char *path, const char *format, ...)
    PRINTF_LIKE(5, 6);

bool diff_in_package(const ChangeSide *side, const char *full_name);

/* How alike two names are, from 0 to 100. */
int diff_likeness(const char *a, const char *b);

/* schema_diff_fields.c */
void diff_messages(Diffing *d);
/* schema_diff_names.c: which messages and enums are the same under another name. */
void diff_partners(Diffing *d);
void diff_enums(Diffing *d);
void diff_methods(Diffing *d);

const MessageType *diff_partner(const Diffing *d, int end, const MessageType *message);
const EnumType *diff_enum_partner(const Diffing *d, int end, const EnumType *type);

#endif
