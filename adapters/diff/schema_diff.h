/*
 * SchemaDiff: the changes between two versions of a service, and a first change list to complete.
 *
 * Compares the messages, enums and services of the two packages. Changes of a name, place or type
 * are guessed by names, numbers, types and positions, and marked as guesses, because schemas do not
 * contain them. Losses of data and of calls are marked for a decision ("# decide:"), and a list
 * with such marks does not load; where the evidence is too weak for a guess, the mark asks, and
 * names what the lost field may have become. Types that may belong together are asked about in
 * comments at the end
 * ("# unsure:"), which keep no list from loading. Lives in the arena; one thread.
 */
#ifndef ADAPTERS_SCHEMA_DIFF_H
#define ADAPTERS_SCHEMA_DIFF_H

#include "adapters/changes/changes.h"

/* What a change breaks. */
enum {
    BREAKS_WIRE = 1,   /* protobuf bytes of one version are read wrongly, or calls find no method */
    BREAKS_JSON = 2,   /* JSON of one version is refused or misread */
    BREAKS_SOURCE = 4, /* programs must be changed */
};

typedef struct Difference {
    const char *path; /* "Order.street" */
    const char *what; /* "moved to shipping.street" */
    unsigned breaks;
    bool guess;
} Difference;

typedef struct SchemaDiff {
    Difference *items;
    uint32_t n_items, capacity;
    uint32_t n_counterparts; /* types and methods that both versions have */
    Bytes change_list;       /* YAML; loads as soon as its marks are decided */
    Arena *arena;
} SchemaDiff;

void schema_diff(Arena *arena, const ChangeSide *from, const ChangeSide *to, SchemaDiff *diff_out);

/* One line a difference: "wire json source  Order.street: moved to shipping.street (guess)". */
void schema_diff_text(const SchemaDiff *diff, Buffer *out);
void schema_diff_json(const SchemaDiff *diff, Buffer *out);

#endif
