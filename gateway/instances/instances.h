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
};

/* How often any instance came back: the sum of all `n_back`. */
extern atomic_uint known_instances_back;

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
   true. */
void known_instance_set_down(KnownInstance *known, bool down);

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
