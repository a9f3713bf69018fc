#include "gateway/job_run/job_scheduler.h"

#include "base/arena.h"
#include "gateway/job/job_messages.h"
#include "gateway/job_run/job_schedule.h"
#include "gateway/telemetry/telemetry.h"

#include <stdlib.h>

#define LOOK_MOST (10 * SECOND) /* a clock that jumps is noticed by then */
#define ASK_AGAIN (1 * SECOND)  /* after the store could not be asked */

/* The times of one definition. */
typedef struct Times {
    struct Times *next;
    JobScheduler *scheduler;
    char *definition;
    int64_t done;  /* the last time whose job is stored, or was left out */
    int64_t asked; /* the time whose job is being accepted; 0: none is */
    char id[JOB_ID_SIZE + 1];
} Times;

struct JobScheduler {
    Loop *loop;
    JobStorage *storage;
    void (*on_accepted)(void *owner, Bytes id);
    void *owner;
    Timer timer;
    Times *times;
    bool stopped;
};

static Times *times_of(JobScheduler *scheduler, const char *definition)
{
    Times *times = scheduler->times;
    while (times && !text_equal(times->definition, definition))
        times = times->next;
    if (times)
        return times;
    times = calloc(1, sizeof *times);
    CHECK(times);
    *times = (Times){
        .next = scheduler->times, .scheduler = scheduler, .definition = text_copy(definition)};
    return scheduler->times = times;
}

static void look_at(JobScheduler *scheduler, int64_t wait)
{
    int64_t when = scheduler->loop->now + wait;
    if (!timer_running(&scheduler->timer) || when < scheduler->timer.when)
        timer_start(&scheduler->loop->timers, &scheduler->timer, when);
}

/* What another gateway has accepted, or what is refused because the one before still runs, is done,
   too. */
static void on_accepted(void *owner, Result result, JobAcceptance acceptance, Bytes busy)
{
    Times *times = owner;
    JobScheduler *scheduler = times->scheduler;
    if (!failed(result))
        times->done = times->asked;
    times->asked = 0;
    if (failed(result))
        look_at(scheduler, ASK_AGAIN);
    else if (acceptance == JOB_ACCEPTED)
        scheduler->on_accepted(scheduler->owner, bytes_of(times->id));
    else if (acceptance != JOB_ACCEPTED_BEFORE)
        telemetry_event("warning", "job_not_begun", OK,
                        "the job that %s has a schedule for is not begun: %s", times->definition,
                        acceptance == JOB_RESOURCE_BUSY
                            ? "another one of its resource is unfinished"
                            : "too many wait");
}

static void accept_job(JobScheduler *scheduler, const JobDefinition *definition, Times *times)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    job_id_of_time(bytes_of(definition->name), times->asked, times->id);
    JobRecord record = job_record_of(definition, bytes_of(times->id), clock_wall());
    record.request_id = record.id;
    record.request = definition->schedule->request;
    JobAdmission admission = job_admission_of(&record, definition);
    const JobMethod *method = definition->method->extras->job;
    Result r = OK;
    if (method)
        r = job_resource(method, record.request, record.id, arena, &record.resource);
    CHECK(!failed(r)); /* the arena has no limit */
    scheduler->storage->accept(scheduler->storage, &admission, on_accepted, times);
    arena_free(arena);
}

static void look_at_definition(JobScheduler *scheduler, const JobDefinition *definition,
                               int64_t wall)
{
    Times *times = times_of(scheduler, definition->name);
    int64_t time = job_schedule_before(definition->schedule, wall);
    if (!times->asked && time > times->done && wall - time <= JOB_SCHEDULE_LATE) {
        times->asked = time;
        accept_job(scheduler, definition, times);
    }
    look_at(scheduler, job_schedule_after(definition->schedule, wall) - wall);
}

static void on_timer(Timer *timer)
{
    JobScheduler *scheduler = (JobScheduler *)((char *)timer - offsetof(JobScheduler, timer));
    const Config *config = scheduler->loop->config;
    int64_t wall = clock_wall();
    if (scheduler->stopped)
        return;
    for (uint32_t i = 0; i < config->n_jobs; i++) {
        const JobDefinition *definition = &config->jobs[i];
        if (definition->schedule && definition->accepts) {
            look_at_definition(scheduler, definition, wall);
            look_at(scheduler, LOOK_MOST);
        }
    }
}

void job_scheduler_use(JobScheduler *scheduler)
{
    look_at(scheduler, 0);
}

JobScheduler *job_scheduler_new(Loop *loop, JobStorage *storage,
                                void (*on_stored)(void *owner, Bytes id), void *owner)
{
    JobScheduler *scheduler = calloc(1, sizeof *scheduler);
    CHECK(scheduler);
    *scheduler = (JobScheduler){.loop = loop,
                                .storage = storage,
                                .on_accepted = on_stored,
                                .owner = owner,
                                .timer = {.fire = on_timer}};
    return scheduler;
}

void job_scheduler_stop(JobScheduler *scheduler)
{
    scheduler->stopped = true;
    timer_stop(&scheduler->loop->timers, &scheduler->timer);
}

void job_scheduler_free(JobScheduler *scheduler)
{
    if (!scheduler)
        return;
    for (Times *next, *times = scheduler->times; times; times = next) {
        next = times->next;
        free(times->definition);
        free(times);
    }
    free(scheduler);
}
