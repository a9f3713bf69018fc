/*
 * Draw: chooses one of n by weight, in constant time: Walker's alias table.
 *
 * A point between 0 and 2^64 falls into one of n equal slots; each slot belongs to its own number
 * up to a cut, and to another number beyond it:
 *
 *      weights 1, 2, 3    slot 0 [ 0 0 0 | 2 2 2 ]  slot 1 [ 1 1 1 1 1 1 ]  slot 2 [ 2 2 2 2 2 2 ]
 *
 * Points in the steps of DRAW_STEP fall everywhere evenly, so that n draws in a row are in
 * proportion, as turns are. Immutable after draw_new; any thread.
 */
#ifndef GATEWAY_DRAW_H
#define GATEWAY_DRAW_H

#include <stdint.h>

#define DRAW_STEP UINT64_C(0x9e3779b97f4a7c15) /* 2^64 by the golden ratio */

typedef struct DrawSlot {
    uint32_t cut;   /* of 2^32: where the other begins */
    uint32_t other; /* the number of the slot itself: it has no other */
} DrawSlot;

typedef struct Draw {
    uint32_t n;
    DrawSlot slots[];
} Draw;

/* `weights` of 1 and more; n is not 0. Never NULL; for draw_free. */
Draw *draw_new(const uint32_t *weights, uint32_t n);
void draw_free(Draw *draw); /* NULL is allowed */

/* The number, from 0 to n - 1, that the point falls on. */
static inline uint32_t draw_at(const Draw *draw, uint64_t point)
{
    uint64_t slot = (point >> 32) * draw->n;
    const DrawSlot *at = &draw->slots[slot >> 32];
    return (uint32_t)slot < at->cut ? (uint32_t)(slot >> 32) : at->other;
}

#endif
