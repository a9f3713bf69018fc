/*
 * JobBench: gateways on one store, in one test: each with a store of its own, a loop and a
 * JobTable. Operations are called, and their completions waited for.
 */
#ifndef TESTS_JOB_BENCH_H
#define TESTS_JOB_BENCH_H

#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/job_store/job_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct Gateway {
    Arena *arena;
    uv_loop_t loop;
    Store *store;
    StorePort *port;
    JobTable *table;
    JobStorage *jobs;
    const char *name;

    /* Of the last completion. */
    bool done, written, lost;
    const Fault *fault; /* NULL: OK */
    JobAcceptance acceptance;
    const char *busy;
    JobOrderOutcome outcome;
    const JobRecord *jobs_out[JOB_PAGE_MOST];
    uint32_t n;
    JobOrdered orders[8];
    uint32_t n_orders;
} Gateway;

static void take(Gateway *g, Result result)
{
    g->done = true;
    g->fault = failed(result) ? result.error->fault : NULL;
    if (g->fault == &FAULT_INTERNAL)
        fail_msg("%s", error_text(g->arena, result));
}

static void on_accepted(void *owner, Result result, JobAcceptance acceptance, Bytes busy)
{
    Gateway *g = owner;
    take(g, result);
    g->acceptance = acceptance;
    g->busy = arena_text(g->arena, busy);
}

static void on_jobs(void *owner, Result result, const JobRecord *const *jobs, uint32_t n)
{
    Gateway *g = owner;
    take(g, result);
    g->n = n;
    for (uint32_t i = 0; i < n; i++)
        g->jobs_out[i] = job_record_copy(jobs[i], g->arena);
}

static void on_job(void *owner, Result result, const JobRecord *job)
{
    on_jobs(owner, result, &job, job != NULL);
}

static void on_written(void *owner, Result result, bool written)
{
    Gateway *g = owner;
    take(g, result);
    g->written = written;
}

static void on_renewed(void *owner, Result result, bool lost, const JobOrdered *orders, uint32_t n)
{
    Gateway *g = owner;
    take(g, result);
    g->lost = lost;
    g->n_orders = n;
    for (uint32_t i = 0; i < n && i < 8; i++) {
        g->orders[i] = orders[i];
        g->orders[i].id = bytes_copy(g->arena, orders[i].id);
        g->orders[i].order.why = bytes_copy(g->arena, orders[i].order.why);
    }
}

static void on_ordered(void *owner, Result result, JobOrderOutcome outcome)
{
    Gateway *g = owner;
    take(g, result);
    g->outcome = outcome;
}

static inline void on_done(void *owner, Result result)
{
    take(owner, result);
}

/* Until the completion. */
static void wait_for(Gateway *g)
{
    while (!g->done)
        uv_run(&g->loop, UV_RUN_ONCE);
    g->done = false;
}

static void gateway_open(Gateway *g, const char *name, const StoreSettings *settings,
                         const StoreKeys *keys)
{
    *g = (Gateway){.name = name, .arena = arena_new(ARENA_UNLIMITED)};
    assert_int_equal(uv_loop_init(&g->loop), 0);
    g->store = store_open(settings);
    g->port = store_port_open(g->store, &g->loop);
    g->table = job_table_open(g->store, g->port, keys);
    g->jobs = job_table_storage(g->table);
}

static void gateway_close(Gateway *g)
{
    store_port_close(g->port);
    uv_run(&g->loop, UV_RUN_DEFAULT);
    job_table_close(g->table);
    store_close(g->store);
    while (uv_loop_close(&g->loop) != 0)
        uv_run(&g->loop, UV_RUN_ONCE);
    arena_free(g->arena);
}

static JobAcceptance accept_job(Gateway *g, const JobRecord *record, bool refuse, uint32_t most)
{
    JobAdmission admission = {record, refuse, most, 0};
    g->jobs->accept(g->jobs, &admission, on_accepted, g);
    wait_for(g);
    return g->acceptance;
}

/* Whether the owner was new, or had been taken for dead. */
static bool renew(Gateway *g, int64_t lease)
{
    g->jobs->renew(g->jobs, bytes_of(g->name), lease, clock_now(), on_renewed, g);
    wait_for(g);
    return g->lost;
}

static uint32_t claim_at(Gateway *g, const JobLimit *limits, uint32_t n, uint32_t most,
                         int64_t wall)
{
    g->jobs->claim(g->jobs, bytes_of(g->name), limits, n, most, wall, on_jobs, g);
    wait_for(g);
    return g->n;
}

static bool write_job(Gateway *g, const JobRecord *record, bool content, bool release, int64_t wall)
{
    g->jobs->write(g->jobs, record, content, release, wall, on_written, g);
    wait_for(g);
    return g->written;
}

static inline JobOrderOutcome order_job(Gateway *g, Bytes id, JobEvent event, const char *why)
{
    JobOrder order = {true, event, bytes_of("ann"), bytes_of(why)};
    g->jobs->order(g->jobs, id, &order, on_ordered, g);
    wait_for(g);
    return g->outcome;
}

/* NULL: there is none. */
static inline const JobRecord *read_job(Gateway *g, Bytes id)
{
    g->jobs->read(g->jobs, id, on_job, g);
    wait_for(g);
    return g->n ? g->jobs_out[0] : NULL;
}

static void run_sql(Gateway *g, const char *sql)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    store_task_add(task, sql);
    assert_ok(g->arena, store_run(g->store, g->arena, &task));
    store_task_free(task);
}

static int64_t read_number(Gateway *g, const char *sql)
{
    StoreTask *task = store_task_new(STORE_SOON);
    StoreStatement *s = store_task_add(task, sql);
    assert_ok(g->arena, store_run(g->store, g->arena, &task));
    int64_t number = s->rows->values[0].integer;
    store_task_free(task);
    return number;
}

#endif
