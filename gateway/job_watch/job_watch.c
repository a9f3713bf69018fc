#include "gateway/job_watch/job_watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { BUCKETS = 256 };

struct JobNews {
    pthread_mutex_t mutex;  /* of the list */
    JobWatches *loops;      /* those with watches or without */
    atomic_uint n_watching; /* watches, of all loops */
};

/* How many a client has: at least one. */
typedef struct Share {
    struct Share *next;
    uint64_t client;
    uint32_t n;
} Share;

struct JobWatches {
    JobNews *news;
    Loop *loop;
    JobWatches *next; /* of the process */
    JobWatchLimits limits;
    atomic_uint n;
    JobWatch *buckets[BUCKETS]; /* by the id */
    Share *shares[BUCKETS];     /* by the client */
};

/* A message to a loop. Its watches are looked up when it comes: they may have gone meanwhile. */
typedef struct News {
    JobNews *of;
    char id[JOB_ID_SIZE];
} News;

static JobWatch **bucket_of(JobWatches *watches, Bytes id)
{
    return &watches->buckets[bytes_hash(id) % BUCKETS];
}

static Bytes id_of(const JobWatch *watch)
{
    return bytes(watch->id, JOB_ID_SIZE);
}

/* ---- News ------------------------------------------------------------------------------------ */

JobNews *job_news_new(void)
{
    JobNews *news = calloc(1, sizeof *news);
    CHECK(news);
    CHECK(pthread_mutex_init(&news->mutex, NULL) == 0);
    return news;
}

void job_news_free(JobNews *news)
{
    if (!news)
        return;
    CHECK(!news->loops);
    pthread_mutex_destroy(&news->mutex);
    free(news);
}

static JobWatches *watches_of(JobNews *news, const Loop *loop)
{
    pthread_mutex_lock(&news->mutex);
    JobWatches *watches = news->loops;
    while (watches && watches->loop != loop)
        watches = watches->next;
    pthread_mutex_unlock(&news->mutex);
    return watches;
}

static void look_soon(JobWatch *watch)
{
    timer_start(&watch->watches->loop->timers, &watch->timer, 0);
}

/* Each looks in a callback of its own, since it may end others. */
static void on_news(Loop *loop, void *argument)
{
    News *told = argument;
    Bytes id = bytes(told->id, JOB_ID_SIZE);
    JobWatches *watches = watches_of(told->of, loop);
    JobWatch *watch = watches ? *bucket_of(watches, id) : NULL;
    for (; watch; watch = watch->next)
        if (bytes_equal(id_of(watch), id))
            look_soon(watch);
    free(told);
}

void job_news_tell(JobNews *news, Bytes id)
{
    if (id.size != JOB_ID_SIZE ||
        atomic_load_explicit(&news->n_watching, memory_order_relaxed) == 0)
        return;
    pthread_mutex_lock(&news->mutex);
    for (JobWatches *watches = news->loops; watches; watches = watches->next) {
        if (atomic_load_explicit(&watches->n, memory_order_relaxed) == 0)
            continue;
        News *told = malloc(sizeof *told);
        CHECK(told);
        told->of = news;
        memcpy(told->id, id.data, JOB_ID_SIZE);
        loop_post(watches->loop, on_news, told);
    }
    pthread_mutex_unlock(&news->mutex);
}

/* ---- The watches of a loop ------------------------------------------------------------------- */

JobWatches *job_watches_new(JobNews *news, Loop *loop, JobWatchLimits limits)
{
    JobWatches *watches = calloc(1, sizeof *watches);
    CHECK(watches);
    watches->news = news;
    watches->loop = loop;
    watches->limits = limits;
    pthread_mutex_lock(&news->mutex);
    watches->next = news->loops;
    news->loops = watches;
    pthread_mutex_unlock(&news->mutex);
    return watches;
}

void job_watches_free(JobWatches *watches)
{
    if (!watches)
        return;
    CHECK(atomic_load(&watches->n) == 0);
    JobNews *news = watches->news;
    pthread_mutex_lock(&news->mutex);
    JobWatches **at = &news->loops;
    while (*at != watches)
        at = &(*at)->next;
    *at = watches->next;
    pthread_mutex_unlock(&news->mutex);
    free(watches);
}

static void look_again(JobWatch *watch)
{
    Loop *loop = watch->watches->loop;
    timer_start(&loop->timers, &watch->timer, loop->now + JOB_WATCH_TIME);
}

static void on_timer(Timer *timer)
{
    JobWatch *watch = (JobWatch *)((char *)timer - offsetof(JobWatch, timer));
    look_again(watch);
    watch->look(watch);
}

/* Where the client's share is, or would be. */
static Share **share_of(JobWatches *watches, uint64_t client)
{
    Share **at = &watches->shares[client % BUCKETS];
    while (*at && (*at)->client != client)
        at = &(*at)->next;
    return at;
}

static void take_share(JobWatches *watches, uint64_t client)
{
    Share **at = share_of(watches, client);
    if (!*at) {
        *at = calloc(1, sizeof **at);
        CHECK(*at);
        (*at)->client = client;
    }
    (*at)->n++;
}

static void leave_share(JobWatches *watches, uint64_t client)
{
    Share **at = share_of(watches, client), *share = *at;
    if (--share->n)
        return;
    *at = share->next;
    free(share);
}

static bool has_its_share(JobWatches *watches, uint64_t client)
{
    const Share *share = *share_of(watches, client);
    return share && share->n >= watches->limits.per_client;
}

JobWatchStart job_watch_start(JobWatches *watches, JobWatch *watch, Bytes id, Bytes client)
{
    if (id.size != JOB_ID_SIZE)
        return JOB_WATCH_NO_ID;
    watch->client = bytes_hash(client);
    if (has_its_share(watches, watch->client))
        return JOB_WATCH_SHARE;
    if (atomic_load(&watches->n) >= watches->limits.most)
        return JOB_WATCH_TOO_MANY;
    take_share(watches, watch->client);
    memcpy(watch->id, id.data, JOB_ID_SIZE);
    watch->watches = watches;
    watch->timer.fire = on_timer;
    watch->at = bucket_of(watches, id);
    watch->next = *watch->at;
    if (watch->next)
        watch->next->at = &watch->next;
    *watch->at = watch;
    atomic_fetch_add(&watches->n, 1);
    atomic_fetch_add(&watches->news->n_watching, 1);
    look_again(watch);
    return JOB_WATCH_RUNS;
}

void job_watch_stop(JobWatch *watch)
{
    if (!watch->at)
        return;
    *watch->at = watch->next;
    if (watch->next)
        watch->next->at = watch->at;
    watch->at = NULL;
    leave_share(watch->watches, watch->client);
    atomic_fetch_sub(&watch->watches->n, 1);
    atomic_fetch_sub(&watch->watches->news->n_watching, 1);
    timer_stop(&watch->watches->loop->timers, &watch->timer);
}

void job_watches_look(JobWatches *watches)
{
    for (uint32_t i = 0; i < BUCKETS; i++)
        for (JobWatch *watch = watches->buckets[i]; watch; watch = watch->next)
            look_soon(watch);
}
