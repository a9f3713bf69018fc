/*
 * Threads of the gateway's own that are not loops; and those of them that it leaves behind at its
 * end, because what they wait for does not come.
 */
#ifndef GATEWAY_THREAD_H
#define GATEWAY_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* pthread_create for a thread that blocks all signals but its own (thread_signals.h), whatever
   the calling one blocks. Returns its error number. */
int thread_make(pthread_t *thread, void *(*run)(void *argument), void *argument);

/* How many of so many threads can run at once besides those that run. */
uint32_t threads_try(uint32_t n);

/* What is told of it. */
#define THREAD_NONE                                                                                \
    "no further thread can be started (pids.max of the container, TasksMax=, ulimit -u, ulimit "   \
    "-v)"

/* Waits until the thread has ended, at most until then (clock_now). False: it is left behind, and
   what it uses has to stay until the process ends. */
bool thread_join_by(pthread_t thread, int64_t deadline);

/* Leaves it behind at once. It may say when it has ended after all. */
void thread_leave(pthread_t thread);
void thread_left_ends(void);

/* How many are left behind and run. If any do when the process ends, it must not end by way of
   exit(), whose handlers free what they may use. */
uint32_t threads_left(void);

#endif
