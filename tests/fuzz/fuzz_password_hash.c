/* Hashes of passwords: what is read is written as the same text, and costs what a gateway can
 * spare. */
#include "base/arena.h"
#include "gateway/password/password_hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    PasswordHash hash;
    Result r = password_hash_read(arena, bytes(data, size), &hash);
    if (failed(r)) {
        error_ignore(r, "it is no hash");
    } else {
        Buffer text = buffer_in(arena);
        password_hash_write(&hash, &text);
        CHECK(bytes_equal(buffer_bytes(&text), bytes(data, size)));
        CHECK(hash.memory <= PASSWORD_MEMORY_MOST && hash.passes > 0 && hash.lanes > 0);
        CHECK((uint64_t)hash.memory * hash.passes <= PASSWORD_WORK_MOST);
    }
    arena_free(arena);
    return 0;
}
