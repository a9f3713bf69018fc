#include "gateway/job_view/worker_jobs.h"

#include "gateway/job_view/job_desk.h"
#include "gateway/telemetry/telemetry.h"

static void on_work(void *owner, Bytes id)
{
    const JobsShared *shared = owner;
    job_executor_accepted(shared->executor);
}

static void on_order(void *owner, Bytes id)
{
    const JobsShared *shared = owner;
    job_executor_ordered(shared->executor);
}

/* Another gateway has changed a job. */
static void on_notice(void *owner, Bytes id)
{
    WorkerJobs *jobs = owner;
    job_news_tell(jobs->shared->news, id);
    job_executor_hear(jobs->executor, id);
}

/* From the first config on that has jobs: it has a connection of its own. */
static void listen_to_others(WorkerJobs *jobs, const Config *config)
{
    if (jobs->executor && !jobs->ear && config->n_jobs)
        jobs->ear =
            store_ear_open(jobs->shared->store, &jobs->loop->uv, JOB_CHANNEL, on_notice, jobs);
}

static void on_parked(void *owner, Bytes definition, Bytes cause, uint32_t times)
{
    telemetry_event("warning", "job_parked", OK,
                    "%.*s: %u jobs have failed one after the other, of several clients (%.*s): no "
                    "more of them begin until somebody says so: passerelle jobs unpark %.*s",
                    BYTES_ARGS(definition), times, BYTES_ARGS(cause), BYTES_ARGS(definition));
}

static void open_executor(WorkerJobs *jobs, Loop *loop, void (*on_idle)(void *owner), void *owner)
{
    jobs->executor =
        job_executor_new(&(JobExecutorSettings){.loop = loop,
                                                .storage = job_table_storage(jobs->table),
                                                .news = jobs->shared->news,
                                                .counts = jobs->shared->counts,
                                                .name = jobs->shared->name,
                                                .on_idle = on_idle,
                                                .owner = owner});
    jobs->shared->executor = jobs->executor;
    job_table_tell_parked(jobs->table, on_parked, NULL);
    if (jobs->shared->gone)
        job_table_mourn(jobs->table, bytes_of(jobs->shared->gone));
}

void worker_jobs_open(WorkerJobs *jobs, Loop *loop, JobsShared *shared,
                      void (*on_idle)(void *owner), void *owner)
{
    if (!shared->store)
        return;
    const StoreConfig *store = &loop->config->store;
    jobs->shared = shared;
    jobs->loop = loop;
    jobs->port = store_port_open(shared->store, &loop->uv);
    jobs->table = job_table_open(shared->store, jobs->port, &store->keys);
    job_hooks_init(&jobs->hooks, loop->config, shared->postman);
    job_table_use_outbox(jobs->table, &jobs->hooks.outbox);
    if (loop->index == 0)
        open_executor(jobs, loop, on_idle, owner);
    job_desk_open(&(JobDeskSettings){.loop = loop,
                                     .storage = job_table_storage(jobs->table),
                                     .news = shared->news,
                                     .watches = {store->job_waits, store->job_waits_per_client},
                                     .on_work = on_work,
                                     .on_order = on_order,
                                     .owner = shared});
}

void worker_jobs_start(WorkerJobs *jobs)
{
    if (!jobs->executor)
        return;
    job_executor_start(jobs->executor);
    listen_to_others(jobs, jobs->loop->config);
}

void worker_jobs_use(WorkerJobs *jobs, const Config *config)
{
    if (jobs->table)
        job_table_use_keys(jobs->table, &config->store.keys);
    jobs->hooks.config = config;
    if (jobs->executor)
        job_executor_use(jobs->executor);
    listen_to_others(jobs, config);
}

void worker_jobs_drain(WorkerJobs *jobs, Loop *loop)
{
    if (jobs->executor)
        job_executor_stop(jobs->executor);
    job_desk_drain(loop->jobs);
}

bool worker_jobs_are_idle(const WorkerJobs *jobs)
{
    return job_executor_is_idle(jobs->executor);
}

void worker_jobs_end(WorkerJobs *jobs)
{
    store_ear_close(jobs->ear);
    jobs->ear = NULL;
    job_executor_end(jobs->executor);
}

void worker_jobs_leave(WorkerJobs *jobs)
{
    store_ear_close(jobs->ear);
    jobs->ear = NULL;
    if (jobs->port)
        store_port_close(jobs->port);
}

void worker_jobs_close(WorkerJobs *jobs, Loop *loop)
{
    if (!jobs->table)
        return;
    job_executor_free(jobs->executor);
    job_table_close(jobs->table);
    job_desk_close(loop->jobs);
}
