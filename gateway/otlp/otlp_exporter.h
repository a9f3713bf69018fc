/*
 * OtlpExporter: sends one signal (spans, metrics, or lines of the log) to a collector, by
 * OpenTelemetry's protocol 1.3 (OTLP): gRPC, or HTTP.
 *
 *      any thread  otlp_exporter_take --+
 *                                       +--> queue ----> request ----> collector: sent, rejected
 *      its own     gather, every .. s --+    full: dropped     \---> later again, in the same order
 *
 * An event loop on a thread of its own, which may wait for the collector; no loop of calls does. It
 * runs once a config has the signal. One request at a time. After a failure that may pass it waits,
 * from a second up to half a minute, or as long as the collector says, while the queue fills; what
 * it has no room for is dropped, and counted. How it is, is in metrics; that it fails, and that it
 * works again, are events.
 */
#ifndef GATEWAY_OTLP_EXPORTER_H
#define GATEWAY_OTLP_EXPORTER_H

#include "gateway/config/config.h"
#include "gateway/telemetry/exposition.h"

typedef struct OtlpExporter OtlpExporter;

/* What is particular to a signal. */
typedef struct OtlpSignal {
    const char *name;   /* "traces": label of its metrics */
    const char *items;  /* "spans" */
    const char *export; /* path of the method */
    const char *event_fails, *event_works, *event_rejected;
    const char *queue; /* the setting that bounds it: "tracing.queue" */
    const OtlpTarget *(*target)(const Config *config);
} OtlpSignal;

extern const OtlpSignal otlp_traces, otlp_metrics, otlp_logs;

/* Never NULL. Main thread, as all but otlp_exporter_take and otlp_exporter_gather_now. */
OtlpExporter *otlp_exporter_new(const OtlpSignal *signal);

/* Called on the exporter's thread every `every` of its target, and once before it ends: takes what
   has come together, by otlp_exporter_take. */
typedef void OtlpGather(void *owner, OtlpExporter *exporter, const Config *config);

/* Before the first otlp_exporter_use. */
void otlp_exporter_gathers(OtlpExporter *exporter, OtlpGather *gather, void *owner);

/* The target from now on, or none. Keeps a reference. */
void otlp_exporter_use(OtlpExporter *exporter, Config *config);

/* Takes `n` items (otlp_request.h) with their arena. After the first config with the signal; any
   thread. */
void otlp_exporter_take(OtlpExporter *exporter, Arena *arena, Bytes items, uint32_t n);

/* Items that come together, until there are enough for a request. */
typedef struct OtlpBatch {
    Arena *arena; /* of the items; NULL: there are none */
    Buffer items;
    uint32_t n;
} OtlpBatch;

/* Makes room for `size` bytes of items, unless it has begun already. */
void otlp_batch_begin(OtlpBatch *batch, size_t size);

/* The exporter takes what there is; the batch is empty again. */
void otlp_batch_send(OtlpBatch *batch, OtlpExporter *exporter);

/* Counts items that did not come so far, because there was no room. Any thread. */
void otlp_exporter_drop(OtlpExporter *exporter, uint32_t n);

/* Bytes that wait, and the most that may. Any thread. */
size_t otlp_exporter_queued(const OtlpExporter *exporter);
size_t otlp_exporter_most(const OtlpExporter *exporter);

/* Gathers without waiting for the time to pass. After the first config with the signal; any
   thread. */
void otlp_exporter_gather_now(OtlpExporter *exporter);

/* Ends when what waits is sent or cannot be, two seconds later at most, and frees. Nobody gives it
   anything any more. */
void otlp_exporter_end(OtlpExporter *exporter);

/* The families of all exporters. Any thread. */
void otlp_exporters_metrics_write(Exposition *e, OtlpExporter *const *exporters, uint32_t n);

#endif
