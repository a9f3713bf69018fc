/*
 * Health: the built-in service grpc.health.v1, for the gateway and the services behind it.
 *
 * "" is the gateway: SERVING until it drains. A service's full name is SERVING while an instance
 * can serve it, in its own version or in one that it converts to. An instance that was never tried
 * counts as up.
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

/* A subscription to changes. Embedded in its owner, which stops it before it is freed; on one loop.
 */
typedef struct HealthWatch HealthWatch;
struct HealthWatch {
    /* `health` has changed, or the loop drains and this is the last event. The owner may stop the
       watch and free itself. */
    void (*tell)(HealthWatch *watch);
    Bytes name;    /* borrowed */
    Health health; /* of the last event */
    /* private; `at` is NULL while it does not run */
    HealthWatch *next, **at;
    Loop *loop;
    Timer timer;
};

/* Fills in the current health; changes are reported from the next turn on, within a second. */
void health_watch_start(HealthWatch *watch, Loop *loop);
void health_watch_stop(HealthWatch *watch); /* does nothing if it does not run */

/* The loop drains: all its watches get their last event at once. */
void health_end_watches(Loop *loop);

/* The service name in a HealthCheckRequest; false: malformed. */
bool health_read(Bytes request, Bytes *name_out);

/* Writes a HealthCheckResponse. */
void health_write(Health health, Buffer *out);

#endif
