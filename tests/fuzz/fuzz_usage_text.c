/* Rows of usage as text: what can be read is written and read again as the same calls. */
#include "base/arena.h"
#include "gateway/usage/usage_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_calls(void *owner, const UsageCount *row)
{
    uint64_t *calls = owner;
    CHECK(row->use > 0 && row->shared <= USAGE_SHARED);
    *calls += row->calls;
}

static uint64_t count_calls(UsageTable *table)
{
    uint64_t calls = 0;
    for (uint32_t i = 0; i < USAGE_SHARDS; i++)
        usage_table_each(table, i, add_calls, &calls);
    return calls;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    UsageNames *names = usage_names_new();
    UsageTable *table = usage_table_new(1 << 20), *again = usage_table_new(1 << 20);
    Buffer text = buffer_in(arena);
    usage_text_read(table, names, bytes(data, size));
    usage_text_write(table, names, size % 2 ? USAGE_TEXT_SIZE : 0, &text);
    usage_text_read(again, names, buffer_bytes(&text));
    CHECK(count_calls(again) == count_calls(table));
    usage_table_free(table);
    usage_table_free(again);
    usage_names_free(names);
    arena_free(arena);
    return 0;
}
