/*
 * Metrics of the page /metrics, in the wire format of OpenTelemetry's protocol: families as they
 * are read by Prometheus, point for point, under the same names.
 *
 *      counter     Sum, monotonic, cumulative since the process began
 *      gauge       Gauge; also an info, which is 1
 *      histogram   Histogram, or ExponentialHistogram (scale 3), with exemplars
 *      summary     Summary
 *
 * Pure; any thread.
 *
 * https://github.com/open-telemetry/opentelemetry-proto, opentelemetry/proto/metrics/v1
 */
#ifndef GATEWAY_METRIC_POINTS_H
#define GATEWAY_METRIC_POINTS_H

#include "gateway/telemetry/metrics.h"

typedef struct PointForm {
    int64_t start, now; /* wall, nanoseconds: since when is counted; when it was read */
    bool exponential;   /* histograms */
} PointForm;

/* Appends one metric with those points of a family from `at` on that make about `most` bytes, at
   least one. Returns how many. `at` is less than the number of the family's samples. */
size_t metric_points_write(const MetricFamily *family, size_t at, size_t most,
                           const PointForm *form, Buffer *out);

#endif
