#include "gateway/call/client.h"

#include "gateway/call/client_internal.h"
#include "gateway/headers/cors.h"
#include "gateway/headers/own_fields.h"
#include "gateway/loop/config_use.h"

enum { BUILTIN_MESSAGE = 64 * 1024 /* bytes of a request to a built-in service */ };

/* ---- Steps ----------------------------------------------------------------------------------- */

/* A CORS preflight is answered by the gateway; no service gets it. */
static const Step *answer_preflight(Client *c)
{
    Exchange *x = c->x;
    HttpHead head = {.status = 204, .content_length = -1, .fields = fields_in(x->arena)};
    cors_answer_preflight(&x->config->cors, c->head, &head.fields);
    fields_add(&head.fields, bytes_of("x-request-id"), x->record.request_id);
    own_fields_merge_vary(&head.fields);
    x->call.dialect = DIALECT_HTTP;
    x->record.http_status = head.status;
    http_stream_send_head(c->stream, &head, true);
    return &STEP_finish;
}

/* OPTIONS of a path whose rules have no such method: those that it takes, for whom may know. */
static bool asks_for_methods(const Client *c, Result found)
{
    const Exchange *x = c->x;
    return failed(found) && found.error->fault == &FAULT_METHOD_NOT_ALLOWED && c->allow.size &&
           x->call.dialect == DIALECT_REST && bytes_are(x->call.verb, "OPTIONS");
}

/* `allow` is of the path, or of the server. */
static const Step *answer_options(Client *c, Bytes allow)
{
    Exchange *x = c->x;
    HttpHead head = {.status = 204, .content_length = -1, .fields = fields_in(x->arena)};
    fields_add(&head.fields, bytes_of("allow"), allow);
    fields_add(&head.fields, bytes_of("x-request-id"), x->record.request_id);
    cors_add(&x->config->cors, c->origin, &head.fields);
    own_fields_merge_vary(&head.fields);
    x->record.http_status = head.status;
    http_stream_send_head(c->stream, &head, true);
    return &STEP_finish;
}

/* OPTIONS of "*" is of the server, not of what is behind it: a ping (RFC 9110, section 9.3.7). The
   engines let no other method have this path. */
static bool asks_server(const Client *c)
{
    return bytes_are(c->x->call.path, "*");
}

static const Step *answer_server(Client *c)
{
    c->x->call.dialect = DIALECT_HTTP;
    return answer_options(c, bytes_of("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
}

static const Step *resolve(Exchange *x, Attempt *attempt)
{
    Client *c = client_of(x);
    const Builtin *builtin = NULL;
    Result r = client_name(c);
    if (failed(r)) {
        x->call.dialect = dialect_of_request(c->head);
        return exchange_fail(x, r);
    }
    if (x->config->cors.n_origins && cors_is_preflight(c->head))
        return answer_preflight(c);
    if (asks_server(c))
        return answer_server(c);
    r = client_resolve(c, &builtin);
    r = client_authenticate(c, r, builtin);
    if (asks_for_methods(c, r)) {
        error_ignore(r, "it is what was asked for");
        return answer_options(c, c->allow);
    }
    if (!failed(r) && x->route && !x->method && !x->binding)
        r = client_authorize(c, NULL);
    if (!failed(r))
        r = forwarding_check(&c->forwarding, x->config->limits.max_hops, x->arena);
    if (failed(r))
        return exchange_fail(x, r);
    if (x->method || x->binding)
        client_pass_on_names(c);
    message_reader_init(&c->reader, x->call.dialect, false, x->call.compression,
                        x->config->limits.message_bytes, x->arena);
    c->reader.limit_name = "limits.message_bytes";
    bool is_vital = builtin && builtin_is_vital(builtin);
    if (is_vital)
        exchange_set_firm(x); /* health is told whatever is in use */
    else
        r = exchange_admit(x);
    if (failed(r))
        return exchange_fail(x, r);
    if (builtin && c->reader.limit > BUILTIN_MESSAGE) { /* which reads its messages on the loop */
        c->reader.limit = BUILTIN_MESSAGE;
        c->reader.limit_name = NULL;
    }
    if (builtin)
        return is_vital && builtin_is_health(builtin) ? client_begin(c, builtin)
                                                      : client_ask_policy(c, builtin);
    if (x->method || x->binding)
        return &STEP_negotiate;
    r = client_limit(c);
    return failed(r) ? exchange_fail(x, r) : client_ask_policy(c, NULL);
}

const Step STEP_resolve = {"resolve", resolve};

/* The method's rule among those of all versions for one path; NULL: it has none. */
static const RestBinding *binding_of(const RestBinding *all, const Method *method)
{
    while (all && all->method != method)
        all = all->next;
    return all;
}

/* The rules of the client's version, and of the response's. */
static Result choose_bindings(Exchange *x)
{
    const Version *version = x->version.client;
    const RestBinding *all = x->binding;
    while (x->binding && x->binding->method->version != version)
        x->binding = x->binding->next;
    if (!x->binding)
        return FAIL_TELL(x->arena, FAULT_UNKNOWN_PATH, "%s of %s does not serve %.*s",
                         version->name, version->service->name, BYTES_ARGS(x->call.path));
    x->method = x->binding->method;
    x->reply_binding = binding_of(all, x->method->pairs[x->version.reply->index].target);
    return OK;
}

static Result choose_method(Exchange *x)
{
    const Version *version = x->version.client;
    if (x->binding) {
        Result r = choose_bindings(x);
        if (failed(r))
            return r;
    } else {
        const Method *method = client_method_in(x->method, version);
        if (!method)
            return FAIL_TELL(x->arena, FAULT_UNKNOWN_METHOD, "%s has no counterpart in %s",
                             x->method->type->path, version->name);
        x->method = method;
    }
    x->record.method = x->method;
    x->route = x->record.route = x->method->route;
    return OK;
}

/* Bytes of any media type that a REST client sends to a method that takes a stream: a message for
   each piece that comes. A compressed body is opened whole, and is one message. */
static bool is_upload_in_pieces(const Exchange *x)
{
    return x->binding && x->method->type->client_streaming && x->binding->raw_request &&
           x->call.compression == COMPRESSION_IDENTITY;
}

/* A body whose Content-Length is too large is refused before it arrives. */
static Result check_length(const Client *c)
{
    const Exchange *x = c->x;
    size_t limit = x->config->limits.message_bytes;
    bool whole = (x->call.dialect == DIALECT_CONNECT || x->call.dialect == DIALECT_REST) &&
                 !is_upload_in_pieces(x);
    if (!whole || c->head->content_length <= 0 || (uint64_t)c->head->content_length <= limit)
        return OK;
    return FAIL_TELL(x->arena, FAULT_MESSAGE_TOO_LARGE,
                     "a body of %lld bytes, where %zu are allowed (limits.message_bytes)",
                     (long long)c->head->content_length, limit);
}

/* Connect has different content types for unary calls and streams. */
static Result check_framing(Exchange *x)
{
    if (x->call.dialect != DIALECT_CONNECT || exchange_is_unary(x))
        return OK;
    return FAIL_TELL(
        x->arena, FAULT_UNSUPPORTED_MEDIA,
        "%s is a stream, which needs application/connect+json or application/connect+proto",
        x->method->type->path);
}

static bool is_rest_stream(const Exchange *x)
{
    return x->call.dialect == DIALECT_REST && x->call.reply_codec == CODEC_JSON &&
           x->method->type->server_streaming;
}

/* A reconnect to a finished stream of events is answered without an instance. */
const Step *client_begin_rest_stream(Client *c, const ExchangeKind *kind)
{
    Exchange *x = c->x;
    Status ok = {.code = CODE_OK};
    c->rest_body = arena_make(x->arena, RestBody);
    if (!c->rest_body)
        return exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY, "beginning a stream of JSON"));
    x->call.usual_stream = x->route ? x->route->json_stream : REST_STREAM_LINES;
    *c->rest_body = rest_body_of(&x->call);
    return rest_body_is_over(&x->call) ? exchange_give_end(x, &ok, NULL) : exchange_begin(x, kind);
}

const Step *client_begin(Client *c, const Builtin *builtin)
{
    Exchange *x = c->x;
    if (builtin)
        return exchange_begin_builtin(x, builtin, x->call.head);
    if (!x->method)
        return exchange_begin(x, &KIND_OPAQUE);
    return is_rest_stream(x) ? client_begin_rest_stream(c, exchange_kind_of(x->method))
                             : exchange_begin(x, exchange_kind_of(x->method));
}

static const Step *negotiate_step(Exchange *x, Attempt *attempt)
{
    Client *c = client_of(x);
    const Method *method = x->binding ? x->binding->method : x->method;
    x->record.method = method;
    x->route = x->record.route = method->route;
    Result r = client_find_version(c, &x->version);
    x->record.client_version = x->version.client;
    x->record.reply_version = x->version.reply;
    if (x->version.client)
        x->record.rule = version_rule_name(x->version.rule);
    x->retry_after = x->version.retry_after;
    if (!failed(r))
        r = choose_method(x);
    r = failed(r) ? client_conceal(c, r) : client_authorize(c, x->version.client);
    if (!failed(r))
        r = x->binding ? client_take_rest(c) : client_check_get(c);
    if (!failed(r))
        r = check_framing(x);
    if (!failed(r))
        r = check_length(c);
    if (!failed(r))
        r = exchange_check_acceptable(x);
    if (!failed(r))
        r = client_limit(c);
    if (failed(r))
        return exchange_fail(x, r);

    c->reader.keep_compressed = true; /* they are opened where they are converted */
    c->reader.most_growth = x->config->limits.compression_ratio;
    if (is_upload_in_pieces(x))
        c->reader.unframed = UNFRAMED_PIECES;
    return client_ask_policy(c, NULL);
}

const Step STEP_negotiate = {"negotiate", negotiate_step};

/* ---- The request's messages ------------------------------------------------------------------ */

/* For opaque HTTP, each piece of the body is passed on as it arrives. */
static MessageOutcome next_message(Client *c, Bytes *input, Message *message, Result *why)
{
    if (c->x->kind != &KIND_OPAQUE)
        return message_reader_read(&c->reader, input, message, why);
    *message = (Message){.bytes = *input};
    *input = BYTES_NONE;
    return message->bytes.size ? MESSAGE_DONE : MESSAGE_MORE;
}

/* The last message, in dialects where a message ends with the body. */
static MessageOutcome last_message(Client *c, Message *message, Result *why)
{
    const Exchange *x = c->x;
    *message = (Message){0};
    if (x->kind == &KIND_OPAQUE)
        return MESSAGE_MORE;
    if (x->call.is_get) {
        message->bytes = x->call.get_message;
        return MESSAGE_DONE;
    }
    /* A stream of pieces has at least one message, because the path has parameters for it. */
    if (c->reader.unframed == UNFRAMED_PIECES)
        return x->record.messages_in ? MESSAGE_MORE : MESSAGE_DONE;
    return message_reader_finish(&c->reader, message, why);
}

static bool fail(Client *c, Result why)
{
    return exchange_run(c->x, exchange_fail(c->x, why));
}

/* Passes the messages in a piece of body to the exchange, as far as it accepts them; false: the
   exchange has ended. */
static bool send_messages(Client *c, Bytes *piece)
{
    while (exchange_wants(c->x)) {
        Message message;
        Result why = OK;
        size_t run_size = exchange_run_size(c->x);
        if (run_size) {
            MessageRun run = message_reader_run(&c->reader, run_size, piece);
            if (run.n && !exchange_send_run(c->x, run))
                return false;
        }
        switch (next_message(c, piece, &message, &why)) {
        case MESSAGE_MORE: return true;
        case MESSAGE_END: continue;
        case MESSAGE_FAILED: return fail(c, why);
        case MESSAGE_PIECE:
        case MESSAGE_DONE: break;
        }
        if (!exchange_send(c->x, message))
            return false;
    }
    return true;
}

static bool send_end(Client *c)
{
    Message last;
    Result why = OK;
    c->told = true;
    MessageOutcome outcome = last_message(c, &last, &why);
    if (outcome == MESSAGE_DONE && c->x->binding && !c->x->method->type->client_streaming)
        why = client_take_rest_body(c, &last);
    if (failed(why))
        return fail(c, why);
    return exchange_end(c->x, outcome == MESSAGE_DONE ? &last : NULL);
}

/* Returns received bytes to the client's window once they were passed on. */
static void settle(Client *c)
{
    if (!c->owed || c->early.size || !exchange_has_room(c->x) ||
        exchange_waits_for_memory(c->x, &c->reader))
        return;
    size_t owed = c->owed;
    c->owed = 0;
    http_stream_consume(c->stream, owed);
}

/* Passes on the body that arrived early, and the end. */
static void go_on(Client *c)
{
    Bytes rest = buffer_bytes(&c->early);
    if (rest.size && !send_messages(c, &rest))
        return;
    exchange_forget_messages(c->x);
    if (rest.size)
        memmove(c->early.data, rest.data, rest.size);
    c->early.size = rest.size;
    if (c->ended && !c->told && !rest.size && exchange_wants(c->x) && !send_end(c))
        return;
    settle(c);
}

/* ---- Events of the stream -------------------------------------------------------------------- */

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    Client *c = owner;
    c->head = head;
    c->x->bodiless = end; /* on_end follows all the same */
    if (c->shed)
        client_refuse(c);
    else
        exchange_run(c->x, &STEP_resolve);
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    Client *c = owner;
    c->x->record.bytes_in += piece.size;
    c->owed += piece.size;
    if (c->x->call.foreign_media && piece.size) {
        fail(c, client_refuse_media(c));
        return;
    }
    Result r = client_flow(c);
    if (failed(r)) {
        fail(c, r);
        return;
    }
    if (!c->early.size && !send_messages(c, &piece))
        return;
    exchange_forget_messages(c->x);
    buffer_add_bytes(&c->early, piece); /* the stream's window bounds it */
    if (c->early.full) {
        fail(c, FAIL(c->x->arena, FAULT_OUT_OF_MEMORY, "keeping the request while connecting"));
        return;
    }
    if (c->policy && c->policy->waits) {
        client_show_body(c);
        return;
    }
    settle(c);
    if (c->early.size && c->x->latest->held)
        timer_start(&c->x->loop->timers, &c->more, 0); /* in this turn */
}

/* By now everything that arrived with the first bytes of the body was read, perhaps also its
   end. */
static void on_more(Timer *timer)
{
    exchange_more(((Client *)((char *)timer - offsetof(Client, more)))->x);
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    Client *c = owner;
    c->ended = true;
    if (c->policy && c->policy->waits)
        client_show_body(c);
    else if (exchange_more(c->x))
        go_on(c);
}

static void on_drain(void *owner, HttpStream *stream)
{
    Client *c = owner;
    exchange_room(c->x);
}

static const CallerEvents events_of_left;

/* The call goes on: its response is recorded for the time when the client asks again. The
   connection stays, without its socket, as long as its calls. */
static void leave(Client *c)
{
    http_stream_release(c->stream);
    c->stream = NULL;
    timer_stop(&c->x->loop->timers, &c->more);
    c->caller.events = &events_of_left;
}

/* The client is gone: the reason goes to the record only. */
static void on_reset(void *owner, HttpStream *stream, Result why)
{
    Client *c = owner;
    Exchange *x = c->x;
    why = FAIL_OVER(x->arena, error_copy(x->arena, why), *why.error->fault,
                    "the client's stream ended before its response");
    if (exchange_outlives_client(x, why))
        leave(c);
    else
        exchange_cancel(x, why);
}

/* The request violates HTTP, or takes too long: the client gets an error in its dialect. */
static void on_refused(void *owner, HttpStream *stream, Result why)
{
    Client *c = owner;
    Arena *arena = c->x->arena;
    bool late = why.error->fault == &FAULT_REQUEST_TIMEOUT;
    why = error_copy(arena, why);
    fail(c, late ? why : FAIL_OVER(arena, why, FAULT_BAD_REQUEST, "reading the request's body"));
}

static const HttpStreamEvents stream_events = {.on_head = on_head,
                                               .on_body = on_body,
                                               .on_end = on_end,
                                               .on_drain = on_drain,
                                               .on_reset = on_reset,
                                               .on_refused = on_refused};

/* ---- Events of the exchange ------------------------------------------------------------------ */

static void on_room(Caller *caller)
{
    go_on((Client *)caller);
}

/* Also right for a retry: a request that can be sent again is complete and kept. */
static CallerHas has(const Caller *caller)
{
    const Client *c = (const Client *)caller;
    if (c->ended || c->x->bodiless)
        return CALLER_HAS_ALL;
    return c->early.size ? CALLER_HAS_SOME : CALLER_HAS_NOTHING;
}

static bool has_room(const Caller *caller)
{
    const Client *c = (const Client *)caller;
    return http_stream_queued(c->stream) <= c->x->config->limits.http.queue_high;
}

static bool is_idle(const Caller *caller)
{
    return http_stream_queued(((const Client *)caller)->stream) == 0;
}

static MessageReader *reader_of(Caller *caller)
{
    return &((Client *)caller)->reader;
}

static void on_record(Caller *caller, const CallRecord *record)
{
    Client *c = (Client *)caller;
    ClientConnection *connection = c->connection;
    if (c->stream)
        http_stream_release(c->stream);
    timer_stop(&c->x->loop->timers, &c->more);
    compression_stream_free(c->compressor);
    client_leave_limits(c);
    client_leave_policy(c);
    telemetry_record(c->x->loop, record);
    *c->at = c->next;
    if (c->next)
        c->next->at = c->at;
    if (--connection->n_exchanges == 0 && connection->on_unused)
        connection->on_unused(connection);
}

static const CallerEvents caller_events = {
    .on_room = on_room,
    .on_head = client_on_head,
    .on_message = client_on_message,
    .on_run = client_on_run,
    .on_piece = client_on_piece,
    .on_response = client_on_response,
    .on_end = client_on_end,
    .on_record = on_record,
    .has = has,
    .has_room = has_room,
    .is_idle = is_idle,
    .reader = reader_of,
    .framing = client_framing,
    .on_framed = client_on_framed,
    .on_framed_response = client_on_framed_response,
};

/* ---- Events of the exchange, after its client has left --------------------------------------- */

static Result take_response(Caller *caller, Message message, const Fields *trailers)
{
    (void)caller, (void)message, (void)trailers;
    return OK;
}

/* Nobody has got a good response; an error is recorded as it is. */
static void end_unseen(Caller *caller, const Status *status, const Fields *trailers)
{
    (void)trailers;
    Exchange *x = ((Client *)caller)->x;
    Result left = exchange_why_left(x);
    if (status->code == CODE_OK) {
        x->record.why = left;
        x->record.status = status_of_error(x->arena, left);
    }
    if (!x->record.http_status)
        x->record.http_status = left.error->fault->http_status;
}

static const CallerEvents events_of_left = {
    .on_response = take_response,
    .on_end = end_unseen,
    .on_record = on_record,
    .reader = reader_of,
};

/* ---- Beginning ------------------------------------------------------------------------------- */

/* Computed once per connection and config. A listener that is no longer in the config trusts
   nobody. */
static bool is_trusted(ClientConnection *connection, const Config *config)
{
    if (connection->generation != config->generation) {
        const ListenerConfig *listener = config_listener(config, connection->listener);
        connection->trusted = listener && !connection->unnamed &&
                              trusted_peers_have(&listener->trusted, &connection->address);
        connection->generation = config->generation;
        connection->heard_on = listener;
    }
    return connection->trusted;
}

/* Else each idle call would hold two blocks. What is unusual goes behind a pointer, and what is
   needed only while the head is read is in the memory of the turn. */
enum { TEXTS_OF_CALL = 512 /* bytes: the head that is sent on */ };
#define ROOM_OF(type) ((sizeof(type) + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT)
_Static_assert(ROOM_OF(Exchange) + ROOM_OF(Client) + TEXTS_OF_CALL <= ARENA_FIRST_ROOM,
               "an ordinary call does not fit into the first block of its arena any more");
/* Above this size the C library zeroes it by `rep stosb`, which costs far more. */
_Static_assert(sizeof(Exchange) <= 2048, "a call is zeroed slowly");

void client_accept(ClientConnection *connection, HttpStream *stream, int64_t began)
{
    Loop *loop = connection->loop;
    Exchange *x = exchange_make(loop, config_use(loop), loop->config->limits.call_memory, began);
    Client *c = arena_make(x->arena, Client);
    CHECK(c); /* an arena's first block has room for both */
    c->caller.events = &caller_events;
    c->x = x;
    c->connection = connection;
    c->next = connection->clients;
    c->at = &connection->clients;
    if (c->next)
        c->next->at = &c->next;
    connection->clients = c;
    connection->n_exchanges++;
    c->stream = stream;
    c->shed = connection->shed_next;
    connection->shed_next = false;
    c->forwarding = (Forwarding){.self = loop->hop,
                                 .peer = connection->peer,
                                 .secure = connection->secure,
                                 .trusted = is_trusted(connection, x->config)};
    c->early = buffer_in(x->arena);
    c->more.fire = on_more;
    x->caller = &c->caller;
    x->client = connection->address;
    exchange_charge(x, connection->proved ? connection->proved : connection->account, false);
    x->record.peer = connection->peer;
    x->record.address = &x->client;
    x->record.listener = connection->listener;
    http_stream_attach(stream, &stream_events, c);
}

uint32_t client_end_all(ClientConnection *connection, Result why)
{
    uint32_t n = 0;
    for (Client *c = connection->clients, *next; c; c = next, n++) {
        next = c->next;
        fail(c, error_copy(c->x->arena, why));
    }
    return n;
}

void client_drop_all(ClientConnection *connection, Result why)
{
    for (Client *c = connection->clients, *next; c; c = next) {
        next = c->next;
        exchange_cancel(c->x, why);
    }
}
