/*
 * HeadFields: the fields of a head, sorted once into those that frame the call and those that are
 * metadata.
 *
 * All fields are copied to the arena in one pass: a head has about twenty fields, and each dialect
 * would otherwise search it ten times. Valid as long as its arena.
 */
#ifndef PROTOCOLS_HEAD_FIELDS_H
#define PROTOCOLS_HEAD_FIELDS_H

#include "base/call.h"
#include "protocols/http/http.h"

/* What a field means to the dialects. */
typedef enum FieldRole {
    FIELD_METADATA, /* passed on to the other side */
    FIELD_HOP, /* hop-by-hop (RFC 9110 section 7.6.1), or derived from other parts of the head */
    FIELD_DROPPED, /* framing of a dialect: passed on only with a body that is passed on unread */
    FIELD_CORS,    /* "access-control-": metadata in requests, dropped from upstream responses */
    FIELD_TRAILER, /* "trailer-": a trailer in unary Connect responses, metadata elsewhere */
    FIELD_CONTENT_TYPE,
    FIELD_CONTENT_ENCODING,
    FIELD_ACCEPT,
    FIELD_ACCEPT_ENCODING,
    FIELD_GRPC_TIMEOUT,
    FIELD_GRPC_ENCODING,
    FIELD_GRPC_ACCEPT_ENCODING,
    FIELD_GRPC_STATUS,
    FIELD_GRPC_MESSAGE,
    FIELD_GRPC_DETAILS,
    FIELD_CONNECT_VERSION,
    FIELD_CONNECT_TIMEOUT,
    FIELD_CONNECT_ENCODING,
    FIELD_CONNECT_ACCEPT_ENCODING,
    FIELD_ROLE_COUNT,
} FieldRole;

/* `name` is in lower case. */
FieldRole field_role(Bytes name);

typedef struct HeadFields {
    Bytes values[FIELD_ROLE_COUNT]; /* of framing fields, joined by ", "; data NULL: absent */
    Fields all;                     /* as received */
    Fields metadata;
    Fields trailers; /* of unary Connect responses: without "trailer-" */
} HeadFields;

typedef enum HeadSide {
    HEAD_OF_REQUEST,
    HEAD_OF_ANSWER,
    HEAD_OF_CONNECT_ANSWER, /* unary Connect: the head carries the trailers */
    HEAD_OF_TRAILERS,       /* of a response: HTTP trailers, or those of an end frame */
    HEAD_OF_HTTP,           /* opaque: all but hop-by-hop fields are metadata */
} HeadSide;

/*
 * Copies and sorts `fields`. Values of "-bin" metadata are split at commas and normalized to
 * unpadded base64 of the standard alphabet (PROTOCOL-HTTP2.md, "Custom-Metadata"). Faults:
 * BAD_REQUEST when such a value in a request is not base64; OUT_OF_MEMORY. `head_out` then has the
 * fields that could be read. In a response an invalid value is passed on unchanged: the status of
 * the call matters more.
 */
MUST_USE Result head_fields_read(const Fields *fields, HeadSide side, Arena *arena,
                                 HeadFields *head_out);

#endif
