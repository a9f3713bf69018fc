/*
 * Connect (connectrpc.com/docs/protocol): ends of client responses, heads of requests to instances,
 * heads and ends of upstream responses. For this module only; other modules use dialect.h.
 *   unary:   head with the status of the call and "trailer-" fields | message or error JSON
 *   stream:  head 200 | frames ... | a frame with flag 0x02: {"error": ..., "metadata": ...}
 */
#ifndef PROTOCOLS_CONNECT_H
#define PROTOCOLS_CONNECT_H

#include "protocols/dialect/reply_parts.h"
#include "protocols/http/head_fields.h"

/* Writes the end of a client response. Fault: OUT_OF_MEMORY. */
MUST_USE Result connect_reply_end(const Reply *reply, ReplyEnd *end_out);

/* Appends the fields of a request, without metadata; for a GET sets method and path with query. */
void connect_request_fields(const RequestTarget *target, Arena *arena, HttpHead *head);

/* The parts of answer_read and answer_end for CONNECT and CONNECT_STREAM. `end`: the error body
   (unary), or the payload of the end frame; data NULL: there was none. */
MUST_USE Result connect_answer_read(const HeadFields *fields, const RequestTarget *target,
                                    Arena *arena, Answer *answer);
MUST_USE Result connect_answer_end(Answer *answer, Bytes end, Arena *arena);

#endif
