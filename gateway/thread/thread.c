#include "gateway/thread/thread.h"

#include "base/clock.h"
#include "base/result.h"
#include "base/thread/thread_signals.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

static atomic_uint n_left;

int thread_make(pthread_t *thread, void *(*run)(void *argument), void *argument)
{
    sigset_t others, before;
    thread_signals_of_others(&others);
    pthread_sigmask(SIG_SETMASK, &others, &before);
    int error = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* They all wait for the mutex until the last one was made. */
static void *try_one(void *argument)
{
    pthread_mutex_t *held = argument;
    pthread_mutex_lock(held);
    pthread_mutex_unlock(held);
    return NULL;
}

uint32_t threads_try(uint32_t n)
{
    pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
    pthread_t *threads = calloc(n, sizeof *threads);
    CHECK(threads);
    uint32_t made = 0;
    pthread_mutex_lock(&held);
    while (made < n && thread_make(&threads[made], try_one, &held) == 0)
        made++;
    pthread_mutex_unlock(&held);
    for (uint32_t i = 0; i < made; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    pthread_mutex_destroy(&held);
    free(threads);
    return made;
}

/* By the wall clock, since ThreadSanitizer does not know pthread_clockjoin_np. If that clock is set
   meanwhile, the end waits for a longer or shorter time. */
bool thread_join_by(pthread_t thread, int64_t deadline)
{
    int64_t end = clock_wall() + deadline - clock_now();
    struct timespec until = {.tv_sec = end / SECOND, .tv_nsec = end % SECOND};
    if (pthread_timedjoin_np(thread, NULL, &until) == 0)
        return true;
    thread_leave(thread);
    return false;
}

void thread_leave(pthread_t thread)
{
    atomic_fetch_add(&n_left, 1);
    CHECK(pthread_detach(thread) == 0);
}

void thread_left_ends(void)
{
    atomic_fetch_sub(&n_left, 1);
}

uint32_t threads_left(void)
{
    return atomic_load(&n_left);
}
