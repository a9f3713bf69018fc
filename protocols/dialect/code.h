/*
 * Codes: google.rpc.Code, HTTP status and the names of Connect, by the tables of the standards.
 * Plain functions, any thread.
 */
#ifndef PROTOCOLS_CODE_H
#define PROTOCOLS_CODE_H

#include "base/call.h"

/* By the table of Connect, which is also the usual one of gRPC: DEADLINE_EXCEEDED 504, CANCELLED
   499 ... */
uint16_t http_of_code(Code code);

/* The code for an HTTP status without grpc-status or Connect error (http-grpc-status-mapping.md).
   Not the inverse of the table above. */
Code code_inferred_from_http(uint16_t http_status);

/* The code for an HTTP status of a REST instance (404 NOT_FOUND, 409 ABORTED ...), and the HTTP
   status of a REST response. Not the mapping of gRPC clients above. */
Code rest_code_of_http(uint16_t http_status);
uint16_t rest_http_of_code(Code code);

/* "deadline_exceeded". A literal. The reverse never gives CODE_OK; false: unknown name. */
const char *code_connect_name(Code code);
bool code_by_connect_name(Bytes name, Code *code_out);

/* From "INVALID_ARGUMENT". False: unknown name. */
bool code_by_name(Bytes name, Code *code_out);

/* Whether the client may send the same call again: for an error of our own by its fault, for an
   error of a service if the code is UNAVAILABLE (AIP-194); and only if the call had no effect, and
   the service has not asked for no retry. */
bool status_is_retryable(const Status *status);

/* The value of grpc-status: a literal "0" to "16". */
const char *code_digits(Code code);

/* Reads grpc-status. Anything else than 0 to 16 is UNKNOWN, as everywhere in gRPC. A number from 17
   to INT32_MAX (google.rpc.Status.code is an int32) is a code that the service defines:
   *service_code_out, which is 0 otherwise. False: it is not a number up to INT32_MAX. */
bool code_read_digits(Bytes text, Code *code_out, uint32_t *service_code_out);

#endif
