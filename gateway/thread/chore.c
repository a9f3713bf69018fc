#include "gateway/thread/chore.h"

#include "base/result.h"
#include "gateway/thread/thread.h"

#include <stdatomic.h>
#include <stdlib.h>

struct Chore {
    ChoreWork work;
    uv_async_t done;
    pthread_t thread;
    pthread_mutex_t mutex; /* of the next two */
    bool has_run, left;
    bool unmade;         /* there is no thread; of the loop */
    atomic_uint n_users; /* the thread and the loop */
};

static void release(Chore *chore)
{
    if (atomic_fetch_sub_explicit(&chore->n_users, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_destroy(&chore->mutex);
    free(chore);
}

static void end_left(const Chore *chore)
{
    if (chore->work.on_left)
        chore->work.on_left(chore->work.owner);
}

/* ---- The thread ------------------------------------------------------------------------------ */

static void *run_thread(void *argument)
{
    Chore *chore = argument;
    pthread_setname_np(pthread_self(), "chore");
    chore->work.run(chore->work.owner);
    pthread_mutex_lock(&chore->mutex);
    chore->has_run = true;
    bool left = chore->left;
    if (!left) /* under the mutex: the loop closes the handle when it leaves */
        uv_async_send(&chore->done);
    pthread_mutex_unlock(&chore->mutex);
    if (left) {
        end_left(chore);
        thread_left_ends();
    }
    release(chore);
    return NULL;
}

/* ---- The loop -------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *done)
{
    release(done->data);
}

static void on_done(uv_async_t *done)
{
    Chore *chore = done->data;
    ChoreWork work = chore->work;
    bool unmade = chore->unmade;
    if (!unmade)
        CHECK(pthread_join(chore->thread, NULL) == 0);
    uv_close((uv_handle_t *)done, on_closed);
    if (unmade)
        work.on_refused(work.owner);
    else
        work.on_done(work.owner);
}

Chore *chore_start(uv_loop_t *loop, const ChoreWork *work)
{
    Chore *chore = calloc(1, sizeof *chore);
    CHECK(chore);
    chore->work = *work;
    atomic_init(&chore->n_users, 2);
    CHECK(pthread_mutex_init(&chore->mutex, NULL) == 0);
    CHECK(uv_async_init(loop, &chore->done, on_done) == 0);
    chore->done.data = chore;
    if (thread_make(&chore->thread, run_thread, chore) != 0) {
        chore->has_run = chore->unmade = true;
        release(chore); /* in place of the thread */
        uv_async_send(&chore->done);
    }
    return chore;
}

void chore_leave(Chore *chore)
{
    pthread_mutex_lock(&chore->mutex);
    bool has_run = chore->has_run;
    chore->left = true;
    if (!has_run)
        thread_leave(chore->thread); /* before the thread can say that it has ended */
    pthread_mutex_unlock(&chore->mutex);
    if (has_run) {
        if (!chore->unmade)
            CHECK(pthread_join(chore->thread, NULL) == 0);
        end_left(chore);
    }
    uv_close((uv_handle_t *)&chore->done, on_closed);
}
