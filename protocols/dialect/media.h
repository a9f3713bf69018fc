/* Media: the dialect and codec of a content-type. Letter case is ignored (RFC 9110 section 8.3.1).
   Plain functions, any thread. */
#ifndef PROTOCOLS_MEDIA_H
#define PROTOCOLS_MEDIA_H

#include "base/call.h"

typedef enum MediaKind {
    MEDIA_NONE, /* no content-type */
    MEDIA_OTHER,
    MEDIA_GRPC,           /* application/grpc, application/grpc+... */
    MEDIA_GRPC_WEB,       /* application/grpc-web... */
    MEDIA_GRPC_WEB_TEXT,  /* application/grpc-web-text... */
    MEDIA_CONNECT_STREAM, /* application/connect+... */
    MEDIA_PROTO,          /* application/proto: Connect unary */
    MEDIA_JSON,           /* application/json: Connect unary or REST */
    MEDIA_JSON_LIKE,      /* application/vnd.shop.v2+json and the like: REST */
} MediaKind;

typedef struct Media {
    MediaKind kind;
    bool has_codec; /* false: an unsupported codec, or a charset other than UTF-8 */
    Codec codec;
} Media;

Media media_read(Bytes content_type);

/* The content-type of messages in a dialect; a literal. */
Bytes media_write(Dialect dialect, Codec codec);

#endif
