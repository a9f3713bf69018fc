#include "gateway/admin/admin.h"

#include "base/arena.h"
#include "base/text/json_text.h"
#include "gateway/admin/admin_config.h"
#include "gateway/admin/admin_connections.h"
#include "gateway/admin/admin_host.h"
#include "gateway/admin/h2o_thread.h"
#include "gateway/loop/signals.h"
#include "gateway/telemetry/metrics.h"
#include "gateway/telemetry/telemetry.h"

#include <stdlib.h>
#include <sys/socket.h>

enum { MAX_BODY = 64 * 1024 /* of a request; none is wanted */ };

struct Admin {
    Arena *arena;
    AdminSees sees;
    ListenerConfig listener;
    Config binding; /* nothing but the listener, for bind.h */
    uint16_t port;

    pthread_t thread;
    uv_loop_t loop;
    uv_async_t stop;
    AdminConnections connections;

    h2o_globalconf_t config;
    h2o_context_t context;
    h2o_accept_ctx_t accept;
};

typedef struct Handler {
    h2o_handler_t super;
    Admin *admin;
} Handler;

/* ---- Answers --------------------------------------------------------------------------------- */

static void set_field(h2o_req_t *req, const h2o_token_t *name, const char *value)
{
    h2o_add_header(&req->pool, &req->res.headers, name, NULL, value, strlen(value));
}

static void send_answer(h2o_req_t *req, int status, const char *reason, const char *media_type,
                        Bytes body)
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
    buffer_printf(&body,
                  "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":", title,
                  status);
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
    if (atomic_load(admin->sees.ready))
        send_answer(req, 200, "OK", "text/plain; charset=utf-8", bytes_of("ready\n"));
    else
        send_problem(req, 503, "Service Unavailable",
                     "no calls are accepted: starting, or shutting down");
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

static void answer_fleet(Admin *admin, h2o_req_t *req)
{
    if (!admin->sees.fleet) {
        send_problem(req, 404, "Not Found",
                     "this gateway has no store: the config has no key `store`");
        return;
    }
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    fleet_write(admin->sees.fleet, &text);
    buffer_add_byte(&text, '\n');
    send_answer(req, 200, "OK", "application/json", buffer_bytes(&text));
    arena_free(arena);
}

static const struct {
    const char *path;
    void (*answer)(Admin *admin, h2o_req_t *req);
} pages[] = {
    {"/metrics", answer_metrics}, {"/healthz", answer_healthz}, {"/readyz", answer_readyz},
    {"/config", answer_config},   {"/fleet", answer_fleet},
};

static bool is(h2o_iovec_t text, const char *expected)
{
    return h2o_memis(text.base, text.len, expected, strlen(expected));
}

/* Behind a unix socket there is no name that a browser could have looked up. */
static bool has_known_name(const Admin *admin, const h2o_req_t *req)
{
    Config *config = admin->listener.address.path ? NULL : telemetry_config();
    if (!config)
        return true;
    h2o_iovec_t name = req->input.authority;
    bool is = admin_host_allowed(config, bytes(name.base, name.len));
    config_unref(config);
    return is;
}

static void answer_page(Admin *admin, h2o_req_t *req)
{
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (!is(req->path_normalized, pages[i].path))
            continue;
        if (is(req->method, "GET") || is(req->method, "HEAD")) {
            pages[i].answer(admin, req);
        } else {
            set_field(req, H2O_TOKEN_ALLOW, "GET, HEAD");
            send_problem(req, 405, "Method Not Allowed", "this page can only be read");
        }
        return;
    }
    send_problem(req, 404, "Not Found",
                 "there are /metrics, /healthz, /readyz, /config and /fleet");
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    Admin *admin = ((Handler *)handler)->admin;
    admin_connections_asked(&admin->connections, req->conn);
    if (has_known_name(admin, req))
        answer_page(admin, req);
    else
        send_problem(req, 421, "Misdirected Request",
                     "the admin listener is not known by the name in Host: ask by its address, by "
                     "localhost, or add "
                     "the name to the setting admin.hosts");
    return 0;
}

/* ---- The thread ------------------------------------------------------------------------------ */

static void on_stop(uv_async_t *stop)
{
    Admin *admin = stop->data;
    uv_close((uv_handle_t *)stop, NULL);
    admin_connections_close(&admin->connections);
    uv_stop(&admin->loop);
}

static void *run_thread(void *argument)
{
    Admin *admin = argument;
    uv_run(&admin->loop, UV_RUN_DEFAULT);
    while (admin->connections.n)
        uv_run(&admin->loop, UV_RUN_ONCE);
    h2o_context_dispose(&admin->context);
    uv_run(&admin->loop, UV_RUN_DEFAULT); /* its timers close */
    h2o_thread_free();
    return NULL;
}

/* ---- Starting and stopping ------------------------------------------------------------------- */

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

static Result open_listeners(Admin *admin, Arena *arena)
{
    BoundSocket *sockets;
    Result r = bind_listeners(admin->arena, &admin->binding, NULL, 1, &sockets);
    if (failed(r))
        return FAIL_OVER(arena, error_copy(arena, r), FAULT_SYSTEM, "opening the admin listener");

    int error = 0;
    for (BoundSocket *s = sockets; s && !error; s = s->next) {
        admin->port = port_of(s->fds[0]);
        error = admin_connections_listen(&admin->connections, s->fds[0]);
        s->fds[0] = -1;
    }
    if (!error)
        return OK;
    bind_close(sockets, 1);
    bind_forget(&admin->binding, NULL);
    return FAIL(arena, FAULT_SYSTEM, "listening on %s for the admin: %s",
                admin->listener.address.text, uv_strerror(error));
}

static void set_up_http(Admin *admin)
{
    h2o_config_init(&admin->config);
    admin->config.server_name = h2o_iovec_init(H2O_STRLIT("passerelle"));
    admin->config.max_request_entity_size = MAX_BODY;
    admin->config.http1.upgrade_to_http2 = 0; /* its HTTP/2 is too old to be let near a network */
    /* The name is what h2o takes for that of a request without Host; no browser sends one. */
    h2o_hostconf_t *host =
        h2o_config_register_host(&admin->config, h2o_iovec_init(H2O_STRLIT("localhost")), 65535);
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
    admin_connections_free(&admin->connections);
    arena_free(admin->arena);
    free(admin);
}

static Result admin_new(Arena *arena, const Config *config, const AdminSees *sees,
                        Admin **admin_out)
{
    const Address *address = &config->admin;
    Admin *admin = calloc(1, sizeof *admin);
    CHECK(admin);
    admin->arena = arena_new(ARENA_UNLIMITED);
    admin->sees = *sees;
    admin->listener.address = (Address){
        .text = arena_string(admin->arena, address->text),
        .host = address->host ? arena_string(admin->arena, address->host) : NULL,
        .port = address->port,
        .path = address->path ? arena_string(admin->arena, address->path) : NULL,
    };
    admin->listener.private = true;
    admin->binding.listeners = &admin->listener;
    admin->binding.n_listeners = 1;
    int error = uv_loop_init(&admin->loop);
    if (error) {
        arena_free(admin->arena);
        free(admin);
        return FAIL(arena, FAULT_SYSTEM, "making an event loop for the admin: %s",
                    uv_strerror(error));
    }
    admin->connections = (AdminConnections){
        .loop = &admin->loop,
        .accept = &admin->accept,
        .in_files = address->path != NULL,
        .most = config->descriptors.admin,
    };
    *admin_out = admin;
    return OK;
}

Result admin_start(Arena *arena, const Config *config, const AdminSees *sees, Admin **admin_out)
{
    Admin *admin = NULL;
    Result r = admin_new(arena, config, sees, &admin);
    if (failed(r))
        return r;
    r = open_listeners(admin, arena);
    if (failed(r)) {
        free_admin(admin);
        return r;
    }
    set_up_http(admin);
    admin_connections_begin(&admin->connections);
    int error = uv_async_init(&admin->loop, &admin->stop, on_stop);
    admin->stop.data = admin;
    CHECK(error == 0); /* the loop has its descriptor for this since its init */
    error = signals_make_thread(&admin->thread, run_thread, admin);
    if (error) {
        h2o_context_dispose(&admin->context);
        h2o_config_dispose(&admin->config);
        free_admin(admin);
        return FAIL(arena, FAULT_SYSTEM, "starting the admin's thread: %s", strerror(error));
    }
    *admin_out = admin;
    return OK;
}

void admin_stop(Admin *admin)
{
    if (!admin)
        return;
    uv_async_send(&admin->stop);
    CHECK(pthread_join(admin->thread, NULL) == 0);
    h2o_config_dispose(&admin->config);
    bind_forget(&admin->binding, NULL);
    free_admin(admin);
}

uint16_t admin_port(const Admin *admin)
{
    return admin->port;
}
