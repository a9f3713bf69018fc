/*
 * Exposition: the form in which Prometheus reads metrics: as text, in its own format 0.0.4 and in
 * OpenMetrics 1.0; or as protobuf, the only one with native histograms.
 *
 * A family, then its samples. The texts differ in how the family of a counter is named (with or
 * without "_total") and in the end mark. Writes to a Buffer of the caller's; one thread.
 */
#ifndef GATEWAY_EXPOSITION_H
#define GATEWAY_EXPOSITION_H

#include "base/bytes.h"
#include "gateway/telemetry/exemplar.h"
#include "gateway/telemetry/native_histogram.h"

typedef enum MetricsFormat { METRICS_TEXT, METRICS_OPENMETRICS, METRICS_PROTOBUF } MetricsFormat;

typedef enum MetricType {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_HISTOGRAM,
    METRIC_SUMMARY,
    METRIC_INFO
} MetricType;

typedef struct Label {
    const char *name, *value;
} Label;

typedef struct ProtobufFamily ProtobufFamily; /* exposition_protobuf.h */

/* metrics.pb-c.h: a family as Prometheus reads it in protobuf. */
typedef struct Io__Prometheus__Client__MetricFamily MetricFamily;

/* Takes a family that has samples; it is borrowed during the call. */
typedef void FamilyTaker(void *owner, const MetricFamily *family);

typedef struct Exposition {
    Buffer *out;
    MetricsFormat format;
    ProtobufFamily *gathered; /* METRICS_PROTOBUF: the current one */
    FamilyTaker *take;        /* then: gets each, which is not written; NULL: nobody */
    void *owner;              /* of `take` */
    const char *family;       /* the current one */
    MetricType type;
} Exposition;

/* `name` is without "_total" and "_info". */
void exposition_family(Exposition *e, const char *name, MetricType type, const char *help);

/* One sample; `suffix` is appended to the family's name ("", "_bucket", "_sum", "_count"); "_total"
   and "_info" are added for their types. */
void exposition_number(Exposition *e, const char *suffix, const Label *labels, size_t n_labels,
                       uint64_t value);

/* A "_bucket": its bound is the last label, "le". NULL: without an exemplar, as in METRICS_TEXT,
   which has none. */
void exposition_bucket(Exposition *e, const Label *labels, size_t n_labels, uint64_t value,
                       const Exemplar *exemplar);

/* The same for nanoseconds, written in seconds. */
void exposition_seconds(Exposition *e, const char *suffix, const Label *labels, size_t n_labels,
                        int64_t nanoseconds);

/* The same histogram as a native one, after its "_bucket", "_sum" and "_count"; texts do not have
   it. */
void exposition_native(Exposition *e, const NativeCounts *counts);

/* A family of one sample without labels. */
void exposition_single(Exposition *e, const char *name, MetricType type, const char *help,
                       uint64_t value);

void exposition_end(Exposition *e);

#endif
