/*
 * Beginning: when something begins that all gateways begin with at the same time: a member gets the
 * candidate, or a tier grows. A client that calls several of them would see the candidate and then
 * the baseline again, if one began earlier.
 *
 *      |<------------- step ------------>|
 *      |     cell 2k     |   cell 2k+1   |     cell 2k+2   |
 *      ----------------------------------+-----------------------> wall time
 *        all know of it   one looks      it begins
 *
 * Time is cut into steps, and each into two cells; the same on all gateways. Whoever announces
 * something names the end of a step, at least a step away. Gateways write to the store in each cell
 * what they know. One begins at the end of a step if it has looked at the store in the second cell,
 * each time with success, and by what it has seen then all gateways that are there have known it in
 * the first; else at the end of the next step, by the same rule, and so on. What was written in the
 * first cell is seen by all who look in the second: so all decide the same. Nobody begins while the
 * store is down, or while a gateway cannot reach it; then all do.
 *
 * It cannot be so always: a gateway that loses the store in the second cell, and alone, knows
 * nothing of the others, which begin; it is late then. So are gateways that have the store again
 * within that cell, after an outage that has begun after they had written in the first. Gateways
 * write, too, with what they have begun: who is late, or starts, begins when it reads that.
 *
 * Clocks of gateways are compared here: they differ by much less than a cell. Pure. Times are wall
 * nanoseconds since 1970.
 */
#ifndef GATEWAY_BEGINNING_H
#define GATEWAY_BEGINNING_H

#include "gateway/config/rollout_config.h"

/* What a gateway knows. */
typedef struct BeginningNow {
    int64_t wall;
    int64_t looked; /* when it began the latest look that the store answered; 0: none */
    int64_t failed; /* when the latest look ended that failed; 0: none */
    int64_t known;  /* by `looked`: what all knew in the cell before that of the look */
} BeginningNow;

/* The step of this rollout: at least a second, and three looks. And half of it. */
int64_t beginning_step(const RolloutDefinition *rollout);
int64_t beginning_cell(const RolloutDefinition *rollout);

/* When something begins that is announced at `wall`. */
int64_t beginning_from(int64_t wall, int64_t step);

/* When to look, to have looked in time before the end of a step at `from`. */
int64_t beginning_look(int64_t from, int64_t step);

/* Whether the gateway begins with `what`, a number that grows with each announcement, for `from`,
   at the end of a step. False: ask again at *again_out. `from` 0, or far away (by a clock that was
   ahead): it has begun. */
bool beginning_is_now(int64_t what, int64_t from, int64_t step, const BeginningNow *now,
                      int64_t *again_out);

#endif
