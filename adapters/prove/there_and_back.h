/*
 * There and back: a message that went to the other version and came back says what it said, or what
 * it lost is declared: counted on the way, or on a line of the loss report that says what it always
 * becomes.
 *
 * The oracle tells whether plans do what a list says; this tells whether the list says all that it
 * does. Used by prove; one thread.
 */
#ifndef ADAPTERS_THERE_AND_BACK_H
#define ADAPTERS_THERE_AND_BACK_H

#include "adapters/prove/tree_random.h"

/* What two ways declare, by "Order.comment". All that it points at is the arena's. */
typedef struct Declared {
    Arena *arena;
    Table lost;            /* may come back as another value, or not at all */
    Table completed;       /* may come back where it was not: a kind, by its value */
    const TreeHints *read; /* what reads the fields of the message that goes there */
} Declared;

void declared_losses(Arena *arena, const MappingSet *there, const MappingSet *back,
                     const TreeHints *hints, Declared *declared_out);

/* Notes a loss that was counted on the way, in a table of `arena`. */
void note_loss(Arena *arena, Table *counted, const Loss *loss);

/* A field that came back another one, though nothing says so: its path, in `arena`; or NULL.
   `counted`: what was counted on both ways. *respelled_out: a text came back in another spelling.
 */
const char *find_undeclared(Arena *arena, const Declared *declared, const Table *counted,
                            const Tree *before, const Tree *after, bool *respelled_out);

#endif
