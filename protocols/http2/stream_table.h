/*
 * StreamTable: the open streams of a connection, by their ids. Part of its connection; it does not
 * own the streams.
 */
#ifndef PROTOCOLS_STREAM_TABLE_H
#define PROTOCOLS_STREAM_TABLE_H

#include <stddef.h>
#include <stdint.h>

typedef struct Http2Stream Http2Stream;

typedef struct StreamTable {
    Http2Stream **buckets; /* lists, linked by `next`; NULL before the first stream */
    uint32_t capacity;     /* buckets: a power of two */
    uint32_t n;
    uint32_t last_id;  /* of `last` */
    Http2Stream *last; /* that was found last, and is still there; or NULL */
} StreamTable;

/* The stream's id is not in the table. */
void stream_table_add(StreamTable *table, Http2Stream *stream);
/* The stream is in the table. */
void stream_table_remove(StreamTable *table, Http2Stream *stream);

Http2Stream *stream_table_look_up(StreamTable *table, uint32_t id);

/* NULL: there is none. Each step of a frame asks for its stream, so most ask for the same again. */
static inline Http2Stream *stream_table_find(StreamTable *table, uint32_t id)
{
    return table->last && table->last_id == id ? table->last : stream_table_look_up(table, id);
}

void stream_table_deinit(StreamTable *table);

#endif
