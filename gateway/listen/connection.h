/*
 * Connection: one client's connection: a Socket bound to an HTTP engine, and the clocks that both
 * live by.
 *
 * Owned by itself: it begins with connection_accept and frees itself once the socket is closed and
 * no exchange looks at it any more. A ConnectionSet holds all connections of one loop; its thread
 * only.
 *
 *      HANDSHAKE -> CHOICE -> SERVING -> LINGERING -> GONE
 *          TLS      which HTTP  the engine  all is said; until the peer has closed too
 *
 * Each state and each phase of the engine has a time of Limits; whoever uses it up is sent away.
 */
#ifndef GATEWAY_CONNECTION_H
#define GATEWAY_CONNECTION_H

#include "gateway/loop/loop.h"

#include <stdatomic.h>
#include <sys/socket.h>

typedef struct ssl_ctx_st SSL_CTX; /* OpenSSL's */
typedef struct Connection Connection;

typedef struct ConnectionSet {
    Loop *loop;
    Connection *first;
    uint32_t n;                                  /* memory of these is held */
    atomic_uint *n_in_process;                   /* open in all loops */
    void (*on_empty)(struct ConnectionSet *set); /* the last one has gone; may be NULL */
} ConnectionSet;

/*
 * Takes over a connected descriptor. Over the limit of Limits.connections it is closed at once and
 * counted. `peer` is its address; `listener` is copied; `tls` is NULL for cleartext.
 */
void connection_accept(ConnectionSet *set, int fd, const struct sockaddr *peer,
                       const char *listener, SSL_CTX *tls);

/* With loop->draining set: no new calls on any of them: GOAWAY, Connection: close; each ends when
   its calls have. One that nothing of this has been said to is given a moment for a request that
   may be on its way. */
void connections_drain(ConnectionSet *set);

/* After that: ends the calls that are left. Each client is told `why` in its dialect, as far as it
   still can be, and its connection ends when that has gone out; a connection without calls ends at
   once. Returns how many calls there were. */
uint32_t connections_cut(ConnectionSet *set, Result why);

/* Breaks off what is left; the exchanges hear `why`. */
void connections_abort(ConnectionSet *set, Result why);

#endif
