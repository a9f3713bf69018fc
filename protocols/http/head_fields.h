/*
 * HeadFields: a head's fields sorted once into those that frame the call and those that are
 * metadata.
 *
 * Everything is copied to the arena in one go, and each field is looked at once: a call's head has
 * twenty fields or so, and each dialect would otherwise search it ten times. Lives as long as its
 * arena.
 */
#ifndef PROTOCOLS_HEAD_FIELDS_H
#define PROTOCOLS_HEAD_FIELDS_H

#include "base/call.h"
#include "protocols/http/http.h"

/* The fields that have a meaning for some dialect. */
typedef enum FieldRole {
    FIELD_METADATA, /* goes on to the other side */
    FIELD_HOP, /* said to one neighbour only (RFC 9110 section 7.6.1), or said elsewhere in the head
                */
    FIELD_DROPPED, /* framing of some dialect: goes on only where the body goes on unread */
    FIELD_CORS, /* access-control-allow- and the like: metadata of a request, dropped from answers
                 */
    FIELD_TRAILER, /* Connect unary's "trailer-": metadata but in answers */
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

/* Of a name in lower case. */
FieldRole field_role(Bytes name);

typedef struct HeadFields {
    Bytes values[FIELD_ROLE_COUNT]; /* of the framing fields; several of one name are joined by ", "
                                     */
    Fields all;                     /* as they came */
    Fields metadata;
    Fields trailers; /* answers: what stood behind "trailer-" */
} HeadFields;

typedef enum HeadSide {
    HEAD_OF_REQUEST,
    HEAD_OF_ANSWER,
    HEAD_OF_CONNECT_ANSWER, /* unary: trailers stand in the head */
    HEAD_OF_TRAILERS,       /* of an answer, from wherever they came */
    HEAD_OF_HTTP,           /* opaque: all that is not hop-by-hop stays */
} HeadSide;

/*
 * Copies and sorts. Values of "-bin" metadata are split at commas and passed on as base64 of the
 * standard alphabet without padding (PROTOCOL-HTTP2.md, "Custom-Metadata"). Faults: BAD_REQUEST
 * when such a value of a request is no base64, OUT_OF_MEMORY; what could be read is filled in. Of
 * an answer such a value goes on as it stands: how the call ended is worth more than a complaint
 * about it.
 */
MUST_USE Result head_fields_read(const Fields *fields, HeadSide side, Arena *arena,
                                 HeadFields *head_out);

#endif
