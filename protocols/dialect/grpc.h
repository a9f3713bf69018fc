/*
 * gRPC over HTTP/2 (grpc/doc/PROTOCOL-HTTP2.md) and gRPC-Web (PROTOCOL-WEB.md): ends of client
 * responses, heads of requests to instances, heads and ends of upstream responses. For this module
 * only; other modules use dialect.h.
 *
 *   gRPC:      head 200 | frames ... | HTTP trailers with grpc-status
 *              head 200 with grpc-status, and nothing else ("Trailers-Only")
 *   gRPC-Web:  head 200 | frames ... | a frame with flag 0x80, the trailers as text
 */
#ifndef PROTOCOLS_GRPC_H
#define PROTOCOLS_GRPC_H

#include "protocols/dialect/reply_parts.h"
#include "protocols/http/head_fields.h"

/* Writes the end of a client response. Fault: OUT_OF_MEMORY. */
MUST_USE Result grpc_reply_end(const Reply *reply, ReplyEnd *end_out);

/* Appends the fields of a request in GRPC or GRPC_WEB, without metadata. */
void grpc_request_fields(const RequestTarget *target, Arena *arena, Fields *to);

/* The parts of answer_read and answer_end for GRPC and GRPC_WEB. `http_trailers` may be NULL;
   `end_frame` has data NULL when there was none. */
MUST_USE Result grpc_answer_read(const HeadFields *fields, const RequestTarget *target,
                                 Arena *arena, Answer *answer);
MUST_USE Result grpc_answer_end(Answer *answer, const Fields *http_trailers, Bytes end_frame,
                                Arena *arena);

#endif
