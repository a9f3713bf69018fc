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
    Bytes message;        /* as the client may see it */
    ErrorDetails details; /* the status' own, or made for an error of ours; of errors only */
} Reply;

/* A head with this status and metadata, nothing else; room for a few fields more. */
void reply_head_begin(uint16_t http_status, const Fields *metadata, Arena *arena,
                      HttpHead *head_out);

/* Adds with "trailer-" before each name. */
void reply_add_prefixed(const Fields *trailers, Arena *arena, Fields *to);

/* Whether the error is ours and of this kind. */
bool reply_is_fault(const Reply *reply, const Fault *fault);

/* Adds the fields that an error's head has; nothing to a good answer's. Those that say what would
   have been understood: for UNSUPPORTED_ENCODING under `accept_name`, for METHOD_NOT_ALLOWED
   (unless the metadata has it) and UNSUPPORTED_MEDIA. And that the type of the body is what the
   head says. */
void reply_add_error_fields(const Reply *reply, const char *accept_name, Fields *to);

#endif
