#include "gateway/shadow/shadow_target.h"

#include "gateway/instances/instance_set.h"
#include "gateway/upstream/upstream.h"

/* Streams of an instance that real calls can always have, of about a hundred on each connection. */
enum { HTTP2_SHARE = 50 };

bool shadow_target_is(const Method *method, const Version *served, const Instance *instance)
{
    const ShadowRules *rules = method->extras->shadow->rules;
    return rules->version ? rules->version == served : text_equal(rules->build, instance->build);
}

/* In which the instance is asked; NULL: it is none that gets copies. */
static const Version *version_for(const Method *method, const Instance *instance)
{
    const ShadowRules *rules = method->extras->shadow->rules;
    if (rules->version)
        return instance->versions >> rules->version->index & 1 ? rules->version : NULL;
    if (!text_equal(rules->build, instance->build))
        return NULL;
    for (uint32_t i = 0; i < method->n_preferred; i++)
        if (instance->versions >> method->preferred[i]->index & 1)
            return method->preferred[i];
    return NULL;
}

static bool has_room(Loop *loop, const Instance *instance)
{
    uint32_t most = HTTP2_SHARE;
    if (!instance->http2)
        most = (limits_connections(&loop->config->limits, false) + 1) / 2;
    return upstream_load(upstream_of(loop, instance)) < most;
}

static bool is_usable(Loop *loop, const Instance *instance)
{
    return instance->known && !instance_barred(instance) && !instance_loops_down(instance) &&
           has_room(loop, instance);
}

ShadowTarget shadow_target_pick(Loop *loop, const InstanceSet *set, const Method *method)
{
    ShadowTarget target = {.instance = NULL};
    uint32_t n = 0;
    for (uint32_t i = 0; i < set->n; i++) {
        const Instance *instance = set->instances[i];
        const Version *version = version_for(method, instance);
        if (version && is_usable(loop, instance) && random_below(&loop->random, ++n) == 0)
            target = (ShadowTarget){instance, version};
    }
    return target;
}
