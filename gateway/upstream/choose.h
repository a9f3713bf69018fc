/*
 * Choose: one of the candidates of one list.
 *
 * Two are compared, and the one with the smaller burden (latency.h) gets the call: the next in
 * turn, and one at random; turns and chance are in proportion to the weights. A call with a key
 * goes to the instance that the key belongs to (ring.h), unless that has its bound of calls: then
 * to the next on the ring.
 *
 * The cost does not depend on the number of candidates, except for those that the call has tried.
 */
#ifndef GATEWAY_CHOOSE_H
#define GATEWAY_CHOOSE_H

#include "gateway/upstream/candidates.h"

/* Instances that a call has tried already: this one, and those before it. */
typedef struct PickTried {
    const Instance *instance;
    const struct PickTried *before;
} PickTried;

/* What calls with affinity have in common: those with the same hash belong to one instance. */
typedef struct PickKey {
    uint32_t hash;
    float bound; /* calls of an instance, as a multiple of the mean; 0: there is no key */
} PickKey;

/* What a call wants of its instance. */
typedef struct PickWish {
    const PickTried *tried; /* none of these; NULL: any */
    PickKey key;
    bool undecided; /* the last one of these was picked while its cell was up: Pick.cell_up */
    bool candidate; /* of the build that is rolled out; else one of the others */
} PickWish;

enum {
    CALLS_NEVER_FULL = 4, /* calls of a loop with fewer calls than these: an instance is not full */
    RING_STEPS = 64,      /* points of a ring that one call looks at */
};

/* One that is up and may be used; NULL: there is none. */
Candidate *choose_up(Loop *loop, CandidateList *list, const PickWish *wish);

/* One that is down, may be used, and is worth a try; NULL: there is none. */
Candidate *choose_down(Loop *loop, CandidateList *list, const PickWish *wish);

/* One that can be reached, and is out only because of its failures: for when nothing else is up;
   NULL: there is none. The judge lifts such bars, too, but looks a few times a second only. */
Candidate *choose_at_need(Loop *loop, const CandidateList *list, const PickWish *wish);

bool choose_was_tried(const PickTried *tried, const Instance *instance);

#endif
