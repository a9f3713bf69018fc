/*
 * Timeouts in requests: grpc-timeout (PROTOCOL-HTTP2.md: at most 8 digits and a unit) and
 * connect-timeout-ms (at most 10 digits). In nanoseconds; NO_TIMEOUT on overflow. Plain functions,
 * any thread.
 */
#ifndef PROTOCOLS_TIMEOUT_H
#define PROTOCOLS_TIMEOUT_H

#include "base/call.h"

/* False when malformed. */
bool timeout_read_grpc(Bytes text, int64_t *timeout_out);
bool timeout_read_connect(Bytes text, int64_t *timeout_out);

/* The text, in the arena, rounded down. Less than one unit, zero or a negative timeout gives the
   smallest value that can be written. */
Bytes timeout_write_grpc(int64_t timeout, Arena *arena);
Bytes timeout_write_connect(int64_t timeout, Arena *arena);

#endif
