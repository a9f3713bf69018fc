/*
 * The status of an upstream response that the dialect itself does not carry: what the error body of
 * a REST instance says. For protocols/ only. Results live in the arena that is given.
 */
#ifndef PROTOCOLS_ANSWER_STATUS_H
#define PROTOCOLS_ANSWER_STATUS_H

#include "protocols/dialect/dialect.h"

/*
 * What a REST instance's error means: its body as a problem (RFC 9457), an AIP-193 error or
 * grpc-gateway's object, where it says more than the HTTP status: a google.rpc.Code that is named
 * there wins. A body of any other kind leaves the HTTP status to speak. Details are read by
 * `detail_json`; without it they are left out. Fault: OUT_OF_MEMORY.
 */
MUST_USE Result rest_status_read(uint16_t http_status, Bytes body, const DetailJson *detail_json,
                                 Arena *arena, Status *status_out);

#endif
