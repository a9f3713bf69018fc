/* What a policy server says of a call: asked once the gateway itself would make it. */
#include "gateway/access/access.h"
#include "gateway/authz/authz_request.h"
#include "gateway/call/client_internal.h"
#include "gateway/telemetry/telemetry.h"
#include "protocols/dialect/code.h"
#include "protocols/http/http_path.h"

static const Service *service_of(const Exchange *x)
{
    return x->method ? x->method->version->service : x->route ? x->route->service : NULL;
}

static const char *method_of(const Client *c)
{
    const Builtin *builtin = c->policy->builtin;
    return c->x->method ? c->x->method->type->path : builtin ? builtin->path : NULL;
}

/* A part of the body that the server gets, if it has come already; data NULL: it gets none. */
static Bytes shown_body(const Client *c)
{
    Bytes body = buffer_message(&c->early);
    size_t most = c->policy->server->body;
    return most && c->policy->has_body ? bytes_slice(body, 0, most) : BYTES_NONE;
}

static void write_request(const Client *c, Buffer *out)
{
    const Exchange *x = c->x;
    const ClientPolicy *policy = c->policy;
    const AccessRules *rules = client_rules(x);
    const Service *service = service_of(x);
    AuthzAttributes attributes = {
        .server = policy->server,
        .http = buffer_bytes(&policy->http),
        .body = shown_body(c),
        .is_cut = c->early.size > policy->server->body || !c->ended,
        .source =
            x->record.forwarded_for.size ? x->record.forwarded_for : bytes_of(c->connection->peer),
        .destination = bytes_of(c->connection->listener),
        .certificate = c->connection->certificate,
        .context = rules ? rules->context : NULL,
        .n_context = rules ? rules->n_context : 0,
        .wall = x->record.began,
        .identity = x->identity,
        .service = service ? service->name : NULL,
        .version = x->version.client ? x->version.client->name : NULL,
        .method = method_of(c),
        .route = x->route ? x->route->match : NULL,
    };
    authz_add_request(out, &attributes);
}

static void on_said(void *owner, Result why, const AuthzResponse *said);

/* The server gets the names under which the call is found in logs. */
static Result ask(Client *c)
{
    Exchange *x = c->x;
    ClientPolicy *policy = c->policy;
    Arena *arena = exchange_arena_new(x);
    Buffer request = buffer_in(arena);
    Fields names = fields_in(arena);
    write_request(c, &request);
    fields_add(&names, bytes_of("x-request-id"), x->record.request_id);
    trace_context_write(&c->trace, &names);
    AuthzQuestion question = {.server = policy->server,
                              .config = x->config,
                              .request = buffer_bytes(&request),
                              .request_id = x->record.request_id,
                              .metadata = &names,
                              .on_said = on_said,
                              .owner = c};
    bool full = request.full || names.full;
    policy->waits = false;
    if (!full) {
        x->asks = true;
        telemetry_count(x->loop, COUNTER_POLICY_ASKED);
        policy->asking = x->loop->authz->ask(x->loop, &question);
    }
    arena_free(arena);
    return full ? FAIL(x->arena, FAULT_OUT_OF_MEMORY, "asking the policy server %s",
                       policy->server->name)
                : OK;
}

/* Of streams nothing has come yet when they begin. */
static bool has_body(const Client *c, const Builtin *builtin)
{
    const Exchange *x = c->x;
    bool is_stream = builtin || (x->method && x->method->type->client_streaming);
    return !is_stream && !x->bodiless && c->head->content_length != 0;
}

static size_t count_slashes(Bytes path)
{
    size_t n = 0;
    for (size_t i = 0; i < path.size; i++)
        n += path.data[i] == '/';
    return n;
}

/* The path that the call is about, whatever its spelling: of a path that is passed through the one
   that the instance gets. One with dot segments, which a method's template takes as they are, is a
   different one for whoever removes them. */
static Result find_path(const Client *c, Bytes *path_out)
{
    Arena *arena = c->x->arena;
    Bytes asked = c->head->path, path = bytes_slice(asked, 0, bytes_find(asked, '?')), normal;
    if (c->opaque_head) {
        *path_out = c->opaque_head->path;
        return OK;
    }
    Result r = http_path_normalize(path, arena, &normal);
    if (failed(r))
        return r;
    if (count_slashes(normal) != count_slashes(path))
        return FAIL_TELL(arena, FAULT_BAD_REQUEST,
                         "%.*s can also be read as another path, and a policy server is asked",
                         BYTES_ARGS(bytes_cut_text(path, 200)));
    Buffer whole = buffer_in(arena);
    buffer_add_bytes(&whole, normal);
    buffer_add_bytes(&whole, bytes_slice(asked, path.size, SIZE_MAX));
    *path_out = buffer_bytes(&whole);
    return whole.full ? FAIL(arena, FAULT_OUT_OF_MEMORY, "reading a path") : OK;
}

static const Step *hold(Client *c, const PolicyServer *server, const Builtin *builtin)
{
    Exchange *x = c->x;
    ClientPolicy *policy = c->policy = arena_make(x->arena, ClientPolicy);
    if (!policy)
        return exchange_fail(
            x, FAIL(x->arena, FAULT_OUT_OF_MEMORY, "asking the policy server %s", server->name));
    *policy = (ClientPolicy){.server = server, .builtin = builtin, .http = buffer_in(x->arena)};
    Bytes path;
    Result r = find_path(c, &path);
    if (failed(r))
        return exchange_fail(x, r);
    AuthzHead head = {.head = c->head,
                      .path = path,
                      .authority = x->call.authority,
                      .id = x->record.request_id,
                      .secure = c->forwarding.secure};
    authz_add_head(&policy->http, server, &head);
    policy->has_body = policy->waits = server->body && has_body(c, builtin);
    const Step *step = exchange_hold(x);
    r = policy->http.full ? FAIL(x->arena, FAULT_OUT_OF_MEMORY, "keeping the head")
        : policy->waits   ? OK
                          : ask(c);
    return failed(r) ? exchange_fail(x, r) : step;
}

const Step *client_ask_policy(Client *c, const Builtin *builtin)
{
    const Exchange *x = c->x;
    const AccessConfig *access = &x->config->access;
    if (!access->n_policy_servers)
        return client_begin(c, builtin);
    const ListenerConfig *listener = client_listener(c);
    const PolicyServer *server = access_policy_server(access, listener, client_rules(x));
    return server ? hold(c, server, builtin) : client_begin(c, builtin);
}

static Result take_body(Client *c)
{
    const Exchange *x = c->x;
    const PolicyServer *server = c->policy->server;
    bool is_long = c->early.size > server->body;
    if (is_long && !server->partial_body)
        return FAIL_TELL(x->arena, FAULT_MESSAGE_TOO_LARGE,
                         "a body of more than %zu bytes, which its policy does not allow",
                         server->body);
    return is_long || c->ended ? ask(c) : OK;
}

/* What is to be shown is taken, however small the window of the stream is. */
void client_show_body(Client *c)
{
    if (!c->policy->waits)
        return;
    size_t owed = c->owed;
    Result r = take_body(c);
    if (failed(r)) {
        exchange_run(c->x, exchange_fail(c->x, r));
        return;
    }
    if (c->policy->waits && owed) {
        c->owed = 0;
        http_stream_consume(c->stream, owed);
    }
}

/* Those that the arena has room for. */
static AuthzChanges copy_changes(const AuthzChanges *from, Arena *arena)
{
    AuthzChanges changes = {.items = arena_array(arena, AuthzChange, from->n)};
    for (; changes.items && changes.n < from->n; changes.n++) {
        AuthzChange *change = &changes.items[changes.n];
        *change = from->items[changes.n];
        change->name = bytes_copy(arena, change->name);
        change->value = change->value.size ? bytes_copy(arena, change->value) : bytes("", 0);
        if (!change->name.data || (change->value.size == 0 && from->items[changes.n].value.size))
            break;
    }
    return changes;
}

static const Step *go_ahead(Client *c)
{
    return exchange_release(c->x, client_begin(c, c->policy->builtin));
}

static const Step *allow(Client *c, const AuthzResponse *said)
{
    Exchange *x = c->x;
    AuthzChanges changes = copy_changes(&said->request, x->arena);
    Fields *fields = c->opaque_head ? &c->opaque_head->fields : &x->call.metadata;
    authz_apply(&changes, fields);
    if (changes.n < said->request.n || fields->full)
        return exchange_fail(
            x, FAIL(x->arena, FAULT_OUT_OF_MEMORY, "changing a head of %u fields", fields->n));
    return go_ahead(c);
}

/* In the server's words, and no others. */
static const Step *deny(Client *c, const AuthzResponse *said)
{
    Exchange *x = c->x;
    Result why = FAIL(x->arena, FAULT_POLICY_DENIED, "the policy server %s refuses it with %u",
                      c->policy->server->name, said->http_status);
    Status *status = &c->policy->said;
    *status = status_of_error(x->arena, why);
    status->said = true;
    status->http_status = said->http_status;
    status->code = code_inferred_from_http(said->http_status);
    status->message = said->message.size ? bytes_copy(x->arena, said->message)
                                         : bytes_of(FAULT_POLICY_DENIED.text);
    x->record.said = status;
    telemetry_count(x->loop, COUNTER_POLICY_DENIED);
    return exchange_fail(x, why);
}

/* Who is allowed with a change that cannot be made is not allowed without it; and what is too long
   to be read may be a refusal, whose length the client may have chosen. */
static const Step *miss(Client *c, Result why)
{
    Exchange *x = c->x;
    bool is_change = why.error->fault == &FAULT_BAD_VALUE;
    bool is_long = why.error->fault == &FAULT_UPSTREAM_TOO_LARGE;
    telemetry_count(x->loop, COUNTER_POLICY_FAILED);
    if (is_change)
        telemetry_count(x->loop, COUNTER_POLICY_UNFIT);
    if (c->policy->server->admits && !is_change && !is_long) {
        telemetry_count(x->loop, COUNTER_POLICY_ADMITTED);
        return go_ahead(c);
    }
    return exchange_fail(x, FAIL_OVER(x->arena, error_copy(x->arena, why), FAULT_POLICY_UNAVAILABLE,
                                      "the policy server %s has not allowed it",
                                      c->policy->server->name));
}

static void on_said(void *owner, Result why, const AuthzResponse *said)
{
    Client *c = owner;
    Exchange *x = c->x;
    ClientPolicy *policy = c->policy;
    policy->asking = NULL;
    x->asks = false;
    if (failed(why)) {
        exchange_run(x, miss(c, why));
        return;
    }
    for (uint32_t i = 0; i < said->n_unfit; i++)
        telemetry_count(x->loop, COUNTER_POLICY_UNFIT);
    policy->response = copy_changes(&said->response, x->arena);
    exchange_run(x, said->allowed ? allow(c, said) : deny(c, said));
}

void client_leave_policy(Client *c)
{
    AuthzAsking *asking = c->policy ? c->policy->asking : NULL;
    if (!asking)
        return;
    c->policy->asking = NULL;
    c->x->loop->authz->drop(asking);
}
