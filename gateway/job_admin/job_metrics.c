#include "gateway/job_admin/job_metrics.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/store/store_apart.h"
#include "gateway/telemetry/telemetry.h"

#include <pthread.h>
#include <stdlib.h>

enum { ROWS_MOST = 1000 };

/* A method with jobs, and how many may wait for another try. */
typedef struct Limit {
    const char *definition;
    uint32_t most;
    bool held; /* none begins, as was told */
} Limit;

struct JobMetrics {
    uv_timer_t timer;
    StoreSurvey counting;
    pthread_mutex_t mutex; /* of all below */
    Arena *arena;          /* of the last count */
    JobCensus census;      /* lives in the arena */
    Arena *limits_arena;
    Limit *limits;
    uint32_t n_limits;
};

/* ---- Begins that are held -------------------------------------------------------------------- */

bool job_begins_are_held(uint64_t retrying, uint32_t most)
{
    return most && retrying >= most;
}

static Limit *limit_of(Limit *limits, uint32_t n, const char *definition)
{
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(limits[i].definition, definition) == 0)
            return &limits[i];
    return NULL;
}

/* Of several revisions the one that allows the most. */
static Limit *make_limits(const Config *config, Arena *arena, uint32_t *n_out)
{
    Limit *limits = arena_array(arena, Limit, config->n_jobs);
    *n_out = 0;
    for (uint32_t i = 0; i < config->n_jobs; i++) {
        const JobDefinition *job = &config->jobs[i];
        Limit *limit = limit_of(limits, *n_out, job->name);
        if (!limit) {
            limit = &limits[(*n_out)++];
            *limit = (Limit){.definition = arena_string(arena, job->name)};
        }
        if (job->retrying > limit->most)
            limit->most = job->retrying;
    }
    return limits;
}

void job_metrics_use(JobMetrics *metrics, const Config *config)
{
    uint32_t n;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Limit *limits = make_limits(config, arena, &n);
    pthread_mutex_lock(&metrics->mutex);
    for (uint32_t i = 0; i < n; i++) {
        const Limit *before = limit_of(metrics->limits, metrics->n_limits, limits[i].definition);
        limits[i].held = before && before->held;
    }
    arena_free(metrics->limits_arena);
    metrics->limits_arena = arena;
    metrics->limits = limits;
    metrics->n_limits = n;
    pthread_mutex_unlock(&metrics->mutex);
}

static uint64_t count_retrying(const JobCensus *census, const char *definition)
{
    for (uint32_t i = 0; i < census->n_retrying; i++)
        if (bytes_are(census->retrying[i].definition, definition))
            return census->retrying[i].n;
    return 0;
}

/* Tells what has changed. */
static void see_held(Limit *limit, uint64_t n)
{
    bool held = job_begins_are_held(n, limit->most);
    if (held == limit->held)
        return;
    limit->held = held;
    if (held)
        telemetry_event("warning", "job_begins_held", OK,
                        "%s: %llu jobs wait for another try of a call that has failed, so that no "
                        "other begins (retrying: %u)",
                        limit->definition, (unsigned long long)n, limit->most);
    else
        telemetry_event("info", "job_begins", OK, "%s: jobs begin again", limit->definition);
}

/* ---- Counting -------------------------------------------------------------------------------- */

/* What is not known any more is not told. */
static void keep(JobMetrics *metrics, Arena *arena, const JobCensus *census, bool known)
{
    pthread_mutex_lock(&metrics->mutex);
    arena_free(metrics->arena);
    metrics->arena = arena;
    metrics->census = *census;
    for (uint32_t i = 0; known && i < metrics->n_limits; i++) {
        Limit *limit = &metrics->limits[i];
        see_held(limit, count_retrying(census, limit->definition));
    }
    pthread_mutex_unlock(&metrics->mutex);
}

static void count(void *owner)
{
    JobMetrics *metrics = owner;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    JobCensus census;
    Result r = job_census_read(store_settings(metrics->counting.store), arena, &census);
    bool known = !failed(r);
    error_ignore(r, "the store tells when it cannot be used; then nothing is shown");
    keep(metrics, arena, &census, known);
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
    arena_free(metrics->limits_arena);
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
    exposition_family(e, "passerelle_jobs_parked", METRIC_GAUGE,
                      "Methods whose jobs do not begin until an operator says so.");
    for (uint32_t i = 0; i < census->n_parked && i < ROWS_MOST; i++)
        exposition_number(e, "", &(Label){"method", arena_text(arena, census->parked[i])}, 1, 1);
    arena_free(arena);
}

static void write_retrying(Exposition *e, const JobMetrics *metrics)
{
    const JobCensus *census = &metrics->census;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    exposition_family(e, "passerelle_jobs_retrying", METRIC_GAUGE,
                      "Jobs that wait for another try of a call that has failed.");
    for (uint32_t i = 0; i < census->n_retrying && i < ROWS_MOST; i++)
        exposition_number(e, "",
                          &(Label){"method", arena_text(arena, census->retrying[i].definition)}, 1,
                          census->retrying[i].n);
    if (metrics->n_limits)
        exposition_family(e, "passerelle_jobs_begins_held", METRIC_GAUGE,
                          "1: no job of the method begins, as too many wait for another try.");
    for (uint32_t i = 0; i < metrics->n_limits && i < ROWS_MOST; i++)
        exposition_number(e, "", &(Label){"method", metrics->limits[i].definition}, 1,
                          metrics->limits[i].held);
    arena_free(arena);
}

static void write_events(Exposition *e, const JobCensus *census, int64_t wall)
{
    bool waits = census->event && wall > census->event;
    exposition_family(e, "passerelle_job_events_oldest_seconds", METRIC_GAUGE,
                      "For how long the oldest event waits that a webhook has not taken yet; 0: "
                      "none does.");
    exposition_seconds(e, "", NULL, 0, waits ? wall - census->event : 0);
}

void job_metrics_write(Exposition *e, void *owner)
{
    JobMetrics *metrics = owner;
    int64_t wall = clock_wall();
    pthread_mutex_lock(&metrics->mutex);
    const JobCensus *census = &metrics->census;
    uint32_t n = census->n < ROWS_MOST ? census->n : ROWS_MOST;
    exposition_family(e, "passerelle_jobs", METRIC_GAUGE, "Jobs in the store.");
    for (uint32_t i = 0; i < n; i++)
        write_row(e, &census->counts[i], false, wall);
    exposition_family(e, "passerelle_jobs_oldest_seconds", METRIC_GAUGE,
                      "For how long the oldest of them is in its state and step.");
    for (uint32_t i = 0; i < n; i++)
        write_row(e, &census->counts[i], true, wall);
    write_parked(e, census);
    write_retrying(e, metrics);
    write_events(e, census, wall);
    pthread_mutex_unlock(&metrics->mutex);
}
