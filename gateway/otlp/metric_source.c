#include "gateway/otlp/metric_source.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/otlp/metric_points.h"
#include "gateway/telemetry/metrics.pb-c.h"

typedef struct Collection {
    OtlpExporter *exporter;
    PointForm form;
    size_t most; /* bytes of a request */
    OtlpBatch batch;
} Collection;

static void take_family(void *owner, const MetricFamily *family)
{
    Collection *c = owner;
    for (size_t at = 0, n; at < family->n_metric; at += n) {
        Buffer *points = &c->batch.items;
        otlp_batch_begin(&c->batch, c->most);
        n = metric_points_write(family, at, c->most - points->size, &c->form, points);
        c->batch.n += (uint32_t)n;
        if (points->size >= c->most)
            otlp_batch_send(&c->batch, c->exporter);
    }
}

void metric_source_gather(void *source, OtlpExporter *exporter, const Config *config)
{
    Collection c = {.exporter = exporter,
                    .form = {.start = ((MetricSource *)source)->start,
                             .now = clock_wall(),
                             .exponential = config->otlp.exponential},
                    .most = config->otlp.metrics.batch};
    metrics_read(take_family, &c);
    otlp_batch_send(&c.batch, exporter);
}
