/*
 * Error details: what google.rpc.Status carries beside code and message (AIP-193).
 *
 * A detail is a google.protobuf.Any: it stays bytes, so that one of a type that we do not know goes
 * through unharmed. Everything lives in the arena that is given.
 */
#ifndef PROTOCOLS_ERROR_DETAILS_H
#define PROTOCOLS_ERROR_DETAILS_H

#include "protocols/dialect/dialect.h"

typedef struct ErrorDetail {
    Bytes type_url; /* "type.googleapis.com/google.rpc.ErrorInfo" */
    Bytes value;
} ErrorDetail;

typedef struct ErrorDetails {
    ErrorDetail *items;
    size_t n, capacity;
} ErrorDetails;

enum { ERROR_DETAILS_MOST = 64 }; /* taken from an error that is JSON; the others are left out */

/* No details yet, and room for `capacity`; for none when the arena is at its limit. */
ErrorDetails error_details_in(Arena *arena, size_t capacity);

/* Adds one. False when there is no room, and nothing is added. */
bool error_details_add(ErrorDetails *details, ErrorDetail detail);

/* The details in a serialized google.rpc.Status. Nothing when it cannot be read: code and message
   of an error have come by another way and are worth more than a complaint about its details. */
ErrorDetails error_details_read(Bytes status, Arena *arena);

/* Reads a serialized google.protobuf.Any. False when it is malformed or the arena is at its limit.
 */
bool error_detail_read(Bytes any, Arena *arena, ErrorDetail *detail_out);

/* A serialized google.rpc.Status. Fault: OUT_OF_MEMORY. */
MUST_USE Result error_details_write(Code code, Bytes message, ErrorDetails details, Arena *arena,
                                    Bytes *status_out);

/*
 * The details of an error of our own: one ErrorInfo; a BadRequest where the chain names a field; a
 * RetryInfo when `retry_after` (whole seconds, as text) is known; of a full error the instance, and
 * a DebugInfo with the chain. Fault: OUT_OF_MEMORY.
 */
MUST_USE Result error_details_make(const Error *error, const ReplyOptions *options,
                                   Bytes retry_after, Arena *arena, ErrorDetails *details_out);

/* What the caller is told of an error of our own, in one sentence. In full: the kind of fault and
   what was being attempted, down to the origin. Else the kind, and what the chain has for the
   caller (Error.told): nothing of addresses, causes or files. */
Bytes error_message(const Error *error, bool full, Arena *arena);

/* The reason in the ErrorInfo among the details, or nothing. */
Bytes error_details_reason(ErrorDetails details, Arena *arena);

/* One detail as JSON with "@type"; its value as base64 where `by` is NULL or cannot write it. */
void error_detail_to_json(const ErrorDetail *detail, const DetailJson *by, Arena *arena,
                          Buffer *out);

#endif
