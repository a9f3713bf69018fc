/*
 * WorkerJobs: what the calls of one worker have of jobs: its port to the store, the table of jobs
 * behind it, and the desk where its loop asks (gateway/job_view).
 *
 * Embedded in the worker, all zeros without a store. On the loop's thread, or while it does not
 * run.
 */
#ifndef GATEWAY_WORKER_JOBS_H
#define GATEWAY_WORKER_JOBS_H

#include "gateway/job_store/job_table.h"
#include "gateway/job_watch/job_watch.h"

/* The same for all workers. `store` NULL: there is none. */
typedef struct JobsShared {
    Store *store;
    JobNews *news; /* who changes a job, or hears that another gateway has, tells it there */
    /* A job was accepted, or has got an order: whoever executes jobs looks for it. On any worker's
       thread; NULL: nobody does. */
    void (*on_work)(void *owner);
    void *owner;
} JobsShared;

typedef struct WorkerJobs {
    const JobsShared *shared;
    StorePort *port;
    JobTable *table;
} WorkerJobs;

/* `shared` outlives it; loop->config is set. */
void worker_jobs_open(WorkerJobs *jobs, Loop *loop, const JobsShared *shared);

/* The loop has another config; the former one may go after this. */
void worker_jobs_use(WorkerJobs *jobs, const Config *config);

/* The store's answers do not come any more: before loop_deinit; and then the end, after it. */
void worker_jobs_leave(WorkerJobs *jobs);
void worker_jobs_close(WorkerJobs *jobs, Loop *loop);

#endif
