/*
 * CompressionStream: one body that is compressed as it is made, piece by piece, so that each piece
 * reaches its reader at once.
 *
 * Owned by who made it, used by one thread. Costs, while it lives: gzip and deflate about 100 KiB,
 * br and zstd about 500 KiB.
 */
#ifndef PROTOCOLS_COMPRESSION_STREAM_H
#define PROTOCOLS_COMPRESSION_STREAM_H

#include "base/call.h"

typedef struct CompressionStream CompressionStream;

/* NULL: there is no memory for it. Not for identity. */
CompressionStream *compression_stream_new(Compression compression);

/* NULL is fine. */
void compression_stream_free(CompressionStream *stream);

/*
 * Adds what the piece becomes to `out`, all of it: a reader can decompress it without what comes
 * later. `last`: the body ends with it; nothing may follow. Fault: OUT_OF_MEMORY.
 */
MUST_USE Result compression_stream_write(CompressionStream *stream, Bytes piece, bool last,
                                         Buffer *out);

#endif
