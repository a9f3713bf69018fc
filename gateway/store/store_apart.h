/*
 * Reading so much of the store that no other task should wait for it: in a session of its own, on a
 * thread of its own.
 */
#ifndef GATEWAY_STORE_APART_H
#define GATEWAY_STORE_APART_H

#include "gateway/store/store.h"

#include <pthread.h>
#include <stdatomic.h>

/* Opens the store as `settings` say, without changing it, and executes a task that only reads; the
   caller frees it. The error lives in the arena. Any thread, which waits. Faults: as those of
   tasks, store.h. */
MUST_USE Result store_run_apart(const StoreSettings *settings, Arena *arena, StoreTask *task);

/* Reading that is repeated, and takes a thousandth of the time at most: of SQLite that of a
   processor. Filled in by its owner up to `owner`, the rest zeros. One thread uses it. */
typedef struct StoreSurvey {
    Store *store;
    void (*run)(void *owner); /* on its thread */
    void *owner;

    pthread_t thread;
    bool has_thread;
    atomic_bool running;
    _Atomic int64_t next; /* monotonic */
} StoreSurvey;

/* Begins, unless it still runs, has ended a short time ago, or the store cannot be used. */
void store_survey_begin(StoreSurvey *survey);

/* Until what runs has ended. */
void store_survey_wait(StoreSurvey *survey);

/* The same, for as long as a task of the store may take. False: what runs hangs, and is left behind
   with all that it uses. */
bool store_survey_end(StoreSurvey *survey);

#endif
