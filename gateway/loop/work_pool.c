#include "gateway/loop/work_pool.h"

#include "gateway/thread/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct WorkPool {
    uv_mutex_t lock;  /* of everything below, and of Loop.n_jobs */
    uv_cond_t wanted; /* a job waits, or `ending` was set */
    uv_cond_t left;   /* a loop has no more jobs */
    FairQueue queue;
    uint32_t most_waiting;
    atomic_bool ending; /* set under the lock */
    bool ended;         /* of the main thread: work_pool_end has returned */
    uint32_t n_left;    /* likewise: threads that run after it */
    WorkPoolFigures figures;
    uv_thread_t threads[];
};

static WorkJob *job_of(FairWait *place)
{
    return (WorkJob *)((char *)place - offsetof(WorkJob, place));
}

static void on_back(Loop *loop, void *argument)
{
    WorkJob *job = argument;
    (void)loop;
    job->on_done(job, job->has_run);
}

static void uncount(WorkPool *pool, Loop *loop)
{
    if (--loop->n_jobs == 0)
        uv_cond_broadcast(&pool->left);
}

/* Under the lock, so that the job is posted before work_pool_leave returns. */
static void give_back(WorkPool *pool, WorkJob *job)
{
    Loop *loop = job->loop;
    loop_post(loop, on_back, job);
    uncount(pool, loop);
}

/* ---- The threads ----------------------------------------------------------------------------- */

static void run_job(WorkPool *pool, WorkJob *job)
{
    int64_t began = clock_now();
    pool->figures.time_waited += began - job->since;
    pool->figures.n_running++;
    uv_mutex_unlock(&pool->lock);
    job->run(job);
    job->has_run = true;
    uv_mutex_lock(&pool->lock);
    pool->figures.n_running--;
    pool->figures.n_run++;
    pool->figures.time_run += clock_now() - began;
    give_back(pool, job);
}

static void run_thread(void *argument)
{
    WorkPool *pool = argument;
    pthread_setname_np(pthread_self(), "work pool");
    uv_mutex_lock(&pool->lock);
    while (!pool->ending) {
        FairWait *place = fair_queue_take(&pool->queue);
        if (place)
            run_job(pool, job_of(place));
        else
            uv_cond_wait(&pool->wanted, &pool->lock);
    }
    uv_mutex_unlock(&pool->lock);
}

WorkPool *work_pool_new(uint32_t n_threads, uint32_t most_waiting)
{
    WorkPool *pool = calloc(1, sizeof(*pool) + n_threads * sizeof(uv_thread_t));
    CHECK(pool && n_threads && most_waiting);
    pool->most_waiting = most_waiting;
    pool->figures.n_threads = n_threads;
    CHECK(uv_mutex_init(&pool->lock) == 0);
    CHECK(uv_cond_init(&pool->wanted) == 0);
    CHECK(uv_cond_init(&pool->left) == 0);
    for (uint32_t i = 0; i < n_threads; i++)
        CHECK(uv_thread_create(&pool->threads[i], run_thread, pool) == 0);
    return pool;
}

static void give_all_back(WorkPool *pool)
{
    for (FairWait *place; (place = fair_queue_take(&pool->queue));) {
        pool->figures.n_refused++;
        give_back(pool, job_of(place));
    }
}

static void begin_end(WorkPool *pool)
{
    uv_mutex_lock(&pool->lock);
    atomic_store(&pool->ending, true);
    give_all_back(pool);
    uv_cond_broadcast(&pool->wanted);
    uv_mutex_unlock(&pool->lock);
}

bool work_pool_end(WorkPool *pool, int64_t deadline)
{
    begin_end(pool);
    for (uint32_t i = 0; i < pool->figures.n_threads; i++)
        pool->n_left += !thread_join_by(pool->threads[i], deadline);
    pool->ended = true;
    return pool->n_left == 0;
}

bool work_pool_is_ending(const WorkPool *pool)
{
    return atomic_load_explicit(&pool->ending, memory_order_relaxed);
}

void work_pool_free(WorkPool *pool)
{
    if (!pool || pool->n_left)
        return;
    if (!pool->ended) {
        CHECK(pool->queue.n == 0);
        begin_end(pool);
        for (uint32_t i = 0; i < pool->figures.n_threads; i++)
            uv_thread_join(&pool->threads[i]);
    }
    uv_cond_destroy(&pool->left);
    uv_cond_destroy(&pool->wanted);
    uv_mutex_destroy(&pool->lock);
    free(pool);
}

/* ---- The loops ------------------------------------------------------------------------------- */

static void refuse_one(WorkPool *pool)
{
    FairWait *most = fair_queue_most(&pool->queue);
    fair_queue_remove(&pool->queue, most);
    pool->figures.n_refused++;
    give_back(pool, job_of(most));
}

void work_pool_add(WorkPool *pool, WorkJob *job)
{
    IpAddress client = fair_client_of(&job->client);
    job->has_run = false;
    job->since = clock_now();
    uv_mutex_lock(&pool->lock);
    fair_queue_add(&pool->queue, &job->place, &client, job->since);
    job->loop->n_jobs++;
    if (pool->ending)
        give_all_back(pool);
    else if (pool->queue.n > pool->most_waiting)
        refuse_one(pool);
    uv_cond_signal(&pool->wanted);
    uv_mutex_unlock(&pool->lock);
}

bool work_pool_cancel(WorkPool *pool, WorkJob *job)
{
    uv_mutex_lock(&pool->lock);
    bool waits = fair_waits(&job->place);
    if (waits) {
        fair_queue_remove(&pool->queue, &job->place);
        uncount(pool, job->loop);
    }
    uv_mutex_unlock(&pool->lock);
    return waits;
}

bool work_pool_leave(WorkPool *pool, Loop *loop)
{
    uv_mutex_lock(&pool->lock);
    while (loop->n_jobs && !pool->ended)
        uv_cond_wait(&pool->left, &pool->lock);
    bool left = loop->n_jobs == 0;
    uv_mutex_unlock(&pool->lock);
    return left;
}

WorkPoolFigures work_pool_figures(WorkPool *pool)
{
    uv_mutex_lock(&pool->lock);
    WorkPoolFigures figures = pool->figures;
    figures.n_waiting = pool->queue.n;
    uv_mutex_unlock(&pool->lock);
    return figures;
}
