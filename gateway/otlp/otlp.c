#include "gateway/otlp/otlp.h"

#include "base/clock.h"
#include "gateway/otlp/log_source.h"
#include "gateway/otlp/metric_source.h"

#include <stdlib.h>

enum { TRACES, METRICS, LOGS, SIGNALS };

struct Otlp {
    OtlpExporter *exporters[SIGNALS];
    MetricSource metrics;
    LogSource *logs;
};

void otlp_use(Otlp *otlp, Config *config)
{
    for (int i = 0; i < SIGNALS; i++)
        otlp_exporter_use(otlp->exporters[i], config);
    log_source_use(otlp->logs, config);
}

Otlp *otlp_open(Config *config)
{
    Otlp *otlp = calloc(1, sizeof *otlp);
    CHECK(otlp);
    otlp->exporters[TRACES] = otlp_exporter_new(&otlp_traces);
    otlp->exporters[METRICS] = otlp_exporter_new(&otlp_metrics);
    otlp->exporters[LOGS] = otlp_exporter_new(&otlp_logs);
    otlp->metrics.start = clock_wall();
    otlp->logs = log_source_new(otlp->exporters[LOGS]);
    otlp_exporter_gathers(otlp->exporters[METRICS], metric_source_gather, &otlp->metrics);
    otlp_exporter_gathers(otlp->exporters[LOGS], log_source_gather, otlp->logs);
    otlp_use(otlp, config);
    return otlp;
}

OtlpExporter *otlp_of_traces(const Otlp *otlp)
{
    return otlp->exporters[TRACES];
}

void otlp_stop(Otlp *otlp)
{
    otlp_exporter_end(otlp->exporters[TRACES]);
    otlp_exporter_end(otlp->exporters[METRICS]);
}

void otlp_end(Otlp *otlp)
{
    log_source_use(otlp->logs, NULL);
    otlp_exporter_end(otlp->exporters[LOGS]);
    log_source_free(otlp->logs);
    free(otlp);
}

void otlp_metrics_write(Exposition *e, void *otlp)
{
    otlp_exporters_metrics_write(e, ((Otlp *)otlp)->exporters, SIGNALS);
}
