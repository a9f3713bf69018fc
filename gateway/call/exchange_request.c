/* The client's side of an exchange, up to where an instance is wanted. */
#include "base/arena.h"
#include "gateway/call/exchange_internal.h"
#include "gateway/headers/cors.h"
#include "gateway/headers/own_fields.h"

/* ---- Steps ----------------------------------------------------------------------------------- */

/* A browser asks whether a page may call: no service hears of it. */
static const Step *answer_preflight(Exchange *x)
{
    HttpHead head = {.status = 204, .content_length = -1, .fields = fields_in(x->arena)};
    cors_answer_preflight(&x->config->cors, x->head, &head.fields);
    fields_add(&head.fields, bytes_of("x-request-id"), x->record.request_id);
    own_fields_merge_vary(&head.fields);
    x->call.dialect = DIALECT_HTTP;
    x->record.http_status = head.status;
    http_stream_send_head(x->client.stream, &head, true);
    return &STEP_finish;
}

static const Step *exchange_resolve_step(Exchange *x)
{
    Result r = exchange_name(x);
    if (failed(r)) {
        x->call.dialect = dialect_of_request(x->head);
        return exchange_fail(x, r);
    }
    if (x->config->cors.n_origins && cors_is_preflight(x->head))
        return answer_preflight(x);
    r = exchange_resolve(x);
    if (!failed(r))
        r = forwarding_check(&x->forwarding, x->config->limits.max_hops, x->arena);
    if (failed(r))
        return exchange_fail(x, r);
    if (x->builtin)
        return &STEP_builtin;
    return x->method || x->binding ? &STEP_negotiate : &STEP_opaque;
}

const Step STEP_resolve = {"resolve", exchange_resolve_step};

/* The same RPC in the version that was negotiated. */
static const Method *method_in(const Method *method, const Version *version)
{
    for (const Method *same = method; same; same = same->next_same_path) {
        if (same->version == version)
            return same;
    }
    return method->pairs[version->index].target;
}

static Result choose_method(Exchange *x)
{
    const Version *version = x->version.client;
    if (x->binding) {
        while (x->binding && x->binding->method->version != version)
            x->binding = x->binding->next;
        if (!x->binding)
            return FAIL_TELL(x->arena, FAULT_UNKNOWN_PATH, "%s of %s does not serve %.*s",
                             version->name, version->service->name, BYTES_ARGS(x->call.path));
        x->method = x->binding->method;
    } else {
        const Method *method = method_in(x->method, version);
        if (!method)
            return FAIL_TELL(x->arena, FAULT_UNKNOWN_METHOD, "%s has no counterpart in %s",
                             x->method->type->path, version->name);
        x->method = method;
    }
    x->record.method = x->method;
    x->route = x->record.route = x->method->route;
    return x->binding ? exchange_take_rest(x) : exchange_check_get(x);
}

static void on_deadline(Timer *timer)
{
    Exchange *x = (Exchange *)((char *)timer - offsetof(Exchange, deadline_timer));
    long long given = (x->deadline - x->began) / MILLISECOND;
    exchange_run(x, exchange_fail(x, FAIL_TELL(x->arena, FAULT_DEADLINE_EXCEEDED,
                                               "no answer within %lld ms", given)));
}

/* The deadline counts from the first byte of the request and covers all attempts. */
void exchange_start_deadline(Exchange *x)
{
    int64_t timeout = x->call.timeout;
    if (exchange_is_unary(x)) {
        if (x->route->timeout < timeout)
            timeout = x->route->timeout;
        if (timeout == NO_TIMEOUT && x->config->limits.call_time)
            timeout = x->config->limits.call_time;
    }
    if (timeout >= INT64_MAX - x->began)
        return;
    x->deadline = x->began + timeout;
    x->deadline_timer.fire = on_deadline;
    timer_start(&x->loop->timers, &x->deadline_timer, x->deadline);
}

/* Bytes of any media type that a REST client sends to a method that takes a stream: a message for
   each piece that comes. A compressed body is opened whole, and is one message. */
static bool is_upload_in_pieces(const Exchange *x)
{
    return x->binding && x->method->type->client_streaming && x->binding->raw_request &&
           x->call.compression == COMPRESSION_IDENTITY;
}

/* What is known from the head to be too large is not waited for. */
static Result check_length(Exchange *x)
{
    size_t limit = x->config->limits.message_bytes;
    bool whole = (x->call.dialect == DIALECT_CONNECT || x->call.dialect == DIALECT_REST) &&
                 !is_upload_in_pieces(x);
    if (!whole || x->head->content_length <= 0 || (uint64_t)x->head->content_length <= limit)
        return OK;
    return FAIL_TELL(x->arena, FAULT_MESSAGE_TOO_LARGE,
                     "a body of %lld bytes, where %zu are allowed",
                     (long long)x->head->content_length, limit);
}

/* Connect spells calls of one message and streams with different content types. */
static Result check_framing(Exchange *x)
{
    if (x->call.dialect != DIALECT_CONNECT || exchange_is_unary(x))
        return OK;
    return FAIL_TELL(
        x->arena, FAULT_UNSUPPORTED_MEDIA,
        "%s is a stream, which is spoken in application/connect+json or application/connect+proto",
        x->method->type->path);
}

static const Step *exchange_negotiate(Exchange *x)
{
    const Method *method = x->binding ? x->binding->method : x->method;
    VersionQuestion question = {
        .service = method->version->service,
        .by_path = !x->binding && !method->next_same_path ? method->version : NULL,
        .by_prefix = x->binding && !x->binding->next ? method->version : NULL,
        .head = &x->head->fields,
        .identity = x->record.client,
        .wall = x->record.began,
    };
    x->record.method = method;
    x->route = x->record.route = method->route;
    Result r = negotiate(&question, x->arena, &x->version);
    x->record.client_version = x->version.client;
    x->record.reply_version = x->version.reply;
    if (x->version.client)
        x->record.rule = version_rule_name(x->version.rule);
    if (!failed(r))
        r = choose_method(x);
    if (!failed(r))
        r = check_framing(x);
    if (!failed(r))
        r = check_length(x);
    if (!failed(r))
        r = exchange_check_acceptable(x);
    if (failed(r))
        return exchange_fail(x, r);

    exchange_start_deadline(x);
    if (!exchange_is_unary(x))
        x->scratch = NULL;
    message_reader_init(&x->client.reader, x->call.dialect, false, x->call.compression,
                        x->config->limits.message_bytes, x->arena);
    x->client.reader.keep_compressed = exchange_keeps_request(x);
    if (is_upload_in_pieces(x))
        x->client.reader.unframed = UNFRAMED_PIECES;
    return x->method->type->client_streaming ? &STEP_pick : &STEP_receive;
}

const Step STEP_negotiate = {"negotiate", exchange_negotiate};

static const Step *wrong_count(Exchange *x, const char *how_many)
{
    return exchange_fail(x, FAIL_TELL(x->arena, FAULT_UNSUPPORTED, "%s takes one message, and %s",
                                      x->method->type->path, how_many));
}

/* A request of one message is read whole before an instance is asked: a bad one troubles nobody
   else, and a good one can be sent again. */
static const Step *exchange_receive(Exchange *x)
{
    if (!x->client.ended)
        return STEP_WAIT;
    if (x->call.is_get) {
        x->message = (Message){.bytes = x->call.get_message};
        x->has_message = true;
    } else {
        Message message;
        Result why = OK;
        MessageOutcome outcome = message_reader_finish(&x->client.reader, &message, &why);
        if (outcome == MESSAGE_FAILED)
            return exchange_fail(x, why);
        if (outcome == MESSAGE_DONE) {
            x->message = message;
            x->has_message = true;
        }
    }
    if (!x->has_message)
        return wrong_count(x, "none was sent");
    Result r = x->binding ? exchange_take_rest_body(x) : OK;
    if (failed(r))
        return exchange_fail(x, r);
    x->record.messages_in = 1;
    return &STEP_pick;
}

const Step STEP_receive = {"receive", exchange_receive};

/* ---- Events ---------------------------------------------------------------------------------- */

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    Exchange *x = owner;
    x->head = head;
    x->bodiless = end; /* on_end follows all the same */
    exchange_run(x, &STEP_resolve);
}

/* The one message of a unary request, as far as it is there. */
static const Step *take_message(Exchange *x, Bytes piece)
{
    Message message;
    Result why = OK;
    for (;;) {
        switch (message_reader_read(&x->client.reader, &piece, &message, &why)) {
        case MESSAGE_MORE: return STEP_WAIT;
        case MESSAGE_END: continue;
        case MESSAGE_FAILED: return exchange_fail(x, why);
        case MESSAGE_DONE: break;
        }
        if (x->has_message)
            return wrong_count(x, "more were sent");
        x->has_message = true;
        x->message = (Message){bytes_copy(x->arena, message.bytes), message.compressed};
        if (!x->message.bytes.data)
            return exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY,
                                         "keeping the request of %zu bytes", message.bytes.size));
    }
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    Exchange *x = owner;
    x->record.bytes_in += piece.size;
    if (x->call.foreign_media && piece.size) {
        exchange_run(x, exchange_fail(x, exchange_refuse_media(x)));
        return;
    }
    if (x->builtin) {
        exchange_run(x, builtin_read(x, piece));
        return;
    }
    if (x->method && !x->method->type->client_streaming) {
        http_stream_consume(stream, piece.size); /* the message's limit bounds what is kept */
        exchange_run(x, take_message(x, piece));
        return;
    }
    x->client.owed += piece.size;
    if (!x->attempt->side.stream) {
        buffer_add_bytes(&x->early, piece); /* the stream's window bounds it */
        if (x->early.full)
            exchange_run(x, exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY,
                                                  "keeping the request while connecting")));
        return;
    }
    exchange_run(x, exchange_forward_request(x, piece));
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    Exchange *x = owner;
    x->client.ended = true;
    if (x->builtin)
        exchange_run(x, builtin_go_on(x));
    else if (x->method && !x->method->type->client_streaming)
        exchange_run(x, &STEP_receive);
    else if (x->tunnel)
        exchange_run(x, opaque_end_tunnel(x));
    else if (x->attempt->side.stream && !(x->bodiless && !x->method))
        exchange_run(x, exchange_end_request(x));
}

static void on_drain(void *owner, HttpStream *stream)
{
    Exchange *x = owner;
    if (x->builtin)
        exchange_run(x, builtin_go_on(x));
    else
        exchange_settle(x, &x->attempt->side, &x->client);
}

/* The client is gone: nobody is left to tell, so the reason only goes to the record. */
static void on_reset(void *owner, HttpStream *stream, Result why)
{
    Exchange *x = owner;
    x->record.why = FAIL_OVER(x->arena, error_copy(x->arena, why), *why.error->fault,
                              "the client's stream ended before its answer");
    x->record.status = status_of_error(x->arena, x->record.why);
    x->record.http_status = why.error->fault->http_status;
    exchange_run(x, &STEP_finish);
}

const HttpStreamEvents exchange_client_events = {on_head, on_body, on_end, on_drain, on_reset};
