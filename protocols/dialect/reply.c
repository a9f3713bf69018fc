/* The server side of all dialects: heads and ends of answers. */
#include "protocols/dialect/reply.h"

#include "base/arena.h"
#include "protocols/dialect/code.h"
#include "protocols/dialect/connect.h"
#include "protocols/dialect/grpc.h"
#include "protocols/dialect/media.h"
#include "protocols/dialect/problem_json.h"
#include "protocols/http/compression.h"

static const Fields no_fields;

enum { USUAL_FIELDS = 8 }; /* that we add to the metadata */

void reply_head_begin(uint16_t http_status, const Fields *metadata, Arena *arena,
                      HttpHead *head_out)
{
    *head_out = (HttpHead){.status = http_status, .content_length = -1, .fields = fields_in(arena)};
    uint32_t capacity = metadata->n + USUAL_FIELDS;
    Field *items = arena_alloc(arena, capacity * sizeof(Field));
    if (!items) {
        head_out->fields.full = true;
        return;
    }
    if (metadata->n)
        memcpy(items, metadata->items, metadata->n * sizeof(Field));
    head_out->fields.items = items;
    head_out->fields.n = metadata->n;
    head_out->fields.capacity = capacity;
    head_out->fields.full = metadata->full;
}

/* How a dialect says the compression of an answer's messages. */
static const char *encoding_field(Dialect dialect)
{
    switch (dialect) {
    case DIALECT_GRPC:
    case DIALECT_GRPC_WEB:
    case DIALECT_GRPC_WEB_TEXT: return "grpc-encoding";
    case DIALECT_CONNECT_STREAM: return "connect-content-encoding";
    case DIALECT_CONNECT:
    case DIALECT_REST:
    case DIALECT_HTTP: break;
    }
    return "content-encoding";
}

/* REST streams have types of their own, and google.api.HttpBody brings its own along. */
static void add_content_type(const Call *call, const Fields *metadata, bool is_stream, Fields *to)
{
    Bytes type = media_write(call->dialect, call->reply_codec);
    if (call->dialect == DIALECT_REST) {
        if (fields_get(metadata, "content-type").data)
            return;
        if (is_stream)
            type = bytes_of(rest_stream_of(call) == REST_STREAM_EVENTS ? "text/event-stream"
                                                                       : "application/x-ndjson");
    }
    fields_add(to, bytes_of("content-type"), type);
}

void reply_write_head(const Call *call, const Fields *metadata, Compression compression,
                      int64_t content_length, Arena *arena, HttpHead *head_out)
{
    if (!metadata)
        metadata = &no_fields;
    reply_head_begin(200, metadata, arena, head_out);
    head_out->content_length = content_length;
    add_content_type(call, metadata, content_length < 0, &head_out->fields);
    if (compression != COMPRESSION_IDENTITY)
        fields_add(&head_out->fields, bytes_of(encoding_field(call->dialect)),
                   bytes_of(compression_name(compression)));
}

void reply_add_prefixed(const Fields *trailers, Arena *arena, Fields *to)
{
    for (uint32_t i = 0; i < trailers->n; i++) {
        Buffer name = buffer_in(arena);
        buffer_add_text(&name, "trailer-");
        buffer_add_bytes(&name, trailers->items[i].name);
        if (name.full)
            to->full = true;
        else
            fields_add(to, buffer_bytes(&name), trailers->items[i].value);
    }
}

void reply_add_trailers(const Call *call, const Fields *trailers, HttpHead *head)
{
    if (trailers && (call->dialect == DIALECT_CONNECT || call->dialect == DIALECT_REST))
        reply_add_prefixed(trailers, head->fields.arena, &head->fields);
}

bool reply_is_fault(const Reply *reply, const Fault *fault)
{
    return reply->status->error && reply->status->error->fault == fault;
}

static void add_hints(const Reply *reply, const char *accept_name, Fields *to)
{
    if (reply_is_fault(reply, &FAULT_UNSUPPORTED_ENCODING))
        fields_add(to, bytes_of(accept_name), bytes_of(COMPRESSION_NAMES));
    if (reply_is_fault(reply, &FAULT_METHOD_NOT_ALLOWED) && reply->call->dialect != DIALECT_REST &&
        !fields_get(reply->metadata, "allow").data)
        fields_add(to, bytes_of("allow"), bytes_of("POST"));
    if (reply_is_fault(reply, &FAULT_UNSUPPORTED_MEDIA) && bytes_are(reply->call->verb, "POST"))
        fields_add(to, bytes_of("accept-post"),
                   reply->call->dialect == DIALECT_REST || reply->call->dialect == DIALECT_HTTP
                       ? bytes_of("application/json")
                       : bytes_of("application/grpc, application/grpc+json, application/grpc-web, "
                                  "application/grpc-web+json, application/grpc-web-text, "
                                  "application/proto, application/json, application/connect+proto, "
                                  "application/connect+json"));
}

/* Errors quote what their callers sent: no browser may take one for a page or a script. gRPC's have
 * no body. */
void reply_add_error_fields(const Reply *reply, const char *accept_name, Fields *to)
{
    if (reply->status->code == CODE_OK)
        return;
    add_hints(reply, accept_name, to);
    if (reply->call->dialect != DIALECT_GRPC)
        fields_set(to, "x-content-type-options", bytes_of("nosniff"));
}

/* What an error says: what the service said, untouched; or what may be told of ours. */
static Result fill_error(Reply *reply)
{
    const Status *status = reply->status;
    reply->message = status->message;
    if (status->error && !reply->options->full)
        reply->message = error_message(status->error, false, reply->arena);
    if (status->details.size || !status->error) {
        bool as_list = reply->call->dialect == DIALECT_CONNECT ||
                       reply->call->dialect == DIALECT_CONNECT_STREAM ||
                       reply->call->dialect == DIALECT_REST || reply->call->dialect == DIALECT_HTTP;
        if (as_list)
            reply->details = error_details_read(status->details, reply->arena);
        return OK;
    }
    return error_details_make(status->error, reply->options,
                              fields_get(reply->metadata, "retry-after"), reply->arena,
                              &reply->details);
}

static Result write_end(const Reply *reply, ReplyEnd *end_out)
{
    switch (reply->call->dialect) {
    case DIALECT_GRPC:
    case DIALECT_GRPC_WEB:
    case DIALECT_GRPC_WEB_TEXT: return grpc_reply_end(reply, end_out);
    case DIALECT_CONNECT:
    case DIALECT_CONNECT_STREAM: return connect_reply_end(reply, end_out);
    case DIALECT_REST:
    case DIALECT_HTTP: return problem_json_reply_end(reply, end_out);
    }
    return OK;
}

Result reply_write_end(const Call *call, const Status *status, const Fields *metadata,
                       const Fields *trailers, bool head_sent, const ReplyOptions *options,
                       Arena *arena, ReplyEnd *end_out)
{
    static const ReplyOptions no_options;
    *end_out = (ReplyEnd){.body = BYTES_NONE};
    Reply reply = {
        .call = call,
        .status = status,
        .metadata = metadata ? metadata : &no_fields,
        .trailers = trailers ? trailers : &no_fields,
        .options = options ? options : &no_options,
        .head_sent = head_sent,
        .arena = arena,
    };
    if (status->code != CODE_OK) {
        Result r = fill_error(&reply);
        if (failed(r))
            return r;
    }
    Result r = write_end(&reply, end_out);
    if (!failed(r) && (end_out->head.fields.full || end_out->trailers.full))
        r = FAIL(arena, FAULT_OUT_OF_MEMORY, "writing the end of an answer");
    return r;
}

Status status_of_error(Arena *arena, Result why)
{
    const Fault *fault = why.error->fault;
    return (Status){
        .code = (Code)fault->grpc_status,
        .http_status = fault->http_status,
        .message = error_message(why.error, true, arena),
        .error = why.error,
    };
}
