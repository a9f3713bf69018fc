/*
 * Codes: google.rpc.Code beside HTTP's status and Connect's names. The tables of the standards.
 */
#ifndef PROTOCOLS_CODE_H
#define PROTOCOLS_CODE_H

#include "base/call.h"

/* Connect's table, which is also gRPC's usual one: DEADLINE_EXCEEDED 504, CANCELLED 499 ... */
uint16_t http_of_code(Code code);

/* What an HTTP status means where grpc-status or Connect's error is absent
   (http-grpc-status-mapping.md). Only for that: it does not invert the table above. */
Code code_inferred_from_http(uint16_t http_status);

/* The Code that a known REST instance means by an HTTP status (404 NOT_FOUND, 409 ABORTED ...), and
   back. Not the table by which gRPC's clients infer one. */
Code rest_code_of_http(uint16_t http_status);
uint16_t rest_http_of_code(Code code);

/* Connect's "deadline_exceeded". */
const char *code_connect_name(Code code);
bool code_by_connect_name(Bytes name, Code *code_out);

/* "INVALID_ARGUMENT". */
bool code_by_name(Bytes name, Code *code_out);

/* grpc-status: a literal "0" to "16". */
const char *code_digits(Code code);

/* Reads grpc-status. What is no number of the table means UNKNOWN, as everywhere in gRPC. */
Code code_of_digits(Bytes text);

/* RFC 9110 section 15's phrase, "" when it has none. */
const char *http_phrase(uint16_t http_status);

#endif
