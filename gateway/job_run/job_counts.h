/*
 * JobCounts: the calls of steps, counted by how they have ended, for the metrics. Any thread.
 */
#ifndef GATEWAY_JOB_COUNTS_H
#define GATEWAY_JOB_COUNTS_H

#include "gateway/job/job_state.h"
#include "gateway/telemetry/exposition.h"

typedef struct JobCounts JobCounts;

/* Never NULL. */
JobCounts *job_counts_new(void);

/* NULL is allowed. */
void job_counts_free(JobCounts *counts);

/* A call has ended as `event` says: JOB_SUCCEEDED, JOB_NOT_YET, JOB_REFUSED, JOB_DECLINED, which is
   counted as refused, or JOB_BROKE. Of more than a thousand steps, the others are counted together.
 */
void job_counts_call(JobCounts *counts, const char *method, const char *step, bool undo,
                     JobEvent event);

/* So many jobs are held. */
void job_counts_held(JobCounts *counts, uint32_t held);

/* A MetricsWriter; `counts` is a JobCounts. */
void job_counts_write(Exposition *e, void *counts);

#endif
