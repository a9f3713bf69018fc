/*
 * Signals of threads that do not handle any: the main thread does.
 */
#ifndef BASE_THREAD_SIGNALS_H
#define BASE_THREAD_SIGNALS_H

#include <signal.h>

/*
 * All that a thread blocks so that others get them. Not among them are those that it causes itself,
 * such as SIGSEGV, whose handlers must be reached: of one that is blocked the process dies without
 * a word, and of a call that the sandbox refuses (SIGSYS) it dies at all. Neither is SIGPROF, by
 * which a profile looks at each thread.
 */
void thread_signals_of_others(sigset_t *set_out);

#endif
