/*
 * LoopTurn: what is measured of a turn of a loop.
 */
#ifndef GATEWAY_LOOP_TURN_H
#define GATEWAY_LOOP_TURN_H

#include <stdint.h>

/* It slept, then it worked. In nanoseconds. */
typedef struct LoopTurn {
    int64_t ended; /* by the clock */
    int64_t slept, busy;
    int64_t stood;  /* of `busy`: the processor did something else */
    int64_t waited; /* one has input that was not read, for so long at most; 0: nobody */
} LoopTurn;

#endif
