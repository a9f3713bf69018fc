/*
 * Error details: the details of a google.rpc.Status (AIP-193).
 *
 * A detail is a google.protobuf.Any, kept as bytes, so that details of unknown types are preserved.
 * Results live in the arena that is given.
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

enum { ERROR_DETAILS_MOST = 64 }; /* read from an error in JSON; more are dropped */

/* An empty list with room for `capacity`; with no room when out of memory. */
ErrorDetails error_details_in(Arena *arena, size_t capacity);

/* Appends one. False, and nothing appended, when there is no room. */
bool error_details_add(ErrorDetails *details, ErrorDetail detail);

/* The details of a service's error: those in status->details, and one ErrorInfo if the dialect
   could not carry the status otherwise: for a service_code (reason SERVICE_STATUS_CODE, metadata
   status_code), or with `rpc` for the HTTP status of a REST instance (reason HTTP_STATUS, metadata
   http_status), or that UNAVAILABLE must not be retried (reason UPSTREAM_STATUS, metadata
   retryable: false) unless the error has an ErrorInfo already (AIP-193: an error has one).
   `leg` (empty: none) is the leg of a composed call whose error it is: with `rpc` it is metadata of
   the same name, in the ErrorInfo of the service if there is one. Fault: OUT_OF_MEMORY. */
MUST_USE Result error_details_of(const Status *status, bool rpc, Bytes leg, Arena *arena,
                                 ErrorDetails *details_out);

/* The details in a serialized google.rpc.Status; none when it is empty or malformed. Not a fault:
   code and message of the error arrive separately and matter more. */
ErrorDetails error_details_read(Bytes status, Arena *arena);

/* Reads a serialized google.protobuf.Any. False when it is malformed or out of memory. */
bool error_detail_read(Bytes any, Arena *arena, ErrorDetail *detail_out);

/* Serializes a google.rpc.Status. Fault: OUT_OF_MEMORY. */
MUST_USE Result error_details_write(Code code, Bytes message, ErrorDetails details, Arena *arena,
                                    Bytes *status_out);

/*
 * The details of an error of our own (status->error): an ErrorInfo; a BadRequest when the chain
 * names a field and the caller is responsible; a QuotaFailure of a rate limit, with its name and
 * rate; a RetryInfo when `retry_after` is a number of
 * seconds (it may be empty or a date); a RequestInfo; a Help if the config has a link; for a full
 * error also the instance in ErrorInfo, and a DebugInfo with the chain. Fault: OUT_OF_MEMORY.
 */
MUST_USE Result error_details_make(const Status *status, const ReplyOptions *options,
                                   Bytes retry_after, Arena *arena, ErrorDetails *details_out);

/* The message of an error of our own, in one sentence, at most 1024 bytes. `full`: the text of the
   fault and the whole chain down to its origin. Else: the text of the fault and what the chain has
   for the client (Error.told), without addresses, causes or files. */
Bytes error_message(const Error *error, bool full, Arena *arena);

/* The link about errors of this kind, in the arena; empty if the options have none. */
Bytes error_help(const Fault *fault, const ReplyOptions *options, Arena *arena);

/* The reason of the ErrorInfo among the details; data NULL: there is none. */
Bytes error_details_reason(ErrorDetails details, Arena *arena);

/* Appends one detail as JSON with "@type"; its value as base64 when `by` is NULL or cannot write
   it. */
void error_detail_to_json(const ErrorDetail *detail, const DetailJson *by, Arena *arena,
                          Buffer *out);

#endif
