/* The instance's side of an exchange: picking, connecting, sending, and what comes back. */
#include "base/arena.h"
#include "gateway/call/exchange_internal.h"
#include "gateway/rest/rest_request.h"
#include "protocols/http/http_rules.h"

#define DEADLINE_NEAR (10 * MILLISECOND)

static const HttpStreamEvents instance_events;

/* ---- Picking and connecting ------------------------------------------------------------------ */

static const Dialect dialect_of[] = {
    [UPSTREAM_GRPC] = DIALECT_GRPC,         [UPSTREAM_CONNECT] = DIALECT_CONNECT,
    [UPSTREAM_GRPC_WEB] = DIALECT_GRPC_WEB, [UPSTREAM_REST] = DIALECT_REST,
    [UPSTREAM_HTTP] = DIALECT_HTTP,
};

/* The plans between the client's side and the instance that was picked. The answer's may lead to
   another version than the one the request came in, where the client asked so. */
static Result choose_plans(Exchange *x)
{
    const MethodType *type = x->attempt->pick.pair->target->type;
    if (x->attempt->pick.instance->protocol == UPSTREAM_REST && type->client_streaming)
        return FAIL_TELL(x->arena, FAULT_UNSUPPORTED,
                         "%s is a stream of requests, and those who serve it speak REST",
                         x->method->type->path);
    const MethodPair *pair = x->attempt->pick.pair;
    Codec codec = x->attempt->pick.instance->codec;
    x->attempt->request_plan = pair->request[x->call.codec][codec];
    const Method *reply_method = x->method;
    if (x->version.reply != x->version.client)
        reply_method = x->method->pairs[x->version.reply->index].target;
    const MethodPair *back =
        reply_method ? &reply_method->pairs[x->attempt->pick.served->index] : NULL;
    x->attempt->response_plan = back ? back->response[codec][x->call.reply_codec] : NULL;
    if (x->binding && x->call.reply_codec == CODEC_JSON && x->binding->response_body[codec] &&
        x->binding->response_body[codec][x->attempt->pick.served->index])
        x->attempt->response_plan =
            x->binding->response_body[codec][x->attempt->pick.served->index];
    if (!x->attempt->request_plan || !x->attempt->response_plan)
        return FAIL(x->arena, FAULT_NO_INSTANCE,
                    "%s of %s: there is no way from %s to %s and back to %s", x->method->type->path,
                    x->attempt->pick.served->name, x->version.client->name,
                    x->attempt->pick.served->name, x->version.reply->name);
    return OK;
}

static void choose_target(Exchange *x)
{
    const Instance *instance = x->attempt->pick.instance;
    Dialect dialect = dialect_of[instance->protocol];
    if (dialect == DIALECT_CONNECT && !exchange_is_unary(x))
        dialect = DIALECT_CONNECT_STREAM;
    x->attempt->target = (RequestTarget){
        .dialect = dialect,
        .method = bytes_of(x->attempt->pick.pair->target->type->path),
        .authority = bytes_of(instance->authority),
        .codec = instance->codec,
        /* A REST instance's message is taken apart first, into path, query and body. */
        .compression = dialect == DIALECT_REST ? COMPRESSION_IDENTITY : instance->compression,
    };
    x->attempt->target.accepts = exchange_accepts(x);
}

static Result pick_but(Exchange *x, const PickTried *tried)
{
    Pick *pick = &x->attempt->pick;
    return x->method ? pick_instance(x->loop, x->method, tried, x->arena, pick)
                     : pick_any(x->loop, x->route->service, tried, x->arena, pick);
}

Result exchange_pick_instance(Exchange *x)
{
    Attempt *attempt = x->attempt;
    Result r = pick_but(x, attempt->tried.before);
    if (failed(r) && attempt->may_return)
        r = pick_but(x, attempt->tried.before = NULL);
    if (failed(r))
        return r;
    attempt->tried.instance = attempt->pick.instance;
    attempt->record.began = x->loop->now;
    return OK;
}

static const Step *exchange_pick(Exchange *x)
{
    Result r = exchange_pick_instance(x);
    if (failed(r))
        return exchange_nobody_left(x, r);
    r = choose_plans(x);
    if (failed(r))
        return exchange_fail(x, r);

    choose_target(x);
    x->record.served_version = x->attempt->pick.served;
    x->record.served_why = x->attempt->pick.why;
    return &STEP_connect;
}

const Step STEP_pick = {"pick", exchange_pick};

static void on_ready(UpstreamWait *wait, HttpConnection *connection, Result why)
{
    Attempt *attempt = (Attempt *)((char *)wait - offsetof(Attempt, wait));
    Exchange *x = attempt->exchange;
    attempt->waiting = false;
    if (failed(why)) {
        attempt->record.instance = attempt->pick.instance; /* which is why it failed */
        exchange_run(x, exchange_attempt_failed(x, error_copy(x->arena, why)));
        return;
    }
    x->attempt->side.connection = connection;
    exchange_run(x, &STEP_send);
}

static const Step *exchange_connect(Exchange *x)
{
    x->attempt->wait.on_ready = on_ready;
    upstream_want(x->attempt->pick.upstream, &x->attempt->wait, &x->attempt->side.connection);
    x->attempt->waiting = !x->attempt->side.connection;
    return x->attempt->waiting ? STEP_WAIT : &STEP_send;
}

const Step STEP_connect = {"connect", exchange_connect};

/* ---- Sending --------------------------------------------------------------------------------- */

static Result write_request_message(Exchange *x, Message message)
{
    Result r = exchange_open_request(x, &message);
    Compression compression = x->attempt->target.compression;
    if (!failed(r) && !message.compressed) {
        r = exchange_convert_request(x, message.bytes, &message.bytes);
        compression = exchange_request_compression(x, message.bytes.size);
    }
    if (failed(r))
        return r;
    Buffer framed = buffer_in(exchange_scratch(x));
    r = message_write(x->attempt->target.dialect, message.bytes, compression, message.compressed,
                      &framed);
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
    const MethodType *method = x->attempt->pick.pair->target->type;
    RestRequest rest;
    Result r = rest_request_write(method, x->framed, x->arena, &rest);
    if (failed(r))
        return r;
    x->attempt->rest_rule = rest.rule;
    x->attempt->target.content_type = rest.content_type;
    x->attempt->target.takes_any_media = http_body_out(method, rest.rule);
    x->attempt->target.answer_is_stream = method->server_streaming;
    r = request_write(&x->attempt->target, &x->call.metadata, x->arena, head);
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
    x->attempt->target.use_get =
        x->call.is_get && x->attempt->pick.pair->target->type->no_side_effects;
    x->attempt->target.message = x->framed;
    Result r = request_write(&x->attempt->target, &x->call.metadata, x->arena, head);
    if (!failed(r) && x->attempt->target.use_get &&
        head->path.size > x->config->limits.http.path_bytes) {
        x->attempt->target.use_get = false;
        r = request_write(&x->attempt->target, &x->call.metadata, x->arena, head);
    }
    *has_body_out = !x->attempt->target.use_get;
    return r;
}

/* The head of the request, and whether `framed` is to follow as its body. */
static Result write_request_head(Exchange *x, HttpHead *head, bool *has_body_out)
{
    *has_body_out = true;
    x->attempt->target.timeout =
        x->deadline == NO_TIMEOUT ? NO_TIMEOUT : x->deadline - x->loop->now;
    if (x->attempt->target.timeout <= 0)
        return FAIL(x->arena, FAULT_DEADLINE_EXCEEDED, "nothing was sent in time");
    if (dialect_is_framed(x->attempt->target.dialect))
        return request_write(&x->attempt->target, &x->call.metadata, x->arena, head);
    Result r = x->attempt->target.dialect == DIALECT_REST
                   ? write_rest_head(x, head, has_body_out)
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
    attempt_asked(x->attempt);
    x->attempt->side.stream = http_stream_open(x->attempt->side.connection, &head, !has_body,
                                               &instance_events, x->attempt);
    if (!x->attempt->side.stream)
        return exchange_attempt_failed(x, FAIL(x->arena, FAULT_UPSTREAM_REFUSED,
                                               "%s has no room for another stream",
                                               x->attempt->pick.instance->address.text));
    if (!streaming) {
        x->attempt->sent = true;
        if (has_body) {
            http_stream_send_body(x->attempt->side.stream, x->framed);
            http_stream_send_end(x->attempt->side.stream, NULL);
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
    x->attempt->sent = true;
    x->record.messages_in++;
    http_stream_send_body(x->attempt->side.stream, x->framed);
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
        case MESSAGE_MORE: exchange_settle(x, &x->client, &x->attempt->side); return STEP_WAIT;
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
        return !x->attempt->sent;
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
    x->attempt->sent = true;
    http_stream_send_end(x->attempt->side.stream, NULL);
    exchange_settle(x, &x->client, &x->attempt->side);
    return STEP_WAIT;
}

/* ---- What comes back ------------------------------------------------------------------------- */

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    Exchange *x = ((Attempt *)owner)->exchange;
    x->attempt->side.ended = end;
    x->attempt->record.headed = x->loop->now;
    x->record.time_upstream_head = x->loop->now - x->began;
    Result r = answer_read(head, &x->attempt->target, x->arena, &x->attempt->answer);
    if (failed(r)) {
        exchange_run(x, exchange_fail(x, r));
        return;
    }
    x->attempt->has_answer = true;
    exchange_remove_own(x, &x->attempt->answer.metadata);
    exchange_remove_own(x, &x->attempt->answer.trailers);
    x->attempt->end_frame = BYTES_NONE;
    message_reader_init(&x->attempt->side.reader, x->attempt->target.dialect, true,
                        x->attempt->answer.compression, x->config->limits.answer_bytes, x->arena);
    if (x->attempt->target.answer_is_stream && !x->attempt->answer.is_error)
        x->attempt->side.reader.unframed =
            x->attempt->target.takes_any_media ? UNFRAMED_PIECES : UNFRAMED_LINES;
    x->attempt->side.reader.keep_compressed = exchange_keeps_answer(x);
    /* A stream's head goes on at once: its reader may wait for it. That of raw bytes waits for
       their type. */
    bool raw = x->call.dialect == DIALECT_REST && x->call.reply_codec == CODEC_PROTO;
    if (x->method->type->server_streaming && !end && !raw && !x->attempt->answer.has_status &&
        !x->attempt->answer.is_error)
        exchange_run(x, exchange_reply_head(x));
}

/* Reads how the answer ended. */
static Result read_end(Exchange *x, const Fields *trailers)
{
    DetailJson detail_json = exchange_detail_json(x, x->attempt->pick.served);
    x->attempt->answer.detail_json = &detail_json;
    Result r = answer_end(&x->attempt->answer, trailers, x->attempt->end_frame, x->arena);
    x->attempt->answer.detail_json = NULL;
    exchange_remove_own(x, &x->attempt->answer.trailers);
    return r;
}

/* One message of a stream. A REST instance may say an error in its place, which ends the call. */
static const Step *take_item(Exchange *x, Message item)
{
    if (x->attempt->side.reader.unframed != UNFRAMED_LINES ||
        rest_item_read(x->attempt->pick.pair->target->type, &item.bytes, exchange_scratch(x)) ==
            REST_ITEM_MESSAGE)
        return exchange_forward_answer(x, &item);
    x->attempt->answer.is_error = true;
    x->attempt->end_frame = bytes_copy(x->arena, item.bytes);
    Result r = read_end(x, NULL);
    return failed(r) ? exchange_fail(x, r) : &STEP_reply;
}

/* Takes the answer's messages out of a piece of body. */
static const Step *take_answer(Exchange *x, Bytes piece)
{
    Message message;
    Result why = OK;
    for (;;) {
        switch (message_reader_read(&x->attempt->side.reader, &piece, &message, &why)) {
        case MESSAGE_MORE: return STEP_WAIT;
        case MESSAGE_FAILED: return exchange_fail(x, why);
        case MESSAGE_END: x->attempt->end_frame = bytes_copy(x->arena, message.bytes); continue;
        case MESSAGE_DONE: break;
        }
        if (x->method->type->server_streaming) {
            const Step *step = take_item(x, message);
            if (step != STEP_WAIT)
                return step;
            continue;
        }
        if (x->attempt->has_answer_message)
            return exchange_fail(x, FAIL(x->arena, FAULT_UPSTREAM_CARDINALITY,
                                         "%s gave more than one message for %s",
                                         x->attempt->pick.instance->address.text,
                                         x->attempt->target.method.data));
        x->attempt->has_answer_message = true;
        x->attempt->answer_message =
            (Message){bytes_copy(x->arena, message.bytes), message.compressed};
        if (!x->attempt->answer_message.bytes.data)
            return exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY,
                                         "keeping an answer of %zu bytes", message.bytes.size));
    }
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    Exchange *x = ((Attempt *)owner)->exchange;
    bool streaming = x->method->type->server_streaming;
    x->attempt->answer.had_body = true;
    if (x->attempt->answer.is_error &&
        dialect_is_framed(x->attempt->target.dialect)) { /* a page of some proxy's, say */
        http_stream_consume(stream, piece.size);
        return;
    }
    if (streaming)
        x->attempt->side.owed += piece.size;
    else
        http_stream_consume(stream, piece.size);
    const Step *step = take_answer(x, piece);
    if (step == STEP_WAIT && streaming)
        exchange_settle(x, &x->attempt->side, &x->client);
    exchange_run(x, step);
}

static const Step *answer_ended(Exchange *x, const Fields *trailers)
{
    Message message;
    Result why = OK;
    switch (message_reader_finish(&x->attempt->side.reader, &message, &why)) {
    case MESSAGE_FAILED: return exchange_fail(x, why);
    case MESSAGE_DONE: /* a dialect without frames: the whole body, or a stream's last line */
        if (x->attempt->side.reader.unframed == UNFRAMED_LINES) {
            const Step *step = take_item(x, message);
            if (step != STEP_WAIT)
                return step;
            break;
        }
        x->attempt->has_answer_message = !x->attempt->answer.is_error;
        x->attempt->answer_message = message;
        x->attempt->end_frame = message.bytes;
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
    Exchange *x = ((Attempt *)owner)->exchange;
    x->attempt->side.ended = true;
    exchange_run(x, answer_ended(x, trailers));
}

static void on_drain(void *owner, HttpStream *stream)
{
    Exchange *x = ((Attempt *)owner)->exchange;
    exchange_settle(x, &x->client, &x->attempt->side);
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    Exchange *x = ((Attempt *)owner)->exchange;
    /* It has the same deadline as we, and its clock may be a moment before ours. */
    bool late = x->deadline != NO_TIMEOUT && x->deadline - x->loop->now < DEADLINE_NEAR;
    Result r =
        FAIL_OVER(x->arena, error_copy(x->arena, why),
                  *(late ? &FAULT_DEADLINE_EXCEEDED : why.error->fault), "%s broke off %.*s",
                  x->attempt->pick.instance->address.text, BYTES_ARGS(x->attempt->target.method));
    x->attempt->side.ended = true;
    exchange_run(x, exchange_attempt_failed(x, r));
}

static const HttpStreamEvents instance_events = {on_head, on_body, on_end, on_drain, on_reset};
