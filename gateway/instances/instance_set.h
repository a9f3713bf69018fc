/*
 * InstanceSet: the current instances of a service; a generation of its own.
 *
 *      Service.set -> InstanceSet 7 -> Instance, Instance, ...
 *                     InstanceSet 6 -> (those that stayed are in both)
 *
 * Immutable and counted by reference. When instances join or leave, a new set replaces the old one,
 * without a new config. Each loop then switches to it; a call keeps the set that it picked from. A
 * service has a set from instances_adopt to the end of its config, and a set must not outlive that
 * config. Instances that were read with the config belong to it; those discovered later belong to
 * the sets that they are in.
 *
 * Replaced by the main thread only; taken by any. No loop and no clock.
 */
#ifndef GATEWAY_INSTANCE_SET_H
#define GATEWAY_INSTANCE_SET_H

#include "gateway/instances/instances.h"
#include "gateway/instances/ring.h"

struct InstanceSet {
    atomic_uint references;
    uint64_t generation; /* of the service's sets: 1, 2, ... */
    const Service *service;
    Instance **instances;
    uint32_t n;
    bool has_far; /* one is of another cell than the gateway */
    /* Of a service with affinity, by the number of a version; if has_far, then as many of the
       instances of other cells; of a service whose build is rolled out, then all of these of the
       candidate's. Members are indexes in `instances`. Else NULL. */
    Ring **rings;
    uint32_t n_rings;
    uint64_t n_joined, n_left; /* instances, from the service's first set to this one */
};

/* What changed from one set to the next, by address. */
typedef struct InstanceChanges {
    uint32_t joined, left;
    uint32_t altered; /* stayed, with other settings: versions, protocol, build */
} InstanceChanges;

/* The versions of the service that the instance has: a bit each. A service without versions has one
   list of all. */
uint64_t instance_lists(const Service *service, const Instance *instance);

/* Whether it is of the build that is rolled out: only clients that have the candidate get it. */
bool instance_is_candidate(const Service *service, const Instance *instance);

/* Its share of the calls: 1 and more. */
uint32_t instance_weight(const Instance *instance);

/* A set with one reference, the caller's. Fills in `known` of instances that have none; takes the
   references to discovered ones in `instances`, which is copied. */
InstanceSet *instance_set_new(const Service *service, Instance *const *instances, uint32_t n);

InstanceSet *instance_set_ref(InstanceSet *set);
void instance_set_unref(InstanceSet *set); /* NULL is allowed; any thread */

/* A reference to the service's current set; NULL before it has one. Any thread. */
InstanceSet *instance_set_of(const Service *service);

/* Replaces the service's set; takes the caller's reference. The caller must notify the loops. */
void instance_set_use(Service *service, InstanceSet *set);

/* Replaces the first set of a service whose list was empty or could not be read when the config was
   loaded; takes the caller's reference. `before` is the set that the service had until now, of an
   older config: instances that are in both have neither left nor joined. */
void instance_set_restore(Service *service, InstanceSet *set, const InstanceSet *before);

/* `before` may be of an older config. */
InstanceChanges instance_set_compare(const InstanceSet *before, const InstanceSet *after);

/* An instance of a set's own: `read` with all its texts copied, a reference to its TLS context, and
   the entry that it was read from. One reference, for a set. */
Instance *instance_discovered(const Instance *read, Bytes said);
Instance *instance_ref(Instance *instance); /* does nothing for one of the config's */

/* Gives each service of the config its first set: the instances that were read with it. Once for
   each config, before any loop has it; the config releases the sets when it is freed. The counts of
   instances that joined and left continue from `before`, the config that ran until now; NULL: none.
   */
void instances_adopt(Config *config, const Config *before);

#endif
