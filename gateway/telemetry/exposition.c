#include "gateway/telemetry/exposition.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/telemetry/exposition_protobuf.h"

#include <inttypes.h>
#include <stdio.h>

enum { FULL_NAME_MOST = 128 };

/* The suffix of a sample's name after the name of its family. */
static const char *type_suffix(MetricType type)
{
    return type == METRIC_COUNTER ? "_total" : type == METRIC_INFO ? "_info" : "";
}

static const char *type_name(const Exposition *e, MetricType type)
{
    switch (type) {
    case METRIC_COUNTER: return "counter";
    case METRIC_GAUGE: return "gauge";
    case METRIC_HISTOGRAM: return "histogram";
    case METRIC_SUMMARY: return "summary";
    case METRIC_INFO: break;
    }
    return e->format == METRICS_OPENMETRICS ? "info" : "gauge";
}

static void begin_message(Exposition *e, const char *name, const char *suffix, const char *help)
{
    char full[FULL_NAME_MOST];
    int size = snprintf(full, sizeof full, "%s%s", name, suffix);
    CHECK(size > 0 && (size_t)size < sizeof full); /* names are our own */
    protobuf_family_begin(e, full, e->type, help);
}

void exposition_family(Exposition *e, const char *name, MetricType type, const char *help)
{
    const char *suffix = e->format == METRICS_OPENMETRICS ? "" : type_suffix(type);
    e->family = name;
    e->type = type;
    if (e->format == METRICS_PROTOBUF) {
        begin_message(e, name, suffix, help);
        return;
    }
    buffer_printf(e->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name, suffix,
                  type_name(e, type));
}

static void add_label_value(Buffer *out, const char *value)
{
    for (const char *at = value; *at; at++) {
        switch (*at) {
        case '\\': buffer_add_text(out, "\\\\"); break;
        case '"': buffer_add_text(out, "\\\""); break;
        case '\n': buffer_add_text(out, "\\n"); break;
        default: buffer_add_byte(out, (uint8_t)*at);
        }
    }
}

static void begin_sample(Exposition *e, const char *suffix, const Label *labels, size_t n_labels)
{
    Buffer *out = e->out;
    buffer_add_text(out, e->family);
    buffer_add_text(out, suffix);
    buffer_add_text(out, type_suffix(e->type));
    for (size_t i = 0; i < n_labels; i++) {
        buffer_add_byte(out, i ? ',' : '{');
        buffer_add_text(out, labels[i].name);
        buffer_add_text(out, "=\"");
        add_label_value(out, labels[i].value);
        buffer_add_byte(out, '"');
    }
    if (n_labels)
        buffer_add_byte(out, '}');
    buffer_add_byte(out, ' ');
}

void exposition_number(Exposition *e, const char *suffix, const Label *labels, size_t n_labels,
                       uint64_t value)
{
    if (e->format == METRICS_PROTOBUF) {
        protobuf_sample(e, suffix, labels, n_labels, (double)value, value);
        return;
    }
    begin_sample(e, suffix, labels, n_labels);
    buffer_printf(e->out, "%" PRIu64 "\n", value);
}

static void add_seconds(Buffer *out, int64_t nanoseconds)
{
    buffer_printf(out, "%" PRId64 ".%09" PRId64, nanoseconds / SECOND, nanoseconds % SECOND);
}

static void add_exemplar(Buffer *out, const Exemplar *exemplar)
{
    buffer_printf(out, " # {trace_id=\"%.*s\",span_id=\"%.*s\"} ", TRACE_ID_SIZE, exemplar->trace,
                  TRACE_SPAN_SIZE, exemplar->span);
    add_seconds(out, exemplar->value);
    buffer_add_byte(out, ' ');
    add_seconds(out, exemplar->at);
}

void exposition_bucket(Exposition *e, const Label *labels, size_t n_labels, uint64_t value,
                       const Exemplar *exemplar)
{
    if (e->format == METRICS_PROTOBUF) {
        protobuf_sample(e, "_bucket", labels, n_labels, (double)value, value);
        if (exemplar)
            protobuf_exemplar(e, labels[n_labels - 1].value, value, exemplar);
        return;
    }
    begin_sample(e, "_bucket", labels, n_labels);
    buffer_printf(e->out, "%" PRIu64, value);
    if (exemplar && e->format == METRICS_OPENMETRICS)
        add_exemplar(e->out, exemplar);
    buffer_add_byte(e->out, '\n');
}

void exposition_seconds(Exposition *e, const char *suffix, const Label *labels, size_t n_labels,
                        int64_t nanoseconds)
{
    if (e->format == METRICS_PROTOBUF) {
        protobuf_sample(e, suffix, labels, n_labels, (double)nanoseconds / (double)SECOND, 0);
        return;
    }
    begin_sample(e, suffix, labels, n_labels);
    add_seconds(e->out, nanoseconds);
    buffer_add_byte(e->out, '\n');
}

void exposition_native(Exposition *e, const NativeCounts *counts)
{
    if (e->format == METRICS_PROTOBUF)
        protobuf_native(e, counts);
}

void exposition_single(Exposition *e, const char *name, MetricType type, const char *help,
                       uint64_t value)
{
    exposition_family(e, name, type, help);
    exposition_number(e, "", NULL, 0, value);
}

void exposition_end(Exposition *e)
{
    if (e->format == METRICS_OPENMETRICS)
        buffer_add_text(e->out, "# EOF\n");
    if (e->format == METRICS_PROTOBUF)
        protobuf_end(e);
}
