/*
 * LimitShares: which part of a client's rate each of several gateways has.
 *
 *      nobody is limited    every gateway has 1 / n of each rate
 *      a client is          those that have said what they need of it divide what they may, by
 * that; what those that have said nothing may use stays theirs: 1 / n each
 *
 * Every gateway computes its own part from the same numbers, so that all parts together are at most
 * the whole. Then a map from keys of buckets to parts, which loops read without a lock: one thread
 * writes another one beside it, and turns. Shares are of RATE_WHOLE.
 */
#ifndef GATEWAY_LIMIT_SHARES_H
#define GATEWAY_LIMIT_SHARES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SHARES_MOST = 1000,   /* keys with shares of their own */
    SHARE_NEEDS_MOST = 64 /* gateways that say what they need of one key; others are not heard */
};

/* Of each of `n_gateways`, at least 1. */
uint32_t limit_share_equal(uint32_t n_gateways);

/*
 * The part of the one that needs `needs[mine]` (of RATE_WHOLE, which may be more), where `n` <=
 * n_gateways have said what they need. Each has an eighth of an equal part at least, for a client
 * that comes suddenly; what nobody needs is divided equally.
 */
uint32_t limit_share_of(const uint64_t *needs, uint32_t n, uint32_t mine, uint32_t n_gateways);

/* ---- The map --------------------------------------------------------------------------------- */

typedef struct LimitShareMap LimitShareMap;

typedef struct LimitShare {
    uint64_t key; /* of a bucket */
    uint32_t share;
} LimitShare;

LimitShareMap *limit_share_map_new(void);
void limit_share_map_free(LimitShareMap *map); /* NULL is allowed */

/* These are the shares from now on, at most SHARES_MOST. One thread; not more often than a call
   takes to be admitted. */
void limit_share_map_set(LimitShareMap *map, const LimitShare *shares, uint32_t n);

/* The share of the key; 0: it has none of its own. Any thread. */
uint32_t limit_share_map_get(const LimitShareMap *map, uint64_t key);

#endif
