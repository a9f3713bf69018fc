/* Percent-encoding (RFC 3986 section 2.1), as paths, queries and grpc-message use it. Any
   thread. */
#ifndef BASE_PERCENT_H
#define BASE_PERCENT_H

#include "base/bytes.h"

/* The characters that encoding leaves unchanged. */
typedef enum PercentKeep {
    PERCENT_KEEP_UNRESERVED, /* - _ . ~ 0-9 A-Z a-z: one path segment, a query's names and values */
    PERCENT_KEEP_PATH,       /* the same and "/" */
    PERCENT_KEEP_VISIBLE,    /* space to "~" but "%": grpc-message */
} PercentKeep;

void percent_encode(Buffer *out, Bytes text, PercentKeep keep);

/* The escapes that decoding leaves unchanged. */
typedef enum PercentLeave {
    PERCENT_LEAVE_NOTHING,
    PERCENT_LEAVE_SLASH,    /* %2F */
    PERCENT_LEAVE_RESERVED, /* the escapes of RFC 3986's reserved characters, : / ? # [ ] @ ! $ & '
                               ( ) * + , ; = */
    PERCENT_PLUS_IS_SPACE,  /* all is decoded, and "+" is a space: queries */
} PercentLeave;

/* False at a "%" without two hexadecimal digits. */
bool percent_decode(Buffer *out, Bytes text, PercentLeave leave)
    __attribute__((warn_unused_result));

/* Decodes valid escapes and leaves the rest unchanged: grpc-message must never fail. */
void percent_decode_leniently(Buffer *out, Bytes text);

/* Normalises: decodes escapes of unreserved characters, writes the others in capitals (RFC 3986
   section 6.2.2). False at a "%" without two hexadecimal digits. */
bool percent_normalize(Buffer *out, Bytes text) __attribute__((warn_unused_result));

/* The byte of the escape at the start of the text, or -1. */
int percent_byte(Bytes text);

/* Whether the text has a "%" at all. */
static inline bool percent_is_in(Bytes text)
{
    return bytes_find(text, '%') < text.size;
}

#endif
