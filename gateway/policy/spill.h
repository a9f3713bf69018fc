/*
 * Spill: how many of the calls for a service leave the gateway's own cell.
 *
 * While at least `healthy` per cent of the own cell's instances are up, none do. Below, each of
 * those that are left gets as much as it would have at `healthy`, and only the rest leaves the
 * cell; never more than `most` per cent of the calls, so that a cell's trouble stays there:
 *
 *      healthy 70, most 50      up   100 %   70 %   56 %   35 %   0 %
 *                            leave     0 %    0 %   20 %   50 %  50 %
 *
 * Pure.
 */
#ifndef GATEWAY_SPILL_H
#define GATEWAY_SPILL_H

#include <stdbool.h>
#include <stdint.h>

/* Per cent of the calls. `n_up` of the cell's `n` instances are up; `n` is not 0. */
uint32_t spill_share(uint32_t n_up, uint32_t n, uint32_t healthy, uint32_t most);

/* Whether the next call leaves: so many per cent of them, evenly. `turn` begins with 0. */
bool spill_next(uint32_t *turn, uint32_t share);

/* The same for calls with a key, of which always the same leave. */
bool spill_key(uint32_t key, uint32_t share);

#endif
