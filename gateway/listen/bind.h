/*
 * Bind: opens the sockets on which a config wants to listen, before any loop has it.
 *
 * TCP: one socket per loop on the same port (SO_REUSEPORT), so that the kernel spreads connections
 * over the loops and no loop wakes for another's. Unix sockets: one, of which each loop has a
 * duplicate. All are bound and listening when bind_listeners returns, so that a mistake shows at
 * once.
 */
#ifndef GATEWAY_BIND_H
#define GATEWAY_BIND_H

#include "gateway/config/config.h"

/* One address that is listened on; several where a name has several. */
typedef struct BoundSocket {
    const ListenerConfig *listener; /* borrowed from the config */
    int *fds;                       /* [loop]; owned until somebody takes them */
    struct BoundSocket *next;
} BoundSocket;

/*
 * Opens what `config` wants and `running` (may be NULL) does not have, by the addresses as they are
 * written. The list lives in `arena`. When one cannot be had none stays open. Faults: SYSTEM,
 * BAD_CONFIG (a host that is not known). Any thread; it may wait for DNS.
 */
MUST_USE Result bind_listeners(Arena *arena, const Config *config, const Config *running,
                               uint32_t n_loops, BoundSocket **sockets_out);

/* Closes what was not taken (a descriptor that was taken is set to -1). */
void bind_close(BoundSocket *sockets, uint32_t n_loops);

/* Removes the files of the unix sockets that `config` has and `kept` (may be NULL) has not. */
void bind_forget(const Config *config, const Config *kept);

#endif
