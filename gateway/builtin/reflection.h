/*
 * Reflection: what the gateway says of its schemas (grpc.reflection.v1 and v1alpha, which have the
 * same messages).
 *
 * Of each service a client is shown the version that it has resolved: the one that it says (by a
 * header, a media type, its pin), else the default. Who says none may besides look at any version
 * by its package, as it may call it by its path; a package that several versions share is the
 * resolved one's. The gateway's own services are shown to all. Pure functions over the config.
 */
#ifndef GATEWAY_REFLECTION_H
#define GATEWAY_REFLECTION_H

#include "gateway/config/config.h"

/* The version of one service that a client is shown. */
typedef struct ReflectedService {
    const Version *version; /* NULL: the service has none (opaque HTTP) */
    bool said;              /* by the client: it sees no other */
} ReflectedService;

/* What one client may see. */
typedef struct ReflectionView {
    const Config *config;
    const ReflectedService *services; /* [service index] */
} ReflectionView;

/* By the fields of the client's request. Lives in the arena. */
MUST_USE Result reflection_view(const Config *config, const Fields *head, Bytes identity,
                                int64_t wall, Arena *arena, ReflectionView *view_out);

/* Answers one ServerReflectionRequest with one ServerReflectionResponse; what is not found is an
   answer too. Fault: BAD_MESSAGE. */
MUST_USE Result reflection_answer(const ReflectionView *view, Bytes request, Arena *arena,
                                  Buffer *out);

#endif
