/*
 * What the config says of how much clients may do (gateway/limits). Read-only, but for `state`;
 * lives as long as the Config.
 */
#ifndef GATEWAY_LIMIT_CONFIG_H
#define GATEWAY_LIMIT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

typedef struct FieldType FieldType;
typedef struct Plan Plan;
typedef struct RateLimitState RateLimitState; /* gateway/limits/rate_limits.h */

enum {
    LIMITS_OF_CALL = 16, /* that one call can meet */
    LIMIT_NAME_MOST = 64,
    LIMIT_CONCURRENT_MOST = 1000000,
};

/* What has a bucket of its own: bits. */
typedef enum LimitPer {
    LIMIT_PER_CLIENT = 1,
    LIMIT_PER_TENANT = 2,
    LIMIT_PER_CLASS = 4,
    LIMIT_PER_SERVICE = 8,
    LIMIT_PER_ROUTE = 16,
    LIMIT_PER_METHOD = 32,
    LIMIT_PER_VERSION = 64,
} LimitPer;

/* Of these, what nothing in the config says. */
enum { LIMIT_PER_CALLER = LIMIT_PER_CLIENT | LIMIT_PER_TENANT | LIMIT_PER_CLASS };

typedef enum LimitCount {
    LIMIT_CALLS,
    LIMIT_MESSAGES,
    LIMIT_BYTES,
    LIMIT_FAILURES, /* of credentials: AccessConfig.failures */
} LimitCount;

/* Calls of whom, in which version. Lists end with NULL; NULL: any. */
typedef struct LimitTest {
    const char *const *versions;
    const char *const *classes;
    const char *const *clients; /* maybe with a star at the end */
    bool anonymous;             /* those without an identity only */
    bool said;                  /* something of it */
} LimitTest;

typedef struct RateLimit {
    const char *name;  /* no other one of the config has it; needs no escapes */
    const char *scope; /* "orders", "/legacy/": whose calls; NULL: all */
    bool of_service;   /* that is a service's name; else what a route matches */
    uint64_t id;       /* hash of the name: the same in each config and on each gateway */
    uint32_t per;      /* LimitPer; 0: all calls have one bucket */
    LimitCount count;
    uint64_t rate; /* so many in each period; 0: `concurrent` */
    int64_t period;
    uint64_t burst;
    uint32_t concurrent;
    const char *cost; /* path of the field that says what a call costs; NULL: 1 */
    uint64_t most_cost;
    LimitTest on, unless;
    bool told;             /* RateLimit fields in responses */
    const char *path;      /* in the document; while the config is loaded */
    RateLimitState *state; /* outlives the config; NULL: nobody counts */
} RateLimit;

/* A limit that calls of a method meet, unless its tests about clients say otherwise. */
typedef struct MethodLimit {
    const RateLimit *limit;
    const char *version;          /* that the client speaks; NULL: none, of a path prefix */
    uint64_t fixed;               /* hash of what of its bucket the config says */
    const FieldType *const *cost; /* of the method's requests, ending with NULL; NULL: 1 */
    const Plan *to_cost;          /* then: from JSON to the protobuf that has it */
} MethodLimit;

typedef struct MethodLimits {
    MethodLimit *items;
    uint32_t n;
    bool costs; /* one has a cost by a field */
    bool flows; /* one counts messages or bytes */
    bool kept;  /* that, or one is told, or counts what is in progress: tickets are kept */
} MethodLimits;

/* Room for buckets. */
typedef struct LimitRoom {
    uint64_t clients, addresses;
    int64_t every; /* nanoseconds between two looks at what other gateways need */
} LimitRoom;

#endif
