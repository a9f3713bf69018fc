/*
 * Random messages that are worth converting: what a change list asks of a text or a number, they
 * mostly have, so that the proof is about more than refusals. And shrinking one that fails.
 */
#ifndef ADAPTERS_TREE_RANDOM_H
#define ADAPTERS_TREE_RANDOM_H

#include "adapters/prove/tree.h"
#include "base/random.h"

enum { MOST_ASKED = 8 };

/* What is good to know of a field when a value for it is made. */
typedef struct TreeHint {
    const Converter *reader; /* what reads it first */
    const Mapping *about;    /* of a FieldMask */
    bool needed;             /* without it nothing comes through */
    bool refused;            /* with it nothing comes through, mostly */
    bool has_value;          /* but with this it does */
    Literal value;
    Literal asked[MOST_ASKED]; /* values that a list asks for: kinds, sentinels */
    uint32_t n_asked;
    bool one; /* of a list only one */
    /* What it is on the way, in any version: */
    bool spelled;     /* a text or a time that may have several spellings */
    bool floating;    /* a number with fewer digits */
    bool taken_apart; /* a message that becomes a plain value */
    bool flag;        /* of two values, one is what is unset */
} TreeHint;

typedef struct TreeHints {
    Arena *arena;
    Table by_field;        /* FieldType -> TreeHint */
    Table visited;         /* Mapping */
    const MappingSet *set; /* what may be inside an Any */
    TreeTypes known;       /* so may all of these types */
    bool serialized;       /* messages become bytes, which are compared as they are */
} TreeHints;

/* From all that the mappings of this set do to their source. */
void tree_hints(Arena *arena, const MappingSet *set, TreeHints *hints_out);

Tree *tree_random(Arena *arena, Random *random, const TreeHints *hints, const MessageType *type);

/*
 * Takes away what is not needed for `fails` to stay true, and makes the rest plain. The tree is
 * changed in place; `fails` is asked at most `tries` times.
 */
void tree_shrink(Tree *tree, bool (*fails)(void *owner, const Tree *tree), void *owner,
                 unsigned tries);

#endif
