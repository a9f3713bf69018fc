/*
 * The static table of HPACK (RFC 7541 appendix A), and what the names of fields are to HTTP/2.
 * Constant data and plain functions, any thread.
 */
#ifndef PROTOCOLS_HPACK_STATIC_H
#define PROTOCOLS_HPACK_STATIC_H

#include "base/bytes.h"

enum {
    HPACK_STATIC = 61, /* entries; the dynamic table begins behind them */
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

/* What a name is to the receiver of a head. */
typedef enum HpackToken {
    HPACK_OTHER,
    HPACK_TOKEN_METHOD,
    HPACK_TOKEN_SCHEME,
    HPACK_TOKEN_AUTHORITY,
    HPACK_TOKEN_PATH,
    HPACK_TOKEN_STATUS,
    HPACK_TOKEN_PSEUDO, /* of a pseudo-header field that nobody knows */
    HPACK_TOKEN_HOST,
    HPACK_TOKEN_COOKIE,
    HPACK_TOKEN_EXPECT,
    HPACK_TOKEN_TE,
    HPACK_TOKEN_CONTENT_LENGTH,
    HPACK_TOKEN_CONNECTION, /* connection-specific (RFC 9113 section 8.2.2) */
    HPACK_TOKEN_NO_TRAILER, /* ordinary in a head, barred from trailers */
} HpackToken;

/* How a field breaks the rules for fields (RFC 9113 section 8.2.1). */
typedef enum HpackFlaw {
    HPACK_BAD_NAME = 1,
    HPACK_BAD_VALUE = 2,
    HPACK_BLANK_ENDS = 4, /* spaces or tabs around a value that is good without */
} HpackFlaw;

typedef struct HpackStatic {
    const char *name, *value;
    uint8_t name_size, value_size;
    uint8_t token; /* HpackToken */
} HpackStatic;

/* From 1 to HPACK_STATIC. */
extern const HpackStatic hpack_static[HPACK_STATIC + 1];

/* The first entry with this name, or 0. */
uint32_t hpack_static_find(Bytes name);

HpackToken hpack_token(Bytes name);

/* HpackFlaws, of names and values. */
uint8_t hpack_name_flaws(HpackToken token, Bytes name);
uint8_t hpack_value_flaws(Bytes value);

#endif
