#include "base/table.h"

#include "base/arena.h"
#include "base/result.h"

enum { FIRST = 4 /* entries: a config has many tables of a few */ };

static TableEntry *find(const Table *table, Bytes key, uint64_t hash)
{
    for (size_t i = hash & (table->capacity - 1);; i = (i + 1) & (table->capacity - 1)) {
        TableEntry *entry = &table->entries[i];
        if (!entry->value || (entry->hash == hash && bytes_equal(entry->key, key)))
            return entry;
    }
}

void *table_get(const Table *table, Bytes key)
{
    return table->n ? find(table, key, bytes_hash(key))->value : NULL;
}

static void grow(Table *table)
{
    Table larger = {.capacity = table->capacity ? table->capacity * 2 : FIRST,
                    .arena = table->arena};
    larger.entries = arena_array(table->arena, TableEntry, larger.capacity);
    CHECK(larger.entries);

    size_t at = 0;
    for (const TableEntry *entry; (entry = table_next(table, &at));)
        *find(&larger, entry->key, entry->hash) = *entry;
    larger.n = table->n;
    *table = larger;
}

void *table_put(Table *table, Bytes key, void *value)
{
    CHECK(value);
    if (table->n * 4 >= table->capacity * 3)
        grow(table);

    uint64_t hash = bytes_hash(key);
    TableEntry *entry = find(table, key, hash);
    void *before = entry->value;
    if (!before)
        table->n++;
    *entry = (TableEntry){key, hash, value};
    return before;
}

const TableEntry *table_next(const Table *table, size_t *at)
{
    while (*at < table->capacity) {
        const TableEntry *entry = &table->entries[(*at)++];
        if (entry->value)
            return entry;
    }
    return NULL;
}
