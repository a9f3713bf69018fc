/*
 * Reflection: the built-in services grpc.reflection.v1 and v1alpha, which have the same messages.
 *
 * For each service a client sees the negotiated version: the one that it specifies (by a header, a
 * media type, its pin), else the default. A client that specifies none can also look up any version
 * by its package, as it can call it by its path. A package that several versions share is that of
 * the negotiated one. All clients see the built-in services, and of the others what they may call
 * (reflection_access.h). Pure functions over the config.
 */
#ifndef GATEWAY_REFLECTION_H
#define GATEWAY_REFLECTION_H

#include "gateway/builtin/reflection_access.h"

/* The version of one service that a client sees. */
typedef struct ReflectedService {
    const Version *version; /* NULL: the service has none (opaque HTTP) */
    bool said;              /* the client specified it, and sees no other */
} ReflectedService;

/* What one client sees. */
typedef struct ReflectionView {
    Onlooker onlooker;
    const Config *config;
    const ReflectedService *services; /* [service index] */
    int64_t wall;                     /* nanoseconds, when it began to look */
} ReflectionView;

/* By the fields of the client's request. Lives in the arena, and as long as the identity. Faults:
   those of negotiate, with the versions that there are, when the request says a version that no
   service has. */
MUST_USE Result reflection_view(const Config *config, const Fields *head, const Identity *identity,
                                int64_t wall, Arena *arena, ReflectionView *view_out);

/* Writes the ServerReflectionResponse to one ServerReflectionRequest; also for a name that is not
   found. Fault: BAD_MESSAGE. */
MUST_USE Result reflection_answer(const ReflectionView *view, Bytes request, Arena *arena,
                                  Buffer *out);

#endif
