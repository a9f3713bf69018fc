/* Jobs are accepted, and listed. */
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/job/job_told.h"
#include "gateway/job_store/job_row.h"
#include "gateway/job_store/job_table_internal.h"

#include <limits.h>

/* Between two notices of accepted jobs. Whoever hears them does not look more often. */
#define TOLD_PAUSE (20 * MILLISECOND)

/* ---- Accepting ------------------------------------------------------------------------------- */

static void submit(JobRequest *request);

/* 0: any number. PostgreSQL takes a number that is compared with 0 for a small one. */
static int64_t most_queued(const JobRequest *request)
{
    uint32_t most = request->admission.queued_per_client;
    return most < INT_MAX ? most : INT_MAX;
}

static int64_t most_stored(const JobRequest *request)
{
    uint64_t most = request->admission.stored_per_client;
    return most && most < INT64_MAX ? (int64_t)most : INT64_MAX;
}

/* Why not: the job is there already, or its resource is busy, or there is too much of the client.
   If nothing of that is so any more, it is tried once more. */
static void on_why(void *owner, Result result, StoreTask *task)
{
    JobRequest *request = owner;
    result = job_request_result(request, result);
    const StoreStatement *same = task->first, *busy = same->next, *many = busy->next;
    bool too_many = request->admission.queued_per_client && many->n_rows;
    bool too_much = many->next->n_rows != 0;
    JobAcceptance acceptance = too_much && !too_many ? JOB_TOO_MUCH : JOB_TOO_MANY;
    Bytes busy_with = BYTES_NONE;
    if (!failed(result) && same->n_rows) {
        acceptance = JOB_ACCEPTED_BEFORE;
    } else if (!failed(result) && busy->n_rows && request->admission.refuse_busy) {
        acceptance = JOB_RESOURCE_BUSY;
        busy_with = busy->rows->values[0].bytes;
    } else if (!failed(result) && !too_many && !too_much && !request->again) {
        request->again = true;
        submit(request);
        return;
    }
    request->on.accepted(request->owner, result, acceptance, busy_with);
    job_request_end(request);
}

static StoreStatement *add_with_queue(StoreTask *task, const char *sql, const JobRecord *record)
{
    StoreStatement *s = store_task_add(task, sql);
    store_bind_text(task, s, record->definition);
    store_bind_integer(s, record->revision);
    store_bind_integer(s, (int64_t)record->structure);
    store_bind_text(task, s, record->client);
    return s;
}

static void ask_why(JobRequest *request)
{
    const JobSql *sql = request->table->sql;
    const JobRecord *record = request->admission.record;
    StoreTask *task = store_task_new(STORE_SOON);
    store_bind_text(task, store_task_add(task, sql->accept_why_same), record->id);
    store_bind_text(task, store_task_add(task, sql->accept_why_busy), record->resource);
    store_bind_integer(add_with_queue(task, sql->accept_why_many, record), most_queued(request));
    StoreStatement *much = add_with_queue(task, sql->accept_why_much, record);
    store_bind_integer(much, job_record_size(record));
    store_bind_integer(much, most_stored(request));
    job_request_submit(request, task, on_why);
}

/* This gateway executes it, unless it has its hands full; others that are told of one take all that
   they have room for. So they need not be told of each. */
static void tell_accepted(JobRequest *request)
{
    JobTable *table = request->table;
    int64_t now = clock_now();
    if (table->told_accepted && now - table->told_accepted < TOLD_PAUSE)
        return;
    table->told_accepted = now;
    job_table_tell(table, request->admission.record->id);
}

/* A conflict: another gateway has accepted the same job, or changed the same rows. */
static void on_accepted(void *owner, Result result, StoreTask *task)
{
    JobRequest *request = owner;
    bool conflict = failed(result) && result.error->fault == &FAULT_STORE_CONFLICT;
    if ((conflict && !request->again) || (!failed(result) && request->decides->changed == 0)) {
        ask_why(request);
        return;
    }
    if (!failed(result)) {
        tell_accepted(request);
        job_request_told(request);
    }
    request->on.accepted(request->owner, job_request_result(request, result), JOB_ACCEPTED,
                         BYTES_NONE);
    job_request_end(request);
}

/* What both statements begin with. */
static StoreStatement *add_with_what(StoreTask *task, const char *sql, const JobRecord *record)
{
    StoreStatement *s = add_with_queue(task, sql, record);
    store_bind_text(task, s, record->resource);
    store_bind_text(task, s, record->id);
    store_bind_integer(s, record->created);
    return s;
}

static void submit(JobRequest *request)
{
    JobTable *table = request->table;
    const JobRecord *record = request->admission.record;
    StoreTask *task = store_task_new(STORE_PROMISED);
    bool of = record->resource.size != 0;
    if (of && table->sql->lock_resource)
        store_bind_text(task, store_task_add(task, table->sql->lock_resource), record->resource);
    const char *queue = of ? table->sql->accept_queue_of : table->sql->accept_queue;
    const char *job = of ? table->sql->accept_job_of : table->sql->accept_job;
    StoreStatement *s = add_with_what(task, queue ? queue : job, record);
    store_bind_integer(s, request->admission.refuse_busy);
    store_bind_integer(s, most_queued(request));
    store_bind_integer(s, job_record_size(record));
    store_bind_integer(s, most_stored(request));
    if (queue)
        s = add_with_what(task, job, record);
    store_bind_text(task, s, record->request_id);
    store_bind_integer(s, record->impact);
    store_bind_integer(s, record->keep);
    store_bind_integer(s, record->position.due);
    job_row_bind_content(task, s, record, table->keys);
    store_bind_integer(s, (int64_t)record->told);
    if (queue)
        store_bind_integer(s, job_record_size(record));
    request->decides = s;
    job_request_add_news(request, task, record, record->created);
    job_request_submit(request, task, on_accepted);
}

void job_table_accept(JobStorage *storage, const JobAdmission *admission, JobOnAccepted *on_done,
                      void *owner)
{
    JobRequest *request = job_request_new(job_table_of(storage), owner);
    request->on.accepted = on_done;
    request->admission = *admission;
    JobRecord *record = job_record_copy(admission->record, request->arena);
    record->is_news = job_told_next(&record->told, &record->position);
    request->admission.record = record;
    submit(request);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static bool is_before(const JobRecord *a, const JobRecord *b)
{
    return bytes_compare(a->id, b->id) > 0;
}

/* Puts it where it belongs among `n`, of which `most` are wanted. */
static uint32_t insert(const JobRecord **jobs, uint32_t n, uint32_t most, const JobRecord *job)
{
    uint32_t at = n;
    while (at > 0 && is_before(job, jobs[at - 1]))
        at--;
    if (at == most)
        return n;
    uint32_t kept = n < most ? n : most - 1;
    memmove(&jobs[at + 1], &jobs[at], (kept - at) * sizeof *jobs);
    jobs[at] = job;
    return kept + 1;
}

/* A statement for each state, each with its latest first. */
static void on_listed(void *owner, Result result, StoreTask *task)
{
    JobRequest *request = owner;
    result = job_request_result(request, result);
    for (const StoreStatement *s = task->first; !failed(result) && s; s = s->next)
        for (const StoreRow *row = s->rows; row; row = row->next)
            request->n_jobs = insert(request->jobs, request->n_jobs, request->most,
                                     job_row_read(row, request->table->keys, request->arena));
    request->on.listed(request->owner, result, request->jobs, request->n_jobs);
    job_request_end(request);
}

/* Of `state`; of any, for a client. */
static void add_list(JobRequest *request, StoreTask *task, const JobFilter *filter, Bytes state)
{
    const JobSql *sql = request->table->sql;
    Bytes from = bytes_of(arena_printf(task->arena, "%.*s.", BYTES_ARGS(filter->method)));
    Bytes to = bytes_of(arena_printf(task->arena, "%.*s0", BYTES_ARGS(filter->method)));
    StoreStatement *s = store_task_add(task, filter->client    ? sql->list_client
                                             : filter->ordered ? sql->list_ordered
                                                               : sql->list);
    store_bind_text(task, s, filter->client ? *filter->client : state);
    store_bind_text(task, s, filter->after.size ? filter->after : bytes_of("~"));
    store_bind_integer(s, request->most);
    store_bind_text(task, s, filter->method);
    store_bind_text(task, s, from);
    store_bind_text(task, s, to);
    store_bind_text(task, s, filter->step);
    store_bind_text(task, s, filter->resource);
    store_bind_integer(s, filter->since_before);
    store_bind_integer(s, filter->content);
    if (filter->client)
        store_bind_text(task, s, state);
}

void job_table_list(JobStorage *storage, const JobFilter *filter, JobOnListed *on_done, void *owner)
{
    JobRequest *request = job_request_new(job_table_of(storage), owner);
    request->on.listed = on_done;
    request->most = filter->most < JOB_PAGE_MOST ? filter->most : JOB_PAGE_MOST;
    request->jobs = arena_array(request->arena, const JobRecord *, request->most + 1);
    StoreTask *task = store_task_new(STORE_SOON);
    if (filter->client && !filter->states)
        add_list(request, task, filter, BYTES_NONE);
    else
        for (JobState state = 0; state < JOB_STATES; state++)
            if (!filter->states || filter->states & 1u << state)
                add_list(request, task, filter, bytes_of(job_state_name(state)));
    job_request_submit(request, task, on_listed);
}
