#include "gateway/job_store/job_table.h"

#include "base/arena.h"
#include "gateway/job_store/job_row.h"
#include "gateway/job_store/job_table_internal.h"

#include <stdlib.h>

/* ---- Requests -------------------------------------------------------------------------------- */

JobRequest *job_request_new(JobTable *table, void *owner)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    JobRequest *request = arena_make(arena, JobRequest);
    request->arena = arena;
    request->table = table;
    request->owner = owner;
    request->next = table->requests;
    request->at = &table->requests;
    if (request->next)
        request->next->at = &request->next;
    table->requests = request;
    return request;
}

void job_request_end(JobRequest *request)
{
    *request->at = request->next;
    if (request->next)
        request->next->at = request->at;
    arena_free(request->arena);
}

void job_request_submit(JobRequest *request, StoreTask *task, JobOnExecuted *on_executed)
{
    store_submit(request->table->port, task, on_executed, request);
}

Result job_request_result(const JobRequest *request, Result result)
{
    if (failed(result) && result.error->fault == &FAULT_STORE_CONFLICT)
        return FAIL_OVER(request->arena, result, FAULT_STORE_DOWN,
                         "another gateway changed the same jobs");
    return result;
}

StoreStatement *job_table_add(StoreTask *task, const char *sql)
{
    return sql ? store_task_add(task, sql) : NULL;
}

void job_request_read(JobRequest *request, const StoreStatement *statement)
{
    for (const StoreRow *row = statement->rows; row && request->n_jobs < request->most;
         row = row->next)
        request->jobs[request->n_jobs++] = job_row_read(row, request->table->keys, request->arena);
}

void job_request_add_news(JobRequest *request, StoreTask *task, const JobRecord *record,
                          int64_t wall)
{
    JobOutbox *outbox = request->table->outbox;
    request->has_news = outbox && record->is_news && outbox->add(outbox, task, record, wall);
}

void job_request_told(const JobRequest *request)
{
    if (request->has_news)
        request->table->outbox->added(request->table->outbox);
}

/* ---- Telling others -------------------------------------------------------------------------- */

static void on_told(void *owner, Result result, StoreTask *task)
{
    JobRequest *request = owner;
    JobTable *table = request->table;
    job_request_end(request);
    if (failed(result))
        error_ignore(result, "they look from time to time by themselves");
    table->telling = false;
    if (table->more_to_tell)
        job_table_tell(table, BYTES_NONE);
}

void job_table_tell(JobTable *table, Bytes id)
{
    if (!table->sql->tell)
        return;
    table->more_to_tell = table->telling;
    if (table->telling)
        return;
    table->telling = true;
    StoreTask *task = store_task_new(STORE_PROMISED);
    const char *notice = arena_printf(task->arena, "%s %.*s", table->tag, BYTES_ARGS(id));
    store_bind_text(task, store_task_add(task, table->sql->tell), bytes_of(notice));
    job_request_submit(job_request_new(table, NULL), task, on_told);
}

/* ---- Reading one ----------------------------------------------------------------------------- */

/* The first statement that has found a job says which. */
static void on_read(void *owner, Result result, StoreTask *task)
{
    JobRequest *request = owner;
    result = job_request_result(request, result);
    const JobRecord *record = NULL;
    for (const StoreStatement *s = task->first; !failed(result) && s && !record; s = s->next)
        if (s->rows)
            record = job_row_read(s->rows, request->table->keys, request->arena);
    request->on.read(request->owner, result, record);
    job_request_end(request);
}

void job_table_read(JobStorage *storage, Bytes id, JobOnRead *on_done, void *owner)
{
    JobTable *table = job_table_of(storage);
    JobRequest *request = job_request_new(table, owner);
    request->on.read = on_done;
    StoreTask *task = store_task_new(STORE_SOON);
    store_bind_text(task, store_task_add(task, table->sql->read), id);
    job_request_submit(request, task, on_read);
}

void job_table_find(JobStorage *storage, Bytes resource, JobOnRead *on_done, void *owner)
{
    JobTable *table = job_table_of(storage);
    JobRequest *request = job_request_new(table, owner);
    request->on.read = on_done;
    StoreTask *task = store_task_new(STORE_SOON);
    store_bind_text(task, store_task_add(task, table->sql->find_open), resource);
    store_bind_text(task, store_task_add(task, table->sql->find_latest), resource);
    job_request_submit(request, task, on_read);
}

/* ---- Opening and closing --------------------------------------------------------------------- */

static const JobStorage operations = {
    .accept = job_table_accept,
    .renew = job_table_renew,
    .claim = job_table_claim,
    .write = job_table_write,
    .abandon = job_table_abandon,
    .release_all = job_table_release_all,
    .order = job_table_order,
    .read = job_table_read,
    .find = job_table_find,
    .list = job_table_list,
    .unpark = job_table_unpark,
    .migrate = job_table_migrate,
    .remove = job_table_remove,
};

JobTable *job_table_open(Store *store, StorePort *port, const StoreKeys *keys)
{
    JobTable *table = calloc(1, sizeof *table);
    CHECK(table);
    table->storage = operations;
    table->sql = store_settings(store)->postgresql ? &job_sql_postgresql : &job_sql_sqlite;
    table->port = port;
    table->tag = store_tag(store);
    table->keys = keys;
    return table;
}

void job_table_use_keys(JobTable *table, const StoreKeys *keys)
{
    table->keys = keys;
}

void job_table_use_outbox(JobTable *table, JobOutbox *outbox)
{
    table->outbox = outbox;
}

void job_table_mourn(JobTable *table, Bytes name)
{
    job_owners_mourn(&table->owners, name);
}

void job_table_tell_parked(JobTable *table, JobOnParked *on_parked, void *owner)
{
    table->on_parked = on_parked;
    table->parked_owner = owner;
}

JobStorage *job_table_storage(JobTable *table)
{
    return &table->storage;
}

void job_table_close(JobTable *table)
{
    if (!table)
        return;
    while (table->requests)
        job_request_end(table->requests);
    job_owners_free(&table->owners);
    job_table_forget_unsure(table);
    arena_free(table->limits_arena);
    free(table);
}
