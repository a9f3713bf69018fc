/*
 * Settling: a message is put there and back, to other versions and into its own again, until
 * nothing of it changes any more.
 *
 *      v1 ---> v3 ---> v1 ---> v3 ---> v1      the same as before: it is settled
 *
 * What is left is what all these versions can say. Two messages that only differ in what is lost on
 * the way become the same; equal ones stay equal. Once is not enough: a list that gives an unset
 * field a default, say, makes something of nothing on the first way that the second one loses.
 *
 * Pure, on any thread; all that is made is in the arena.
 */
#ifndef ADAPTERS_SETTLE_H
#define ADAPTERS_SETTLE_H

#include "adapters/program/plan.h"

/* Protobuf to protobuf. NULL: the message stays as it is. */
typedef struct ThereAndBack {
    const Plan *there, *back;
} ThereAndBack;

enum { SETTLE_ROUNDS = 6 };

/* *settled_out: false if it still changes after so many rounds. Faults as of plan_run. */
MUST_USE Result settle_message(const ThereAndBack *ways, uint32_t n, Arena *arena, Bytes *message,
                               bool *settled_out);

#endif
