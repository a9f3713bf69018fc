/*
 * What the config says of rollouts (gateway/rollout): a new build or version of a service, which
 * gets its clients one tier after the other. Compiled by gateway/service. Read-only; lives as long
 * as the Config. Times in nanoseconds.
 *
 * A rollout has two arms: the clients of the candidate, and all others, those of the baseline.
 */
#ifndef GATEWAY_ROLLOUT_CONFIG_H
#define GATEWAY_ROLLOUT_CONFIG_H

#include "base/bytes.h"
#include "gateway/config/impact.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Config Config;
typedef struct Method Method;
typedef struct Service Service;
typedef struct Version Version;

enum {
    ROLLOUT_CLIENTS_MOST = 1000, /* of a tier whose members are recorded */
    ROLLOUT_TIERS_MOST = 16,
    ROLLOUT_POSTED_MOST = 4,
    ROLLOUT_PILOTS_MOST = 100,
};

/* By what a rollout is judged: its failing clients are counted for each. */
typedef enum RolloutMetric {
    ROLLOUT_FAILURES,      /* that are not the client's mistake */
    ROLLOUT_CALLER_BLAMED, /* the service says that the client has made a mistake */
    ROLLOUT_LATENCY,       /* slower than most calls of the baseline */
    ROLLOUT_LOSSES,        /* losses of conversions, and degraded responses */
    ROLLOUT_POSTED,        /* what is told from outside: RolloutJudging.posted[0], and so on */
    ROLLOUT_METRICS = ROLLOUT_POSTED + ROLLOUT_POSTED_MOST,
} RolloutMetric;

typedef enum RolloutTierKind {
    ROLLOUT_TIER_CLIENTS, /* so many, whose names are recorded */
    ROLLOUT_TIER_SHARE,   /* those with a small hash */
    ROLLOUT_TIER_ALL,     /* also those that nothing tells apart */
} RolloutTierKind;

typedef struct RolloutTier {
    const char *text; /* "10", "5 %", "all" */
    RolloutTierKind kind;
    uint32_t clients; /* CLIENTS: 1 to ROLLOUT_CLIENTS_MOST */
    double share;     /* SHARE: above 0, below 1 */
} RolloutTier;

typedef enum RolloutOnBad { ROLLOUT_ROLL_BACK, ROLLOUT_PAUSE } RolloutOnBad;
typedef enum RolloutOnGood { ROLLOUT_ADVANCE, ROLLOUT_WAIT } RolloutOnGood;

typedef struct RolloutJudging {
    double alpha;              /* above 0, at most 0.5 */
    int64_t least;             /* the shortest time of a tier */
    int64_t every;             /* between two looks */
    uint32_t metrics;          /* bits of RolloutMetric, with those that are posted */
    const char *const *posted; /* names: of ROLLOUT_POSTED + i; letters, digits, _ and - */
    uint32_t n_posted;
    double slow; /* a call is slow beyond this part of the baseline's calls: 0.99 */
} RolloutJudging;

/* What tells clients apart; all NULL: their identity. */
typedef struct CohortSource {
    const char *header; /* of trusted proxies, in lower case */
    const char *claim;  /* of Identity: its name, "tenant" or "class" */
    const char *field;  /* path in the request: Method.cohort_key */
} CohortSource;

/* The member of Baggage that says which candidates a client has: `id` of each rollout in 16 digits,
   with dots between. */
#define ROLLOUT_MEMBER "passerelle-candidates"

typedef struct RolloutDefinition {
    const char *name;      /* "orders build 3.1.0", "orders version v3": its identity */
    const char *candidate; /* "build 3.1.0" */
    uint64_t id;           /* hash of the name: the same on all gateways; never 0 */
    Bytes told;            /* what Baggage says of a client that has this candidate alone */
    uint32_t index;        /* in the Config */
    const Service *service;
    const char *build;         /* NULL: the candidate is */
    const Version *version;    /* this one; else NULL */
    const char *const *pilots; /* names of clients; "test-*": those that begin so */
    uint32_t n_pilots;
    const RolloutTier *tiers; /* ascending; the last one is the largest */
    uint32_t n_tiers;         /* 1 to ROLLOUT_TIERS_MOST */
    RolloutJudging judging;
    RolloutOnBad on_bad;
    RolloutOnGood on_good;
    Impact impact; /* the highest of the service's routes */
    CohortSource cohort;
} RolloutDefinition;

/* "failures"; of one that is posted, its name. */
const char *rollout_metric_name(const RolloutDefinition *rollout, RolloutMetric metric);

/* The rollout with this name: "orders build 3.1.0"; NULL: the config has none. */
const RolloutDefinition *config_find_rollout(const Config *config, Bytes name);

/* Whether a name of a client is one of a pilot's. */
bool rollout_is_pilot(const RolloutDefinition *rollout, Bytes client);

#endif
