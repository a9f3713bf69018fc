#include "protocols/dialect/answer_status.h"

#include "base/arena.h"
#include "base/text/json_text.h"
#include "protocols/dialect/code.h"
#include "protocols/dialect/error_details.h"

static Bytes inferred_message(uint16_t http_status, Arena *arena)
{
    return bytes_of(arena_printf(arena, "the service returned HTTP status %u %s", http_status,
                                 http_status_phrase(http_status)));
}

Status answer_inferred_status(uint16_t http_status, Arena *arena)
{
    return (Status){
        .code = code_inferred_from_http(http_status),
        .message = inferred_message(http_status, arena),
    };
}

Status answer_foreign_status(Bytes content_type, Arena *arena)
{
    Result why = FAIL(arena, FAULT_UPSTREAM_PROTOCOL, "the response's content-type is \"%.*s\"",
                      BYTES_ARGS(content_type));
    Status status = status_of_error(arena, why);
    status.code = CODE_UNKNOWN;
    return status;
}

Status answer_malformed_status(Bytes said, Bytes message, Arena *arena)
{
    Result why = FAIL(arena, FAULT_UPSTREAM_PROTOCOL,
                      "its grpc-status is \"%.*s\", which is not a status code%s%.*s",
                      BYTES_ARGS(bytes_cut_text(said, 100)),
                      message.size ? "; its grpc-message is: " : "", BYTES_ARGS(message));
    Status status = status_of_error(arena, why);
    status.code = CODE_UNKNOWN;
    return status;
}

/* ---- Errors of REST services: RFC 9457's problems, AIP-193's errors, and grpc-gateway's ------ */

typedef struct ErrorBody {
    Status *status;
    Bytes message, detail, title, text; /* in order of preference for the message */
    ErrorDetails details;
    const DetailJson *detail_json;
    Arena *arena;
} ErrorBody;

/* A member of the wrong type is ignored (RFC 9457 section 3.1). */
static Bytes take_string(JsonCursor *cursor)
{
    if (json_cursor_peek(cursor) == JSON_KIND_STRING)
        return json_cursor_string(cursor);
    json_cursor_skip(cursor);
    return BYTES_NONE;
}

/* "NOT_FOUND", or the number of a google.rpc.Code. AIP-193's "code" is the HTTP status and is
   ignored, because it is less precise. */
static void take_code(JsonCursor *cursor, Status *status)
{
    uint64_t number;
    Code code;
    if (json_cursor_peek(cursor) == JSON_KIND_STRING) {
        if (code_by_name(json_cursor_string(cursor), &code) && code != CODE_OK)
            status->code = code;
        return;
    }
    if (bytes_to_u64(json_cursor_skip(cursor), &number) && number > CODE_OK && number < CODE_COUNT)
        status->code = (Code)number;
}

static void take_details(JsonCursor *cursor, ErrorBody *body)
{
    bool first = true;
    if (json_cursor_peek(cursor) != JSON_KIND_ARRAY) {
        json_cursor_skip(cursor);
        return;
    }
    body->details = error_details_in(body->arena, ERROR_DETAILS_MOST);
    while (json_cursor_element(cursor, &first)) {
        Bytes json = json_cursor_skip(cursor), any;
        const DetailJson *by = body->detail_json;
        ErrorDetail detail;
        if (!cursor->bad && by && body->details.n < body->details.capacity &&
            by->read(by->owner, json, body->arena, &any) &&
            error_detail_read(any, body->arena, &detail))
            error_details_add(&body->details, detail);
    }
}

static void take_object(JsonCursor *cursor, ErrorBody *body, bool is_inner)
{
    bool first = true;
    Bytes name;
    while (json_cursor_member(cursor, &first, &name)) {
        if (bytes_are(name, "error") && !is_inner && json_cursor_peek(cursor) == JSON_KIND_OBJECT)
            take_object(cursor, body, true);
        else if (bytes_are(name, "error"))
            body->text = take_string(cursor);
        else if (bytes_are(name, "code") || (bytes_are(name, "status") && is_inner))
            take_code(cursor, body->status);
        else if (bytes_are(name, "message"))
            body->message = take_string(cursor);
        else if (bytes_are(name, "detail"))
            body->detail = take_string(cursor);
        else if (bytes_are(name, "title"))
            body->title = take_string(cursor);
        else if (bytes_are(name, "details"))
            take_details(cursor, body);
        else
            json_cursor_skip(cursor);
    }
}

static bool says_something(const ErrorBody *body)
{
    return body->message.size || body->detail.size || body->title.size || body->text.size;
}

static Bytes best_message(const ErrorBody *body, uint16_t http_status)
{
    if (body->message.size)
        return body->message;
    if (body->detail.size)
        return body->detail;
    if (body->title.size)
        return body->title;
    if (body->text.size)
        return body->text;
    return inferred_message(http_status, body->arena);
}

Result rest_status_read(uint16_t http_status, Bytes text, const DetailJson *detail_json,
                        Arena *arena, Status *status_out, Bytes *foreign_out)
{
    Code code = rest_code_of_http(http_status);
    Status by_http = {.code = code, .http_status = http_status, .of_rest = code != CODE_OK};
    if (code == CODE_OK) /* the caller treats this status as an error */
        by_http.code = CODE_UNKNOWN;
    Status status = by_http;
    ErrorBody body = {.status = &status, .detail_json = detail_json, .arena = arena};
    JsonCursor cursor = json_cursor(text, arena);
    if (json_cursor_peek(&cursor) == JSON_KIND_OBJECT)
        take_object(&cursor, &body, false);
    bool is_json = json_cursor_finish(&cursor);
    *foreign_out = is_json && says_something(&body) ? BYTES_NONE : text;
    if (!is_json) { /* only the HTTP status is known */
        status = by_http;
        body = (ErrorBody){.status = &status, .arena = arena};
    }
    status.message = best_message(&body, http_status);
    *status_out = status;
    if (body.details.n == 0)
        return OK;
    return error_details_write(status.code, status.message, body.details, arena,
                               &status_out->details);
}
