/*
 * Admin: the listener for operators: metrics, health, and what is configured.
 *
 *   GET /metrics    Prometheus text, or OpenMetrics where Accept asks for it
 *   GET /healthz    200 as long as the process answers
 *   GET /readyz     200 while calls are taken, else 503
 *   GET /config     the running config as JSON: services, versions, instances and their state
 *
 * libh2o's own HTTP server on a libuv loop and a thread of its own, so that a busy data plane does
 * not delay it and it never delays a call. Errors are application/problem+json. Whom it answers:
 * admin_host.h; how many it has connected: admin_connections.h.
 */
#ifndef GATEWAY_ADMIN_H
#define GATEWAY_ADMIN_H

#include "gateway/config/config.h"

#include <stdatomic.h>

typedef struct Admin Admin;

/*
 * Listens on config->admin, which is there, and starts the thread. What it keeps of the config is
 * copied. `ready` says whether calls are taken; it is borrowed and may change at any time. After
 * telemetry_start. Faults: SYSTEM (the address cannot be bound), BAD_CONFIG (its host is not
 * known).
 */
MUST_USE Result admin_start(Arena *arena, const Config *config, const atomic_bool *ready,
                            Admin **admin_out);

/* Closes the listener and its connections, ends the thread, frees everything. NULL is fine. */
void admin_stop(Admin *admin);

/* The port that it listens on: where the address said 0, the one that the system chose; 0 for
   unix. */
uint16_t admin_port(const Admin *admin);

#endif
