#include "protocols/http1/http1.h"

#include "base/result.h"
#include "base/text/decimal.h"
#include "protocols/http/http_rules.h"

#include <stdio.h>

static void put(Http1 *http1, Bytes bytes)
{
    http_queue_add(&http1->out, bytes);
    http1->put_in += bytes.size;
}

/* Inlined, as the size of most is known then. */
static inline __attribute__((always_inline)) void put_text(Http1 *http1, const char *text)
{
    put(http1, bytes_of(text));
}

static void put_field(Http1 *http1, Bytes name, Bytes value)
{
    size_t size = name.size + strlen(": ") + value.size + strlen("\r\n");
    uint8_t *at = http_queue_room(&http1->out, size);
    if (at) {
        at = bytes_put(at, name);
        *at++ = ':';
        *at++ = ' ';
        at = bytes_put(at, value);
        *at++ = '\r';
        *at++ = '\n';
        http_queue_added(&http1->out, size);
        http1->put_in += size;
    } else { /* larger than a chunk */
        put(http1, name);
        put_text(http1, ": ");
        put(http1, value);
        put_text(http1, "\r\n");
    }
}

static void put_fields(Http1 *http1, const Fields *fields, bool client)
{
    for (uint32_t i = 0; i < fields->n; i++) {
        const Field *field = &fields->items[i];
        if (!http_may_go_out(field))
            continue;
        if (client && (bytes_are(field->name, "te") || bytes_are(field->name, "host")))
            continue;
        put_field(http1, field->name, field->value);
    }
}

static void put_length(Http1 *http1, uint64_t length)
{
    char text[DECIMAL_SIZE];
    size_t size = decimal_write(length, text);
    CHECK(size <= sizeof(text)); /* which gcc cannot see, and warns of at -O3 */
    put_field(http1, bytes_of("content-length"), bytes(text, size));
}

static void put_upgrade(Http1 *http1, const HttpHead *head)
{
    Bytes protocol = fields_get(&head->fields, "upgrade");
    if (!http_is_field_value(protocol))
        return;
    put_text(http1, "connection: upgrade\r\n");
    put_field(http1, bytes_of("upgrade"), protocol);
}

static void put_date(Http1 *http1, const Fields *fields)
{
    Bytes date = http_connection_date(&http1->base, fields);
    if (date.data)
        put_field(http1, bytes_of("date"), date);
}

/* "HTTP/1.1 200 OK". http_stream_send_head ensures that the status has three digits. */
static void put_status(Http1 *http1, unsigned status)
{
    char line[] = "HTTP/1.1 000 ";
    enum { DIGITS = 9 };
    if (status == 200) { /* which most are */
        put_text(http1, "HTTP/1.1 200 OK\r\n");
        return;
    }
    line[DIGITS] = (char)('0' + status / 100);
    line[DIGITS + 1] = (char)('0' + status / 10 % 10);
    line[DIGITS + 2] = (char)('0' + status % 10);
    put(http1, bytes(line, sizeof line - 1));
    put_text(http1, http_status_phrase(status));
    put_text(http1, "\r\n");
}

/* Chooses the framing of the body and writes its field (RFC 9112 section 6.3). */
static void frame_response(Http1 *http1, Http1Stream *stream, const HttpHead *head, bool end)
{
    bool never = head->status == 204 || head->status == 304;
    stream->framing = HTTP1_NO_BODY;
    if (head->content_length >= 0 && head->status != 204) {
        put_length(http1, (uint64_t)head->content_length);
        stream->left = (uint64_t)head->content_length;
        if (!stream->head_request && !never)
            stream->framing = HTTP1_LENGTH;
    } else if (never || stream->head_request) {
        return;
    } else if (end) {
        put_text(http1, "content-length: 0\r\n");
    } else if (stream->old) {
        stream->framing = HTTP1_UNTIL_CLOSE;
        http1->keep_alive = false;
    } else {
        stream->framing = HTTP1_CHUNKED;
        put_text(http1, "transfer-encoding: chunked\r\n");
    }
}

void http1_write_continue(Http1 *http1)
{
    http1->continue_due = false;
    put_text(http1, "HTTP/1.1 100 Continue\r\n\r\n");
    http_connection_wake(&http1->base);
}

void http1_write_probe(Http1 *http1)
{
    const Http1Stream *stream = http1->stream;
    if (stream->ended || stream->old)
        return;
    if (!stream->head_sent)
        http1_write_continue(http1);
    else if (stream->framing == HTTP1_CHUNKED)
        put_text(http1, "0"); /* of the size of the next chunk, which may begin with any number */
    http_connection_wake(&http1->base);
}

static void send_interim(Http1 *http1, Http1Stream *stream, const HttpHead *head)
{
    if (stream->old)
        return; /* not allowed to HTTP/1.0 clients (RFC 9110 section 15.2) */
    if (head->status == 100)
        http1->continue_due = false;
    put_status(http1, head->status);
    put_fields(http1, &head->fields, false);
    put_text(http1, "\r\n");
}

static void send_switch(Http1 *http1, Http1Stream *stream, const HttpHead *head)
{
    put_status(http1, 101);
    put_upgrade(http1, head);
    put_fields(http1, &head->fields, false);
    put_text(http1, "\r\n");
    stream->head_sent = true;
    stream->read_all = false;
    stream->tunnel = true;
    stream->framing = HTTP1_UNTIL_CLOSE;
    http1->keep_alive = false;
    http1->reading = HTTP1_READ_TUNNEL;
}

/* Whether the rest of the request is short enough to be read, so that the connection can be kept
   even if this response ends first. Unknown for chunked bodies. */
static bool rest_is_short(const Http1 *http1, const Http1Stream *stream)
{
    return stream->read_all || http1->body.framing == HTTP1_NO_BODY ||
           (http1->body.framing == HTTP1_LENGTH &&
            http1->body.left <= http1->base.limits.stream_window);
}

/* If the connection may end with this response, the head says so; else the client would send its
   next request on it (RFC 9112 section 9.6). */
static void send_final(Http1 *http1, Http1Stream *stream, const HttpHead *head, bool end)
{
    bool last = http1->draining && http1->owed == 0;
    if (http1->continue_due || last || !rest_is_short(http1, stream))
        http1->keep_alive = false; /* continue_due: whether the body follows is not known */
    put_status(http1, head->status);
    put_date(http1, &head->fields);
    put_fields(http1, &head->fields, false);
    frame_response(http1, stream, head, end);
    if (!http1->keep_alive)
        put_text(http1, "connection: close\r\n");
    else if (stream->old)
        put_text(http1, "connection: keep-alive\r\n");
    put_text(http1, "\r\n");
    stream->head_sent = true;
    http1->continue_due = false;
}

void http1_send_head(HttpStream *base, const HttpHead *head, bool end)
{
    Http1 *http1 = http1_of(base->connection);
    Http1Stream *stream = (Http1Stream *)base;
    if (stream->over || stream->silent || stream->head_sent || http1->base.client)
        return;
    if (head->status == 101 && stream->wants_upgrade)
        send_switch(http1, stream, head);
    else if (head->status < 200)
        send_interim(http1, stream, head);
    else
        send_final(http1, stream, head, end);
    http_connection_wake(&http1->base);
    if (end && stream->head_sent)
        http1_send_end(base, NULL);
}

void http1_send_body(HttpStream *base, Bytes piece)
{
    Http1 *http1 = http1_of(base->connection);
    Http1Stream *stream = (Http1Stream *)base;
    if (stream->over || stream->silent || !stream->head_sent || stream->ended)
        return;
    char size_line[24];
    switch (stream->framing) {
    case HTTP1_NO_BODY: return;
    case HTTP1_LENGTH:
        piece = bytes_slice(piece, 0, stream->left < SIZE_MAX ? (size_t)stream->left : SIZE_MAX);
        stream->left -= piece.size;
        put(http1, piece);
        break;
    case HTTP1_CHUNKED:
        put(http1, bytes(size_line, (size_t)sprintf(size_line, "%zx\r\n", piece.size)));
        put(http1, piece);
        put_text(http1, "\r\n");
        break;
    case HTTP1_UNTIL_CLOSE: put(http1, piece); break;
    }
    http1->base.progress += piece.size;
    stream->above_high |= http1->out.size > http1->base.limits.queue_high;
    http_connection_wake(&http1->base);
}

static void put_trailers(Http1 *http1, const Fields *trailers)
{
    for (uint32_t i = 0; i < trailers->n; i++) {
        const Field *field = &trailers->items[i];
        if (http_may_go_out(field) && !http_is_barred_from_trailers(field->name))
            put_field(http1, field->name, field->value);
    }
}

void http1_send_end(HttpStream *base, const Fields *trailers)
{
    Http1 *http1 = http1_of(base->connection);
    Http1Stream *stream = (Http1Stream *)base;
    if (stream->over || stream->silent || !stream->head_sent || stream->ended)
        return;
    stream->ended = true;
    if (stream->framing == HTTP1_CHUNKED) {
        put_text(http1, "0\r\n");
        if (trailers && stream->takes_trailers && !http1->base.client)
            put_trailers(http1, trailers);
        put_text(http1, "\r\n");
    } else if (http1->reading == HTTP1_READ_TUNNEL) {
        /* the owner shuts down the socket: http_connection_half_closed */
    } else if (stream->framing == HTTP1_UNTIL_CLOSE ||
               (stream->framing == HTTP1_LENGTH && stream->left)) {
        http1->keep_alive = false; /* closing ends the body, or shows that it is incomplete */
        http1_close_after_output(http1);
    }
    http1->answered = http1->put_in;
    http_connection_wake(&http1->base);
    http1_exchange_check(http1);
}

void http1_write_request(Http1Stream *stream, const HttpHead *head, bool end)
{
    Http1 *http1 = http1_of(stream->base.connection);
    put(http1, head->method);
    put_text(http1, " ");
    put(http1, head->path);
    put_text(http1, " HTTP/1.1\r\n");
    put_field(http1, bytes_of("host"), head->authority);
    put_fields(http1, &head->fields, true);
    if (head->upgrade)
        put_upgrade(http1, head);
    stream->framing = HTTP1_NO_BODY;
    if (head->content_length >= 0 && !(end && head->content_length > 0)) {
        put_length(http1, (uint64_t)head->content_length);
        stream->left = (uint64_t)head->content_length;
        stream->framing = HTTP1_LENGTH;
    } else if (!end) {
        put_text(http1, "transfer-encoding: chunked\r\n");
        stream->framing = HTTP1_CHUNKED;
    } else if (!bytes_are(head->method, "GET") && !bytes_are(head->method, "HEAD") &&
               !bytes_are(head->method, "DELETE") && !bytes_are(head->method, "OPTIONS")) {
        put_length(http1, 0);
    }
    put_text(http1, "\r\n");
    stream->head_sent = true;
    stream->ended = end;
    http_connection_wake(&http1->base);
}

void http1_write_refusal(Http1 *http1, const Http1Refusal *why, const HttpHead *head)
{
    char text[256], type[64];
    Fields fields = http_connection_refusal(&http1->base, why->status, head, why->detail);
    size_t size = http_problem_text(why->status, why->detail, text, sizeof text);
    put_status(http1, why->status);
    put_date(http1, &fields);
    put_fields(http1, &fields, false);
    put(http1, bytes(type, (size_t)sprintf(type, "content-type: %s\r\n", HTTP_PROBLEM_TYPE)));
    put_text(http1, "x-content-type-options: nosniff\r\n");
    put_length(http1, size);
    put_text(http1, "connection: close\r\n\r\n");
    put(http1, bytes(text, size));
    http_connection_wake(&http1->base);
}
