/*
 * JobExecutor: what executes the jobs of a gateway, on one of its loops: the runner, with the
 * loop's clock, its config and its calls; and the schedules.
 *
 * The loop's thread only, except for job_executor_accepted and job_executor_ordered.
 */
#ifndef GATEWAY_JOB_EXECUTOR_H
#define GATEWAY_JOB_EXECUTOR_H

#include "gateway/job_run/job_counts.h"
#include "gateway/job_store/job_storage.h"
#include "gateway/job_watch/job_watch.h"
#include "gateway/loop/loop.h"

typedef struct JobExecutor JobExecutor;

typedef struct JobExecutorSettings {
    Loop *loop;          /* its config is set */
    JobStorage *storage; /* of the same loop */
    JobNews *news;       /* is told of each change */
    JobCounts *counts;
    const char *name; /* of this process, as an owner of jobs */
    /* After job_executor_stop: nothing is held any more. */
    void (*on_idle)(void *owner);
    void *owner;
} JobExecutorSettings;

/* What the settings point to outlives it. Never NULL. */
JobExecutor *job_executor_new(const JobExecutorSettings *settings);

/* From now on it executes jobs. On the loop's thread, or before it runs. */
void job_executor_start(JobExecutor *executor);

/* Something was accepted, or has got an order, which no step comes before. Any thread, until the
   executor is freed. */
void job_executor_accepted(JobExecutor *executor);
void job_executor_ordered(JobExecutor *executor);

/* Either of it, of this job, on the loop's thread. */
void job_executor_hear(JobExecutor *executor, Bytes id);

/* The loop has another config. */
void job_executor_use(JobExecutor *executor);

/* The gateway stops: no call is begun any more. Each job is handed over when its call has ended. */
void job_executor_stop(JobExecutor *executor);

/* Whether nothing is held. NULL is allowed. */
bool job_executor_is_idle(const JobExecutor *executor);

/* Calls that still run are cancelled, and all jobs are handed over; before the storage's port is
   closed. NULL is allowed, as for the next one. */
void job_executor_end(JobExecutor *executor);

/* After loop_deinit. */
void job_executor_free(JobExecutor *executor);

#endif
