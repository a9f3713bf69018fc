/*
 * Connect (connectrpc.com/docs/protocol): how calls end, and how instances are asked. For
 * protocols/ only; dialect.h offers it to others.
 *
 *   unary:   head with the real HTTP status | the message, or an error as JSON; trailers are fields
 * of the head behind "trailer-" stream:  head 200 | frames ... | a frame with flag 0x02: {"error":
 * ..., "metadata": ...}
 */
#ifndef PROTOCOLS_CONNECT_H
#define PROTOCOLS_CONNECT_H

#include "protocols/dialect/reply_parts.h"
#include "protocols/http/head_fields.h"

MUST_USE Result connect_reply_end(const Reply *reply, ReplyEnd *end_out);

/* The fields of a request's head, without metadata, and for a GET its path with the query. */
void connect_request_fields(const RequestTarget *target, Arena *arena, HttpHead *head);

MUST_USE Result connect_answer_read(const HeadFields *fields, const RequestTarget *target,
                                    Arena *arena, Answer *answer);
MUST_USE Result connect_answer_end(Answer *answer, Bytes end, Arena *arena);

#endif
