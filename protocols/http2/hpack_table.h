/*
 * HpackTable: the dynamic table of one direction of a connection (RFC 7541 section 2.3.2).
 *
 * Names and values are stored one after the other in `text`, which grows at its end only. A stored
 * string keeps its address until hpack_table_settle, even if its entry is evicted or the text is
 * copied to a larger block; so a head that is being read can point into the table. No memory is
 * allocated before the first entry. Part of its connection.
 *
 *      text:  [ evicted | name value | name value | ...... | free ]
 *                         oldest                    newest
 */
#ifndef PROTOCOLS_HPACK_TABLE_H
#define PROTOCOLS_HPACK_TABLE_H

#include "base/bytes.h"

enum {
    HPACK_TABLE_DEFAULT = 4096, /* the initial SETTINGS_HEADER_TABLE_SIZE */
    HPACK_ENTRY_EXTRA = 32,     /* bytes counted for each entry beside its text (section 4.1) */
};

typedef struct HpackEntry {
    uint32_t at; /* position of the name; the value follows */
    uint16_t name_size, value_size;
    uint8_t token;  /* HpackToken */
    uint8_t flaws;  /* HpackFlaw; encoder: whether it was not asked if it may be sent */
    uint16_t older; /* encoder: the number of the previous entry in the same bucket */
    uint32_t hash;  /* encoder: of name and value */
    uint32_t name_hash;
} HpackEntry;

typedef struct HpackText {
    struct HpackText
        *former; /* the block that it replaced: pointers to it may be in use; or NULL */
    size_t capacity;
    uint8_t data[];
} HpackText;

typedef struct HpackTable {
    HpackText *text;
    uint32_t begin, end; /* positions of the first byte of `text`, and after its last */
    HpackEntry *entries; /* a ring; entry number i at i % capacity */
    uint32_t capacity;   /* a power of two, or 0 */
    uint32_t n;          /* current entries */
    uint32_t added;      /* entries added so far; the number of the next one */
    uint32_t size;       /* bytes, as HPACK counts them (section 4.1) */
    uint32_t limit;
} HpackTable;

void hpack_table_init(HpackTable *table, uint32_t limit);
void hpack_table_deinit(HpackTable *table);

/* Sets the maximum size in bytes, and evicts entries above it. */
void hpack_table_limit(HpackTable *table, uint32_t limit);

/* The entry with this number, which must be one of the latest `n`. Valid until the next
   hpack_table_add. */
static inline HpackEntry *hpack_table_entry(const HpackTable *table, uint32_t number)
{
    return &table->entries[number & (table->capacity - 1)];
}

/* The text at a position; valid until hpack_table_settle. */
static inline const uint8_t *hpack_table_text(const HpackTable *table, uint32_t at)
{
    return table->text->data + (at - table->begin);
}

static inline Bytes hpack_entry_name(const HpackTable *table, const HpackEntry *entry)
{
    return bytes(hpack_table_text(table, entry->at), entry->name_size);
}

static inline Bytes hpack_entry_value(const HpackTable *table, const HpackEntry *entry)
{
    return bytes(hpack_table_text(table, entry->at) + entry->name_size, entry->value_size);
}

/* Room of `size` bytes for the name and the value of the next entry; then hpack_table_add. */
uint8_t *hpack_table_room(HpackTable *table, size_t size);

/* Adds the entry that was written there, and evicts others until it fits. The caller sets the other
   members of the entry. NULL: it is larger than the table, which is now empty (section 4.4); its
   text remains readable, and the table keeps the room. */
HpackEntry *hpack_table_add(HpackTable *table, size_t name_size, size_t value_size);

/* For an entry that is larger than the table, and of which nothing was written (section 4.4). */
void hpack_table_clear(HpackTable *table);

/* No pointer into the text is in use: frees blocks that were replaced. */
void hpack_table_settle(HpackTable *table);

#endif
