/*
 * MemoryWait: a call that must not be refused any more, and waits until there is memory for the
 * rest of a message.
 *
 * The waits of a loop are looked at in their order, many times a second, and each asks again. One
 * call of each client may go on although no memory is granted to it, the oldest: so calls that hold
 * half of their messages end one after the other, instead of waiting for each other. It has the
 * turn until its owner ends the wait. Nobody has it
 *
 *  - while much waits to be sent to the client, more than an eighth of its share: if it reads that,
 *    there is memory again;
 *  - above seven eighths of the limit, if the client holds more than its share and another one that
 *    does has a turn: the last eighth is for those who hold little, and for one call;
 *  - above the limit by more than an eighth.
 *
 * Above the limit, waiting is not enough: others would be refused for what these calls hold
 * already. Then calls that wait are ended, of clients that hold more than their share, until a
 * sixteenth of the limit is free.
 *
 * Embedded in its owner; on one loop, its thread only. All zeros: it does not wait.
 */
#ifndef GATEWAY_MEMORY_WAIT_H
#define GATEWAY_MEMORY_WAIT_H

#include "base/memory/budget.h"
#include "gateway/loop/loop.h"

typedef struct MemoryWait {
    void (*look)(struct MemoryWait *wait); /* calls memory_wait_for again; may free its owner */
    void (*shed)(struct MemoryWait *wait); /* ends the owner's call, for want of memory */
    struct MemoryWait *next, **at;         /* at: NULL when it does not wait */
    Account *account;                      /* who waits; NULL: the gateway itself */
    bool has_turn, alone;                  /* alone: as the only one of the process */
} MemoryWait;

/* Whether the owner must wait for `more` bytes, for something that has begun. If so, it is put
   behind all others, unless it waits already; when memory is granted, it is taken out. The one that
   has the turn stays where it is until its owner takes it out. `account` may be NULL: the gateway
   itself, which needs no turn. The account outlives the wait. */
bool memory_wait_for(Loop *loop, MemoryWait *wait, Account *account, size_t more);

/* Waits without the turn: until it is ended. Nothing happens if it waits. */
void memory_wait_begin(Loop *loop, MemoryWait *wait, Account *account);

/* Removes the wait. Does nothing if it does not wait. */
void memory_wait_end(Loop *loop, MemoryWait *wait);

/* At the end of a loop, after its calls. */
void memory_waits_free(Loop *loop);

#endif
