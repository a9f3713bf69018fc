#include "gateway/admin.h"

#include "base/arena.h"
#include "base/json_text.h"
#include "gateway/admin_config.h"
#include "gateway/bind.h"
#include "gateway/h2o_thread.h"
#include "gateway/metrics.h"
#include "gateway/telemetry.h"

#include <h2o.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    MAX_CONNECTIONS = 64,
    MAX_BODY = 64 * 1024, /* of a request; none is wanted */
    BACKLOG = 64,
};

/* A handle of libuv for a listening or an accepted socket. Its memory stays until the handle is closed. */
typedef union Handle {
    uv_handle_t any;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
} Handle;

typedef struct Connection Connection;
struct Connection {
    Handle handle; /* first: h2o gives it back to on_connection_closed */
    Admin *admin;
    Connection *next, **at;
};

struct Admin {
    Arena *arena;
    const atomic_bool *ready;
    ListenerConfig listener;
    Config binding; /* nothing but the listener, for bind.h */
    uint16_t port;

    uv_thread_t thread;
    uv_loop_t loop;
    uv_async_t stop;
    Handle *listeners;
    uint32_t n_listeners;
    Connection *connections;
    uint32_t n_connections;

    h2o_globalconf_t config;
    h2o_context_t context;
    h2o_accept_ctx_t accept;
};

typedef struct Handler {
    h2o_handler_t super;
    Admin *admin;
} Handler;

/* ---- Answers ------------------------------------------------------------------------------------- */

static void set_field(h2o_req_t *req, const h2o_token_t *name, const char *value)
{
    h2o_add_header(&req->pool, &req->res.headers, name, NULL, value, strlen(value));
}

static void send_answer(h2o_req_t *req, int status, const char *reason, const char *media_type, Bytes body)
{
    req->res.status = status;
    req->res.reason = reason;
    req->res.content_length = body.size;
    set_field(req, H2O_TOKEN_CONTENT_TYPE, media_type);
    set_field(req, H2O_TOKEN_CACHE_CONTROL, "no-store");
    h2o_send_inline(req, (const char *)body.data, body.size);
}

/* RFC 9457, with the phrase of the status as title. */
static void send_problem(h2o_req_t *req, int status, const char *title, const char *detail)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer body = buffer_in(arena);
    buffer_printf(&body, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":", title, status);
    json_text_add(&body, bytes_of(detail));
    buffer_add_text(&body, "}\n");
    send_answer(req, status, title, "application/problem+json", buffer_bytes(&body));
    arena_free(arena);
}

static void answer_metrics(Admin *admin, h2o_req_t *req)
{
    ssize_t at = h2o_find_header(&req->headers, H2O_TOKEN_ACCEPT, -1);
    Bytes accept = BYTES_NONE;
    if (at >= 0)
        accept = bytes(req->headers.entries[at].value.base, req->headers.entries[at].value.len);
    bool openmetrics = metrics_wants_openmetrics(accept);

    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer page = buffer_in(arena);
    metrics_write(openmetrics, &page);
    set_field(req, H2O_TOKEN_VARY, "accept");
    send_answer(req, 200, "OK", metrics_media_type(openmetrics), buffer_bytes(&page));
    arena_free(arena);
}

static void answer_healthz(Admin *admin, h2o_req_t *req)
{
    send_answer(req, 200, "OK", "text/plain; charset=utf-8", bytes_of("alive\n"));
}

static void answer_readyz(Admin *admin, h2o_req_t *req)
{
    if (atomic_load(admin->ready))
        send_answer(req, 200, "OK", "text/plain; charset=utf-8", bytes_of("ready\n"));
    else
        send_problem(req, 503, "Service Unavailable", "no calls are taken: starting, or going down");
}

static void answer_config(Admin *admin, h2o_req_t *req)
{
    Config *config = telemetry_config();
    if (!config) {
        send_problem(req, 503, "Service Unavailable", "no config is loaded yet");
        return;
    }
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    admin_config_write(config, &text);
    buffer_add_byte(&text, '\n');
    send_answer(req, 200, "OK", "application/json", buffer_bytes(&text));
    arena_free(arena);
    config_unref(config);
}

static const struct {
    const char *path;
    void (*answer)(Admin *admin, h2o_req_t *req);
} pages[] = {
    {"/metrics", answer_metrics},
    {"/healthz", answer_healthz},
    {"/readyz", answer_readyz},
    {"/config", answer_config},
};

static bool is(h2o_iovec_t text, const char *expected)
{
    return h2o_memis(text.base, text.len, expected, strlen(expected));
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    Admin *admin = ((Handler *)handler)->admin;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (!is(req->path_normalized, pages[i].path))
            continue;
        if (is(req->method, "GET") || is(req->method, "HEAD")) {
            pages[i].answer(admin, req);
        } else {
            set_field(req, H2O_TOKEN_ALLOW, "GET, HEAD");
            send_problem(req, 405, "Method Not Allowed", "this page can only be read");
        }
        return 0;
    }
    send_problem(req, 404, "Not Found", "there are /metrics, /healthz, /readyz and /config");
    return 0;
}

/* ---- Connections --------------------------------------------------------------------------------- */

static void init_handle(uv_loop_t *loop, bool is_unix, Handle *handle)
{
    int error = is_unix ? uv_pipe_init(loop, &handle->pipe, 0) : uv_tcp_init(loop, &handle->tcp);
    CHECK(error == 0); /* neither opens anything yet */
}

static void on_connection_closed(uv_handle_t *handle)
{
    Connection *connection = (Connection *)handle;
    *connection->at = connection->next;
    if (connection->next)
        connection->next->at = connection->at;
    connection->admin->n_connections--;
    free(connection);
}

static Connection *connection_new(Admin *admin)
{
    Connection *connection = calloc(1, sizeof *connection);
    CHECK(connection);
    init_handle(&admin->loop, admin->listener.address.path != NULL, &connection->handle);
    connection->admin = admin;
    connection->next = admin->connections;
    connection->at = &admin->connections;
    if (connection->next)
        connection->next->at = &connection->next;
    admin->connections = connection;
    admin->n_connections++;
    return connection;
}

static void on_connection(uv_stream_t *listener, int status)
{
    Admin *admin = listener->data;
    if (status != 0)
        return; /* the client was gone before it was accepted, or we have no descriptor: it may come again */
    Connection *connection = connection_new(admin);
    if (uv_accept(listener, &connection->handle.stream) != 0 || admin->n_connections > MAX_CONNECTIONS) {
        uv_close(&connection->handle.any, on_connection_closed);
        return;
    }
    h2o_accept(&admin->accept, h2o_uv_socket_create(&connection->handle.stream, on_connection_closed));
}

/* h2o cannot be told to close an idle connection; it does when it reads the end of its stream. */
static void end_connections(Admin *admin)
{
    for (Connection *c = admin->connections; c; c = c->next) {
        uv_os_fd_t fd;
        if (uv_fileno(&c->handle.any, &fd) == 0)
            shutdown(fd, SHUT_RDWR);
    }
}

/* ---- The thread ---------------------------------------------------------------------------------- */

static void on_stop(uv_async_t *stop)
{
    Admin *admin = stop->data;
    for (uint32_t i = 0; i < admin->n_listeners; i++)
        uv_close(&admin->listeners[i].any, NULL);
    uv_close((uv_handle_t *)stop, NULL);
    end_connections(admin);
    uv_stop(&admin->loop);
}

static void run_thread(void *argument)
{
    Admin *admin = argument;
    uv_run(&admin->loop, UV_RUN_DEFAULT);
    while (admin->n_connections)
        uv_run(&admin->loop, UV_RUN_ONCE);
    h2o_context_dispose(&admin->context);
    uv_run(&admin->loop, UV_RUN_DEFAULT); /* its timers close */
    h2o_thread_free();
}

static int start_thread(Admin *admin)
{
    /* Signals are the main thread's business. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = uv_thread_create(&admin->thread, run_thread, admin);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* ---- Starting and stopping ----------------------------------------------------------------------- */

static uint16_t port_of(int fd)
{
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    if (getsockname(fd, (struct sockaddr *)&name, &size) != 0)
        return 0;
    switch (name.ss_family) {
    case AF_INET: return ntohs(((struct sockaddr_in *)&name)->sin_port);
    case AF_INET6: return ntohs(((struct sockaddr_in6 *)&name)->sin6_port);
    default: return 0;
    }
}

/* Takes the socket over. */
static int listen_on(Admin *admin, BoundSocket *socket, Handle *handle)
{
    bool is_unix = admin->listener.address.path != NULL;
    int fd = socket->fds[0];
    admin->port = port_of(fd);
    init_handle(&admin->loop, is_unix, handle);
    handle->any.data = admin;
    int error = is_unix ? uv_pipe_open(&handle->pipe, fd) : uv_tcp_open(&handle->tcp, fd);
    if (error)
        return error;
    socket->fds[0] = -1;
    return uv_listen(&handle->stream, BACKLOG, on_connection);
}

static Result open_listeners(Admin *admin, Arena *arena)
{
    BoundSocket *sockets;
    Result r = bind_listeners(admin->arena, &admin->binding, NULL, 1, &sockets);
    if (failed(r))
        return FAIL_OVER(arena, error_copy(arena, r), FAULT_SYSTEM, "opening the admin listener");

    uint32_t n = 0;
    for (const BoundSocket *s = sockets; s; s = s->next)
        n++;
    admin->listeners = arena_array(admin->arena, Handle, n);
    int error = 0;
    for (BoundSocket *s = sockets; s && !error; s = s->next)
        error = listen_on(admin, s, &admin->listeners[admin->n_listeners++]);
    if (!error)
        return OK;
    bind_close(sockets, 1);
    bind_forget(&admin->binding, NULL);
    return FAIL(arena, FAULT_SYSTEM, "listening on %s for the admin: %s", admin->listener.address.text,
                uv_strerror(error));
}

static void set_up_http(Admin *admin)
{
    h2o_config_init(&admin->config);
    admin->config.server_name = h2o_iovec_init(H2O_STRLIT("passerelle"));
    admin->config.max_request_entity_size = MAX_BODY;
    admin->config.http1.upgrade_to_http2 = 0; /* its HTTP/2 is too old to be let near a network */
    h2o_hostconf_t *host = h2o_config_register_host(&admin->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    Handler *handler = (Handler *)h2o_create_handler(path, sizeof *handler);
    handler->super.on_req = on_request;
    handler->admin = admin;
    h2o_context_init(&admin->context, &admin->loop, &admin->config);
    admin->accept.ctx = &admin->context;
    admin->accept.hosts = admin->config.hosts;
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void free_admin(Admin *admin)
{
    uv_walk(&admin->loop, close_handle, NULL);
    uv_run(&admin->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&admin->loop) == 0);
    arena_free(admin->arena);
    free(admin);
}

Result admin_start(Arena *arena, const Address *address, const atomic_bool *ready, Admin **admin_out)
{
    Admin *admin = calloc(1, sizeof *admin);
    CHECK(admin);
    admin->arena = arena_new(ARENA_UNLIMITED);
    admin->ready = ready;
    admin->listener.address = (Address){
        .text = arena_string(admin->arena, address->text),
        .host = address->host ? arena_string(admin->arena, address->host) : NULL,
        .port = address->port,
        .path = address->path ? arena_string(admin->arena, address->path) : NULL,
    };
    admin->binding.listeners = &admin->listener;
    admin->binding.n_listeners = 1;
    CHECK(uv_loop_init(&admin->loop) == 0);

    Result r = open_listeners(admin, arena);
    if (failed(r)) {
        free_admin(admin);
        return r;
    }
    set_up_http(admin);
    int error = uv_async_init(&admin->loop, &admin->stop, on_stop);
    admin->stop.data = admin;
    CHECK(error == 0); /* the loop has its descriptor for this since its init */
    error = start_thread(admin);
    if (error) {
        h2o_context_dispose(&admin->context);
        h2o_config_dispose(&admin->config);
        free_admin(admin);
        return FAIL(arena, FAULT_SYSTEM, "starting the admin's thread: %s", uv_strerror(error));
    }
    *admin_out = admin;
    return OK;
}

void admin_stop(Admin *admin)
{
    if (!admin)
        return;
    uv_async_send(&admin->stop);
    uv_thread_join(&admin->thread);
    h2o_config_dispose(&admin->config);
    bind_forget(&admin->binding, NULL);
    free_admin(admin);
}

uint16_t admin_port(const Admin *admin)
{
    return admin->port;
}
