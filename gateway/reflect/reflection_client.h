/*
 * Reflection client: asks an instance for its schema, over gRPC's server reflection: v1, or v1alpha
 * where that is all it has.
 *
 * With an event loop of its own, on the calling thread, which waits: for when a config is loaded,
 * never for the loops that serve.
 */
#ifndef GATEWAY_REFLECTION_CLIENT_H
#define GATEWAY_REFLECTION_CLIENT_H

#include "gateway/config/schema_ask.h"

/*
 * For config_load. It stops waiting for an instance soon after another thread sets `*cancelled`
 * (borrowed for as long as the SchemaAsk is used; may be NULL): the config is no longer wanted, and
 * the problems that are told then are no mistakes of it.
 *
 * Each service in the package that the instance tells of is in the schema. Faults: UPSTREAM_DOWN,
 * UPSTREAM_RESET, DEADLINE_EXCEEDED (retryable: the instance is not there now), UPSTREAM_STATUS,
 * UPSTREAM_PROTOCOL, BAD_SCHEMA, CANCELLED, SYSTEM and those of gathering_take.
 */
SchemaAsk reflection_ask(const atomic_bool *cancelled);

#endif
