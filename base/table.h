/*
 * Table: a hash map from bytes to pointers, for names in loaded files.
 *
 * Lives in an arena; keys are borrowed and must live as long. Written by one thread while it is
 * built, then read by any. Strings from peers are only looked up, never added, so that no peer can
 * build collisions. Values are never NULL.
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

/* Adds or replaces; returns the previous value, or NULL. The arena must have no limit. */
void *table_put(Table *table, Bytes key, void *value);

/* Iterates over all entries in no order: start with *at = 0; NULL at the end. */
const TableEntry *table_next(const Table *table, size_t *at);

#endif
