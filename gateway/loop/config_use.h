/*
 * ConfigUse: one loop's references to the configs that its calls use.
 *
 * The reference count of a config is shared by all loops. If each call changed it, all cores would
 * contend for one cache line. So each loop holds one reference to each config that its calls use,
 * and counts these calls itself. The loop's thread only.
 */
#ifndef GATEWAY_CONFIG_USE_H
#define GATEWAY_CONFIG_USE_H

#include "gateway/loop/loop.h"

/* The loop's current config, for one call. */
Config *config_use(Loop *loop);

/* The config of a running call, for another call. */
Config *config_use_again(Loop *loop, Config *config);

/* The call has ended. The config may be freed with it. */
void config_release(Loop *loop, Config *config);

/* Releases configs that no call uses: after loop->config was changed, and at the end. */
void config_uses_trim(Loop *loop);

#endif
