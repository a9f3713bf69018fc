/*
 * RequestRing: the records of the newest calls, in a fixed number of bytes; a new one takes the
 * room of the oldest ones.
 *
 * Belongs to one loop. Size 0: nothing is kept.
 */
#ifndef GATEWAY_REQUEST_RING_H
#define GATEWAY_REQUEST_RING_H

#include "base/bytes.h"

typedef struct RequestRing {
    uint8_t *bytes;
    size_t size;
    size_t begin, end; /* where the oldest record is, and where the next one goes */
    uint32_t n;
} RequestRing;

void request_ring_init(RequestRing *ring, size_t size);
void request_ring_free(RequestRing *ring);

/* Keeps the record of a call, a JSON object, which is copied. One that needs more than a quarter of
   the ring is left out: it would cost too many others. `at` is the wall time of its end. */
void request_ring_add(RequestRing *ring, int64_t at, Bytes record);

/* The newest record whose member "request_id" is this, and that is not from before `since`; valid
   until the next one is added. BYTES_NONE: there is none. */
Bytes request_ring_find(const RequestRing *ring, Bytes request_id, int64_t since);

/* Calls `see` for each record that is not from before `since`, the oldest first; the record is
   valid until the next one is added. */
void request_ring_each(const RequestRing *ring, int64_t since,
                       void (*see)(void *owner, int64_t at, Bytes record), void *owner);

#endif
