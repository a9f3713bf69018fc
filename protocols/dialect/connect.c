#include "protocols/dialect/connect.h"

#include "base/arena.h"
#include "base/text/base64.h"
#include "base/text/json_text.h"
#include "protocols/dialect/answer_status.h"
#include "protocols/dialect/code.h"
#include "protocols/dialect/envelope.h"
#include "protocols/dialect/media.h"
#include "protocols/dialect/timeout.h"
#include "protocols/http/compression.h"
#include "protocols/http/http_rules.h"

#define TYPE_URL_HOST "type.googleapis.com/"

/* ---- Server side ----------------------------------------------------------------------------- */

/* "google.rpc.ErrorInfo" of "type.googleapis.com/google.rpc.ErrorInfo". */
static Bytes type_name(Bytes type_url)
{
    size_t start = type_url.size;
    while (start && type_url.data[start - 1] != '/')
        start--;
    return bytes_slice(type_url, start, SIZE_MAX);
}

/* Without "debug": clients must not depend on it, and some fail if they do not know its type. */
static void add_detail(const ErrorDetail *detail, Buffer *out)
{
    buffer_add_text(out, "{\"type\":");
    json_text_add(out, type_name(detail->type_url));
    buffer_add_text(out, ",\"value\":\"");
    base64_encode(out, detail->value, BASE64_STANDARD, false);
    buffer_add_text(out, "\"}");
}

/* Refused with 415 or 405. Clients map these statuses to UNKNOWN, with or without a body ("HTTP to
   Error Code"). */
static bool is_refused(const Reply *reply)
{
    return reply_is_fault(reply, &FAULT_UNSUPPORTED_MEDIA) ||
           reply_is_fault(reply, &FAULT_METHOD_NOT_ALLOWED);
}

/* Refused with 404, which clients map to UNIMPLEMENTED: for them it is not a method that the
   service knows and lacks, but a path without anything behind it. */
static bool is_missing(const Reply *reply)
{
    return reply_is_fault(reply, &FAULT_UNKNOWN_METHOD) ||
           reply_is_fault(reply, &FAULT_UNKNOWN_PATH);
}

/* "Error JSON". */
static void add_error(const Reply *reply, Buffer *out)
{
    buffer_add_text(out, "{\"code\":\"");
    buffer_add_text(out, code_connect_name(is_refused(reply) ? CODE_UNKNOWN : reply->status->code));
    buffer_add_byte(out, '"');
    if (reply->message.size)
        json_text_add_member(out, "message", reply->message);
    if (reply->details.n) {
        json_text_open_list(out, "details");
        for (size_t i = 0; i < reply->details.n; i++) {
            if (i)
                buffer_add_byte(out, ',');
            add_detail(&reply->details.items[i], out);
        }
        buffer_add_byte(out, ']');
    }
    buffer_add_byte(out, '}');
}

/* "EndStreamResponse". */
static void write_end_stream(const Reply *reply, Buffer *out)
{
    Buffer json = buffer_in(reply->arena);
    buffer_add_byte(&json, '{');
    if (reply->status->code != CODE_OK) {
        json_text_add_key(&json, "error");
        add_error(reply, &json);
    }
    if (reply->trailers->n) {
        json_text_add_key(&json, "metadata");
        reply_add_metadata_json(reply->trailers, &json);
    }
    buffer_add_byte(&json, '}');
    envelope_write(DIALECT_CONNECT_STREAM, ENVELOPE_CONNECT_END, buffer_bytes(&json), out);
    out->full |= json.full;
}

/* By Connect's table, except for 404, 405 and 415, and for codes that the service defines. */
static uint16_t error_http_status(const Reply *reply)
{
    if (is_refused(reply) || is_missing(reply))
        return reply->status->error->fault->http_status;
    if (reply->status->service_code && reply->status->http_status)
        return reply->status->http_status;
    return http_of_code(reply->status->code);
}

static void write_stream_end(const Reply *reply, Buffer *body, ReplyEnd *end)
{
    if (!reply->head_sent) {
        end->has_head = true;
        reply_head_begin(is_refused(reply) || is_missing(reply) ? error_http_status(reply) : 200,
                         reply->metadata, reply->arena, &end->head);
        fields_add(&end->head.fields, bytes_of("content-type"),
                   media_write(DIALECT_CONNECT_STREAM, reply->call->reply_codec));
        reply_add_error_fields(reply, "connect-accept-encoding", &end->head.fields);
    }
    write_end_stream(reply, body);
}

static void write_unary_end(const Reply *reply, Buffer *body, ReplyEnd *end)
{
    if (reply->head_sent)
        return;
    bool is_error = reply->status->code != CODE_OK;
    end->has_head = true;
    reply_head_begin(is_error ? error_http_status(reply) : 200, reply->metadata, reply->arena,
                     &end->head);
    fields_add(&end->head.fields, bytes_of("content-type"),
               is_error ? bytes_of("application/json")
                        : media_write(DIALECT_CONNECT, reply->call->reply_codec));
    reply_add_prefixed(reply->trailers, reply->arena, &end->head.fields);
    if (is_error) {
        reply_add_error_fields(reply, "accept-encoding", &end->head.fields);
        add_error(reply, body);
    }
    end->head.content_length = (int64_t)body->size;
}

Result connect_reply_end(const Reply *reply, ReplyEnd *end)
{
    Buffer body = buffer_in(reply->arena);
    if (reply->call->dialect == DIALECT_CONNECT)
        write_unary_end(reply, &body, end);
    else
        write_stream_end(reply, &body, end);
    if (body.full)
        return FAIL(reply->arena, FAULT_OUT_OF_MEMORY, "writing the end of a response");
    end->body = buffer_bytes(&body);
    return OK;
}

/* ---- Client side: requests ------------------------------------------------------------------- */

/* "Unary-Get-Request": parameters in a fixed order, so that equal calls have equal URLs. */
static Bytes get_path(const RequestTarget *target, Arena *arena)
{
    Buffer path = buffer_in(arena);
    buffer_add_bytes(&path, target->method);
    buffer_add_text(&path, "?base64=1");
    if (target->compression != COMPRESSION_IDENTITY) {
        buffer_add_text(&path, "&compression=");
        buffer_add_text(&path, compression_name(target->compression));
    }
    buffer_add_text(&path, "&connect=v1&encoding=");
    buffer_add_text(&path, codec_name(target->codec));
    buffer_add_text(&path, "&message=");
    base64_encode(&path, target->message, BASE64_URL, false);
    return path.full ? BYTES_NONE : buffer_bytes(&path);
}

static void add_post_fields(const RequestTarget *target, Fields *to)
{
    fields_add(to, bytes_of("content-type"), media_write(target->dialect, target->codec));
    fields_add(to, bytes_of("connect-protocol-version"), bytes_of("1"));
    if (target->compression != COMPRESSION_IDENTITY)
        fields_add(to,
                   target->dialect == DIALECT_CONNECT ? bytes_of("content-encoding")
                                                      : bytes_of("connect-content-encoding"),
                   bytes_of(compression_name(target->compression)));
}

void connect_request_fields(const RequestTarget *target, Arena *arena, HttpHead *head)
{
    Fields *to = &head->fields;
    if (target->use_get && target->dialect == DIALECT_CONNECT) {
        head->method = bytes_of("GET");
        head->path = get_path(target, arena);
        to->full |= !head->path.data;
    } else {
        add_post_fields(target, to);
    }
    if (target->timeout != NO_TIMEOUT)
        fields_add(to, bytes_of("connect-timeout-ms"),
                   timeout_write_connect(target->timeout, arena));
    if (target->accepts)
        fields_add(to,
                   target->dialect == DIALECT_CONNECT ? bytes_of("accept-encoding")
                                                      : bytes_of("connect-accept-encoding"),
                   compressions_write(target->accepts, arena));
}

/* ---- Client side: responses ------------------------------------------------------------------ */

/* The content-type of a successful response. Not one of Connect: the response is not from a Connect
   server, and has the status UNKNOWN. Another codec: a protocol error of the service. */
static Result check_media(Bytes content_type, const RequestTarget *target, Arena *arena,
                          Answer *answer)
{
    Media media = media_read(content_type);
    bool is_unary = target->dialect == DIALECT_CONNECT;
    bool is_ours = is_unary ? media.kind == MEDIA_JSON || media.kind == MEDIA_PROTO
                            : media.kind == MEDIA_CONNECT_STREAM;
    if (is_ours && media.has_codec && media.codec == target->codec)
        return OK;
    if (is_ours)
        return FAIL(arena, FAULT_UPSTREAM_PROTOCOL,
                    "the response's content-type is \"%.*s\", but the request's codec was %s",
                    BYTES_ARGS(content_type), codec_name(target->codec));
    answer->is_error = true;
    answer->status = answer_foreign_status(content_type, arena);
    return OK;
}

Result connect_answer_read(const HeadFields *fields, const RequestTarget *target, Arena *arena,
                           Answer *answer)
{
    bool is_unary = target->dialect == DIALECT_CONNECT;
    Bytes encoding = fields->values[is_unary ? FIELD_CONTENT_ENCODING : FIELD_CONNECT_ENCODING];
    if (!compression_by_name(encoding, &answer->compression))
        return FAIL(arena, FAULT_UPSTREAM_PROTOCOL,
                    "the response's compression \"%.*s\" is unknown", BYTES_ARGS(encoding));
    if (is_unary)
        answer->trailers = fields->trailers;
    if (answer->http_status == 200)
        return check_media(fields->values[FIELD_CONTENT_TYPE], target, arena, answer);
    answer->is_error = true;
    answer->status = answer_inferred_status(answer->http_status, arena);
    return OK;
}

/* Reads one element of "details", type name and value, as an Any. */
static bool read_detail(JsonCursor *cursor, Arena *arena, ErrorDetail *detail)
{
    bool first = true;
    Bytes name, type = BYTES_NONE, value = BYTES_NONE;
    while (json_cursor_member(cursor, &first, &name)) {
        if (bytes_are(name, "type") && json_cursor_peek(cursor) == JSON_KIND_STRING)
            type = json_cursor_string(cursor);
        else if (bytes_are(name, "value") && json_cursor_peek(cursor) == JSON_KIND_STRING)
            value = json_cursor_string(cursor);
        else
            json_cursor_skip(cursor);
    }
    Buffer url = buffer_in(arena), decoded = buffer_in(arena);
    if (cursor->bad || !type.size || !base64_decode(&decoded, value))
        return false;
    buffer_add_text(&url, TYPE_URL_HOST);
    buffer_add_bytes(&url, type);
    *detail = (ErrorDetail){buffer_bytes(&url), buffer_bytes(&decoded)};
    return !url.full && !decoded.full;
}

/* Details that cannot be read are dropped, so that the error itself is still reported. */
static ErrorDetails read_details(JsonCursor *cursor, Arena *arena)
{
    ErrorDetails details = error_details_in(arena, ERROR_DETAILS_MOST);
    bool first = true;
    while (json_cursor_element(cursor, &first)) {
        ErrorDetail detail;
        if (json_cursor_peek(cursor) != JSON_KIND_OBJECT)
            json_cursor_skip(cursor);
        else if (read_detail(cursor, arena, &detail))
            error_details_add(&details, detail);
    }
    return details;
}

/* Reads an "Error JSON" object into `status`, which the caller has set to the default code. */
static Result read_error(JsonCursor *cursor, Arena *arena, Status *status)
{
    bool first = true;
    Bytes name;
    ErrorDetails details = {0};
    while (json_cursor_member(cursor, &first, &name)) {
        JsonTextKind kind = json_cursor_peek(cursor);
        if (bytes_are(name, "code") && kind == JSON_KIND_STRING)
            code_by_connect_name(json_cursor_string(cursor), &status->code);
        else if (bytes_are(name, "message") && kind == JSON_KIND_STRING)
            status->message = json_cursor_string(cursor);
        else if (bytes_are(name, "details") && kind == JSON_KIND_ARRAY)
            details = read_details(cursor, arena);
        else
            json_cursor_skip(cursor);
    }
    if (cursor->bad || details.n == 0)
        return OK;
    return error_details_write(status->code, status->message, details, arena, &status->details);
}

static Result end_unary(Answer *answer, Bytes body, Arena *arena)
{
    if (!answer->is_error || body.size == 0)
        return OK;
    answer->foreign = body;
    if (answer->status.error)
        return OK;
    Status status = {.code = answer->status.code};
    JsonCursor cursor = json_cursor(body, arena);
    if (json_cursor_peek(&cursor) != JSON_KIND_OBJECT)
        return OK; /* not from a Connect server: the status is that of HTTP */
    Result r = read_error(&cursor, arena, &status);
    if (failed(r))
        return r;
    if (json_cursor_finish(&cursor)) {
        answer->status = status;
        answer->foreign = BYTES_NONE;
    }
    return OK;
}

/* Values that an HTTP field cannot carry are dropped. */
static void read_values(JsonCursor *cursor, Bytes name, Fields *to)
{
    bool first = true;
    while (json_cursor_element(cursor, &first)) {
        if (json_cursor_peek(cursor) != JSON_KIND_STRING) {
            json_cursor_skip(cursor);
            continue;
        }
        Field field = {name, bytes_trim(json_cursor_string(cursor))};
        if (http_may_go_out(&field))
            fields_add(to, field.name, field.value);
    }
}

/* Reads {"name": ["value"]} as fields, with lower-case names. */
static void read_metadata(JsonCursor *cursor, Arena *arena, Fields *to)
{
    bool first = true;
    Bytes name;
    while (json_cursor_member(cursor, &first, &name)) {
        uint8_t *lower = arena_alloc(arena, name.size);
        for (size_t i = 0; lower && i < name.size; i++)
            lower[i] =
                name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] | 32 : name.data[i];
        if (lower && json_cursor_peek(cursor) == JSON_KIND_ARRAY)
            read_values(cursor, bytes(lower, name.size), to);
        else
            json_cursor_skip(cursor);
    }
}

static Result end_stream(Answer *answer, Bytes end, Arena *arena)
{
    if (answer->is_error)
        return OK;
    if (!end.data)
        return FAIL(arena, FAULT_UPSTREAM_PROTOCOL, "the stream ended without its end frame");
    JsonCursor cursor = json_cursor(end, arena);
    Fields trailers = fields_in(arena);
    Status status = {.code = CODE_OK};
    bool first = true;
    Bytes name;
    Result r = OK;
    while (!failed(r) && json_cursor_member(&cursor, &first, &name)) {
        JsonTextKind kind = json_cursor_peek(&cursor);
        if (bytes_are(name, "error") && kind == JSON_KIND_OBJECT) {
            status.code = CODE_UNKNOWN;
            r = read_error(&cursor, arena, &status);
        } else if (bytes_are(name, "error") && kind != JSON_KIND_NULL) {
            r = FAIL(arena, FAULT_UPSTREAM_PROTOCOL, "\"error\" in the end frame is not an object");
        } else if (bytes_are(name, "metadata") && kind == JSON_KIND_OBJECT) {
            read_metadata(&cursor, arena, &trailers);
        } else {
            json_cursor_skip(&cursor);
        }
    }
    if (failed(r))
        return r;
    if (!json_cursor_finish(&cursor))
        return FAIL(arena, FAULT_UPSTREAM_PROTOCOL, "the end frame is not valid JSON");
    HeadFields sorted;
    r = head_fields_read(&trailers, HEAD_OF_TRAILERS, arena, &sorted);
    answer->status = status;
    answer->trailers = sorted.metadata;
    return r;
}

Result connect_answer_end(Answer *answer, Bytes end, Arena *arena)
{
    return answer->dialect == DIALECT_CONNECT ? end_unary(answer, end, arena)
                                              : end_stream(answer, end, arena);
}
