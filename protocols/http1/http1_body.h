/*
 * Http1Body: decodes the framing of HTTP/1.1 bodies (RFC 9112 sections 6 and 7).
 *
 * A state machine over bytes; pieces point into the input. Strict: only CRLF ends a line, a chunk
 * size has only hexadecimal digits, extensions are skipped up to a limit. Part of its connection.
 */
#ifndef PROTOCOLS_HTTP1_BODY_H
#define PROTOCOLS_HTTP1_BODY_H

#include "protocols/http1/http1_head.h"

typedef enum Http1BodyState {
    HTTP1_BODY_SIZE,      /* digits of a chunk size */
    HTTP1_BODY_EXTENSION, /* up to CR */
    HTTP1_BODY_SIZE_LF,
    HTTP1_BODY_DATA,
    HTTP1_BODY_DATA_CR,
    HTTP1_BODY_DATA_LF,
    HTTP1_BODY_TRAILERS,
    HTTP1_BODY_DONE,
} Http1BodyState;

typedef struct Http1Body {
    uint64_t left;       /* bytes left of the body, or of the chunk */
    uint32_t digits;     /* of the chunk size so far */
    uint32_t extensions; /* bytes of chunk extensions so far, in the whole body */
    Arena *arena;
    Buffer *trailers; /* the raw trailer section; NULL until some of it came */
    uint32_t trailers_most;
    uint8_t framing; /* an Http1Framing */
    uint8_t state;   /* an Http1BodyState */
} Http1Body;

typedef enum Http1BodyStep {
    HTTP1_STEP_MORE,  /* all input was used */
    HTTP1_STEP_PIECE, /* a piece of the body */
    HTTP1_STEP_END,   /* the body is complete */
    HTTP1_STEP_BAD,
} Http1BodyStep;

/* `arena` holds the trailers and must outlive the body. `length`: with HTTP1_LENGTH. */
void http1_body_begin(Http1Body *body, Arena *arena, const HttpLimits *limits, Http1Framing framing,
                      int64_t length);

/* Removes the processed bytes from the front of `input`. `piece_out` is set with HTTP1_STEP_PIECE,
   `why_out` with HTTP1_STEP_BAD. */
Http1BodyStep http1_body_next(Http1Body *body, Bytes *input, Bytes *piece_out,
                              Http1Refusal *why_out);

#endif
