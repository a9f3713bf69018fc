#include "protocols/http2/stream_table.h"

#include "protocols/http2/http2.h"

#include <stdlib.h>

enum { FIRST_BUCKETS = 8 };

/* Stream ids are odd and increase by two, so id / 2 distributes them evenly. */
static Http2Stream **bucket_of(const StreamTable *table, uint32_t id)
{
    return &table->buckets[id / 2 & (table->capacity - 1)];
}

static void put(StreamTable *table, Http2Stream *stream)
{
    Http2Stream **bucket = bucket_of(table, stream->id);
    stream->next = *bucket;
    *bucket = stream;
}

static void extend(StreamTable *table)
{
    StreamTable larger = {.capacity = table->capacity ? table->capacity * 2 : FIRST_BUCKETS,
                          .n = table->n};
    larger.buckets = calloc(larger.capacity, sizeof(Http2Stream *));
    CHECK(larger.buckets);
    for (uint32_t i = 0; i < table->capacity; i++) {
        for (Http2Stream *stream = table->buckets[i], *next; stream; stream = next) {
            next = stream->next;
            put(&larger, stream);
        }
    }
    free(table->buckets);
    *table = larger;
}

void stream_table_add(StreamTable *table, Http2Stream *stream)
{
    if (table->n == table->capacity)
        extend(table);
    put(table, stream);
    table->n++;
}

void stream_table_remove(StreamTable *table, Http2Stream *stream)
{
    Http2Stream **at = bucket_of(table, stream->id);
    while (*at != stream)
        at = &(*at)->next;
    *at = stream->next;
    table->n--;
    if (table->last == stream)
        table->last = NULL;
}

Http2Stream *stream_table_look_up(StreamTable *table, uint32_t id)
{
    if (table->n == 0)
        return NULL;
    Http2Stream *stream = *bucket_of(table, id);
    while (stream && stream->id != id)
        stream = stream->next;
    table->last = stream;
    table->last_id = id;
    return stream;
}

void stream_table_deinit(StreamTable *table)
{
    free(table->buckets);
}
