#include "gateway/rollout_run/rollout_capacity.h"

#include "gateway/instances/instance_set.h"

#include <math.h>

static bool is_up(const Instance *instance)
{
    return instance_barred(instance) == 0 && instance_loops_down(instance) == 0;
}

static bool is_candidate(const RolloutDefinition *definition, const Instance *instance)
{
    if (definition->build)
        return text_equal(instance->build, definition->build);
    return instance_lists(definition->service, instance) >> definition->version->index & 1;
}

RolloutCapacity rollout_capacity_now(const RolloutDefinition *definition)
{
    RolloutCapacity capacity = {0};
    InstanceSet *set = instance_set_of(definition->service);
    for (uint32_t i = 0; set && i < set->n; i++) {
        const Instance *instance = set->instances[i];
        if (is_up(instance))
            *(is_candidate(definition, instance) ? &capacity.candidate : &capacity.baseline) +=
                instance_weight(instance);
    }
    instance_set_unref(set);
    return capacity;
}

double rollout_capacity_share(const RolloutCapacity *capacity)
{
    if (capacity->candidate >= capacity->baseline)
        return 1;
    return (double)capacity->candidate / capacity->baseline;
}

double rollout_tier_share(const RolloutTier *tier, double known)
{
    switch (tier->kind) {
    case ROLLOUT_TIER_CLIENTS: return known > 0 ? fmin(tier->clients / known, 1) : 0;
    case ROLLOUT_TIER_SHARE: return tier->share;
    case ROLLOUT_TIER_ALL: break;
    }
    return 1;
}

uint32_t rollout_capacity_needed(const RolloutCapacity *capacity, double share)
{
    return (uint32_t)ceil(share * capacity->baseline);
}
