#include "gateway/job_store/job_census.h"

#include "base/arena.h"
#include "gateway/job_store/job_sql.h"
#include "gateway/store/store_apart.h"

static const char count_jobs[] = "SELECT definition, state, step, count(*), min(since) FROM jobs"
                                 " GROUP BY definition, state, step"
                                 " ORDER BY definition, state, step";

static const char find_parked[] =
    "SELECT p.definition FROM job_parks p WHERE " JOB_IS_PARKED " ORDER BY p.definition";

static const char count_retrying[] =
    "SELECT definition, count(*) FROM jobs WHERE stage = 1 AND " JOB_IS_RETRYING(
        "") " GROUP BY definition ORDER BY definition";

static const char oldest_event[] = "SELECT coalesce(min(at), 0) FROM job_events";

/* A state that this gateway does not know is one of a newer one, and is left out. */
static void read_rows(const StoreStatement *found, Arena *arena, JobCensus *out)
{
    out->counts = arena_array(arena, JobCount, found->n_rows);
    out->n = 0;
    for (const StoreRow *row = found->rows; row; row = row->next) {
        JobCount *count = &out->counts[out->n];
        if (!job_state_of(row->values[1].bytes, &count->state))
            continue;
        count->definition = bytes_copy(arena, row->values[0].bytes);
        count->step = bytes_copy(arena, row->values[2].bytes);
        count->n = (uint64_t)row->values[3].integer;
        count->oldest = row->values[4].integer;
        out->n++;
    }
}

static void read_parked(const StoreStatement *found, Arena *arena, JobCensus *out)
{
    out->parked = arena_array(arena, Bytes, found->n_rows);
    for (const StoreRow *row = found->rows; row; row = row->next)
        out->parked[out->n_parked++] = bytes_copy(arena, row->values[0].bytes);
}

static void read_retrying(const StoreStatement *found, Arena *arena, JobCensus *out)
{
    out->retrying = arena_array(arena, JobRetryCount, found->n_rows);
    for (const StoreRow *row = found->rows; row; row = row->next)
        out->retrying[out->n_retrying++] = (JobRetryCount){bytes_copy(arena, row->values[0].bytes),
                                                           (uint64_t)row->values[1].integer};
}

Result job_census_read(const StoreSettings *settings, Arena *arena, JobCensus *out)
{
    StoreTask *task = store_task_new(STORE_SOON);
    const StoreStatement *found = store_task_add(task, count_jobs);
    const StoreStatement *parked = store_task_add(task, find_parked);
    const StoreStatement *retrying = store_task_add(task, count_retrying);
    const StoreStatement *event = store_task_add(task, oldest_event);
    *out = (JobCensus){.n = 0};
    Result r = store_run_apart(settings, arena, task);
    if (!failed(r)) {
        read_rows(found, arena, out);
        read_parked(parked, arena, out);
        read_retrying(retrying, arena, out);
        out->event = event->rows->values[0].integer;
    }
    store_task_free(task);
    return r;
}
