/*
 * AdminConnections: the sockets of the admin listener: those that listen, and the connections.
 *
 * There are at most `most` connections. When another client connects, the connection with the
 * oldest last request is closed, of those that have proved no operator, if there are any. So idle,
 * slow and half-open connections cannot block others, and a flood does not cut off an operator. A
 * connection without a request for PATIENCE is closed as well, even if its response was not read.
 *
 * Owned by Admin, and used on its thread only, except for opening. libh2o serves each connection
 * from h2o_accept until on_closed.
 */
#ifndef GATEWAY_ADMIN_CONNECTIONS_H
#define GATEWAY_ADMIN_CONNECTIONS_H

#include "gateway/listen/bind.h"
#include "gateway/tls/certificate_names.h"

#include <h2o.h>

typedef struct AdminConnection AdminConnection;
typedef struct AdminListener AdminListener;

typedef struct AdminConnections {
    uv_loop_t *loop;
    h2o_accept_ctx_t *accept; /* passed to libh2o with each connection; borrowed */
    /* Called before a connection is passed on, with the owner of `accept`. */
    void (*before_accept)(h2o_accept_ctx_t *accept);
    bool in_files; /* unix sockets */
    bool closing;
    uint32_t most; /* at least 1 */
    AdminListener *listeners;
    AdminConnection *first;
    uint32_t n;
    uv_timer_t look; /* closes connections after PATIENCE, and those that have broken off */
} AdminConnections;

/* Listens on the socket and owns it. Returns libuv's error, or 0. */
int admin_connections_listen(AdminConnections *set, int fd);

/* Starts the clock. Once, before the loop runs. */
void admin_connections_begin(AdminConnections *set);

/* A request arrived on the connection. */
void admin_connections_asked(AdminConnections *set, h2o_conn_t *connection);

/* That request has proved an operator: when room is needed, others go first. */
void admin_connections_prove(AdminConnections *set, h2o_conn_t *connection);

/* A TLS handshake has ended: what the peer showed belongs to its connection from now on. */
void admin_connections_know(AdminConnections *set, h2o_socket_t *socket, CertificateNames *names);

/* The names in the peer's verified certificate; NULL: none. */
const CertificateNames *admin_connections_names(const AdminConnections *set,
                                                h2o_conn_t *connection);

/* Ends it: what is being sent fails. */
void admin_connections_drop(AdminConnections *set, h2o_conn_t *connection);

/* Whether its client has closed its side. libh2o does not read while it responds, and does not
   notice. */
bool admin_connections_has_left(h2o_conn_t *connection);

/* The same of a connection's socket. Any thread. */
bool admin_socket_has_left(int socket);

/* Closes the listeners; the connections stay. */
void admin_connections_leave(AdminConnections *set);

/* Closes the listeners and all connections; this is complete when `n` is 0. Until then the loop
   runs, and before each turn admin_connections_look is called. */
void admin_connections_close(AdminConnections *set);

/* Ends connections that have broken off in a way that libh2o does not notice. While they are not
   closed this happens by itself. */
void admin_connections_look(AdminConnections *set);

/* Frees the listeners, after the loop has closed all handles. */
void admin_connections_free(AdminConnections *set);

#endif
