/*
 * Reflection client: requests an instance's schema by gRPC server reflection: v1, or v1alpha if the
 * instance has only that.
 *
 * It has its own event loop on the calling thread, which blocks: for loading a config, never on a
 * worker's loop.
 */
#ifndef GATEWAY_REFLECTION_CLIENT_H
#define GATEWAY_REFLECTION_CLIENT_H

#include "gateway/config/schema_ask.h"

/*
 * For config_load. It stops waiting for an instance soon after another thread sets `*cancelled`
 * (borrowed as long as the SchemaAsk is used; may be NULL). The problems that config_load reports
 * then are no mistakes of the config.
 *
 * The schema has each service of the package that the instance lists. Faults: UPSTREAM_DOWN,
 * UPSTREAM_RESET, DEADLINE_EXCEEDED (retryable: the instance cannot be reached now),
 * UPSTREAM_STATUS, UPSTREAM_PROTOCOL, BAD_SCHEMA, CANCELLED, SYSTEM and those of gathering_take.
 */
SchemaAsk reflection_ask(const atomic_bool *cancelled);

#endif
