/*
 * Compression of messages and bodies: gzip, deflate (both RFC 1950 to 1952), br (RFC 7932), zstd
 * (RFC 8878), by their names in HTTP and gRPC.
 *
 * Whole messages in, whole messages out. The libraries' contexts are made once per thread and used
 * again; they go with the thread. Any thread may call these functions.
 */
#ifndef PROTOCOLS_COMPRESSION_H
#define PROTOCOLS_COMPRESSION_H

#include "base/call.h"

/* The names of all that can be read here, for accept fields: most wanted first. */
#define COMPRESSION_NAMES "gzip,br,zstd,deflate"
#define COMPRESSION_ALL (COMPRESSION_GZIP | COMPRESSION_BR | COMPRESSION_ZSTD | COMPRESSION_DEFLATE)

/* "gzip", "identity" ...; a literal. */
const char *compression_name(Compression compression);

/* In any case of letters; no name at all is identity. False: not one of ours. */
bool compression_by_name(Bytes name, Compression *compression_out);

/* What a peer takes. */
typedef struct Acceptance {
    uint32_t set; /* of Compression */
    Compression
        favourite; /* of the greatest weight, ours of equal ones; IDENTITY where that weighs more */
    bool no_identity; /* "identity;q=0", or "*;q=0" without another word on it */
} Acceptance;

/* Reads "gzip, br;q=0.5, *;q=0" (RFC 9110 section 12.5.3) or grpc-accept-encoding. Names that we do
   not know are passed over. */
Acceptance compressions_read(Bytes list);

/* The names of a set, joined by ","; a literal or in the arena; "identity" for the empty set. */
Bytes compressions_write(uint32_t set, Arena *arena);

/* Adds the compressed message. Fault: OUT_OF_MEMORY. */
MUST_USE Result compress_message(Arena *arena, Compression compression, Bytes message, Buffer *out);

typedef enum Decompressed {
    DECOMPRESSED,
    DECOMPRESS_TOO_LARGE, /* more than `limit` bytes come out of it */
    DECOMPRESS_BAD,       /* not that format, cut short, or something follows */
    DECOMPRESS_NO_MEMORY, /* `out` is full */
} Decompressed;

/* Replaces what is in `out`. An empty message is never decompressed: it gives an empty one. */
Decompressed decompress_message(Compression compression, Bytes message, size_t limit, Buffer *out);

#endif
