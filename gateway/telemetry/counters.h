/*
 * Counters: one loop's counters, indexed by series numbers. For telemetry.c, metrics.c and
 * admin_config.c only.
 *
 * Written by the loop's thread without locks and without read-modify-write; read by the admin
 * thread at any time with relaxed atomics: each number is correct, but two numbers may be from
 * different times. Blocks are allocated when a series is first counted, and stay.
 */
#ifndef GATEWAY_COUNTERS_H
#define GATEWAY_COUNTERS_H

#include "base/histogram.h"
#include "base/log.h"
#include "gateway/telemetry/exemplar.h"
#include "gateway/telemetry/native_histogram.h"
#include "gateway/telemetry/series.h"
#include "gateway/telemetry/telemetry.h"

#include <stdatomic.h>

typedef _Atomic uint64_t Count;

static inline uint64_t count_read(const Count *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

static inline void count_add(Count *count, uint64_t more)
{
    atomic_store_explicit(count, count_read(count) + more, memory_order_relaxed);
}

/* A sparse table of counts: few of the possible keys occur. */
typedef struct CountCell {
    struct CountCell *_Atomic next;
    uint64_t key;
    Count count;
} CountCell;

/* The key of what had no room for a cell of its own. */
#define CELL_OTHER UINT64_MAX

typedef struct CountCells {
    CountCell *_Atomic first;
    CountCell *latest; /* used by the loop only: most calls have the key of the previous one */
} CountCells;

/* The labels of a method's calls, and of a service's errors, as series numbers or indexes. */
typedef struct CallKey {
    uint32_t client_version, served_version; /* SERIES_VERSION */
    Dialect dialect;
    Code code;
    uint32_t fault; /* its row in fault_table, plus 1; or 0 */
    uint32_t by;    /* Fallback + 1 of the response that the client got, or 0 */
} CallKey;

typedef struct ErrorKey {
    uint32_t fault, origin; /* the rows in fault_table of the chain's two ends */
    FaultSide side;         /* telemetry_side */
    uint32_t by;            /* as above */
} ErrorKey;

CallKey call_key_of(uint64_t key);

/* Whether it failed by a mistake of its client: telemetry_side, of what is counted. */
bool call_key_is_mistake(const CallKey *key);

ErrorKey error_key_of(uint64_t key);

/* Upper bounds of the buckets of durations, in nanoseconds; one more bucket takes the rest. */
enum { DURATION_BOUNDS = 15 };
extern const int64_t duration_bounds[DURATION_BOUNDS];

/* The durations of those calls of a method that one version has served. */
typedef struct ServedDurations {
    struct ServedDurations *_Atomic next;
    uint32_t served_version; /* SERIES_VERSION */
    NativeHistogram native;
} ServedDurations;

typedef struct MethodCounters {
    CountCells calls;
    Count durations[DURATION_BOUNDS + 1], duration_sum;
    ExemplarCell *_Atomic exemplars; /* one for each bucket; NULL: no call was recorded */
    ServedDurations *_Atomic served;
    ServedDurations *latest; /* used by the loop only: most calls are served as the previous one */
    Count bytes_in, bytes_out, messages_in, messages_out, unknown_fields, losses;
} MethodCounters;

/* Adds the durations of the calls of a method; of those that `served_version` has served, or, NULL,
   of all. Any thread. */
void method_durations_add(NativeCounts *sum, const MethodCounters *method,
                          const uint32_t *served_version);

/* How a call ended for those who judge a service by its calls. */
typedef enum Outcome {
    OUTCOME_GOOD,
    OUTCOME_DEGRADED, /* the client got a fallback's response */
    OUTCOME_CLIENT,   /* it failed by a mistake of the client */
    OUTCOME_FAILED,   /* by the gateway or an instance */
    OUTCOMES
} Outcome;

typedef struct ServiceCounters {
    CountCells errors;
    Count outcomes[IMPACTS][OUTCOMES]; /* by the impact of their route */
    Count retries_refused[RETRY_REFUSALS];
    Count calls, healing[HEALING_ACTS];
    Histogram durations; /* nanoseconds */
} ServiceCounters;

/* Indexed by the number of a KnownInstance. Numbers are reused; `serial` identifies the instance.
 */
enum {
    INSTANCES_COUNTED = SERIES_LIMIT
}; /* instances with a higher number are not counted separately */
typedef struct InstanceCounters {
    Count serial;
    Count calls[CODE_COUNT];
    Count head_sum, head_count; /* nanoseconds from sending a request to the head of its response */
} InstanceCounters;

struct Telemetry {
    Telemetry *next; /* of all loops */
    Arena *arena;
    LogRing *ring;
    Buffer line;
    struct {
        TelemetrySink *tell;
        void *owner;
    } sinks[TELEMETRY_SINKS];
    uint32_t n_sinks;
    const CallRecord *counted; /* the call that sinks are told of; NULL: none, or it is not counted
                                */
    uint32_t n_cells;
    Count cells_beyond; /* how often there was no room */
    Count events[COUNTER_COUNT];
    const Bytes *method_parts[SERIES_LIMIT]; /* members of log lines; NULL: not made yet */
    MethodCounters *_Atomic methods[SERIES_LIMIT];
    ServiceCounters *_Atomic services[SERIES_LIMIT];
    InstanceCounters *_Atomic instances[INSTANCES_COUNTED];
};

/* Only the loop's thread. */
void counters_record(Telemetry *telemetry, const CallRecord *record);
void counters_heal(Telemetry *telemetry, HealingAct act, uint32_t service);

/* A call that was counted has its spans there. */
void counters_exemplar(Telemetry *telemetry, const CallRecord *record, const TraceContext *trace);

/* Only its failure, by fault: of a request that was refused before it was a call. `why` has failed.
 */
void counters_record_failure(Telemetry *telemetry, const CallRecord *record);

#endif
