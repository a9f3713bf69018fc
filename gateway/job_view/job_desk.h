/*
 * JobDesk: where the calls of one loop ask about jobs.
 *
 *      job_maker.h    methods that begin jobs, are answered from them, or are blocked by them
 *      operations.h   google.longrunning.Operations
 *
 * Both ask the storage, and are answered in another turn. A call may end before; what it has asked
 * is a JobAsk, which lives until the storage has answered.
 */
#ifndef GATEWAY_JOB_DESK_H
#define GATEWAY_JOB_DESK_H

#include "gateway/call/exchange.h"
#include "gateway/job_store/job_storage.h"
#include "gateway/job_watch/job_watch.h"

typedef struct JobDeskSettings {
    Loop *loop;
    JobStorage *storage; /* of the same loop */
    JobNews *news;
    JobWatchLimits watches; /* operations that are waited for or followed at the same time */
    /* A job was accepted; or has got an order: whoever executes jobs looks at it. On this loop;
       NULL: nobody does here. */
    void (*on_work)(void *owner, Bytes id);
    void (*on_order)(void *owner, Bytes id);
    void *owner;
} JobDeskSettings;

/* Sets Loop.jobs and Loop.operations. What the settings point to outlives it. On the loop's thread,
   or before it runs. */
void job_desk_open(const JobDeskSettings *settings);

/* The loop drains: what waits for a job ends. NULL is allowed. */
void job_desk_drain(JobDesk *desk);

/* When no call runs any more, and the storage is closed. NULL is allowed. */
void job_desk_close(JobDesk *desk);

#endif
