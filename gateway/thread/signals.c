#include "gateway/thread/signals.h"

#include "gateway/thread/thread.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const int signal_numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2};

static void change_mask(int how)
{
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < SIGNALS; i++)
        sigaddset(&set, signal_numbers[i]);
    pthread_sigmask(how, &set, NULL);
}

void signals_hold(void)
{
    signal(SIGPIPE, SIG_IGN);
    change_mask(SIG_BLOCK);
}

void signals_release(void)
{
    change_mask(SIG_UNBLOCK);
}

/* ---- Before the main loop handles signals ---------------------------------------------------- */

/* Sent by early_stop_end to the thread, never to the process. */
static int end_signal(void)
{
    return SIGRTMIN;
}

/* The main thread may be blocked on a name server or an instance; only the end of the process can
   interrupt that. */
static void *wait_for_stop(void *unused)
{
    static const char told[] = "passerelle: stopped before startup was complete\n";
    sigset_t set;
    int number = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, end_signal());
    CHECK(sigwait(&set, &number) == 0);
    if (number == end_signal())
        return NULL;
    ssize_t written = write(STDERR_FILENO, told, sizeof told - 1);
    (void)written; /* an error cannot be reported */
    _exit(EXIT_SUCCESS);
}

Result early_stop_begin(EarlyStop *stop, Arena *arena)
{
    int error = thread_make(&stop->thread, wait_for_stop, NULL);
    stop->waiting = error == 0;
    return error ? FAIL(arena, FAULT_SYSTEM, "%s: " THREAD_NONE, strerror(error)) : OK;
}

void early_stop_end(EarlyStop *stop)
{
    if (!stop->waiting)
        return;
    stop->waiting = false;
    CHECK(pthread_kill(stop->thread, end_signal()) == 0);
    CHECK(pthread_join(stop->thread, NULL) == 0);
}
