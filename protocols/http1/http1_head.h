/*
 * Http1Head: the head of an HTTP/1.1 message, read strictly (RFC 9112).
 *
 * libh2o's parser finds the lines; everything that two readers could understand differently is
 * refused here: bare LF, line folding, several lengths, a length together with a transfer coding,
 * several hosts. Plain functions from bytes to outcomes. Fields point into the input (values) and
 * the arena (names).
 */
#ifndef PROTOCOLS_HTTP1_HEAD_H
#define PROTOCOLS_HTTP1_HEAD_H

#include "protocols/http/http.h"

/* How the end of a body is found (RFC 9112 section 6.3). */
typedef enum Http1Framing {
    HTTP1_NO_BODY,
    HTTP1_LENGTH,
    HTTP1_CHUNKED,
    HTTP1_UNTIL_CLOSE, /* answers only */
} Http1Framing;

typedef struct Http1Head {
    HttpHead http;
    Http1Framing framing;
    bool keep_alive;       /* the connection may be used again, as far as the sender is concerned */
    bool expects_continue; /* waits for "100 Continue" before it sends the body */
    bool takes_trailers;   /* TE: trailers */
} Http1Head;

typedef enum Http1Parse {
    HTTP1_PARSED,
    HTTP1_MORE, /* the head is not complete yet */
    HTTP1_BAD,
} Http1Parse;

/* Why a head or a body is refused. Texts are literals. */
typedef struct Http1Refusal {
    const Fault *fault;
    uint16_t status; /* what to answer to a request; 0: nothing */
    const char *detail;
} Http1Refusal;

/* `seen`: how much of `input` was there when HTTP1_MORE was said the last time, or 0. */
Http1Parse http1_parse_request(Arena *arena, const HttpLimits *limits, Bytes input, size_t seen,
                               Http1Head *head_out, size_t *size_out, Http1Refusal *why_out);

/* An answer to a request with that method: it decides whether a body can follow. */
Http1Parse http1_parse_answer(Arena *arena, const HttpLimits *limits, Bytes input, size_t seen,
                              bool to_head_request, Http1Head *head_out, size_t *size_out,
                              Http1Refusal *why_out);

/* A whole trailer section, its empty line included. Fields that may not come there are left out. */
Http1Parse http1_parse_trailers(Arena *arena, const HttpLimits *limits, Bytes section,
                                Fields *fields_out, Http1Refusal *why_out);

#endif
