/*
 * Loop: one event loop with everything that its thread owns: connections, pools, timers, counters.
 *
 * One per core. A call never leaves its loop, and nothing here is shared: other threads reach a
 * loop by loop_post only. Lives from loop_init or loop_open to loop_deinit; in between one thread
 * is in loop_run.
 *
 *      wait -> [events: read, parse, act] -> [timers] -> [deferred work: flush] -> wait
 */
#ifndef GATEWAY_LOOP_H
#define GATEWAY_LOOP_H

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "base/text/date.h"
#include "gateway/loop/loop_turn.h"
#include "gateway/loop/read_order.h"
#include "gateway/loop/timer.h"

#include <uv.h>

typedef struct Loop Loop;
typedef struct Config Config; /* gateway/config/config.h */
typedef struct LoopPrivate LoopPrivate;
typedef struct UpstreamTable UpstreamTable;
typedef struct CandidateTable CandidateTable;
typedef struct Telemetry Telemetry;
typedef struct ConfigUse ConfigUse;
typedef struct HealthWatch HealthWatch;
typedef struct MemoryWaits MemoryWaits;
typedef struct WorkPool WorkPool;
typedef struct FallbackTable FallbackTable;
typedef struct MakerTable MakerTable;
typedef struct OperationTable OperationTable;
typedef struct JobDesk JobDesk;
typedef struct JoinGroup JoinGroup;
typedef struct LoopLoad LoopLoad;
typedef struct GateTable GateTable;
typedef struct ShedReplies ShedReplies;
typedef struct ClaimPort ClaimPort;
typedef struct CohortPort CohortPort;
typedef struct ShadowPort ShadowPort;
typedef struct RateLimits RateLimits;
typedef struct AuthzPort AuthzPort;

enum { LOOP_JOINS = 256 };

struct Loop {
    uv_loop_t uv;
    uint32_t index;
    int64_t now;               /* monotonic nanoseconds, read once per turn; see loop_enter */
    char date[DATE_HTTP_SIZE]; /* the HTTP-date of now, no NUL */
    Config *config;            /* the generation that new calls begin with */
    ConfigUse *uses;           /* configs of running calls: config_use.h */
    HealthWatch *watches;      /* subscribers of health changes: health.h */
    MemoryWaits *memory_waits; /* calls that wait for memory: memory_wait.h */
    TimerWheel timers;
    UpstreamTable *upstreams;
    CandidateTable *candidates;       /* instances to pick from: candidates.h */
    Telemetry *telemetry;             /* this loop's counters */
    const FallbackTable *fallbacks;   /* of failed calls: exchange.h; NULL: none */
    JoinGroup *joins[LOOP_JOINS];     /* equal calls, in buckets: joins.h */
    uint32_t n_joined;                /* calls that wait for an equal one */
    const MakerTable *const *makers;  /* of responses without an instance, by Method.maker:
                                         exchange.h; NULL: none */
    const OperationTable *operations; /* of jobs: exchange.h; NULL: none are served */
    JobDesk *jobs;                    /* what calls ask of jobs: job_desk.h; NULL: no store */
    uint32_t n_calls;                 /* running calls */
    WorkPool *pool;  /* for large messages: work_pool.h. NULL: the loop does it all */
    uint32_t n_jobs; /* on the pool; under the pool's lock */
    /* A turn ends, which began with `now`. Called for turns that began at least `watch_from`
       nanoseconds after the one before, while the loop is crowded or memory is short, for some that
       follow, and for one in a tenth of a second: others were short. NULL: nobody measures. */
    void (*on_turn)(Loop *loop, const LoopTurn *turn);
    int64_t watch_from;
    LoopLoad *load;            /* loop_load.h; NULL: not measured */
    GateTable *gates;          /* service_gate.h; NULL: none yet */
    ShedReplies *shed_replies; /* shed_reply.h; NULL: none yet */
    CohortPort *cohorts;       /* of rollouts: cohort_port.h; NULL: none yet */
    ClaimPort *claims;         /* of idempotency keys: claims.h; NULL: there is no store */
    ShadowPort *shadows;       /* takes copies of calls: exchange.h; NULL: there are none */
    ReadOrder order;           /* of reading, if there is much to read */
    struct ProofCache *proofs; /* credentials that were found good: proof_cache.h; NULL: none yet */
    RateLimits *limits;        /* how much clients may do: rate_limits.h; NULL: nobody is limited */
    const AuthzPort *authz;    /* how policy servers are asked: authz_port.h; NULL: no clients */
    uint64_t seed;             /* a random number */
    bool sheds;      /* it refuses calls, since it has more to do than it can: loop_load.h */
    bool leaving;    /* shutting down: health reports NOT_SERVING */
    bool draining;   /* shutting down: no new calls */
    Random random;   /* for request and trace ids, and picks */
    const char *hop; /* the gateway's name in Via and passerelle-hops: forwarding.h. Borrowed */
    Arena *scratch;  /* loop_scratch */
    bool scratch_used;
    LoopPrivate *private; /* for loop.c and socket.c: loop_internal.h */
};

/* Any thread. The caller fills in config, upstreams and telemetry before loop_run. Fault: SYSTEM
   (no descriptors). */
MUST_USE Result loop_open(Loop *loop, uint32_t index, Arena *arena);

/* The same at process start; aborts if it fails. */
void loop_init(Loop *loop, uint32_t index);

/* Runs until loop_stop, on the calling thread. */
void loop_run(Loop *loop);

/* From the loop's thread: loop_run returns after this turn. */
void loop_stop(Loop *loop);

/* Runs posted work and closing handles to their end, then frees. All handles of others must be
   closed or closing, and no thread posts any more. On the thread that was in loop_run, or after it
   has ended. */
void loop_deinit(Loop *loop);

/* To be called first in every callback of a libuv handle on this loop: updates `now`, once per
   turn. */
void loop_enter(Loop *loop);

/* An urgent call has arrived: for a while others are read after such calls if there is much to
   read. See read_order.h. */
static inline void loop_urgent(Loop *loop)
{
    read_order_urgent(&loop->order, loop->now);
}

/* Whether others are read after urgent calls now. */
static inline bool loop_is_crowded(const Loop *loop)
{
    return read_order_is_crowded(&loop->order);
}

/* Runs deferred work now: what comes of an urgent response does not wait until others were read. In
   a callback of a libuv handle; objects may be freed in it. */
void loop_run_work(Loop *loop);

/* For errors and texts that live until the turn ends. */
static inline Arena *loop_scratch(Loop *loop)
{
    loop->scratch_used = true;
    return loop->scratch;
}

/* Runs `work` after this turn's events were read, before the loop waits. So many calls share one
   write. `work` is embedded in its owner; queueing it again has no effect. */
typedef struct LoopWork {
    void (*run)(struct LoopWork *work);
    struct LoopWork *next; /* NULL: it is not queued */
} LoopWork;
void loop_defer(Loop *loop, LoopWork *work);

static inline bool loop_deferred(const LoopWork *work)
{
    return work->next != NULL;
}

/* Removes it, so that its owner can be freed. Does nothing if it is not queued. */
void loop_undefer(Loop *loop, LoopWork *work);

/* From any thread: `run` is called on the loop, in the order of posting. */
void loop_post(Loop *loop, void (*run)(Loop *loop, void *argument), void *argument);

#endif
