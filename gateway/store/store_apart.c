#include "gateway/store/store_apart.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/store/store_backend.h"
#include "gateway/thread/thread.h"

#include <time.h>

enum { ONE_IN = 1000 }; /* of the time */

#define AGAIN (10 * SECOND) /* after there was no thread */

Result store_run_apart(const StoreSettings *settings, Arena *arena, StoreTask *task)
{
    const StoreBackend *backend = settings->postgresql ? &store_postgresql : &store_sqlite;
    StoreSettings reading = *settings;
    StoreSession *session;
    reading.read_only = true;
    Result r = backend->open(&reading, arena, &session);
    if (failed(r))
        return r;
    backend->execute(session, &task, 1);
    backend->close(session);
    return error_copy(arena, task->result);
}

/* SQLite works on this thread: what counts is what it takes, not for how long it waits for a
   processor. */
static int64_t time_spent(const StoreSurvey *survey)
{
    return store_settings(survey->store)->postgresql ? clock_now() : clock_thread();
}

static void *run(void *argument)
{
    StoreSurvey *survey = argument;
    pthread_setname_np(pthread_self(), "store survey");
    int64_t began = time_spent(survey);
    survey->run(survey->owner);
    int64_t took = time_spent(survey) - began;
    atomic_store(&survey->next, clock_now() + took * ONE_IN);
    atomic_store(&survey->running, false);
    return NULL;
}

void store_survey_wait(StoreSurvey *survey)
{
    if (survey->has_thread)
        CHECK(pthread_join(survey->thread, NULL) == 0);
    survey->has_thread = false;
}

bool store_survey_end(StoreSurvey *survey)
{
    int64_t deadline = clock_now() + store_settings(survey->store)->time;
    return !survey->has_thread || thread_join_by(survey->thread, deadline);
}

void store_survey_begin(StoreSurvey *survey)
{
    if (atomic_load(&survey->running) || clock_now() < atomic_load(&survey->next) ||
        !store_stats(survey->store).up)
        return;
    store_survey_wait(survey);
    atomic_store(&survey->running, true);
    survey->has_thread = thread_make(&survey->thread, run, survey) == 0;
    if (!survey->has_thread) { /* what was counted last stays */
        atomic_store(&survey->next, clock_now() + AGAIN);
        atomic_store(&survey->running, false);
    }
}
