/*
 * Otlp: what the process tells by OpenTelemetry's protocol: an exporter for each signal.
 *
 *      traces    gives spans         gateway/trace
 *      metrics   the page /metrics   metric_source.h
 *      logs      lines of the log    log_source.h
 *
 * Main thread.
 */
#ifndef GATEWAY_OTLP_H
#define GATEWAY_OTLP_H

#include "gateway/otlp/otlp_exporter.h"

typedef struct Otlp Otlp;

/* Never NULL. After telemetry_start. */
Otlp *otlp_open(Config *config);

/* Keeps a reference. */
void otlp_use(Otlp *otlp, Config *config);

/* Who sends spans. Lives as long as this. */
OtlpExporter *otlp_of_traces(const Otlp *otlp);

/* Ends what sends spans and metrics, when these are sent or cannot be. Nobody gives it spans any
   more, and it is no longer among the metrics. */
void otlp_stop(Otlp *otlp);

/* The same for the log; then frees. After otlp_stop; before telemetry_stop. */
void otlp_end(Otlp *otlp);

/* A MetricsWriter; any thread. */
void otlp_metrics_write(Exposition *e, void *otlp);

#endif
