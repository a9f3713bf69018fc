/*
 * REST errors: application/problem+json (RFC 9457), or as Google's APIs write them
 * (AIP-193); in a stream that has begun, an object {"error": ...} as the last line or event.
 * For this module only.
 */
#ifndef PROTOCOLS_PROBLEM_JSON_H
#define PROTOCOLS_PROBLEM_JSON_H

#include "protocols/dialect/reply_parts.h"

/* Writes the end of a client response in REST or HTTP, successful or not. Fault: OUT_OF_MEMORY. */
MUST_USE Result problem_json_reply_end(const Reply *reply, ReplyEnd *end_out);

#endif
