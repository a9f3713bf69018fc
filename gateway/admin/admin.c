#include "gateway/admin/admin.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/net/ip.h"
#include "base/text/json_text.h"
#include "base/text/percent.h"
#include "gateway/admin/admin_config.h"
#include "gateway/admin/admin_connections.h"
#include "gateway/admin/admin_host.h"
#include "gateway/admin/h2o_problem.h"
#include "gateway/admin/h2o_thread.h"
#include "gateway/admin/operator.h"
#include "gateway/admin/password_desk.h"
#include "gateway/admin/refusals.h"
#include "gateway/admin/response.h"
#include "gateway/healing/healing_page.h"
#include "gateway/healing/manual.h"
#include "gateway/page/same_origin.h"
#include "gateway/telemetry/metrics.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/thread/thread.h"
#include "gateway/token/key_source.h"
#include "protocols/http1/http1_head.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    MAX_BODY = 64 * 1024, /* of a request; only annotations have one */
    LOOK_TIME = 1000,     /* milliseconds */
};

struct Admin {
    bool stopping; /* on_stop was called */
    Arena *arena;
    AdminSees sees;
    ListenerConfig listener;
    Config binding; /* nothing but the listener, for bind.h */
    uint16_t port;

    pthread_t thread;
    uv_loop_t loop;
    uv_async_t stop;
    uv_async_t answered;
    pthread_mutex_t mutex;
    AdminAction *done;            /* under the mutex: with their responses */
    void (*on_turn)(void *owner); /* under the mutex: of admin_ask; NULL: nobody asks */
    void *asker;                  /* under the mutex */
    atomic_bool leaving;          /* accepts nobody any more */
    AdminConnections connections;
    Refusals refusals;
    uv_timer_t refusals_look; /* ends their minutes */
    PasswordDesk *desk;

    h2o_globalconf_t config;
    h2o_context_t context;
    h2o_accept_ctx_t accept;
};

typedef struct Handler {
    h2o_handler_t super;
    Admin *admin;
} Handler;

/* ---- Answers --------------------------------------------------------------------------------- */

/* A page is written for the operator `who`, who may see it. */
static void answer_metrics(Admin *admin, h2o_req_t *req, const Operator *who)
{
    MetricsFormat format = metrics_format(request_field(req, "accept"));

    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer page = buffer_in(arena);
    metrics_write(format, &page);
    response_field(req, "vary", "accept");
    response_send(req, 200, "OK", metrics_media_type(format), buffer_bytes(&page));
    arena_free(arena);
}

/* A text, or null. */
static void add_maybe(Buffer *out, const char *name, const char *text)
{
    json_text_add_key(out, name);
    if (text)
        json_text_add(out, bytes_of(text));
    else
        buffer_add_text(out, "null");
}

static void answer_whoami(Admin *admin, h2o_req_t *req, const Operator *who)
{
    Config *config = telemetry_config();
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    buffer_add_byte(&text, '{');
    add_maybe(&text, "name", who->name);
    json_text_add_member(&text, "role", bytes_of(operator_role_name(who->role)));
    add_maybe(&text, "by", who->by);
    add_maybe(&text, "node", config ? config->node : NULL);
    json_text_add_member(&text, "version", bytes_of(VERSION));
    buffer_add_text(&text, "}\n");
    response_send(req, 200, "OK", "application/json", buffer_bytes(&text));
    arena_free(arena);
    if (config)
        config_unref(config);
}

static void answer_healthz(Admin *admin, h2o_req_t *req, const Operator *who)
{
    response_send(req, 200, "OK", "text/plain; charset=utf-8", bytes_of("alive\n"));
}

static void answer_readyz(Admin *admin, h2o_req_t *req, const Operator *who)
{
    if (!atomic_load(admin->sees.ready))
        response_send_problem(req, 503, "Service Unavailable",
                              "no calls are accepted: starting, or shutting down");
    else if (key_sources_are_awaited(clock_now()))
        response_send_problem(req, 503, "Service Unavailable",
                              "the first keys that check tokens are not here yet");
    else
        response_send(req, 200, "OK", "text/plain; charset=utf-8", bytes_of("ready\n"));
}

static void answer_config(Admin *admin, h2o_req_t *req, const Operator *who)
{
    Config *config = telemetry_config();
    if (!config) {
        response_send_problem(req, 503, "Service Unavailable", "no config is loaded yet");
        return;
    }
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    admin_config_write(config, &text);
    buffer_add_byte(&text, '\n');
    response_send(req, 200, "OK", "application/json", buffer_bytes(&text));
    arena_free(arena);
    config_unref(config);
}

static void answer_fleet(Admin *admin, h2o_req_t *req, const Operator *who)
{
    if (!admin->sees.fleet) {
        response_send_problem(req, 404, "Not Found",
                              "this gateway has no store: the config has no key `store`");
        return;
    }
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    fleet_write(admin->sees.fleet, &text);
    buffer_add_byte(&text, '\n');
    response_send(req, 200, "OK", "application/json", buffer_bytes(&text));
    arena_free(arena);
}

static void answer_healing(Admin *admin, h2o_req_t *req, const Operator *who)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    buffer_add_byte(&text, '{');
    json_text_add_key(&text, "manual");
    manual_write(&text);
    healing_write(&text);
    buffer_add_text(&text, "}\n");
    response_send(req, 200, "OK", "application/json", buffer_bytes(&text));
    arena_free(arena);
}

static void answer_limits(Admin *admin, h2o_req_t *req, const Operator *who)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    rate_limits_write(admin->sees.limits, clock_wall(), &text);
    buffer_add_byte(&text, '\n');
    response_send(req, 200, "OK", "application/json", buffer_bytes(&text));
    arena_free(arena);
}

/* "service=NAME"; empty: of all. Names of services need no escapes. */
static void answer_shadow(Admin *admin, h2o_req_t *req, const Operator *who)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    Bytes query = BYTES_NONE, name;
    if (req->query_at != SIZE_MAX)
        query = bytes(req->path.base + req->query_at + 1, req->path.len - req->query_at - 1);
    name = bytes_start_with(query, "service=") ? bytes_slice(query, 8, SIZE_MAX) : BYTES_NONE;
    shadow_book_write(admin->sees.shadows, name, &text);
    buffer_add_byte(&text, '\n');
    response_send(req, 200, "OK", "application/json", buffer_bytes(&text));
    arena_free(arena);
}

/* ---- Actions --------------------------------------------------------------------------------- */

/* The request of an action. It goes with its connection, and then nobody waits for the response. */
typedef struct Waiting {
    h2o_req_t *req;
    AdminAction *action;
} Waiting;

static void on_request_gone(void *argument)
{
    Waiting *waiting = argument;
    if (waiting->action)
        waiting->action->request = NULL;
}

/* Behind the last slash; of a path that the page has matched. */
static Bytes target_of(const h2o_req_t *req)
{
    Bytes path = bytes(req->path_normalized.base, req->path_normalized.len);
    size_t slash = path.size;
    while (slash && path.data[slash - 1] != '/')
        slash--;
    return bytes_slice(path, slash, path.size);
}

static AdminAction *make_action(Admin *admin, h2o_req_t *req, const Operator *who, AdminDoing what)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    AdminAction *action = arena_make(arena, AdminAction);
    Waiting *waiting = h2o_mem_alloc_shared(&req->pool, sizeof *waiting, on_request_gone);
    *waiting = (Waiting){req, action};
    *action = (AdminAction){.what = what,
                            .who = arena_string(arena, who->name ? who->name : ""),
                            .by = arena_string(arena, who->by ? who->by : ""),
                            .why = bytes_copy(arena, bytes_trim(request_field(req, ADMIN_REASON))),
                            .target = bytes_copy(arena, target_of(req)),
                            .text = bytes_copy(arena, bytes(req->entity.base, req->entity.len)),
                            .arena = arena,
                            .admin = admin,
                            .request = waiting};
    return action;
}

static void begin_action(Admin *admin, h2o_req_t *req, const Operator *who, AdminDoing what)
{
    admin->sees.act(admin->sees.owner, make_action(admin, req, who, what));
}

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

/* What is in the operator's files is no failure of the gateway: the config that is to be read is in
   the way of what was asked for. */
static bool is_of_files(const Fault *fault)
{
    return fault == &FAULT_BAD_CONFIG || fault == &FAULT_NO_FILE || fault == &FAULT_BAD_SCHEMA ||
           fault == &FAULT_BAD_CHANGES || fault == &FAULT_TLS;
}

static void send_failure(h2o_req_t *req, const AdminAction *action)
{
    const Fault *fault = error_origin(action->result)->fault;
    int status = is_of_files(fault) ? 409 : fault->http_status;
    const char *detail = action->detail.size ? arena_text(action->arena, action->detail)
                                             : error_text(action->arena, action->result);
    response_send_problem(req, status, http_status_phrase((unsigned)status), detail);
}

static void answer_action(AdminAction *action)
{
    Waiting *waiting = action->request;
    if (waiting) {
        waiting->action = NULL;
        if (failed(action->result))
            send_failure(waiting->req, action);
        else
            response_send(waiting->req, 200, "OK", "application/json", action->body);
    }
    admin_action_free(action);
}

static void answer_actions(Admin *admin)
{
    pthread_mutex_lock(&admin->mutex);
    AdminAction *next, *action = admin->done;
    admin->done = NULL;
    pthread_mutex_unlock(&admin->mutex);
    for (; action; action = next) {
        next = action->next;
        answer_action(action);
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
    if (atomic_load(&admin->leaving))
        admin_connections_leave(&admin->connections);
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

static void answer_reload(Admin *admin, h2o_req_t *req, const Operator *who)
{
    begin_action(admin, req, who, ADMIN_RELOAD);
}

static void answer_drain(Admin *admin, h2o_req_t *req, const Operator *who)
{
    begin_action(admin, req, who, ADMIN_DRAIN);
}

static void answer_upgrade(Admin *admin, h2o_req_t *req, const Operator *who)
{
    begin_action(admin, req, who, ADMIN_UPGRADE);
}

static void answer_audit(Admin *admin, h2o_req_t *req, const Operator *who)
{
    if (admin->sees.fleet)
        begin_action(admin, req, who, ADMIN_READ_AUDIT);
    else
        response_send_problem(req, 404, "Not Found",
                              "this gateway has no store: the audit is in its log only");
}

static Bytes query_of(const h2o_req_t *req)
{
    return req->query_at == SIZE_MAX
               ? BYTES_NONE
               : bytes_slice(bytes(req->path.base, req->path.len), req->query_at + 1, SIZE_MAX);
}

/* The name is in the query, for paths are logged where a request is refused; and nothing else: of
   two names one would be forgotten, and nobody knows which was meant. */
static bool read_client(const h2o_req_t *req, Buffer *name)
{
    static const char key[] = "name=";
    Bytes query = query_of(req), value = bytes_slice(query, strlen(key), SIZE_MAX);
    return bytes_start_with(query, key) && bytes_find(value, '&') == value.size &&
           percent_decode(name, value, PERCENT_PLUS_IS_SPACE) && name->size > 0;
}

static void answer_forget(Admin *admin, h2o_req_t *req, const Operator *who)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer name = buffer_in(arena);
    if (!admin->sees.fleet) {
        response_send_problem(req, 404, "Not Found",
                              "this gateway has no store: it records no clients");
    } else if (!read_client(req, &name)) {
        response_send_problem(
            req, 400, "Bad Request",
            "this takes the name of one client, and nothing else: /client/forget?name=NAME");
    } else {
        AdminAction *action = make_action(admin, req, who, ADMIN_FORGET_CLIENT);
        action->client = bytes_copy(action->arena, buffer_bytes(&name));
        admin->sees.act(admin->sees.owner, action);
    }
    arena_free(arena);
}

static void answer_errors(Admin *admin, h2o_req_t *req, const Operator *who)
{
    begin_action(admin, req, who, ADMIN_READ_ERRORS);
}

static void answer_request(Admin *admin, h2o_req_t *req, const Operator *who)
{
    begin_action(admin, req, who, ADMIN_READ_REQUEST);
}

static void answer_annotate(Admin *admin, h2o_req_t *req, const Operator *who)
{
    begin_action(admin, req, who, ADMIN_ANNOTATE);
}

static void answer_by_hand(Admin *admin, h2o_req_t *req, const Operator *who, AdminDoing what)
{
    AdminAction *action = make_action(admin, req, who, what);
    action->text = bytes_copy(action->arena, query_of(req));
    admin->sees.act(admin->sees.owner, action);
}

static void answer_instance(Admin *admin, h2o_req_t *req, const Operator *who)
{
    answer_by_hand(admin, req, who, ADMIN_INSTANCE);
}

static void answer_service(Admin *admin, h2o_req_t *req, const Operator *who)
{
    answer_by_hand(admin, req, who, ADMIN_SERVICE);
}

static void answer_usage(Admin *admin, h2o_req_t *req, const Operator *who)
{
    answer_by_hand(admin, req, who, ADMIN_READ_USAGE);
}

static void answer_api_keys(Admin *admin, h2o_req_t *req, const Operator *who)
{
    begin_action(admin, req, who, ADMIN_READ_API_KEYS);
}

static void answer_retire(Admin *admin, h2o_req_t *req, const Operator *who)
{
    answer_by_hand(admin, req, who, ADMIN_RETIRE);
}

/* With the query. Answers itself where there is no store: NULL. */
static AdminAction *make_stored_action(Admin *admin, h2o_req_t *req, const Operator *who,
                                       AdminDoing what)
{
    if (!admin->sees.fleet) {
        response_send_problem(
            req, 404, "Not Found",
            "this gateway has no store, and so neither jobs nor idempotency keys");
        return NULL;
    }
    AdminAction *action = make_action(admin, req, who, what);
    action->text = bytes_copy(action->arena, query_of(req));
    return action;
}

static void ask_for_stored(Admin *admin, h2o_req_t *req, const Operator *who, AdminDoing what)
{
    AdminAction *action = make_stored_action(admin, req, who, what);
    if (action)
        admin->sees.act(admin->sees.owner, action);
}

static void answer_jobs(Admin *admin, h2o_req_t *req, const Operator *who)
{
    ask_for_stored(admin, req, who, ADMIN_READ_JOBS);
}

static void answer_job(Admin *admin, h2o_req_t *req, const Operator *who)
{
    ask_for_stored(admin, req, who, ADMIN_READ_JOB);
}

static void answer_key(Admin *admin, h2o_req_t *req, const Operator *who)
{
    ask_for_stored(admin, req, who, ADMIN_READ_KEY);
}

static void answer_key_forgotten(Admin *admin, h2o_req_t *req, const Operator *who)
{
    ask_for_stored(admin, req, who, ADMIN_FORGET_KEY);
}

/* What is behind the first segment of the path: "ID/retry", "unpark". */
static void answer_job_order(Admin *admin, h2o_req_t *req, const Operator *who)
{
    Bytes path = bytes(req->path_normalized.base, req->path_normalized.len);
    AdminAction *action = make_stored_action(admin, req, who, ADMIN_ORDER_JOB);
    if (!action)
        return;
    action->target = bytes_copy(action->arena, bytes_slice(path, strlen("/jobs/"), SIZE_MAX));
    admin->sees.act(admin->sees.owner, action);
}

static void ask_for_rollouts(Admin *admin, h2o_req_t *req, const Operator *who, AdminDoing what)
{
    AdminAction *action = make_action(admin, req, who, what);
    Bytes path = bytes(req->path_normalized.base, req->path_normalized.len);
    action->target = bytes_copy(action->arena, bytes_slice(path, strlen("/rollouts/"), SIZE_MAX));
    action->text = bytes_copy(action->arena, query_of(req));
    admin->sees.act(admin->sees.owner, action);
}

static void answer_rollouts(Admin *admin, h2o_req_t *req, const Operator *who)
{
    ask_for_rollouts(admin, req, who, ADMIN_READ_ROLLOUTS);
}

static void answer_rollout_order(Admin *admin, h2o_req_t *req, const Operator *who)
{
    ask_for_rollouts(admin, req, who, ADMIN_ORDER_ROLLOUT);
}

static void answer_asset(Admin *admin, h2o_req_t *req, const Operator *who)
{
    const Asset *asset = asset_find(bytes(req->path_normalized.base, req->path_normalized.len));
    if (asset)
        response_send_asset(req, asset);
    else
        response_send_problem(req, 404, "Not Found",
                              "the web page has no such file; it begins at /");
}

/* ---- Pages ----------------------------------------------------------------------------------- */

typedef struct Page {
    const char *path;  /* "*": one segment; that ends with a slash: of all right beneath it, but
                          for itself; with "**": of all beneath it */
    bool acts;         /* by POST; else it is read by GET */
    bool takes_query;  /* of those that act */
    OperatorRole role; /* that it needs */
    void (*answer)(Admin *admin, h2o_req_t *req, const Operator *who);
} Page;

static const Page pages[] = {
    {"/", false, false, ROLE_GUEST, answer_asset},
    {"/page/**", false, false, ROLE_GUEST, answer_asset},
    {"/whoami", false, false, ROLE_GUEST, answer_whoami},
    {"/metrics", false, false, ROLE_GUEST, answer_metrics},
    {"/healthz", false, false, ROLE_GUEST, answer_healthz},
    {"/readyz", false, false, ROLE_GUEST, answer_readyz},
    {"/config", false, false, ROLE_GUEST, answer_config},
    {"/fleet", false, false, ROLE_GUEST, answer_fleet},
    {"/healing", false, false, ROLE_READ, answer_healing},
    {"/limits", false, false, ROLE_READ, answer_limits},
    {"/shadow", false, false, ROLE_READ, answer_shadow},
    {"/audit", false, false, ROLE_READ, answer_audit},
    {"/errors", false, false, ROLE_READ, answer_errors},
    {"/requests/", false, false, ROLE_READ, answer_request},
    {"/usage", false, false, ROLE_READ, answer_usage},
    {"/keys", false, false, ROLE_READ, answer_api_keys},
    {"/retire", true, true, ROLE_OPERATE, answer_retire},
    {"/jobs", false, false, ROLE_READ, answer_jobs},
    {"/jobs/unpark", true, true, ROLE_OPERATE, answer_job_order},
    {"/jobs/", false, false, ROLE_READ, answer_job},
    {"/rollouts", false, false, ROLE_READ, answer_rollouts},
    {"/rollouts/start", true, true, ROLE_OPERATE, answer_rollout_order},
    {"/rollouts/advance", true, true, ROLE_OPERATE, answer_rollout_order},
    {"/rollouts/pause", true, true, ROLE_OPERATE, answer_rollout_order},
    {"/rollouts/resume", true, true, ROLE_OPERATE, answer_rollout_order},
    {"/rollouts/rollback", true, true, ROLE_OPERATE, answer_rollout_order},
    {"/rollouts/tell", true, true, ROLE_OPERATE, answer_rollout_order},
    {"/errors/", true, false, ROLE_OPERATE, answer_annotate},
    {"/reload", true, false, ROLE_OPERATE, answer_reload},
    {"/drain", true, false, ROLE_OPERATE, answer_drain},
    {"/upgrade", true, false, ROLE_OPERATE, answer_upgrade},
    {"/jobs/*/retry", true, true, ROLE_OPERATE, answer_job_order},
    {"/jobs/*/skip-step", true, true, ROLE_OPERATE, answer_job_order},
    {"/jobs/*/cancel", true, true, ROLE_OPERATE, answer_job_order},
    {"/jobs/*/undo", true, true, ROLE_OPERATE, answer_job_order},
    {"/jobs/*/event", true, true, ROLE_OPERATE, answer_job_order},
    {"/jobs/*/migrate", true, true, ROLE_OPERATE, answer_job_order},
    {"/jobs/*/replay", true, true, ROLE_OPERATE, answer_job_order},
    {"/idempotency", false, false, ROLE_READ, answer_key},
    {"/idempotency/forget", true, true, ROLE_OPERATE, answer_key_forgotten},
    {"/client/forget", true, true, ROLE_OPERATE, answer_forget},
    {"/instance/eject", true, true, ROLE_OPERATE, answer_instance},
    {"/instance/drain", true, true, ROLE_OPERATE, answer_instance},
    {"/instance/return", true, true, ROLE_OPERATE, answer_instance},
    {"/service/pin", true, true, ROLE_OPERATE, answer_service},
    {"/service/unpin", true, true, ROLE_OPERATE, answer_service},
};

enum { N_PAGES = sizeof pages / sizeof *pages };

static bool is(h2o_iovec_t text, const char *expected)
{
    return h2o_memis(text.base, text.len, expected, strlen(expected));
}

#define BASIC "Basic realm=\"passerelle\", charset=\"UTF-8\""

/* ---- Who may ask what ------------------------------------------------------------------------ */

/* A request, and who it is from. */
typedef struct Asking {
    Admin *admin;
    h2o_req_t *req;
    Arena *arena;
    const Config *config; /* NULL: none is loaded yet */
    Operator who;
} Asking;

static Bytes peer_of(h2o_socket_t *socket, Arena *arena)
{
    struct sockaddr_storage name;
    if (h2o_socket_getpeername(socket, (struct sockaddr *)&name) == 0 ||
        (name.ss_family != AF_INET && name.ss_family != AF_INET6))
        return BYTES_NONE;
    IpAddress address = ip_of((struct sockaddr *)&name);
    uint16_t port = name.ss_family == AF_INET ? ((struct sockaddr_in *)&name)->sin_port
                                              : ((struct sockaddr_in6 *)&name)->sin6_port;
    char text[IP_TEXT_SIZE];
    size_t size = ip_write(&address, text);
    return bytes_of(arena_printf(arena, ip_is_v4(&address) ? "%.*s:%u" : "[%.*s]:%u", (int)size,
                                 text, ntohs(port)));
}

static void refuse(const Asking *asking, RefusalReason reason, int status, const char *title,
                   const char *text)
{
    h2o_req_t *req = asking->req;
    Refusal refusal = {.reason = reason,
                       .verb = bytes(req->method.base, req->method.len),
                       .path = bytes(req->path_normalized.base, req->path_normalized.len),
                       .peer = peer_of(req->conn->callbacks->get_socket(req->conn), asking->arena),
                       .who = asking->who.name,
                       .text = text};
    uint32_t most = asking->config ? asking->config->admin_refused_events : 0;
    refusals_add(&asking->admin->refusals, &refusal, most, clock_now());
    response_send_problem(req, status, title, text);
}

/* Behind a unix socket there is no name that a browser could have looked up. */
static bool has_known_name(const Asking *asking)
{
    h2o_iovec_t name = asking->req->input.authority;
    return asking->admin->listener.address.path || !asking->config ||
           admin_host_allowed(asking->config, bytes(name.base, name.len));
}

static int unix_fd_of(const Admin *admin, const h2o_req_t *req)
{
    return admin->listener.address.path
               ? h2o_socket_get_fd(req->conn->callbacks->get_socket(req->conn))
               : -1;
}

static bool know_operator(Asking *asking)
{
    h2o_req_t *req = asking->req;
    AdminConnections *connections = &asking->admin->connections;
    OperatorProof proof = {
        .unix_fd = unix_fd_of(asking->admin, req),
        .certificate = admin_connections_names(connections, req->conn),
        .authorization = request_field(req, "authorization"),
    };
    if (operator_find(asking->config, &proof, asking->arena, &asking->who)) {
        if (asking->who.role > ROLE_GUEST)
            admin_connections_prove(connections, req->conn);
        return true;
    }
    refuse(asking, REFUSED_STRANGER, 403, "Forbidden",
           "only the user of the gateway and root may use this socket");
    return false;
}

static bool may_act(const Asking *asking)
{
    h2o_req_t *req = asking->req;
    OriginSaid said = {
        .sec_fetch_site = request_field(req, "sec-fetch-site"),
        .origin = request_field(req, "origin"),
        .authority = bytes(req->input.authority.base, req->input.authority.len),
        .tls = asking->admin->accept.ssl_ctx != NULL,
    };
    if (is_same_origin(&said))
        return true;
    refuse(asking, REFUSED_ORIGIN, 403, "Forbidden",
           "web pages of other origins may not act: only the page of this listener may");
    return false;
}

static bool has_no_query(const Asking *asking)
{
    if (!query_of(asking->req).size)
        return true;
    response_send_problem(asking->req, 400, "Bad Request", "this takes no parameters");
    return false;
}

static bool has_role(const Asking *asking, const Page *page)
{
    const Operator *who = &asking->who;
    if (who->role >= page->role)
        return true;
    const char *needed = operator_role_name(page->role);
    if (who->name) {
        refuse(asking, REFUSED_ROLE, 403, "Forbidden",
               arena_printf(asking->arena, "%s has the role %s; this needs %s", who->name,
                            operator_role_name(who->role), needed));
    } else {
        response_field(asking->req, "www-authenticate", "Bearer");
        if (asking->config && operator_passwords(asking->config))
            response_field(asking->req, "www-authenticate", BASIC);
        refuse(asking, REFUSED_NO_PROOF, 401, "Unauthorized",
               arena_printf(asking->arena,
                            "this needs the role %s: ask on the unix socket, or show a "
                            "certificate, a token or a password that admin.operators lists",
                            needed));
    }
    return false;
}

static bool is_verb_of(const Page *page, h2o_req_t *req)
{
    if (page->acts ? is(req->method, "POST") : is(req->method, "GET") || is(req->method, "HEAD"))
        return true;
    response_field(req, "allow", page->acts ? "POST" : "GET, HEAD");
    response_send_problem(req, 405, "Method Not Allowed",
                          page->acts ? "this is done by POST" : "this page can only be read");
    return false;
}

/* One segment stands where the page's path has "*", or ends with a slash. */
static bool is_page(const Page *page, h2o_iovec_t asked)
{
    Bytes path = bytes(asked.base, asked.len), pattern = bytes_of(page->path);
    size_t star = bytes_find(pattern, '*');
    bool open = pattern.size > 1 && pattern.data[pattern.size - 1] == '/';
    if (star == pattern.size && !open)
        return is(asked, page->path);
    Bytes behind = bytes_slice(pattern, star + 1, SIZE_MAX);
    if (path.size <= star || memcmp(path.data, pattern.data, star) != 0)
        return false;
    if (bytes_are(behind, "*"))
        return true;
    if (path.size <= star + behind.size)
        return false;
    Bytes segment = bytes_slice(path, star, path.size - behind.size - star);
    return bytes_find(segment, '/') == segment.size &&
           bytes_equal(bytes_slice(path, path.size - behind.size, SIZE_MAX), behind);
}

static void send_not_found(const Asking *asking)
{
    Buffer text = buffer_in(asking->arena);
    buffer_add_text(&text, "there are");
    for (size_t i = 0; i < N_PAGES; i++)
        buffer_printf(&text, " %s", pages[i].path);
    response_send_problem(asking->req, 404, "Not Found",
                          arena_text(asking->arena, buffer_bytes(&text)));
}

static const Page *find_page(const Asking *asking)
{
    for (size_t i = 0; i < N_PAGES; i++)
        if (is_page(&pages[i], asking->req->path_normalized))
            return &pages[i];
    send_not_found(asking);
    return NULL;
}

/* What an operator says is said once. */
static bool is_said_twice(const Fields *fields)
{
    static const char *const names[] = {"authorization", "origin", "sec-fetch-site", ADMIN_REASON};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint32_t n = 0;
        for (uint32_t k = 0; k < fields->n; k++)
            n += bytes_are(fields->items[k].name, names[i]);
        if (n > 1)
            return true;
    }
    return false;
}

/* libh2o takes what the listeners for clients refuse, such as Content-Length beside
   Transfer-Encoding, and keeps some of it to itself. So the head, which is still in the buffer of
   the socket, is read again as it is read there. */
static bool is_strict(const Asking *asking)
{
    h2o_req_t *req = asking->req;
    const h2o_buffer_t *input = req->conn->callbacks->get_socket(req->conn)->input;
    Http1Head head = {.framing = HTTP1_NO_BODY};
    Http1Refusal why = {.status = 400, .detail = "a field that may be sent once is sent twice"};
    size_t size = 0;
    Http1Parse parse = http1_parse_request(asking->arena, &http_limits_default,
                                           bytes(input->bytes, input->size), 0, &head, &size, &why);
    if (parse == HTTP1_PARSED && !is_said_twice(&head.http.fields))
        return true;
    req->http1_is_persistent = 0;
    response_send_problem(req, why.status, http_status_phrase(why.status), why.detail);
    return false;
}

static void send_stopping(h2o_req_t *req)
{
    req->http1_is_persistent = 0;
    response_send_problem(req, 503, "Service Unavailable", "the gateway stops");
}

/* ---- Passwords ------------------------------------------------------------------------------- */

/* A request whose password is being checked, or waits for that; in its pool. */
typedef struct Login {
    PasswordAsker asker; /* first */
    Admin *admin;
    h2o_req_t *req;
    const Page *page;
    PasswordMark mark; /* that was checked */
    bool right;
} Login;

static void answer_to(Asking *asking, const Page *page)
{
    if (has_role(asking, page) &&
        (!page->acts || (may_act(asking) && (page->takes_query || has_no_query(asking)))))
        page->answer(asking->admin, asking->req, &asking->who);
}

static void on_login_gone(void *argument)
{
    password_desk_take_back(&((Login *)argument)->asker);
}

static LimitCall guess_of(const Asking *asking, IpAddress *address)
{
    h2o_conn_t *connection = asking->req->conn;
    struct sockaddr_storage name;
    *address = (IpAddress){.known = false};
    if (h2o_socket_getpeername(connection->callbacks->get_socket(connection),
                               (struct sockaddr *)&name) > 0)
        *address = ip_of((struct sockaddr *)&name);
    return (LimitCall){.limits = asking->config->admin_guesses,
                       .identity = &identity_anonymous,
                       .address = address,
                       .now = clock_now(),
                       .wall = clock_wall(),
                       .arena = asking->arena};
}

static bool may_guess(const Asking *asking)
{
    RateLimits *limits = asking->admin->sees.limits;
    IpAddress address;
    LimitRefusal refusal = {0};
    if (!limits || !asking->config->admin_guesses)
        return true;
    LimitCall call = guess_of(asking, &address);
    Result r = rate_limits_admit_guess(limits, &call, &refusal);
    if (!failed(r))
        return true;
    response_field(asking->req, "retry-after",
                   arena_printf(asking->arena, "%u", refusal.retry_after));
    refuse(asking, REFUSED_GUESSES, 429, "Too Many Requests",
           "too many wrong passwords came from this address: none of it is looked at for now");
    error_ignore(r, "the response says it");
    return false;
}

static void refuse_password(const Asking *asking)
{
    RateLimits *limits = asking->admin->sees.limits;
    IpAddress address;
    if (limits && asking->config->admin_guesses) {
        LimitCall call = guess_of(asking, &address);
        rate_limits_count_guess(limits, &call);
    }
    response_field(asking->req, "www-authenticate", BASIC);
    refuse(asking, REFUSED_PASSWORD, 401, "Unauthorized",
           "no operator has this name and this password");
}

static void refuse_busy(const Asking *asking, const char *text)
{
    response_field(asking->req, "retry-after", "1");
    refuse(asking, REFUSED_BUSY, 503, "Service Unavailable", text);
}

static void let_in(Asking *asking, const OperatorConfig *one, const Page *page)
{
    asking->who = (Operator){one->role, one->name, "password"};
    admin_connections_prove(&asking->admin->connections, asking->req->conn);
    answer_to(asking, page);
}

static void on_login_turn(PasswordAsker *asker);
static void on_login_verdict(PasswordAsker *asker, PasswordVerdict verdict);

/* libh2o does not read from a connection whose request waits: without a response it would stay. */
static void on_login_closed(PasswordAsker *asker)
{
    send_stopping(((Login *)asker)->req);
}

static Login *login_new(const Asking *asking, const Page *page)
{
    Login *login = h2o_mem_alloc_shared(&asking->req->pool, sizeof *login, on_login_gone);
    *login = (Login){.asker = {.on_turn = on_login_turn,
                               .on_verdict = on_login_verdict,
                               .on_closed = on_login_closed},
                     .admin = asking->admin,
                     .req = asking->req,
                     .page = page};
    return login;
}

/* Lets in whose password was right a moment ago; else it is checked, at once or when others were.
   `login` NULL: it is the request's first time here. */
static void log_in(Asking *asking, const Page *page, Login *login)
{
    PasswordDesk *desk = asking->admin->desk;
    PasswordCache *cache = password_desk_cache(desk);
    const Config *config = asking->config;
    Bytes said = request_field(asking->req, "authorization");
    uint32_t n = operator_passwords(config);
    PasswordLogin named;
    bool is_basic;
    if (!may_guess(asking))
        return;
    if (!n || !password_login_read(asking->arena, said, &named, &is_basic)) {
        refuse_password(asking);
        return;
    }
    const OperatorConfig *one = operator_with_password(config, named.user);
    const OperatorConfig *like =
        one ? one : operator_password_at(config, password_cache_stand_in(cache, named.user, n));
    PasswordMark mark = password_cache_mark(cache, &named, like->password);
    bool right = login && login->right && memcmp(&login->mark, &mark, sizeof mark) == 0;
    if (one &&
        (right || password_cache_has(cache, &mark, config->admin_password_time, clock_now()))) {
        let_in(asking, one, page);
        return;
    }
    login = login ? login : login_new(asking, page);
    login->mark = mark;
    if (password_desk_is_free(desk))
        password_desk_check(desk, like->password, named.password, one != NULL, &mark,
                            &login->asker);
    else if (!password_desk_wait(desk, &login->asker))
        refuse_busy(asking, "too many passwords are being checked");
}

/* A request that has waited goes on, with the config of now. */
static void resume(Login *login, void (*go_on)(Asking *asking, Login *login))
{
    Config *config = telemetry_config();
    Asking asking = {.admin = login->admin,
                     .req = login->req,
                     .arena = arena_new(ARENA_UNLIMITED),
                     .config = config};
    go_on(&asking, login);
    arena_free(asking.arena);
    config_unref(config);
}

static void log_in_again(Asking *asking, Login *login)
{
    log_in(asking, login->page, login);
}

static void refuse_wrong(Asking *asking, Login *login)
{
    refuse_password(asking);
}

static void refuse_unchecked(Asking *asking, Login *login)
{
    refuse_busy(asking, "there is no memory for checking a password");
}

static void on_login_turn(PasswordAsker *asker)
{
    resume((Login *)asker, log_in_again);
}

static void on_login_verdict(PasswordAsker *asker, PasswordVerdict verdict)
{
    Login *login = (Login *)asker;
    login->right = verdict == PASSWORD_RIGHT;
    switch (verdict) {
    case PASSWORD_RIGHT: resume(login, log_in_again); break;
    case PASSWORD_WRONG: resume(login, refuse_wrong); break;
    case PASSWORD_NO_MEMORY: resume(login, refuse_unchecked); break;
    }
}

/* Pages for everybody are shown whatever the password is, as with a token. On the unix socket
   nobody needs one. */
static bool needs_login(const Asking *asking, const Page *page)
{
    PasswordLogin login;
    bool is_basic;
    Bytes said = request_field(asking->req, "authorization");
    bool known = asking->who.name || !asking->config || asking->who.role >= page->role;
    if (known)
        return false;
    (void)password_login_read(asking->arena, said, &login, &is_basic);
    return is_basic;
}

static void answer_page(Asking *asking)
{
    if (!is_strict(asking) || !know_operator(asking))
        return;
    if (asking->admin->stopping) { /* an action would get no answer any more */
        send_stopping(asking->req);
        return;
    }
    const Page *page = find_page(asking);
    if (!page || !is_verb_of(page, asking->req))
        return;
    if (needs_login(asking, page))
        log_in(asking, page, NULL);
    else
        answer_to(asking, page);
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    Admin *admin = ((Handler *)handler)->admin;
    Config *config = telemetry_config();
    Asking asking = {
        .admin = admin, .req = req, .arena = arena_new(ARENA_UNLIMITED), .config = config};
    admin_connections_asked(&admin->connections, req->conn);
    if (has_known_name(&asking))
        answer_page(&asking);
    else
        refuse(&asking, REFUSED_HOST, 421, "Misdirected Request",
               "the admin listener is not known by the name in Host: ask by its address, by "
               "localhost, or add the name to the setting admin.hosts");
    arena_free(asking.arena);
    if (config)
        config_unref(config);
    return 0;
}

/* ---- TLS ------------------------------------------------------------------------------------- */

static void refuse_certificate(Admin *admin, h2o_socket_t *socket, long why)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Config *config = telemetry_config();
    Refusal refusal = {.reason = REFUSED_CERTIFICATE,
                       .peer = peer_of(socket, arena),
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

static void on_refusals_look(uv_timer_t *look)
{
    Admin *admin = look->data;
    refusals_look(&admin->refusals, clock_now());
}

static void on_stop(uv_async_t *stop)
{
    Admin *admin = stop->data;
    admin->stopping = true;
    password_desk_close(admin->desk);
    answer_actions(admin);
    uv_close((uv_handle_t *)&admin->refusals_look, NULL);
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
    CHECK(pthread_mutex_init(&admin->mutex, NULL) == 0);
    admin->connections = (AdminConnections){
        .before_accept = use_certificate,
        .loop = &admin->loop,
        .accept = &admin->accept,
        .in_files = address->path != NULL,
        .most = most_connections(config),
    };
    admin->desk = password_desk_new(&admin->loop);
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
    CHECK(uv_timer_init(&admin->loop, &admin->refusals_look) == 0);
    CHECK(uv_timer_start(&admin->refusals_look, on_refusals_look, LOOK_TIME, LOOK_TIME) == 0);
    admin->answered.data = admin->refusals_look.data = admin;
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
