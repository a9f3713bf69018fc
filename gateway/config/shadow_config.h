/*
 * What is copied to another version or build: docs/shadow.md. Read by gateway/service, used by
 * gateway/call and gateway/shadow. Immutable, in the arena of its Config.
 */
#ifndef GATEWAY_SHADOW_CONFIG_H
#define GATEWAY_SHADOW_CONFIG_H

#include "adapters/program/plan.h"
#include "adapters/schema/schema.h"

typedef struct Version Version;

/* Of a route. Times in nanoseconds. */
typedef struct ShadowRules {
    const Version *version; /* copies go to it; NULL: to `build` */
    const char *build;
    const char *target;             /* "v3", "build 3.1.0" */
    const char *share_text;         /* "1 %" */
    uint64_t share;                 /* of 2^32 */
    uint32_t per_second, in_flight; /* of each loop: at least 1 */
    double loop_rate;               /* a loop's part of per_second */
    size_t bytes;                   /* of the request, and of the response */
    int64_t time;
    const FieldType *const *ignored;  /* of all versions; ends with NULL; NULL: none */
    const char *const *ignored_texts; /* as they are written; likewise */
    uint32_t n_methods;               /* that are copied, of all versions */
} ShadowRules;

/* Of a method whose calls are copied. */
typedef struct ShadowMethod {
    const ShadowRules *rules;
    const Plan *to_proto; /* its requests, from JSON */
} ShadowMethod;

#endif
