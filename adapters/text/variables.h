/*
 * Variables in a text: `${NAME}`, and `${NAME:-default}` where the variable is not set or empty.
 *
 * A NAME has letters, digits and underscores, and does not begin with a digit; a default ends at
 * the first `}`. `$${` stands for the characters `${`; any other `$` for itself. What a variable
 * has is not looked at again. Pure: who calls knows the variables.
 */
#ifndef ADAPTERS_VARIABLES_H
#define ADAPTERS_VARIABLES_H

#include "base/bytes.h"

/* The value, valid until the next call; NULL: there is none. */
typedef const char *VariableFind(void *owner, const char *name);

/* `reason` and `hint` are in the arena. */
typedef struct VariableMistake {
    const char *reason, *hint; /* hint: what to write in place of the reference */
} VariableMistake;

/* Whether the text has a reference, or something that could be one. */
bool variables_are_in(Bytes text);

/*
 * Adds the text with values in place of references to `out`, and the names to `names`: "HOST, PORT
 * (not set)", where the default was taken. False: see the mistake; what was added is of no use.
 */
bool variables_expand(Arena *arena, Bytes text, VariableFind *find, void *owner, Buffer *out,
                      Buffer *names, VariableMistake *mistake_out);

#endif
