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
    Bytes key;   /* borrowed */
    void *value; /* never NULL */
} TableEntry;

/*
 * The entries are dense, in the order in which they were added; behind them are the slots, which
 * say where each is:
 *
 *     entries  a  b  c  (room)  slots  0  c  0  a  0  0  b  0
 *
 * The slots are a power of two, of which a fourth or more is free.
 */
typedef struct Table {
    TableEntry *entries;
    uint32_t n, room; /* of the entries */
    uint32_t n_slots;
    Arena *arena;
} Table;

static inline Table table_in(Arena *arena)
{
    return (Table){.arena = arena};
}

/* Makes room for `n` entries in all, so that nothing is left behind in the arena as the table
   grows. */
void table_reserve(Table *table, size_t n);

/* The value, or NULL. */
void *table_get(const Table *table, Bytes key);

/* Adds or replaces; returns the previous value, or NULL. The arena must have no limit. */
void *table_put(Table *table, Bytes key, void *value);

/* Iterates over all entries in the order in which their keys were added: start with *at = 0; NULL
   at the end. */
const TableEntry *table_next(const Table *table, size_t *at);

#endif
