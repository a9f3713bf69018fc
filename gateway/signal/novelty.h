/*
 * Novelty: kinds of failures that were never seen before, or not for long.
 *
 * At each look the failures of the last hour are counted by kind. A kind is told once, when within
 * a day after its first failure it has failed often enough in an hour, for enough clients: a single
 * failure of a new kind is no news. One that does not is known from then on. What is seen while the
 * memory is young, or was seen before it began, is known at once: a fresh gateway does not cry.
 * NOVELTY_KINDS kinds are remembered; then the one that was not seen for the longest time is
 * forgotten. Owned by one thread. Plain functions; time is passed in.
 */
#ifndef GATEWAY_NOVELTY_H
#define GATEWAY_NOVELTY_H

#include <stdbool.h>
#include <stdint.h>

enum { NOVELTY_KINDS = 8192 };

typedef struct NoveltyRules {
    int64_t warm_up;   /* nanoseconds since the memory began, in which nothing is new */
    int64_t forgotten; /* nanoseconds after which a kind that was not seen is new again */
    uint32_t failures; /* of an hour that make a kind news */
    uint32_t clients;  /* likewise */
} NoveltyRules;

typedef struct NoveltyKind {
    uint64_t kind;       /* a hash */
    int64_t first, last; /* wall time */
    uint8_t known; /* a bool that a store may have kept: it is no news any more, or never was */
    /* Of the look that is under way. */
    uint32_t failures, clients;
    uint64_t example;
} NoveltyKind;

typedef struct Novelty {
    int64_t since;      /* wall time: the memory began; 0: it has not */
    NoveltyKind *kinds; /* by `kind` */
    uint32_t n, capacity;
} Novelty;

/* Failures of a kind: several rows may be of one. */
typedef struct NoveltyCount {
    uint64_t kind;
    uint64_t example;    /* given back in NoveltyFound */
    int64_t first, last; /* wall time */
    uint64_t failures;   /* of the last hour */
    uint64_t clients;    /* at all */
} NoveltyCount;

typedef struct NoveltyFound {
    uint64_t kind, example; /* the example with the most failures */
    int64_t first;
    uint32_t failures, clients;
} NoveltyFound;

/* A look: begin it, count all rows, and end it. */
void novelty_begin(Novelty *novelty, int64_t wall);
void novelty_count(Novelty *novelty, const NoveltyRules *rules, const NoveltyCount *count,
                   int64_t wall);
void novelty_end(Novelty *novelty, const NoveltyRules *rules, int64_t wall,
                 void (*on_new)(void *owner, const NoveltyFound *found), void *owner);

/* Frees what it holds. */
void novelty_deinit(Novelty *novelty);

#endif
