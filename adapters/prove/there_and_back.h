/*
 * There and back: checks that a message converted to the other version and back equals the
 * original, or that its losses are declared: counted during a conversion, or in a line of the loss
 * report with a fixed result.
 *
 * The oracle checks that plans do what a list says; this checks that the list declares all losses.
 * Used by prove; one thread.
 */
#ifndef ADAPTERS_THERE_AND_BACK_H
#define ADAPTERS_THERE_AND_BACK_H

#include "adapters/prove/tree_random.h"

/* The declarations of both directions, by "Order.comment". Everything is in the arena. */
typedef struct Declared {
    Arena *arena;
    Table lost;            /* may come back as another value, or not at all */
    Table completed;       /* may come back without having been set: a kind, by its value */
    const TreeHints *read; /* the readers of the fields of the original message */
    bool choices;          /* a member of a oneof that is zero has to come back; over a chain, only
                              lists that see the oneof say so */
} Declared;

void declared_losses(Arena *arena, const MappingSet *there, const MappingSet *back,
                     const TreeHints *hints, Declared *declared_out);

/* The losses that were counted, by "Order.comment". */
typedef struct Counted {
    Arena *arena;
    Table lost, reordered;
} Counted;

Counted counted_in(Arena *arena);

void note_loss(Counted *counted, const Loss *loss);

/* The path of a field with an undeclared difference, in `arena`; or NULL. `counted`: losses counted
   in both directions. *respelled_out: a text came back in another spelling. */
const char *find_undeclared(Arena *arena, const Declared *declared, const Counted *counted,
                            const Tree *before, const Tree *after, bool *respelled_out);

#endif
