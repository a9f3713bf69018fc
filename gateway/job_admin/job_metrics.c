#include "gateway/job_admin/job_metrics.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/store/store_apart.h"

#include <pthread.h>
#include <stdlib.h>

enum { ROWS_MOST = 1000 };

struct JobMetrics {
    uv_timer_t timer;
    StoreSurvey counting;
    pthread_mutex_t mutex;
    Arena *arena;     /* under the mutex, as the next one: of the last count */
    JobCensus census; /* lives in the arena */
};

/* What is not known any more is not told. */
static void keep(JobMetrics *metrics, Arena *arena, const JobCensus *census)
{
    pthread_mutex_lock(&metrics->mutex);
    arena_free(metrics->arena);
    metrics->arena = arena;
    metrics->census = *census;
    pthread_mutex_unlock(&metrics->mutex);
}

static void count(void *owner)
{
    JobMetrics *metrics = owner;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    JobCensus census;
    Result r = job_census_read(store_settings(metrics->counting.store), arena, &census);
    error_ignore(r, "the store tells when it cannot be used; then nothing is shown");
    keep(metrics, arena, &census);
}

static void on_timer(uv_timer_t *timer)
{
    JobMetrics *metrics = timer->data;
    store_survey_begin(&metrics->counting);
}

JobMetrics *job_metrics_start(uv_loop_t *loop, Store *store, int64_t every)
{
    JobMetrics *metrics = calloc(1, sizeof *metrics);
    CHECK(metrics && pthread_mutex_init(&metrics->mutex, NULL) == 0);
    uint64_t milliseconds = (uint64_t)(every / MILLISECOND);
    metrics->counting = (StoreSurvey){.store = store, .run = count, .owner = metrics};
    metrics->timer.data = metrics;
    CHECK(uv_timer_init(loop, &metrics->timer) == 0);
    CHECK(uv_timer_start(&metrics->timer, on_timer, milliseconds, milliseconds) == 0);
    return metrics;
}

void job_metrics_stop(JobMetrics *metrics)
{
    uv_close((uv_handle_t *)&metrics->timer, NULL);
}

void job_metrics_free(JobMetrics *metrics)
{
    if (!store_survey_end(&metrics->counting))
        return;
    arena_free(metrics->arena);
    pthread_mutex_destroy(&metrics->mutex);
    free(metrics);
}

/* ---- The metrics ----------------------------------------------------------------------------- */

static void write_row(Exposition *e, const JobCount *count, bool age, int64_t wall)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Label labels[] = {{"method", arena_text(arena, count->definition)},
                      {"state", job_state_name(count->state)},
                      {"step", arena_text(arena, count->step)}};
    if (age)
        exposition_seconds(e, "", labels, 3, wall > count->oldest ? wall - count->oldest : 0);
    else
        exposition_number(e, "", labels, 3, count->n);
    arena_free(arena);
}

static void write_parked(Exposition *e, const JobCensus *census)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    if (census->n_parked)
        exposition_family(e, "passerelle_jobs_parked", METRIC_GAUGE,
                          "Methods whose jobs do not begin until an operator says so.");
    for (uint32_t i = 0; i < census->n_parked && i < ROWS_MOST; i++)
        exposition_number(e, "", &(Label){"method", arena_text(arena, census->parked[i])}, 1, 1);
    arena_free(arena);
}

void job_metrics_write(Exposition *e, void *owner)
{
    JobMetrics *metrics = owner;
    int64_t wall = clock_wall();
    pthread_mutex_lock(&metrics->mutex);
    const JobCensus *census = &metrics->census;
    uint32_t n = census->n < ROWS_MOST ? census->n : ROWS_MOST;
    if (n)
        exposition_family(e, "passerelle_jobs", METRIC_GAUGE, "Jobs in the store.");
    for (uint32_t i = 0; i < n; i++)
        write_row(e, &census->counts[i], false, wall);
    if (n)
        exposition_family(e, "passerelle_jobs_oldest_seconds", METRIC_GAUGE,
                          "For how long the oldest of them is in its state and step.");
    for (uint32_t i = 0; i < n; i++)
        write_row(e, &census->counts[i], true, wall);
    write_parked(e, census);
    pthread_mutex_unlock(&metrics->mutex);
}
