/*
 * Privileges: what root may do, given up for good: the user, the groups, the capabilities but that
 * for low ports, and the way to get any of it back. Once, on the main thread; it counts for the
 * threads that it creates later, and for all threads as far as users and groups go.
 */
#ifndef GATEWAY_PRIVILEGES_H
#define GATEWAY_PRIVILEGES_H

#include "base/result.h"

/*
 * `user` NULL: it stays the one that it is; `group` NULL: that of the user. Who is not root may
 * name only the user and the group that it has. Fault: SYSTEM.
 */
MUST_USE Result privileges_drop(Arena *arena, const char *user, const char *group);

/*
 * Calls `act` with the rights to files that privileges_drop would leave, and comes back. False:
 * only root can, and it was not called. Where no other thread runs.
 */
bool privileges_try(const char *user, const char *group, void (*act)(void *owner), void *owner);

#endif
