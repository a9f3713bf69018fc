#include "gateway/process/worker_jobs.h"

#include "gateway/job_view/job_desk.h"

enum { WATCHES = 1000 };

static void on_work(void *owner, Bytes id)
{
    const JobsShared *shared = owner;
    if (shared->on_work)
        shared->on_work(shared->owner);
}

void worker_jobs_open(WorkerJobs *jobs, Loop *loop, const JobsShared *shared)
{
    if (!shared->store)
        return;
    jobs->shared = shared;
    jobs->port = store_port_open(shared->store, &loop->uv);
    jobs->table = job_table_open(shared->store, jobs->port, &loop->config->store.keys);
    job_desk_open(&(JobDeskSettings){.loop = loop,
                                     .storage = job_table_storage(jobs->table),
                                     .news = shared->news,
                                     .watches = WATCHES,
                                     .on_work = on_work,
                                     .owner = (void *)(uintptr_t)shared});
}

void worker_jobs_use(WorkerJobs *jobs, const Config *config)
{
    if (jobs->table)
        job_table_use_keys(jobs->table, &config->store.keys);
}

void worker_jobs_leave(WorkerJobs *jobs)
{
    if (jobs->port)
        store_port_close(jobs->port);
}

void worker_jobs_close(WorkerJobs *jobs, Loop *loop)
{
    if (!jobs->table)
        return;
    job_table_close(jobs->table);
    job_desk_close(loop->jobs);
}
