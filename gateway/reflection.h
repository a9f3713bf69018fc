/*
 * Reflection: what the gateway says of its schemas (grpc.reflection.v1 and v1alpha, which have the same
 * messages).
 *
 * A client that says which version of a service it speaks is shown that version of it; one that says
 * nothing is shown all versions. Pure functions over the config.
 */
#ifndef GATEWAY_REFLECTION_H
#define GATEWAY_REFLECTION_H

#include "gateway/config.h"

/* What one client may see: for each service of the config a version, or NULL for all of them. */
typedef struct ReflectionView {
    const Config *config;
    const Version *const *versions; /* [service index] */
} ReflectionView;

/* By the fields of the client's request. Lives in the arena. */
MUST_USE Result reflection_view(const Config *config, const Fields *head, Bytes identity, int64_t wall,
                                Arena *arena, ReflectionView *view_out);

/* Answers one ServerReflectionRequest with one ServerReflectionResponse; what is not found is an answer
   too. Fault: BAD_MESSAGE. */
MUST_USE Result reflection_answer(const ReflectionView *view, Bytes request, Arena *arena, Buffer *out);

#endif
