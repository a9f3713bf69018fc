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

#endif
