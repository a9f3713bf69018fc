/*
 * Discovery: the lists of instances outside of the config, watched while the gateway runs.
 *
 *      file, folder, DNS, etcd --(source.h)--> Reading --> InstanceSet of the service -->
 * on_changed: the loops take it
 *
 * New entries join, and missing ones leave, without a new config. Invalid entries are reported and
 * left out. A list that cannot be read changes nothing; an empty one changes nothing for
 * `empty_after`.
 *
 * Belongs to the main thread and its loop, except where another is named.
 */
#ifndef GATEWAY_DISCOVERY_H
#define GATEWAY_DISCOVERY_H

#include "gateway/config/config.h"
#include "gateway/telemetry/exposition.h"

#include <uv.h>

typedef struct Watching Watching;

/* `on_changed` is called on the loop when a service's set was replaced. */
Watching *discovery_new(uv_loop_t *loop, void (*on_changed)(void *owner), void *owner);

/*
 * Watches the lists of this config, which is borrowed until the next, instead of the previous
 * one's, which still exists. After instances_adopt, before any loop has the config. A service that
 * the previous config had keeps its instances if its list is empty or cannot be read now, and while
 * it is not known yet.
 */
void discovery_use(Watching *watching, Config *config);

/* For metrics_add_writer, with the Watching: how each list is. Any thread, until discovery_end. */
void discovery_metrics_write(Exposition *e, void *watching);

/* Stops it, and waits for its thread, which waits for nobody; the loop frees the memory. */
void discovery_end(Watching *watching);

#endif
