/*
 * Bind: opens the listening sockets of a config, before any loop has the config.
 *
 * TCP: one socket per loop on the same port (SO_REUSEPORT), so that the kernel distributes
 * connections over the loops. Unix sockets: one, duplicated for each loop. All are bound and
 * listening when bind_listeners returns, so that a mistake is reported at once. Sockets that the
 * process before has left (handover.h) are taken instead; the supervisor keeps copies of all.
 */
#ifndef GATEWAY_BIND_H
#define GATEWAY_BIND_H

#include "gateway/config/config.h"

/* One address to listen on; a host name may have several. */
typedef struct BoundSocket {
    const ListenerConfig *listener; /* borrowed from the config */
    int *fds;                       /* [loop]; owned until taken by the loop; -1: none */
    bool taken;                     /* from the process before: its file is not ours to remove */
    struct BoundSocket *next;
} BoundSocket;

/*
 * Opens the listeners that `config` has and `running` (may be NULL) does not have; compared by the
 * text of their addresses. Unix sockets that both have get the rights that `config` says. The list
 * lives in `arena`. If one fails, none stays open. Faults: SYSTEM, BAD_CONFIG (a host name without
 * an address). Any thread; it may wait for DNS.
 */
MUST_USE Result bind_listeners(Arena *arena, const Config *config, const Config *running,
                               uint32_t n_loops, BoundSocket **sockets_out);

/* Closes descriptors that were not taken (taken ones are set to -1). */
void bind_close(BoundSocket *sockets, uint32_t n_loops);

/* The listeners that `config` has and `kept` (may be NULL) has not are gone: the supervisor forgets
   their sockets, and files of unix sockets are removed. Of a process that has handed over, both
   stay. */
void bind_forget(const Config *config, const Config *kept);

#endif
