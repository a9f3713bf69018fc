/*
 * Process-wide state of telemetry, for telemetry.c and metrics*.c only. Everything here except the
 * events is guarded by one lock, which is never taken while a call runs; the counters that loops
 * write are in counters.h.
 */
#ifndef GATEWAY_TELEMETRY_INTERNAL_H
#define GATEWAY_TELEMETRY_INTERNAL_H

#include "gateway/log_output/log_sample.h"
#include "gateway/telemetry/counters.h"

typedef enum SeriesKind {
    SERIES_METHOD,  /* service, method, version; of an opaque route: "", prefix, "" */
    SERIES_SERVICE, /* service */
    SERIES_VERSION, /* version */
    SERIES_LOSS,    /* service, from, to, field, kind */
    SERIES_EVENT,   /* level, event */
    SERIES_KINDS,
} SeriesKind;

/* An adopted config. Kept until no call uses it, since its losses are counted in it. */
typedef struct Generation {
    struct Generation *next; /* the one before */
    Config *config;          /* a reference */
} Generation;

typedef struct TelemetryProcess {
    Arena *arena, *event_arena;
    Log *log;
    const char *node;
    Bytes node_part;                   /* of each line */
    _Atomic(const LogSample *) sample; /* which lines of calls are in the log; never NULL */
    SeriesSet series[SERIES_KINDS];
    uint64_t losses[SERIES_LIMIT]; /* of freed configs */
    uint8_t impacts[SERIES_LIMIT]; /* by SERIES_SERVICE: bits 1 << Impact of its routes */
    uint64_t events[SERIES_LIMIT]; /* these and SERIES_EVENT: guarded by telemetry_lock_events */
    Telemetry *loops;
    uint32_t n_loops;
    WorkPool *pool;          /* NULL: none */
    Generation *generations; /* newest first */
    uint64_t reloads, reloads_failed;
    int64_t began;   /* wall time since which there are counts */
    int64_t adopted; /* wall time of the newest */
    bool last_reload_failed;
} TelemetryProcess;

static inline const char *series_label(const TelemetryProcess *p, SeriesKind kind, uint32_t number,
                                       uint32_t label)
{
    return series_text(&p->series[kind], number, label);
}

/* What a loop counts of a method; NULL: nothing yet. Blocks are allocated by the loops' threads:
   acquire makes their content visible. */
static inline const MethodCounters *method_counters(const Telemetry *loop, uint32_t number)
{
    return atomic_load_explicit(&loop->methods[number], memory_order_acquire);
}

/* Takes the lock. NULL, without the lock, if telemetry was not started. */
TelemetryProcess *telemetry_lock(void);
void telemetry_unlock(void);

/* To be held briefly: loops wait for it to log an event. */
void telemetry_lock_events(void);
void telemetry_unlock_events(void);

/* Adds the losses that a config has counted to `losses`, by series. */
void telemetry_add_losses(TelemetryProcess *process, const Config *config, uint64_t *losses);

/* Releases configs that are no longer used. */
void telemetry_retire(TelemetryProcess *process);

#endif
