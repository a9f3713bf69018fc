/*
 * Call: a client's request in any dialect. Status: the result of a call.
 *
 * The layers share these types: protocols fill in a Call from a request's head and write a Status;
 * adapters use only the codec and the bytes of a message; the gateway connects both. A Call lives
 * in its call's arena and belongs to one loop.
 */
#ifndef BASE_CALL_H
#define BASE_CALL_H

#include "base/fields.h"
#include "base/result.h"

/* How a peer frames calls. The order is that of the names in call.c. */
typedef enum Dialect {
    DIALECT_GRPC,           /* gRPC over HTTP/2 */
    DIALECT_GRPC_WEB,       /* gRPC-Web, binary */
    DIALECT_GRPC_WEB_TEXT,  /* gRPC-Web, base64 */
    DIALECT_CONNECT,        /* Connect unary, POST or GET */
    DIALECT_CONNECT_STREAM, /* Connect streaming */
    DIALECT_REST,           /* google.api.http */
    DIALECT_HTTP,           /* opaque: no schema, bytes through */
} Dialect;

/* How a message is written as bytes. */
typedef enum Codec {
    CODEC_PROTO, /* protobuf wire format */
    CODEC_JSON,  /* proto3 canonical JSON */
    CODEC_COUNT,
} Codec;

/* Compression of a message or body; a bit each, so that sets are an OR of them. */
typedef enum Compression {
    COMPRESSION_IDENTITY = 0,
    COMPRESSION_GZIP = 1,
    COMPRESSION_BR = 2,
    COMPRESSION_ZSTD = 4,
    COMPRESSION_DEFLATE = 8,
} Compression;

#define NO_TIMEOUT INT64_MAX /* nanoseconds */

typedef struct Call {
    Dialect dialect;
    Codec codec;             /* of the request's messages */
    Codec reply_codec;       /* of the response's; differs only if the dialect can express that */
    Compression compression; /* of the request's messages that are flagged as compressed */
    uint32_t accepts;        /* set of Compression that the response may use */
    Compression favourite; /* the one with the client's largest weight; IDENTITY: it prefers none */
    int64_t timeout;       /* the client's timeout in nanoseconds, or NO_TIMEOUT */
    Bytes verb;            /* HTTP method */
    Bytes path;            /* without the query, not decoded: "/shop.orders.v2.Orders/Get" */
    Bytes query;           /* without "?", not decoded */
    Bytes authority;
    uint8_t
        usual_stream; /* REST: the RestStream for clients whose Accept does not decide; 0: lines */
    bool no_identity; /* it refuses uncompressed responses (Accept-Encoding: identity;q=0) */
    bool is_get;      /* Connect GET: `get_message` is the whole request */
    bool foreign_media;    /* REST, Connect's POST: the media type of the body is not one of the
                              dialect, or is missing */
    bool enums_as_numbers; /* in a response of JSON, whatever its route says */
    Bytes get_message;
    Fields metadata;    /* fields that are sent on: no framing fields, no hop-by-hop ones */
    const Fields *head; /* all fields as received */
} Call;

/* google.rpc.Code. */
typedef enum Code {
    CODE_OK = 0,
    CODE_CANCELLED,
    CODE_UNKNOWN,
    CODE_INVALID_ARGUMENT,
    CODE_DEADLINE_EXCEEDED,
    CODE_NOT_FOUND,
    CODE_ALREADY_EXISTS,
    CODE_PERMISSION_DENIED,
    CODE_RESOURCE_EXHAUSTED,
    CODE_FAILED_PRECONDITION,
    CODE_ABORTED,
    CODE_OUT_OF_RANGE,
    CODE_UNIMPLEMENTED,
    CODE_INTERNAL,
    CODE_UNAVAILABLE,
    CODE_DATA_LOSS,
    CODE_UNAUTHENTICATED,
    CODE_COUNT,
} Code;

typedef struct Status {
    Code code;
    uint32_t service_code; /* a grpc-status that the service defined itself (17 and above); `code`
                              is UNKNOWN then. 0: there is none */
    uint16_t http_status;  /* for REST clients, and for Connect clients with a service_code; 0: by
                              the table of the dialect */
    bool of_rest; /* http_status comes from a REST instance: clients that get `code` instead find it
                     in the details */
    bool may_have_effect; /* the service may have executed the call, and must not do so twice: no
                             retry */
    bool said;            /* `error` is the gateway's, but `message` is another's, for the client */
    bool told_off;        /* the service asked for no other attempt: no retry */
    Bytes message;        /* UTF-8, not escaped */
    Bytes details; /* a serialized google.rpc.Status with the details in it, or empty; passed on
                      unchanged, so that details of unknown types are kept */
    const Error *error; /* the gateway's chain of causes; NULL: the service returned this status */
} Status;

const char *dialect_name(Dialect dialect); /* "grpc", "grpc-web", ... */
const char *codec_name(Codec codec);       /* "proto", "json" */
const char *code_name(Code code);          /* "INVALID_ARGUMENT" */

/* Whether a service returns this code for a mistake of its client, or when the client has left: the
   service itself has no failure. */
bool code_is_callers(Code code);

#endif
