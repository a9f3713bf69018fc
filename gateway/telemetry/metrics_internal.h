/* The families of the metrics page, by the file that writes them. For gateway/metrics*.c only. */
#ifndef GATEWAY_METRICS_INTERNAL_H
#define GATEWAY_METRICS_INTERNAL_H

#include "gateway/telemetry/exposition.h"
#include "gateway/telemetry/telemetry_internal.h"

/* metrics_calls.c: calls, durations, errors, losses. `arena` is for sums. */
void metrics_write_calls(Exposition *e, TelemetryProcess *process, Arena *arena);

/* metrics_process.c: memory, files, time, from the system. */
void metrics_write_process(Exposition *e);

#endif
