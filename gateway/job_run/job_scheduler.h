/*
 * JobScheduler: accepts the jobs that definitions have a `schedule` for, each when its time has
 * come. One loop, its thread only.
 */
#ifndef GATEWAY_JOB_SCHEDULER_H
#define GATEWAY_JOB_SCHEDULER_H

#include "gateway/job_store/job_storage.h"
#include "gateway/loop/loop.h"

typedef struct JobScheduler JobScheduler;

/* `on_accepted`: a job was stored. `storage` outlives it. Begins with job_scheduler_use. Never
 * NULL.
 */
JobScheduler *job_scheduler_new(Loop *loop, JobStorage *storage,
                                void (*on_accepted)(void *owner, Bytes id), void *owner);

/* Looks at the loop's config, which may be another one. */
void job_scheduler_use(JobScheduler *scheduler);

/* Accepts no more. */
void job_scheduler_stop(JobScheduler *scheduler);

/* It is stopped, and completions of the storage do not come any more. NULL is allowed. */
void job_scheduler_free(JobScheduler *scheduler);

#endif
