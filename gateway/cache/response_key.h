/*
 * ResponseKey: what a kept response is found by: a keyed hash of all that must be the same.
 *
 *      key_begin -> key_add for each part, in the same order -> key_end
 *
 * SipHash-1-3 with 128 bits (Aumasson and Bernstein, 2012), keyed by random numbers of the process:
 * nobody can make two requests that have the same key, nor learn what was hashed. Each part is
 * hashed with its size. Plain values; any thread.
 */
#ifndef GATEWAY_RESPONSE_KEY_H
#define GATEWAY_RESPONSE_KEY_H

#include "base/bytes.h"

typedef struct ResponseKey {
    uint64_t low, high;
} ResponseKey;

/* Of the process, and secret. */
typedef struct KeySeed {
    uint64_t low, high;
} KeySeed;

/* From the system's entropy. */
KeySeed key_seed_new(void);

typedef struct KeyHash {
    uint64_t state[4];
    uint64_t tail; /* bytes that are not hashed yet: size % 8 of them */
    uint64_t size;
} KeyHash;

void key_begin(KeyHash *hash, const KeySeed *seed);
void key_add(KeyHash *hash, Bytes part);
void key_add_number(KeyHash *hash, uint64_t number);
ResponseKey key_end(KeyHash *hash);

#endif
