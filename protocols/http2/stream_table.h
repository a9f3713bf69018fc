/*
 * StreamTable: the open streams of a connection, by their ids. Part of its connection; it does not
 * own the streams.
 */
#ifndef PROTOCOLS_STREAM_TABLE_H
#define PROTOCOLS_STREAM_TABLE_H

#include <stdint.h>

typedef struct Http2Stream Http2Stream;

typedef struct StreamTable {
    Http2Stream **buckets; /* lists, linked by `next`; NULL before the first stream */
    uint32_t capacity;     /* buckets: a power of two */
    uint32_t n;
} StreamTable;

/* The stream's id is not in the table. */
void stream_table_add(StreamTable *table, Http2Stream *stream);
/* The stream is in the table. */
void stream_table_remove(StreamTable *table, Http2Stream *stream);

/* NULL: there is none. */
Http2Stream *stream_table_find(const StreamTable *table, uint32_t id);

void stream_table_deinit(StreamTable *table);

#endif
