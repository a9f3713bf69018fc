/*
 * Reflection client: asks an instance for its schema, over gRPC's server reflection: v1, or v1alpha
 * where that is all it has.
 *
 * With an event loop of its own, on the calling thread, which waits: for when a config is loaded,
 * never for the loops that serve.
 */
#ifndef GATEWAY_REFLECTION_CLIENT_H
#define GATEWAY_REFLECTION_CLIENT_H

#include "gateway/config/config.h"

typedef struct ReflectionSource {
    const Instance *instance; /* a gRPC one; `service` NULL */
    const char *package;      /* whose RPC services are wanted */
    const char *version_header,
        *version;    /* said with the request, to an instance that tells versions apart */
    int64_t timeout; /* nanoseconds, for all of it */
    size_t most;     /* bytes of all answers together */
    const atomic_bool
        *cancelled; /* set by another thread: the schema is no longer wanted; may be NULL */
} ReflectionSource;

/*
 * `config` is the one that is being loaded: its limits are there already. The schema, and the
 * FileDescriptorSet that it is made of, live in the arena, which has no limit; each service in the
 * package that the instance tells of is in it. Faults: UPSTREAM_DOWN, UPSTREAM_RESET,
 * DEADLINE_EXCEEDED (retryable: the instance is not there now), UPSTREAM_STATUS, UPSTREAM_PROTOCOL,
 * BAD_SCHEMA, CANCELLED, SYSTEM and those of gathering_take.
 */
MUST_USE Result reflection_schema(Config *config, const ReflectionSource *source, Arena *arena,
                                  Bytes *set_out, const Schema **schema_out);

#endif
