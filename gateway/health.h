/*
 * Health: what the gateway says of itself and of the services behind it (grpc.health.v1).
 *
 * "" is the gateway: it serves until it drains. A service's full name serves while an instance can be
 * asked for it, in its own version or another that it converts to.
 */
#ifndef GATEWAY_HEALTH_H
#define GATEWAY_HEALTH_H

#include "gateway/loop.h"

/* The numbers of HealthCheckResponse.ServingStatus. */
typedef enum Health {
    HEALTH_UNKNOWN, HEALTH_SERVING, HEALTH_NOT_SERVING, HEALTH_SERVICE_UNKNOWN,
} Health;

/* SERVICE_UNKNOWN: no such name. Loop's thread. */
Health health_of(Loop *loop, const Config *config, Bytes name);

/* The name asked for in a HealthCheckRequest; false: malformed. */
bool health_read(Bytes request, Bytes *name_out);

/* Writes a HealthCheckResponse. */
void health_write(Health health, Buffer *out);

#endif
