/*
 * World: simulated services, their clients and their failures, for weak signals to be found in.
 *
 * Four services with forty methods, and 400 clients: offices, consumers, servers, batch jobs and
 * some that call now and then. They follow the hours of the day and the week. Latencies and
 * failures have noise that lasts for hours, days that are worse than others, deploys with some
 * minutes of failures and cold caches, incidents, a slow migration from old versions to new ones,
 * and failures of rare kinds, alone or repeated by one client. Ten things are planted into the last
 * day. The same seed makes the same world.
 */
#ifndef LOADTEST_SIGNALS_WORLD_H
#define LOADTEST_SIGNALS_WORLD_H

#include "gateway/signal/watch.h"
#include "gateway/tally/window.h"
#include "loadtest/rollouts/crowd.h"

enum {
    WORLD_SERVICES = 4,
    WORLD_VERSIONS = 3,
    WORLD_METHODS = 40,
    WORLD_CLIENTS = 400,
    WORLD_CALLED = 3, /* methods of one client */
    WORLD_COMMON = 3, /* kinds of failures of a method that happen all the time, */
    WORLD_RARE = 10,  /* and that hardly ever do */
    WORLD_KINDS = WORLD_METHODS * (WORLD_COMMON + WORLD_RARE),
    WORLD_PLANTS = 10,
    WORLD_DAYS = 28, /* the last one is that of the plants */
};

typedef enum Rhythm { OFFICE, CONSUMER, SERVER, BATCH, SPORADIC, RHYTHMS } Rhythm;

typedef struct WorldClient {
    char name[24];
    Rhythm rhythm;
    int service, version;
    int methods[WORLD_CALLED];
    double rate; /* calls in a busy hour */
    int hour;    /* of a batch: when it runs; -1: each hour */
    double today;
    bool off_today;
    int64_t session_until, last;
} WorldClient;

typedef struct WorldMethod {
    char name[48];
    int service;
    double seconds, today; /* the mean latency; today's share of it */
    DriftHour totals[WORLD_VERSIONS];
} WorldMethod;

/* A kind of failures. */
typedef struct WorldKind {
    uint64_t id;
    int method;
    double share; /* of the calls; of a rare one 0 */
    int64_t first, last;
    Window hour;
    uint8_t clients[WORLD_CLIENTS];
    uint32_t n_clients;
} WorldKind;

/* What happens to a service for some minutes. */
typedef struct WorldEvent {
    int64_t from, to;
    double failing, slower;
} WorldEvent;

typedef struct Plant {
    FindingKind kind;
    int64_t from;
    int service, method, client; /* -1: none */
    DriftFigure figure;
    double much;                     /* how strong it is */
    int64_t ramp;                    /* how long until it is that strong */
    int64_t found;                   /* wall time; 0: it was not */
    char subject[FINDING_NAME_SIZE]; /* of the finding, or how it begins */
} Plant;

typedef struct World {
    Chance chance;
    int64_t begin, day; /* wall time: of the world; of the last day */
    WorldClient clients[WORLD_CLIENTS];
    WorldMethod methods[WORLD_METHODS];
    WorldKind kinds[WORLD_KINDS + WORLD_PLANTS];
    uint32_t n_kinds;
    WorldEvent deploys[WORLD_SERVICES], incidents[WORLD_SERVICES];
    double weather[WORLD_SERVICES];
    Plant plants[WORLD_PLANTS];
    uint32_t n_plants;
    int64_t today;
} World;

/* `planted` false: nothing is planted. */
void world_init(World *world, uint64_t seed, bool planted);

/* What happens from `wall` on, for so long. */
void world_step(World *world, int64_t wall, int64_t length);

/* The figures as the gateway counts them; `out` has room for all methods and versions. */
uint32_t world_methods(const World *world, WatchMethod *out);

#endif
