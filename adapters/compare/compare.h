/*
 * Comparison: how two messages of one type differ in what they mean (meaning.h).
 *
 *      {id: "7", items: [{sku: "mug"}], total: 5}
 *      {id: "7", items: [], total: 6, note: "x"}     note: added     items: missing     total:
 * value
 *
 * Of two lists the equal elements at both ends are left out. What remains differs in order if the
 * same elements are in both; else element by element, and the rest of the longer one was added or
 * is missing. Entries of maps are compared by their keys. A path has the names of the fields only,
 * without positions and keys, so that differences of many messages can be counted by it.
 *
 * Pure, on any thread; all that is made is in the arena.
 */
#ifndef ADAPTERS_COMPARE_H
#define ADAPTERS_COMPARE_H

#include "adapters/compare/meaning.h"

typedef enum DifferenceShape {
    DIFFERENCE_ADDED,   /* only the second message has it */
    DIFFERENCE_MISSING, /* only the first has it */
    DIFFERENCE_VALUE,   /* both have it, with different values */
    DIFFERENCE_TYPE,    /* another member of a oneof, or another type inside an Any */
    DIFFERENCE_ORDER,   /* of a list */
    DIFFERENCE_SHAPES,
} DifferenceShape;

typedef struct Difference {
    struct Difference *next;
    Bytes path; /* "orders.items.sku"; of a oneof its name takes the place of a field's */
    DifferenceShape shape;
    uint32_t n;          /* places in the two messages with this path and shape */
    Bytes first, second; /* what there is in each, of the first place; empty: nothing */
} Difference;

typedef struct CompareRules {
    const FieldType *const *ignored; /* with all beneath; ends with NULL; NULL: none */
    MeaningShow show;                /* how values are shown; most 0: they are not */
} CompareRules;

enum { COMPARE_MOST = 64 /* differences of two messages that are told apart */ };

typedef struct Comparison {
    Difference *first, **end;
    uint32_t n;
    bool more; /* than these */
} Comparison;

/* Faults: BAD_MESSAGE, TOO_DEEP, OUT_OF_MEMORY. */
MUST_USE Result compare_messages(const MessageType *type, Bytes first, Bytes second,
                                 const CompareRules *rules, Arena *arena, Comparison *out);

/* "added", "missing", "value", "type", "order". */
const char *difference_shape_name(DifferenceShape shape);

#endif
