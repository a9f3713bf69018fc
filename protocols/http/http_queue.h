/*
 * HttpQueue: bytes that wait to be sent, in a list of chunks. HttpChunkPool: free chunks for reuse.
 *
 * Each connection has a pool; its queues (its own, and with HTTP/2 one per stream) take chunks from
 * the pool and return them, so that nothing is allocated in the steady state. A large chunk holds
 * the payload of one HTTP/2 DATA frame of default size: framing then moves chunks instead of bytes.
 * A pool and its queues belong to one loop. Zeroed structs are empty. A failed allocation aborts.
 *
 *      first                         last
 *      [start#####end] -> [#####] -> [###end....]      room at the end of the last is used first
 */
#ifndef PROTOCOLS_HTTP_QUEUE_H
#define PROTOCOLS_HTTP_QUEUE_H

#include "base/bytes.h"

#include <sys/uio.h>

enum {
    HTTP_CHUNK_CLASSES = 3,
    HTTP_CHUNK_LARGEST = 16384, /* bytes in a chunk of the largest class */
};

typedef struct HttpChunk HttpChunk;

struct HttpChunk {
    HttpChunk *next;
    uint32_t start, end, capacity;
    uint32_t size_class;
    uint8_t data[];
};

typedef struct HttpChunkPool {
    HttpChunk *spare[HTTP_CHUNK_CLASSES];
    uint32_t n[HTTP_CHUNK_CLASSES];
} HttpChunkPool;

typedef struct HttpQueue {
    HttpChunk *first, *last;
    size_t size;
} HttpQueue;

/* An empty chunk with room for `size` bytes, owned by the caller. Above HTTP_CHUNK_LARGEST it is
   allocated and not kept for reuse. */
HttpChunk *http_chunk_take(HttpChunkPool *pool, size_t size);

/* Returns the chunk to the pool, or frees it when the pool has enough of its class. */
void http_chunk_give(HttpChunkPool *pool, HttpChunk *chunk);

/* Frees all spare chunks except `keep` small ones: when the connection becomes idle or is freed. */
void http_chunk_pool_trim(HttpChunkPool *pool, uint32_t keep);

/* Appends a copy; the case that does not fit the last chunk. Use http_queue_add. */
void http_queue_add_slowly(HttpQueue *queue, HttpChunkPool *pool, Bytes bytes);

/* Appends a copy. */
static inline void http_queue_add(HttpQueue *queue, HttpChunkPool *pool, Bytes bytes)
{
    HttpChunk *last = queue->last;
    if (last && last->capacity - last->end >= bytes.size) {
        if (bytes.size)
            memcpy(last->data + last->end, bytes.data, bytes.size);
        last->end += (uint32_t)bytes.size;
        queue->size += bytes.size;
    } else {
        http_queue_add_slowly(queue, pool, bytes);
    }
}

/* Moves the first `n` bytes of `from` to the end of `into`. `from` has at least `n`. */
void http_queue_move(HttpQueue *into, HttpQueue *from, HttpChunkPool *pool, size_t n);

/* Points up to `n` vectors at the first `most` bytes; returns how many vectors. They are valid
   until the queue changes. */
int http_queue_vectors(const HttpQueue *queue, struct iovec *vectors, int n, size_t most);

/* Drops the first `n` bytes. The queue has at least `n`. */
void http_queue_drop(HttpQueue *queue, HttpChunkPool *pool, size_t n);

/* Drops everything. */
void http_queue_clear(HttpQueue *queue, HttpChunkPool *pool);

#endif
