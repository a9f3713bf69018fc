/* The instance's side of an exchange: picking, connecting, sending, and what comes back. */
#include "base/arena.h"
#include "gateway/call/exchange_internal.h"
#include "gateway/rest/rest_request.h"
#include "protocols/http/http_rules.h"

enum { RESET_CANCEL = 8 /* RFC 9113 section 7 */ };

#define DEADLINE_NEAR (10 * MILLISECOND)

static const HttpStreamEvents instance_events;

/* ---- Picking and connecting
 * ---------------------------------------------------------------------- */

static const Dialect dialect_of[] = {
    [UPSTREAM_GRPC] = DIALECT_GRPC,         [UPSTREAM_CONNECT] = DIALECT_CONNECT,
    [UPSTREAM_GRPC_WEB] = DIALECT_GRPC_WEB, [UPSTREAM_REST] = DIALECT_REST,
    [UPSTREAM_HTTP] = DIALECT_HTTP,
};

/* The plans between the client's side and the instance that was picked. The answer's may lead to
   another version than the one the request came in, where the client asked so. */
static Result choose_plans(Exchange *x)
{
    const MethodType *type = x->pick.pair->target->type;
    if (x->pick.instance->protocol == UPSTREAM_REST && type->client_streaming)
        return FAIL_TELL(x->arena, FAULT_UNSUPPORTED,
                         "%s is a stream of requests, and those who serve it speak REST",
                         x->method->type->path);
    const MethodPair *pair = x->pick.pair;
    Codec codec = x->pick.instance->codec;
    x->request_plan = pair->request[x->call.codec][codec];
    const Method *reply_method = x->method;
    if (x->version.reply != x->version.client)
        reply_method = x->method->pairs[x->version.reply->index].target;
    const MethodPair *back = reply_method ? &reply_method->pairs[x->pick.served->index] : NULL;
    x->response_plan = back ? back->response[codec][x->call.reply_codec] : NULL;
    if (x->binding && x->call.reply_codec == CODEC_JSON && x->binding->response_body[codec] &&
        x->binding->response_body[codec][x->pick.served->index])
        x->response_plan = x->binding->response_body[codec][x->pick.served->index];
    if (!x->request_plan || !x->response_plan)
        return FAIL(x->arena, FAULT_NO_INSTANCE,
                    "%s of %s: there is no way from %s to %s and back to %s", x->method->type->path,
                    x->pick.served->name, x->version.client->name, x->pick.served->name,
                    x->version.reply->name);
    return OK;
}

static void choose_target(Exchange *x)
{
    const Instance *instance = x->pick.instance;
    Dialect dialect = dialect_of[instance->protocol];
    if (dialect == DIALECT_CONNECT && !exchange_is_unary(x))
        dialect = DIALECT_CONNECT_STREAM;
    x->target = (RequestTarget){
        .dialect = dialect,
        .method = bytes_of(x->pick.pair->target->type->path),
        .authority = bytes_of(instance->authority),
        .codec = instance->codec,
        /* A REST instance's message is taken apart first, into path, query and body. */
        .compression = dialect == DIALECT_REST ? COMPRESSION_IDENTITY : instance->compression,
    };
    x->target.accepts = exchange_accepts(x);
}

static Result pick_untried(Exchange *x, TriedSet tried)
{
    return x->method ? pick_instance(x->loop, x->method, tried, x->arena, &x->pick)
                     : pick_any(x->loop, x->route->service, tried, x->arena, &x->pick);
}

/* Others first. One that took the call and lost its connection may be there all the same. */
Result exchange_pick_instance(Exchange *x)
{
    Result r = pick_untried(x, x->tried);
    if (failed(r) && x->may_return)
        r = pick_untried(x, 0);
    if (failed(r) && failed(x->last_failure))
        return FAIL_OVER(x->arena, x->last_failure, *x->last_failure.error->fault,
                         "after %u attempts no other instance is left", x->record.attempts);
    if (failed(r))
        return r;
    tried_add(&x->tried, x->pick.instance);
    x->record.instance = x->pick.instance;
    return OK;
}

static const Step *exchange_pick(Exchange *x)
{
    Result r = exchange_pick_instance(x);
    if (failed(r) && x->unavailable) {
        x->has_answer = true;
        return exchange_fail_status(x, &x->answer.status);
    }
    x->unavailable = false;
    if (!failed(r))
        r = choose_plans(x);
    if (failed(r))
        return exchange_fail(x, r);

    choose_target(x);
    x->record.served_version = x->pick.served;
    x->record.served_why = x->pick.why;
    return &STEP_connect;
}

const Step STEP_pick = {"pick", exchange_pick};

static void on_ready(UpstreamWait *wait, HttpConnection *connection, Result why)
{
    Exchange *x = (Exchange *)((char *)wait - offsetof(Exchange, wait));
    x->waiting = false;
    if (failed(why)) {
        exchange_run(x, exchange_attempt_failed(x, error_copy(x->arena, why)));
        return;
    }
    x->instance.connection = connection;
    exchange_run(x, &STEP_send);
}

static const Step *exchange_connect(Exchange *x)
{
    x->wait.on_ready = on_ready;
    upstream_want(x->pick.upstream, &x->wait, &x->instance.connection);
    x->waiting = !x->instance.connection;
    return x->waiting ? STEP_WAIT : &STEP_send;
}

const Step STEP_connect = {"connect", exchange_connect};

void exchange_drop_instance(Exchange *x)
{
    if (x->waiting) {
        upstream_cancel(&x->wait);
        x->waiting = false;
    }
    if (x->instance.stream) {
        if (!x->instance.ended)
            http_stream_reset(x->instance.stream, RESET_CANCEL);
        http_stream_release(x->instance.stream);
        x->instance.stream = NULL;
    }
}

/* ---- Attempts
 * ------------------------------------------------------------------------------------ */

static bool is_repeatable(const Exchange *x)
{
    return x->method ? x->method->safe_to_repeat : http_is_idempotent(x->call.verb);
}

/* Sent again only where that is safe: the request never reached a service, or the method may be
   repeated and the route allows it. A stream's messages and a body that passes unread are not kept,
   so they cannot be sent again once some have gone. */
static bool may_try_again(const Exchange *x, const Fault *fault)
{
    if (x->replied_head)
        return false;
    if (!x->sent)
        return true; /* ends when all instances have been tried */
    if (x->method ? x->method->type->client_streaming : !x->bodiless)
        return false;
    if (fault == &FAULT_UPSTREAM_REFUSED)
        return true; /* likewise */
    return is_repeatable(x) && fault->retryable && x->record.attempts < x->route->attempts;
}

const Step *exchange_attempt_failed(Exchange *x, Result why)
{
    const Fault *fault = why.error->fault;
    exchange_drop_instance(x);
    if (!may_try_again(x, fault))
        return exchange_fail(x, why);

    /* Refused once by a live instance: the same one may take it now, on another connection. */
    if (fault == &FAULT_UPSTREAM_REFUSED && x->record.attempts < 3)
        x->tried = 0;
    x->last_failure = why;
    /* Refusals are not counted; who answers that it is unavailable is believed. */
    x->may_return = x->sent && !x->has_answer && fault != &FAULT_UPSTREAM_REFUSED;
    x->sent = false;
    x->has_answer = false;
    x->has_answer_message = false;
    telemetry_count(x->loop, COUNTER_RETRIES);
    return x->method ? &STEP_pick : &STEP_opaque;
}

/* ---- Sending
 * ------------------------------------------------------------------------------------- */

static Result write_request_message(Exchange *x, Message message)
{
    Result r = exchange_open_request(x, &message);
    Compression compression = x->target.compression;
    if (!failed(r) && !message.compressed) {
        r = exchange_convert_request(x, message.bytes, &message.bytes);
        compression = exchange_request_compression(x, message.bytes.size);
    }
    if (failed(r))
        return r;
    Buffer framed = buffer_in(exchange_scratch(x));
    r = message_write(x->target.dialect, message.bytes, compression, message.compressed, &framed);
    if (failed(r))
        return r;
    if (framed.full)
        return FAIL(x->arena, FAULT_OUT_OF_MEMORY, "framing a request of %zu bytes",
                    message.bytes.size);
    x->framed = buffer_bytes(&framed);
    return OK;
}

/* REST has the message taken apart, into path, query and body. */
static Result write_rest_head(Exchange *x, HttpHead *head, bool *has_body_out)
{
    const MethodType *method = x->pick.pair->target->type;
    RestRequest rest;
    Result r = rest_request_write(method, x->framed, x->arena, &rest);
    if (failed(r))
        return r;
    x->rest_rule = rest.rule;
    x->target.content_type = rest.content_type;
    x->target.takes_any_media = http_body_out(method, rest.rule);
    x->target.answer_is_stream = method->server_streaming;
    r = request_write(&x->target, &x->call.metadata, x->arena, head);
    if (failed(r))
        return r;
    head->method = rest.verb;
    head->path = rest.path;
    x->framed = rest.body;
    *has_body_out = rest.has_body;
    return OK;
}

/* What came as a GET goes on as a GET, so that whoever keeps answers on the way may keep it, unless
   its path grew longer than we would take ourselves. */
static Result write_connect_head(Exchange *x, HttpHead *head, bool *has_body_out)
{
    x->target.use_get = x->call.is_get && x->pick.pair->target->type->no_side_effects;
    x->target.message = x->framed;
    Result r = request_write(&x->target, &x->call.metadata, x->arena, head);
    if (!failed(r) && x->target.use_get && head->path.size > x->config->limits.http.path_bytes) {
        x->target.use_get = false;
        r = request_write(&x->target, &x->call.metadata, x->arena, head);
    }
    *has_body_out = !x->target.use_get;
    return r;
}

/* The head of the request, and whether `framed` is to follow as its body. */
static Result write_request_head(Exchange *x, HttpHead *head, bool *has_body_out)
{
    *has_body_out = true;
    x->target.timeout = x->deadline == NO_TIMEOUT ? NO_TIMEOUT : x->deadline - x->loop->now;
    if (x->target.timeout <= 0)
        return FAIL(x->arena, FAULT_DEADLINE_EXCEEDED, "nothing was sent in time");
    if (dialect_is_framed(x->target.dialect))
        return request_write(&x->target, &x->call.metadata, x->arena, head);
    Result r = x->target.dialect == DIALECT_REST ? write_rest_head(x, head, has_body_out)
                                                 : write_connect_head(x, head, has_body_out);
    if (!failed(r) && *has_body_out)
        head->content_length = (int64_t)x->framed.size;
    return r;
}

static const Step *exchange_send(Exchange *x)
{
    if (!x->method)
        return opaque_send(x);
    bool streaming = x->method->type->client_streaming;
    if (!streaming) {
        /* Before the stream is opened: a message that cannot be given troubles no instance. */
        Result r = write_request_message(x, x->message);
        if (failed(r))
            return exchange_fail(x, r);
    }

    HttpHead head;
    bool has_body;
    Result r = write_request_head(x, &head, &has_body);
    if (failed(r))
        return exchange_fail(x, r);
    x->record.attempts++;
    x->instance.ended = false;
    x->instance.stream =
        http_stream_open(x->instance.connection, &head, !has_body, &instance_events, x);
    if (!x->instance.stream)
        return exchange_attempt_failed(x, FAIL(x->arena, FAULT_UPSTREAM_REFUSED,
                                               "%s has no room for another stream",
                                               x->pick.instance->address.text));
    if (!x->record.time_to_upstream)
        x->record.time_to_upstream = x->loop->now - x->began;

    if (!streaming) {
        x->sent = true;
        if (has_body) {
            http_stream_send_body(x->instance.stream, x->framed);
            http_stream_send_end(x->instance.stream, NULL);
        }
        exchange_forget_message(x);
        return STEP_WAIT;
    }
    Bytes early = buffer_bytes(&x->early);
    x->early.size = 0; /* the reader keeps the beginning of a message, also for another attempt */
    const Step *step = exchange_forward_request(x, early);
    if (step == STEP_WAIT && x->client.ended)
        step = exchange_end_request(x);
    return step;
}

const Step STEP_send = {"send", exchange_send};

static Result forward_message(Exchange *x, Message message)
{
    Result r = write_request_message(x, message);
    if (failed(r))
        return error_copy(x->arena, r);
    x->sent = true;
    x->record.messages_in++;
    http_stream_send_body(x->instance.stream, x->framed);
    exchange_forget_message(x);
    return OK;
}

const Step *exchange_forward_request(Exchange *x, Bytes input)
{
    if (!x->method)
        return opaque_forward(x, input);
    Message message;
    Result why = OK;
    for (;;) {
        switch (message_reader_read(&x->client.reader, &input, &message, &why)) {
        case MESSAGE_MORE: exchange_settle(x, &x->client, &x->instance); return STEP_WAIT;
        case MESSAGE_END: continue;
        case MESSAGE_FAILED: return exchange_fail(x, why);
        case MESSAGE_DONE: break;
        }
        why = forward_message(x, message);
        if (failed(why))
            return exchange_fail(x, why);
    }
}

/* What a REST client's body ends with: it is a stream of one message, or of pieces, of which there
   is at least one, because the path says something, too. */
static bool finish_request(Exchange *x, Message *message_out, Result *why_out)
{
    *message_out = (Message){0};
    if (x->client.reader.unframed == UNFRAMED_PIECES)
        return !x->sent;
    return message_reader_finish(&x->client.reader, message_out, why_out) == MESSAGE_DONE;
}

const Step *exchange_end_request(Exchange *x)
{
    Message message;
    Result why = OK;
    if (x->method && finish_request(x, &message, &why))
        why = forward_message(x, message);
    if (failed(why))
        return exchange_fail(x, why);
    x->sent = true;
    http_stream_send_end(x->instance.stream, NULL);
    exchange_settle(x, &x->client, &x->instance);
    return STEP_WAIT;
}

/* ---- What comes back
 * ----------------------------------------------------------------------------- */

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    Exchange *x = owner;
    x->instance.ended = end;
    x->record.time_upstream_head = x->loop->now - x->began;
    Result r = answer_read(head, &x->target, x->arena, &x->answer);
    if (failed(r)) {
        exchange_run(x, exchange_fail(x, r));
        return;
    }
    x->has_answer = true;
    exchange_remove_own(x, &x->answer.metadata);
    exchange_remove_own(x, &x->answer.trailers);
    x->end_frame = BYTES_NONE;
    message_reader_init(&x->instance.reader, x->target.dialect, true, x->answer.compression,
                        x->config->limits.answer_bytes, x->arena);
    if (x->target.answer_is_stream && !x->answer.is_error)
        x->instance.reader.unframed = x->target.takes_any_media ? UNFRAMED_PIECES : UNFRAMED_LINES;
    x->instance.reader.keep_compressed = exchange_keeps_answer(x);
    /* A stream's head goes on at once: its reader may wait for it. That of raw bytes waits for
     * their type. */
    bool raw = x->call.dialect == DIALECT_REST && x->call.reply_codec == CODEC_PROTO;
    if (x->method->type->server_streaming && !end && !raw && !x->answer.has_status &&
        !x->answer.is_error)
        exchange_run(x, exchange_reply_head(x));
}

/* Reads how the answer ended. */
static Result read_end(Exchange *x, const Fields *trailers)
{
    DetailJson detail_json = exchange_detail_json(x, x->pick.served);
    x->answer.detail_json = &detail_json;
    Result r = answer_end(&x->answer, trailers, x->end_frame, x->arena);
    x->answer.detail_json = NULL;
    exchange_remove_own(x, &x->answer.trailers);
    return r;
}

/* One message of a stream. A REST instance may say an error in its place, which ends the call. */
static const Step *take_item(Exchange *x, Message item)
{
    if (x->instance.reader.unframed != UNFRAMED_LINES ||
        rest_item_read(x->pick.pair->target->type, &item.bytes, exchange_scratch(x)) ==
            REST_ITEM_MESSAGE)
        return exchange_forward_answer(x, &item);
    x->answer.is_error = true;
    x->end_frame = bytes_copy(x->arena, item.bytes);
    Result r = read_end(x, NULL);
    return failed(r) ? exchange_fail(x, r) : &STEP_reply;
}

/* Takes the answer's messages out of a piece of body. */
static const Step *take_answer(Exchange *x, Bytes piece)
{
    Message message;
    Result why = OK;
    for (;;) {
        switch (message_reader_read(&x->instance.reader, &piece, &message, &why)) {
        case MESSAGE_MORE: return STEP_WAIT;
        case MESSAGE_FAILED: return exchange_fail(x, why);
        case MESSAGE_END: x->end_frame = bytes_copy(x->arena, message.bytes); continue;
        case MESSAGE_DONE: break;
        }
        if (x->method->type->server_streaming) {
            const Step *step = take_item(x, message);
            if (step != STEP_WAIT)
                return step;
            continue;
        }
        if (x->has_answer_message)
            return exchange_fail(x, FAIL(x->arena, FAULT_UPSTREAM_CARDINALITY,
                                         "%s gave more than one message for %s",
                                         x->pick.instance->address.text, x->target.method.data));
        x->has_answer_message = true;
        x->answer_message = (Message){bytes_copy(x->arena, message.bytes), message.compressed};
        if (!x->answer_message.bytes.data)
            return exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY,
                                         "keeping an answer of %zu bytes", message.bytes.size));
    }
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    Exchange *x = owner;
    bool streaming = x->method->type->server_streaming;
    x->answer.had_body = true;
    if (x->answer.is_error &&
        dialect_is_framed(x->target.dialect)) { /* a page of some proxy's, say */
        http_stream_consume(stream, piece.size);
        return;
    }
    if (streaming)
        x->instance.owed += piece.size;
    else
        http_stream_consume(stream, piece.size);
    const Step *step = take_answer(x, piece);
    if (step == STEP_WAIT && streaming)
        exchange_settle(x, &x->instance, &x->client);
    exchange_run(x, step);
}

static const Step *answer_ended(Exchange *x, const Fields *trailers)
{
    Message message;
    Result why = OK;
    switch (message_reader_finish(&x->instance.reader, &message, &why)) {
    case MESSAGE_FAILED: return exchange_fail(x, why);
    case MESSAGE_DONE: /* a dialect without frames: the whole body, or a stream's last line */
        if (x->instance.reader.unframed == UNFRAMED_LINES) {
            const Step *step = take_item(x, message);
            if (step != STEP_WAIT)
                return step;
            break;
        }
        x->has_answer_message = !x->answer.is_error;
        x->answer_message = message;
        x->end_frame = message.bytes;
        break;
    case MESSAGE_MORE:
    case MESSAGE_END: break;
    }
    Result r = read_end(x, trailers);
    if (failed(r))
        return exchange_fail(x, r);
    return &STEP_reply;
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    Exchange *x = owner;
    x->instance.ended = true;
    exchange_run(x, answer_ended(x, trailers));
}

static void on_drain(void *owner, HttpStream *stream)
{
    Exchange *x = owner;
    exchange_settle(x, &x->client, &x->instance);
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    Exchange *x = owner;
    /* It has the same deadline as we, and its clock may be a moment before ours. */
    bool late = x->deadline != NO_TIMEOUT && x->deadline - x->loop->now < DEADLINE_NEAR;
    Result r = FAIL_OVER(x->arena, error_copy(x->arena, why),
                         *(late ? &FAULT_DEADLINE_EXCEEDED : why.error->fault), "%s broke off %.*s",
                         x->pick.instance->address.text, BYTES_ARGS(x->target.method));
    x->instance.ended = true;
    exchange_run(x, exchange_attempt_failed(x, r));
}

static const HttpStreamEvents instance_events = {on_head, on_body, on_end, on_drain, on_reset};
