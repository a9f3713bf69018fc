/*
 * Meaning: a message as its reader understands it, so that what means the same looks the same.
 *
 * Fields that hold what is unset anyway are left out; of a single field the last value counts, and
 * pieces of a message are one; a map is sorted by its keys, a field mask by its paths; the content
 * of a google.protobuf.Any is read if its type is in the schema. Fields that the schema does not
 * have mean nothing here. All NaNs are one, and so are both zeros. Borrows texts from the message.
 * In an arena; one thread.
 */
#ifndef ADAPTERS_MEANING_H
#define ADAPTERS_MEANING_H

#include "adapters/schema/schema.h"

typedef struct Meaning Meaning;

typedef struct MeaningValue {
    uint64_t number; /* of numbers, bool and enums: sign-extended; of floats the bits of a double */
    Bytes bytes;     /* of string and bytes */
    Meaning *message; /* of messages and groups; else NULL */
    uint64_t hash;    /* equal values have the same */
} MeaningValue;

typedef struct MeaningField {
    const FieldType *type;
    MeaningValue *values;
    uint32_t n, capacity; /* n is not 0, and is 1 unless the field is repeated */
} MeaningField;

struct Meaning {
    const MessageType *type;
    MeaningField *fields; /* sorted by number */
    uint32_t n, capacity;
    const Meaning *content; /* of an Any whose type is known; NULL: not */
    uint64_t hash;
};

/* Faults: BAD_MESSAGE, TOO_DEEP, OUT_OF_MEMORY. */
MUST_USE Result meaning_read(const MessageType *type, Bytes wire, Arena *arena,
                             Meaning **meaning_out);

/* NULL: it is unset. */
const MeaningField *meaning_field(const Meaning *meaning, const FieldType *type);

/* The name of the type of an Any's content: "shop.v1.Order". */
Bytes meaning_content_name(const Meaning *any);

/* What of a value is shown to people. */
typedef struct MeaningShow {
    size_t most;                                  /* bytes; the rest is cut off */
    bool (*hides)(const void *owner, Bytes path); /* NULL: nothing is hidden */
    const void *owner;
} MeaningShow;

/* "7", "\"mug\"", "PAID", "{id: \"a\", items: [{sku: \"b\"}]}"; in place of what is hidden:
   "redacted". `path` is the value's, to which the names of fields beneath are added. */
void meaning_show(const FieldType *field, const MeaningValue *value, Bytes path,
                  const MeaningShow *show, Buffer *out);

/* Adds a step to a path of names; gives its size before, to which whoever leaves sets it back. */
size_t meaning_enter(Buffer *path, const char *name);

#endif
