/*
 * Worker: one loop on its own thread, with its listeners, connections and upstreams.
 *
 * Made, started and joined by the main thread; everything else is posted to its loop.
 */
#ifndef GATEWAY_WORKER_H
#define GATEWAY_WORKER_H

#include "gateway/compose/composition.h"
#include "gateway/failure/fallbacks.h"
#include "gateway/headers/forwarding.h"
#include "gateway/idempotency/claims.h"
#include "gateway/job_view/worker_jobs.h"
#include "gateway/ledger/ledger.h"
#include "gateway/limits/rate_limits.h"
#include "gateway/listen/listener.h"
#include "gateway/loop/work_pool.h"
#include "gateway/otlp/otlp.h"
#include "gateway/shadow/shadows.h"
#include "gateway/usage/usage.h"

typedef struct Worker Worker;

/* What all workers share. */
typedef struct WorkerShared {
    atomic_uint n_connections;
    atomic_uint n_cut;       /* calls that were cut off at the end */
    atomic_llong drain_time; /* for running calls, in nanoseconds; 0: that of the config */
    HopName hop;
    WorkPool *pool;
    Fallbacks *fallbacks;
    Ledger *ledger;
    Usage *usage;
    Otlp *otlp;
    RateLimits *limits;
    JobsShared jobs;
    Claims *claims; /* NULL: there is no store */
    ShadowBook *shadows;
    void (*on_ended)(void *owner); /* a worker's loop has ended; called on its thread */
    void *owner;
} WorkerShared;

/* Any thread; takes a reference to the config. */
Worker *worker_new(WorkerShared *shared, uint32_t index, Config *config);

/* Before it starts: its listeners leave clients in their queues until worker_serve. */
void worker_hold(Worker *worker);
void worker_serve(Worker *worker);

/* Serves the connection on the descriptor, which it owns from now on, as that of a client on a unix
   socket. Listeners need not serve. */
void worker_accept(Worker *worker, int fd);

/* Calls `on_turn` on the worker's thread, after what was posted before; at the latest when it is
   joined. */
void worker_ask(Worker *worker, void (*on_turn)(void *owner), void *owner);

/* The ledger gets a failure that is no call's. `why` is copied. */
void worker_record(Worker *worker, Result why);

/* Listens on this worker's descriptors in `sockets`, and starts the thread. */
MUST_USE Result worker_start(Worker *worker, BoundSocket *sockets, Arena *arena);

/*
 * New calls use `config` from now on, and its listeners are opened. `on_done` is called on the
 * worker's thread after the `sockets` were taken.
 */
void worker_reload(Worker *worker, Config *config, BoundSocket *sockets,
                   void (*on_done)(void *owner), void *owner);

/* Health reports NOT_SERVING from now on; the worker continues to serve. */
void worker_leave(Worker *worker);

/* Instance sets of services in `config` were replaced: the worker takes the new ones, if it has
   that config. */
void worker_use_instances(Worker *worker, Config *config);

/* No new connections and calls; ends when all calls have ended, or after the drain time of
   WorkerShared or of the config. */
void worker_drain(Worker *worker);

/* One that drains has no longer than the config's drain time, from now on. */
void worker_hurry(Worker *worker);

/* Ends now: running calls are cut off, with an error to their clients. */
void worker_abort(Worker *worker);

/* After on_ended, or if it was not started. Frees it; but if the work pool has ended and left work
   of its calls behind, what they use stays. */
void worker_join(Worker *worker);

#endif
