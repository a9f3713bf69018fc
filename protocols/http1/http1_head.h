/*
 * Http1Head: the head of an HTTP/1.1 message, read strictly (RFC 9112).
 *
 * The parser of libh2o finds the lines; this refuses everything that two implementations could read
 * differently: bare LF, line folding, several lengths, a length together with a transfer coding,
 * several hosts. Plain functions from bytes to outcomes. Values of fields point into the input,
 * names into the arena.
 */
#ifndef PROTOCOLS_HTTP1_HEAD_H
#define PROTOCOLS_HTTP1_HEAD_H

#include "protocols/http/http.h"

/* How the end of a body is found (RFC 9112 section 6.3). */
typedef enum Http1Framing {
    HTTP1_NO_BODY,
    HTTP1_LENGTH,
    HTTP1_CHUNKED,
    HTTP1_UNTIL_CLOSE, /* responses only */
} Http1Framing;

typedef struct Http1Head {
    HttpHead http;
    Http1Framing framing;
    bool keep_alive;       /* the sender lets the connection be reused */
    bool expects_continue; /* Expect: 100-continue */
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
    uint16_t status; /* of the response to a request; 0: no response */
    const char *detail;
} Http1Refusal;

/* Parses the head of a request at the front of `input`. `seen`: the size of `input` at the previous
   HTTP1_MORE, or 0. `size_out`: bytes of the head, with HTTP1_PARSED. With HTTP1_BAD `why_out` is
   set, and `head_out` has what was read before that; it is zeroed by the caller. */
Http1Parse http1_parse_request(Arena *arena, const HttpLimits *limits, Bytes input, size_t seen,
                               Http1Head *head_out, size_t *size_out, Http1Refusal *why_out);

/* The same for a response. `to_head_request`: the request was HEAD, so no body follows. */
Http1Parse http1_parse_response(Arena *arena, const HttpLimits *limits, Bytes input, size_t seen,
                                bool to_head_request, Http1Head *head_out, size_t *size_out,
                                Http1Refusal *why_out);

/* Parses a whole trailer section, with its empty line. Fields that are not allowed there are
   dropped. Never HTTP1_MORE. */
Http1Parse http1_parse_trailers(Arena *arena, const HttpLimits *limits, Bytes section,
                                Fields *fields_out, Http1Refusal *why_out);

#endif
