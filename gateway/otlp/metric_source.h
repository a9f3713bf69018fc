/*
 * MetricSource: gathers all metrics for an exporter, in batches of about `otlp.batch` bytes.
 *
 * One thread: the exporter's.
 */
#ifndef GATEWAY_METRIC_SOURCE_H
#define GATEWAY_METRIC_SOURCE_H

#include "gateway/otlp/otlp_exporter.h"

typedef struct MetricSource {
    int64_t start; /* wall: when the process began to count */
} MetricSource;

/* An OtlpGather; `source` is one. */
void metric_source_gather(void *source, OtlpExporter *exporter, const Config *config);

#endif
