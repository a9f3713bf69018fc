#include "base/thread/thread_signals.h"

#include <stddef.h>

static const int own[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGPROF};

void thread_signals_of_others(sigset_t *set_out)
{
    sigfillset(set_out);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(set_out, own[i]);
}
