/*
 * HttpQueue: bytes that wait to go out, in a list of chunks. HttpChunkPool: chunks to use again.
 *
 * Each connection has a pool; its queues (its own, and with HTTP/2 one for each stream) take chunks
 * from it and give them back, so that in the steady state nothing is allocated. A large chunk holds
 * just what one HTTP/2 DATA frame carries by default: framing then moves chunks instead of bytes.
 * One loop.
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

/* A chunk with room for `size` bytes. Larger ones than HTTP_CHUNK_LARGEST are made for the
 * occasion. */
HttpChunk *http_chunk_take(HttpChunkPool *pool, size_t size);
void http_chunk_give(HttpChunkPool *pool, HttpChunk *chunk);

/* Frees the spare chunks but for `keep` small ones: when the connection becomes idle, or dies. */
void http_chunk_pool_trim(HttpChunkPool *pool, uint32_t keep);

/* Appends a copy. */
void http_queue_add_slowly(HttpQueue *queue, HttpChunkPool *pool, Bytes bytes);

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

/* Moves the first `n` bytes of `from`, which has as many, to the end of `into`. */
void http_queue_move(HttpQueue *into, HttpQueue *from, HttpChunkPool *pool, size_t n);

/* Points up to `n` vectors at the first `most` bytes; returns how many vectors. */
int http_queue_vectors(const HttpQueue *queue, struct iovec *vectors, int n, size_t most);

/* Drops the first `n` bytes; it has as many. */
void http_queue_drop(HttpQueue *queue, HttpChunkPool *pool, size_t n);

void http_queue_clear(HttpQueue *queue, HttpChunkPool *pool);

#endif
