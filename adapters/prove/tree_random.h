/*
 * Random messages that mostly meet the conditions of a change list for texts and numbers, so that
 * the proof does not only test refusals; and minimising one that fails.
 */
#ifndef ADAPTERS_TREE_RANDOM_H
#define ADAPTERS_TREE_RANDOM_H

#include "adapters/prove/tree.h"
#include "base/random.h"

enum { MOST_ASKED = 8 };

/* Hints for the random value of a field. */
typedef struct TreeHint {
    const Converter *reader; /* the first converter that reads it */
    const Mapping *about;    /* of a FieldMask */
    bool needed;             /* without it the message is refused */
    bool refused;            /* with it the message is mostly refused */
    bool has_value;          /* but not with this value */
    Literal value;
    Literal asked[MOST_ASKED]; /* values in a list: kinds, sentinels */
    uint32_t n_asked;
    bool one;       /* of a list only one */
    bool single;    /* an element of a list becomes a single value */
    bool selects;   /* a kind follows from it, whose loss is counted */
    bool unordered; /* a list that becomes a map */
    /* In any version of the chain: */
    bool spelled;     /* a text that may be zero in several spellings */
    bool serialized;  /* bytes that hold a message, in any form */
    bool taken_apart; /* a message that becomes a plain value */
    bool flag;        /* of two values, one is what is unset */
    bool sentinel;    /* some value of it is converted to a sentinel, and so means unset */
} TreeHint;

typedef struct TreeHints {
    Arena *arena;
    Table by_field;        /* FieldType -> TreeHint */
    Table visited;         /* Mapping */
    const MappingSet *set; /* what may be inside an Any */
    TreeTypes known;       /* so may all of these types */
    bool serialized;       /* messages become bytes, which are compared as they are */
} TreeHints;

/* Collects hints from the mappings of this set. */
void tree_hints(Arena *arena, const MappingSet *set, TreeHints *hints_out);

Tree *tree_random(Arena *arena, Random *random, const TreeHints *hints, const MessageType *type);

/*
 * Removes everything that `fails` does not need to stay true, and simplifies the rest. The tree is
 * changed in place; `fails` is called at most `tries` times.
 */
void tree_shrink(Tree *tree, bool (*fails)(void *owner, const Tree *tree), void *owner,
                 unsigned tries);

#endif
