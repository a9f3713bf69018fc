#include "base/arena.h"
#include "base/clock.h"
#include "base/net/ip.h"
#include "gateway/admin/admin_host.h"
#include "gateway/admin/admin_internal.h"
#include "gateway/admin/response.h"
#include "gateway/page/same_origin.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/thread/thread.h"
#include "protocols/http1/http1_head.h"

#include <sys/socket.h>

static bool is(h2o_iovec_t text, const char *expected)
{
    return h2o_memis(text.base, text.len, expected, strlen(expected));
}

static Bytes path_of(const h2o_req_t *req)
{
    return bytes(req->path_normalized.base, req->path_normalized.len);
}

bool admin_desk_is_head(const h2o_req_t *req)
{
    return is(req->method, "HEAD");
}

Bytes admin_desk_query(const h2o_req_t *req)
{
    return req->query_at == SIZE_MAX
               ? BYTES_NONE
               : bytes_slice(bytes(req->path.base, req->path.len), req->query_at + 1, SIZE_MAX);
}

#define BASIC "Basic realm=\"passerelle\", charset=\"UTF-8\""

/* ---- Who may ask what ------------------------------------------------------------------------ */

Bytes admin_desk_peer(h2o_socket_t *socket, Arena *arena)
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

void admin_desk_refuse(const Asking *asking, RefusalReason reason, int status, const char *title,
                       const char *text)
{
    h2o_req_t *req = asking->req;
    Refusal refusal = {
        .reason = reason,
        .verb = bytes(req->method.base, req->method.len),
        .path = path_of(req),
        .peer = admin_desk_peer(req->conn->callbacks->get_socket(req->conn), asking->arena),
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

static bool is_admitted(const Asking *asking)
{
    const Config *config = asking->config;
    return config && config->admin_socket_rights &&
           text_equal(config->admin_socket.text, asking->admin->listener.address.text);
}

static bool know_operator(Asking *asking)
{
    h2o_req_t *req = asking->req;
    AdminConnections *connections = &asking->admin->connections;
    OperatorProof proof = {
        .unix_fd = unix_fd_of(asking->admin, req),
        .admitted = is_admitted(asking),
        .certificate = admin_connections_names(connections, req->conn),
        .authorization = request_field(req, "authorization"),
    };
    if (operator_find(asking->config, &proof, asking->arena, &asking->who)) {
        if (asking->who.role > ROLE_GUEST)
            admin_connections_prove(connections, req->conn);
        return true;
    }
    admin_desk_refuse(asking, REFUSED_STRANGER, 403, "Forbidden",
                      "only the user of the gateway and root may use this socket");
    return false;
}

bool admin_desk_is_same_origin(const Asking *asking)
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
    admin_desk_refuse(
        asking, REFUSED_ORIGIN, 403, "Forbidden",
        "web pages of other origins may not ask this: only the page of this listener may");
    return false;
}

static bool has_no_query(const Asking *asking)
{
    if (!admin_desk_query(asking->req).size)
        return true;
    response_send_problem(asking->req, 400, "Bad Request", "this takes no parameters");
    return false;
}

bool admin_desk_has_role(const Asking *asking, OperatorRole role)
{
    const Operator *who = &asking->who;
    if (who->role >= role)
        return true;
    const char *needed = operator_role_name(role);
    if (who->name) {
        admin_desk_refuse(asking, REFUSED_ROLE, 403, "Forbidden",
                          arena_printf(asking->arena, "%s has the role %s; this needs %s",
                                       who->name, operator_role_name(who->role), needed));
    } else {
        response_field(asking->req, "www-authenticate", "Bearer");
        if (asking->config && operator_passwords(asking->config))
            response_field(asking->req, "www-authenticate", BASIC);
        admin_desk_refuse(
            asking, REFUSED_NO_PROOF, 401, "Unauthorized",
            arena_printf(asking->arena,
                         "this needs the role %s: ask on the unix socket, or show a "
                         "certificate, a token or a password that admin.operators lists",
                         needed));
    }
    return false;
}

static bool is_verb_of(const AdminPage *page, h2o_req_t *req)
{
    bool acts = page->use != PAGE_READ;
    if (acts ? is(req->method, "POST") : is(req->method, "GET") || admin_desk_is_head(req))
        return true;
    response_field(req, "allow", acts ? "POST" : "GET, HEAD");
    response_send_problem(req, 405, "Method Not Allowed",
                          acts ? "this is done by POST" : "this page can only be read");
    return false;
}

static void send_not_found(const Asking *asking)
{
    Buffer text = buffer_in(asking->arena);
    buffer_add_text(&text, "there are");
    admin_pages_name(&text);
    response_send_problem(asking->req, 404, "Not Found",
                          arena_text(asking->arena, buffer_bytes(&text)));
}

static const AdminPage *find_page(const Asking *asking)
{
    const AdminPage *page = admin_page_find(path_of(asking->req));
    if (!page)
        send_not_found(asking);
    return page;
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

void admin_desk_send_stopping(h2o_req_t *req)
{
    req->http1_is_persistent = 0;
    response_send_problem(req, 503, "Service Unavailable", "the gateway stops");
}

/* ---- Asking for a page ----------------------------------------------------------------------- */

/* The request of an action. It goes with its connection, and then nobody waits for the response. */
typedef struct Waiting {
    h2o_req_t *req;
    AdminAction *action;
} Waiting;

static void on_request_gone(void *argument)
{
    Waiting *waiting = argument;
    if (waiting->action)
        waiting->action->owner = NULL;
}

static void on_action_done(AdminAction *action)
{
    Waiting *waiting = action->owner;
    if (!waiting)
        return;
    waiting->action = NULL;
    int status = admin_action_status(action);
    if (status == 200)
        response_send(waiting->req, 200, "OK", "application/json", action->body);
    else
        response_send_problem(waiting->req, status, http_status_phrase((unsigned)status),
                              admin_action_detail(action));
}

static void ask_for(const Asking *asking, const AdminPage *page)
{
    h2o_req_t *req = asking->req;
    AdminQuestion question = {.path = path_of(req),
                              .query = admin_desk_query(req),
                              .body = bytes(req->entity.base, req->entity.len),
                              .why = request_field(req, ADMIN_REASON),
                              .who = &asking->who};
    AdminAction *action = admin_page_action(asking->admin, page, &question);
    Waiting *waiting = h2o_mem_alloc_shared(&req->pool, sizeof *waiting, on_request_gone);
    *waiting = (Waiting){req, action};
    action->on_done = on_action_done;
    action->owner = waiting;
    admin_page_ask(asking->admin, page, action);
}

/* Who may read a page and what it says are the same to all: only what acts needs a look. */
static bool may_use(const Asking *asking, const AdminPage *page)
{
    switch (page->use) {
    case PAGE_READ: return true;
    case PAGE_ACT: return admin_desk_is_same_origin(asking) && has_no_query(asking);
    case PAGE_ORDER: return admin_desk_is_same_origin(asking);
    }
    return false;
}

static void answer_to(Asking *asking, const AdminPage *page)
{
    if (!admin_desk_has_role(asking, page->role) || !may_use(asking, page))
        return;
    if (page->respond)
        page->respond(asking);
    else
        ask_for(asking, page);
}

/* ---- Passwords ------------------------------------------------------------------------------- */

/* A request whose password is being checked, or waits for that; in its pool. */
typedef struct Login {
    PasswordAsker asker; /* first */
    Admin *admin;
    h2o_req_t *req;
    const AdminPage *page;
    PasswordMark mark; /* that was checked */
    bool right;
} Login;

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
    admin_desk_refuse(
        asking, REFUSED_GUESSES, 429, "Too Many Requests",
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
    admin_desk_refuse(asking, REFUSED_PASSWORD, 401, "Unauthorized",
                      "no operator has this name and this password");
}

void admin_desk_refuse_busy(const Asking *asking, const char *text)
{
    response_field(asking->req, "retry-after", "1");
    admin_desk_refuse(asking, REFUSED_BUSY, 503, "Service Unavailable", text);
}

static void let_in(Asking *asking, const OperatorConfig *one, const AdminPage *page)
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
    admin_desk_send_stopping(((Login *)asker)->req);
}

static Login *login_new(const Asking *asking, const AdminPage *page)
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
static void log_in(Asking *asking, const AdminPage *page, Login *login)
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
        admin_desk_refuse_busy(asking, "too many passwords are being checked");
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
    admin_desk_refuse_busy(asking, "there is no memory for checking a password");
}

static void refuse_without_thread(Asking *asking, Login *login)
{
    admin_desk_refuse_busy(asking, THREAD_NONE);
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
    case PASSWORD_NO_THREAD: resume(login, refuse_without_thread); break;
    }
}

/* Pages for everybody are shown whatever the password is, as with a token, but for the one that
   tells who it is. On the unix socket nobody needs one. */
static bool needs_login(const Asking *asking, const AdminPage *page)
{
    PasswordLogin login;
    bool is_basic;
    Bytes said = request_field(asking->req, "authorization");
    bool known =
        asking->who.name || !asking->config || (asking->who.role >= page->role && !page->tells_who);
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
        admin_desk_send_stopping(asking->req);
        return;
    }
    const AdminPage *page = find_page(asking);
    if (!page || !is_verb_of(page, asking->req))
        return;
    if (needs_login(asking, page))
        log_in(asking, page, NULL);
    else
        answer_to(asking, page);
}

void admin_desk_receive(Admin *admin, h2o_req_t *req)
{
    Config *config = telemetry_config();
    Asking asking = {
        .admin = admin, .req = req, .arena = arena_new(ARENA_UNLIMITED), .config = config};
    admin_connections_asked(&admin->connections, req->conn);
    if (has_known_name(&asking))
        answer_page(&asking);
    else
        admin_desk_refuse(
            &asking, REFUSED_HOST, 421, "Misdirected Request",
            "the admin listener is not known by the name in Host: ask by its address, by "
            "localhost, or add the name to the setting admin.hosts");
    arena_free(asking.arena);
    if (config)
        config_unref(config);
}
