/*
 * LoopLag: how long the turns of a loop take, for the last minute: whatever arrives meanwhile waits
 * so long.
 *
 *      tenths of a second   |  .  |  #  |  #  |     |  .  |  ->  quantiles over 600 of them
 *      longest turn in ms      0.2   7.5   3.1    0    0.1
 *
 * Each tenth counts with its longest turn. Turns that are not measured are short (loop.h), and of
 * each tenth one is in any case, so that a loop does not wake up for this. Its loop writes, any
 * thread reads: both may meet in a tenth, which then is the one or the other.
 */
#ifndef GATEWAY_LOOP_LAG_H
#define GATEWAY_LOOP_LAG_H

#include "base/bytes.h"
#include "gateway/loop/loop_turn.h"

#include <stdatomic.h>

enum { LAG_TENTHS = 600, LAG_LONGEST = 5 };

typedef struct LoopLag {
    _Atomic int64_t tenths[LAG_TENTHS]; /* which one it is, since the clock began */
    _Atomic uint64_t turns[LAG_TENTHS]; /* its longest turn in microseconds, and of these those in
                                           which the processor did something else */
} LoopLag;

/* On the loop's thread. */
void loop_lag_turn(LoopLag *lag, const LoopTurn *turn);

/* Of a loop, as JSON: an object with the members `loop`, `lag_ms`, `longest`. `now` by the clock,
   `wall` by the wall clock. */
void loop_lag_write(const LoopLag *lag, uint32_t loop, int64_t now, int64_t wall, Buffer *out);

#endif
