/*
 * Members that lines of calls may have, as docs/seeing.md tells them: "client", and those within
 * others: "causes.0.fault", "fields.order.id". Pure; any thread.
 */
#ifndef GATEWAY_LOG_MEMBERS_H
#define GATEWAY_LOG_MEMBERS_H

#include "base/bytes.h"

/* Those that are within no other, sorted. */
const char *const *log_members(size_t *n_out);

/* Whether a line of some call can have this member. */
bool log_member_exists(Bytes name);

/* One that exists, where this one does not: the most similar, or how the members within it are
   written. NULL: none is similar enough. It lives in the arena. */
const char *log_member_near(Arena *arena, Bytes name);

#endif
