/*
 * Request ids: 128 random bits as 32 hex digits, and shorter ids for tracing.
 *
 * One generator per loop, each seeded by the system, so that ids are unique across loops and
 * gateways.
 */
#ifndef GATEWAY_REQUEST_ID_H
#define GATEWAY_REQUEST_ID_H

#include "base/random.h"

#include <stddef.h>

enum { REQUEST_ID_SIZE = 32 };

/* Writes `digits` lower-case hex digits (a multiple of 16), never all zero; no NUL. */
void random_hex(Random *random, char *out, size_t digits);

/* A new id; no NUL. */
static inline void request_id_write(Random *random, char out[REQUEST_ID_SIZE])
{
    random_hex(random, out, REQUEST_ID_SIZE);
}

#endif
