#include "protocols/http2/hpack_table.h"

#include "base/result.h"

#include <stdlib.h>

enum { FIRST_TEXT = 256, FIRST_ENTRIES = 8 };

void hpack_table_init(HpackTable *table, uint32_t limit)
{
    *table = (HpackTable){.limit = limit};
}

static void free_former(HpackText *text)
{
    while (text->former) {
        HpackText *former = text->former;
        text->former = former->former;
        free(former);
    }
}

void hpack_table_settle(HpackTable *table)
{
    if (table->text && table->text->former)
        free_former(table->text);
}

void hpack_table_deinit(HpackTable *table)
{
    if (table->text)
        free_former(table->text);
    free(table->text);
    free(table->entries);
}

static void evict_to(HpackTable *table, uint32_t size)
{
    while (table->size > size) {
        const HpackEntry *oldest = hpack_table_entry(table, table->added - table->n);
        table->size -= (uint32_t)oldest->name_size + oldest->value_size + HPACK_ENTRY_EXTRA;
        table->n--;
    }
}

void hpack_table_clear(HpackTable *table)
{
    evict_to(table, 0);
}

void hpack_table_limit(HpackTable *table, uint32_t limit)
{
    table->limit = limit;
    evict_to(table, limit);
}

/* Copies the text of current entries to a new block with room for `more` bytes and half as much
   again as it has. */
static void move_text(HpackTable *table, size_t more)
{
    uint32_t first = table->n ? hpack_table_entry(table, table->added - table->n)->at : table->end;
    size_t alive = table->end - first, capacity = FIRST_TEXT;
    while (capacity < alive + more + alive / 2)
        capacity *= 2;
    HpackText *text = malloc(sizeof *text + capacity);
    CHECK(text);
    *text = (HpackText){.former = table->text, .capacity = capacity};
    if (alive)
        memcpy(text->data, hpack_table_text(table, first), alive);
    table->text = text;
    table->begin = first;
}

uint8_t *hpack_table_room(HpackTable *table, size_t size)
{
    if (!table->text || table->text->capacity - (table->end - table->begin) < size)
        move_text(table, size);
    return table->text->data + (table->end - table->begin);
}

static void extend_entries(HpackTable *table)
{
    uint32_t capacity = table->capacity ? table->capacity * 2 : FIRST_ENTRIES;
    HpackEntry *entries = malloc(capacity * sizeof *entries);
    CHECK(entries);
    for (uint32_t i = table->added - table->n; i != table->added; i++)
        entries[i & (capacity - 1)] = *hpack_table_entry(table, i);
    free(table->entries);
    table->entries = entries;
    table->capacity = capacity;
}

HpackEntry *hpack_table_add(HpackTable *table, size_t name_size, size_t value_size)
{
    uint32_t at = table->end;
    size_t size = name_size + value_size + HPACK_ENTRY_EXTRA;
    table->end += (uint32_t)(name_size + value_size);
    if (size > table->limit) {
        evict_to(table, 0);
        return NULL;
    }
    evict_to(table, table->limit - (uint32_t)size);
    if (table->n == table->capacity)
        extend_entries(table);
    HpackEntry *entry = hpack_table_entry(table, table->added++);
    table->n++;
    table->size += (uint32_t)size;
    *entry = (HpackEntry){
        .at = at, .name_size = (uint16_t)name_size, .value_size = (uint16_t)value_size};
    return entry;
}
