/*
 * What is being healed and what was, as JSON: the page for operators, and the state for the gateway
 * that takes this one's place.
 *
 *      {"now": [{"act", "service", "subject", "since", "seconds", "why", "cause", ...}],
 *       "acts": [{"act", "service", "total", "lately", "at_most", "seconds", "excess", ...}],
 *       "history": [{... "ended", "how"}]}
 *
 * Any thread.
 */
#ifndef GATEWAY_HEALING_PAGE_H
#define GATEWAY_HEALING_PAGE_H

#include "base/bytes.h"
#include "base/result.h"

enum { HEALING_SHOWN = 1000 }; /* of those that last: the newest; `unlisted` tells how many more */

/* Adds the members of the page, without the braces around them. Newest first. */
void healing_write(Buffer *out);

/* Adds all that lasts, the history and the counts with their windows, for healing_restore in
   another process on this machine. As handover.h wants it; `owner` is not used. */
void healing_keep(void *owner, Buffer *out);

/* What healing_keep has written goes on here: the history, the counts, and excesses. What was done
   to instances, by hand or not, lasts until healing_settle; whatever else lasted has ended, since
   this process has to find it out for itself. After the limits. Fault: INTERNAL. */
MUST_USE Result healing_restore(Arena *arena, Bytes kept);

#endif
