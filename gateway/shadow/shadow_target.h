/*
 * ShadowTarget: the instance that gets the copy of a call, and the version in which it is asked.
 *
 * One at random of those that are up, that nothing keeps from being used, and that have room: some
 * of the capacity of each is left to real calls. On the loop's thread.
 */
#ifndef GATEWAY_SHADOW_TARGET_H
#define GATEWAY_SHADOW_TARGET_H

#include "gateway/config/config.h"
#include "gateway/loop/loop.h"

typedef struct ShadowTarget {
    const Instance *instance; /* NULL: there is none */
    const Version *version;
} ShadowTarget;

/* From the set, which the caller holds. */
ShadowTarget shadow_target_pick(Loop *loop, const InstanceSet *set, const Method *method);

/* Whether a call that was served so went where its copy would go. */
bool shadow_target_is(const Method *method, const Version *served, const Instance *instance);

#endif
