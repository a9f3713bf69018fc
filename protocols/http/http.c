#include "protocols/http/http.h"

#include "base/text/date.h"
#include "base/text/decimal.h"
#include "protocols/http/http_engine.h"
#include "protocols/http/http_rules.h"

#include <stdio.h>
#include <stdlib.h>

const HttpLimits http_limits_default = {
    .head_bytes = 32 * 1024,
    .head_fields = 128,
    .path_bytes = 8 * 1024,
    .streams = 250,
    .stream_window = 256 * 1024,
    .connection_window = 1024 * 1024,
    .resets_per_second = 500,
    .control_frames = 1000,
    .queue_high = 128 * 1024,
    .queue_low = 32 * 1024,
    .requests = 0,
};

void http_connection_init(HttpConnection *connection, const HttpEngine *engine,
                          const HttpLimits *limits, bool client, bool secure,
                          const HttpConnectionEvents *events, void *owner)
{
    *connection = (HttpConnection){
        .engine = engine,
        .events = events,
        .owner = owner,
        .limits = *limits,
        .client = client,
        .secure = secure,
    };
}

void http_connection_deinit(HttpConnection *connection)
{
    arena_free(connection->errors);
    connection->errors = NULL;
    http_connection_hold(connection, -connection->tally.held);
    tally_tell(&connection->tally);
    tally_charge(&connection->tally, NULL);
}

void http_connection_charge(HttpConnection *connection, Account *account)
{
    tally_charge(&connection->tally, account);
}

const Fault *http_connection_ask(const HttpConnection *connection, size_t more)
{
    if (connection->client)
        return NULL;
    switch (memory_ask(connection->tally.account, more)) {
    case MEMORY_OVER_SHARE: return &FAULT_MEMORY_SHARE;
    case MEMORY_OVER_LIMIT: return &FAULT_MEMORY_FULL;
    default: return NULL;
    }
}

void http_connection_wake(HttpConnection *connection)
{
    if (connection->output_told)
        return;
    connection->output_told = true;
    if (connection->events->on_output)
        connection->events->on_output(connection->owner, connection);
}

Fields http_connection_refusal(HttpConnection *connection, unsigned status, const HttpHead *head,
                               const char *why)
{
    if (!connection->events->on_refusal)
        return (Fields){.n = 0};
    return connection->events->on_refusal(connection->owner, connection, status, head, why);
}

void http_connection_set_date(HttpConnection *connection, const char *date)
{
    connection->date = date;
}

Bytes http_connection_date(const HttpConnection *connection, const Fields *fields)
{
    if (!connection->date)
        return BYTES_NONE;
    for (uint32_t i = 0; i < fields->n; i++) {
        if (fields->items[i].name.size == 4 && bytes_are(fields->items[i].name, "date"))
            return BYTES_NONE;
    }
    return bytes(connection->date, DATE_HTTP_SIZE);
}

Arena *http_connection_errors(HttpConnection *connection)
{
    if (connection->errors)
        arena_reset(connection->errors);
    else
        connection->errors = arena_new(64 * 1024);
    return connection->errors;
}

void http_bucket_init(HttpBucket *bucket, uint32_t per_second, uint32_t burst)
{
    int64_t cost = SECOND / (per_second ? per_second : 1);
    *bucket = (HttpBucket){.cost = cost, .depth = cost * burst};
}

bool http_bucket_take_time(HttpBucket *bucket, int64_t time, int64_t now)
{
    if (bucket->full_at < now)
        bucket->full_at = now;
    if (bucket->full_at + time > now + bucket->depth)
        return false;
    bucket->full_at += time;
    return true;
}

const char *http_status_phrase(unsigned status)
{
    switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 407: return "Proxy Authentication Required";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 451: return "Unavailable For Legal Reasons";
    case 499: return "Client Closed Request";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    case 508: return "Loop Detected";
    case 511: return "Network Authentication Required";
    default: return "";
    }
}

const Fault *http_refusal_fault(unsigned status)
{
    switch (status) {
    case 414: return &FAULT_URI_TOO_LONG;
    case 417: return &FAULT_EXPECTATION_FAILED;
    case 429: return &FAULT_MEMORY_SHARE;
    case 431: return &FAULT_HEAD_TOO_LARGE;
    case 503: return &FAULT_MEMORY_FULL;
    default: return &FAULT_PROTOCOL_VIOLATION;
    }
}

size_t http_problem_text(unsigned status, const char *detail, char *text, size_t capacity)
{
    int size = snprintf(
        text, capacity, "{\"title\":\"%s\",\"status\":%u,\"detail\":\"%s\",\"reason\":\"%s\"}",
        http_status_phrase(status), status, detail, http_refusal_fault(status)->name);
    CHECK(size > 0 && (size_t)size < capacity);
    return (size_t)size;
}

Result http_connection_feed(HttpConnection *connection, Bytes input, int64_t now)
{
    return connection->engine->feed(connection, input, now);
}

void http_connection_eof(HttpConnection *connection)
{
    connection->engine->eof(connection);
}

void http_connection_lost(HttpConnection *connection, Result why)
{
    if (!failed(why)) /* on_reset always has a reason */
        why = error_new(http_connection_errors(connection),
                        connection->client ? &FAULT_UPSTREAM_RESET : &FAULT_CANCELLED, OK, NULL,
                        __FILE__, __LINE__, "the connection was closed");
    connection->engine->lost(connection, why);
}

int http_connection_output(HttpConnection *connection, struct iovec *vectors, int n)
{
    connection->output_told = false;
    return connection->engine->output(connection, vectors, n);
}

void http_connection_sent(HttpConnection *connection, size_t size)
{
    connection->engine->sent(connection, size);
}

void http_connection_drain(HttpConnection *connection)
{
    connection->engine->drain(connection);
}

void http_connection_drain_now(HttpConnection *connection)
{
    const HttpEngine *engine = connection->engine;
    (engine->drain_now ? engine->drain_now : engine->drain)(connection);
}

bool http_connection_timeout(HttpConnection *connection)
{
    if (!connection->engine->timeout)
        return false;
    connection->engine->timeout(connection);
    return true;
}

bool http_connection_holds_head(const HttpConnection *connection)
{
    return !connection->client && connection->engine->holds_head(connection);
}

Result http_connection_shed_head(HttpConnection *connection)
{
    return connection->engine->shed_head(connection);
}

HttpPhase http_connection_phase(const HttpConnection *connection)
{
    return connection->engine->phase(connection);
}

bool http_connection_wants_input(const HttpConnection *connection)
{
    return connection->engine->wants_input(connection);
}

uint32_t http_connection_streams(const HttpConnection *connection)
{
    return connection->engine->streams(connection);
}

bool http_connection_owes(const HttpConnection *connection, size_t pending)
{
    return connection->engine->owes(connection, pending);
}

uint32_t http_connection_capacity(const HttpConnection *connection)
{
    return connection->engine->capacity(connection);
}

uint32_t http_connection_head_most(const HttpConnection *connection)
{
    const HttpEngine *engine = connection->engine;
    return engine->head_most ? engine->head_most(connection) : UINT32_MAX;
}

static size_t field_size(const char *name, size_t value)
{
    return strlen(name) + value + FIELD_EXTRA;
}

size_t http_connection_head_size(const HttpConnection *connection, const HttpHead *head)
{
    char length[DECIMAL_SIZE];
    Bytes scheme =
        head->scheme.size ? head->scheme : bytes_of(connection->secure ? "https" : "http");
    size_t size = fields_size(&head->fields) + field_size(":method", head->method.size) +
                  field_size(":scheme", scheme.size) +
                  field_size(":authority", head->authority.size) +
                  field_size(":path", head->path.size);
    if (head->content_length < 0)
        return size;
    return size +
           field_size("content-length", decimal_write((uint64_t)head->content_length, length));
}

bool http_connection_going(const HttpConnection *connection)
{
    return connection->engine->going(connection);
}

bool http_connection_held_up(const HttpConnection *connection)
{
    return connection->engine->held_up && connection->engine->held_up(connection);
}

bool http_connection_half_closed(const HttpConnection *connection)
{
    return connection->engine->half_closed && connection->engine->half_closed(connection);
}

void http_connection_ping(HttpConnection *connection)
{
    if (connection->engine->ping)
        connection->engine->ping(connection);
}

uint64_t http_connection_progress(const HttpConnection *connection)
{
    return connection->progress;
}

void http_connection_free(HttpConnection *connection)
{
    if (connection)
        connection->engine->destroy(connection);
}

void http_stream_attach(HttpStream *stream, const HttpStreamEvents *events, void *owner)
{
    stream->events = events;
    stream->owner = owner;
}

HttpStream *http_stream_open(HttpConnection *connection, const HttpHead *head, bool end,
                             const HttpStreamEvents *events, void *owner)
{
    bool harmless = http_is_token(head->method) && http_is_path(head->path) &&
                    http_is_field_value(head->authority);
    if (!harmless || http_connection_capacity(connection) == 0)
        return NULL;
    return connection->engine->open(connection, head, end, events, owner);
}

void http_stream_charge(HttpStream *stream, Account *account)
{
    if (stream->connection)
        stream->connection->engine->charge(stream, account);
}

void http_stream_charge_connection(HttpStream *stream, Account *account)
{
    if (stream->connection)
        http_connection_charge(stream->connection, account);
}

void http_stream_send_head(HttpStream *stream, const HttpHead *head, bool end)
{
    if (!stream->connection)
        return;
    if (head->status < 100 || head->status > 999 ||
        (head->status == 101 && stream->connection->engine->only_messages))
        stream->connection->engine->reset(stream, HTTP2_ERROR_INTERNAL);
    else
        stream->connection->engine->send_head(stream, head, end);
}

void http_stream_send_body(HttpStream *stream, Bytes piece)
{
    if (stream->connection && piece.size)
        stream->connection->engine->send_body(stream, piece);
}

void http_stream_send_end(HttpStream *stream, const Fields *trailers)
{
    if (stream->connection)
        stream->connection->engine->send_end(stream, trailers);
}

void http_stream_send_ready(HttpStream *stream, const HttpReady *ready)
{
    if (!stream->connection)
        return;
    const HttpEngine *engine = stream->connection->engine;
    if (engine->send_ready && engine->send_ready(stream, ready))
        return;
    http_stream_send_head(stream, &ready->head, !ready->body.size && !ready->trailers);
    http_stream_send_body(stream, ready->body);
    if (ready->body.size || ready->trailers)
        http_stream_send_end(stream, ready->trailers);
}

size_t http_stream_queued(const HttpStream *stream)
{
    return stream->connection ? stream->connection->engine->queued(stream) : 0;
}

void http_stream_consume(HttpStream *stream, size_t n)
{
    if (stream->connection && n)
        stream->connection->engine->consume(stream, n);
}

void http_stream_cut(HttpStream *stream, uint32_t http2_error)
{
    if (stream->connection)
        stream->connection->engine->cut(stream, http2_error);
}

void http_stream_reset(HttpStream *stream, uint32_t http2_error)
{
    if (stream->connection)
        stream->connection->engine->reset(stream, http2_error);
}

void http_stream_release(HttpStream *stream)
{
    if (stream->connection)
        stream->connection->engine->release(stream);
    else
        free(stream);
}
