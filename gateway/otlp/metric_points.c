#include "gateway/otlp/metric_points.h"

#include "base/clock.h"
#include "gateway/headers/trace_context.h"
#include "gateway/otlp/otlp_request.h"
#include "gateway/otlp/otlp_wire.h"
#include "gateway/telemetry/metrics.pb-c.h"

#include <math.h>

/* metrics.proto: numbers of fields. */
enum {
    METRIC_NAME = 1,
    METRIC_DESCRIPTION = 2,
    METRIC_UNIT = 3,
    METRIC_DATA_GAUGE = 5,
    METRIC_DATA_SUM = 7,
    METRIC_DATA_HISTOGRAM = 9,
    METRIC_DATA_EXPONENTIAL = 10,
    METRIC_DATA_SUMMARY = 11,
    DATA_POINTS = 1,
    DATA_TEMPORALITY = 2,
    SUM_MONOTONIC = 3,
    POINT_START = 2, /* of all kinds of points, as the next one */
    POINT_TIME = 3,
    NUMBER_DOUBLE = 4,
    NUMBER_ATTRIBUTES = 7,
    POINT_COUNT = 4, /* of histograms and summaries, as the next one */
    POINT_SUM = 5,
    HISTOGRAM_COUNTS = 6,
    HISTOGRAM_BOUNDS = 7,
    HISTOGRAM_EXEMPLARS = 8,
    HISTOGRAM_ATTRIBUTES = 9,
    EXPONENTIAL_ATTRIBUTES = 1,
    EXPONENTIAL_SCALE = 6,
    EXPONENTIAL_ZEROS = 7,
    EXPONENTIAL_POSITIVE = 8,
    EXPONENTIAL_EXEMPLARS = 11,
    EXPONENTIAL_THRESHOLD = 14,
    BUCKETS_OFFSET = 1,
    BUCKETS_COUNTS = 2,
    EXEMPLAR_TIME = 2,
    EXEMPLAR_DOUBLE = 3,
    EXEMPLAR_SPAN = 4,
    EXEMPLAR_TRACE = 5,
    SUMMARY_QUANTILES = 6,
    SUMMARY_ATTRIBUTES = 7,
    QUANTILE_QUANTILE = 1,
    QUANTILE_VALUE = 2,
};
enum { CUMULATIVE = 2 };

typedef Io__Prometheus__Client__Metric Sample;
typedef Io__Prometheus__Client__Histogram Buckets;

/* ---- What all points have -------------------------------------------------------------------- */

static void add_labels(Buffer *out, uint32_t number, const Sample *sample)
{
    for (size_t i = 0; i < sample->n_label; i++)
        otlp_add_text(out, number, bytes_of(sample->label[i]->name),
                      bytes_of(sample->label[i]->value));
}

static void add_times(Buffer *out, const PointForm *form, bool since_start)
{
    if (since_start)
        otlp_add_fixed64(out, POINT_START, (uint64_t)form->start);
    otlp_add_fixed64(out, POINT_TIME, (uint64_t)form->now);
}

/* ---- Counters and gauges --------------------------------------------------------------------- */

static void add_number(Buffer *out, const Sample *sample, const PointForm *form)
{
    size_t point = otlp_begin(out, DATA_POINTS);
    add_times(out, form, sample->counter != NULL);
    otlp_add_double(out, NUMBER_DOUBLE,
                    sample->counter ? sample->counter->value : sample->gauge->value);
    add_labels(out, NUMBER_ATTRIBUTES, sample);
    otlp_end(out, point);
}

/* ---- Histograms ------------------------------------------------------------------------------ */

/* Its labels are the ids of a trace and of a span, in this order. */
static void add_exemplars(Buffer *out, uint32_t number, const Buckets *buckets)
{
    for (size_t i = 0; i < buckets->n_exemplars; i++) {
        const Io__Prometheus__Client__Exemplar *exemplar = buckets->exemplars[i];
        const Io__Prometheus__Client__Timestamp *at = exemplar->timestamp;
        size_t message = otlp_begin(out, number);
        otlp_add_fixed64(out, EXEMPLAR_TIME, (uint64_t)(at->seconds * SECOND + at->nanos));
        otlp_add_double(out, EXEMPLAR_DOUBLE, exemplar->value);
        otlp_add_id(out, EXEMPLAR_SPAN, exemplar->label[1]->value, TRACE_SPAN_SIZE);
        otlp_add_id(out, EXEMPLAR_TRACE, exemplar->label[0]->value, TRACE_ID_SIZE);
        otlp_end(out, message);
    }
}

static void add_packed(Buffer *out, uint32_t number, const uint64_t *values, size_t n)
{
    otlp_add_head(out, number, n * 8);
    for (size_t i = 0; i < n; i++)
        for (int shift = 0; shift < 64; shift += 8)
            buffer_add_byte(out, (uint8_t)(values[i] >> shift));
}

/* Both kinds of buckets were read one after the other, while calls went on: what is in neither
   bucket is in the last one. */
static void add_explicit(Buffer *out, const Sample *sample, const PointForm *form)
{
    const Buckets *buckets = sample->histogram;
    size_t n = buckets->n_bucket;
    if (n && isinf(buckets->bucket[n - 1]->upper_bound))
        n--; /* it is there for its exemplar */
    uint64_t *counts = arena_array(out->arena, uint64_t, n + 1), seen = 0;
    uint64_t *bounds = arena_array(out->arena, uint64_t, n);
    for (size_t i = 0; i < n; i++) {
        counts[i] = buckets->bucket[i]->cumulative_count - seen;
        seen = buckets->bucket[i]->cumulative_count;
        memcpy(&bounds[i], &buckets->bucket[i]->upper_bound, sizeof *bounds);
    }
    counts[n] = buckets->sample_count > seen ? buckets->sample_count - seen : 0;
    size_t point = otlp_begin(out, DATA_POINTS);
    add_times(out, form, true);
    otlp_add_fixed64(out, POINT_COUNT, seen + counts[n]);
    otlp_add_double(out, POINT_SUM, buckets->sample_sum);
    add_packed(out, HISTOGRAM_COUNTS, counts, n + 1);
    add_packed(out, HISTOGRAM_BOUNDS, bounds, n);
    add_exemplars(out, HISTOGRAM_EXEMPLARS, buckets);
    add_labels(out, HISTOGRAM_ATTRIBUTES, sample);
    otlp_end(out, point);
}

/* Prometheus' bucket of the index i ends at base^i, OpenTelemetry's begins there. Gaps between
   spans are empty buckets. */
static void add_positive(Buffer *out, const Buckets *buckets)
{
    if (!buckets->n_positive_span)
        return;
    Buffer counts = buffer_in(out->arena);
    int64_t count = 0;
    size_t delta = 0;
    for (size_t s = 0; s < buckets->n_positive_span; s++) {
        for (int32_t gap = s ? buckets->positive_span[s]->offset : 0; gap > 0; gap--)
            buffer_add_byte(&counts, 0);
        for (uint32_t i = 0; i < buckets->positive_span[s]->length; i++) {
            count += buckets->positive_delta[delta++];
            wire_add_varint(&counts, (uint64_t)count);
        }
    }
    size_t positive = otlp_begin(out, EXPONENTIAL_POSITIVE);
    otlp_add_varint(out, BUCKETS_OFFSET, wire_zigzag(buckets->positive_span[0]->offset - 1));
    otlp_add_field(out, BUCKETS_COUNTS, buffer_bytes(&counts));
    otlp_end(out, positive);
}

static void add_exponential(Buffer *out, const Sample *sample, const PointForm *form)
{
    const Buckets *buckets = sample->histogram;
    size_t point = otlp_begin(out, DATA_POINTS);
    add_labels(out, EXPONENTIAL_ATTRIBUTES, sample);
    add_times(out, form, true);
    otlp_add_fixed64(out, POINT_COUNT, buckets->sample_count);
    otlp_add_double(out, POINT_SUM, buckets->sample_sum);
    otlp_add_varint(out, EXPONENTIAL_SCALE, wire_zigzag(buckets->schema));
    otlp_add_fixed64(out, EXPONENTIAL_ZEROS, buckets->zero_count);
    add_positive(out, buckets);
    add_exemplars(out, EXPONENTIAL_EXEMPLARS, buckets);
    otlp_add_double(out, EXPONENTIAL_THRESHOLD, buckets->zero_threshold);
    otlp_end(out, point);
}

/* ---- Summaries ------------------------------------------------------------------------------- */

static void add_summary(Buffer *out, const Sample *sample, const PointForm *form)
{
    const Io__Prometheus__Client__Summary *summary = sample->summary;
    size_t point = otlp_begin(out, DATA_POINTS);
    add_times(out, form, true);
    otlp_add_fixed64(out, POINT_COUNT, summary->sample_count);
    otlp_add_double(out, POINT_SUM, summary->sample_sum);
    for (size_t i = 0; i < summary->n_quantile; i++) {
        size_t quantile = otlp_begin(out, SUMMARY_QUANTILES);
        otlp_add_double(out, QUANTILE_QUANTILE, summary->quantile[i]->quantile);
        otlp_add_double(out, QUANTILE_VALUE, summary->quantile[i]->value);
        otlp_end(out, quantile);
    }
    add_labels(out, SUMMARY_ATTRIBUTES, sample);
    otlp_end(out, point);
}

/* ---- A metric -------------------------------------------------------------------------------- */

typedef void PointWriter(Buffer *out, const Sample *sample, const PointForm *form);

typedef struct Kind {
    uint32_t data;
    PointWriter *add;
    bool cumulative, monotonic;
} Kind;

static Kind kind_of(const MetricFamily *family, const PointForm *form)
{
    static const Kind sum = {METRIC_DATA_SUM, add_number, true, true},
                      gauge = {METRIC_DATA_GAUGE, add_number, false, false},
                      buckets = {METRIC_DATA_HISTOGRAM, add_explicit, true, false},
                      exponential = {METRIC_DATA_EXPONENTIAL, add_exponential, true, false},
                      summary = {METRIC_DATA_SUMMARY, add_summary, false, false};
    switch (family->type) {
    case IO__PROMETHEUS__CLIENT__METRIC_TYPE__COUNTER: return sum;
    case IO__PROMETHEUS__CLIENT__METRIC_TYPE__HISTOGRAM:
        return form->exponential && family->metric[0]->histogram->has_schema ? exponential
                                                                             : buckets;
    case IO__PROMETHEUS__CLIENT__METRIC_TYPE__SUMMARY: return summary;
    default: return gauge;
    }
}

/* By the name's end, as Prometheus' conventions have it; exporters do not add it again then. */
static Bytes unit_of(const char *name)
{
    Bytes whole = bytes_of(name);
    if (bytes_end_with(whole, "_total"))
        whole.size -= strlen("_total");
    return bytes_of(bytes_end_with(whole, "_seconds") ? "s"
                    : bytes_end_with(whole, "_bytes") ? "By"
                                                      : "");
}

size_t metric_points_write(const MetricFamily *family, size_t at, size_t most,
                           const PointForm *form, Buffer *out)
{
    size_t first = at, before = out->size;
    const Kind kind = kind_of(family, form);
    size_t metric = otlp_begin(out, OTLP_ITEM);
    otlp_add_field(out, METRIC_NAME, bytes_of(family->name));
    otlp_add_field(out, METRIC_DESCRIPTION, bytes_of(family->help));
    otlp_add_field(out, METRIC_UNIT, unit_of(family->name));
    size_t data = otlp_begin(out, kind.data);
    do
        kind.add(out, family->metric[at++], form);
    while (at < family->n_metric && out->size - before < most);
    if (kind.cumulative)
        otlp_add_varint(out, DATA_TEMPORALITY, CUMULATIVE);
    if (kind.monotonic)
        otlp_add_varint(out, SUM_MONOTONIC, true);
    otlp_end(out, data);
    otlp_end(out, metric);
    return at - first;
}
