/*
 * FleetName: who has had this gateway's name in the fleet before it, looked up when it starts.
 *
 *      nobody, or who has gone in order     there is nothing to take over
 *      a process that has died, which can   what it was doing is taken over at once
 *      be proved on the same host
 *      the one that this one replaces       it goes on with what it has, until it ends
 *      another process, which runs          this one must not start
 *      somebody of another host, or         this one starts and takes over nothing: what a dead one
 *      container, who may be dead           has left is free when its leases are over
 *
 * Of the port's loop, its thread only.
 */
#ifndef GATEWAY_FLEET_NAME_H
#define GATEWAY_FLEET_NAME_H

#include "base/result.h"
#include "gateway/store/store.h"

typedef struct FleetName FleetName;

/* Looks, and as long as another process has the name and runs, again now and then: it may be about
   to end. `succeeds`: a sibling of this process that runs is the one that this one replaces.
   `node` is copied. */
FleetName *fleet_name_look(uv_loop_t *loop, StorePort *port, const char *node, bool succeeds);

/* Nobody who must be waited for has the name, or the store does not answer. */
bool fleet_name_is_settled(const FleetName *name);

/* It is settled, or time is over. Fault: BAD_CONFIG, a gateway that runs has the name. */
MUST_USE Result fleet_name_check(const FleetName *name, Arena *arena);

/* Marks (process_mark.h), as long as `name`: of this process; and of the one that has died and had
   the name, empty if there is none. */
Bytes fleet_name_own(const FleetName *name);
Bytes fleet_name_gone(const FleetName *name);

/* It looks no more. Before the port is closed. NULL is allowed, as for the next one. */
void fleet_name_stop(FleetName *name);

/* After the loop has ended. */
void fleet_name_free(FleetName *name);

#endif
