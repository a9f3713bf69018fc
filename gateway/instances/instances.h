/*
 * Instances: the state of instances that all loops share, for all sets in use.
 *
 * A KnownInstance is identified by address, HTTP version and TLS identity. All instances with the
 * same identity share it, so it survives a reload. Its number is small and unique while it lives,
 * and is reused afterwards: each loop has an array indexed by it.
 *
 *      InstanceSet, Config -- reference --> KnownInstance <-- reference -- Upstream, per loop
 *
 * No loop and no clock. Finding and releasing take a lock, so they are not used while a call runs;
 * the state is relaxed atomics, for any thread.
 */
#ifndef GATEWAY_INSTANCES_H
#define GATEWAY_INSTANCES_H

#include "gateway/config/config.h"
#include "gateway/instances/check_row.h"
#include "gateway/instances/ejection.h"

/* Sums of calls to an instance, since it is known: instance_counts.h. */
typedef struct CallSums {
    uint64_t calls, failures, unanswered, running, timed, log_sum, log_squares;
} CallSums;

struct KnownInstance {
    uint32_t number;
    uint64_t serial; /* never reused, so that counters by number have one owner */

    /* Its identity: copies, never changed. */
    Address address;
    bool http2;
    const char *tls_name; /* or NULL */
    SSL_CTX *tls;         /* a reference; NULL: cleartext. Later configs may have an equal one */

    KnownInstance *next; /* guarded by the lock, as is the next */
    uint32_t references;
    atomic_uint n_down; /* loops that consider it down */
    atomic_uint n_back; /* how often a loop that considered it down has reached it again */
    atomic_uint barred; /* bits of Bar; 0: it may be used */
    atomic_uint row, row_longest;  /* failures in a row: now, and at most since the last look */
    atomic_llong lost_at;          /* when its connection broke, of calls that counted */
    struct InstanceCounts *counts; /* of its loops; under a lock, as is: */
    CallSums past;                 /* of those that have left */
    atomic_uint unhealthy;         /* a CheckResult: why its active checks fail; 0: they do not */
    CheckRow check_row;            /* of the checking loop's thread, as is: */
    struct Check *check;           /* NULL: it is not checked */
    CallSums seen;                 /* by the last look; of the judge's thread, as are: */
    Judged judged;
    uint64_t judged_in; /* which look it was judged in */
    bool was_seen, was_down, told_ejected, told_unhealthy;
    atomic_llong warm_since; /* start of its slow start, in monotonic nanoseconds; 0: none */
};

/* Why an instance that can be reached is not to be used. Each reason has one owner, which sets and
   lifts it; the instance is used again when all are lifted. */
typedef enum Bar {
    BAR_UNHEALTHY = 1, /* its active health checks fail */
    BAR_EJECTED = 2,   /* its calls fail more often, or take longer, than those of the others */
    BAR_DRAINED = 4,   /* an operator drains it */
    BAR_REMOVED = 8,   /* an operator ejected it */
    /* Of an Instance only: */
    BAR_PINNED = 16,    /* its service is pinned to another version or build */
    BAR_WITHDRAWN = 32, /* the rollout of its build is not complete, and not in the config */
} Bar;

/* Which are not obeyed if nothing else can be used. */
#define BARS_OF_FAILURES (BAR_UNHEALTHY | BAR_EJECTED)
#define BARS_OF_OPERATORS (BAR_DRAINED | BAR_REMOVED | BAR_PINNED | BAR_WITHDRAWN)

/* How often any instance came back: the sum of all `n_back`. */
extern atomic_uint known_instances_back;

/* How often the bars of any instance have changed. A loop that has seen this number need not look
   at `barred` of its instances. */
extern atomic_uint known_instances_barred;

/* The shared state of this instance, found by its identity or created. Never NULL. The caller gets
   a reference. */
KnownInstance *known_instance_of(const Instance *instance);

KnownInstance *known_instance_ref(KnownInstance *known);
void known_instance_unref(KnownInstance *known); /* NULL is allowed */

/* All that exist now, in no order, each with a reference: for metrics. The caller passes the array
   to known_instances_let_go, which frees it. */
KnownInstance **known_instances_all(uint32_t *n_out);
void known_instances_let_go(KnownInstance **all, uint32_t n);

/* A loop begins or ceases to consider the instance down: it calls this alternately, first with
   true. True: it is the first one that does, or the last one that did. */
bool known_instance_set_down(KnownInstance *known, bool down);

/* Sets or lifts a bar, for all loops at once. Does nothing if it is so already. */
void known_instance_bar(KnownInstance *known, Bar bar, bool on);

/* An operator ends its ejection: it may be used from now on, with its slow start. False: it is not
   ejected. On the judge's thread. */
bool known_instance_pardon(KnownInstance *known, int64_t now);

/* Whether what is said of its service leaves the instance out: BAR_PINNED, BAR_WITHDRAWN. Main
   thread only. */
void instance_set_aside(Instance *instance, Bar bar, bool aside);

/* The bars of the instance: bits of Bar; 0: it may be used. */
static inline uint32_t instance_barred(const Instance *instance)
{
    uint32_t aside = atomic_load_explicit(&instance->set_aside, memory_order_relaxed);
    uint32_t bars =
        instance->known ? atomic_load_explicit(&instance->known->barred, memory_order_acquire) : 0;
    return bars | aside;
}

/* The name of the lowest bar in these bits, for operators: "ejected"; "none" for 0. */
const char *bar_name(uint32_t bars);

/* The instance has joined, or may be used again: its slow start begins now. */
void known_instance_warm_up(KnownInstance *known, int64_t now);

enum { SHARE_WHOLE = 1024, SHARE_LEAST = SHARE_WHOLE / 10 };

/* What part of its share of the calls an instance should get, of SHARE_WHOLE: in its slow start,
   which takes `slow_start` nanoseconds (0: no slow start), the part grows from SHARE_LEAST. */
static inline uint32_t known_instance_share(const KnownInstance *known, int64_t slow_start,
                                            int64_t now)
{
    int64_t since = atomic_load_explicit(&known->warm_since, memory_order_relaxed);
    int64_t warm = now - since;
    if (since == 0 || warm >= slow_start)
        return SHARE_WHOLE;
    uint32_t share = warm > 0 ? (uint32_t)(warm * SHARE_WHOLE / slow_start) : 0;
    return share > SHARE_LEAST ? share : SHARE_LEAST;
}

/* How many loops consider the instance down; 0 if none has tried it. */
static inline uint32_t instance_loops_down(const Instance *instance)
{
    return instance->known ? atomic_load_explicit(&instance->known->n_down, memory_order_relaxed)
                           : 0;
}

/* The only information that loops exchange about an instance: one has reached it again. A loop that
   considers it down may try it at once when this number has changed. */
static inline void known_instance_is_back(KnownInstance *known)
{
    atomic_fetch_add_explicit(&known->n_back, 1, memory_order_release);
    atomic_fetch_add_explicit(&known_instances_back, 1, memory_order_release);
}

static inline uint32_t known_instance_times_back(const KnownInstance *known)
{
    return atomic_load_explicit(&known->n_back, memory_order_relaxed);
}

#endif
