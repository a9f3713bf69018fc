/* Owners show that they live, and take jobs; those of dead ones are released. */
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/job_store/job_row.h"
#include "gateway/job_store/job_table_internal.h"

#include "adapters/text/json.h"

#include <stdlib.h>

/* Wall clocks that differ by less are taken for right. */
#define CLOCKS_DIFFER (3600 * SECOND)

/* ---- Renewing -------------------------------------------------------------------------------- */

static void on_buried(void *owner, Result result, StoreTask *task)
{
    JobRequest *request = owner;
    if (failed(result))
        error_ignore(result, "the next renewal sees that they are dead, too");
    job_request_end(request);
}

/* Releases the jobs of those that are dead. Whoever renewed its row meanwhile is not. */
static void bury(JobTable *table)
{
    int64_t now = clock_now();
    const JobOwner *dead = job_owners_dead(&table->owners, NULL, now);
    if (!dead)
        return;
    StoreTask *task = store_task_new(STORE_PROMISED);
    job_table_add(task, table->sql->lock_claims);
    for (; dead; dead = job_owners_dead(&table->owners, dead, now)) {
        StoreStatement *s = store_task_add(task, table->sql->bury);
        store_bind_text(task, s, dead->name);
        store_bind_integer(s, dead->beat);
    }
    store_task_add(task, table->sql->orphans);
    job_request_submit(job_request_new(table, NULL), task, on_buried);
}

/* Time counts from now on, which is after each of them has begun its renewal. */
static void see_owners(JobTable *table, const StoreStatement *list, Bytes self)
{
    int64_t now = clock_now();
    job_owners_set_self(&table->owners, self);
    for (const StoreRow *row = list->rows; row; row = row->next)
        job_owners_see(&table->owners, row->values[0].bytes, row->values[1].integer,
                       row->values[2].integer, now);
    job_owners_listed(&table->owners);
    bury(table);
}

static StoreStatement *add_with_owner(StoreTask *task, const char *sql, Bytes name)
{
    StoreStatement *s = store_task_add(task, sql);
    store_bind_text(task, s, name);
    return s;
}

static void end_renewal(JobRequest *request, Result result)
{
    if (!failed(result)) {
        request->table->renewed = request->asked_at;
        request->table->lease = request->lease;
    }
    request->on.renewed(request->owner, result, !failed(result) && request->lost, request->orders,
                        failed(result) ? 0 : request->n_orders);
    job_request_end(request);
}

static void on_let_go(void *owner, Result result, StoreTask *task)
{
    JobRequest *request = owner;
    end_renewal(request, job_request_result(request, result));
}

/* Its lease was over before the answer came: it has given up its jobs. Nobody else takes them, for
   nobody has buried it, and now it lives again. */
static void let_go(JobRequest *request)
{
    request->lost = true;
    StoreTask *task = store_task_new(STORE_PROMISED);
    job_table_add(task, request->table->sql->lock_claims);
    add_with_owner(task, request->table->sql->release, request->name);
    job_request_submit(request, task, on_let_go);
}

static void read_orders(JobRequest *request, const StoreStatement *orders)
{
    request->orders = arena_array(request->arena, JobOrdered, orders->n_rows);
    for (const StoreRow *row = orders->rows; row; row = row->next) {
        JobOrdered *ordered = &request->orders[request->n_orders++];
        ordered->id = bytes_copy(request->arena, row->values[0].bytes);
        ordered->order =
            job_row_read_order(&row->values[1], ordered->id, request->table->keys, request->arena);
    }
}

static void on_renewed(void *owner, Result result, StoreTask *task)
{
    JobRequest *request = owner;
    JobTable *table = request->table;
    const StoreStatement *renew = task->first, *list = renew->next->next;
    bool lapsed = table->lease && clock_now() - table->renewed >= table->lease;
    if (failed(result)) {
        end_renewal(request, job_request_result(request, result));
        return;
    }
    request->lost = renew->changed == 0;
    see_owners(table, list, request->name);
    read_orders(request, list->next);
    if (lapsed && !request->lost)
        let_go(request);
    else
        end_renewal(request, OK);
}

static void add_beat(StoreTask *task, const char *sql, Bytes name, int64_t lease, int64_t now)
{
    StoreStatement *s = add_with_owner(task, sql, name);
    store_bind_integer(s, now);
    store_bind_integer(s, lease);
    store_bind_integer(s, clock_wall());
}

void job_table_renew(JobStorage *storage, Bytes name, int64_t lease, int64_t now,
                     JobOnRenewed *on_done, void *owner)
{
    JobTable *table = job_table_of(storage);
    JobRequest *request = job_request_new(table, owner);
    request->on.renewed = on_done;
    request->name = bytes_copy(request->arena, name);
    request->asked_at = now;
    request->lease = lease;
    StoreTask *task = store_task_new(STORE_PROMISED);
    add_beat(task, table->sql->renew, name, lease, now);
    add_beat(task, table->sql->enroll, name, lease, now);
    store_task_add(task, table->sql->owners);
    add_with_owner(task, table->sql->orders, name);
    job_request_submit(request, task, on_renewed);
}

/* ---- Claiming -------------------------------------------------------------------------------- */

static void claim_next(JobRequest *request);

static Bytes limits_as_json(const JobLimit *limits, uint32_t n, Arena *arena)
{
    Buffer out = buffer_in(arena);
    for (uint32_t i = 0; i < n; i++) {
        const JobLimit *limit = &limits[i];
        buffer_add_text(&out, i ? ",{\"definition\":" : "[{\"definition\":");
        json_write_string(&out, limit->definition);
        buffer_printf(&out,
                      ",\"revision\":%u,\"structure\":%lld,\"impact\":%d,\"running\":%u,"
                      "\"client\":%u,\"retrying\":%u,\"client_retrying\":%u,\"park\":%u}",
                      limit->revision, (long long)limit->structure, (int)limit->impact,
                      limit->running, limit->running_per_client, limit->retrying,
                      limit->retrying_per_client, limit->park_after);
    }
    buffer_add_text(&out, n ? "]" : "[]");
    return buffer_bytes(&out);
}

static void keep_limits(JobTable *table, const JobLimit *limits, uint32_t n)
{
    arena_free(table->limits_arena);
    table->limits_arena = arena_new(ARENA_UNLIMITED);
    table->limits = arena_array(table->limits_arena, JobParkLimit, n);
    table->n_limits = n;
    for (uint32_t i = 0; i < n; i++)
        table->limits[i] = (JobParkLimit){bytes_copy(table->limits_arena, limits[i].definition),
                                          limits[i].park_after};
}

static void add_unsure(JobTable *table, int64_t first, int64_t last)
{
    JobUnsure *unsure = calloc(1, sizeof *unsure);
    CHECK(unsure);
    *unsure = (JobUnsure){table->unsure, first, last};
    table->unsure = unsure;
}

/* Under the lock a claim that was under way has ended. */
static void add_unclaims(JobRequest *request, StoreTask *task)
{
    for (const JobUnsure *unsure = request->table->unsure; unsure; unsure = unsure->next) {
        StoreStatement *s = add_with_owner(task, request->table->sql->unclaim, request->name);
        store_bind_integer(s, unsure->first);
        store_bind_integer(s, unsure->last);
    }
}

void job_table_forget_unsure(JobTable *table)
{
    for (JobUnsure *next, *unsure = table->unsure; unsure; unsure = next) {
        next = unsure->next;
        free(unsure);
    }
    table->unsure = NULL;
}

/* What was taken before a failure is told all the same. */
static void end_claim(JobRequest *request, Result result)
{
    if (request->n_jobs)
        result = OK;
    request->on.claimed(request->owner, result, request->jobs, request->n_jobs);
    job_request_end(request);
}

static void on_claimed(void *owner, Result result, StoreTask *task)
{
    JobRequest *request = owner;
    uint32_t before = request->n_jobs;
    bool looked = request->n_asked == 0;
    if (failed(result) && result.error->fault == &FAULT_STORE_UNKNOWN)
        add_unsure(request->table, request->first, request->last);
    else if (!failed(result) && looked)
        job_table_forget_unsure(request->table);
    if (failed(result)) {
        end_claim(request, job_request_result(request, result));
        return;
    }
    for (const StoreStatement *s = task->first; s; s = s->next)
        if (s->n_columns > 1)
            job_request_read(request, s);
    bool more = looked || request->n_jobs - before == request->n_asked;
    if (more && request->n_jobs < request->most)
        claim_next(request);
    else
        end_claim(request, OK);
}

static void add_turn(JobRequest *request, StoreTask *task)
{
    const JobSql *sql = request->table->sql;
    int64_t number = request->last = ++request->table->n_turns;
    StoreStatement *s = add_with_owner(task, sql->turn, request->name);
    store_bind_text(task, s, request->limits);
    store_bind_integer(s, number);
    s = add_with_owner(task, sql->turn_queue, request->name);
    store_bind_integer(s, number);
    store_bind_integer(s, request->wall);
    s = add_with_owner(task, sql->turn_job, request->name);
    store_bind_integer(s, number);
}

/* One turn at first, for mostly there is nothing; then as many as there is room for. */
static void claim_next(JobRequest *request)
{
    StoreTask *task = store_task_new(STORE_PROMISED);
    job_table_add(task, request->table->sql->lock_claims);
    request->n_asked = request->n_asked ? request->most - request->n_jobs : 1;
    request->first = request->table->n_turns + 1;
    for (uint32_t i = 0; i < request->n_asked; i++)
        add_turn(request, task);
    job_request_submit(request, task, on_claimed);
}

static void claim_due(JobRequest *request)
{
    JobTable *table = request->table;
    request->first = request->last = ++table->n_turns;
    StoreTask *task = store_task_new(STORE_PROMISED);
    job_table_add(task, table->sql->lock_claims);
    add_unclaims(request, task);
    StoreStatement *s = store_task_add(task, table->sql->ahead);
    store_bind_integer(s, request->wall);
    store_bind_integer(s, request->wall + CLOCKS_DIFFER);
    s = add_with_owner(task, table->sql->wake, request->name);
    store_bind_text(task, s, request->limits);
    store_bind_integer(s, request->wall);
    store_bind_integer(s, request->most);
    store_bind_integer(s, request->last);
    job_request_submit(request, task, on_claimed);
}

void job_table_claim(JobStorage *storage, Bytes name, const JobLimit *limits, uint32_t n_limits,
                     uint32_t most, int64_t wall, JobOnClaimed *on_done, void *owner)
{
    JobTable *table = job_table_of(storage);
    JobRequest *request = job_request_new(table, owner);
    request->on.claimed = on_done;
    request->name = bytes_copy(request->arena, name);
    request->limits = limits_as_json(limits, n_limits, request->arena);
    request->wall = wall;
    request->most = most < JOB_CLAIM_MOST ? most : JOB_CLAIM_MOST;
    request->jobs = arena_array(request->arena, const JobRecord *, JOB_CLAIM_MOST);
    keep_limits(table, limits, n_limits);
    claim_due(request);
}

/* ---- Stopping -------------------------------------------------------------------------------- */

static void on_released(void *owner, Result result, StoreTask *task)
{
    JobRequest *request = owner;
    if (!failed(result))
        job_table_tell(request->table, BYTES_NONE);
    request->on.done(request->owner, job_request_result(request, result));
    job_request_end(request);
}

void job_table_release_all(JobStorage *storage, Bytes name, JobOnDone *on_done, void *owner)
{
    JobTable *table = job_table_of(storage);
    JobRequest *request = job_request_new(table, owner);
    request->on.done = on_done;
    StoreTask *task = store_task_new(STORE_PROMISED);
    job_table_add(task, table->sql->lock_claims);
    add_with_owner(task, table->sql->release, name);
    add_with_owner(task, table->sql->leave, name);
    job_request_submit(request, task, on_released);
}
