/*
 * Reply: an answer's end on its way into one of the dialects' spellings. For protocols/ only; what
 * is offered to others is in dialect.h.
 */
#ifndef PROTOCOLS_REPLY_H
#define PROTOCOLS_REPLY_H

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
