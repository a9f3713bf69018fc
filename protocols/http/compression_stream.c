#include "protocols/http/compression_stream.h"

#include "protocols/http/compression.h"

#include <brotli/encode.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

/* Many streams may be open at once and their pieces are small: windows smaller than those of whole
   messages. */
enum {
    GZIP_LEVEL = 4,
    GZIP_WINDOW = 14 + 16, /* zlib's way to ask for gzip's head and foot */
    ZLIB_WINDOW = 14,
    ZLIB_MEMORY = 6,
    BROTLI_QUALITY = 3,
    BROTLI_WINDOW = 16,
    ZSTD_LEVEL = 1,
    ZSTD_WINDOW = 16,
    STEP = 4096, /* bytes of room made at a time */
};

struct CompressionStream {
    Compression compression;
    z_stream zlib;
    BrotliEncoderState *brotli;
    ZSTD_CCtx *zstd;
};

static bool begin(CompressionStream *s)
{
    switch (s->compression) {
    case COMPRESSION_GZIP:
    case COMPRESSION_DEFLATE:
        return deflateInit2(&s->zlib, GZIP_LEVEL, Z_DEFLATED,
                            s->compression == COMPRESSION_GZIP ? GZIP_WINDOW : ZLIB_WINDOW,
                            ZLIB_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK;
    case COMPRESSION_BR:
        s->brotli = BrotliEncoderCreateInstance(NULL, NULL, NULL);
        return s->brotli &&
               BrotliEncoderSetParameter(s->brotli, BROTLI_PARAM_QUALITY, BROTLI_QUALITY) &&
               BrotliEncoderSetParameter(s->brotli, BROTLI_PARAM_LGWIN, BROTLI_WINDOW);
    case COMPRESSION_ZSTD:
        s->zstd = ZSTD_createCCtx();
        return s->zstd &&
               !ZSTD_isError(
                   ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL)) &&
               !ZSTD_isError(ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_windowLog, ZSTD_WINDOW));
    case COMPRESSION_IDENTITY: break;
    }
    return false;
}

CompressionStream *compression_stream_new(Compression compression)
{
    CompressionStream *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->compression = compression;
    if (begin(s))
        return s;
    compression_stream_free(s);
    return NULL;
}

void compression_stream_free(CompressionStream *stream)
{
    if (!stream)
        return;
    if (stream->zlib.state)
        deflateEnd(&stream->zlib);
    if (stream->brotli)
        BrotliEncoderDestroyInstance(stream->brotli);
    ZSTD_freeCCtx(stream->zstd);
    free(stream);
}

/* ---- Writing: each takes the whole piece and flushes all output ------------------------------ */

static bool write_zlib(z_stream *z, Bytes piece, bool last, Buffer *out)
{
    z->next_in = (Bytef *)(uintptr_t)piece.data; /* not const in zlib's API, but only read */
    z->avail_in = (uInt)piece.size;
    do {
        if (!buffer_reserve(out, STEP))
            return false;
        z->next_out = out->data + out->size;
        z->avail_out = STEP;
        int outcome = deflate(z, last ? Z_FINISH : Z_SYNC_FLUSH);
        if (outcome == Z_STREAM_ERROR)
            return false;
        out->size += STEP - z->avail_out;
    } while (z->avail_out == 0);
    return true;
}

static bool write_brotli(BrotliEncoderState *brotli, Bytes piece, bool last, Buffer *out)
{
    const uint8_t *next_in = piece.data;
    size_t left_in = piece.size;
    BrotliEncoderOperation operation = last ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_FLUSH;
    do {
        size_t left_out = STEP;
        if (!buffer_reserve(out, STEP))
            return false;
        uint8_t *next_out = out->data + out->size;
        if (!BrotliEncoderCompressStream(brotli, operation, &left_in, &next_in, &left_out,
                                         &next_out, NULL))
            return false;
        out->size += STEP - left_out;
    } while (left_in || BrotliEncoderHasMoreOutput(brotli));
    return true;
}

static bool write_zstd(ZSTD_CCtx *zstd, Bytes piece, bool last, Buffer *out)
{
    ZSTD_inBuffer in = {piece.data, piece.size, 0};
    size_t left;
    do {
        if (!buffer_reserve(out, STEP))
            return false;
        ZSTD_outBuffer to = {out->data, out->size + STEP, out->size};
        left = ZSTD_compressStream2(zstd, &to, &in, last ? ZSTD_e_end : ZSTD_e_flush);
        out->size = to.pos;
        if (ZSTD_isError(left))
            return false;
    } while (left);
    return true;
}

Result compression_stream_write(CompressionStream *stream, Bytes piece, bool last, Buffer *out)
{
    bool good = false;
    switch (stream->compression) {
    case COMPRESSION_GZIP:
    case COMPRESSION_DEFLATE:
        good = piece.size <= UINT32_MAX && write_zlib(&stream->zlib, piece, last, out);
        break;
    case COMPRESSION_BR: good = write_brotli(stream->brotli, piece, last, out); break;
    case COMPRESSION_ZSTD: good = write_zstd(stream->zstd, piece, last, out); break;
    case COMPRESSION_IDENTITY: break;
    }
    if (good)
        return OK;
    return FAIL(out->arena, FAULT_OUT_OF_MEMORY, "compressing %zu bytes of a body with %s",
                piece.size, compression_name(stream->compression));
}
