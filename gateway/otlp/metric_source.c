#include "gateway/otlp/metric_source.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/otlp/metric_points.h"
#include "gateway/telemetry/metrics.pb-c.h"

typedef struct Collection {
    OtlpExporter *exporter;
    PointForm form;
    size_t batch;
    Arena *arena; /* of the next request; NULL: it is empty */
    Buffer points;
    uint32_t n;
} Collection;

static void pass_on(Collection *c)
{
    if (c->arena)
        otlp_exporter_take(c->exporter, c->arena, buffer_bytes(&c->points), c->n);
    c->arena = NULL;
    c->n = 0;
}

static void take_family(void *owner, const MetricFamily *family)
{
    Collection *c = owner;
    for (size_t at = 0, n; at < family->n_metric; at += n) {
        if (!c->arena) {
            c->arena = arena_new(ARENA_UNLIMITED);
            c->points = buffer_in(c->arena);
            buffer_extend(&c->points, c->batch + c->batch / 8);
        }
        n = metric_points_write(family, at, c->batch - c->points.size, &c->form, &c->points);
        c->n += (uint32_t)n;
        if (c->points.size >= c->batch)
            pass_on(c);
    }
}

void metric_source_gather(void *source, OtlpExporter *exporter, const Config *config)
{
    Collection c = {.exporter = exporter,
                    .form = {.start = ((MetricSource *)source)->start,
                             .now = clock_wall(),
                             .exponential = config->otlp.exponential},
                    .batch = config->otlp.metrics.batch};
    metrics_read(take_family, &c);
    pass_on(&c);
}
