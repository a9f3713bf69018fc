/*
 * Connection: one client's connection: a Socket bound to an HTTP engine, with their timeouts.
 *
 * Owned by itself: created by connection_accept; frees itself when the socket is closed and no
 * exchange refers to it any more. A ConnectionSet holds all connections of one loop; its thread
 * only.
 *
 *      HANDSHAKE -> CHOICE -> SERVING -> LINGERING -> GONE
 *          TLS      which HTTP  the engine  everything was sent; until the peer has closed
 *
 * Each state and each phase of the engine has a timeout in Limits, after which the connection is
 * closed.
 */
#ifndef GATEWAY_CONNECTION_H
#define GATEWAY_CONNECTION_H

#include "gateway/loop/loop.h"

#include <stdatomic.h>
#include <sys/socket.h>

typedef struct ssl_ctx_st SSL_CTX; /* OpenSSL's */
typedef struct Connection Connection;
typedef struct ListenerName ListenerName;

typedef struct ConnectionSet {
    Loop *loop;
    Connection *first;
    ListenerName *names;                         /* of the listeners of these connections */
    uint32_t n;                                  /* connections that are not freed yet */
    atomic_uint *n_in_process;                   /* open in all loops */
    void (*on_empty)(struct ConnectionSet *set); /* the last one was freed; may be NULL */
} ConnectionSet;

/*
 * Takes a connected descriptor. Above Limits.connections it is closed at once and counted. `peer`
 * is its address; `listener` is copied; `tls` is NULL for cleartext.
 */
void connection_accept(ConnectionSet *set, int fd, const struct sockaddr *peer,
                       const char *listener, SSL_CTX *tls);

/* With loop->draining set: no new calls on any connection: GOAWAY, Connection: close; each ends
   with its last call. A connection that could not be notified stays open for a short time, for a
   request that may be in flight. */
void connections_drain(ConnectionSet *set);

/* After that: ends the remaining calls with the error `why`, in the dialect of each client, if it
   can still be sent. A connection ends when this was sent; one without calls ends at once. Returns
   the number of calls. */
uint32_t connections_cut(ConnectionSet *set, Result why);

/* Closes the remaining connections; their exchanges fail with `why`. */
void connections_abort(ConnectionSet *set, Result why);

#endif
