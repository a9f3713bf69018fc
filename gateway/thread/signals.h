/*
 * Signals: the ones that the gateway handles, and their effect during startup.
 *
 *      signals_hold       first: this thread and all threads that it creates block them
 *      early_stop_begin   SIGTERM and SIGINT end the process at once
 *        ...              the config is read, sockets and the log are opened
 *      early_stop_end     all stay pending until the main loop handles them
 *
 * A SIGHUP during startup is a reload after it. The main thread only.
 */
#ifndef GATEWAY_SIGNALS_H
#define GATEWAY_SIGNALS_H

#include "base/result.h"

#include <pthread.h>

enum { SIGNALS = 4 };
extern const int signal_numbers[SIGNALS]; /* SIGTERM, SIGINT, SIGHUP, SIGUSR2 */

/* Blocks the signals, and ignores SIGPIPE: a closed peer must not end the process. */
void signals_hold(void);

/* Unblocks them in the calling thread. Pending ones are delivered now. */
void signals_release(void);

/* A thread that waits for SIGTERM and SIGINT and then ends the process with exit code 0, as after
   startup. */
typedef struct EarlyStop {
    pthread_t thread;
    bool waiting;
} EarlyStop;

/* After signals_hold. Fault: SYSTEM. */
MUST_USE Result early_stop_begin(EarlyStop *stop, Arena *arena);

/* May be called twice. */
void early_stop_end(EarlyStop *stop);

#endif
