/*
 * Descriptors: how the file descriptors of the process are divided.
 *
 *      0 ... clients ... instances ... most
 *      |        |            |
 *      |        |            the log, the admin listener, reloads, name servers: all numbers
 *      |        connections to instances: numbers below `instances`
 *      client connections: numbers below `clients`
 *
 * The kernel assigns the lowest free number. A number at or above a bound means that all numbers
 * below it are in use; such a descriptor is closed at once. So the rest stays free for uses with a
 * higher bound, and nothing needs to be counted.
 *
 * Plain values.
 */
#ifndef BASE_DESCRIPTORS_H
#define BASE_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Descriptors {
    uint32_t most;               /* that the process may have open */
    uint32_t clients, instances; /* the bounds above; 0: no bound */
    uint32_t admin;              /* connections that the admin listener may hold */
    uint32_t room;               /* client connections that have descriptors */
} Descriptors;

/* What there is to divide them for. */
typedef struct DescriptorNeeds {
    uint32_t loops, listeners;
    uint32_t store;     /* what the store has open, at most; 0: there is none */
    uint64_t instances; /* connections to instances, at most; UINT64_MAX: unknown */
} DescriptorNeeds;

/* Raises the soft limit to the hard one. If that is refused, accept fails earlier, which is logged.
 */
void descriptors_raise(void);

/* The hard limit. */
uint32_t descriptors_most(void);

Descriptors descriptors_share(uint32_t most, const DescriptorNeeds *needs);

/* Whether a descriptor that was just opened is below the bound. */
static inline bool descriptor_within(uint32_t bound, int fd)
{
    return bound == 0 || (uint32_t)fd < bound;
}

#endif
