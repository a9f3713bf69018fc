/*
 * Descriptors: which part of the file descriptors of the process is reserved for what.
 *
 *      0 ... clients ... instances ... most
 *      |        |            |
 *      |        |            the log, the admin listener, reloads, name servers: all numbers
 *      |        connections to instances: numbers below `instances`
 *      client connections: numbers below `clients`
 *
 * The kernel gives out the lowest free number. A number at or above a bound shows that all numbers
 * below it are in use; such a descriptor is closed again at once. So the rest stays free for those
 * with a higher bound, and nothing has to be counted.
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
    uint32_t room;               /* client connections for which there are descriptors */
} Descriptors;

/* Raises the soft limit to the hard one. Where that is refused, accepting fails earlier, and says
   so. */
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

/* Adds a warning, one line without its end, when there are fewer descriptors than
   limits.connections needs. False: there are enough. */
bool descriptors_warn(const Config *config, Buffer *out);

#endif
