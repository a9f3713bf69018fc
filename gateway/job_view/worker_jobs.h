/*
 * WorkerJobs: what the calls of one worker have of jobs: its port to the store, the table of jobs
 * behind it, and the desk where its loop asks (gateway/job_view). The first worker also executes
 * jobs (gateway/job_run).
 *
 * Embedded in the worker, all zeros without a store. On the loop's thread, or while it does not
 * run.
 */
#ifndef GATEWAY_WORKER_JOBS_H
#define GATEWAY_WORKER_JOBS_H

#include "gateway/job_hook/job_outbox.h"
#include "gateway/job_hook/job_postman.h"
#include "gateway/job_run/job_executor.h"
#include "gateway/job_store/job_table.h"
#include "gateway/job_watch/job_watch.h"
#include "gateway/store/store_ear.h"

/* The same for all workers. `store` NULL: there is none. */
typedef struct JobsShared {
    Store *store;
    JobNews *news; /* who changes a job, or hears that another gateway has, tells it there */
    JobCounts *counts;
    JobPostman *postman;
    /* Who executes jobs here: one process, for ever; and who did so before, if it is known to have
       died; else NULL. */
    const char *name, *gone;
    JobExecutor *executor; /* of the first worker, as long as its loop */
} JobsShared;

typedef struct WorkerJobs {
    JobsShared *shared;
    StorePort *port;
    JobTable *table;
    JobHooks hooks;        /* what the table tells */
    JobExecutor *executor; /* NULL: another worker has it */
    Loop *loop;
    StoreEar *ear; /* of the worker that executes; NULL: there is nothing to hear */
} WorkerJobs;

/* `shared` outlives it; loop->config is set. The first loop executes jobs; it calls `on_idle` after
   worker_jobs_drain, when it has none any more. */
void worker_jobs_open(WorkerJobs *jobs, Loop *loop, JobsShared *shared,
                      void (*on_idle)(void *owner), void *owner);

/* The gateway serves: jobs are executed. */
void worker_jobs_start(WorkerJobs *jobs);

/* The loop has another config; the former one may go after this. */
void worker_jobs_use(WorkerJobs *jobs, const Config *config);

/* The loop drains: calls of steps may end, and what waits for a job ends. */
void worker_jobs_drain(WorkerJobs *jobs, Loop *loop);
bool worker_jobs_are_idle(const WorkerJobs *jobs);

/* Calls of steps are cut off, and all jobs are handed over: before upstreams_close. May be called
   again. */
void worker_jobs_end(WorkerJobs *jobs);

/* The store's answers do not come any more: before loop_deinit; and then the end, after it. */
void worker_jobs_leave(WorkerJobs *jobs);
void worker_jobs_close(WorkerJobs *jobs, Loop *loop);

#endif
