/*
 * HpackTable: the dynamic table of one direction of a connection (RFC 7541 section 2.3.2).
 *
 * Names and values stand one behind the other in `text`, which only grows at its end: what was put
 * there stays where it is until hpack_table_settle, also when its entry is evicted or the text
 * moves on to a new block. A head that is being read therefore borrows from the table. There is no
 * memory before the first entry. Part of its connection.
 *
 *      text:  [ evicted | name value | name value | ...... | free ]
 *                         oldest                    newest
 */
#ifndef PROTOCOLS_HPACK_TABLE_H
#define PROTOCOLS_HPACK_TABLE_H

#include "base/bytes.h"

enum {
    HPACK_TABLE_DEFAULT = 4096, /* SETTINGS_HEADER_TABLE_SIZE before anybody sets it */
    HPACK_ENTRY_EXTRA = 32,     /* counted for each entry (section 4.1) */
};

typedef struct HpackEntry {
    uint32_t at; /* position of the name; the value follows */
    uint16_t name_size, value_size;
    uint8_t token;  /* HpackToken */
    uint8_t flaws;  /* HpackFlaw */
    uint16_t older; /* for the encoder: the number of an older entry with a like hash */
    uint32_t hash;  /* the same: of name and value */
    uint32_t name_hash;
} HpackEntry;

typedef struct HpackText HpackText;

typedef struct HpackTable {
    HpackText *text;
    uint32_t begin, end; /* positions of the text's first byte, and behind its last one */
    HpackEntry *entries; /* a ring; entry number i at i % capacity */
    uint32_t capacity;   /* a power of two, or 0 */
    uint32_t n;          /* entries now */
    uint32_t added;      /* entries ever; the number of the next one */
    uint32_t size;       /* as HPACK counts it */
    uint32_t limit;
} HpackTable;

void hpack_table_init(HpackTable *table, uint32_t limit);
void hpack_table_deinit(HpackTable *table);

/* Evicts what does not fit. */
void hpack_table_limit(HpackTable *table, uint32_t limit);

/* The entry with this number, which must be one of the latest `n`. */
static inline HpackEntry *hpack_table_entry(const HpackTable *table, uint32_t number)
{
    return &table->entries[number & (table->capacity - 1)];
}

const uint8_t *hpack_table_text(const HpackTable *table, uint32_t at);

static inline Bytes hpack_entry_name(const HpackTable *table, const HpackEntry *entry)
{
    return bytes(hpack_table_text(table, entry->at), entry->name_size);
}

static inline Bytes hpack_entry_value(const HpackTable *table, const HpackEntry *entry)
{
    return bytes(hpack_table_text(table, entry->at) + entry->name_size, entry->value_size);
}

/* Where the name and the value of the next entry can be written, `size` bytes at most. */
uint8_t *hpack_table_room(HpackTable *table, size_t size);

/* Adds what was written there, and evicts what has no place beside it. NULL: it is larger than the
   table, which is empty now (section 4.4); its text stays. The caller fills in the rest of the
   entry. */
HpackEntry *hpack_table_add(HpackTable *table, size_t name_size, size_t value_size);

/* Nobody borrows from the text any more. */
void hpack_table_settle(HpackTable *table);

#endif
