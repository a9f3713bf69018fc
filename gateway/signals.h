/*
 * Signals: which ones the gateway listens to, and what becomes of those that come before it
 * listens.
 *
 *      signals_hold       first of all: the signals below wait, in this thread and all that it
 * makes early_stop_begin   SIGTERM and SIGINT end the process at once: it has nothing to put in
 * order
 *        ...              the config is read, sockets are opened, the log is opened
 *      early_stop_end     all wait again, for the main loop, which hears of them when it listens
 *
 * A SIGHUP of that time waits until the gateway has started. The main thread only.
 */
#ifndef GATEWAY_SIGNALS_H
#define GATEWAY_SIGNALS_H

#include "base/result.h"

#include <pthread.h>

enum { SIGNALS = 3 };
extern const int signal_numbers[SIGNALS]; /* SIGTERM, SIGINT, SIGHUP */

/* Holds the signals back, and ignores SIGPIPE: a peer that leaves is no reason to end. */
void signals_hold(void);

/* Lets them come, to the calling thread. What was held back comes now. */
void signals_release(void);

/* pthread_create for a thread that no signal comes to, whatever the calling one lets come. Gives
 * its error number. */
int signals_make_thread(pthread_t *thread, void *(*run)(void *argument), void *argument);

/* A thread that waits for a signal to end the process, with exit code 0, as a gateway that has
 * started ends. */
typedef struct EarlyStop {
    pthread_t thread;
    bool waiting;
} EarlyStop;

/* After signals_hold. Fault: SYSTEM. */
MUST_USE Result early_stop_begin(EarlyStop *stop, Arena *arena);

/* Twice is once. */
void early_stop_end(EarlyStop *stop);

#endif
