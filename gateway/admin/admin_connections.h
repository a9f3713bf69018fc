/*
 * AdminConnections: the sockets of the admin listener: those that listen, and the connections.
 *
 * There are at most `most` connections. When one more client connects, the connection whose last
 * request is longest ago is closed, and the new one takes its place. So idle, slow and half-open
 * connections never keep others out. A connection without a request for PATIENCE is closed too,
 * even while an answer waits to be read.
 *
 * Owned by Admin, and used on its thread only, except for opening. libh2o serves each connection
 * from h2o_accept until on_closed.
 */
#ifndef GATEWAY_ADMIN_CONNECTIONS_H
#define GATEWAY_ADMIN_CONNECTIONS_H

#include "gateway/listen/bind.h"

#include <h2o.h>

typedef struct AdminConnection AdminConnection;
typedef struct AdminListener AdminListener;

typedef struct AdminConnections {
    uv_loop_t *loop;
    h2o_accept_ctx_t *accept; /* what libh2o is given with each connection; borrowed */
    bool in_files;            /* unix sockets */
    bool closing;
    uint32_t most; /* 1 at least */
    AdminListener *listeners;
    AdminConnection *first;
    uint32_t n;
    uv_timer_t look; /* closes connections after PATIENCE */
} AdminConnections;

/* Listens on the socket, which it takes. Gives libuv's error, or 0. */
int admin_connections_listen(AdminConnections *set, int fd);

/* Starts the clock. Once, before the loop runs. */
void admin_connections_begin(AdminConnections *set);

/* The connection has asked something. */
void admin_connections_asked(AdminConnections *set, h2o_conn_t *connection);

/* Closes the listeners and ends all connections: they are gone once `n` is 0. */
void admin_connections_close(AdminConnections *set);

/* Frees what listened, once the loop has closed all of its handles. */
void admin_connections_free(AdminConnections *set);

#endif
