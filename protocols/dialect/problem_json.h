/*
 * Errors of REST: application/problem+json (RFC 9457), and in a stream that has begun an object
 * {"error": problem} as its last line or event. For protocols/ only.
 */
#ifndef PROTOCOLS_PROBLEM_JSON_H
#define PROTOCOLS_PROBLEM_JSON_H

#include "protocols/dialect/reply_parts.h"

MUST_USE Result problem_json_reply_end(const Reply *reply, ReplyEnd *end_out);

#endif
