/*
 * LimitTable: the buckets of all clients, in memory that is taken once and never grows.
 *
 *      key --> two bins of 8 slots, each {key, word}: it is in one of them, or a free slot is taken
 *
 * A bucket that is full again has nothing to tell: its slot is free, and whoever needs one may take
 * it. No other slot is ever taken away, so nobody can push out a bucket by inventing names. Where
 * both bins are full, a key gets no slot (LIMIT_FULL), and its caller lets it share one.
 *
 * The table has parts, which do not take slots from each other: what costs nothing to invent, such
 * as an address, does not fill the part of clients that have proved who they are. There are two
 * slots for each bucket that a part is made for, so that bins are full only by chance of the order
 * of 1 in 10^12; a slot has 16 bytes, and its note 2.
 *
 * A word is a Rate's (rate.h), or a count of what is in progress (below). Any thread, without
 * locks: a bucket changes by one compare-and-swap. When two threads bring the same new key at the
 * same moment, what one of them takes with this first call may be forgotten.
 */
#ifndef GATEWAY_LIMIT_TABLE_H
#define GATEWAY_LIMIT_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct LimitTable LimitTable;

typedef enum LimitPart {
    LIMIT_PART_FIXED,     /* keys that the config has, and shared ones */
    LIMIT_PART_PROVED,    /* of clients with a proved name */
    LIMIT_PART_ADDRESSES, /* of addresses */
    LIMIT_PARTS,
} LimitPart;

typedef struct LimitSlot {
    _Atomic uint64_t key;  /* 0: it was never used; 1: it changes hands */
    _Atomic uint64_t word; /* of that key */
} LimitSlot;

/* A word that counts: of what is in progress now. 0 is a count of 0, too. */
#define LIMIT_COUNT (UINT64_C(1) << 63)

/* `buckets` of each part: what it has room for. */
LimitTable *limit_table_new(const uint64_t buckets[LIMIT_PARTS]);
void limit_table_free(LimitTable *table); /* NULL is allowed */

/* What becomes of a word: false: nothing, it stays. `how` is the caller's; this may be called
   several times, of which the last one counts. */
typedef bool LimitChange(void *how, uint64_t word, uint64_t *word_out);

/*
 * Finds the slot of the key, or takes one, and changes its word. `key` is a hash that nobody can
 * choose; `now`: monotonic nanoseconds. NULL: there is no room (LIMIT_FULL). The slot is the key's
 * until its bucket is full again, or its count is 0.
 */
LimitSlot *limit_table_change(LimitTable *table, LimitPart part, uint64_t key, int64_t now,
                              LimitChange *change, void *how);

/* The slot that the key has; NULL: none, so that its bucket is full. */
LimitSlot *limit_table_find(LimitTable *table, LimitPart part, uint64_t key);

/* One less of what a slot counts, which has counted it. */
void limit_slot_leave(LimitSlot *slot);

/* A number that somebody keeps with a slot as long as it has this key; 0 at first. */
uint16_t limit_table_note(const LimitTable *table, const LimitSlot *slot);
void limit_table_set_note(LimitTable *table, const LimitSlot *slot, uint16_t note);

/* Every slot with something missing: `see` gets its key and word. Slots may change meanwhile. */
void limit_table_each(LimitTable *table, int64_t now,
                      void (*see)(void *owner, LimitPart part, uint64_t key, uint64_t word),
                      void *owner);

/* Adds a word that was kept, unless the key has one already. False: there is no room. */
bool limit_table_put(LimitTable *table, LimitPart part, uint64_t key, uint64_t word, int64_t now);

/* Bytes of the table, whatever is in it. */
uint64_t limit_table_bytes(const LimitTable *table);

#endif
