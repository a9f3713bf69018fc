/*
 * Loop: one event loop with everything that its thread owns: connections, pools, timers, counters.
 *
 * One per core. A call never leaves its loop, and nothing here is shared: other threads reach a loop by
 * loop_post only. Lives from loop_start to loop_join.
 */
#ifndef GATEWAY_LOOP_H
#define GATEWAY_LOOP_H

#include "base/clock.h"
#include "base/random.h"
#include "gateway/config.h"
#include "gateway/timer.h"

#include <uv.h>

typedef struct Loop Loop;
typedef struct UpstreamTable UpstreamTable;
typedef struct Telemetry Telemetry;

struct Loop {
    uv_loop_t uv;
    uint32_t index;
    int64_t now;          /* monotonic nanoseconds, read once per turn */
    Config *config;       /* the generation that new calls begin with */
    TimerWheel timers;
    UpstreamTable *upstreams;
    Telemetry *telemetry; /* this loop's counters */
    uint32_t n_calls;     /* calls at work */
    bool draining;        /* going down: no new calls */
    uint32_t pick_turn;   /* where pick_instance starts next */
    Random random;        /* for request and trace ids */
    /* private to loop.c below */
    struct LoopPrivate *private;
};

/* Runs `work` once this turn's events have been read, before anything is waited for: how many calls
   share one write. `work` is embedded in its owner; queueing it twice is once. */
typedef struct LoopWork {
    void (*run)(struct LoopWork *work);
    struct LoopWork *next;
    bool queued;
} LoopWork;
void loop_defer(Loop *loop, LoopWork *work);

/* From any thread: `run` is called on the loop. */
void loop_post(Loop *loop, void (*run)(Loop *loop, void *argument), void *argument);

#endif
