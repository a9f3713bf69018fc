/*
 * HttpQueue: bytes that wait to be sent, in a list of chunks.
 *
 * Chunks are blocks of the thread (base/blocks.h), so nothing is allocated in the steady state and
 * an idle connection holds none. A large chunk holds the payload of one HTTP/2 DATA frame of
 * default size: framing then moves chunks instead of bytes. A queue belongs to one loop. A zeroed
 * struct is empty. A failed allocation aborts. A tally counts the chunks.
 *
 *      first                         last
 *      [start#####end] -> [#####] -> [###end....]      room at the end of the last is used first
 */
#ifndef PROTOCOLS_HTTP_QUEUE_H
#define PROTOCOLS_HTTP_QUEUE_H

#include "base/bytes.h"
#include "base/memory/budget.h"

#include <sys/uio.h>

enum { HTTP_CHUNK_LARGEST = 16384 }; /* bytes in a chunk of the largest class */

typedef struct HttpChunk HttpChunk;

struct HttpChunk {
    HttpChunk *next;
    uint32_t start, end, capacity;
    uint32_t size_class; /* a BlockSize; or above: from malloc */
    uint8_t data[];
};

typedef struct HttpQueue {
    HttpChunk *first, *last;
    size_t size;
    MemoryTally *tally; /* borrowed; NULL: memory is not counted */
} HttpQueue;

/* An empty chunk with room for `size` bytes, owned by the caller. Above HTTP_CHUNK_LARGEST it is
   allocated and not kept for reuse. */
HttpChunk *http_chunk_take(size_t size);

void http_chunk_give(HttpChunk *chunk);

/* Bytes of memory that it takes. */
size_t http_chunk_memory(const HttpChunk *chunk);

/* http_queue_room in a new chunk. */
uint8_t *http_queue_new_room(HttpQueue *queue, size_t size);

/* Appends a copy; the case that does not fit the last chunk. Use http_queue_add. */
void http_queue_add_slowly(HttpQueue *queue, Bytes bytes);

/* Where `size` bytes can be written at the end, in one piece; then http_queue_added. NULL when they
   do not fit into a chunk: add them in parts. */
static inline uint8_t *http_queue_room(HttpQueue *queue, size_t size)
{
    HttpChunk *last = queue->last;
    return last && last->capacity - last->end >= size ? last->data + last->end
                                                      : http_queue_new_room(queue, size);
}

static inline void http_queue_added(HttpQueue *queue, size_t size)
{
    queue->last->end += (uint32_t)size;
    queue->size += size;
}

/* Appends a copy. */
static inline void http_queue_add(HttpQueue *queue, Bytes bytes)
{
    HttpChunk *last = queue->last;
    if (last && last->capacity - last->end >= bytes.size) {
        if (bytes.size)
            memcpy(last->data + last->end, bytes.data, bytes.size);
        last->end += (uint32_t)bytes.size;
        queue->size += bytes.size;
    } else {
        http_queue_add_slowly(queue, bytes);
    }
}

/* From now on this tally counts what the queue holds. It outlives the queue's chunks. */
void http_queue_count(HttpQueue *queue, MemoryTally *tally);

/* Moves the first `n` bytes of `from` to the end of `into`. `from` has at least `n`. */
void http_queue_move(HttpQueue *into, HttpQueue *from, size_t n);

/* Points up to `n` vectors at the first `most` bytes; returns how many vectors. They are valid
   until the queue changes. */
int http_queue_vectors(const HttpQueue *queue, struct iovec *vectors, int n, size_t most);

/* Drops the first `n` bytes. The queue has at least `n`. */
void http_queue_drop(HttpQueue *queue, size_t n);

/* Drops the last `n` bytes, which were added in one piece and after everything else. */
void http_queue_cut(HttpQueue *queue, size_t n);

/* Drops everything. */
void http_queue_clear(HttpQueue *queue);

#endif
