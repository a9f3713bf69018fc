/*
 * Proof: random messages through each plan of a chain and back, against the oracle.
 *
 * For each message type that has a counterpart, both directions: the composed plan on protobuf
 * bytes, the same by way of JSON, and the oracle on the lists one after another must all say the
 * same message, or all refuse. And a message that went there and came back must say what it said,
 * but for what the lists declare: losses that were counted, and lines of the loss report. The
 * random values are often such that hurt: separators, zeros, ends of ranges, sentinels, numbers
 * without a name. The first disagreement is shrunk and told. One thread; as long as it takes.
 */
#ifndef ADAPTERS_PROVE_H
#define ADAPTERS_PROVE_H

#include "adapters/changes/changes.h"

typedef struct ProveOptions {
    uint64_t n_messages;      /* random ones, in each direction; spread over the types */
    uint64_t seed;            /* the same seed gives the same messages */
    const MappingSet *common; /* types that all know besides their own; NULL: none */
    bool json;                /* by way of JSON too, for every fourth */
    /* Called now and then; may be NULL. */
    void (*on_progress)(void *owner, const char *direction, uint64_t done, uint64_t all);
    void *owner;
} ProveOptions;

typedef struct ProveOutcome {
    uint64_t n_run, n_converted, n_refused; /* refused by both, as the list says */
    bool disproved;
    Bytes counter_example; /* text: type, message, what each side made of it */
} ProveOutcome;

/* `arena` holds the plans and the outcome. Fails when the chain does not compose or compile. */
MUST_USE Result prove_chain(Arena *arena, const ChangeList *const *lists, uint32_t n_lists,
                            const ProveOptions *options, ProveOutcome *outcome_out);

#endif
