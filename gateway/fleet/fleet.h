/*
 * Fleet: the gateways that share a store.
 *
 * Each gateway writes a row of its own: when it starts, with each new config, and every BEAT. With
 * each beat it also reads the rows of all, so that every one of them can show the whole fleet and
 * what is wrong in it: a gateway that is silent, one with another config, one of another build, two
 * of one name.
 *
 * Belongs to the main thread and its loop; fleet_write may be called on any thread.
 */
#ifndef GATEWAY_FLEET_H
#define GATEWAY_FLEET_H

#include "base/bytes.h"
#include "gateway/config/config.h"
#include "gateway/store/store.h"

typedef struct Fleet Fleet;

/* Nanoseconds between two beats; one that was not seen for SILENT_AFTER is called silent. */
#define FLEET_BEAT (5 * SECOND)
#define FLEET_SILENT_AFTER (20 * SECOND)

/* `port` belongs to the same loop; `process` is the mark of this one (process_mark.h), and outlives
   the fleet. */
Fleet *fleet_start(uv_loop_t *loop, StorePort *port, Bytes process);

/* This gateway has that config from now on. Copies what it keeps. */
void fleet_use(Fleet *fleet, const Config *config);

/* While a successor with the same name starts, and when it serves, the row is its own: no beats. */
void fleet_rest(Fleet *fleet, bool rest);

/* This gateway drains: it is in the fleet no more, and another process may have its name. */
void fleet_leave(Fleet *fleet);

/* No more beats; the row is deleted. Before the port is closed. */
void fleet_stop(Fleet *fleet);

/* After the loop has ended, and nothing calls fleet_write any more. */
void fleet_free(Fleet *fleet);

/* How many gateways are not silent, as the last beat has read it; at least 1, this one. */
uint32_t fleet_n_alive(Fleet *fleet);

/*
 * One JSON object: {"gateways": [{"node", "version", "generation", "config", "started",
 * "last_seen", "drift": ["silent", "config", "build", "name"]}], "as_of", "failure"}. `failure` is
 * there while the store does not answer: the list is then as old as `as_of`, and empty if nothing
 * was read yet. What most of the gateways that are not silent have is right. Any thread.
 */
void fleet_write(Fleet *fleet, Buffer *out);

#endif
