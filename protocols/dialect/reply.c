/* The server side of all dialects: heads and ends of responses. */
#include "protocols/dialect/dialect.h"

#include "protocols/dialect/connect.h"
#include "protocols/dialect/grpc.h"
#include "protocols/dialect/problem_json.h"
#include "protocols/http/compression.h"

static const Fields no_fields;

/* The field that names the compression of the messages. */
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

void reply_write_head(const Call *call, const Fields *metadata, Compression compression,
                      int64_t content_length, Arena *arena, HttpHead *head_out)
{
    if (!metadata)
        metadata = &no_fields;
    reply_head_begin(200, metadata, arena, head_out);
    head_out->content_length = content_length;
    reply_add_content_type(call, metadata, content_length < 0, &head_out->fields);
    if (compression != COMPRESSION_IDENTITY)
        fields_add(&head_out->fields, bytes_of(encoding_field(call->dialect)),
                   bytes_of(compression_name(compression)));
}

void reply_add_trailers(const Call *call, const Fields *trailers, HttpHead *head)
{
    if (trailers && (call->dialect == DIALECT_CONNECT || call->dialect == DIALECT_REST))
        reply_add_prefixed(trailers, head->fields.arena, &head->fields);
}

static bool is_http_dialect(Dialect dialect)
{
    return dialect == DIALECT_REST || dialect == DIALECT_HTTP;
}

/* Whether details are needed as a list. gRPC passes those of a service on as bytes, unless
   something is added: the HTTP status of a REST instance, or the leg of a composed call. */
static bool needs_list(const Reply *reply)
{
    Dialect dialect = reply->call->dialect;
    return reply->status->of_rest || reply->options->leg.size || is_http_dialect(dialect) ||
           dialect == DIALECT_CONNECT || dialect == DIALECT_CONNECT_STREAM;
}

/* Message and details of an error: of a service, unchanged; of our own, as far as the client may
   see them. */
static Result fill_error(Reply *reply)
{
    const Status *status = reply->status;
    bool is_rpc = !is_http_dialect(reply->call->dialect);
    reply->message = status->message;
    if (status->error && !status->said && !reply->options->full)
        reply->message = error_message(status->error, false, reply->arena);
    if (!status->error)
        return needs_list(reply) ? error_details_of(status, is_rpc, reply->options->leg,
                                                    reply->arena, &reply->details)
                                 : OK;
    if (status->details.size) {
        if (is_rpc && !needs_list(reply))
            return OK;
        reply->details = error_details_read(status->details, reply->arena);
        return OK;
    }
    return error_details_make(status, reply->options, fields_get(reply->metadata, "retry-after"),
                              reply->arena, &reply->details);
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
        r = FAIL(arena, FAULT_OUT_OF_MEMORY, "writing the end of a response");
    return r;
}
