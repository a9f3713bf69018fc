/* However a body of frames is cut, its messages are the same. The first five bytes choose the
   reader. */
#include "tests/fuzz/body_story.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool tell(const uint8_t *choice, Bytes body, uint32_t cut, Arena *arena, Buffer *told)
{
    static const Dialect dialects[] = {DIALECT_GRPC, DIALECT_GRPC_WEB, DIALECT_CONNECT_STREAM,
                                       DIALECT_CONNECT, DIALECT_REST};
    static const Compression compressions[] = {COMPRESSION_IDENTITY, COMPRESSION_GZIP,
                                               COMPRESSION_BR, COMPRESSION_ZSTD,
                                               COMPRESSION_DEFLATE};
    MessageReader reader;
    message_reader_init(&reader, dialects[choice[0] % 5], choice[1] & 1,
                        compressions[choice[2] % 5], choice[3] * 64u, arena);
    reader.keep_compressed = choice[1] & 2;
    if (reader.dialect == DIALECT_REST && choice[1] & 4)
        reader.unframed = UNFRAMED_LINES;
    *told = buffer_in(arena);
    return body_story(&reader, body, cut, told);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 5)
        return 0;
    Arena *arena = arena_new(8 << 20);
    Bytes body = bytes(data + 5, size - 5);
    Buffer whole, in_pieces;
    if (tell(data, body, 0, arena, &whole) && tell(data, body, data[4] + 1u, arena, &in_pieces))
        CHECK(bytes_equal(buffer_bytes(&whole), buffer_bytes(&in_pieces)));
    arena_free(arena);
    return 0;
}
