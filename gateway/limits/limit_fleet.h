/*
 * LimitFleet: several gateways that share a store divide the rates of their limits.
 *
 *      each interval:  what clients that are limited need here  --> store
 *                      what they need at the others             <-- store;  limit_shares.h divides
 *
 * Without a word of the store for LEASE, each gateway goes back to an equal part: that of as many
 * gateways as there were. A larger part is used one interval after it was computed, a smaller one
 * at once, so that all together stay within the whole. Rows have no names: keys of buckets, hashed
 * with a seed that the store has. Belongs to the main thread and its loop.
 */
#ifndef GATEWAY_LIMIT_FLEET_H
#define GATEWAY_LIMIT_FLEET_H

#include "gateway/fleet/fleet.h"
#include "gateway/limits/rate_limits.h"
#include "gateway/store/store.h"

typedef struct LimitFleet LimitFleet;

/* All of it outlives the LimitFleet; `port` belongs to the same loop. */
LimitFleet *limit_fleet_start(uv_loop_t *loop, StorePort *port, Fleet *fleet, RateLimits *limits,
                              const Config *config);

/* Whether the seed of the store is known, or the store has failed. Before the first loop runs. */
bool limit_fleet_is_ready(const LimitFleet *fleet);

/* Loops run from now on: a seed that comes later is too late, and this gateway keeps to equal
 * parts. */
void limit_fleet_settle(LimitFleet *fleet);

/* No more beats: a successor with the same name tells what is needed; false: again. */
void limit_fleet_rest(LimitFleet *fleet, bool rest);

/* Before the port is closed. Its handle closes. */
void limit_fleet_stop(LimitFleet *fleet);

/* After the loop has ended. NULL is allowed. */
void limit_fleet_free(LimitFleet *fleet);

#endif
