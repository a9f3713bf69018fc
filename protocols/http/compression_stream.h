/*
 * CompressionStream: compresses one body piece by piece and flushes each piece, so that its reader
 * can decode it at once.
 *
 * Owned by its creator, used by one thread. Memory: about 100 KiB for gzip and deflate, about 500
 * KiB for br and zstd.
 */
#ifndef PROTOCOLS_COMPRESSION_STREAM_H
#define PROTOCOLS_COMPRESSION_STREAM_H

#include "base/call.h"

typedef struct CompressionStream CompressionStream;

/* NULL when out of memory. `compression` is not identity. */
CompressionStream *compression_stream_new(Compression compression);

/* NULL is allowed. */
void compression_stream_free(CompressionStream *stream);

/*
 * Appends the compressed piece to `out` and flushes: a reader can decode the whole piece without
 * later input. `last`: the body ends; no call may follow. Fault: OUT_OF_MEMORY.
 */
MUST_USE Result compression_stream_write(CompressionStream *stream, Bytes piece, bool last,
                                         Buffer *out);

#endif
