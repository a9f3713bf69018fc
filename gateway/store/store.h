/*
 * Store: what has to outlive the process, in SQLite or PostgreSQL.
 *
 *   loop, admin, main thread --StoreTask--> [queue] --> a thread of the store --> database
 *                      on_done <------------ [StorePort] <-----+
 *
 * No loop ever waits for the database: a task is queued, executed on a thread of the store, and
 * reported on the loop of the port that submitted it. Tasks that wait are executed together. A task
 * that is not done in `time` is given up and fails, so that a store that hangs costs errors, never
 * time. While the database cannot be used, tasks fail at once and the store tries again.
 *
 * Results of tasks:
 *   STORE_DOWN      nothing took effect; the same task may succeed later
 *   STORE_CONFLICT  a condition of the task does not hold; nothing took effect
 *   STORE_UNKNOWN   the store was lost or too slow during the commit: a change may be stored
 *   INTERNAL        a mistake in a statement
 */
#ifndef GATEWAY_STORE_H
#define GATEWAY_STORE_H

#include "gateway/store/store_task.h"

#include <uv.h>

typedef struct Store Store;
typedef struct StorePort StorePort;

/* How to reach the store. Texts are borrowed by store_open only. */
typedef struct StoreSettings {
    const char *sqlite;     /* path of the file; or NULL */
    const char *postgresql; /* libpq's connection string; or NULL. One of both is set */
    uint32_t connections;   /* to PostgreSQL; SQLite has one */
    uint32_t queue;         /* tasks that may wait; more fail with STORE_DOWN */
    int64_t time;           /* nanoseconds in which a task is done, or given up */
    bool read_only;         /* for store_report.h: nothing is created or changed */
} StoreSettings;

typedef struct StoreStats {
    const char *kind; /* "sqlite" */
    bool up;
    uint64_t waiting; /* tasks now */
    uint64_t done, conflicts, failed, given_up;
    uint64_t batches;    /* of tasks that were executed together */
    uint64_t made_empty; /* in place of a store that had gone */
    int64_t busy;        /* nanoseconds that the store's threads spent executing */
} StoreStats;

/* Starts the store's threads. Does not wait for the database: a store that is down now is tried
   again. Any thread. */
Store *store_open(const StoreSettings *settings);

/* Executes what is queued, for `time` at most, and ends the threads; one that still hangs 10 s
   later is left behind, with the store's memory. After all ports were closed. NULL is allowed. */
void store_close(Store *store);

/* Any thread. */
StoreStats store_stats(Store *store);

/* Those that it was opened with. They live as long as the store. */
const StoreSettings *store_settings(const Store *store);

/* A word that no other store has that is open, also in other processes. It lives as long as the
   store. */
const char *store_tag(const Store *store);

/* ---- From a loop ----------------------------------------------------------------------------- */

/* A port for the loop that belongs to this thread. */
StorePort *store_port_open(Store *store, uv_loop_t *loop);

/* Tasks under way are executed, but their on_done is not called any more. */
void store_port_close(StorePort *port);

/*
 * Gives the task to the store, which frees it. Tasks of one port are executed in the order in which
 * they were submitted. `on_done` is called exactly once, on the port's loop, never from inside this
 * function; it may read the task's rows if `result` is a success, and must not keep them. NULL:
 * nobody waits for it. The result's error lives during the call only.
 */
void store_submit(StorePort *port, StoreTask *task,
                  void (*on_done)(void *owner, Result result, StoreTask *task), void *owner);

/* ---- From a thread that may wait ------------------------------------------------------------- */

/* Executes the task; the caller frees it with store_task_free. If it was given up, `*task` is set
   to NULL: it belongs to the store. The error lives in the arena. */
MUST_USE Result store_run(Store *store, Arena *arena, StoreTask **task);

#endif
