/*
 * Discovery: the lists of instances outside of the config, watched while the gateway runs.
 *
 *      file --(each `every`)--> list --> InstanceSet of the service --> told: the loops take it
 *
 * What is listed joins, and what is no longer listed leaves, without a new config. Entries that are
 * wrong are reported and left out. A list that cannot be read changes nothing; one that is empty
 * changes nothing for `empty_after`.
 *
 * Belongs to the main thread, on whose loop it waits.
 */
#ifndef GATEWAY_DISCOVERY_H
#define GATEWAY_DISCOVERY_H

#include "gateway/config/config.h"

#include <uv.h>

typedef struct Watching Watching;

/* `on_changed` is called on the loop when a service has another set. */
Watching *discovery_new(uv_loop_t *loop, void (*on_changed)(void *owner), void *owner);

/*
 * Watches the lists of this config, which is borrowed, in place of those before. After
 * instances_adopt, before any loop has the config. A service that is known from before keeps its
 * instances where its list is empty or cannot be read now.
 */
void discovery_use(Watching *watching, Config *config);

/* Ends it; memory goes when the loop has run on. */
void discovery_end(Watching *watching);

#endif
