#include "gateway/thread/errand.h"

#include "base/result.h"
#include "gateway/thread/signals.h"

#include <stdatomic.h>
#include <stdlib.h>

struct Errand {
    ErrandWork work;
    uv_async_t done;
    pthread_t thread;
    pthread_mutex_t mutex; /* of the next two */
    bool has_run, left;
    atomic_uint n_users; /* the thread and the loop */
};

static atomic_uint n_left;

static void release(Errand *errand)
{
    if (atomic_fetch_sub_explicit(&errand->n_users, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_destroy(&errand->mutex);
    free(errand);
}

static void end_left(const Errand *errand)
{
    if (errand->work.on_left)
        errand->work.on_left(errand->work.owner);
}

/* ---- The thread ------------------------------------------------------------------------------ */

static void *run_thread(void *argument)
{
    Errand *errand = argument;
    errand->work.run(errand->work.owner);
    pthread_mutex_lock(&errand->mutex);
    errand->has_run = true;
    bool left = errand->left;
    if (!left) /* under the mutex: the loop closes the handle when it leaves */
        uv_async_send(&errand->done);
    pthread_mutex_unlock(&errand->mutex);
    if (left) {
        end_left(errand);
        atomic_fetch_sub(&n_left, 1);
    }
    release(errand);
    return NULL;
}

/* ---- The loop -------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *done)
{
    release(done->data);
}

static void on_done(uv_async_t *done)
{
    Errand *errand = done->data;
    ErrandWork work = errand->work;
    CHECK(pthread_join(errand->thread, NULL) == 0);
    uv_close((uv_handle_t *)done, on_closed);
    work.on_done(work.owner);
}

Errand *errand_start(uv_loop_t *loop, const ErrandWork *work)
{
    Errand *errand = calloc(1, sizeof *errand);
    CHECK(errand);
    errand->work = *work;
    atomic_init(&errand->n_users, 2);
    CHECK(pthread_mutex_init(&errand->mutex, NULL) == 0);
    CHECK(uv_async_init(loop, &errand->done, on_done) == 0);
    errand->done.data = errand;
    CHECK(signals_make_thread(&errand->thread, run_thread, errand) == 0);
    return errand;
}

void errand_leave(Errand *errand)
{
    pthread_mutex_lock(&errand->mutex);
    bool has_run = errand->has_run;
    errand->left = true;
    if (!has_run)
        atomic_fetch_add(&n_left, 1);
    pthread_mutex_unlock(&errand->mutex);
    if (has_run) {
        CHECK(pthread_join(errand->thread, NULL) == 0);
        end_left(errand);
    } else {
        CHECK(pthread_detach(errand->thread) == 0);
    }
    uv_close((uv_handle_t *)&errand->done, on_closed);
}

uint32_t errands_left(void)
{
    return atomic_load(&n_left);
}
