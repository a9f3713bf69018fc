#include "protocols/http/http_queue.h"

#include "base/result.h"

#include <stdlib.h>

/* What a chunk of each class holds, and how many spare ones a pool keeps. */
static const struct {
    uint32_t capacity, keep;
} classes[HTTP_CHUNK_CLASSES] = {
    {1024 - sizeof(HttpChunk), 32},
    {4096 - sizeof(HttpChunk), 8},
    {HTTP_CHUNK_LARGEST, 8},
};

enum {
    WORTH_MOVING = 512, /* fewer bytes are copied: a vector of its own costs more */
};

HttpChunk *http_chunk_take(HttpChunkPool *pool, size_t size)
{
    uint32_t c = 0;
    while (c < HTTP_CHUNK_CLASSES && classes[c].capacity < size)
        c++;
    HttpChunk *chunk = c < HTTP_CHUNK_CLASSES ? pool->spare[c] : NULL;
    if (chunk) {
        pool->spare[c] = chunk->next;
        pool->n[c]--;
    } else {
        size_t capacity = c < HTTP_CHUNK_CLASSES ? classes[c].capacity : size;
        chunk = malloc(sizeof *chunk + capacity);
        CHECK(chunk && capacity <= UINT32_MAX);
        chunk->size_class = c;
        chunk->capacity = (uint32_t)capacity;
    }
    chunk->next = NULL;
    chunk->start = chunk->end = 0;
    return chunk;
}

void http_chunk_give(HttpChunkPool *pool, HttpChunk *chunk)
{
    uint32_t c = chunk->size_class;
    if (c == HTTP_CHUNK_CLASSES || pool->n[c] == classes[c].keep) {
        free(chunk);
        return;
    }
    chunk->next = pool->spare[c];
    pool->spare[c] = chunk;
    pool->n[c]++;
}

void http_chunk_pool_trim(HttpChunkPool *pool, uint32_t keep)
{
    for (uint32_t c = 0; c < HTTP_CHUNK_CLASSES; c++) {
        while (pool->n[c] > (c == 0 ? keep : 0)) {
            HttpChunk *next = pool->spare[c]->next;
            free(pool->spare[c]);
            pool->spare[c] = next;
            pool->n[c]--;
        }
    }
}

static void append(HttpQueue *queue, HttpChunk *chunk)
{
    if (queue->last)
        queue->last->next = chunk;
    else
        queue->first = chunk;
    queue->last = chunk;
}

/* A new chunk at the end. A queue that is long already gets larger ones. */
static HttpChunk *extend(HttpQueue *queue, HttpChunkPool *pool, size_t size)
{
    size_t wanted = queue->size > size ? queue->size : size;
    HttpChunk *chunk =
        http_chunk_take(pool, wanted < HTTP_CHUNK_LARGEST ? wanted : HTTP_CHUNK_LARGEST);
    append(queue, chunk);
    return chunk;
}

void http_queue_add_slowly(HttpQueue *queue, HttpChunkPool *pool, Bytes bytes)
{
    while (bytes.size) {
        HttpChunk *last = queue->last;
        if (!last || last->end == last->capacity)
            last = extend(queue, pool, bytes.size);
        size_t room = last->capacity - last->end;
        size_t n = bytes.size < room ? bytes.size : room;
        memcpy(last->data + last->end, bytes.data, n);
        last->end += (uint32_t)n;
        queue->size += n;
        bytes.data += n;
        bytes.size -= n;
    }
}

static HttpChunk *take_first(HttpQueue *queue)
{
    HttpChunk *chunk = queue->first;
    queue->first = chunk->next;
    if (!queue->first)
        queue->last = NULL;
    queue->size -= chunk->end - chunk->start;
    chunk->next = NULL;
    return chunk;
}

void http_queue_move(HttpQueue *into, HttpQueue *from, HttpChunkPool *pool, size_t n)
{
    CHECK(n <= from->size);
    while (n) {
        HttpChunk *chunk = from->first;
        size_t size = chunk->end - chunk->start;
        if (size == 0 || (size <= n && size >= WORTH_MOVING)) {
            take_first(from);
            append(into, chunk);
            into->size += size;
            n -= size;
            continue;
        }
        size_t piece = size < n ? size : n;
        http_queue_add(into, pool, bytes(chunk->data + chunk->start, piece));
        http_queue_drop(from, pool, piece);
        n -= piece;
    }
}

int http_queue_vectors(const HttpQueue *queue, struct iovec *vectors, int n, size_t most)
{
    int used = 0;
    for (HttpChunk *chunk = queue->first; chunk && used < n && most; chunk = chunk->next) {
        size_t size = chunk->end - chunk->start;
        if (size == 0)
            continue;
        if (size > most)
            size = most;
        vectors[used++] = (struct iovec){chunk->data + chunk->start, size};
        most -= size;
    }
    return used;
}

void http_queue_drop(HttpQueue *queue, HttpChunkPool *pool, size_t n)
{
    CHECK(n <= queue->size);
    while (n) {
        HttpChunk *chunk = queue->first;
        size_t size = chunk->end - chunk->start;
        if (n < size) {
            chunk->start += (uint32_t)n;
            queue->size -= n;
            return;
        }
        http_chunk_give(pool, take_first(queue));
        n -= size;
    }
}

void http_queue_clear(HttpQueue *queue, HttpChunkPool *pool)
{
    while (queue->first)
        http_chunk_give(pool, take_first(queue));
}
