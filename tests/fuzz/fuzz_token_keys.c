/* Key sets of any bytes: what is read has keys, each of them for an algorithm of its type. */
#include "base/arena.h"
#include "gateway/token/token_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    TokenKeys *set;
    Result r = token_keys_read(arena, bytes(data, size), size % 2, &set);
    if (!failed(r)) {
        CHECK(token_keys_size(set) > 0);
        for (int i = 0; i < TOKEN_ALGORITHMS; i++) {
            uint32_t at = 0;
            for (const SigningKey *key; (key = token_keys_next(set, i, BYTES_NONE, &at));)
                CHECK(key->type == token_algorithms[i].type && (key->type != KEY_OCT || size % 2));
        }
    }
    token_keys_drop(set);
    arena_free(arena);
    return 0;
}
