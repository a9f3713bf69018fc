/* The client side of all dialects: writes heads of requests and reads responses. */
#include "protocols/dialect/dialect.h"

#include "base/arena.h"
#include "protocols/dialect/answer_status.h"
#include "protocols/dialect/connect.h"
#include "protocols/dialect/grpc.h"
#include "protocols/dialect/media.h"
#include "protocols/http/compression.h"

enum { USUAL_FIELDS = 8 }; /* that we add to the metadata */

static Bytes rest_accept(const RequestTarget *target)
{
    if (target->takes_any_media)
        return bytes_of("*/*");
    return bytes_of(target->answer_is_stream ? "application/x-ndjson, application/json;q=0.9"
                                             : "application/json");
}

Result request_write(const RequestTarget *target, const Fields *metadata, Arena *arena,
                     HttpHead *head_out)
{
    uint32_t n = metadata ? metadata->n : 0;
    *head_out = (HttpHead){
        .method = bytes_of("POST"),
        .authority = target->authority,
        .path = target->method,
        .content_length = -1,
        .fields = {.items = arena_alloc(arena, (n + USUAL_FIELDS) * sizeof(Field)),
                   .capacity = n + USUAL_FIELDS,
                   .arena = arena},
    };
    if (!head_out->fields.items)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "writing a head of %u fields", n);

    switch (target->dialect) {
    case DIALECT_GRPC:
    case DIALECT_GRPC_WEB: grpc_request_fields(target, arena, &head_out->fields); break;
    case DIALECT_CONNECT:
    case DIALECT_CONNECT_STREAM: connect_request_fields(target, arena, head_out); break;
    case DIALECT_REST: /* the caller sets method and path by the google.api.http rule */
        if (target->content_type.size)
            fields_add(&head_out->fields, bytes_of("content-type"), target->content_type);
        fields_add(&head_out->fields, bytes_of("accept"), rest_accept(target));
        if (target->accepts && !target->answer_is_stream)
            fields_add(&head_out->fields, bytes_of("accept-encoding"),
                       compressions_write(target->accepts, arena));
        break;
    case DIALECT_GRPC_WEB_TEXT:
    case DIALECT_HTTP:
        return FAIL(arena, FAULT_UNSUPPORTED, "sending a request in %s",
                    dialect_name(target->dialect));
    }
    for (uint32_t i = 0; i < n; i++)
        fields_add(&head_out->fields, metadata->items[i].name, metadata->items[i].value);
    if (head_out->fields.full)
        return FAIL(arena, FAULT_OUT_OF_MEMORY, "writing a head of %u fields", n);
    return OK;
}

/* Lines of JSON have several media types, none of them registered. */
static bool is_rest_media(Bytes content_type, bool is_stream)
{
    static const char *const lines[] = {"application/x-ndjson", "application/ndjson",
                                        "application/jsonl", "application/json-lines",
                                        "application/stream+json"};
    Bytes essence = bytes_trim(bytes_slice(content_type, 0, bytes_find(content_type, ';')));
    for (size_t i = 0; is_stream && i < sizeof lines / sizeof *lines; i++) {
        if (bytes_are_nocase(essence, lines[i]))
            return true;
    }
    Media media = media_read(content_type);
    return media.kind == MEDIA_NONE ||
           (media.has_codec && media.codec == CODEC_JSON &&
            (media.kind == MEDIA_JSON || media.kind == MEDIA_JSON_LIKE));
}

/* The error in the body is read by answer_end. */
static Result read_rest_answer(const HttpHead *head, const HeadFields *fields,
                               const RequestTarget *target, Arena *arena, Answer *answer)
{
    Bytes encoding = fields->values[FIELD_CONTENT_ENCODING];
    answer->is_error = answer->http_status >= 300;
    answer->content_type = fields->values[FIELD_CONTENT_TYPE];
    bool has_body = head->content_length != 0 && head->status != 204;
    if (!answer->is_error && has_body && !target->takes_any_media &&
        !is_rest_media(answer->content_type, target->answer_is_stream))
        return FAIL(arena, FAULT_UPSTREAM_PROTOCOL,
                    "the response's content-type is \"%.*s\", not JSON",
                    BYTES_ARGS(answer->content_type));
    if (answer->http_status == 206 && !target->takes_part)
        return FAIL(arena, FAULT_UPSTREAM_PROTOCOL,
                    "the response is 206 Partial Content, but the request had no Range");
    if (!compression_by_name(encoding, &answer->compression))
        return FAIL(arena, FAULT_UPSTREAM_PROTOCOL,
                    "the response's compression \"%.*s\" is unknown", BYTES_ARGS(encoding));
    if (target->answer_is_stream && !answer->is_error &&
        answer->compression != COMPRESSION_IDENTITY)
        return FAIL(arena, FAULT_UPSTREAM_PROTOCOL,
                    "the stream has the compression \"%.*s\", which was not offered",
                    BYTES_ARGS(encoding));
    return OK;
}

Result answer_check_http_status(uint16_t status, Arena *arena)
{
    if (status >= 200 && status <= 599)
        return OK;
    return FAIL(arena, FAULT_UPSTREAM_HTTP_STATUS, "its status is %u", status);
}

Result answer_read(const HttpHead *head, const RequestTarget *target, Arena *arena,
                   Answer *answer_out)
{
    *answer_out = (Answer){
        .dialect = target->dialect,
        .codec = target->codec,
        .http_status = head->status,
        .trailers = fields_in(arena),
    };
    HeadFields fields;
    HeadSide side = target->dialect == DIALECT_CONNECT ? HEAD_OF_CONNECT_ANSWER : HEAD_OF_ANSWER;
    Result r = answer_check_http_status(head->status, arena);
    if (failed(r))
        return r;
    r = head_fields_read(&head->fields, side, arena, &fields);
    answer_out->metadata = fields.metadata;
    if (failed(r))
        return FAIL_OVER(arena, r, FAULT_UPSTREAM_PROTOCOL, "reading the head of the response");

    switch (target->dialect) {
    case DIALECT_GRPC:
    case DIALECT_GRPC_WEB: return grpc_answer_read(&fields, target, arena, answer_out);
    case DIALECT_CONNECT:
    case DIALECT_CONNECT_STREAM: return connect_answer_read(&fields, target, arena, answer_out);
    case DIALECT_REST: return read_rest_answer(head, &fields, target, arena, answer_out);
    case DIALECT_GRPC_WEB_TEXT:
    case DIALECT_HTTP: break;
    }
    return FAIL(arena, FAULT_UNSUPPORTED, "reading a response in %s",
                dialect_name(target->dialect));
}

Result answer_end(Answer *answer, const Fields *http_trailers, Bytes end_frame, Arena *arena)
{
    Result r = OK;
    switch (answer->dialect) {
    case DIALECT_GRPC:
    case DIALECT_GRPC_WEB: r = grpc_answer_end(answer, http_trailers, end_frame, arena); break;
    case DIALECT_CONNECT:
    case DIALECT_CONNECT_STREAM: r = connect_answer_end(answer, end_frame, arena); break;
    case DIALECT_REST:
        if (answer->is_error)
            r = rest_status_read(answer->http_status, end_frame, answer->detail_json, arena,
                                 &answer->status, &answer->foreign);
        break;
    case DIALECT_GRPC_WEB_TEXT:
    case DIALECT_HTTP: break;
    }
    if (failed(r))
        return FAIL_OVER(arena, r, FAULT_UPSTREAM_PROTOCOL, "reading the end of the response");
    return OK;
}
