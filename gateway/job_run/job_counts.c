#include "gateway/job_run/job_counts.h"

#include "base/result.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    ROWS_MOST = 1000,
    RESULTS = 4,
};

typedef struct CountRow {
    struct CountRow *next;
    char *method, *step;
    bool undo;
    uint64_t n[RESULTS];
} CountRow;

struct JobCounts {
    pthread_mutex_t mutex;
    CountRow *rows;
    uint32_t n_rows, held;
};

static const struct {
    JobEvent event;
    const char *name;
} results[RESULTS] = {{JOB_SUCCEEDED, "good"},
                      {JOB_NOT_YET, "not_yet"},
                      {JOB_REFUSED, "refused"},
                      {JOB_BROKE, "broke"}};

JobCounts *job_counts_new(void)
{
    JobCounts *counts = calloc(1, sizeof *counts);
    CHECK(counts && pthread_mutex_init(&counts->mutex, NULL) == 0);
    return counts;
}

void job_counts_free(JobCounts *counts)
{
    if (!counts)
        return;
    for (CountRow *next, *row = counts->rows; row; row = next) {
        next = row->next;
        free(row->method);
        free(row->step);
        free(row);
    }
    pthread_mutex_destroy(&counts->mutex);
    free(counts);
}

static CountRow *find_row(const JobCounts *counts, const char *method, const char *step, bool undo)
{
    CountRow *row = counts->rows;
    while (row &&
           !(row->undo == undo && text_equal(row->step, step) && text_equal(row->method, method)))
        row = row->next;
    return row;
}

#define OTHER "other"

static CountRow *row_of(JobCounts *counts, const char *method, const char *step, bool undo)
{
    CountRow *row = find_row(counts, method, step, undo);
    if (row)
        return row;
    if (counts->n_rows >= ROWS_MOST && !text_equal(method, OTHER))
        return row_of(counts, OTHER, OTHER, false);
    row = calloc(1, sizeof *row);
    CHECK(row);
    *row = (CountRow){
        .next = counts->rows, .method = text_copy(method), .step = text_copy(step), .undo = undo};
    counts->n_rows++;
    return counts->rows = row;
}

void job_counts_call(JobCounts *counts, const char *method, const char *step, bool undo,
                     JobEvent event)
{
    pthread_mutex_lock(&counts->mutex);
    CountRow *row = row_of(counts, method, step, undo);
    event = event == JOB_DECLINED ? JOB_REFUSED : event;
    for (int i = 0; i < RESULTS; i++)
        row->n[i] += results[i].event == event;
    pthread_mutex_unlock(&counts->mutex);
}

void job_counts_held(JobCounts *counts, uint32_t held)
{
    pthread_mutex_lock(&counts->mutex);
    counts->held = held;
    pthread_mutex_unlock(&counts->mutex);
}

static void write_row(Exposition *e, const CountRow *row)
{
    for (int i = 0; i < RESULTS; i++) {
        Label labels[] = {{"method", row->method},
                          {"step", row->step},
                          {"call", row->undo ? "undo" : "step"},
                          {"result", results[i].name}};
        if (row->n[i])
            exposition_number(e, "", labels, 4, row->n[i]);
    }
}

void job_counts_write(Exposition *e, void *owner)
{
    JobCounts *counts = owner;
    pthread_mutex_lock(&counts->mutex);
    exposition_single(e, "passerelle_jobs_held", METRIC_GAUGE,
                      "Jobs that this gateway executes now.", counts->held);
    exposition_family(e, "passerelle_job_calls", METRIC_COUNTER,
                      "Calls of the steps of jobs, and of their undos, by how they ended.");
    for (const CountRow *row = counts->rows; row; row = row->next)
        write_row(e, row);
    pthread_mutex_unlock(&counts->mutex);
}
