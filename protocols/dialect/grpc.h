/*
 * gRPC over HTTP/2 (grpc/doc/PROTOCOL-HTTP2.md) and gRPC-Web (PROTOCOL-WEB.md): how calls end, and
 * how instances are asked. For protocols/ only; dialect.h offers it to others.
 *
 *   gRPC:      head 200 | frames ... | HTTP trailers with grpc-status
 *              head 200 with grpc-status, and nothing else ("Trailers-Only")
 *   gRPC-Web:  head 200 | frames ... | a frame with flag 0x80 and the trailers as text
 */
#ifndef PROTOCOLS_GRPC_H
#define PROTOCOLS_GRPC_H

#include "protocols/dialect/reply_parts.h"
#include "protocols/http/head_fields.h"

MUST_USE Result grpc_reply_end(const Reply *reply, ReplyEnd *end_out);

/* The fields of a request's head for GRPC and GRPC_WEB, without metadata. */
void grpc_request_fields(const RequestTarget *target, Arena *arena, Fields *to);

MUST_USE Result grpc_answer_read(const HeadFields *fields, const RequestTarget *target,
                                 Arena *arena, Answer *answer);
MUST_USE Result grpc_answer_end(Answer *answer, const Fields *http_trailers, Bytes end_frame,
                                Arena *arena);

#endif
