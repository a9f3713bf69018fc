/*
 * TraceExporter: sends spans to a collector, by OpenTelemetry's protocol 1.3 (OTLP): gRPC, or HTTP.
 *
 *      loops   trace_exporter_take ----> queue ----> request ----> collector: sent, rejected
 *                                   full: dropped            \---> later again, in the same order
 *
 * An event loop on a thread of its own, which may wait for the collector; no loop of calls does. It
 * runs once a config records calls. One request at a time. After a failure that may pass it waits,
 * from a second up to half a minute, while the queue fills; what it has no room for is dropped, and
 * counted. How it is, is in metrics; that it fails, and that it works again, are events.
 */
#ifndef GATEWAY_TRACE_EXPORTER_H
#define GATEWAY_TRACE_EXPORTER_H

#include "gateway/config/config.h"
#include "gateway/telemetry/exposition.h"

typedef struct TraceExporter TraceExporter;

/* Never NULL. Main thread, as the next one and the last. */
TraceExporter *trace_exporter_new(void);

/* The collector from now on, or none. Keeps a reference. */
void trace_exporter_use(TraceExporter *exporter, Config *config);

/* Takes `n` spans (span_write.h) with their arena. After the first config that records calls; any
   thread. */
void trace_exporter_take(TraceExporter *exporter, Arena *arena, Bytes spans, uint32_t n);

/* Ends when what waits is sent or cannot be, two seconds later at most, and frees. Nobody takes
   spans any more. */
void trace_exporter_end(TraceExporter *exporter);

/* A MetricsWriter; any thread. */
void trace_exporter_metrics_write(Exposition *e, void *exporter);

#endif
