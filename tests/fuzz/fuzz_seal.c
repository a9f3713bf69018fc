/* Sealed values: what was not sealed does not open, what was sealed opens again, and not when it
   was changed. */
#include "base/arena.h"
#include "gateway/store/seal.h"

static StoreKey keys_here[] = {{"k", {1}}, {"", {2}}};
static const StoreKeys keys = {keys_here, 2};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_seal(Arena *arena, const SealPlace *place, Bytes payload, size_t at)
{
    Buffer out = buffer_in(arena);
    Bytes opened;
    seal(&keys, place, payload, &out);
    CHECK(!failed(unseal(&keys, place, buffer_bytes(&out), arena, &opened)));
    CHECK(bytes_equal(opened, payload));
    at %= out.size;
    out.data[at] ^= at ? 1 : 2; /* the first byte would make it a plain one */
    CHECK(failed(unseal(&keys, place, buffer_bytes(&out), arena, &opened)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes stored = bytes(data, size), opened;
    SealPlace place = {"table", "column", bytes_slice(stored, 0, 4)};
    Result r = unseal(&keys, &place, stored, arena, &opened);
    CHECK(failed(r) == (size == 0 || data[0] != 0)); /* nobody guesses a tag */
    if (!failed(r))
        CHECK(bytes_equal(opened, bytes_slice(stored, 1, size)));
    check_seal(arena, &place, stored, size ? data[size - 1] : 0);
    arena_free(arena);
    return 0;
}
