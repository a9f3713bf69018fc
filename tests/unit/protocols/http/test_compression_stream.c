#include "protocols/http/compression_stream.h"

#include "tests/unit/check.h"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

static Arena *arena;
static const Compression all[] = {COMPRESSION_GZIP, COMPRESSION_DEFLATE, COMPRESSION_BR,
                                  COMPRESSION_ZSTD};

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

/* A reader that takes what has come, by the libraries' own streams. */
typedef struct Reader {
    z_stream zlib;
    BrotliDecoderState *brotli;
    ZSTD_DCtx *zstd;
    Compression compression;
    bool ended;
} Reader;

static void reader_begin(Reader *reader, Compression compression)
{
    *reader = (Reader){.compression = compression};
    if (compression == COMPRESSION_BR)
        reader->brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    else if (compression == COMPRESSION_ZSTD)
        reader->zstd = ZSTD_createDCtx();
    else
        assert_int_equal(inflateInit2(&reader->zlib, 15 + 32), Z_OK);
}

static void reader_end(Reader *reader)
{
    inflateEnd(&reader->zlib);
    if (reader->brotli)
        BrotliDecoderDestroyInstance(reader->brotli);
    ZSTD_freeDCtx(reader->zstd);
}

static Bytes read_piece(Reader *reader, Bytes piece)
{
    enum { ROOM = 1 << 20 };
    uint8_t *out = arena_alloc(arena, ROOM);
    size_t size = 0;
    if (reader->brotli) {
        size_t in = piece.size, room = ROOM;
        const uint8_t *next_in = piece.data;
        uint8_t *next_out = out;
        BrotliDecoderResult r =
            BrotliDecoderDecompressStream(reader->brotli, &in, &next_in, &room, &next_out, NULL);
        assert_int_not_equal(r, BROTLI_DECODER_RESULT_ERROR);
        reader->ended = r == BROTLI_DECODER_RESULT_SUCCESS;
        size = ROOM - room;
    } else if (reader->zstd) {
        ZSTD_inBuffer in = {piece.data, piece.size, 0};
        ZSTD_outBuffer to = {out, ROOM, 0};
        size_t left = ZSTD_decompressStream(reader->zstd, &to, &in);
        assert_false(ZSTD_isError(left));
        reader->ended = left == 0;
        size = to.pos;
    } else {
        reader->zlib.next_in = (Bytef *)(uintptr_t)piece.data;
        reader->zlib.avail_in = (uInt)piece.size;
        reader->zlib.next_out = out;
        reader->zlib.avail_out = ROOM;
        int r = inflate(&reader->zlib, Z_SYNC_FLUSH);
        assert_true(r == Z_OK || r == Z_STREAM_END);
        reader->ended = r == Z_STREAM_END;
        size = ROOM - reader->zlib.avail_out;
    }
    return bytes(out, size);
}

static Bytes text_of_size(size_t size)
{
    uint8_t *text = arena_alloc(arena, size + 1);
    uint32_t seed = (uint32_t)size;
    for (size_t i = 0; i < size; i++)
        text[i] = (uint8_t)("abcdefgh"[(seed = seed * 1664525 + 1013904223) >> 29]);
    return bytes(text, size);
}

static void each_piece_can_be_read_before_the_next_is_made(void **state)
{
    static const size_t sizes[] = {7, 1, 0, 500, 4096, 70000, 200000, 3};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        CompressionStream *stream = compression_stream_new(all[i]);
        Reader reader;
        reader_begin(&reader, all[i]);
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            Buffer out = buffer_in(arena);
            Bytes piece = text_of_size(sizes[k]);
            assert_ok(arena, compression_stream_write(stream, piece, false, &out));
            if (piece.size)
                assert_true(bytes_equal(read_piece(&reader, buffer_bytes(&out)), piece));
            else if (out.size)
                assert_int_equal(read_piece(&reader, buffer_bytes(&out)).size, 0);
            assert_false(reader.ended);
        }
        Buffer out = buffer_in(arena);
        assert_ok(arena, compression_stream_write(stream, bytes_of("last"), true, &out));
        assert_bytes(read_piece(&reader, buffer_bytes(&out)), "last");
        assert_true(reader.ended);
        compression_stream_free(stream);
        reader_end(&reader);
    }
}

static void pieces_that_are_alike_cost_little(void **state)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        CompressionStream *stream = compression_stream_new(all[i]);
        Bytes piece = text_of_size(400);
        Buffer first = buffer_in(arena), second = buffer_in(arena);
        assert_ok(arena, compression_stream_write(stream, piece, false, &first));
        assert_ok(arena, compression_stream_write(stream, piece, false, &second));
        assert_in_range(second.size, 1, first.size / 3);
        compression_stream_free(stream);
    }
}

static void a_stream_may_end_with_nothing_or_not_at_all(void **state)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        CompressionStream *stream = compression_stream_new(all[i]);
        Reader reader;
        Buffer out = buffer_in(arena);
        reader_begin(&reader, all[i]);
        assert_ok(arena, compression_stream_write(stream, BYTES_NONE, true, &out));
        assert_int_equal(read_piece(&reader, buffer_bytes(&out)).size, 0);
        assert_true(reader.ended);
        reader_end(&reader);
        compression_stream_free(stream);
        compression_stream_free(compression_stream_new(all[i]));
    }
    compression_stream_free(NULL);
    assert_null(compression_stream_new(COMPRESSION_IDENTITY));
}

static void memory_at_its_limit_is_a_fault(void **state)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        Arena *small = arena_new(16384);
        Buffer out = buffer_in(small);
        CompressionStream *stream = compression_stream_new(all[i]);
        uint8_t noise[60000];
        uint32_t seed = 3;
        for (size_t k = 0; k < sizeof noise; k++)
            noise[k] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
        assert_fault(compression_stream_write(stream, bytes(noise, sizeof noise), false, &out),
                     FAULT_OUT_OF_MEMORY);
        compression_stream_free(stream);
        arena_free(small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_piece_can_be_read_before_the_next_is_made),
        cmocka_unit_test(pieces_that_are_alike_cost_little),
        cmocka_unit_test(a_stream_may_end_with_nothing_or_not_at_all),
        cmocka_unit_test(memory_at_its_limit_is_a_fault),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
