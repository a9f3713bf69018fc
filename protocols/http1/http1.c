#include "protocols/http1/http1.h"

#include "base/arena.h"

#include <stdlib.h>

enum { CONNECTION_MEMORY = 4 * 1024 /* Http1, one stream, and small chunks */ };

/* What waits is the connection's again. */
static void charge_connection(Http1 *http1)
{
    if (http1->out.tally == &http1->base.tally)
        return;
    http_queue_count(&http1->out, &http1->base.tally);
    tally_charge(http1->tally, NULL);
    free(http1->tally);
    http1->tally = NULL;
}

Http1Stream *http1_stream_new(Http1 *http1)
{
    charge_connection(http1);
    Http1Stream *stream = malloc(sizeof *stream);
    CHECK(stream);
    *stream = (Http1Stream){
        .base = {.connection = &http1->base},
        .older = http1->streams,
        .began = http1->put_in,
    };
    if (http1->streams)
        http1->streams->newer = stream;
    http1->streams = stream;
    return stream;
}

static void stream_unlink(Http1 *http1, Http1Stream *stream)
{
    if (stream->newer)
        stream->newer->older = stream->older;
    else
        http1->streams = stream->older;
    if (stream->older)
        stream->older->newer = stream->newer;
    stream->newer = stream->older = NULL;
}

/* Frees a stream that is over and released. */
static void stream_put_away(Http1 *http1, Http1Stream *stream)
{
    stream_unlink(http1, stream);
    free(stream);
}

/* The owner looks at the capacity after it has fed the connection; else it is told. */
static void note_capacity(Http1 *http1)
{
    if (http1->base.client && !http1->feeding)
        http_connection_wake(&http1->base);
}

void http1_close_after_output(Http1 *http1)
{
    http1->closing = true;
    http1->keep_alive = false;
    http1->reading = HTTP1_READ_NOTHING;
    http1_forget_held(http1);
    http_connection_wake(&http1->base);
}

/* The current exchange is over; its owner may still hold the stream. */
static void exchange_end(Http1 *http1)
{
    Http1Stream *stream = http1->stream;
    http1->stream = NULL;
    stream->over = true;
    if (stream->released)
        stream_put_away(http1, stream);
    if (http1->base.client || !http1->out.size)
        charge_connection(http1);
    note_capacity(http1);
}

/* Whether the exchange waits for the rest of the peer's side: a response, the other direction of a
   tunnel, or the rest of a request if the connection is kept (it is short then: send_final). */
static bool waits_for_peer(const Http1 *http1)
{
    return !http1->stream->read_all &&
           (http1->base.client || http1->keep_alive || http1->reading == HTTP1_READ_TUNNEL);
}

void http1_exchange_check(Http1 *http1)
{
    Http1Stream *stream = http1->stream;
    if (!stream || !stream->ended)
        return;
    if (http1->closing) {
        bool tunnel = stream->framing == HTTP1_UNTIL_CLOSE;
        if (!http1->base.client || stream->read_all || tunnel)
            exchange_end(http1);
        return;
    }
    if (waits_for_peer(http1))
        return;
    exchange_end(http1);
    bool last = http1->draining && http1->base.client;
    if (!http1->keep_alive || last || (http1->ended && !http1->owed)) {
        http1_close_after_output(http1);
        return;
    }
    http1->reading = HTTP1_READ_HEAD;
    http1->seen = 0;
    if (http1->held_size)
        http_connection_wake(&http1->base); /* http1_output reads the next request */
}

/* Whether the owner has all that it waits for. */
static bool is_complete(const Http1 *http1, const Http1Stream *stream)
{
    if (http1->base.client)
        return stream->read_all;
    return stream->ended && (!stream->tunnel || stream->read_all);
}

/* The last event of the exchange. */
void http1_exchange_fail(Http1 *http1, Result why)
{
    Http1Stream *stream = http1->stream;
    if (!stream)
        return;
    bool tell = stream->base.events && !stream->silent;
    if (is_complete(http1, stream))
        tell = false; /* nothing was lost */
    stream->silent = true;
    if (tell && stream->base.events->on_reset)
        stream->base.events->on_reset(stream->base.owner, &stream->base, why);
    if (http1->stream == stream)
        exchange_end(http1);
}

static Result http1_feed(HttpConnection *base, Bytes input, int64_t now)
{
    Http1 *http1 = http1_of(base);
    (void)now;
    if (http1->dead || http1->reading == HTTP1_READ_NOTHING)
        return OK;
    http1->feeding = true;
    Result r = http1_read(http1, input);
    http1->feeding = false;
    return r;
}

/* No byte of the request has reached the socket, so no instance can have processed it. */
static bool is_untouched(const Http1 *http1)
{
    return http1->base.client && http1->stream && http1->gone <= http1->stream->began;
}

static Result connection_gone(Http1 *http1)
{
    Arena *arena = http_connection_errors(&http1->base);
    if (!http1->base.client)
        return FAIL(arena, FAULT_CANCELLED, "the client closed the connection");
    if (is_untouched(http1))
        return FAIL(arena, FAULT_UPSTREAM_REFUSED, "the connection closed before it was used");
    return FAIL(arena, FAULT_UPSTREAM_RESET, "the service closed the connection");
}

/* After a response without "Connection: close" the client may have sent another request. So the
   next response has "Connection: close"; if pipelined requests have arrived already, the response
   to the last of them has it (http1_write.c: send_final). */
static void http1_drain(HttpConnection *base)
{
    Http1 *http1 = http1_of(base);
    if (!http1->draining)
        http1->owed = http1->held_size;
    http1->draining = true;
    if (base->client && !http1->stream && !http1->closing)
        http1_close_after_output(http1);
    note_capacity(http1);
}

/* There is no more input, and it does not end where a request does. */
static void end_unfinished(Http1 *http1)
{
    http1_close_after_output(http1);
    if (http1->stream)
        http1_exchange_fail(http1, connection_gone(http1));
}

/* The request is complete, and the response is not. */
static void go_on_without_input(Http1 *http1)
{
    http1->ended = true;
    http1_drain(&http1->base);
    http1_write_probe(http1);
}

static void http1_eof(HttpConnection *base)
{
    Http1 *http1 = http1_of(base);
    if (http1->dead || http1->reading == HTTP1_READ_NOTHING)
        return;
    Http1Stream *stream = http1->stream;
    Fields none = fields_in(http1->arena);
    bool complete = http1->reading == HTTP1_READ_WAIT && stream && !base->client;
    if (complete && !stream->wants_upgrade) {
        go_on_without_input(http1);
        return;
    }
    if (http1->reading == HTTP1_READ_TUNNEL) {
        http1_tell_end(http1, &none);
        if (http1->stream)
            http1->reading = HTTP1_READ_NOTHING;
        return;
    }
    if (stream && http1->reading == HTTP1_READ_BODY && http1->body.framing == HTTP1_UNTIL_CLOSE) {
        http1->keep_alive = false;
        http1_tell_end(http1, &none);
        if (!http1->closing)
            http1_close_after_output(http1);
        return;
    }
    end_unfinished(http1);
}

static void http1_lost(HttpConnection *base, Result why)
{
    Http1 *http1 = http1_of(base);
    http1->dead = true;
    http1->reading = HTTP1_READ_NOTHING;
    http1_forget_held(http1);
    if (!http1->stream)
        return;
    if (is_untouched(http1))
        why = FAIL_OVER(http_connection_errors(base), why, FAULT_UPSTREAM_REFUSED,
                        "the connection was lost before it was used");
    http1_exchange_fail(http1, why);
}

static void tell_drain(Http1 *http1)
{
    Http1Stream *stream = http1->stream;
    if (!stream || !stream->above_high || http1->out.size > http1->base.limits.queue_low)
        return;
    stream->above_high = false;
    if (stream->base.events && !stream->silent && stream->base.events->on_drain)
        stream->base.events->on_drain(stream->base.owner, &stream->base);
}

static int http1_output(HttpConnection *base, struct iovec *vectors, int n)
{
    Http1 *http1 = http1_of(base);
    if (http1->dead)
        return 0;
    tell_drain(http1);
    if (http1->held_size && http1->reading != HTTP1_READ_WAIT && !http1->closing)
        error_ignore(http1_read_held(http1), "the response has it, and the owner sees the phase");
    if (http1->ended && (http1->reading == HTTP1_READ_HEAD || http1->reading == HTTP1_READ_BODY))
        end_unfinished(http1);
    return http_queue_vectors(&http1->out, vectors, n, 256 * 1024);
}

static void http1_sent(HttpConnection *base, size_t size)
{
    Http1 *http1 = http1_of(base);
    http_queue_drop(&http1->out, size);
    http1->gone += size;
    if (http1->stream && http1->stream->above_high &&
        http1->out.size <= http1->base.limits.queue_low)
        http_connection_wake(base);
    if (http1->out.size == 0 && !http1->stream) { /* an idle connection holds no memory */
        charge_connection(http1);
        arena_free(http1->arena);
        http1->arena = NULL;
    }
}

static void http1_timeout(HttpConnection *base)
{
    Http1 *http1 = http1_of(base);
    if (http1->dead || http1->closing)
        return;
    static const Http1Refusal late_head = {
        &FAULT_REQUEST_TIMEOUT, 408,
        "the head of the request did not arrive in time (limits.head_time)"};
    static const Http1Refusal late_body = {
        &FAULT_REQUEST_TIMEOUT, 408,
        "the body of the request did not arrive in time (limits.body_time)"};
    http1_forget_held(http1);
    error_ignore(http1_refuse(http1, http1->stream ? &late_body : &late_head, NULL),
                 "the stream was notified, and the owner sees the phase");
}

static Result http1_shed_head(HttpConnection *base)
{
    return http1_refuse_head(http1_of(base), &FAULT_MEMORY_SHARE);
}

static HttpPhase http1_phase(const HttpConnection *base)
{
    const Http1 *http1 = (const Http1 *)base;
    if (http1->dead)
        return HTTP_CLOSED;
    if (http1->closing && (!http1->stream || http1->stream->ended))
        return http1->out.size ? HTTP_CLOSING : HTTP_CLOSED;
    if (!http1->stream)
        return http1->held_size && !base->client ? HTTP_HEAD : HTTP_IDLE;
    if (http1->reading == HTTP1_READ_BODY && !base->client &&
        http1->stream->unconsumed < base->limits.stream_window)
        return HTTP_BODY;
    return HTTP_ACTIVE;
}

static bool http1_wants_input(const HttpConnection *base)
{
    const Http1 *http1 = (const Http1 *)base;
    if (http1->dead || http1->reading == HTTP1_READ_NOTHING)
        return false;
    if (http1->reading == HTTP1_READ_WAIT)
        return http1->held_size < base->limits.head_bytes;
    return !http1->stream || http1->stream->unconsumed < base->limits.stream_window;
}

static bool http1_owes(const HttpConnection *base, size_t pending)
{
    const Http1 *http1 = (const Http1 *)base;
    return http1->answered && http1->answered + pending > http1->gone;
}

static uint32_t http1_streams(const HttpConnection *base)
{
    return ((const Http1 *)base)->stream != NULL;
}

static uint32_t http1_capacity(const HttpConnection *base)
{
    const Http1 *http1 = (const Http1 *)base;
    return base->client && !http1->stream && !http1->draining && !http1->closing && !http1->dead;
}

static bool http1_going(const HttpConnection *base)
{
    const Http1 *http1 = (const Http1 *)base;
    return http1->draining || http1->closing || http1->dead;
}

static bool http1_half_closed(const HttpConnection *base)
{
    const Http1 *http1 = (const Http1 *)base;
    return http1->reading == HTTP1_READ_TUNNEL && http1->stream && http1->stream->ended;
}

static HttpStream *http1_open(HttpConnection *base, const HttpHead *head, bool end,
                              const HttpStreamEvents *events, void *owner)
{
    Http1 *http1 = http1_of(base);
    Http1Stream *stream = http1->stream = http1_stream_new(http1);
    stream->base.events = events;
    stream->base.owner = owner;
    stream->head_request = bytes_are(head->method, "HEAD");
    stream->wants_upgrade = head->upgrade;
    http1->keep_alive = true;
    http1->reading = HTTP1_READ_HEAD;
    http1->seen = 0;
    http1_write_request(stream, head, end);
    return &stream->base;
}

static size_t http1_queued(const HttpStream *base)
{
    const Http1Stream *stream = (const Http1Stream *)base;
    return stream->over ? 0 : http1_of(base->connection)->out.size;
}

static void http1_consume(HttpStream *base, size_t n)
{
    Http1 *http1 = http1_of(base->connection);
    Http1Stream *stream = (Http1Stream *)base;
    bool held_back = !http1_wants_input(&http1->base);
    stream->unconsumed -= n < stream->unconsumed ? n : stream->unconsumed;
    if (held_back && http1_wants_input(&http1->base))
        http_connection_wake(&http1->base); /* the owner resumes reading */
}

/* In HTTP/1.1 aborting an exchange ends the connection. */
static void http1_cut(HttpStream *base, uint32_t http2_error)
{
    Http1 *http1 = http1_of(base->connection);
    Http1Stream *stream = (Http1Stream *)base;
    (void)http2_error;
    if (stream->over || stream->silent)
        return;
    stream->silent = true;
    http1_close_after_output(http1);
    exchange_end(http1);
}

static void http1_reset(HttpStream *base, uint32_t http2_error)
{
    Http1 *http1 = http1_of(base->connection);
    Http1Stream *stream = (Http1Stream *)base;
    bool responded = !http1->base.client && stream->ended;
    if (!stream->over && !stream->silent && !responded)
        http_queue_clear(&http1->out);
    http1_cut(base, http2_error);
}

static void http1_charge(HttpStream *base, Account *account)
{
    Http1 *http1 = http1_of(base->connection);
    if (http1->stream != (Http1Stream *)base)
        return;
    if (!http1->tally)
        http1->tally = calloc(1, sizeof *http1->tally);
    CHECK(http1->tally);
    http1->tally->to_instance = http1->base.client;
    tally_charge(http1->tally, account);
    http_queue_count(&http1->out, http1->tally);
}

static void http1_release(HttpStream *base)
{
    Http1 *http1 = http1_of(base->connection);
    Http1Stream *stream = (Http1Stream *)base;
    stream->released = true;
    base->events = NULL;
    if (stream->over) {
        stream_put_away(http1, stream);
        return;
    }
    http1_consume(base, stream->unconsumed);
    bool complete = stream->ended && (!http1->base.client || stream->read_all);
    if (!complete)
        http1_reset(base, 0);
}

static void http1_destroy(HttpConnection *base)
{
    Http1 *http1 = http1_of(base);
    if (http1->stream)
        exchange_end(http1);
    for (Http1Stream *stream = http1->streams; stream; stream = stream->older)
        stream->base.connection = NULL; /* its owner frees it by releasing it */
    free(http1->held);
    http_queue_clear(&http1->out);
    charge_connection(http1);
    arena_free(http1->arena);
    http_connection_deinit(base);
    free(http1);
}

static const HttpEngine http1_engine = {
    .feed = http1_feed,
    .eof = http1_eof,
    .lost = http1_lost,
    .output = http1_output,
    .sent = http1_sent,
    .drain = http1_drain,
    .timeout = http1_timeout,
    .holds_head = http1_holds_head,
    .shed_head = http1_shed_head,
    .phase = http1_phase,
    .wants_input = http1_wants_input,
    .streams = http1_streams,
    .owes = http1_owes,
    .capacity = http1_capacity,
    .going = http1_going,
    .half_closed = http1_half_closed,
    .destroy = http1_destroy,
    .open = http1_open,
    .send_head = http1_send_head,
    .send_body = http1_send_body,
    .send_end = http1_send_end,
    .queued = http1_queued,
    .consume = http1_consume,
    .reset = http1_reset,
    .cut = http1_cut,
    .charge = http1_charge,
    .release = http1_release,
};

static HttpConnection *http1_new(const HttpLimits *limits, bool client, bool secure,
                                 const HttpConnectionEvents *events, void *owner)
{
    Http1 *http1 = calloc(1, sizeof *http1);
    CHECK(http1);
    http_connection_init(&http1->base, &http1_engine, limits, client, secure, events, owner);
    http1->keep_alive = true;
    http1->out.tally = &http1->base.tally;
    http_connection_hold(&http1->base, CONNECTION_MEMORY);
    return &http1->base;
}

HttpConnection *http1_server_new(const HttpLimits *limits, bool secure,
                                 const HttpConnectionEvents *events, void *owner)
{
    return http1_new(limits, false, secure, events, owner);
}

HttpConnection *http1_client_new(const HttpLimits *limits, bool secure,
                                 const HttpConnectionEvents *events, void *owner)
{
    return http1_new(limits, true, secure, events, owner);
}
