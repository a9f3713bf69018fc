/*
 * Pick: the instance that answers a call, and the version that it is asked in.
 *
 * An instance that speaks the client's version itself comes first; else the nearest version that
 * plans reach: without loss, then with the fewest fields that may be lost, then the newer one.
 * Instances that are away are passed over, unless there is no other and a try costs little; among
 * equals the least loaded one wins.
 */
#ifndef GATEWAY_PICK_H
#define GATEWAY_PICK_H

#include "gateway/upstream/upstream.h"

typedef struct Pick {
    const Instance *instance;
    const Version *served;
    const MethodPair *pair; /* of the client's method, towards `served` */
    Upstream *upstream;
    const char *why; /* "native", "without loss", "fewest losses" */
} Pick;

/* Instances that a call has tried already: this one, and those before it. */
typedef struct PickTried {
    const Instance *instance;
    const struct PickTried *before;
} PickTried;

/* Faults: METHOD_REMOVED (no instance's version has it), NO_INSTANCE, UPSTREAM_DOWN (over the last
   failure of one that could have answered). */
MUST_USE Result pick_instance(Loop *loop, const Method *method, const PickTried *tried,
                              Arena *arena, Pick *pick_out);

/* Whether an instance that can answer is there, for all that any loop knows. */
bool pick_possible(const Method *method);

/* Any instance of a service without a schema. Fault: UPSTREAM_DOWN. */
MUST_USE Result pick_any(Loop *loop, const Service *service, const PickTried *tried, Arena *arena,
                         Pick *pick_out);

#endif
