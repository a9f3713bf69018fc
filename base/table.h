/*
 * Table: a hash map from bytes to pointers, for names that are known when something is loaded.
 *
 * Lives in an arena; keys are borrowed and must live as long. Written by one thread while it is
 * built, then read by any. Keys from peers never go in as keys, only as questions, so that nobody
 * can build collisions. Values are never NULL.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include "base/bytes.h"

typedef struct TableEntry {
    Bytes key; /* borrowed */
    uint64_t hash;
    void *value; /* NULL: the entry is free */
} TableEntry;

typedef struct Table {
    TableEntry *entries;
    size_t capacity, n;
    Arena *arena;
} Table;

static inline Table table_in(Arena *arena)
{
    return (Table){.arena = arena};
}

/* The value, or NULL. */
void *table_get(const Table *table, Bytes key);

/* Puts or replaces; returns the value that was there before, or NULL. The arena has no limit. */
void *table_put(Table *table, Bytes key, void *value);

/* Walks all entries in no order: start with *at = 0; NULL at the end. */
const TableEntry *table_next(const Table *table, size_t *at);

#endif
