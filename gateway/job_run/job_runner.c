#include "gateway/job_run/job_runner.h"

#include "base/clock.h"
#include "gateway/job_run/job_runner_internal.h"

#include <stdlib.h>

/* A lease is taken for over so much earlier, for what is still under way then. */
#define LEASE_MARGIN(lease) ((lease) / 12)

/* Between two claims, or renewals, that are made because something was heard. */
#define HEARD_PAUSE (20 * MILLISECOND)

static int64_t now_of(const JobRunner *runner)
{
    return runner->settings.clock->now(runner->settings.clock);
}

static bool has_lease(const JobRunner *runner)
{
    return now_of(runner) + LEASE_MARGIN(runner->settings.lease) < runner->leased_until;
}

bool runner_may_act(const JobRunner *runner)
{
    return !runner->stopping && has_lease(runner);
}

static void hand_over_all(JobRunner *runner)
{
    for (HeldJob *job = runner->jobs; job; job = job->next)
        held_job_hand_over(job);
}

/* ---- The lease ------------------------------------------------------------------------------- */

static HeldJob *find_job(const JobRunner *runner, Bytes id)
{
    for (HeldJob *job = runner->jobs; job; job = job->next)
        if (bytes_equal(job->record->id, id))
            return job;
    return NULL;
}

/* Of a job that it has twice, after others have taken the runner for dead, the one that counts has
   the greater token: the other one ends by itself. */
static void give_orders(JobRunner *runner, const JobOrdered *orders, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        HeldJob *job = find_job(runner, orders[i].id);
        if (job)
            held_job_take_order(job, &orders[i].order);
    }
}

static void on_renewed(void *owner, Result result, bool lost, const JobOrdered *orders, uint32_t n)
{
    JobRunner *runner = owner;
    const JobRunnerSettings *settings = &runner->settings;
    runner->renews = false;
    if (failed(result)) {
        runner->renew_at = now_of(runner) + settings->beat;
    } else {
        runner->leased_until = runner->renew_began + settings->lease;
        runner->renew_at =
            runner->renew_began + (runner->ordered ? HEARD_PAUSE : settings->lease / 3);
        if (lost)
            hand_over_all(runner);
        give_orders(runner, orders, n);
    }
    runner_plan(runner);
}

static void renew(JobRunner *runner)
{
    JobStorage *storage = runner->settings.storage;
    runner->renews = true;
    runner->ordered = false;
    runner->renew_began = now_of(runner);
    storage->renew(storage, runner->name, runner->settings.lease, runner->renew_began, on_renewed,
                   runner);
}

/* ---- Claims ---------------------------------------------------------------------------------- */

/* `in_time`: under the lease that it was claimed with, so that nobody can have taken it over. */
static void take_jobs(JobRunner *runner, const JobRecord *const *jobs, uint32_t n, bool in_time)
{
    for (uint32_t i = 0; i < n; i++) {
        HeldJob *before = find_job(runner, jobs[i]->id);
        if (before)
            held_job_hand_over(before);
        held_job_begin(runner, jobs[i], in_time);
    }
}

static void on_claimed(void *owner, Result result, const JobRecord *const *jobs, uint32_t n)
{
    JobRunner *runner = owner;
    runner->claims = false;
    runner->look_at = runner->heard ? 0 : now_of(runner) + runner->settings.beat;
    runner->more = !failed(result) && n == runner->asked;
    if (!failed(result)) /* what was taken all the same, the storage gives back with the next one */
        take_jobs(runner, jobs, n, now_of(runner) < runner->claim_until);
    runner_plan(runner);
}

static uint32_t room(const JobRunner *runner)
{
    uint32_t left =
        runner->n_jobs < runner->settings.most ? runner->settings.most - runner->n_jobs : 0;
    return left < JOB_CLAIM_MOST ? left : JOB_CLAIM_MOST;
}

static void claim(JobRunner *runner)
{
    JobStorage *storage = runner->settings.storage;
    JobBook *book = runner->settings.book;
    JobClock *clock = runner->settings.clock;
    uint32_t n_limits;
    const JobLimit *limits = book->limits(book, &n_limits);
    runner->claimed_at = now_of(runner);
    runner->look_at = runner->claimed_at + runner->settings.beat;
    if (n_limits == 0)
        return;
    runner->claims = true;
    runner->heard = false;
    runner->asked = room(runner);
    runner->claim_until = runner->leased_until;
    storage->claim(storage, runner->name, limits, n_limits, runner->asked, clock->wall(clock),
                   on_claimed, runner);
}

/* There are more than it had room for, and it has some now: a fourth of all at least, so that not
   each one is claimed by itself. */
static bool may_take_more(const JobRunner *runner)
{
    uint32_t enough = (runner->settings.most + 3) / 4;
    return runner->more && room(runner) >= (enough < JOB_CLAIM_MOST ? enough : JOB_CLAIM_MOST);
}

static bool may_claim(const JobRunner *runner)
{
    return runner_may_act(runner) && !runner->claims && room(runner) > 0;
}

/* ---- Turns ----------------------------------------------------------------------------------- */

static void write_again(JobRunner *runner)
{
    runner->repeat_at = now_of(runner) + runner->settings.beat;
    for (HeldJob *job = runner->jobs; job; job = job->next)
        if (job->state == HELD_UNWRITTEN)
            held_job_write_again(job);
}

static void earlier(int64_t *when, int64_t other)
{
    if (other < *when)
        *when = other;
}

void runner_plan(JobRunner *runner)
{
    int64_t when = INT64_MAX;
    if (!runner->renews)
        earlier(&when, runner->renew_at);
    if (runner->n_calls && has_lease(runner))
        earlier(&when, runner->leased_until - LEASE_MARGIN(runner->settings.lease));
    if (runner->n_unwritten)
        earlier(&when, runner->repeat_at);
    if (may_claim(runner))
        earlier(&when, may_take_more(runner) ? 0 : runner->look_at);
    runner->settings.clock->wake(runner->settings.clock, when);
}

void job_runner_turn(JobRunner *runner)
{
    int64_t now = now_of(runner);
    if (runner->n_calls && !has_lease(runner))
        hand_over_all(runner);
    if (runner->n_unwritten && now >= runner->repeat_at)
        write_again(runner);
    if (!runner->renews && now >= runner->renew_at)
        renew(runner);
    if (may_claim(runner) && (now >= runner->look_at || may_take_more(runner)))
        claim(runner);
    runner_plan(runner);
}

/* Whoever renews the lease is told of them. */
static void look_for_orders(JobRunner *runner)
{
    runner->ordered = true;
    earlier(&runner->renew_at, runner->renew_began + HEARD_PAUSE);
    runner_plan(runner);
}

void job_runner_hear_order(JobRunner *runner)
{
    if (runner->n_jobs || runner->claims)
        look_for_orders(runner);
    job_runner_hear(runner, BYTES_NONE);
}

void job_runner_hear(JobRunner *runner, Bytes id)
{
    if (id.size && find_job(runner, id)) {
        look_for_orders(runner); /* nobody else changes it but by an order */
        return;
    }
    runner->heard = true;
    earlier(&runner->look_at, runner->claimed_at + HEARD_PAUSE);
    runner_plan(runner);
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

JobRunner *job_runner_new(const JobRunnerSettings *settings)
{
    JobRunner *runner = calloc(1, sizeof *runner);
    CHECK(runner);
    runner->settings = *settings;
    runner->name = bytes_of(text_copy(settings->name));
    random_seed_fixed(&runner->random, settings->seed);
    return runner;
}

void job_runner_stop(JobRunner *runner)
{
    runner->stopping = true;
    runner_plan(runner);
}

uint32_t job_runner_held(const JobRunner *runner)
{
    return runner->n_jobs;
}

void job_runner_free(JobRunner *runner)
{
    if (!runner)
        return;
    JobStorage *storage = runner->settings.storage;
    while (runner->jobs)
        held_job_drop(runner->jobs);
    storage->release_all(storage, runner->name, NULL, NULL);
    free((void *)runner->name.data);
    free(runner);
}
