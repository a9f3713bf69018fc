/*
 * The oracle: change lists applied as they read, one list after another, change by change, to
 * messages in pieces.
 *
 * Slow and obvious, and no part of it is shared with compositions and plans, so that they can be
 * checked against it: `passerelle prove`, tests and the fuzz target do. One thread.
 */
#ifndef ADAPTERS_ORACLE_H
#define ADAPTERS_ORACLE_H

#include "adapters/changes/changes.h"
#include "adapters/prove/tree.h"

/* The lists, in the order of the versions or against it, and what is known besides. */
typedef struct OracleChain {
    const ChangeList *const *lists;
    uint32_t n_lists;
    TreeTypes known; /* of all versions, and what all know besides */
} OracleChain;

/* What a message is: one of its type, or a request or an answer of a method, which may go with
   another. */
typedef struct OracleRole {
    const MethodType *method; /* of the chain's first version; NULL: of none */
    bool output;
} OracleRole;

/*
 * Gives a message of the chain's first version as its last's. The message's type, or the method of
 * its role, has a counterpart all along. Faults: CANNOT_CONVERT and FIELD_REQUIRED, as a plan
 * would.
 */
MUST_USE Result oracle_convert(Arena *arena, const OracleChain *chain, bool upwards,
                               OracleRole role, const Tree *from, Tree **to_out);

#endif
