/*
 * Reply: the end of a client response while a dialect writes it, and the parts of a head that all
 * dialects write alike. reply.c fills a Reply in; grpc.c, connect.c and problem_json.c write it.
 * For this module only; other modules use dialect.h. A Reply lives during one reply_write_end.
 */
#ifndef PROTOCOLS_REPLY_PARTS_H
#define PROTOCOLS_REPLY_PARTS_H

#include "protocols/dialect/dialect.h"
#include "protocols/dialect/error_details.h"

typedef struct Reply {
    const Call *call;
    const Status *status;
    const Fields *metadata, *trailers; /* never NULL */
    const ReplyOptions *options;       /* never NULL */
    bool head_sent;
    Arena *arena;
    Bytes message;        /* of an error: what the client may see */
    ErrorDetails details; /* of an error: those of the service, or made for an error of our own */
} Reply;

/* A head with this status and metadata, and room for a few more fields. Out of memory: the fields
   are full. */
void reply_head_begin(uint16_t http_status, const Fields *metadata, Arena *arena,
                      HttpHead *head_out);

/* Appends the content-type of a successful response, and cache-control for an event stream. */
void reply_add_content_type(const Call *call, const Fields *metadata, bool is_stream, Fields *to);

/* Appends {"name": ["value", "value"], ...}, with all values of a name in one array. */
void reply_add_metadata_json(const Fields *fields, Buffer *out);

/* Appends the details of an error as a JSON list. */
void reply_add_details_json(const Reply *reply, Buffer *out);

/* Appends the trailers with "trailer-" before each name. */
void reply_add_prefixed(const Fields *trailers, Arena *arena, Fields *to);

/* Whether this is an error of our own with this fault. */
bool reply_is_fault(const Reply *reply, const Fault *fault);

/* Appends the head fields of an error; nothing when the call succeeded. For UNSUPPORTED_ENCODING
   the supported compressions in the field `accept_name`; for METHOD_NOT_ALLOWED "allow", unless the
   metadata has it; for UNSUPPORTED_MEDIA "accept-post"; and x-content-type-options: nosniff if
   there is a body. */
void reply_add_error_fields(const Reply *reply, const char *accept_name, Fields *to);

#endif
