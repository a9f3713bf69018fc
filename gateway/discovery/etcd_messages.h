/*
 * EtcdMessages: the few messages of etcd v3 (etcdserverpb) by which a prefix is read and watched.
 *
 * Pure: bytes in, bytes out. What is read is borrowed from the message; lists are in the arena,
 * which has no limit. Faults of the readers: UPSTREAM_MESSAGE.
 */
#ifndef GATEWAY_ETCD_MESSAGES_H
#define GATEWAY_ETCD_MESSAGES_H

#include "base/bytes.h"
#include "base/result.h"

/* A RangeRequest for keys with the prefix, in their order: at most `limit` of them, after the key
   `after` (empty: from the first one on), as of `revision` (0: now). */
void etcd_add_range(Buffer *out, Bytes prefix, Bytes after, int64_t revision, uint32_t limit);

/* A WatchRequest: for all that happens to keys with the prefix, from this revision on. */
void etcd_add_watch(Buffer *out, Bytes prefix, int64_t revision);

/* A WatchRequest: for a response, whether anything happens or not. */
void etcd_add_progress(Buffer *out);

/* An AuthenticateRequest. */
void etcd_add_authenticate(Buffer *out, Bytes user, Bytes password);

typedef struct EtcdPair {
    Bytes key, value;
    bool gone; /* of a watch: the key was deleted, or its lease is over */
} EtcdPair;

typedef struct EtcdRange {
    int64_t revision; /* of the store */
    EtcdPair *pairs;
    size_t n;
    bool more; /* there are, after these */
} EtcdRange;

MUST_USE Result etcd_read_range(Arena *arena, Bytes message, EtcdRange *range_out);

typedef struct EtcdEvents {
    int64_t revision;  /* of the store */
    bool created;      /* the watch has begun */
    bool canceled;     /* etcd has ended it; the next two say why */
    int64_t compacted; /* if not 0: what happened before this revision is forgotten */
    Bytes reason;
    bool fragment; /* more of the same revision follow in the next message */
    EtcdPair *pairs;
    size_t n;
} EtcdEvents;

MUST_USE Result etcd_read_events(Arena *arena, Bytes message, EtcdEvents *events_out);

/* Of an AuthenticateResponse. */
MUST_USE Result etcd_read_token(Arena *arena, Bytes message, Bytes *token_out);

#endif
