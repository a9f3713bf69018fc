/* Whatever base64 is read comes out again, in both alphabets, as the same bytes. */
#include "base/arena.h"
#include "base/text/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(Arena *arena, Bytes plain, Base64Alphabet alphabet, bool padded)
{
    Buffer text = buffer_in(arena), again = buffer_in(arena);
    base64_encode(&text, plain, alphabet, padded);
    if (text.full)
        return;
    CHECK(base64_decode(&again, buffer_bytes(&text)));
    CHECK(again.full || bytes_equal(buffer_bytes(&again), plain));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(1 << 20);
    Bytes input = bytes(data, size);
    Buffer plain = buffer_in(arena);
    if (base64_decode(&plain, input) && !plain.full)
        for (int i = 0; i < 4; i++)
            check_round_trip(arena, buffer_bytes(&plain), i & 1 ? BASE64_URL : BASE64_STANDARD,
                             i & 2);
    arena_free(arena);
    return 0;
}
