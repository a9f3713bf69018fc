#include "tests/unit/protocols/http/http_pair.h"

#include <stdio.h>

static void begin_line(Side *side)
{
    if (side->in_body)
        buffer_add_byte(&side->log, '\n');
    side->in_body = false;
}

static void log_fields(Side *side, const Fields *fields)
{
    for (uint32_t i = 0; i < fields->n; i++)
        buffer_printf(&side->log, "  %.*s: %.*s\n", BYTES_ARGS(fields->items[i].name),
                      BYTES_ARGS(fields->items[i].value));
}

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    Side *side = owner;
    begin_line(side);
    if (head->status)
        buffer_printf(&side->log, "answer %u", head->status);
    else
        buffer_printf(&side->log, "request %.*s %.*s://%.*s %.*s", BYTES_ARGS(head->method),
                      BYTES_ARGS(head->scheme), BYTES_ARGS(head->authority),
                      BYTES_ARGS(head->path));
    if (head->content_length >= 0)
        buffer_printf(&side->log, " length %d", (int)head->content_length);
    if (head->upgrade)
        buffer_add_text(&side->log, " upgrade");
    buffer_add_text(&side->log, end ? " end\n" : "\n");
    log_fields(side, &head->fields);
    if (side->on_head)
        side->on_head(side, stream, head);
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    Side *side = owner;
    if (!side->in_body)
        buffer_add_text(&side->log, "body ");
    side->in_body = true;
    buffer_add_bytes(&side->log, piece);
    if (side->on_body)
        side->on_body(side, stream, piece);
    if (!side->keeps && side->stream)
        http_stream_consume(stream, piece.size);
}

void side_release(Side *side, HttpStream *stream)
{
    if (side->stream == stream)
        side->stream = NULL;
    for (int i = 0; i < 8; i++) {
        if (side->former[i] == stream)
            side->former[i] = NULL;
    }
    http_stream_release(stream);
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    Side *side = owner;
    begin_line(side);
    buffer_add_text(&side->log, "end\n");
    log_fields(side, trailers);
    if (side->on_end)
        side->on_end(side, stream);
    if (side->releases)
        side_release(side, stream);
}

static void on_drain(void *owner, HttpStream *stream)
{
    Side *side = owner;
    begin_line(side);
    buffer_add_text(&side->log, "drain\n");
    if (side->on_drain)
        side->on_drain(side, stream);
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    Side *side = owner;
    begin_line(side);
    buffer_printf(&side->log, "reset %s\n", why.error->fault->name);
    snprintf(side->why, sizeof side->why, "%s", why.error->doing);
    if (side->releases)
        side_release(side, stream);
}

static void on_interim(void *owner, HttpStream *stream, const HttpHead *head)
{
    Side *side = owner;
    begin_line(side);
    buffer_printf(&side->log, "interim %u\n", head->status);
    log_fields(side, &head->fields);
}

const HttpStreamEvents side_stream_events = {on_head,  on_body,  on_end,
                                             on_drain, on_reset, on_interim};

static void on_stream(void *owner, HttpConnection *connection, HttpStream *stream,
                      const HttpHead *head)
{
    Side *side = owner;
    if (side->on_stream && side->on_stream(side, stream, head))
        return;
    int i = 0;
    while (side->stream && side->former[i])
        i++;
    side->former[i] = side->stream;
    side->stream = stream;
    http_stream_attach(stream, &side_stream_events, side);
}

static void on_output(void *owner, HttpConnection *connection)
{
    Side *side = owner;
    side->outputs++;
}

static Fields on_refusal(void *owner, HttpConnection *connection, unsigned status,
                         const HttpHead *head, const char *why)
{
    Side *side = owner;
    side->refusals++;
    snprintf(side->refusal, sizeof side->refusal, "%u %s", status, why);
    return (Fields){0};
}

static const HttpConnectionEvents side_events = {on_stream, on_output, on_refusal};

void side_begin(Side *side, HttpMaker *maker, const HttpLimits *limits)
{
    side->arena = arena_new(ARENA_UNLIMITED);
    side->log = buffer_in(side->arena);
    side->wire = buffer_in(side->arena);
    side->connection = maker(limits ? limits : &http_limits_default, false, &side_events, side);
}

void side_end(Side *side)
{
    http_connection_lost(side->connection,
                         FAIL(side->arena, FAULT_SYSTEM, "the test closes the connection"));
    http_connection_free(side->connection);
    if (side->stream)
        http_stream_release(side->stream); /* it outlives its connection */
    for (int i = 0; i < 8; i++) {
        if (side->former[i])
            http_stream_release(side->former[i]);
    }
    arena_free(side->arena);
}

void side_take_output(Side *side)
{
    struct iovec vectors[8];
    int n;
    while ((n = http_connection_output(side->connection, vectors, 8)) > 0) {
        size_t size = 0;
        for (int i = 0; i < n; i++) {
            buffer_add(&side->wire, vectors[i].iov_base, vectors[i].iov_len);
            size += vectors[i].iov_len;
        }
        http_connection_sent(side->connection, size);
    }
}

Result side_feed(Side *side, Bytes input)
{
    Result r = http_connection_feed(side->connection, input, 1);
    side_take_output(side);
    return r;
}

Result side_feed_text(Side *side, const char *text)
{
    return side_feed(side, bytes_of(text));
}

/* Takes some output of one and feeds it to the other. The piece is copied to its exact size, so
   that reading past it is noticed. */
static bool move(Side *from, Side *to)
{
    struct iovec vectors[4];
    int n = http_connection_output(from->connection, vectors, 4);
    if (n == 0)
        return false;
    size_t size = 0;
    for (int i = 0; i < n; i++)
        size += vectors[i].iov_len;
    uint8_t *copy = test_malloc(size), *at = copy;
    for (int i = 0; i < n; i++) {
        memcpy(at, vectors[i].iov_base, vectors[i].iov_len);
        at += vectors[i].iov_len;
    }
    http_connection_sent(from->connection, size);
    Result r = http_connection_feed(to->connection, bytes(copy, size), 1);
    if (failed(r))
        buffer_printf(&to->log, "broken %s\n", error_text(to->arena, r));
    test_free(copy);
    return true;
}

void sides_pump(Side *a, Side *b)
{
    bool moved = true;
    while (moved) {
        moved = move(a, b);
        moved |= move(b, a);
    }
}

const char *side_log(Side *side)
{
    begin_line(side);
    return arena_text(side->arena, buffer_bytes(&side->log));
}

void side_forget(Side *side)
{
    side->in_body = false;
    side->log.size = 0;
    side->wire.size = 0;
}

const char *side_wire(Side *side)
{
    return arena_text(side->arena, buffer_bytes(&side->wire));
}

static Fields fields_from(Side *side, const char *lines)
{
    Fields fields = fields_in(side->arena);
    Bytes rest = bytes_of(lines), line;
    while (bytes_split(&rest, '\n', &line)) {
        size_t colon = bytes_find(line, ':');
        if (colon < line.size)
            fields_add(&fields, bytes_slice(line, 0, colon),
                       bytes_trim(bytes_slice(line, colon + 1, SIZE_MAX)));
    }
    return fields;
}

HttpStream *side_open(Side *side, const char *method, const char *path, const char *fields,
                      int64_t length, bool end)
{
    HttpHead head = {
        .method = bytes_of(method),
        .authority = bytes_of("example.com"),
        .path = bytes_of(path),
        .content_length = length,
        .fields = fields_from(side, fields),
    };
    head.upgrade = fields_get(&head.fields, "upgrade").data != NULL;
    side->stream = http_stream_open(side->connection, &head, end, &side_stream_events, side);
    return side->stream;
}

void side_send_head(Side *side, HttpStream *stream, unsigned status, const char *fields,
                    int64_t length, bool end)
{
    HttpHead head = {
        .status = (uint16_t)status,
        .content_length = length,
        .fields = fields_from(side, fields),
    };
    http_stream_send_head(stream, &head, end);
}

void side_send_trailers(Side *side, HttpStream *stream, const char *fields)
{
    Fields trailers = fields_from(side, fields);
    http_stream_send_end(stream, &trailers);
}

void side_answer_ok(Side *side, HttpStream *stream)
{
    side_send_head(side, stream, 200, "content-type: text/plain", 2, false);
    http_stream_send_body(stream, bytes_of("ok"));
    http_stream_send_end(stream, NULL);
}
