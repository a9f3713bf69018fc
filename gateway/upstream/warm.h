/*
 * Warmth: connections that are opened before a call needs them, and again when they are lost.
 *
 * An instance of a service with `warm` has so many connections in each loop, idle or not; one that
 * would end because it is idle is replaced first. A loop has its part of limits.warm_connections:
 * what an instance was granted it keeps while it is there, so that those that join later get what
 * is left. Of all instances of a loop, only a few are connected to at the same time.
 *
 *      lacks some  -> queue -> connecting (WARM_AT_ONCE) -> ready
 *           ^                                                 |
 *           |______ not before WARM_PAUSE after the last ___ lost
 *
 * The loop's thread only. Private to this module. Both but for warm_counts and warm_metrics_write.
 */
#ifndef GATEWAY_WARM_H
#define GATEWAY_WARM_H

#include "gateway/telemetry/exposition.h"
#include "gateway/upstream/upstream.h"

/* Between two rounds of connects to an instance that closes them again. */
#define WARM_PAUSE SECOND
enum { WARM_AT_ONCE = 8 };

/* Of an Upstream; all zeros: none. */
typedef struct Warmth {
    uint32_t wanted;          /* connections that services of the loop's config want */
    uint32_t n;               /* those of them that were granted */
    uint32_t missing, beyond; /* as counted in warm_counts: of `n`; and not granted */
    bool queued;
    Upstream *next;
    int64_t after; /* no connect before */
    Timer timer;
} Warmth;

/* Of a loop. */
typedef struct Warming {
    Upstream *first, *last; /* the queue */
    uint32_t n_connecting, granted;
    LoopWork work;
} Warming;

/* Of all loops, for metrics. */
typedef struct WarmCounts {
    uint32_t granted, missing, beyond;
} WarmCounts;
WarmCounts warm_counts(void);

/* A MetricsWriter. Any thread. */
void warm_metrics_write(Exposition *e, void *unused);

void warm_begin(Upstream *upstream);
void warming_begin(UpstreamTable *table);

/* The service wants so many connections to the instance. Between the two steps of a reload: */
void warm_want(Upstream *upstream, uint32_t n);
/* all services have said so; `wanted` of instances that are no longer named is 0. */
void warm_share(UpstreamTable *table);

/* The number of its connections has changed. */
void warm_look(Upstream *upstream);

/* A link that was opened by it is connecting no longer. */
void warm_connected(Upstream *upstream);

/* Whether an idle connection is to be replaced, and not only to end. */
bool warm_keeps(const Upstream *upstream);

/* Nothing is opened any more; before the Upstream is freed. */
void warm_end(Upstream *upstream);

#endif
