/*
 * Checks: the active checks of all instances whose service has them, on one loop of the process.
 *
 *      every instance: probe --> result --> CheckRow --> KnownInstance.unhealthy --> Judge
 *
 * What is known of an instance is in its KnownInstance, so that it stays over reloads and when the
 * list of instances changes. The loop's thread only.
 */
#ifndef GATEWAY_CHECKS_H
#define GATEWAY_CHECKS_H

#include "gateway/loop/loop.h"

typedef struct Checks Checks;

/* Checks nothing yet. After loop->upstreams. */
Checks *checks_new(Loop *loop);

/* From now on the services of loop->config are checked, with the instances that they have now. To
   be called when either was replaced, while the replaced config is still there. */
void checks_use(Checks *checks);

/* Ends all; before loop->upstreams closes. NULL is allowed. */
void checks_free(Checks *checks);

#endif
