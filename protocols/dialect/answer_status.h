/*
 * The status of an upstream response where the dialect itself carries none: by the HTTP status, by
 * a content-type that is not the dialect's, or by the error body of a REST instance. For this
 * module and its tests only. Results live in the arena that is given.
 */
#ifndef PROTOCOLS_ANSWER_STATUS_H
#define PROTOCOLS_ANSWER_STATUS_H

#include "protocols/dialect/dialect.h"

/* By http-grpc-status-mapping.md. */
Status answer_inferred_status(uint16_t http_status, Arena *arena);

/* An upstream response of another content-type, from something that does not speak the dialect:
   UNKNOWN. */
Status answer_foreign_status(Bytes content_type, Arena *arena);

/*
 * What a REST instance's error means: its body as a problem (RFC 9457), an AIP-193 error or
 * grpc-gateway's object, where it says more than the HTTP status: a google.rpc.Code that is named
 * there wins. A body of any other kind leaves the HTTP status to speak. Details are read by
 * `detail_json`; without it they are left out. Fault: OUT_OF_MEMORY.
 */
MUST_USE Result rest_status_read(uint16_t http_status, Bytes body, const DetailJson *detail_json,
                                 Arena *arena, Status *status_out);

#endif
