#include "gateway/job_run/job_executor.h"

#include "base/arena.h"
#include "gateway/job/job_time.h"
#include "gateway/job_run/job_caller.h"
#include "gateway/job_run/job_orphans.h"
#include "gateway/job_run/job_scheduler.h"
#include "gateway/loop/config_use.h"
#include "gateway/telemetry/telemetry.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Looks of the runner after which a job that nobody has taken is looked at: a minute. */
enum { ORPHANED_AFTER = 60 };

struct JobExecutor {
    JobExecutorSettings settings;
    JobBook book;
    JobClock clock;
    JobTime time;
    JobHearer hearer;
    JobCaller caller;
    JobRunner *runner;
    JobScheduler *scheduler;
    JobOrphans *orphans;
    Timer timer; /* of the runner's clock */
    bool started, stopping;
    atomic_bool posted;  /* job_executor_accepted or job_executor_ordered is on its way */
    atomic_bool ordered; /* the latter */
};

/* ---- Definitions ----------------------------------------------------------------------------- */

static JobExecutor *of_book(JobBook *book)
{
    return (JobExecutor *)((char *)book - offsetof(JobExecutor, book));
}

static const JobDefinition *hold(JobBook *book, const JobRecord *record, void **held_out)
{
    Loop *loop = of_book(book)->settings.loop;
    const JobDefinition *definition = job_definition_of(loop->config, record);
    if (definition)
        *held_out = config_use(loop);
    return definition;
}

static void release(JobBook *book, void *held)
{
    config_release(of_book(book)->settings.loop, held);
}

static const JobLimit *limits(JobBook *book, uint32_t *n_out)
{
    Loop *loop = of_book(book)->settings.loop;
    const Config *config = loop->config;
    JobLimit *all = arena_array(loop_scratch(loop), JobLimit, config->n_jobs);
    *n_out = all ? config->n_jobs : 0;
    for (uint32_t i = 0; i < *n_out; i++) {
        const JobDefinition *job = &config->jobs[i];
        all[i] = (JobLimit){.definition = bytes_of(job->name),
                            .revision = job->revision,
                            .structure = job->structure,
                            .impact = job->method->route->impact,
                            .running = job->running,
                            .running_per_client = job->running_per_client,
                            .retrying = job->retrying,
                            .retrying_per_client = job->retrying_per_client,
                            .park_after = job->park_after};
    }
    return all;
}

/* ---- The clock ------------------------------------------------------------------------------- */

static JobExecutor *of_clock(JobClock *clock)
{
    return (JobExecutor *)((char *)clock - offsetof(JobExecutor, clock));
}

static int64_t now(JobClock *clock)
{
    return clock_now();
}

static int64_t wall(JobClock *clock)
{
    return job_time_look(&of_clock(clock)->time, clock_wall(), clock_now());
}

static void tell_if_idle(JobExecutor *executor)
{
    job_counts_held(executor->settings.counts, job_runner_held(executor->runner));
    if (executor->stopping && job_executor_is_idle(executor))
        executor->settings.on_idle(executor->settings.owner);
}

/* In a turn of the loop, so that no call begins within the end of another. Whatever happens to a
   job ends with this. */
static void wake(JobClock *clock, int64_t when)
{
    JobExecutor *executor = of_clock(clock);
    Loop *loop = executor->settings.loop;
    if (!executor->started)
        return;
    if (when == INT64_MAX)
        timer_stop(&loop->timers, &executor->timer);
    else
        timer_start(&loop->timers, &executor->timer, when);
    if (executor->runner)
        tell_if_idle(executor);
}

static void on_timer(Timer *timer)
{
    JobExecutor *executor = (JobExecutor *)((char *)timer - offsetof(JobExecutor, timer));
    job_runner_turn(executor->runner);
}

/* ---- What is heard --------------------------------------------------------------------------- */

static JobExecutor *of_hearer(JobHearer *hearer)
{
    return (JobExecutor *)((char *)hearer - offsetof(JobExecutor, hearer));
}

static void on_change(JobHearer *hearer, const JobRecord *record)
{
    job_news_tell(of_hearer(hearer)->settings.news, record->id);
}

static void on_call(JobHearer *hearer, const JobCallOrder *order, const JobCallEnd *end)
{
    job_counts_call(of_hearer(hearer)->settings.counts, order->definition->name,
                    order->definition->steps[order->step].name, order->undo, end->event);
}

/* The ledger has it among the failures of the job's method: those of one kind together, whatever
   the services have said of each. */
static void on_stuck(JobHearer *hearer, const JobRecord *record, const char *why)
{
    Loop *loop = of_hearer(hearer)->settings.loop;
    const JobFailure *failure = &record->failure;
    const JobDefinition *definition =
        config_find_job(loop->config, record->definition, record->revision);
    const Method *method = definition ? definition->method : NULL;
    Arena *arena = loop_scratch(loop);
    Result kind = FAIL(arena, FAULT_JOB_STUCK, "%.*s: %s%s%.*s", BYTES_ARGS(record->definition),
                       why, failure->fault.size ? "; step " : "", BYTES_ARGS(failure->step));
    Result r = FAIL_OVER(arena, kind, FAULT_JOB_STUCK, "the job %.*s%s%.*s", BYTES_ARGS(record->id),
                         failure->fault.size ? ": " : "", BYTES_ARGS(failure->message));
    telemetry_record_refused(loop,
                             &(CallRecord){.request_id = record->request_id,
                                           .step_of = arena_text(arena, record->id),
                                           .peer = "",
                                           .listener = "",
                                           .dialect = DIALECT_GRPC,
                                           .method = method,
                                           .route = method ? method->route : NULL,
                                           .rule = "",
                                           .served_why = "",
                                           .status = {.code = (Code)FAULT_JOB_STUCK.grpc_status},
                                           .why = r,
                                           .began = clock_wall()});
    telemetry_event("warning", "job_stuck", r, "job %.*s waits for an operator",
                    BYTES_ARGS(record->id));
}

void job_executor_hear(JobExecutor *executor, Bytes id)
{
    job_runner_hear(executor->runner, id);
}

static void run_accepted(Loop *loop, void *argument)
{
    JobExecutor *executor = argument;
    (void)loop;
    atomic_store(&executor->posted, false);
    bool ordered = atomic_exchange(&executor->ordered, false);
    if (executor->runner && ordered)
        job_runner_hear_order(executor->runner);
    else if (executor->runner)
        job_runner_hear(executor->runner, BYTES_NONE);
}

void job_executor_accepted(JobExecutor *executor)
{
    if (!atomic_exchange(&executor->posted, true))
        loop_post(executor->settings.loop, run_accepted, executor);
}

void job_executor_ordered(JobExecutor *executor)
{
    atomic_store(&executor->ordered, true);
    job_executor_accepted(executor);
}

static void on_orphan(void *owner, const JobRecord *record)
{
    JobExecutor *executor = owner;
    on_stuck(
        &executor->hearer, record,
        "the config has no definition of its revision with the steps that it was begun with: put "
        "that revision back, beside the new one (one job of each revision is told of)");
}

static void on_scheduled(void *owner, Bytes id)
{
    job_executor_hear(owner, id);
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

JobExecutor *job_executor_new(const JobExecutorSettings *settings)
{
    Loop *loop = settings->loop;
    const StoreConfig *store = &loop->config->store;
    JobExecutor *executor = calloc(1, sizeof *executor);
    CHECK(executor);
    *executor = (JobExecutor){.settings = *settings,
                              .book = {hold, release, limits},
                              .clock = {now, wall, wake},
                              .hearer = {on_change, on_call, on_stuck},
                              .timer = {.fire = on_timer}};
    job_caller_init(&executor->caller, loop);
    executor->runner = job_runner_new(&(JobRunnerSettings){.storage = settings->storage,
                                                           .backend = &executor->caller.backend,
                                                           .book = &executor->book,
                                                           .clock = &executor->clock,
                                                           .hearer = &executor->hearer,
                                                           .name = settings->name,
                                                           .lease = store->job_lease,
                                                           .beat = store->job_look,
                                                           .most = store->jobs_held,
                                                           .seed = random_next(&loop->random)});
    executor->scheduler = job_scheduler_new(loop, settings->storage, on_scheduled, executor);
    executor->orphans = job_orphans_new(loop, settings->storage, ORPHANED_AFTER * store->job_look,
                                        on_orphan, executor);
    return executor;
}

void job_executor_start(JobExecutor *executor)
{
    executor->started = true;
    timer_start(&executor->settings.loop->timers, &executor->timer, 0);
    job_scheduler_use(executor->scheduler);
    job_orphans_start(executor->orphans);
}

void job_executor_use(JobExecutor *executor)
{
    if (!executor->started)
        return;
    job_runner_hear(executor->runner, BYTES_NONE);
    job_scheduler_use(executor->scheduler);
    job_orphans_use(executor->orphans);
}

void job_executor_stop(JobExecutor *executor)
{
    executor->stopping = true;
    job_scheduler_stop(executor->scheduler);
    job_orphans_stop(executor->orphans);
    job_runner_stop(executor->runner);
}

bool job_executor_is_idle(const JobExecutor *executor)
{
    return !executor || !executor->runner || job_runner_held(executor->runner) == 0;
}

void job_executor_end(JobExecutor *executor)
{
    if (!executor)
        return;
    JobRunner *runner = executor->runner;
    executor->runner = NULL;
    job_runner_free(runner);
    job_scheduler_stop(executor->scheduler);
    job_orphans_stop(executor->orphans);
    timer_stop(&executor->settings.loop->timers, &executor->timer);
}

void job_executor_free(JobExecutor *executor)
{
    if (!executor)
        return;
    CHECK(!executor->runner);
    job_scheduler_free(executor->scheduler);
    job_orphans_free(executor->orphans);
    free(executor);
}
