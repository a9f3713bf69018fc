/*
 * Metrics: all counters, for Prometheus; docs/seeing.md lists the names.
 *
 * Reads the counters of all loops while they count. Only combinations that occurred have a sample,
 * so that a config with many methods does not make a long page. Any thread.
 */
#ifndef GATEWAY_METRICS_H
#define GATEWAY_METRICS_H

#include "gateway/telemetry/exposition.h"

/* Writes the page. Without telemetry_start there are only the metrics of the process. */
void metrics_write(MetricsFormat format, Buffer *out);

/* The same without a page: each family as Prometheus reads it in protobuf. */
void metrics_read(FamilyTaker *take, void *owner);

/* Registers a function that writes more families, for modules above this one; it is called on the
   thread that writes the page, until it is removed. One per owner, at most 16. */
typedef void MetricsWriter(Exposition *e, void *owner);
void metrics_add_writer(MetricsWriter *write, void *owner);
void metrics_remove_writer(void *owner);

/* The Content-Type of a format. */
const char *metrics_media_type(MetricsFormat format);

/* The richest format that an Accept field (data NULL: none) has: Prometheus names protobuf only if
   it is to read native histograms. */
MetricsFormat metrics_format(Bytes accept);

/* What was counted of a method since the process began, over all loops: for those who look at it
   now and then. Names live as long as the process; empty where a path has no schema. */
typedef struct MethodTotals {
    const char *service, *method, *version; /* the client's version */
    uint64_t calls;
    uint64_t failures; /* by a service or the gateway, also where a fallback has responded */
    uint64_t losses;   /* fields */
    double seconds;    /* of all calls */
} MethodTotals;

/* `read` must not use telemetry. Methods without calls are left out. */
void method_totals_read(void (*read)(void *owner, const MethodTotals *totals), void *owner);

#endif
