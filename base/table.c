#include "base/table.h"

#include "base/arena.h"
#include "base/result.h"

enum {
    FIRST = 3,       /* entries: a config has many tables of a few */
    LEAST_SLOTS = 4, /* of which these have room for 3 */
    MOST = 1u << 30, /* entries */
};

/* A slot is 0 or the number of an entry plus one, in the bits that count the slots, and in those
   above them bits of the key's hash, so that few other keys are compared. */
static uint32_t *slots_of(const Table *table)
{
    return (uint32_t *)(table->entries + table->room);
}

/* The slot of the key, or the free one where it would be. */
static uint32_t *find(const Table *table, Bytes key, uint32_t hash)
{
    uint32_t mask = table->n_slots - 1, *slots = slots_of(table);
    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        uint32_t slot = slots[i];
        if (!slot ||
            (!((slot ^ hash) & ~mask) && bytes_equal(table->entries[(slot & mask) - 1].key, key)))
            return &slots[i];
    }
}

void *table_get(const Table *table, Bytes key)
{
    if (!table->n)
        return NULL;
    uint32_t slot = *find(table, key, (uint32_t)bytes_hash(key));
    return slot ? table->entries[(slot & (table->n_slots - 1)) - 1].value : NULL;
}

static void add(Table *table, uint32_t *slot, uint32_t hash, TableEntry entry)
{
    table->entries[table->n++] = entry;
    *slot = (hash & ~(table->n_slots - 1)) | table->n;
}

void table_reserve(Table *table, size_t n)
{
    if (n <= table->room)
        return;
    CHECK(n <= MOST);
    Table larger = {.room = (uint32_t)n, .n_slots = LEAST_SLOTS, .arena = table->arena};
    while (larger.n_slots / 4 * 3 < n)
        larger.n_slots *= 2;
    size_t slots_size = larger.n_slots * sizeof(uint32_t);
    larger.entries = arena_alloc(table->arena, n * sizeof(TableEntry) + slots_size);
    CHECK(larger.entries);
    memset(slots_of(&larger), 0, slots_size);

    for (uint32_t i = 0; i < table->n; i++) {
        TableEntry entry = table->entries[i];
        uint32_t hash = (uint32_t)bytes_hash(entry.key);
        add(&larger, find(&larger, entry.key, hash), hash, entry);
    }
    *table = larger;
}

void *table_put(Table *table, Bytes key, void *value)
{
    CHECK(value);
    uint32_t hash = (uint32_t)bytes_hash(key);
    uint32_t *slot = table->n_slots ? find(table, key, hash) : NULL;
    TableEntry entry = {key, value};
    if (slot && *slot) {
        TableEntry *there = &table->entries[(*slot & (table->n_slots - 1)) - 1];
        void *before = there->value;
        *there = entry;
        return before;
    }
    if (table->n == table->room) {
        table_reserve(table, table->room ? table->n_slots / 4 * 6 : FIRST);
        slot = find(table, key, hash);
    }
    add(table, slot, hash, entry);
    return NULL;
}

const TableEntry *table_next(const Table *table, size_t *at)
{
    return *at < table->n ? &table->entries[(*at)++] : NULL;
}
