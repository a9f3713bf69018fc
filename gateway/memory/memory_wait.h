/*
 * MemoryWait: a call whose response has begun, so that it cannot be refused any more, and which
 * waits for memory for the rest of the response.
 *
 * The waits of a loop are tried again in their order, many times a second. The first one may
 * continue even without free memory, as long as the limit is not exceeded by more than an eighth:
 * so calls that hold parts of their responses end one after the other, instead of waiting for each
 * other. Embedded in its owner; on one loop, its thread only. All zeros: it does not wait.
 */
#ifndef GATEWAY_MEMORY_WAIT_H
#define GATEWAY_MEMORY_WAIT_H

#include "base/memory/budget.h"
#include "gateway/loop/loop.h"

typedef struct MemoryWait {
    void (*look)(struct MemoryWait *wait); /* calls memory_wait_for again; may free its owner */
    struct MemoryWait *next, **at;         /* at: NULL when it does not wait */
} MemoryWait;

/* Whether the owner must wait for `more` bytes. If so, it is added at the end of the queue, unless
   it waits already; when memory is granted, it is removed. A wait that may continue without free
   memory stays the first until its owner removes it. `account` may be NULL. */
bool memory_wait_for(Loop *loop, MemoryWait *wait, const Account *account, size_t more);

/* Removes the wait. Does nothing if it does not wait. */
void memory_wait_end(Loop *loop, MemoryWait *wait);

/* At the end of a loop, after its calls. */
void memory_waits_free(Loop *loop);

#endif
