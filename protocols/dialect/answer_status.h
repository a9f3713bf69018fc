/*
 * The status of an upstream response that carries none in the dialect: derived from the HTTP
 * status, from a content-type of another protocol, or from the error body of a REST instance. For
 * this module and its tests only. Results live in the arena that is given.
 */
#ifndef PROTOCOLS_ANSWER_STATUS_H
#define PROTOCOLS_ANSWER_STATUS_H

#include "protocols/dialect/dialect.h"

/* The status for an HTTP status without a gRPC status, by http-grpc-status-mapping.md. */
Status answer_inferred_status(uint16_t http_status, Arena *arena);

/* The status for a content-type of another protocol, from something that does not speak the
   dialect: UNKNOWN, with an error chain. */
Status answer_foreign_status(Bytes content_type, Arena *arena);

/* The status for a grpc-status that is not a number: UNKNOWN, with an error chain that quotes it
   and the message. */
Status answer_malformed_status(Bytes said, Bytes message, Arena *arena);

/*
 * The status of a REST error. `body` may be a problem (RFC 9457), an AIP-193 error or an error of
 * grpc-gateway; a google.rpc.Code in it overrides the HTTP status. For any other body the HTTP
 * status decides, and it is *foreign_out, unless it has a message. Details are read by
 * `detail_json`; NULL: no details. Fault: OUT_OF_MEMORY.
 */
MUST_USE Result rest_status_read(uint16_t http_status, Bytes body, const DetailJson *detail_json,
                                 Arena *arena, Status *status_out, Bytes *foreign_out);

#endif
