/*
 * Timeouts as the dialects spell them: grpc-timeout (PROTOCOL-HTTP2.md: at most 8 digits and a
 * unit) and connect-timeout-ms (at most 10 digits). Nanoseconds here; NO_TIMEOUT where they
 * overflow.
 */
#ifndef PROTOCOLS_TIMEOUT_H
#define PROTOCOLS_TIMEOUT_H

#include "base/call.h"

/* False when malformed. */
bool timeout_read_grpc(Bytes text, int64_t *timeout_out);
bool timeout_read_connect(Bytes text, int64_t *timeout_out);

/* The text, in the arena, never a longer time than `timeout`; what is below one unit or past gives
   the smallest time that can be said. */
Bytes timeout_write_grpc(int64_t timeout, Arena *arena);
Bytes timeout_write_connect(int64_t timeout, Arena *arena);

#endif
