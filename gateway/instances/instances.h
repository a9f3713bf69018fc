/*
 * Instances: what all loops know of the instances of all sets that are in use.
 *
 * A KnownInstance is found by how an instance is reached: address, HTTP version and TLS identity.
 * Everything that names the same one shares it, so that it lives on over a reload. Its number is
 * small, its own for as long as it lives, and then given to another: an array of a loop's own state
 * is indexed by it.
 *
 *      InstanceSet, Config -- reference --> KnownInstance <-- reference -- Upstream, per loop
 *
 * No loop and no clock. Finding and letting go take a lock and are not for the way of a call; the
 * state is relaxed atomics, for any thread.
 */
#ifndef GATEWAY_INSTANCES_H
#define GATEWAY_INSTANCES_H

#include "gateway/config/config.h"

struct KnownInstance {
    uint32_t number;
    uint64_t serial; /* never given twice, so that what is counted by number has one owner */

    /* What it is found by: copies, never changed. */
    Address address;
    bool http2;
    const char *tls_name; /* or NULL */
    SSL_CTX *tls;         /* a reference; NULL: cleartext. Later configs may have an equal one */

    KnownInstance *next; /* guarded by the lock, as is the next */
    uint32_t references;
    atomic_uint n_down; /* loops that consider it down */
    atomic_uint n_back; /* how often a loop reached it that had considered it down */
};

/* How often any instance came back: the sum of all `n_back`. */
extern atomic_uint known_instances_back;

/* What all loops know of this instance, by what is in its config. Never NULL. The caller gets a
   reference. */
KnownInstance *known_instance_of(const Instance *instance);

KnownInstance *known_instance_ref(KnownInstance *known);
void known_instance_unref(KnownInstance *known); /* NULL is fine */

/* All that live now, in no order, each with a reference: for those who show them. Give the array
   back to known_instances_let_go, which frees it. */
KnownInstance **known_instances_all(uint32_t *n_out);
void known_instances_let_go(KnownInstance **all, uint32_t n);

/* A loop begins or ceases to consider the instance down: it says each in turn, beginning with
   true. */
void known_instance_set_down(KnownInstance *known, bool down);

/* How many loops consider the instance down; 0 where nobody has tried it. */
static inline uint32_t instance_loops_down(const Instance *instance)
{
    return instance->known ? atomic_load_explicit(&instance->known->n_down, memory_order_relaxed)
                           : 0;
}

/* The one thing that loops tell each other of an instance: that one has reached it again. Whoever
   considers it down and finds another number here than before may try it at once. */
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
