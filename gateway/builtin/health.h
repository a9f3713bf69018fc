/*
 * Health: what the gateway says of itself and of the services behind it (grpc.health.v1).
 *
 * "" is the gateway: it serves until it drains. A service's full name serves while an instance can
 * be asked for it, in its own version or another that it converts to; one that was never tried
 * counts as there.
 */
#ifndef GATEWAY_HEALTH_H
#define GATEWAY_HEALTH_H

#include "gateway/config/config.h"
#include "gateway/loop/loop.h"

/* The numbers of HealthCheckResponse.ServingStatus. */
typedef enum Health {
    HEALTH_UNKNOWN,
    HEALTH_SERVING,
    HEALTH_NOT_SERVING,
    HEALTH_SERVICE_UNKNOWN,
} Health;

/* SERVICE_UNKNOWN: no such name. Loop's thread. */
Health health_of(Loop *loop, const Config *config, Bytes name);

/* One who wants to hear of changes. Embedded in its owner, who stops it before it goes; on one
   loop. */
typedef struct HealthWatch HealthWatch;
struct HealthWatch {
    /* `health` is another than before, or the loop drains and nothing more will be told. The owner
       may stop the watch and free itself. */
    void (*tell)(HealthWatch *watch);
    Bytes name;    /* borrowed */
    Health health; /* as told last */
    /* private; `at` is NULL while it does not run */
    HealthWatch *next, **at;
    Loop *loop;
    Timer timer;
};

/* Fills in the present health; changes are told from the next turn on, within a second. */
void health_watch_start(HealthWatch *watch, Loop *loop);
void health_watch_stop(HealthWatch *watch); /* fine when it does not run */

/* The loop drains: all its watches hear so at once, and are over. */
void health_end_watches(Loop *loop);

/* The name asked for in a HealthCheckRequest; false: malformed. */
bool health_read(Bytes request, Bytes *name_out);

/* Writes a HealthCheckResponse. */
void health_write(Health health, Buffer *out);

#endif
