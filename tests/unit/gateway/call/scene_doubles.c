/* What stands in for upstream.h, telemetry.h and healing.h. */
#include "tests/unit/gateway/call/scene.h"

#include "gateway/healing/healing.h"

/* ---- The double of upstream.h ---------------------------------------------------------------- */

static Scene *scene_of(Loop *loop)
{
    return (Scene *)((char *)loop - offsetof(Scene, loop));
}

static struct Upstream *find_upstream(Scene *scene, const char *address)
{
    for (int i = 0; i < SCENE_INSTANCES; i++) {
        struct Upstream *upstream = &scene->upstreams[i];
        if (!upstream->address)
            upstream->address = arena_string(scene->arena, address);
        if (strcmp(upstream->address, address) == 0)
            return upstream;
    }
    fail_msg("too many instances");
    return NULL;
}

struct Upstream *scene_upstream(Scene *scene, int port)
{
    return find_upstream(scene, arena_printf(scene->arena, "127.0.0.1:%d", port));
}

Upstream *upstream_of(Loop *loop, const Instance *at)
{
    struct Upstream *upstream = find_upstream(scene_of(loop), at->address.text);
    upstream->instance = at;
    return upstream;
}

/* Of no list: only the test looks at them. */
InstanceCounts *upstream_counts(Loop *loop, const Instance *at)
{
    struct Upstream *upstream = find_upstream(scene_of(loop), at->address.text);
    upstream->counts.known = at->known;
    return &upstream->counts;
}

UpstreamState upstream_state(const Upstream *upstream, int64_t now)
{
    return upstream->state;
}

bool upstream_worth_a_try(const Upstream *upstream, int64_t now)
{
    return upstream->worth_a_try;
}

int64_t upstream_try_from(const Upstream *upstream)
{
    return upstream->worth_a_try ? 0 : NO_TIMEOUT;
}

Candidate **upstream_candidates(Upstream *upstream)
{
    return &upstream->candidates;
}

bool upstream_is_connected(const Upstream *upstream)
{
    return upstream->connected;
}

bool upstream_is_silent(const Upstream *upstream)
{
    return upstream->silent;
}

void upstream_doubt(const Loop *loop, const Instance *instance, int64_t asked)
{
    find_upstream(scene_playing(), instance->address.text)->n_doubts++;
}

Result upstream_failure(const Upstream *upstream)
{
    return upstream->failure;
}

uint32_t upstream_load(const Upstream *upstream)
{
    return upstream->load;
}

const Latency *upstream_latency(const Upstream *upstream)
{
    static const Latency none;
    return &none;
}

void upstream_measured(const Loop *loop, const Instance *instance, int64_t time, bool answered)
{
    scene_playing()->n_measured += answered;
}

void upstream_want(Upstream *upstream, UpstreamWait *wait, HttpConnection **connection_out)
{
    *connection_out = NULL;
    if (upstream->want != WANT_WAITS) {
        *connection_out = instance_new(scene_playing(), upstream);
        return;
    }
    assert_null(upstream->wait);
    upstream->wait = wait;
    wait->upstream = upstream;
}

static UpstreamWait *take_wait(struct Upstream *upstream)
{
    UpstreamWait *wait = upstream->wait;
    assert_non_null(wait);
    upstream->wait = NULL;
    return wait;
}

void upstream_cancel(UpstreamWait *wait)
{
    if (!wait->upstream || wait->upstream->wait != wait)
        return;
    wait->upstream->wait = NULL;
    scene_playing()->n_cancelled++;
}

void scene_connect(Scene *scene, int port)
{
    struct Upstream *upstream = scene_upstream(scene, port);
    UpstreamWait *wait = take_wait(upstream);
    wait->on_ready(wait, instance_new(scene_playing(), upstream), OK);
    scene_pump(scene);
}

void scene_connect_fails(Scene *scene, int port)
{
    UpstreamWait *wait = take_wait(scene_upstream(scene, port));
    wait->on_ready(wait, NULL, FAIL(scene->arena, FAULT_UPSTREAM_DOWN, "connection refused"));
    scene_pump(scene);
}

void scene_connect_is_late(Scene *scene, int port)
{
    UpstreamWait *wait = take_wait(scene_upstream(scene, port));
    wait->on_ready(wait, NULL, OK);
    scene_pump(scene);
}

/* What asks instances for their schemas needs real pools; no config here does. */
UpstreamTable *upstreams_new(Loop *loop)
{
    fail_msg("a schema was asked for by reflection");
    return NULL;
}

void upstreams_close(UpstreamTable *table, Result why)
{
}

void upstreams_free(UpstreamTable *table)
{
}

/* ---- The double of work_pool.h --------------------------------------------------------------- */

void scene_use_pool(Scene *scene, size_t size)
{
    scene->loop.pool = &scene->pool;
    scene->config->limits.work_bytes = size;
}

void work_pool_add(WorkPool *pool, WorkJob *job)
{
    assert_true(pool->n < SCENE_JOBS);
    pool->has_begun[pool->n] = false;
    pool->jobs[pool->n++] = job;
}

static WorkJob *take_job(WorkPool *pool, uint32_t at)
{
    WorkJob *job = pool->jobs[at];
    pool->n--;
    for (uint32_t i = at; i < pool->n; i++) {
        pool->jobs[i] = pool->jobs[i + 1];
        pool->has_begun[i] = pool->has_begun[i + 1];
    }
    return job;
}

bool work_pool_cancel(WorkPool *pool, WorkJob *job)
{
    for (uint32_t i = 0; i < pool->n; i++) {
        if (pool->jobs[i] != job || pool->has_begun[i])
            continue;
        take_job(pool, i);
        pool->n_cancelled++;
        return true;
    }
    return false;
}

bool work_pool_is_ending(const WorkPool *pool)
{
    return false;
}

static WorkJob *begin_job(WorkPool *pool)
{
    uint32_t at = 0;
    while (pool->has_begun[at])
        at++;
    assert_true(at < pool->n);
    pool->has_begun[at] = true;
    return pool->jobs[at];
}

void scene_begin_job(Scene *scene)
{
    begin_job(&scene->pool);
}

static void run_job(WorkJob *job)
{
    if (!job->has_run)
        job->run(job);
    job->has_run = true;
}

void scene_run_job(Scene *scene)
{
    run_job(begin_job(&scene->pool));
}

void scene_do_job(Scene *scene)
{
    assert_true(scene->pool.n > 0);
    WorkJob *job = take_job(&scene->pool, 0);
    scene->pool.n_run++;
    run_job(job);
    job->on_done(job, true);
    scene_pump(scene);
}

void scene_refuse_job(Scene *scene)
{
    WorkJob *job = take_job(&scene->pool, 0);
    job->on_done(job, false);
    scene_pump(scene);
}

/* ---- The double of telemetry.h --------------------------------------------------------------- */

static const char *fault_name(Result r)
{
    return r.error ? r.error->fault->name : NULL;
}

static const char *record_text(Arena *arena, const CallRecord *record)
{
    Buffer text = buffer_in(arena);
    buffer_add_text(&text, code_name(record->status.code));
    if (failed(record->why))
        buffer_printf(&text, " %s", fault_name(record->why));
    if (record->degraded)
        buffer_printf(&text, " degraded by %s (%s)", record->degraded,
                      fallback_name(record->degraded_by));
    buffer_printf(&text, ", %u sent", record->n_attempts);
    const char *separator = ": ";
    for (const AttemptRecord *attempt = record->attempts; attempt; attempt = attempt->next) {
        assert_true(failed(attempt->why) == (attempt->code != CODE_OK));
        assert_true(attempt->began && attempt->ended >= attempt->began);
        assert_true(!attempt->headed || attempt->headed >= attempt->asked);
        buffer_printf(&text, "%s%s %s", separator,
                      strrchr(attempt->instance->address.text, ':') + 1, code_name(attempt->code));
        separator = ", ";
    }
    return arena_text(arena, buffer_bytes(&text));
}

/* Of what a record borrows, texts are copied; the config's stays. */
void telemetry_record(Loop *loop, const CallRecord *record)
{
    Scene *scene = scene_of(loop);
    Arena *arena = scene->arena;
    assert_true(scene->n_records < SCENE_RECORDS);
    CallRecord *copy = &scene->records[scene->n_records];
    *copy = *record;
    copy->request_id = bytes_copy(arena, record->request_id);
    copy->client = bytes_copy(arena, record->client);
    copy->forwarded_for = bytes_copy(arena, record->forwarded_for);
    copy->verb = bytes_copy(arena, record->verb);
    copy->path = bytes_copy(arena, record->path);
    copy->why = error_copy(arena, record->why);
    copy->detail_why = error_copy(arena, record->detail_why);
    copy->status.message = bytes_copy(arena, record->status.message);
    copy->attempts = NULL;
    scene->record_texts[scene->n_records++] = record_text(arena, record);
}

void telemetry_record_apart(Loop *loop, const CallRecord *record)
{
    scene_of(loop)->n_apart++;
}

void telemetry_event(const char *level, const char *event, Result why, const char *format, ...)
{
}

void telemetry_count(Loop *loop, Counter counter)
{
    scene_of(loop)->counted[counter]++;
}

void healing_count(Loop *loop, HealingAct act, const Service *service)
{
    scene_of(loop)->healed[act]++;
}

bool healing_may(HealingAct act, const char *service)
{
    return !scene_playing()->healing_stopped;
}

void healing_begin(HealingAct act, const char *service, const char *subject, Result cause,
                   const char *format, ...)
{
}

void healing_end(HealingAct act, const char *service, const char *subject, const char *format, ...)
{
}

void assert_record(Scene *scene, const char *expected)
{
    assert_true(scene->n_records > 0);
    assert_string_equal(scene->record_texts[scene->n_records - 1], expected);
}
