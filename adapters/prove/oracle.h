/*
 * The oracle: applies change lists literally, one list after another and change by change, to
 * messages as trees.
 *
 * Slow and simple. It shares no code with compositions and plans, so that they can be checked
 * against it: `passerelle prove`, tests and the fuzz target do. One thread.
 */
#ifndef ADAPTERS_ORACLE_H
#define ADAPTERS_ORACLE_H

#include "adapters/changes/changes.h"
#include "adapters/prove/tree.h"

/* The lists, in the order of the versions or in reverse, and additional types. */
typedef struct OracleChain {
    const ChangeList *const *lists;
    uint32_t n_lists;
    TreeTypes known; /* of all versions, and the common ones */
} OracleChain;

/* The role of a message: by its type alone, or the request or response of a method, which may have
   another counterpart. */
typedef struct OracleRole {
    const MethodType *method; /* of the chain's first version; NULL: of none */
    bool output;
} OracleRole;

/*
 * Converts a message of the chain's first version to its last. The message's type, or the method of
 * its role, must have a counterpart in all versions. Faults: CANNOT_CONVERT and FIELD_REQUIRED, as
 * for a plan.
 */
MUST_USE Result oracle_convert(Arena *arena, const OracleChain *chain, bool upwards,
                               OracleRole role, const Tree *from, Tree **to_out);

#endif
