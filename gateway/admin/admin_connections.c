#include "gateway/admin/admin_connections.h"

#include "base/clock.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE (30 * SECOND)

enum { BACKLOG = 1024, LOOK_TIME = 1000 /* milliseconds */ };

/* A handle of libuv for a listening or an accepted socket. Its memory stays until the handle is
   closed. */
typedef union Handle {
    uv_handle_t any;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
} Handle;

struct AdminListener {
    Handle handle; /* first */
    AdminConnections *set;
    AdminListener *next;
    bool waiting; /* libuv holds one connection and accepts no other until uv_accept takes it */
};

struct AdminConnection {
    Handle handle; /* first: h2o gives it back to on_closed */
    AdminConnections *set;
    AdminConnection *next, **at;
    h2o_socket_t *socket;    /* h2o's */
    int64_t asked;           /* when it last asked something, or came */
    CertificateNames *names; /* of the peer's verified certificate, or NULL */
    bool proved;             /* an operator */
    bool leaving;
};

static void init_handle(const AdminConnections *set, Handle *handle)
{
    int error = set->in_files ? uv_pipe_init(set->loop, &handle->pipe, 0)
                              : uv_tcp_init(set->loop, &handle->tcp);
    CHECK(error == 0); /* neither opens anything yet */
}

/* ---- Going ----------------------------------------------------------------------------------- */

/* h2o has no call to close a connection; it closes it when it reads the end of the stream or cannot
   write. */
static void leave(AdminConnection *connection)
{
    uv_os_fd_t fd;
    connection->leaving = true;
    if (uv_fileno(&connection->handle.any, &fd) == 0)
        shutdown(fd, SHUT_RDWR);
}

/* libh2o closes a TLS connection when its close_notify is sent. After an error of reading libuv
   sends nothing more, and says so at once; libh2o ignores that, and waits for ever. */
static void end_writing(AdminConnection *connection)
{
    h2o_socket_t *socket = connection->socket;
    bool waits_in_vain =
        socket && socket->_cb.write && !connection->handle.stream.write_queue_size &&
        !uv_is_writable(&connection->handle.stream) && !uv_is_closing(&connection->handle.any);
    if (!waits_in_vain)
        return;
    h2o_socket_cb written = socket->_cb.write;
    socket->_cb.write = NULL;
    written(socket, h2o_socket_error_io); /* closes it */
}

void admin_connections_look(AdminConnections *set)
{
    for (AdminConnection *next, *c = set->first; c; c = next) {
        next = c->next; /* on_closed comes from the loop only */
        end_writing(c);
    }
}

/* Whether `a` goes before `b` when room is needed. */
static bool goes_first(const AdminConnection *a, const AdminConnection *b)
{
    return a->proved == b->proved ? a->asked <= b->asked : b->proved;
}

/* One at a time: a connection that is leaving already makes the room. */
static void make_room(AdminConnections *set)
{
    AdminConnection *silent = NULL;
    for (AdminConnection *c = set->first; c; c = c->next) {
        if (c->leaving)
            return;
        if (!silent || goes_first(c, silent))
            silent = c;
    }
    if (silent)
        leave(silent);
}

static void on_look(uv_timer_t *timer)
{
    AdminConnections *set = timer->data;
    int64_t now = clock_now();
    admin_connections_look(set);
    for (AdminConnection *c = set->first; c; c = c->next) {
        if (!c->leaving && c->asked + PATIENCE <= now)
            leave(c);
    }
}

/* ---- Coming ---------------------------------------------------------------------------------- */

static void let_in(AdminConnections *set, AdminListener *listener);

static void let_in_waiting(AdminConnections *set)
{
    for (AdminListener *l = set->listeners; l && set->n < set->most; l = l->next) {
        if (l->waiting && !uv_is_closing(&l->handle.any))
            let_in(set, l);
    }
}

static void on_closed(uv_handle_t *handle)
{
    AdminConnection *connection = (AdminConnection *)handle;
    AdminConnections *set = connection->set;
    *connection->at = connection->next;
    if (connection->next)
        connection->next->at = connection->at;
    set->n--;
    free(connection->names);
    free(connection);
    if (!set->closing)
        let_in_waiting(set);
}

static AdminConnection *connection_new(AdminConnections *set)
{
    AdminConnection *connection = calloc(1, sizeof *connection);
    CHECK(connection);
    init_handle(set, &connection->handle);
    connection->set = set;
    connection->asked = clock_now();
    connection->next = set->first;
    connection->at = &set->first;
    if (connection->next)
        connection->next->at = &connection->next;
    set->first = connection;
    set->n++;
    return connection;
}

static void let_in(AdminConnections *set, AdminListener *listener)
{
    AdminConnection *connection = connection_new(set);
    listener->waiting = false;
    if (uv_accept(&listener->handle.stream, &connection->handle.stream) != 0) {
        uv_close(&connection->handle.any, on_closed);
        return;
    }
    connection->socket = h2o_uv_socket_create(&connection->handle.stream, on_closed);
    set->before_accept(set->accept);
    h2o_accept(set->accept, connection->socket);
}

static void on_connection(uv_stream_t *stream, int status)
{
    AdminListener *listener = (AdminListener *)stream;
    AdminConnections *set = listener->set;
    if (status != 0)
        return; /* the client was gone before it was accepted, or we have no descriptor: it may come
                   again */
    if (set->n < set->most) {
        let_in(set, listener);
        return;
    }
    listener->waiting = true; /* until on_closed */
    make_room(set);
}

/* NULL: it is closing. */
static AdminConnection *find(const AdminConnections *set, const h2o_socket_t *socket)
{
    AdminConnection *c = set->first;
    while (c && c->socket != socket)
        c = c->next;
    return c;
}

void admin_connections_asked(AdminConnections *set, h2o_conn_t *connection)
{
    AdminConnection *c = find(set, connection->callbacks->get_socket(connection));
    if (c)
        c->asked = clock_now();
}

void admin_connections_prove(AdminConnections *set, h2o_conn_t *connection)
{
    AdminConnection *c = find(set, connection->callbacks->get_socket(connection));
    if (c)
        c->proved = true;
}

void admin_connections_drop(AdminConnections *set, h2o_conn_t *connection)
{
    AdminConnection *c = find(set, connection->callbacks->get_socket(connection));
    if (c && !c->leaving)
        leave(c);
}

bool admin_socket_has_left(int socket)
{
    struct pollfd polled = {.fd = socket, .events = POLLRDHUP};
    return poll(&polled, 1, 0) > 0 && polled.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

bool admin_connections_has_left(h2o_conn_t *connection)
{
    return admin_socket_has_left(h2o_socket_get_fd(connection->callbacks->get_socket(connection)));
}

void admin_connections_know(AdminConnections *set, h2o_socket_t *socket, CertificateNames *names)
{
    AdminConnection *c = find(set, socket);
    if (!c || c->names) {
        free(names);
        return;
    }
    c->names = names;
}

const CertificateNames *admin_connections_names(const AdminConnections *set, h2o_conn_t *connection)
{
    const AdminConnection *c = find(set, connection->callbacks->get_socket(connection));
    return c ? c->names : NULL;
}

/* ---- Opening and closing --------------------------------------------------------------------- */

int admin_connections_listen(AdminConnections *set, int fd)
{
    AdminListener *listener = calloc(1, sizeof *listener);
    CHECK(listener);
    init_handle(set, &listener->handle);
    listener->set = set;
    listener->next = set->listeners;
    set->listeners = listener;
    int error = set->in_files ? uv_pipe_open(&listener->handle.pipe, fd)
                              : uv_tcp_open(&listener->handle.tcp, fd);
    if (error) {
        close(fd);
        return error;
    }
    return uv_listen(&listener->handle.stream, BACKLOG, on_connection);
}

void admin_connections_begin(AdminConnections *set)
{
    CHECK(uv_timer_init(set->loop, &set->look) == 0);
    set->look.data = set;
    CHECK(uv_timer_start(&set->look, on_look, LOOK_TIME, LOOK_TIME) == 0);
}

void admin_connections_leave(AdminConnections *set)
{
    for (AdminListener *l = set->listeners; l; l = l->next)
        if (!uv_is_closing(&l->handle.any))
            uv_close(&l->handle.any, NULL);
}

void admin_connections_close(AdminConnections *set)
{
    set->closing = true;
    admin_connections_leave(set);
    uv_close((uv_handle_t *)&set->look, NULL);
    for (AdminConnection *c = set->first; c; c = c->next)
        leave(c);
}

void admin_connections_free(AdminConnections *set)
{
    for (AdminListener *next; set->listeners; set->listeners = next) {
        next = set->listeners->next;
        free(set->listeners);
    }
}
