#include "protocols/http/http_queue.h"

#include "base/blocks.h"
#include "base/result.h"

#include <stdlib.h>

enum {
    WORTH_MOVING = 512, /* bytes; fewer are copied: one more vector would cost more */
};

HttpChunk *http_chunk_take(size_t size)
{
    uint32_t c = BLOCK_SMALL;
    while (c < BLOCK_SIZES && block_bytes[c] - sizeof(HttpChunk) < size)
        c++;
    size_t capacity = c < BLOCK_SIZES ? block_bytes[c] - sizeof(HttpChunk) : size;
    if (capacity > HTTP_CHUNK_LARGEST && c < BLOCK_SIZES)
        capacity = HTTP_CHUNK_LARGEST;
    HttpChunk *chunk =
        c < BLOCK_SIZES ? block_take((BlockSize)c) : malloc(sizeof *chunk + capacity);
    CHECK(chunk && capacity <= UINT32_MAX);
    *chunk = (HttpChunk){.capacity = (uint32_t)capacity, .size_class = c};
    return chunk;
}

void http_chunk_give(HttpChunk *chunk)
{
    if (chunk->size_class < BLOCK_SIZES)
        block_give((BlockSize)chunk->size_class, chunk);
    else
        free(chunk);
}

size_t http_chunk_memory(const HttpChunk *chunk)
{
    return chunk->size_class < BLOCK_SIZES ? block_bytes[chunk->size_class]
                                           : sizeof *chunk + chunk->capacity;
}

/* Small chunks are not counted: a queue has one or two, which its owner counts in advance. */
static void count(const HttpQueue *queue, const HttpChunk *chunk, int sign)
{
    if (chunk->size_class == BLOCK_SMALL || !queue->tally)
        return;
    tally_add(queue->tally, MEMORY_BUFFERS, sign * (int64_t)http_chunk_memory(chunk));
}

void http_queue_count(HttpQueue *queue, MemoryTally *tally)
{
    HttpQueue before = *queue;
    queue->tally = tally;
    for (const HttpChunk *chunk = queue->first; chunk; chunk = chunk->next) {
        count(&before, chunk, -1);
        count(queue, chunk, 1);
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

/* A new chunk at the end; the longer the queue, the larger. */
static HttpChunk *extend(HttpQueue *queue, size_t size)
{
    size_t wanted = queue->size > size ? queue->size : size;
    HttpChunk *chunk = http_chunk_take(wanted < HTTP_CHUNK_LARGEST ? wanted : HTTP_CHUNK_LARGEST);
    append(queue, chunk);
    count(queue, chunk, 1);
    return chunk;
}

uint8_t *http_queue_new_room(HttpQueue *queue, size_t size)
{
    return size <= HTTP_CHUNK_LARGEST ? extend(queue, size)->data : NULL;
}

void http_queue_add_slowly(HttpQueue *queue, Bytes bytes)
{
    while (bytes.size) {
        HttpChunk *last = queue->last;
        if (!last || last->end == last->capacity)
            last = extend(queue, bytes.size);
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

static void drop_first(HttpQueue *queue)
{
    HttpChunk *chunk = take_first(queue);
    count(queue, chunk, -1);
    http_chunk_give(chunk);
}

static void move_first(HttpQueue *into, HttpQueue *from)
{
    HttpChunk *chunk = take_first(from);
    if (into->tally != from->tally) {
        count(from, chunk, -1);
        count(into, chunk, 1);
    }
    append(into, chunk);
    into->size += chunk->end - chunk->start;
}

void http_queue_move(HttpQueue *into, HttpQueue *from, size_t n)
{
    CHECK(n <= from->size);
    while (n) {
        HttpChunk *chunk = from->first;
        size_t size = chunk->end - chunk->start;
        if (size == 0 || (size <= n && size >= WORTH_MOVING)) {
            move_first(into, from);
            n -= size;
            continue;
        }
        size_t piece = size < n ? size : n;
        http_queue_add(into, bytes(chunk->data + chunk->start, piece));
        http_queue_drop(from, piece);
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

void http_queue_drop(HttpQueue *queue, size_t n)
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
        drop_first(queue);
        n -= size;
    }
}

void http_queue_cut(HttpQueue *queue, size_t n)
{
    CHECK(queue->last && n <= queue->last->end - queue->last->start);
    queue->last->end -= (uint32_t)n;
    queue->size -= n;
    if (queue->size == 0)
        http_queue_clear(queue);
}

void http_queue_clear(HttpQueue *queue)
{
    while (queue->first)
        drop_first(queue);
}
