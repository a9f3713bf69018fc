/*
 * Compression of messages and bodies: gzip, deflate (both RFC 1950 to 1952), br (RFC 7932), zstd
 * (RFC 8878), with their names in HTTP and gRPC.
 *
 * Whole messages in, whole messages out. Contexts of the libraries are allocated once per thread,
 * reused, and freed with the thread. Any thread may call these functions.
 */
#ifndef PROTOCOLS_COMPRESSION_H
#define PROTOCOLS_COMPRESSION_H

#include "base/call.h"

/* All supported names, for accept fields, in order of preference. */
#define COMPRESSION_NAMES "gzip,br,zstd,deflate"
#define COMPRESSION_ALL (COMPRESSION_GZIP | COMPRESSION_BR | COMPRESSION_ZSTD | COMPRESSION_DEFLATE)

/* What instances are asked for. */
#define COMPRESSION_OF_MESSAGES (COMPRESSION_GZIP | COMPRESSION_BR | COMPRESSION_ZSTD)

/* "gzip", "identity" ...; a literal. */
const char *compression_name(Compression compression);

/* Letter case is ignored; an empty name is identity. False: not supported. */
bool compression_by_name(Bytes name, Compression *compression_out);

/* What a peer accepts. */
typedef struct Acceptance {
    uint32_t set;          /* of Compression */
    Compression favourite; /* of the highest weight; among equals, by our preference; IDENTITY if
                              that has a higher weight */
    bool no_identity;      /* "identity;q=0", or "*;q=0" without an identity member */
} Acceptance;

/* Reads "gzip, br;q=0.5, *;q=0" (RFC 9110 section 12.5.3) or grpc-accept-encoding. Unknown names
   are ignored. */
Acceptance compressions_read(Bytes list);

/* The names of a set, joined by ","; "identity" for the empty set. A literal, or in the arena. */
Bytes compressions_write(uint32_t set, Arena *arena);

/* Appends the compressed message to `out`. Fault: OUT_OF_MEMORY. */
MUST_USE Result compress_message(Arena *arena, Compression compression, Bytes message, Buffer *out);

typedef enum Decompressed {
    DECOMPRESSED,
    DECOMPRESS_TOO_LARGE, /* the output is larger than `limit` */
    DECOMPRESS_BAD,       /* another format, truncated, or with trailing bytes */
    DECOMPRESS_NO_MEMORY, /* `out` is full */
} Decompressed;

/* Replaces the content of `out`. An empty message gives an empty one. `limit`: bytes of output. */
Decompressed decompress_message(Compression compression, Bytes message, size_t limit, Buffer *out);

/* The same with little work: only if neither the message nor the output is larger than `limit`.
   False: one is or may be larger, or the message is bad; the content of `out` is then undefined,
   and decompress_message gives the reason. */
bool decompress_small(Compression compression, Bytes message, size_t limit, Buffer *out);

#endif
