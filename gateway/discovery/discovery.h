/*
 * Discovery: the lists of instances outside of the config, watched while the gateway runs.
 *
 *      file --(each `every`)--> list --> InstanceSet of the service --> told: the loops take it
 *
 * New entries join, and missing ones leave, without a new config. Invalid entries are reported and
 * left out. A list that cannot be read changes nothing; an empty one changes nothing for
 * `empty_after`.
 *
 * Belongs to the main thread and its loop.
 */
#ifndef GATEWAY_DISCOVERY_H
#define GATEWAY_DISCOVERY_H

#include "gateway/config/config.h"

#include <uv.h>

typedef struct Watching Watching;

/* `on_changed` is called on the loop when a service's set was replaced. */
Watching *discovery_new(uv_loop_t *loop, void (*on_changed)(void *owner), void *owner);

/*
 * Watches the lists of this config, which is borrowed, instead of the previous one's. After
 * instances_adopt, before any loop has the config. A service that the previous config had keeps its
 * instances if its list is empty or cannot be read now.
 */
void discovery_use(Watching *watching, Config *config);

/* Stops it; memory is freed by the loop. */
void discovery_end(Watching *watching);

#endif
