/*
 * MemoryWait: a call that must not be refused any more, and waits until there is memory for the
 * rest of its response.
 *
 * The waits of a loop are looked at in their order, many times a second, and each asks again. The
 * first may go on although there is no memory left for it, as long as the limit is not exceeded by
 * more than an eighth: so calls that hold half of their responses end one after the other, instead
 * of waiting for each other. Embedded in its owner; on one loop, its thread only. All zeros: it
 * does not wait.
 */
#ifndef GATEWAY_MEMORY_WAIT_H
#define GATEWAY_MEMORY_WAIT_H

#include "base/memory/budget.h"
#include "gateway/loop/loop.h"

typedef struct MemoryWait {
    void (*look)(struct MemoryWait *wait); /* calls memory_wait_for again; may free its owner */
    struct MemoryWait *next, **at;         /* at: NULL when it does not wait */
} MemoryWait;

/* Whether the owner must wait for `more` bytes, for something that has begun. If so, it is put
   behind all others, unless it waits already; when memory is granted, it is taken out. The one that
   is let through stays the first until its owner takes it out. `account` may be NULL. */
bool memory_wait_for(Loop *loop, MemoryWait *wait, const Account *account, size_t more);

/* Nothing happens if it does not wait. */
void memory_wait_end(Loop *loop, MemoryWait *wait);

/* At the end of a loop, after its calls. */
void memory_waits_free(Loop *loop);

#endif
