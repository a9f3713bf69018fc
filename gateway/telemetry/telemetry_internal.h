/*
 * What telemetry keeps for the whole process, for those who show it: metrics*.c. For them and
 * for telemetry.c only. Everything here but the events is guarded by one lock, which
 * is never taken on the way of a call; what loops write is in counters.h.
 */
#ifndef GATEWAY_TELEMETRY_INTERNAL_H
#define GATEWAY_TELEMETRY_INTERNAL_H

#include "gateway/telemetry/counters.h"

typedef enum SeriesKind {
    SERIES_METHOD,  /* service, method, version; of an opaque route: "", prefix, "" */
    SERIES_SERVICE, /* service */
    SERIES_VERSION, /* version */
    SERIES_LOSS,    /* service, from, to, field, kind */
    SERIES_EVENT,   /* level, event */
    SERIES_KINDS,
} SeriesKind;

/* A config that was adopted. Kept until no call uses it, since its losses are counted in it. */
typedef struct Generation {
    struct Generation *next; /* the one before */
    Config *config;          /* a reference */
} Generation;

typedef struct TelemetryProcess {
    Arena *arena, *event_arena;
    Log *log;
    const char *node;
    Bytes node_part; /* of each line */
    SeriesSet series[SERIES_KINDS];
    uint64_t losses[SERIES_LIMIT]; /* of configs that are gone */
    uint64_t events[SERIES_LIMIT]; /* these and SERIES_EVENT: guarded by telemetry_lock_events */
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

/* For a moment only: loops wait for it when they have an event to tell. */
void telemetry_lock_events(void);
void telemetry_unlock_events(void);

/* Adds the losses that a config has counted to `losses`, by series. */
void telemetry_add_losses(TelemetryProcess *process, const Config *config, uint64_t *losses);

/* Lets go of configs that are used no more. */
void telemetry_retire(TelemetryProcess *process);

#endif
