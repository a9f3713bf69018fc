/*
 * OperationRequest: what a call of google.longrunning.Operations asks for, in whatever form: in
 * protobuf, as JSON, or by REST path and query. Pure.
 */
#ifndef GATEWAY_OPERATION_REQUEST_H
#define GATEWAY_OPERATION_REQUEST_H

#include "gateway/builtin/builtin.h"
#include "gateway/job_store/job_storage.h"

enum { OPERATION_PAGE = 100 /* operations of a page, at most and by default */ };

typedef struct OperationRequest {
    Bytes name; /* "operations/ID"; of a list: "operations", or empty */
    Bytes id;   /* of the name; empty: it is no job's */
    Bytes filter, page_token;
    uint32_t page_size;
    int64_t timeout; /* nanoseconds, of WaitOperation; NO_TIMEOUT: it says none */
} OperationRequest;

/* All of it borrows from the call, or is in the arena. Faults: BAD_MESSAGE, BAD_JSON,
   UNKNOWN_FIELD, BAD_VALUE, BAD_REQUEST, OUT_OF_MEMORY. */
MUST_USE Result operation_request_read(const Call *call, const Builtin *builtin, Bytes message,
                                       Arena *arena, OperationRequest *request_out);

/* The page that a list asks for, but for its client. A filter is `done = true`, `done = false`,
   `state = running` (each with "=", ":" or "!="), or several of these with AND. Fault: BAD_VALUE.
 */
MUST_USE Result operation_request_filter(const OperationRequest *request, Arena *arena,
                                         JobFilter *filter_out);

#endif
