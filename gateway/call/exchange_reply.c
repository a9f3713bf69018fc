/* The answer to the client: its head, its messages, its end. */
#include "base/arena.h"
#include "gateway/call/exchange_internal.h"
#include "gateway/headers/cors.h"
#include "gateway/headers/own_fields.h"
#include "gateway/version/version_headers.h"

/* ---- Fields that the gateway adds ------------------------------------------------------------ */

static void add_own_fields(const Exchange *x, Fields *fields)
{
    fields_add(fields, bytes_of("x-request-id"), x->record.request_id);
    if (x->version.reply)
        version_headers_write(x->version.reply, x->version.rule, x->config->identity_header,
                              fields);
    else if (x->record.method) /* another word of the client's would have led to a version */
        version_headers_vary(x->record.method->version->service, x->version.rule,
                             x->config->identity_header, fields);
    if (x->attempt->pick.served)
        fields_add(fields, bytes_of("passerelle-served-version"),
                   bytes_of(x->attempt->pick.served->name));
    if (x->lost.size)
        fields_add(fields, bytes_of("passerelle-lost"), buffer_bytes(&x->lost));
    if (x->record.degraded)
        fields_add(fields, bytes_of("passerelle-degraded"), bytes_of(x->record.degraded));
    if (x->allow.size)
        fields_add(fields, bytes_of("allow"), x->allow);
}

/* The service's, which are without ours already, and ours. */
static Fields reply_fields(const Exchange *x, Arena *arena)
{
    const Fields *from_service = x->attempt->has_answer ? &x->attempt->answer.metadata : NULL;
    Fields fields = fields_in(arena);
    for (uint32_t i = 0; from_service && i < from_service->n; i++)
        fields_add(&fields, from_service->items[i].name, from_service->items[i].value);
    add_own_fields(x, &fields);
    return fields;
}

void exchange_remove_own(const Exchange *x, Fields *fields)
{
    OwnFields own = {
        .version = x->version.reply,
        .served = x->attempt->pick.served,
        .cors = x->config->cors.n_origins > 0,
    };
    own_fields_remove(&own, fields);
}

/* What depends on all the other fields. */
static void complete_fields(const Exchange *x, Fields *fields)
{
    cors_add(&x->config->cors, x->origin, fields);
    own_fields_merge_vary(fields);
}

/* ---- Head and messages ----------------------------------------------------------------------- */

/* JSON messages that follow each other in one body, without frames that could name a
   compression. */
static bool is_rest_stream(const Exchange *x)
{
    return x->call.dialect == DIALECT_REST && x->call.reply_codec == CODEC_JSON && x->method &&
           x->method->type->server_streaming;
}

/* Fails before anything is sent. */
static MUST_USE Result send_head(Exchange *x, Compression compression, int64_t content_length)
{
    HttpHead head;
    Fields fields = reply_fields(x, x->arena);
    if (x->content_type.size)
        fields_add_copy(&fields, "content-type", x->content_type);
    if (exchange_varies_by_encoding(x))
        fields_add(&fields, bytes_of("vary"), bytes_of("accept-encoding"));
    if (compression != COMPRESSION_IDENTITY && is_rest_stream(x)) {
        x->compressor = compression_stream_new(compression);
        compression = x->compressor ? compression : COMPRESSION_IDENTITY;
    }
    x->compression = compression;
    reply_write_head(&x->call, &fields, compression, content_length, x->arena, &head);
    if (content_length >= 0 && x->attempt->has_answer)
        reply_add_trailers(&x->call, &x->attempt->answer.trailers, &head);
    complete_fields(x, &head.fields);
    if (head.fields.full) {
        compression_stream_free(x->compressor);
        x->compressor = NULL;
        return FAIL(x->arena, FAULT_OUT_OF_MEMORY, "writing the head of an answer");
    }
    http_stream_send_head(x->client.stream, &head, false);
    x->record.http_status = head.status;
    x->replied_head = true;
    return OK;
}

const Step *exchange_reply_head(Exchange *x)
{
    Result r = send_head(x, exchange_answer_compression(x), -1);
    return failed(r) ? exchange_fail(x, r) : STEP_WAIT;
}

static Result write_item(Exchange *x, Bytes message, Buffer *out)
{
    Buffer item = buffer_in(exchange_scratch(x));
    rest_stream_write(rest_stream_of(&x->call), message, x->compressor ? &item : out);
    out->full |= item.full;
    return x->compressor ? compression_stream_write(x->compressor, buffer_bytes(&item), false, out)
                         : OK;
}

/* `compression`: by which it is compressed now, where it is not already. */
static Result frame_answer(Exchange *x, Message message, Compression compression, Bytes *framed_out)
{
    Buffer framed = buffer_in(exchange_scratch(x));
    Result r = is_rest_stream(x) ? write_item(x, message.bytes, &framed)
                                 : message_write(x->call.dialect, message.bytes, compression,
                                                 message.compressed, &framed);
    if (!failed(r) && framed.full)
        r = FAIL(x->arena, FAULT_OUT_OF_MEMORY, "framing an answer of %zu bytes",
                 message.bytes.size);
    *framed_out = buffer_bytes(&framed);
    return r;
}

/* The bytes themselves of a google.api.HttpBody that goes to a REST client; any other message as it
   is. */
static Message unwrapped(Exchange *x, Message message)
{
    if (x->call.dialect == DIALECT_REST && x->call.reply_codec == CODEC_PROTO)
        message.bytes =
            http_body_unwrap(x->method->type, x->binding->rule, message.bytes, &x->content_type);
    return message;
}

static void send_body(Exchange *x, Bytes body)
{
    x->record.bytes_out += body.size;
    x->record.messages_out++;
    http_stream_send_body(x->client.stream, body);
}

static const Step *send_message(Exchange *x, Message message)
{
    Bytes framed;
    Result r = OK;
    message = unwrapped(x, message);
    if (!x->replied_head)
        r = send_head(x, exchange_answer_compression(x), -1);
    if (!failed(r))
        r = frame_answer(x, message,
                         exchange_message_compression(x, x->compression, message.bytes.size),
                         &framed);
    if (failed(r))
        return exchange_fail(x, error_copy(x->arena, r));
    send_body(x, framed);
    exchange_forget_message(x);
    return STEP_WAIT;
}

const Step *exchange_send_answer(Exchange *x, Bytes message)
{
    return send_message(x, (Message){.bytes = message});
}

const Step *exchange_forward_answer(Exchange *x, const Message *message)
{
    if (message->compressed)
        return send_message(x, *message);
    Bytes converted;
    Result r = exchange_convert_answer(x, message->bytes, &converted);
    return failed(r) ? exchange_fail(x, error_copy(x->arena, r))
                     : exchange_send_answer(x, converted);
}

/* ---- The end --------------------------------------------------------------------------------- */

/* Memory for an end when the call has used up its own. What is written there is bounded by what is
   there already. */
static Arena *last_arena(Exchange *x)
{
    if (!x->last)
        x->last = arena_new(ARENA_UNLIMITED);
    return x->last;
}

/* What ends a body that is compressed as a whole. */
static Result end_compressed(Exchange *x, ReplyEnd *end)
{
    Buffer rest = buffer_in(last_arena(x));
    Result r = compression_stream_write(x->compressor, end->body, true, &rest);
    end->body = buffer_bytes(&rest);
    return r;
}

static Result write_end(const Exchange *x, Arena *arena, const Status *status,
                        const Fields *trailers, ReplyEnd *end)
{
    const Service *service = x->record.method ? x->record.method->version->service : NULL;
    const Version *version = x->version.reply;
    DetailJson detail_json = exchange_detail_json(x, version);
    ReplyOptions options = {
        .full = config_errors_full(x->config, x->client_connection->listener, x->route),
        .request_id = x->record.request_id,
        .service = bytes_of(service ? service->name : NULL),
        .version = bytes_of(version ? version->name : NULL),
        .instance =
            bytes_of(x->attempt->pick.instance ? x->attempt->pick.instance->address.text : NULL),
        .detail_json = &detail_json,
    };
    Fields fields = x->replied_head ? fields_in(arena) : reply_fields(x, arena);
    Result r =
        reply_write_end(&x->call, status, &fields, trailers, x->replied_head, &options, arena, end);
    if (failed(r) || !end->has_head)
        return r;
    complete_fields(x, &end->head.fields);
    return end->head.fields.full ? FAIL(arena, FAULT_OUT_OF_MEMORY, "writing the head of an answer")
                                 : OK;
}

/* An error can always be told: without what the service added to it, it is small. */
static Result write_last_end(Exchange *x, Result why, ReplyEnd *end)
{
    enum { LONGEST_MESSAGE = 1024 };
    Status *status = &x->record.status;
    if (status->code == CODE_OK) {
        x->record.why = why;
        *status = status_of_error(last_arena(x), why);
    }
    status->details = BYTES_NONE;
    status->message = bytes_slice(status->message, 0, LONGEST_MESSAGE);
    x->attempt->has_answer = false;
    return write_end(x, last_arena(x), status, NULL, end);
}

const Step *exchange_reply_end(Exchange *x, const Status *status, const Fields *trailers)
{
    ReplyEnd end;
    x->record.status = *status;
    Result r = write_end(x, x->arena, status, trailers, &end);
    if (failed(r))
        r = write_last_end(x, r, &end);
    if (!failed(r) && x->compressor)
        r = end_compressed(x, &end);
    if (failed(r)) {
        x->record.why = r;
        x->record.status = status_of_error(x->arena, r);
        end.breaks_off = true;
    }
    if (end.breaks_off) { /* which no client takes for success */
        http_stream_reset(x->client.stream, HTTP2_ERROR_INTERNAL);
        return &STEP_finish;
    }
    if (end.has_head) {
        x->record.http_status = end.head.status;
        http_stream_send_head(x->client.stream, &end.head, !end.body.size && !end.has_trailers);
    }
    if (end.body.size) {
        x->record.bytes_out += end.body.size;
        http_stream_send_body(x->client.stream, end.body);
    }
    if (!end.has_head || end.body.size || end.has_trailers)
        http_stream_send_end(x->client.stream, end.has_trailers ? &end.trailers : NULL);
    return &STEP_finish;
}

/* Where the single message is the whole body. Elsewhere a frame that ends the answer follows it. */
static bool body_is_message(Dialect dialect)
{
    return dialect == DIALECT_CONNECT || dialect == DIALECT_REST;
}

const Step *exchange_reply_message(Exchange *x, Message message)
{
    Bytes framed;
    bool whole = body_is_message(x->call.dialect);
    Compression head = exchange_answer_compression(x);
    message = unwrapped(x, message);
    Compression by = exchange_message_compression(x, head, message.bytes.size);
    if (whole && !message.compressed)
        head = by;
    Result r = frame_answer(x, message, by, &framed);
    if (!failed(r))
        r = send_head(x, head, whole ? (int64_t)framed.size : -1);
    if (failed(r))
        return exchange_fail(x, r);
    send_body(x, framed);
    Status ok = {.code = CODE_OK};
    return exchange_reply_end(x, &ok, x->attempt->has_answer ? &x->attempt->answer.trailers : NULL);
}

static const Step *exchange_reply(Exchange *x)
{
    if (x->attempt->answer.status.code != CODE_OK)
        return exchange_fail_status(x);
    if (x->method->type->server_streaming)
        return exchange_reply_end(x, &x->attempt->answer.status, &x->attempt->answer.trailers);

    if (!x->attempt->has_answer_message)
        return exchange_fail(x, FAIL(x->arena, FAULT_UPSTREAM_CARDINALITY,
                                     "%s ended %.*s well but gave no message",
                                     x->attempt->pick.instance->address.text,
                                     BYTES_ARGS(x->attempt->target.method)));
    if (x->attempt->answer_message.compressed)
        return exchange_reply_message(x, x->attempt->answer_message);
    Message converted = {.compressed = false};
    Result r = exchange_convert_answer(x, x->attempt->answer_message.bytes, &converted.bytes);
    return failed(r) ? exchange_fail(x, r) : exchange_reply_message(x, converted);
}

const Step STEP_reply = {"reply", exchange_reply};

/* The route's default in the client's own version, marked as what it is. */
const Step *exchange_reply_degraded(Exchange *x, const char *reason)
{
    x->record.degraded = reason;
    x->attempt->has_answer = false;
    x->version.reply = x->record.reply_version = x->version.client;
    Bytes message = x->method->default_reply[x->call.reply_codec];
    if (x->binding && x->binding->default_body.data)
        message = x->binding->default_body;
    x->attempt->side.reader.keep_compressed = false;
    if (!x->method->type->server_streaming)
        return exchange_reply_message(x, (Message){.bytes = message});

    const Step *step = exchange_send_answer(x, message);
    if (step != STEP_WAIT)
        return step;
    Status ok = {.code = CODE_OK};
    return exchange_reply_end(x, &ok, NULL);
}
