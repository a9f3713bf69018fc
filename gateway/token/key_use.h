/*
 * KeyUse: how often an API key was used, and when last: by each loop for itself, so that a call
 * costs a few plain stores, and over all of them.
 *
 *      loop   key_use_of, when it checks the key ---> KeyUse ---> key_use_count, with each call
 *      main thread                                     ^--------- key_used: the sum of all loops
 *
 * In the whole process, by the hash of the key: a new config, and another file with the same key,
 * go on with what was counted. A KeyUse is never freed; there are as many as keys times loops.
 */
#ifndef GATEWAY_KEY_USE_H
#define GATEWAY_KEY_USE_H

#include "gateway/token/api_keys.h"

#include <stdatomic.h>

typedef struct KeyUse {
    _Atomic uint64_t calls;
    _Atomic int64_t last; /* nanoseconds since 1970; 0: never */
} KeyUse;

/* Of the key on this loop, whose thread alone counts with it. Any thread. */
KeyUse *key_use_of(const void *loop, const uint8_t hash[API_KEY_HASH_SIZE]);

/* Another call, at `wall`. The thread of its loop. */
static inline void key_use_count(KeyUse *use, int64_t wall)
{
    uint64_t calls = atomic_load_explicit(&use->calls, memory_order_relaxed);
    atomic_store_explicit(&use->calls, calls + 1, memory_order_relaxed);
    atomic_store_explicit(&use->last, wall, memory_order_relaxed);
}

typedef struct KeyUsed {
    uint64_t calls;
    int64_t last; /* 0: never */
} KeyUsed;

/* Of all loops. Any thread. */
KeyUsed key_used(const uint8_t hash[API_KEY_HASH_SIZE]);

#endif
