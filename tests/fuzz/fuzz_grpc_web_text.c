/* However base64 around frames is cut, its messages are the same; and when it is one run of base64,
   they are those of the frames beneath. The first byte seeds the cuts. */
#include "base/text/base64.h"
#include "tests/fuzz/body_story.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool tell(Dialect dialect, Bytes body, uint32_t cut, Arena *arena, Buffer *told)
{
    MessageReader reader;
    message_reader_init(&reader, dialect, true, COMPRESSION_GZIP, 16 * 1024, arena);
    *told = buffer_in(arena);
    return body_story(&reader, body, cut, told);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    Arena *arena = arena_new(8 << 20);
    Bytes text = bytes(data + 1, size - 1);
    Buffer whole, in_pieces, beneath, frames = buffer_in(arena);
    bool good = tell(DIALECT_GRPC_WEB_TEXT, text, 0, arena, &whole);
    if (good && tell(DIALECT_GRPC_WEB_TEXT, text, data[0] + 1u, arena, &in_pieces))
        CHECK(bytes_equal(buffer_bytes(&whole), buffer_bytes(&in_pieces)));
    if (good && text.size % 4 == 0 && base64_decode(&frames, text) &&
        tell(DIALECT_GRPC_WEB, buffer_bytes(&frames), 0, arena, &beneath))
        CHECK(bytes_equal(buffer_bytes(&whole), buffer_bytes(&beneath)));
    arena_free(arena);
    return 0;
}
