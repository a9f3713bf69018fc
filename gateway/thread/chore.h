/*
 * Chore: work on a thread of its own, which the process can leave behind.
 *
 *      loop      start .............................. on_done
 *      thread          run ...................... /
 *      loop      start ......... leave: the loop may end, `run` goes on
 *      thread          run ...................... on_left
 *
 *      loop      start: no thread can be had ...... on_refused
 *
 * For what may block for ever, and cannot be interrupted: files on a mount that hangs (file.h).
 * Work that only takes long belongs to the WorkPool.
 */
#ifndef GATEWAY_CHORE_H
#define GATEWAY_CHORE_H

#include <uv.h>

typedef struct Chore Chore;

typedef struct ChoreWork {
    void (*run)(void *owner);     /* on a thread of thread_make */
    void (*on_done)(void *owner); /* on the loop; the chore no longer exists */
    /* Instead of on_done, likewise: no thread could be made (THREAD_NONE), and `run` was not
     * called. */
    void (*on_refused)(void *owner);
    /* Instead of on_done, on either thread: frees the owner. NULL: the owner stays, because the
       process ends. */
    void (*on_left)(void *owner);
    void *owner; /* belongs to `run` until on_done, on_refused or on_left */
} ChoreWork;

/* On the loop's thread, as chore_leave. Never NULL; nothing is called before this returns but
 * `run`.
 */
Chore *chore_start(uv_loop_t *loop, const ChoreWork *work);

/* Before on_done or on_refused, which is then not called. It counts in threads_left until `run` has
 * returned. */
void chore_leave(Chore *chore);

#endif
