/*
 * ConfigUse: a loop's share of the configs that its calls are under.
 *
 * A config is counted by all loops at once; a call that did so would fight over one cache line with
 * the calls of every other core. So each loop holds one reference to each config that it has calls
 * under, and counts those calls for itself. The loop's thread only.
 */
#ifndef GATEWAY_CONFIG_USE_H
#define GATEWAY_CONFIG_USE_H

#include "gateway/loop/loop.h"

/* The loop's config, for one call. */
Config *config_use(Loop *loop);

/* The call has ended; the config may go with it. */
void config_release(Loop *loop, Config *config);

/* Lets go of what no call uses: after loop->config was changed, and at the end. */
void config_uses_trim(Loop *loop);

#endif
