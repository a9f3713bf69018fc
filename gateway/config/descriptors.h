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
 * Part of a Config, and immutable like it.
 */
#ifndef GATEWAY_DESCRIPTORS_H
#define GATEWAY_DESCRIPTORS_H

#include "base/bytes.h"

#include <stdbool.h>

typedef struct Config Config;

typedef struct Descriptors {
    uint32_t most;               /* that the process may have open */
    uint32_t clients, instances; /* the bounds above; 0: no bound */
    uint32_t admin;              /* connections that the admin listener may hold */
    uint32_t room;               /* client connections that have descriptors */
} Descriptors;

/* Raises the soft limit to the hard one. If that is refused, accept fails earlier, which is logged.
 */
void descriptors_raise(void);

/* The hard limit. */
uint32_t descriptors_most(void);

/* Divides `most`, for the config's listeners, instances and loops. */
Descriptors descriptors_share(uint32_t most, const Config *config);

/* Whether a descriptor that was just opened is below the bound. */
static inline bool descriptor_within(uint32_t bound, int fd)
{
    return bound == 0 || (uint32_t)fd < bound;
}

/* Adds a warning, one line without newline, if there are fewer descriptors than limits.connections
   needs. False: there are enough. */
bool descriptors_warn(const Config *config, Buffer *out);

#endif
