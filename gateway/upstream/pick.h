/*
 * Pick: selects the instance for a call, and the version of the request to it.
 *
 * An instance that speaks the client's version itself comes first; else the nearest version that
 * plans reach: without loss, then with the fewest fields that may be lost, then the newer one.
 * Instances that are down are skipped, unless there is no other and an attempt costs little; those
 * with a bar (instances.h) are never used. The gateway's own cell comes first (spill.h), and then
 * choose.h decides among equals.
 *
 * The cost does not depend on the number of instances, except for those that the call has tried.
 */
#ifndef GATEWAY_PICK_H
#define GATEWAY_PICK_H

#include "gateway/policy/policy.h"
#include "gateway/upstream/choose.h"
#include "gateway/upstream/upstream.h"

typedef struct Pick {
    const Instance *instance; /* stays until pick_release */
    const Version *served;
    const MethodPair *pair; /* of the client's method, towards `served` */
    Upstream *upstream;     /* borrowed: pass it to upstream_want in this turn */
    const char *why;        /* "native", "without loss", "fewest losses" */
    Candidates *from;       /* for pick_release; NULL: nothing was picked */
    bool hedge;             /* its call has another attempt besides: counted in n_hedged */
    bool spilled;           /* out of the gateway's cell, which lacks instances */
    bool cell_up;           /* that has instances that count as up */
    bool trial;             /* counted in the trials of the retry budget */
} Pick;

/* Faults: METHOD_REMOVED (no instance's version has it), NO_INSTANCE, UPSTREAM_DOWN (its cause is
   the last failure of an instance that could serve the call). The caller releases the pick when the
   call ends. */
MUST_USE Result pick_instance(Loop *loop, const Method *method, const PickTried *tried,
                              Arena *arena, Pick *pick_out);

/* The same for a wish, at a version that is none of these: bit i is that of index i. */
MUST_USE Result pick_other_version(Loop *loop, const Method *method, uint64_t but,
                                   const PickWish *wish, Arena *arena, Pick *pick_out);

/* The same at this version, which is one that the method converts to. */
MUST_USE Result pick_at_version(Loop *loop, const Method *method, const Version *version,
                                const PickWish *wish, Arena *arena, Pick *pick_out);

/* Whether pick_at_version finds an instance if none was tried. */
bool pick_is_served(Loop *loop, const Method *method, const Version *version, const PickWish *wish);

/* Whether the service has an instance of these lists (a bit for each version; bit 0 of one without
   versions) in this arm, PickWish.candidate: any; or one that may answer. */
bool pick_has_any(Loop *loop, const Service *service, uint64_t lists, bool candidate);
bool pick_may_answer(Loop *loop, const Service *service, uint64_t lists, bool candidate);

/* Any instance of a service without a schema. Fault: UPSTREAM_DOWN. */
MUST_USE Result pick_any(Loop *loop, const Service *service, const PickWish *wish, Arena *arena,
                         Pick *pick_out);

/* Whether one more call of the service may have two attempts at once: so many percent of the loop's
   running calls of it may, and one always may. `pick` is of its first attempt. */
bool pick_may_hedge(const Pick *pick, uint32_t percent);

/* `pick` is of its second attempt. */
void pick_hedge(Pick *pick);

/* The retry budget of the service of a pick. Nothing is counted without a service. */
bool pick_budget_is_spent(Loop *loop, const Pick *pick);
void pick_charge(Loop *loop, Pick *pick, PolicyCharge charge);
void pick_end_trial(Loop *loop, Pick *pick, bool refused); /* does nothing unless it is one */
void pick_earn(Loop *loop, const Pick *pick);              /* a call went well */

/* How long the instances of the method take; NULL: it is not measured. */
DelaySketch *pick_delays(const Pick *pick, const Method *method);

/* How long good responses of the method usually take in this loop: patience_usual. NULL: it is not
   measured. */
int64_t *pick_usual(const Pick *pick, const Method *method);

/* The call has ended, before its config is released. Nothing to do for a pick of zeros. */
void pick_release(Loop *loop, Pick *pick);

/* Whether there is an instance that can serve the method and that no loop considers down. */
bool pick_possible(Loop *loop, const Method *method);

#endif
