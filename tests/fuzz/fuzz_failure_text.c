/* Rows of the ledger as the store has them: what is read is written and read again as the same. */
#include "base/arena.h"
#include "gateway/ledger/failure_text.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* With its checksum, which no fuzzer would find. */
static Bytes with_sum(Arena *arena, Bytes json)
{
    Buffer out = buffer_in(arena);
    buffer_printf(&out, "%016llx ", (unsigned long long)bytes_hash(json));
    buffer_add_bytes(&out, json);
    return buffer_bytes(&out);
}

static Bytes written(Arena *arena, const FailureRow *row)
{
    Buffer out = buffer_in(arena);
    failure_text_write(row, &row->method, NULL, &out);
    return buffer_bytes(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    FailureRow *row, *again;
    Result r = failure_text_read(arena, with_sum(arena, bytes(data, size)), &row);
    if (!failed(r)) {
        Bytes text = written(arena, row);
        CHECK(!failed(failure_text_read(arena, text, &again)));
        CHECK(bytes_equal(written(arena, again), text));
        FailureTable table = {.limit = 1};
        failure_table_merge(&table, row);
        failure_table_merge(&table, again);
        failure_table_clear(&table);
        failure_row_free(row);
        failure_row_free(again);
    }
    arena_free(arena);
    return 0;
}
