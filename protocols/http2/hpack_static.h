/*
 * The static table of HPACK (RFC 7541 appendix A), and the rules of HTTP/2 for field names and
 * values. Constant data and plain functions, any thread.
 */
#ifndef PROTOCOLS_HPACK_STATIC_H
#define PROTOCOLS_HPACK_STATIC_H

#include "base/bytes.h"

enum {
    HPACK_STATIC = 61, /* entries; the indexes of the dynamic table follow */
    HPACK_AUTHORITY = 1,
    HPACK_METHOD_GET = 2,
    HPACK_METHOD_POST = 3,
    HPACK_PATH = 4,
    HPACK_SCHEME_HTTP = 6,
    HPACK_SCHEME_HTTPS = 7,
    HPACK_STATUS = 8,
    HPACK_CONTENT_LENGTH = 28,
    HPACK_DATE = 33,
};

/* How the receiver of a head treats a field, by its name. */
typedef enum HpackToken {
    HPACK_OTHER,
    HPACK_TOKEN_METHOD,
    HPACK_TOKEN_SCHEME,
    HPACK_TOKEN_AUTHORITY,
    HPACK_TOKEN_PATH,
    HPACK_TOKEN_STATUS,
    HPACK_TOKEN_PSEUDO, /* an unknown pseudo-header field */
    HPACK_TOKEN_HOST,
    HPACK_TOKEN_COOKIE,
    HPACK_TOKEN_EXPECT,
    HPACK_TOKEN_TE,
    HPACK_TOKEN_CONTENT_LENGTH,
    HPACK_TOKEN_CONNECTION, /* connection-specific (RFC 9113 section 8.2.2) */
    HPACK_TOKEN_NO_TRAILER, /* dropped from trailers */
} HpackToken;

/* Why a field is malformed (RFC 9113 section 8.2.1). Bits. */
typedef enum HpackFlaw {
    HPACK_BAD_NAME = 1,
    HPACK_BAD_VALUE = 2,
    HPACK_BLANK_ENDS = 4, /* the value is valid except for spaces or tabs at its ends */
} HpackFlaw;

typedef struct HpackStatic {
    const char *name, *value;
    uint8_t name_size, value_size;
    uint8_t token; /* HpackToken */
} HpackStatic;

/* Indexes from 1 to HPACK_STATIC. */
extern const HpackStatic hpack_static[HPACK_STATIC + 1];

/* The first entry with this name, or 0. */
uint32_t hpack_static_find(Bytes name);

HpackToken hpack_token(Bytes name);

/* A set of HpackFlaw; 0: valid. */
uint8_t hpack_name_flaws(HpackToken token, Bytes name);
uint8_t hpack_value_flaws(Bytes value);

#endif
