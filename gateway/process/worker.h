/*
 * Worker: one loop on a thread of its own with everything that serves clients: listeners,
 * connections, upstreams.
 *
 * Made, started and joined by the main thread; everything else is posted to its loop.
 */
#ifndef GATEWAY_WORKER_H
#define GATEWAY_WORKER_H

#include "gateway/headers/forwarding.h"
#include "gateway/listen/listener.h"

typedef struct Worker Worker;

/* What all workers share. */
typedef struct WorkerShared {
    atomic_uint n_connections;
    atomic_uint n_cut; /* calls that were cut off at the end */
    HopName hop;
    void (*on_ended)(void *owner); /* a worker's loop has ended; called on its thread */
    void *owner;
} WorkerShared;

/* Any thread; takes a reference to the config. */
Worker *worker_new(WorkerShared *shared, uint32_t index, Config *config);

/* Listens on what is this worker's in `sockets`, and runs. */
MUST_USE Result worker_start(Worker *worker, BoundSocket *sockets, Arena *arena);

/*
 * From now on new calls are under `config`, and its listeners are listened on. `on_done` is called
 * on the worker's thread once `sockets` are taken.
 */
void worker_reload(Worker *worker, Config *config, BoundSocket *sockets,
                   void (*on_done)(void *owner), void *owner);

/* Health fails from now on, and serving goes on. */
void worker_leave(Worker *worker);

/* Services of `config` have other instances: the worker takes their sets, if it has that config. */
void worker_use_instances(Worker *worker, Config *config);

/* No new connections and calls; ends when all calls have ended, or after the config's drain
   time. */
void worker_drain(Worker *worker);

/* Ends now; calls at work are cut off, and their clients told so. */
void worker_abort(Worker *worker);

/* After on_ended, or when it was not started. Frees it. */
void worker_join(Worker *worker);

#endif
