/*
 * What telemetry keeps for the whole process, for those who show it: metrics.c and admin_config.c. For them and
 * for telemetry.c only. Everything here is guarded by its lock; what loops write is in counters.h.
 */
#ifndef GATEWAY_TELEMETRY_INTERNAL_H
#define GATEWAY_TELEMETRY_INTERNAL_H

#include "gateway/counters.h"

typedef enum SeriesKind {
    SERIES_METHOD,   /* service, method, version; of an opaque route: "", prefix, "" */
    SERIES_SERVICE,  /* service */
    SERIES_VERSION,  /* version */
    SERIES_INSTANCE, /* address */
    SERIES_LOSS,     /* service, from, to, path, kind */
    SERIES_EVENT,    /* level, event */
    SERIES_KINDS,
} SeriesKind;

/* A config that was adopted. Kept until no call uses it, since its losses are counted in it. */
typedef struct Generation {
    struct Generation *next; /* the one before */
    Config *config;          /* a reference */
} Generation;

typedef struct TelemetryProcess {
    Arena *arena;
    Log *log;          /* NULL before telemetry_start */
    const char *node;
    SeriesSet series[SERIES_KINDS];
    uint64_t losses[SERIES_LIMIT]; /* of configs that are gone */
    uint64_t events[SERIES_LIMIT];
    Telemetry *loops;
    uint32_t n_loops;
    Generation *generations; /* newest first */
    uint64_t reloads, reloads_failed;
    int64_t adopted; /* wall time of the newest */
    bool last_reload_failed;
} TelemetryProcess;

/* Takes the lock. NULL, and nothing is taken, when telemetry has not been started. */
TelemetryProcess *telemetry_lock(void);
void telemetry_unlock(void);

/* Adds the losses that a config has counted to `losses`, by series. */
void telemetry_add_losses(TelemetryProcess *process, const Config *config, uint64_t *losses);

/* Lets go of configs that are used no more. */
void telemetry_retire(TelemetryProcess *process);

#endif
