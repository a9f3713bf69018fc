/*
 * SignalClients: which clients there are, and when each has called last, of what usage has counted:
 * in the store, the sum of all gateways, read on a thread of its own; without a store in memory.
 * Belongs to the main thread and its loop.
 */
#ifndef GATEWAY_SIGNAL_CLIENTS_H
#define GATEWAY_SIGNAL_CLIENTS_H

#include "gateway/store/store.h"
#include "gateway/usage/usage.h"

typedef struct SignalClient {
    uint64_t hash; /* of the name */
    const char *name;
    int64_t last; /* wall time */
    uint64_t calls;
} SignalClient;

typedef struct SignalClients SignalClients;

/* What was read: the busiest clients, SILENCE_CLIENTS at most; valid during the call. */
typedef void SignalClientsRead(void *owner, const SignalClient *clients, uint32_t n);

/* `store` NULL: there is none. */
SignalClients *signal_clients_new(uv_loop_t *loop, Usage *usage, Store *store,
                                  SignalClientsRead *on_read, void *owner);

/* Those that have called since then: `on_read` is called at once or later on this thread; not at
   all, if the store cannot be read. */
void signal_clients_ask(SignalClients *clients, int64_t since);

/* `on_read` is not called any more; the handle closes. */
void signal_clients_stop(SignalClients *clients);

/* After the loop has ended, before the store is closed. A thread that hangs is left behind. */
void signal_clients_free(SignalClients *clients);

#endif
