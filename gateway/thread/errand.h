/*
 * Errand: work on a thread of its own, which the process can leave behind.
 *
 *      loop      start .............................. on_done
 *      thread          run ...................... /
 *      loop      start ......... leave: the loop may end, `run` goes on
 *      thread          run ...................... on_left
 *
 * For what may block for ever, and cannot be interrupted: files on a mount that hangs (file.h).
 * Work that only takes long belongs to the WorkPool.
 */
#ifndef GATEWAY_ERRAND_H
#define GATEWAY_ERRAND_H

#include <stdint.h>
#include <uv.h>

typedef struct Errand Errand;

typedef struct ErrandWork {
    void (*run)(void *owner);     /* on a thread that blocks all signals */
    void (*on_done)(void *owner); /* on the loop; the errand no longer exists */
    /* Instead of on_done, on either thread: frees the owner. NULL: the owner stays, because the
       process ends. */
    void (*on_left)(void *owner);
    void *owner; /* belongs to `run` until on_done or on_left */
} ErrandWork;

/* On the loop's thread, as errand_leave. Never NULL. */
Errand *errand_start(uv_loop_t *loop, const ErrandWork *work);

/* Before on_done, which is then not called. */
void errand_leave(Errand *errand);

/* How many are left behind and still run. If any do when the process ends, it must not end by way
   of exit(), whose handlers free what they may use. Any thread. */
uint32_t errands_left(void);

#endif
