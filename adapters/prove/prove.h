/*
 * Proof: random messages through each plan of a chain and back, against the oracle.
 *
 * For each message type that has a counterpart, both directions: the composed plan on protobuf
 * bytes, the same by way of JSON, and the oracle on the lists one after another must all produce
 * the same message, or all refuse. And a message converted there and back must be equal to the
 * original, except for declared losses: those that were counted, and lines of the loss report. The
 * random values often are critical ones: separators, zeros, ends of ranges, sentinels, numbers
 * without a name. The first difference is minimised and reported. One thread; blocks until done.
 */
#ifndef ADAPTERS_PROVE_H
#define ADAPTERS_PROVE_H

#include "adapters/changes/changes.h"

typedef struct ProveOptions {
    uint64_t n_messages;      /* random ones, in each direction; spread over the types */
    uint64_t seed;            /* the same seed gives the same messages */
    const MappingSet *common; /* types that are part of all versions; NULL: none */
    bool json;                /* also through JSON, for every fourth */
    /* Called now and then; may be NULL. */
    void (*on_progress)(void *owner, const char *direction, uint64_t done, uint64_t all);
    void *owner;
} ProveOptions;

typedef struct ProveOutcome {
    uint64_t n_run, n_converted, n_refused; /* refused by both */
    bool disproved;
    Bytes counter_example; /* text: type, message, the result of each side */
} ProveOutcome;

/* `arena` holds the plans and the outcome. Fails if the chain does not compose or compile. */
MUST_USE Result prove_chain(Arena *arena, const ChangeList *const *lists, uint32_t n_lists,
                            const ProveOptions *options, ProveOutcome *outcome_out);

#endif
