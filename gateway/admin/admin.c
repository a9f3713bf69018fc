#include "gateway/admin/admin.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/admin/admin_internal.h"
#include "gateway/h2o/h2o_problem.h"
#include "gateway/h2o/h2o_thread.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/thread/thread.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    MAX_BODY = 64 * 1024, /* of a request; only annotations have one */
    LOOK_TIME = 1000,     /* milliseconds */
};

typedef struct Handler {
    h2o_handler_t super;
    Admin *admin;
} Handler;

/* ---- Actions --------------------------------------------------------------------------------- */

void admin_action_free(AdminAction *action)
{
    arena_free(action->arena);
}

void admin_action_done(AdminAction *action)
{
    Admin *admin = action->admin;
    pthread_mutex_lock(&admin->mutex);
    action->next = admin->done;
    admin->done = action;
    pthread_mutex_unlock(&admin->mutex);
    uv_async_send(&admin->answered);
}

static void answer_actions(Admin *admin)
{
    pthread_mutex_lock(&admin->mutex);
    AdminAction *next, *action = admin->done;
    admin->done = NULL;
    pthread_mutex_unlock(&admin->mutex);
    for (; action; action = next) {
        next = action->next;
        action->on_done(action);
        admin_action_free(action);
    }
}

static void answer_asker(Admin *admin)
{
    pthread_mutex_lock(&admin->mutex);
    void (*on_turn)(void *owner) = admin->on_turn;
    admin->on_turn = NULL;
    if (on_turn)
        on_turn(admin->asker);
    pthread_mutex_unlock(&admin->mutex);
}

static void on_answered(uv_async_t *answered)
{
    Admin *admin = answered->data;
    answer_actions(admin);
    answer_asker(admin);
    if (atomic_load(&admin->leaving)) {
        admin_connections_leave(&admin->connections);
        live_end(admin->live);
    }
}

void admin_ask(Admin *admin, void (*on_turn)(void *owner), void *owner)
{
    pthread_mutex_lock(&admin->mutex);
    admin->on_turn = on_turn;
    admin->asker = owner;
    pthread_mutex_unlock(&admin->mutex);
    uv_async_send(&admin->answered);
}

void admin_leave(Admin *admin)
{
    if (!admin)
        return;
    atomic_store(&admin->leaving, true);
    uv_async_send(&admin->answered);
}

/* ---- TLS ------------------------------------------------------------------------------------- */

static void refuse_certificate(Admin *admin, h2o_socket_t *socket, long why)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Config *config = telemetry_config();
    Refusal refusal = {.reason = REFUSED_CERTIFICATE,
                       .peer = admin_desk_peer(socket, arena),
                       .text = arena_printf(arena, "the certificate is not valid: %s",
                                            X509_verify_cert_error_string(why))};
    refusals_add(&admin->refusals, &refusal, config ? config->admin_refused_events : 0,
                 clock_now());
    if (config)
        config_unref(config);
    arena_free(arena);
}

/* OpenSSL tells of the end of each handshake, and of the alerts that it sends; libh2o has its
   socket in the BIO (lib/common/socket.c, create_ossl), and gives nobody the SSL. */
static void on_handshake(const SSL *ssl, int where, int result)
{
    Admin *admin = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    h2o_socket_t *socket = BIO_get_data(SSL_get_rbio(ssl));
    long verified = SSL_get_verify_result(ssl);
    if ((where & SSL_CB_WRITE_ALERT) == SSL_CB_WRITE_ALERT && verified != X509_V_OK)
        refuse_certificate(admin, socket, verified);
    X509 *certificate = where & SSL_CB_HANDSHAKE_DONE ? SSL_get0_peer_certificate(ssl) : NULL;
    if (certificate && verified == X509_V_OK)
        admin_connections_know(&admin->connections, socket, certificate_names_read(certificate));
}

/* Each connection has the certificate of the config that runs when it comes. */
static void use_certificate(h2o_accept_ctx_t *accept)
{
    Admin *admin = (Admin *)((char *)accept - offsetof(Admin, accept));
    Config *config = admin->listener.address.path ? NULL : telemetry_config();
    if (!config)
        return;
    SSL_CTX *context = config->admin_tls;
    if (context != accept->ssl_ctx) {
        SSL_CTX_free(accept->ssl_ctx);
        accept->ssl_ctx = context;
        if (context) {
            SSL_CTX_up_ref(context);
            SSL_CTX_set_app_data(context, admin);
            SSL_CTX_set_info_callback(context, on_handshake);
        }
    }
    config_unref(config);
}

/* ---- The thread ------------------------------------------------------------------------------ */

static void on_look(uv_timer_t *look)
{
    Admin *admin = look->data;
    refusals_look(&admin->refusals, clock_now());
    admin_live_look(admin);
    admin_tail_look(admin);
}

void admin_metrics_write(Exposition *e, void *unused)
{
    refusals_metrics_write(e, unused);
    live_metrics_write(e, unused);
}

static void on_stop(uv_async_t *stop)
{
    Admin *admin = stop->data;
    admin->stopping = true;
    password_desk_close(admin->desk);
    profile_desk_close();
    answer_actions(admin);
    admin_live_end(admin);
    admin_tail_end(admin);
    uv_close((uv_handle_t *)&admin->look, NULL);
    uv_close((uv_handle_t *)stop, NULL);
    uv_close((uv_handle_t *)&admin->answered, NULL);
    admin_connections_close(&admin->connections);
    uv_stop(&admin->loop);
}

static void *run_thread(void *argument)
{
    Admin *admin = argument;
    uv_run(&admin->loop, UV_RUN_DEFAULT);
    while (admin->connections.n) {
        admin_connections_look(&admin->connections);
        uv_run(&admin->loop, UV_RUN_ONCE);
    }
    h2o_context_dispose(&admin->context);
    uv_run(&admin->loop, UV_RUN_DEFAULT); /* its timers close */
    h2o_thread_free();
    refusals_end(&admin->refusals);
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

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    admin_desk_receive(((Handler *)handler)->admin, req);
    return 0;
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
    h2o_problem_use(&host->fallback_path);
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
    SSL_CTX_free(admin->accept.ssl_ctx);
    for (AdminAction *next, *action = admin->done; action; action = next) {
        next = action->next;
        admin_action_free(action);
    }
    pthread_mutex_destroy(&admin->mutex);
    uv_walk(&admin->loop, close_handle, NULL);
    uv_run(&admin->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&admin->loop) == 0);
    admin_connections_free(&admin->connections);
    password_desk_free(admin->desk);
    live_free(admin->live);
    arena_free(admin->arena);
    free(admin);
}

/* Two listeners share what the admin may hold. */
static uint32_t most_connections(const Config *config)
{
    bool both = config->admin.text && config->admin_socket.text;
    return both ? (config->descriptors.admin + 1) / 2 : config->descriptors.admin;
}

static Result admin_new(Arena *arena, const Config *config, const Address *address,
                        const AdminSees *sees, Admin **admin_out)
{
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
    const char *place =
        address == &config->admin ? config->admin_place : config->admin_socket_place;
    admin->listener.place = place ? arena_string(admin->arena, place) : NULL;
    admin->listener.private = true;
    if (address == &config->admin_socket && config->admin_socket_rights) {
        admin->rights = *config->admin_socket_rights;
        admin->listener.rights = &admin->rights;
    }
    admin->binding.listeners = &admin->listener;
    admin->binding.n_listeners = 1;
    int error = uv_loop_init(&admin->loop);
    if (error) {
        arena_free(admin->arena);
        free(admin);
        return FAIL(arena, FAULT_SYSTEM, "making an event loop for the admin: %s",
                    uv_strerror(error));
    }
    CHECK(pthread_mutex_init(&admin->mutex, NULL) == 0);
    admin->connections = (AdminConnections){
        .before_accept = use_certificate,
        .loop = &admin->loop,
        .accept = &admin->accept,
        .in_files = address->path != NULL,
        .most = most_connections(config),
    };
    admin->desk = password_desk_new(&admin->loop);
    admin_live_begin(admin);
    *admin_out = admin;
    return OK;
}

Result admin_start(Arena *arena, const Config *config, const Address *address,
                   const AdminSees *sees, Admin **admin_out)
{
    Admin *admin = NULL;
    Result r = admin_new(arena, config, address, sees, &admin);
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
    CHECK(uv_async_init(&admin->loop, &admin->answered, on_answered) == 0);
    admin_tail_begin(admin);
    CHECK(uv_timer_init(&admin->loop, &admin->look) == 0);
    CHECK(uv_timer_start(&admin->look, on_look, LOOK_TIME, LOOK_TIME) == 0);
    admin->answered.data = admin->look.data = admin;
    error = thread_make(&admin->thread, run_thread, admin);
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
