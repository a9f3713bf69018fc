/*
 * ResponseCache: good responses, kept for calls that fail. One for all loops; any thread.
 *
 *      shard = key.low % RESPONSE_SHARDS, each under a lock of its own:
 *
 *      all entries     newest [ E  D  C  B  A ] oldest      gives way when the shard is full
 *      of one client   newest [ E     C     A ] oldest      gives way when the client has its part
 *
 * Least recently kept: each good response to the same request takes the place of the one before it,
 * so that what is asked for often is new. An entry is found only while calls fail, so that being
 * found says nothing about an entry, and does not move it.
 *
 * A lock is held for a few pointers: messages of more than 4 KiB are copied outside of it.
 */
#ifndef GATEWAY_RESPONSE_CACHE_H
#define GATEWAY_RESPONSE_CACHE_H

#include "base/arena.h"
#include "base/net/ip.h"
#include "gateway/cache/response_key.h"

enum {
    RESPONSE_SHARDS = 16,
    RESPONSE_OVERHEAD = 176, /* bytes that an entry counts beside its message */
};

typedef struct ResponseCache ResponseCache;

typedef struct ResponseLimits {
    size_t memory;           /* bytes, of all shards together */
    uint32_t client_percent; /* of it: the most that one client may have; 1 to 100 */
} ResponseLimits;

ResponseCache *response_cache_new(const ResponseLimits *limits);
void response_cache_free(ResponseCache *cache); /* NULL is allowed */

/* New limits: what is too much gives way. */
void response_cache_limit(ResponseCache *cache, const ResponseLimits *limits);

/* The largest message that is kept. */
size_t response_cache_largest(const ResponseLimits *limits);

/* In place of an earlier one by the same key, also if this one is too large to be kept. `client`,
   by the address that stands for it, is charged for what is new; what only takes the place of a
   message of its size stays with the client that it was kept for first. While memory is short
   (budget.h), nothing is kept, and the oldest entries of the shard give way. `now`: monotonic
   nanoseconds. */
void response_cache_keep(ResponseCache *cache, const ResponseKey *key, const IpAddress *client,
                         Bytes message, int64_t now);

/* The response of the key goes, if there is one. */
void response_cache_drop(ResponseCache *cache, const ResponseKey *key);

/* The message in the arena, and when it was kept. False: there is none that was kept at `since` or
   later, or the arena is full. The data of an empty message is not NULL. */
bool response_cache_find(ResponseCache *cache, const ResponseKey *key, int64_t since, Arena *arena,
                         Bytes *message_out, int64_t *kept_out);

/* All entries go. */
void response_cache_clear(ResponseCache *cache);

typedef struct ResponseStats {
    uint64_t entries, clients, bytes;      /* now */
    uint64_t kept, evicted, found, missed; /* so far */
} ResponseStats;

ResponseStats response_cache_stats(ResponseCache *cache);

#endif
