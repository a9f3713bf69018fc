/* What the owner of a job writes, and what others ask of it. */
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/job_store/job_row.h"
#include "gateway/job_store/job_table_internal.h"

/* ---- Writing --------------------------------------------------------------------------------- */

/* With this failure, and not before: times grow one by one. Of one and the same client it may be
   said again. */
static void tell_parked(const JobRequest *request)
{
    const StoreStatement *parks = request->parks;
    const JobTable *table = request->table;
    if (!parks || !parks->rows || !table->on_parked)
        return;
    const StoreValue *found = parks->rows->values;
    if (found[0].integer == parks->parameters[3].integer)
        table->on_parked(table->parked_owner, request->definition, found[1].bytes,
                         (uint32_t)found[0].integer);
}

static void on_written(void *owner, Result result, StoreTask *task)
{
    JobRequest *request = owner;
    bool written = !failed(result) && request->decides->changed == 1;
    if (written) {
        job_table_tell(request->table, request->decides->parameters[0].bytes);
        job_request_told(request);
        tell_parked(request);
    }
    request->on.written(request->owner, job_request_result(request, result), written);
    job_request_end(request);
}

static void bind_position(StoreTask *task, StoreStatement *s, const JobRecord *record)
{
    const JobPosition *position = &record->position;
    store_bind_text(task, s, bytes_of(job_state_name(position->state)));
    store_bind_text(task, s, record->step);
    store_bind_integer(s, position->step);
    store_bind_integer(s, (int64_t)position->begun);
    store_bind_integer(s, (int64_t)position->undone);
    store_bind_integer(s, position->undoing);
    store_bind_integer(s, position->cancelled);
    store_bind_integer(s, position->tries);
    store_bind_integer(s, position->step_began);
    store_bind_integer(s, position->due);
}

static void bind_failure(StoreTask *task, StoreStatement *s, const JobRecord *record,
                         const StoreKeys *keys)
{
    store_bind_text(task, s, record->failure.fault);
    store_bind_text(task, s, record->failure.step);
    store_bind_integer(s, record->failure.code);
    if (record->failure.message.size)
        job_row_bind_sealed(task, s, "message", record->id, record->failure.message, keys);
    else
        store_bind_null(s);
}

static int64_t park_after(const JobTable *table, Bytes definition)
{
    for (uint32_t i = 0; i < table->n_limits; i++)
        if (bytes_equal(table->limits[i].definition, definition))
            return table->limits[i].park_after;
    return 0;
}

/* Its failure says nothing of its method: somebody did not want it any more. */
static bool was_cancelled(const JobRecord *record)
{
    return bytes_are(record->failure.fault, FAULT_CANCELLED.name);
}

/* Failures of the same kind, one after the other, are counted where they park their definition. */
static void count_failures(JobRequest *request, StoreTask *task, const JobRecord *record,
                           int64_t wall)
{
    const JobTable *table = request->table;
    int64_t most = park_after(table, record->definition);
    JobState state = record->position.state;
    bool counts = state == JOB_DONE || (state == JOB_FAILED && !was_cancelled(record));
    if (!most || !counts)
        return;
    StoreStatement *s =
        store_task_add(task, state == JOB_FAILED ? table->sql->park : table->sql->succeed);
    store_bind_text(task, s, record->id);
    store_bind_integer(s, (int64_t)record->token);
    store_bind_integer(s, state == JOB_FAILED ? wall : most);
    if (state == JOB_DONE)
        return;
    store_bind_integer(s, most);
    request->parks = s;
    request->definition = bytes_copy(request->arena, record->definition);
}

/* The one that waits for the resource is next. */
static void promote(JobTable *table, StoreTask *task, const JobRecord *record)
{
    if (!record->resource.size)
        return;
    store_bind_text(task, store_task_add(task, table->sql->promote_queue), record->resource);
    store_bind_text(task, store_task_add(task, table->sql->promote_job), record->resource);
}

/* Of a job that may end with this. */
static StoreTask *begin_write(const JobTable *table, const JobRecord *record)
{
    bool ends = job_is_at_rest(record->position.state);
    StoreTask *task = store_task_new(STORE_PROMISED);
    if (ends && record->resource.size && table->sql->lock_resource)
        store_bind_text(task, store_task_add(task, table->sql->lock_resource), record->resource);
    return task;
}

static void end_write(JobRequest *request, StoreTask *task, const JobRecord *record, bool content,
                      bool release, int64_t wall)
{
    JobTable *table = request->table;
    bool ends = job_is_at_rest(record->position.state);
    StoreStatement *s = store_task_add(task, table->sql->write);
    store_bind_text(task, s, record->id);
    store_bind_text(task, s, record->owner);
    store_bind_integer(s, (int64_t)record->token);
    bind_position(task, s, record);
    bind_failure(task, s, record, table->keys);
    store_bind_integer(s, wall);
    store_bind_text(task, s, bytes_of(job_order_name(&record->order)));
    store_bind_integer(s, release || ends);
    if (content)
        job_row_bind_content(task, s, record, table->keys);
    else
        store_bind_null(s);
    store_bind_integer(s, (int64_t)record->told);
    store_bind_integer(s, (int64_t)record->position.undo_failed);
    request->decides = s;
    job_request_add_news(request, task, record, wall);
    if (ends) {
        promote(table, task, record);
        count_failures(request, task, record, wall);
    }
    job_request_submit(request, task, on_written);
}

void job_table_write(JobStorage *storage, const JobRecord *record, bool content, bool release,
                     int64_t wall, JobOnWritten *on_done, void *owner)
{
    JobTable *table = job_table_of(storage);
    JobRequest *request = job_request_new(table, owner);
    request->on.written = on_done;
    end_write(request, begin_write(table, record), record, content, release, wall);
}

/* It belongs to nobody whom others see: it is given up in the same transaction. */
void job_table_abandon(JobStorage *storage, const JobRecord *record, int64_t wall,
                       JobOnWritten *on_done, void *owner)
{
    JobTable *table = job_table_of(storage);
    JobRequest *request = job_request_new(table, owner);
    request->on.written = on_done;
    JobRecord *seized = job_record_copy(record, request->arena);
    seized->owner = bytes_of("nobody");
    seized->token++;
    StoreTask *task = begin_write(table, seized);
    StoreStatement *s = store_task_add(task, table->sql->seize);
    store_bind_text(task, s, record->id);
    store_bind_integer(s, (int64_t)record->token);
    store_bind_text(task, s, seized->owner);
    end_write(request, task, seized, false, true, wall);
}

/* ---- Orders ---------------------------------------------------------------------------------- */

/* The last statement tells whether there is such a job, the one before has changed it. */
static void on_ordered(void *owner, Result result, StoreTask *task)
{
    JobRequest *request = owner;
    const StoreStatement *change = task->first;
    while (change->next != task->last)
        change = change->next;
    JobOrderOutcome outcome = change->changed      ? JOB_ORDERED
                              : task->last->n_rows ? JOB_UNFIT
                                                   : JOB_NOT_THERE;
    if (!failed(result) && outcome == JOB_ORDERED)
        job_table_tell(request->table, change->parameters[0].bytes);
    request->on.ordered(request->owner, job_request_result(request, result), outcome);
    job_request_end(request);
}

void job_table_order(JobStorage *storage, Bytes id, const JobOrder *order, JobOnOrdered *on_done,
                     void *owner)
{
    JobTable *table = job_table_of(storage);
    JobRequest *request = job_request_new(table, owner);
    Bytes name = bytes_of(job_order_name(order));
    request->on.ordered = on_done;
    StoreTask *task = store_task_new(STORE_PROMISED);
    job_table_add(task, table->sql->lock_claims);
    if (table->sql->lock_resource_of)
        store_bind_text(task, store_task_add(task, table->sql->lock_resource_of), id);
    StoreStatement *s = store_task_add(task, table->sql->order_queue);
    store_bind_text(task, s, id);
    store_bind_text(task, s, name);
    s = store_task_add(task, table->sql->order_job);
    store_bind_text(task, s, id);
    store_bind_text(task, s, name);
    store_bind_text(task, s, order->who);
    job_row_bind_sealed(task, s, "ordered_why", id, order->why, table->keys);
    store_bind_text(task, store_task_add(task, table->sql->found), id);
    job_request_submit(request, task, on_ordered);
}

void job_table_remove(JobStorage *storage, Bytes id, JobOnOrdered *on_done, void *owner)
{
    JobTable *table = job_table_of(storage);
    JobRequest *request = job_request_new(table, owner);
    request->on.ordered = on_done;
    StoreTask *task = store_task_new(STORE_PROMISED);
    job_table_add(task, table->sql->lock_claims);
    store_bind_text(task, store_task_add(task, table->sql->remove_queue), id);
    store_bind_text(task, store_task_add(task, table->sql->remove), id);
    store_bind_text(task, store_task_add(task, table->sql->found), id);
    job_request_submit(request, task, on_ordered);
}

/* ---- Other revisions ------------------------------------------------------------------------- */

static StoreStatement *add_migration(StoreTask *task, const char *sql, const JobRecord *record,
                                     uint32_t revision, uint64_t structure, bool to)
{
    StoreStatement *s = store_task_add(task, sql);
    store_bind_text(task, s, record->id);
    store_bind_integer(s, (int64_t)record->token);
    store_bind_integer(s, record->revision);
    store_bind_integer(s, (int64_t)record->structure);
    if (to)
        store_bind_integer(s, revision);
    if (to)
        store_bind_integer(s, (int64_t)structure);
    return s;
}

void job_table_migrate(JobStorage *storage, const JobRecord *record, uint32_t revision,
                       uint64_t structure, JobOnOrdered *on_done, void *owner)
{
    JobTable *table = job_table_of(storage);
    const JobSql *sql = table->sql;
    JobRequest *request = job_request_new(table, owner);
    request->on.ordered = on_done;
    StoreTask *task = store_task_new(STORE_PROMISED);
    job_table_add(task, sql->lock_claims);
    if (sql->lock_resource_of)
        store_bind_text(task, store_task_add(task, sql->lock_resource_of), record->id);
    add_migration(task, sql->migrate_from, record, revision, structure, false);
    add_migration(task, sql->migrate_to, record, revision, structure, true);
    add_migration(task, sql->migrate_job, record, revision, structure, true);
    store_bind_text(task, store_task_add(task, sql->found), record->id);
    job_request_submit(request, task, on_ordered);
}

/* ---- Parked definitions ---------------------------------------------------------------------- */

static void on_unparked(void *owner, Result result, StoreTask *task)
{
    JobRequest *request = owner;
    request->on.done(request->owner, job_request_result(request, result));
    job_request_end(request);
}

void job_table_unpark(JobStorage *storage, Bytes definition, JobOnDone *on_done, void *owner)
{
    JobTable *table = job_table_of(storage);
    JobRequest *request = job_request_new(table, owner);
    request->on.done = on_done;
    StoreTask *task = store_task_new(STORE_PROMISED);
    store_bind_text(task, store_task_add(task, table->sql->unpark), definition);
    job_request_submit(request, task, on_unparked);
}
