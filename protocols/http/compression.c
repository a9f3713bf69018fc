#include "protocols/http/compression.h"

#include "base/arena.h"
#include "base/blocks.h"

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

enum {
    GZIP_LEVEL = 4, /* each response is compressed once and read once: speed first */
    BROTLI_QUALITY = 3,
    BROTLI_WINDOW = 18,
    ZSTD_LEVEL = 3,
    ZSTD_LARGEST_WINDOW = 23, /* log2, of frames that we read: 8 MiB (RFC 9659 section 3) */
    GZIP_WINDOW = 15 + 16,    /* + 16: zlib's value for the gzip format */
    ZLIB_WINDOW = 15,
};

static const struct {
    Compression compression;
    const char *name;
    size_t size; /* of the name: most others differ in it */
} names[] = {
    {COMPRESSION_GZIP, "gzip", 4},         {COMPRESSION_BR, "br", 2},
    {COMPRESSION_ZSTD, "zstd", 4},         {COMPRESSION_DEFLATE, "deflate", 7},
    {COMPRESSION_IDENTITY, "identity", 8},
};

enum { N_NAMES = sizeof names / sizeof *names };

const char *compression_name(Compression compression)
{
    for (size_t i = 0; i < N_NAMES; i++) {
        if (names[i].compression == compression)
            return names[i].name;
    }
    return "identity";
}

bool compression_by_name(Bytes name, Compression *compression_out)
{
    name = bytes_trim(name);
    *compression_out = COMPRESSION_IDENTITY;
    if (name.size == 0)
        return true;
    if (name.size == 6 && bytes_are_nocase(name, "x-gzip")) /* RFC 9110 section 8.4.1.3 */
        name = bytes_of("gzip");
    for (size_t i = 0; i < N_NAMES; i++) {
        if (name.size == names[i].size &&
            strncasecmp((const char *)name.data, names[i].name, name.size) == 0) {
            *compression_out = names[i].compression;
            return true;
        }
    }
    return false;
}

enum { WHOLE_WEIGHT = 1000, NOT_GIVEN = -1 };

/* The weight, "q=0.25", in thousandths; WHOLE_WEIGHT without one. */
static int weight_of(Bytes parameters)
{
    Bytes parameter;
    while (bytes_split(&parameters, ';', &parameter)) {
        parameter = bytes_trim(parameter);
        if (parameter.size < 3 || (parameter.data[0] | 32) != 'q' || parameter.data[1] != '=')
            continue;
        if (parameter.data[2] != '0')
            return WHOLE_WEIGHT;
        int weight = 0;
        for (size_t i = 4; i < 7; i++)
            weight = weight * 10 + (i < parameter.size ? (parameter.data[i] - '0') % 10 : 0);
        return weight > 0 ? weight : 0;
    }
    return WHOLE_WEIGHT;
}

/* The weights in the list of each of `names` and of "*". */
static void read_weights(Bytes list, int weights[N_NAMES], int *any)
{
    Bytes item;
    while (bytes_split(&list, ',', &item)) {
        Bytes name = BYTES_NONE;
        Compression compression;
        if (!bytes_split(&item, ';', &name))
            continue;
        name = bytes_trim(name);
        if (bytes_are(name, "*"))
            *any = weight_of(item);
        else if (name.size && compression_by_name(name, &compression)) {
            for (size_t i = 0; i < N_NAMES; i++) {
                if (names[i].compression == compression)
                    weights[i] = weight_of(item);
            }
        }
    }
}

Acceptance compressions_read(Bytes list)
{
    Acceptance acceptance = {.set = 0};
    if (!list.size)
        return acceptance;
    int any = NOT_GIVEN, weights[N_NAMES], best = 0;
    for (size_t i = 0; i < N_NAMES; i++)
        weights[i] = NOT_GIVEN;
    read_weights(list, weights, &any);
    for (size_t i = 0; i < N_NAMES; i++) {
        bool identity = names[i].compression == COMPRESSION_IDENTITY;
        int weight = weights[i] == NOT_GIVEN ? any : weights[i];
        if (identity) {
            acceptance.no_identity = weight == 0;
            if (weights[i] > best)
                acceptance.favourite = COMPRESSION_IDENTITY;
        } else if (weight > 0) {
            acceptance.set |= names[i].compression;
            if (weight > best) {
                best = weight;
                acceptance.favourite = names[i].compression;
            }
        }
    }
    return acceptance;
}

Bytes compressions_write(uint32_t set, Arena *arena)
{
    if (set == COMPRESSION_ALL)
        return bytes_of(COMPRESSION_NAMES);
    if (set == COMPRESSION_OF_MESSAGES)
        return bytes_of("gzip,br,zstd");
    if (set == COMPRESSION_GZIP)
        return bytes_of("gzip");
    Buffer out = buffer_in(arena);
    for (size_t i = 0; i < N_NAMES; i++) {
        if (!(set & names[i].compression))
            continue;
        if (out.size)
            buffer_add_byte(&out, ',');
        buffer_add_text(&out, names[i].name);
    }
    return out.size ? buffer_bytes(&out) : bytes_of("identity");
}

/* ---- The contexts of this thread ------------------------------------------------------------- */

typedef struct Contexts {
    z_stream inflate, deflate; /* `inflate` is for both formats: it is reset for each message */
    z_stream deflate_zlib;
    bool has_inflate, has_deflate, has_deflate_zlib;
    ZSTD_DCtx *zstd_read;
    ZSTD_CCtx *zstd_write;
} Contexts;

static pthread_key_t contexts_key;
static pthread_once_t contexts_once = PTHREAD_ONCE_INIT;
static __thread Contexts *contexts_of_thread;

static void free_contexts(void *memory)
{
    Contexts *contexts = memory;
    if (contexts->has_inflate)
        inflateEnd(&contexts->inflate);
    if (contexts->has_deflate)
        deflateEnd(&contexts->deflate);
    if (contexts->has_deflate_zlib)
        deflateEnd(&contexts->deflate_zlib);
    ZSTD_freeDCtx(contexts->zstd_read);
    ZSTD_freeCCtx(contexts->zstd_write);
    free(contexts);
}

static void make_key(void)
{
    CHECK(pthread_key_create(&contexts_key, free_contexts) == 0);
}

static Contexts *contexts_get(void)
{
    if (!contexts_of_thread) {
        pthread_once(&contexts_once, make_key);
        contexts_of_thread = calloc(1, sizeof *contexts_of_thread);
        CHECK(contexts_of_thread);
        pthread_setspecific(contexts_key, contexts_of_thread);
    }
    return contexts_of_thread;
}

/* ---- Compressing ----------------------------------------------------------------------------- */

static z_stream *deflate_context(Compression compression)
{
    Contexts *contexts = contexts_get();
    bool gzip = compression == COMPRESSION_GZIP;
    z_stream *z = gzip ? &contexts->deflate : &contexts->deflate_zlib;
    bool *has = gzip ? &contexts->has_deflate : &contexts->has_deflate_zlib;
    if (*has)
        return deflateReset(z) == Z_OK ? z : NULL;
    *has = deflateInit2(z, GZIP_LEVEL, Z_DEFLATED, gzip ? GZIP_WINDOW : ZLIB_WINDOW, 8,
                        Z_DEFAULT_STRATEGY) == Z_OK;
    return *has ? z : NULL;
}

static bool compress_deflate(Compression compression, Bytes message, Buffer *out)
{
    z_stream *z = deflate_context(compression);
    if (!z || message.size > UINT32_MAX / 2)
        return false;
    size_t bound = deflateBound(z, message.size);
    if (!buffer_reserve(out, bound))
        return false;
    z->next_in = (Bytef *)(uintptr_t)message.data; /* not const in zlib's API, but only read */
    z->avail_in = (uInt)message.size;
    z->next_out = out->data + out->size;
    z->avail_out = (uInt)bound;
    if (deflate(z, Z_FINISH) != Z_STREAM_END)
        return false;
    out->size += bound - z->avail_out;
    return true;
}

static bool compress_brotli(Bytes message, Buffer *out)
{
    size_t size = BrotliEncoderMaxCompressedSize(message.size);
    if (size == 0 || !buffer_reserve(out, size))
        return false;
    if (!BrotliEncoderCompress(BROTLI_QUALITY, BROTLI_WINDOW, BROTLI_MODE_GENERIC, message.size,
                               message.data, &size, out->data + out->size))
        return false;
    out->size += size;
    return true;
}

static bool compress_zstd(Bytes message, Buffer *out)
{
    Contexts *contexts = contexts_get();
    size_t bound = ZSTD_compressBound(message.size);
    if (!contexts->zstd_write)
        contexts->zstd_write = ZSTD_createCCtx();
    if (!contexts->zstd_write || !buffer_reserve(out, bound))
        return false;
    size_t size = ZSTD_compressCCtx(contexts->zstd_write, out->data + out->size, bound,
                                    message.data, message.size, ZSTD_LEVEL);
    if (ZSTD_isError(size))
        return false;
    out->size += size;
    return true;
}

Result compress_message(Arena *arena, Compression compression, Bytes message, Buffer *out)
{
    bool good = true;
    switch (compression) {
    case COMPRESSION_IDENTITY:
        buffer_add_bytes(out, message);
        good = !out->full;
        break;
    case COMPRESSION_GZIP:
    case COMPRESSION_DEFLATE: good = compress_deflate(compression, message, out); break;
    case COMPRESSION_BR: good = compress_brotli(message, out); break;
    case COMPRESSION_ZSTD: good = compress_zstd(message, out); break;
    }
    if (!good)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "compressing a message of %zu bytes with %s",
                    message.size, compression_name(compression));
    return OK;
}

/* ---- Decompressing --------------------------------------------------------------------------- */

/* Makes room for more output, at most one byte above the limit, so that a larger output is
   noticed. */
static bool make_room(Buffer *out, size_t limit, size_t first_guess)
{
    if (out->size < out->capacity)
        return true;
    size_t wanted = out->capacity ? out->capacity : first_guess;
    size_t most = limit < SIZE_MAX / 4 ? limit + 1 : SIZE_MAX / 4;
    if (wanted > most - out->size)
        wanted = most - out->size;
    return buffer_reserve(out, wanted ? wanted : 1);
}

static size_t guess_size(Bytes message)
{
    return message.size > 1 << 18 ? 1 << 20 : message.size * 4 + 64;
}

static z_stream *inflate_context(Compression compression)
{
    Contexts *contexts = contexts_get();
    int window = compression == COMPRESSION_GZIP ? GZIP_WINDOW : ZLIB_WINDOW;
    if (contexts->has_inflate)
        return inflateReset2(&contexts->inflate, window) == Z_OK ? &contexts->inflate : NULL;
    contexts->has_inflate = inflateInit2(&contexts->inflate, window) == Z_OK;
    return contexts->has_inflate ? &contexts->inflate : NULL;
}

static Decompressed decompress_inflate(Compression compression, Bytes message, size_t limit,
                                       Buffer *out)
{
    z_stream *z = inflate_context(compression);
    if (!z)
        return DECOMPRESS_NO_MEMORY;
    if (message.size > UINT32_MAX / 2)
        return DECOMPRESS_TOO_LARGE;
    z->next_in = (Bytef *)(uintptr_t)message.data;
    z->avail_in = (uInt)message.size;

    for (;;) {
        if (!make_room(out, limit, guess_size(message)))
            return DECOMPRESS_NO_MEMORY;
        size_t room = out->capacity - out->size;
        if (room > UINT32_MAX / 2)
            room = UINT32_MAX / 2;
        z->next_out = out->data + out->size;
        z->avail_out = (uInt)room;
        int outcome = inflate(z, Z_NO_FLUSH);
        out->size += room - z->avail_out;
        if (out->size > limit)
            return DECOMPRESS_TOO_LARGE;
        if (outcome == Z_STREAM_END && z->avail_in == 0)
            return DECOMPRESSED;
        if (outcome == Z_STREAM_END && compression == COMPRESSION_GZIP) {
            if (inflateReset(z) != Z_OK) /* gzip's next member (RFC 1952 section 2.2) */
                return DECOMPRESS_NO_MEMORY;
            continue;
        }
        if (outcome == Z_MEM_ERROR)
            return DECOMPRESS_NO_MEMORY;
        if (outcome != Z_OK || (z->avail_in == 0 && z->avail_out != 0))
            return DECOMPRESS_BAD;
    }
}

/*
 * Brotli's decoder returns no output before its ring buffer is full, and the size of that buffer is
 * the window or twice the size that the message declares: a message of 14 bytes can make it fill 16
 * MiB. So its memory is limited, which limits its work, too. An output up to `limit` needs a ring
 * buffer of less than twice that size; prefix codes need at most LARGEST_CODES.
 */
enum { LARGEST_CODES = 3 << 20, RING_SLACK = 1024, DECODER_STATE = 64 * 1024 };

typedef struct BrotliMemory {
    size_t most; /* bytes in one allocation */
    bool refused;
} BrotliMemory;

static void *brotli_alloc(void *owner, size_t size)
{
    BrotliMemory *memory = owner;
    memory->refused |= size > memory->most;
    return memory->refused ? NULL : block_try(size);
}

static void brotli_free(void *owner, void *block)
{
    free(block);
}

/* A decoder cannot be reset: there is a new one for each message. */
static Decompressed run_brotli(BrotliDecoderState *decoder, Bytes message, size_t limit,
                               Buffer *out)
{
    const uint8_t *next_in = message.data;
    size_t left_in = message.size;
    for (;;) {
        if (!make_room(out, limit, guess_size(message)))
            return DECOMPRESS_NO_MEMORY;
        uint8_t *next_out = out->data + out->size;
        size_t left_out = out->capacity - out->size;
        BrotliDecoderResult outcome =
            BrotliDecoderDecompressStream(decoder, &left_in, &next_in, &left_out, &next_out, NULL);
        out->size = out->capacity - left_out;
        if (out->size > limit)
            return DECOMPRESS_TOO_LARGE;
        switch (outcome) {
        case BROTLI_DECODER_RESULT_SUCCESS: return left_in ? DECOMPRESS_BAD : DECOMPRESSED;
        case BROTLI_DECODER_RESULT_ERROR:
        case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT: return DECOMPRESS_BAD;
        case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT: break;
        }
    }
}

static Decompressed decompress_brotli(Bytes message, size_t limit, size_t least_memory, Buffer *out)
{
    BrotliMemory memory = {.most = limit < SIZE_MAX / 4 ? limit * 2 + RING_SLACK : SIZE_MAX};
    if (memory.most < least_memory)
        memory.most = least_memory;
    BrotliDecoderState *decoder = BrotliDecoderCreateInstance(brotli_alloc, brotli_free, &memory);
    if (!decoder)
        return DECOMPRESS_NO_MEMORY;
    Decompressed outcome = run_brotli(decoder, message, limit, out);
    BrotliDecoderDestroyInstance(decoder);
    return outcome == DECOMPRESS_BAD && memory.refused ? DECOMPRESS_TOO_LARGE : outcome;
}

static ZSTD_DCtx *zstd_context(void)
{
    Contexts *contexts = contexts_get();
    if (!contexts->zstd_read) {
        contexts->zstd_read = ZSTD_createDCtx();
        if (contexts->zstd_read)
            ZSTD_DCtx_setParameter(contexts->zstd_read, ZSTD_d_windowLogMax, ZSTD_LARGEST_WINDOW);
    } else {
        ZSTD_DCtx_reset(contexts->zstd_read, ZSTD_reset_session_only);
    }
    return contexts->zstd_read;
}

static Decompressed decompress_zstd(Bytes message, size_t limit, Buffer *out)
{
    ZSTD_DCtx *context = zstd_context();
    if (!context)
        return DECOMPRESS_NO_MEMORY;
    ZSTD_inBuffer in = {message.data, message.size, 0};
    for (;;) {
        if (!make_room(out, limit, guess_size(message)))
            return DECOMPRESS_NO_MEMORY;
        ZSTD_outBuffer to = {out->data, out->capacity, out->size};
        size_t left = ZSTD_decompressStream(context, &to, &in);
        out->size = to.pos;
        if (out->size > limit)
            return DECOMPRESS_TOO_LARGE;
        if (ZSTD_isError(left))
            return DECOMPRESS_BAD;
        if (in.pos == in.size && left == 0)
            return DECOMPRESSED; /* at the end of a frame, the last one */
        if (in.pos == in.size && to.pos < to.size)
            return DECOMPRESS_BAD;
    }
}

static Decompressed decompress(Compression compression, Bytes message, size_t limit,
                               size_t brotli_memory, Buffer *out)
{
    out->size = 0;
    if (message.size == 0)
        return DECOMPRESSED;
    switch (compression) {
    case COMPRESSION_IDENTITY:
        if (message.size > limit)
            return DECOMPRESS_TOO_LARGE;
        buffer_add_bytes(out, message);
        return out->full ? DECOMPRESS_NO_MEMORY : DECOMPRESSED;
    case COMPRESSION_GZIP:
    case COMPRESSION_DEFLATE: return decompress_inflate(compression, message, limit, out);
    case COMPRESSION_BR: return decompress_brotli(message, limit, brotli_memory, out);
    case COMPRESSION_ZSTD: return decompress_zstd(message, limit, out);
    }
    return DECOMPRESS_BAD;
}

Decompressed decompress_message(Compression compression, Bytes message, size_t limit, Buffer *out)
{
    return decompress(compression, message, limit, LARGEST_CODES, out);
}

bool decompress_small(Compression compression, Bytes message, size_t limit, Buffer *out)
{
    return message.size <= limit &&
           decompress(compression, message, limit, DECODER_STATE, out) == DECOMPRESSED;
}
