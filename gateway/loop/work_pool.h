/*
 * WorkPool: threads for work that would hold a loop for too long.
 *
 *      loop    add(job) ..................................... on_done(job)
 *      pool              waits, in turn of its client | run(job)
 *
 * A job is a pure function over memory that it owns while it waits and runs: no other code may
 * write there. It is embedded in its owner, which lives until on_done, or until the job was
 * cancelled before it ran. Clients take turns (fair_queue.h), so that one with much work does not
 * delay the others. The queue is bounded: when it is full, the client with the most waiting jobs
 * loses its last one.
 *
 * One pool for all loops of the process, from before their start until after their end. The end of
 * the process does not wait for its work: see work_pool_end.
 */
#ifndef GATEWAY_WORK_POOL_H
#define GATEWAY_WORK_POOL_H

#include "gateway/loop/fair_queue.h"
#include "gateway/loop/loop.h"

typedef struct WorkPool WorkPool;
typedef struct WorkJob WorkJob;

struct WorkJob {
    void (*run)(WorkJob *job); /* on a thread of the pool */
    /* On the thread of its loop, after work_pool_add has returned. False: it has not run, because
       the queue was full, or the pool ends. The job may be freed. */
    void (*on_done)(WorkJob *job, bool has_run);
    Loop *loop;
    IpAddress client; /* unknown: of the gateway's own */
    /* private */
    FairWait place;
    int64_t since;
    bool has_run;
};

/* At least one thread, and room for one waiting job. Never NULL. */
WorkPool *work_pool_new(uint32_t n_threads, uint32_t most_waiting);

/* No job waits, and none runs but those that work_pool_end has left. NULL is allowed. */
void work_pool_free(WorkPool *pool);

/* On the thread of job->loop. on_done is called exactly once, unless the job is cancelled in
   time. */
void work_pool_add(WorkPool *pool, WorkJob *job);

/* Before on_done: on the thread of its loop, or wherever else the job cannot be freed meanwhile.
   True: it was still waiting, and on_done will not be called. False: it is running or has run. */
bool work_pool_cancel(WorkPool *pool, WorkJob *job);

/* The loops have ended, and nobody waits for work any more. What waits is given back without having
   run; what runs has until then (clock_now). False: some of it goes on. Its threads are left behind
   (thread.h), and all that it uses has to stay. */
MUST_USE bool work_pool_end(WorkPool *pool, int64_t deadline);

/* Whether work_pool_end was called. Jobs that may run for long look at it, and end early. Any
   thread. */
bool work_pool_is_ending(const WorkPool *pool);

/* Waits until no job of the loop waits or runs; their on_done are then posted to the loop. For the
   end of a loop, before loop_deinit. False: the pool has ended, and left one of its jobs behind,
   which will post to the loop. */
bool work_pool_leave(WorkPool *pool, Loop *loop);

typedef struct WorkPoolFigures {
    uint32_t n_threads, n_waiting, n_running; /* now */
    uint64_t n_run, n_refused;                /* since the start */
    int64_t time_run, time_waited;            /* nanoseconds, of the jobs that have run */
} WorkPoolFigures;

/* Any thread. */
WorkPoolFigures work_pool_figures(WorkPool *pool);

#endif
