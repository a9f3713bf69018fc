/*
 * JobMetrics: how many jobs there are in each state and step, and for how long.
 *
 * They are counted every now and then by a thread of its own, and less often the longer it takes.
 * On the loop's thread, except for job_metrics_write.
 */
#ifndef GATEWAY_JOB_METRICS_H
#define GATEWAY_JOB_METRICS_H

#include "gateway/job_store/job_census.h"
#include "gateway/telemetry/exposition.h"

#include <uv.h>

typedef struct JobMetrics JobMetrics;

/* Whether no more jobs of a definition begin, as so many of them wait for another try. `most` 0:
   any number may. */
bool job_begins_are_held(uint64_t retrying, uint32_t most);

/* `every`: nanoseconds between two counts. `store` outlives it. Never NULL. */
JobMetrics *job_metrics_start(uv_loop_t *loop, Store *store, int64_t every);

/* The definitions of the config, of which it is told when their begins are held. */
void job_metrics_use(JobMetrics *metrics, const Config *config);

/* Before the loop ends. */
void job_metrics_stop(JobMetrics *metrics);

/* After the loop has ended: waits for what is being counted. A thread that hangs is left behind. */
void job_metrics_free(JobMetrics *metrics);

/* A MetricsWriter; `metrics` is a JobMetrics. Any thread. */
void job_metrics_write(Exposition *e, void *metrics);

#endif
