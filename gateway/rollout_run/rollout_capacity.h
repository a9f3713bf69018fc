/*
 * RolloutCapacity: the instances of a candidate and of its baseline that can be used now, and how
 * many clients they bear. Reads the service's current instances; any thread.
 */
#ifndef GATEWAY_ROLLOUT_CAPACITY_H
#define GATEWAY_ROLLOUT_CAPACITY_H

#include "gateway/config/rollout_config.h"

#include <stdint.h>

typedef struct RolloutCapacity {
    uint32_t candidate, baseline; /* instances, by their weights */
} RolloutCapacity;

RolloutCapacity rollout_capacity_now(const RolloutDefinition *definition);

/* The share of all clients that the candidate's instances bear, if each bears as many as one of the
   baseline would if all clients were there: 0 to 1. Without a baseline: 1. */
double rollout_capacity_share(const RolloutCapacity *capacity);

/* The share of all clients that a tier has. `known`: clients that are known to call; 0: nobody
   knows, and a tier of some clients counts as none. */
double rollout_tier_share(const RolloutTier *tier, double known);

/* So many instances of the candidate bear this share. */
uint32_t rollout_capacity_needed(const RolloutCapacity *capacity, double share);

#endif
