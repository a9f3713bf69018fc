/* What clients have used, as a predecessor hands it on: what can be read is written and read again
   as the same buckets, as long as there is room for all of them wherever their keys want to be. */
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/limits/limit_blob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static LimitTable *make(void)
{
    return limit_table_new((uint64_t[LIMIT_PARTS]){64, 64, 64});
}

enum { ROOM = 8 }; /* buckets in a bin */

typedef struct Compared {
    LimitTable *other;
    uint32_t n, missing;
} Compared;

static void count(void *owner, LimitPart part, uint64_t key, uint64_t word)
{
    Compared *compared = owner;
    CHECK(part < LIMIT_PARTS);
    if (word & LIMIT_COUNT)
        return;
    compared->n++;
    compared->missing += !limit_table_find(compared->other, part, key);
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
        Compared written = {again, 0, 0}, read = {table, 0, 0};
        limit_table_each(table, now, count, &written);
        limit_table_each(again, now, count, &read);
        CHECK(read.missing == 0 && read.n + written.missing == written.n);
        CHECK(written.missing == 0 || written.n > ROOM);
    }
    limit_table_free(table);
    limit_table_free(again);
    arena_free(arena);
    return 0;
}
