#include "gateway/telemetry/exposition_protobuf.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/telemetry/metrics.pb-c.h"

#include <math.h>
#include <stdlib.h>

typedef Io__Prometheus__Client__Metric Metric;
typedef Io__Prometheus__Client__Histogram HistogramMessage;
typedef Io__Prometheus__Client__Summary SummaryMessage;
typedef Io__Prometheus__Client__Exemplar ExemplarMessage;

enum { BOUNDS_MOST = 32 /* classic buckets, or quantiles, of one metric */ };

struct ProtobufFamily {
    Arena *arena;
    Io__Prometheus__Client__MetricFamily message;
    size_t capacity; /* of message.metric */
};

static char *copy(ProtobufFamily *family, const char *text)
{
    return (char *)(uintptr_t)arena_string(family->arena, text); /* messages are not const */
}

/* ---- A family -------------------------------------------------------------------------------- */

static Io__Prometheus__Client__MetricType type_of(MetricType type)
{
    switch (type) {
    case METRIC_COUNTER: return IO__PROMETHEUS__CLIENT__METRIC_TYPE__COUNTER;
    case METRIC_HISTOGRAM: return IO__PROMETHEUS__CLIENT__METRIC_TYPE__HISTOGRAM;
    case METRIC_SUMMARY: return IO__PROMETHEUS__CLIENT__METRIC_TYPE__SUMMARY;
    case METRIC_GAUGE:
    case METRIC_INFO: break;
    }
    return IO__PROMETHEUS__CLIENT__METRIC_TYPE__GAUGE;
}

static void add_length(Buffer *out, size_t size)
{
    for (; size >= 0x80; size >>= 7)
        buffer_add_byte(out, (uint8_t)(size | 0x80));
    buffer_add_byte(out, (uint8_t)size);
}

/* A family without samples is left out: its name says nothing to a reader of messages. */
static void pack(Exposition *e, const ProtobufFamily *family)
{
    if (!family->message.n_metric)
        return;
    size_t size = io__prometheus__client__metric_family__get_packed_size(&family->message);
    add_length(e->out, size);
    if (buffer_reserve(e->out, size))
        e->out->size += io__prometheus__client__metric_family__pack(&family->message,
                                                                    e->out->data + e->out->size);
}

void protobuf_end(Exposition *e)
{
    ProtobufFamily *family = e->gathered;
    if (!family)
        return;
    if (!e->take)
        pack(e, family);
    else if (family->message.n_metric)
        e->take(e->owner, &family->message);
    arena_free(family->arena);
    e->gathered = NULL;
}

void protobuf_family_begin(Exposition *e, const char *full, MetricType type, const char *help)
{
    protobuf_end(e);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    ProtobufFamily *family = arena_make(arena, ProtobufFamily);
    family->arena = arena;
    io__prometheus__client__metric_family__init(&family->message);
    family->message.name = copy(family, full);
    family->message.help = copy(family, help);
    family->message.has_type = true;
    family->message.type = type_of(type);
    e->gathered = family;
}

/* ---- A metric -------------------------------------------------------------------------------- */

static void add_labels(ProtobufFamily *family, Metric *metric, const Label *labels, size_t n)
{
    metric->label = arena_array(family->arena, Io__Prometheus__Client__LabelPair *, n);
    metric->n_label = n;
    for (size_t i = 0; i < n; i++) {
        Io__Prometheus__Client__LabelPair *pair =
            arena_make(family->arena, Io__Prometheus__Client__LabelPair);
        io__prometheus__client__label_pair__init(pair);
        pair->name = copy(family, labels[i].name);
        pair->value = copy(family, labels[i].value);
        metric->label[i] = pair;
    }
}

static Metric *add_metric(ProtobufFamily *family, const Label *labels, size_t n)
{
    Io__Prometheus__Client__MetricFamily *message = &family->message;
    if (message->n_metric == family->capacity) {
        size_t capacity = family->capacity ? family->capacity * 2 : 16;
        message->metric =
            arena_grow(family->arena, message->metric, family->capacity * sizeof(Metric *),
                       capacity * sizeof(Metric *));
        CHECK(message->metric); /* the arena has no limit */
        family->capacity = capacity;
    }
    Metric *metric = arena_make(family->arena, Metric);
    io__prometheus__client__metric__init(metric);
    add_labels(family, metric, labels, n);
    message->metric[message->n_metric++] = metric;
    return metric;
}

static bool has_labels(const Metric *metric, const Label *labels, size_t n)
{
    if (metric->n_label != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(metric->label[i]->value, labels[i].value) != 0)
            return false;
    return true;
}

static Metric *last_metric(ProtobufFamily *family)
{
    size_t n = family->message.n_metric;
    return n ? family->message.metric[n - 1] : NULL;
}

/* The one that the samples before belong to, or a new one. */
static Metric *metric_of(ProtobufFamily *family, const Label *labels, size_t n)
{
    Metric *last = last_metric(family);
    return last && has_labels(last, labels, n) ? last : add_metric(family, labels, n);
}

/* ---- Samples --------------------------------------------------------------------------------- */

static HistogramMessage *histogram_of(ProtobufFamily *family, Metric *metric)
{
    if (!metric->histogram) {
        metric->histogram = arena_make(family->arena, HistogramMessage);
        io__prometheus__client__histogram__init(metric->histogram);
        metric->histogram->bucket =
            arena_array(family->arena, Io__Prometheus__Client__Bucket *, BOUNDS_MOST);
    }
    return metric->histogram;
}

static void add_bucket(ProtobufFamily *family, HistogramMessage *histogram, double upper,
                       uint64_t count)
{
    CHECK(histogram->n_bucket < BOUNDS_MOST);
    Io__Prometheus__Client__Bucket *bucket =
        arena_make(family->arena, Io__Prometheus__Client__Bucket);
    io__prometheus__client__bucket__init(bucket);
    bucket->has_cumulative_count = bucket->has_upper_bound = true;
    bucket->cumulative_count = count;
    bucket->upper_bound = upper;
    histogram->bucket[histogram->n_bucket++] = bucket;
}

static void add_to_histogram(ProtobufFamily *family, const char *suffix, const Label *labels,
                             size_t n, double value, uint64_t exact)
{
    bool is_bucket = strcmp(suffix, "_bucket") == 0;
    HistogramMessage *histogram = histogram_of(family, metric_of(family, labels, n - is_bucket));
    if (is_bucket) {
        double upper = strtod(labels[n - 1].value, NULL);
        if (!isinf(upper)) /* that is sample_count */
            add_bucket(family, histogram, upper, exact);
    } else if (strcmp(suffix, "_sum") == 0) {
        histogram->has_sample_sum = true;
        histogram->sample_sum = value;
    } else {
        histogram->has_sample_count = true;
        histogram->sample_count = exact;
    }
}

static SummaryMessage *summary_of(ProtobufFamily *family, Metric *metric)
{
    if (!metric->summary) {
        metric->summary = arena_make(family->arena, SummaryMessage);
        io__prometheus__client__summary__init(metric->summary);
        metric->summary->quantile =
            arena_array(family->arena, Io__Prometheus__Client__Quantile *, BOUNDS_MOST);
    }
    return metric->summary;
}

static void add_quantile(ProtobufFamily *family, SummaryMessage *summary, const char *quantile,
                         double value)
{
    CHECK(summary->n_quantile < BOUNDS_MOST);
    Io__Prometheus__Client__Quantile *one =
        arena_make(family->arena, Io__Prometheus__Client__Quantile);
    io__prometheus__client__quantile__init(one);
    one->has_quantile = one->has_value = true;
    one->quantile = strtod(quantile, NULL);
    one->value = value;
    summary->quantile[summary->n_quantile++] = one;
}

static void add_to_summary(ProtobufFamily *family, const char *suffix, const Label *labels,
                           size_t n, double value, uint64_t exact)
{
    bool is_quantile = *suffix == '\0';
    SummaryMessage *summary = summary_of(family, metric_of(family, labels, n - is_quantile));
    if (is_quantile) {
        add_quantile(family, summary, labels[n - 1].value, value);
    } else if (strcmp(suffix, "_sum") == 0) {
        summary->has_sample_sum = true;
        summary->sample_sum = value;
    } else {
        summary->has_sample_count = true;
        summary->sample_count = exact;
    }
}

static void add_number(ProtobufFamily *family, MetricType type, const Label *labels, size_t n,
                       double value)
{
    Metric *metric = add_metric(family, labels, n);
    if (type == METRIC_COUNTER) {
        metric->counter = arena_make(family->arena, Io__Prometheus__Client__Counter);
        io__prometheus__client__counter__init(metric->counter);
        metric->counter->has_value = true;
        metric->counter->value = value;
    } else {
        metric->gauge = arena_make(family->arena, Io__Prometheus__Client__Gauge);
        io__prometheus__client__gauge__init(metric->gauge);
        metric->gauge->has_value = true;
        metric->gauge->value = value;
    }
}

void protobuf_sample(Exposition *e, const char *suffix, const Label *labels, size_t n_labels,
                     double value, uint64_t exact)
{
    if (e->type == METRIC_HISTOGRAM)
        add_to_histogram(e->gathered, suffix, labels, n_labels, value, exact);
    else if (e->type == METRIC_SUMMARY)
        add_to_summary(e->gathered, suffix, labels, n_labels, value, exact);
    else
        add_number(e->gathered, e->type, labels, n_labels, value);
}

/* ---- Exemplars ------------------------------------------------------------------------------- */

static void add_id(ProtobufFamily *family, ExemplarMessage *message, const char *name, Bytes id)
{
    Io__Prometheus__Client__LabelPair *pair =
        arena_make(family->arena, Io__Prometheus__Client__LabelPair);
    io__prometheus__client__label_pair__init(pair);
    pair->name = copy(family, name);
    pair->value = (char *)(uintptr_t)arena_text(family->arena, id);
    message->label[message->n_label++] = pair;
}

static ExemplarMessage *make_exemplar(ProtobufFamily *family, const Exemplar *exemplar)
{
    ExemplarMessage *message = arena_make(family->arena, ExemplarMessage);
    Io__Prometheus__Client__Timestamp *time =
        arena_make(family->arena, Io__Prometheus__Client__Timestamp);
    io__prometheus__client__exemplar__init(message);
    io__prometheus__client__timestamp__init(time);
    message->label = arena_array(family->arena, Io__Prometheus__Client__LabelPair *, 2);
    add_id(family, message, "trace_id", bytes(exemplar->trace, TRACE_ID_SIZE));
    add_id(family, message, "span_id", bytes(exemplar->span, TRACE_SPAN_SIZE));
    message->has_value = time->has_seconds = time->has_nanos = true;
    message->value = (double)exemplar->value / (double)SECOND;
    time->seconds = exemplar->at / SECOND;
    time->nanos = (int32_t)(exemplar->at % SECOND);
    message->timestamp = time;
    return message;
}

/* The last bucket is there only for its exemplar. Readers of native histograms want a list. */
void protobuf_exemplar(Exposition *e, const char *bound, uint64_t count, const Exemplar *exemplar)
{
    ProtobufFamily *family = e->gathered;
    HistogramMessage *histogram = histogram_of(family, last_metric(family));
    ExemplarMessage *message = make_exemplar(family, exemplar);
    double upper = strtod(bound, NULL);
    if (isinf(upper))
        add_bucket(family, histogram, upper, count);
    histogram->bucket[histogram->n_bucket - 1]->exemplar = message;
    if (!histogram->exemplars)
        histogram->exemplars = arena_array(family->arena, ExemplarMessage *, BOUNDS_MOST);
    histogram->exemplars[histogram->n_exemplars++] = message;
}

/* ---- Native histograms ----------------------------------------------------------------------- */

static void add_spans(ProtobufFamily *family, HistogramMessage *histogram, const NativeSpans *spans)
{
    histogram->n_positive_span = spans->n_spans;
    histogram->positive_span =
        arena_array(family->arena, Io__Prometheus__Client__BucketSpan *, spans->n_spans);
    for (uint32_t i = 0; i < spans->n_spans; i++) {
        Io__Prometheus__Client__BucketSpan *span =
            arena_make(family->arena, Io__Prometheus__Client__BucketSpan);
        io__prometheus__client__bucket_span__init(span);
        span->has_offset = span->has_length = true;
        span->offset = spans->spans[i].offset;
        span->length = spans->spans[i].length;
        histogram->positive_span[i] = span;
    }
    histogram->n_positive_delta = spans->n_deltas;
    histogram->positive_delta = arena_array(family->arena, int64_t, spans->n_deltas);
    memcpy(histogram->positive_delta, spans->deltas, spans->n_deltas * sizeof(int64_t));
}

void protobuf_native(Exposition *e, const NativeCounts *counts)
{
    ProtobufFamily *family = e->gathered;
    HistogramMessage *histogram = histogram_of(family, last_metric(family));
    histogram->has_schema = histogram->has_zero_threshold = histogram->has_zero_count = true;
    histogram->schema = NATIVE_SCHEMA;
    histogram->zero_threshold = NATIVE_ZERO;
    histogram->zero_count = counts->zero;
    histogram->sample_count = counts->zero;
    for (int slot = 0; slot < NATIVE_SLOTS; slot++)
        histogram->sample_count += counts->slots[slot];
    NativeSpans spans;
    native_spans(counts, &spans);
    add_spans(family, histogram, &spans);
}
