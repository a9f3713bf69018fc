/*
 * Ring: consistent hashing. A key belongs to the member that has the next point on a ring; when a
 * member joins or leaves, only the keys of its own points move.
 *
 *      0 ---- B ---- A ---- C - key - A ---- B ---- 2^32      the key is A's; then comes B
 *
 * A member has RING_POINTS points, in proportion to its weight. They depend on its name only, so
 * that all loops and all gateways agree. The points are in buckets of one on average: finding the
 * place of a key takes constant time. Immutable after ring_new; any thread.
 */
#ifndef GATEWAY_RING_H
#define GATEWAY_RING_H

#include "base/bytes.h"

enum { RING_POINTS = 40 /* the shares of members differ by a sixth */ };

typedef struct RingMember {
    uint64_t name; /* hash of its name */
    uint32_t member;
    uint32_t weight;
} RingMember;

typedef struct RingPoint {
    uint32_t place, member;
} RingPoint;

typedef struct Ring {
    uint32_t n;       /* points */
    uint32_t shift;   /* of a place, to its bucket */
    uint32_t *firsts; /* by bucket, and one more: the first point at its places or behind */
    RingPoint *points;
} Ring;

/* The hash of what calls have in common. */
static inline uint32_t ring_key(Bytes value)
{
    return (uint32_t)(bytes_hash(value) >> 32);
}

/* NULL: there are no members. */
Ring *ring_new(const RingMember *members, uint32_t n);
void ring_free(Ring *ring); /* NULL is allowed */

/* The number of the point that a key of this hash belongs to. Those behind it follow, round the
   ring: (i + 1) % n. */
uint32_t ring_find(const Ring *ring, uint32_t key);

#endif
