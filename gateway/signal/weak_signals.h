/*
 * Signals: looks for weak signals, and tells what is found: in the log, to webhooks, as a page.
 *
 *      ledger, counters, usage --each look--> Watch --Finding--> store: found lately by anybody?
 *                                                                  | no
 *                                    event `signal`, webhooks <----'
 *
 * Looks after each collection of the ledger, and judges each hour when it is over: all of it reads
 * what is counted anyway. With a store all gateways share the list of signals, and one tells each;
 * and each gateway remembers over a restart what is usual. Without one it is in memory. Belongs to
 * the main thread and its loop, except for signals_metrics_write.
 */
#ifndef GATEWAY_WEAK_SIGNALS_H
#define GATEWAY_WEAK_SIGNALS_H

#include "gateway/ledger/ledger.h"
#include "gateway/usage/usage.h"

typedef struct Signals Signals;

/* Where it looks. All are borrowed until signals_free. */
typedef struct SignalPlaces {
    uv_loop_t *loop;
    Ledger *ledger;
    Usage *usage;
    Store *store;    /* NULL: there is none, */
    StorePort *port; /* and no port, which belongs to the same loop */
} SignalPlaces;

/* Borrows the config until another one is used. */
Signals *signals_new(const SignalPlaces *places, const Config *config);
void signals_use(Signals *signals, const Config *config);

/* Looks as if it were `wall`: what the timer does, and tests with a clock of their own. */
void signals_look(Signals *signals, int64_t wall);

/* The page as JSON (docs/signals.md). `on_done` is called once, at once or later on this thread.
   Faults: those of the store. The JSON lives during the call only. */
void signals_read(Signals *signals, void (*on_done)(void *owner, Result result, Bytes json),
                  void *owner);

/* An operator has seen it: texts are borrowed. `on_done` as above; fault UNKNOWN_PATH: there is no
   such signal. */
typedef struct SignalSeen {
    Bytes id;
    const char *who;
    Bytes why;
} SignalSeen;
void signals_acknowledge(Signals *signals, const SignalSeen *seen,
                         void (*on_done)(void *owner, Result result), void *owner);

/* What this process has of the client, as it is recorded. */
void signals_forget_client(Signals *signals, Bytes client);

/* Writes what it remembers, without waiting for it. The port may close then. Handles close; who
   waits for an answer from the store gets none. */
void signals_stop(Signals *signals);

/* After the loop has ended, before the store is closed. */
void signals_free(Signals *signals);

/* A MetricsWriter; any thread. */
void signals_metrics_write(Exposition *e, void *signals);

#endif
