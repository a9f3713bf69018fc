/* What clients have used, as a predecessor hands it on: what can be read is written and read again
   as the same buckets. */
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/limits/limit_blob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static LimitTable *make(void)
{
    return limit_table_new((uint64_t[LIMIT_PARTS]){64, 64, 64});
}

typedef struct Compared {
    LimitTable *other;
    uint32_t n;
} Compared;

static void count(void *owner, LimitPart part, uint64_t key, uint64_t word)
{
    Compared *compared = owner;
    CHECK(part < LIMIT_PARTS);
    if (word & LIMIT_COUNT)
        return;
    compared->n++;
    if (compared->other)
        CHECK(limit_table_find(compared->other, part, key));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t now = 100 * SECOND, wall = INT64_C(1800000000) * SECOND;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    LimitTable *table = make(), *again = make();
    Buffer blob = buffer_in(arena);
    KeySeed seed = {0};
    if (limit_blob_read(table, bytes(data, size), now, wall, &seed)) {
        limit_blob_write(table, &seed, now, wall, SIZE_MAX / 2, &blob);
        CHECK(limit_blob_read(again, buffer_bytes(&blob), now, wall, &seed));
        Compared written = {again, 0}, read = {NULL, 0};
        limit_table_each(table, now, count, &written);
        limit_table_each(again, now, count, &read);
        CHECK(written.n == read.n);
    }
    limit_table_free(table);
    limit_table_free(again);
    arena_free(arena);
    return 0;
}
