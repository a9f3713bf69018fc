#include "protocols/http2/http2.h"

#include <stdlib.h>

enum {
    OUT_MOST = 256 * 1024, /* bytes framed ahead of the socket */
    SPARE_STREAMS = 64,
    BURST = 4,         /* seconds' worth of resets and control frames that a peer may use at once */
    ACKS_LEAST = 1000, /* that may wait to be sent; nghttp2's own default */
    RESETTING_MOST =
        1024, /* streams of which an instance that reads nothing need not know that they are over */
    QUEUED_MOST = 256,     /* frames that wait to be sent; see http2_wants_input */
    HEAD_PIECE = 1024,     /* an endless head may not come in smaller frames */
    HEAD_PIECES_LEAST = 8, /* nghttp2's own default */
};

static const uint8_t DRAIN_PING[8] = {'d', 'r', 'a', 'i', 'n', 0, 0, 0};
static const uint8_t LINGER_PING[8] = {'l', 'i', 'n', 'g', 'e', 'r', 0, 0};

/* nghttp2 puts out a PING before all else that waits: it must not be there before the notice is
   gone. */
void http2_ping_behind_notice(Http2 *http2)
{
    if (http2->draining && !http2->base.client && !http2->going)
        nghttp2_submit_ping(http2->session, NGHTTP2_FLAG_NONE, DRAIN_PING);
}

bool http2_is_drain_ping(const uint8_t *opaque)
{
    return memcmp(opaque, DRAIN_PING, sizeof DRAIN_PING) == 0;
}

static void list_add(Http2List *list, Http2Stream *stream)
{
    stream->older = list->newest;
    stream->newer = NULL;
    if (list->newest)
        list->newest->newer = stream;
    list->newest = stream;
}

static void list_remove(Http2List *list, Http2Stream *stream)
{
    if (stream->newer)
        stream->newer->older = stream->older;
    else
        list->newest = stream->older;
    if (stream->older)
        stream->older->newer = stream->newer;
}

Http2Stream *http2_stream_new(Http2 *http2)
{
    Http2Stream *stream = http2->spare;
    if (stream) {
        http2->spare = stream->older;
        http2->n_spare--;
    } else {
        stream = malloc(sizeof *stream);
        CHECK(stream);
    }
    *stream = (Http2Stream){
        .base = {.connection = &http2->base},
        .began = UINT64_MAX,
        .answered = UINT64_MAX,
        .opened = http2->now,
    };
    list_add(&http2->live, stream);
    http2->open++;
    return stream;
}

static void forget_due(Http2 *http2, Http2Stream *stream)
{
    Http2Stream **at = &http2->due;
    while (*at != stream)
        at = &(*at)->next_due;
    *at = stream->next_due;
    stream->due = false;
}

/* Nobody needs it any more. */
static void stream_put_away(Http2 *http2, Http2Stream *stream)
{
    list_remove(&http2->ended, stream);
    if (stream->due)
        forget_due(http2, stream);
    if (http2->n_spare == SPARE_STREAMS) {
        free(stream);
        return;
    }
    stream->older = http2->spare;
    http2->spare = stream;
    http2->n_spare++;
}

void http2_drop_unsent(Http2 *http2, Http2Stream *stream)
{
    http_queue_clear(&stream->queue);
    if (stream->trailers)
        http_chunk_give(stream->trailers);
    stream->trailers = NULL;
}

void http2_stream_closed(Http2 *http2, Http2Stream *stream)
{
    stream->closed = true;
    http2->open--;
    http2->lingering -= stream->lingers;
    http2->resetting -= stream->resetting;
    http2->capacity_due = http2->base.client;
    list_remove(&http2->live, stream);
    list_add(&http2->ended, stream);
    http2_drop_unsent(http2, stream);
    if (stream->submitted) /* nghttp2 does not frame what belongs to a closed stream */
        http_chunk_give(stream->submitted);
    stream->submitted = NULL;
    if (stream->released)
        stream_put_away(http2, stream);
}

/* One PING at a time stands for all streams that began to linger before it. */
static void send_linger_ping(Http2 *http2)
{
    if (http2->linger_ping)
        return;
    bool some = false;
    for (Http2Stream *stream = http2->live.newest; stream; stream = stream->older) {
        stream->pinged = stream->lingers && !stream->bounded;
        some |= stream->pinged;
    }
    http2->linger_ping =
        some && nghttp2_submit_ping(http2->session, NGHTTP2_FLAG_NONE, LINGER_PING) == 0;
}

void http2_linger(Http2 *http2, Http2Stream *stream)
{
    stream->lingers = true;
    http2->lingering++;
    if (!stream->bounded)
        send_linger_ping(http2);
}

void http2_linger_answered(Http2 *http2, const uint8_t *opaque)
{
    if (!http2->linger_ping || memcmp(opaque, LINGER_PING, sizeof LINGER_PING) != 0)
        return;
    for (Http2Stream *stream = http2->live.newest; stream; stream = stream->older) {
        if (!stream->pinged)
            continue;
        http2_submit_reset(http2, stream, NGHTTP2_NO_ERROR);
        stream->bounded = true; /* no further PING for it */
    }
    http2->linger_ping = false;
    send_linger_ping(http2);
}

void http2_wake(Http2 *http2)
{
    if (!http2->busy)
        http_connection_wake(&http2->base);
}

void http2_gather(Http2 *http2)
{
    while (!http2->over && http2->out.size < OUT_MOST) {
        const uint8_t *data;
        ssize_t size = nghttp2_session_mem_send(http2->session, &data);
        if (size < 0)
            http2->failed = true;
        if (size <= 0)
            return;
        http_queue_add(&http2->out, bytes(data, (size_t)size));
        http2->put_in += (size_t)size;
    }
}

/* The last event of a stream that its connection takes along. */
static void tell_reset(Http2 *http2, Http2Stream *stream, Result why)
{
    const HttpStreamEvents *events = stream->base.events;
    bool complete = http2->base.client ? stream->remote_ended : stream->end_sent;
    if (!events || stream->silent || complete)
        return;
    stream->silent = true;
    if (!events->on_reset)
        return;
    if (http2->base.client && http2->gone <= stream->began) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        events->on_reset(stream->base.owner, &stream->base,
                         FAIL_OVER(arena, why, FAULT_UPSTREAM_REFUSED,
                                   "the connection was lost before the call was sent"));
        arena_free(arena);
    } else {
        events->on_reset(stream->base.owner, &stream->base, why);
    }
}

/* Every stream hears that it is over. Owners may release any of them meanwhile. */
static void fail_streams(Http2 *http2, Result why)
{
    http2->over = true;
    while (http2->live.newest) {
        Http2Stream *stream = http2->live.newest;
        bool released = stream->released;
        http2_stream_closed(http2, stream);
        if (!released)
            tell_reset(http2, stream, why);
    }
}

static void tell_drains(Http2 *http2)
{
    while (http2->due) {
        Http2Stream *stream = http2->due;
        http2->due = stream->next_due;
        stream->due = false;
        const HttpStreamEvents *events = stream->base.events;
        if (events && events->on_drain && !stream->silent && !stream->closed)
            events->on_drain(stream->base.owner, &stream->base);
    }
}

static void tell_capacity(Http2 *http2)
{
    if (!http2->capacity_due)
        return;
    http2->capacity_due = false;
    if (http2->base.events->on_capacity)
        http2->base.events->on_capacity(http2->base.owner, &http2->base);
}

/* Ends the session with GOAWAY and everything that it carries. */
static Result break_off(Http2 *http2, const char *reason)
{
    const Fault *fault = http2->base.client ? &FAULT_UPSTREAM_PROTOCOL : &FAULT_PROTOCOL_VIOLATION;
    Result r = error_new(http_connection_errors(&http2->base), fault, OK, NULL, __FILE__, __LINE__,
                         "reading HTTP/2: %s", reason);
    fail_streams(http2, r);
    return r;
}

static void terminate(Http2 *http2, uint32_t code)
{
    if (nghttp2_session_terminate_session(http2->session, code) == 0)
        http2_gather(http2);
}

static void rest(Http2 *http2)
{
    if (http2->open || http2->out.size || http2->in.open)
        return;
    arena_free(http2->in.arena);
    http2->in.arena = NULL;
}

/* Nothing is at work any more, and nothing new will be. */
static bool is_finished(const Http2 *http2)
{
    return http2->over || (http2->going && http2->open == http2->lingering);
}

static Result http2_feed(HttpConnection *base, Bytes input, int64_t now)
{
    Http2 *http2 = http2_of(base);
    Result r = OK;
    if (http2->over || input.size == 0)
        return OK;
    http2->busy = true;
    http2->now = now;
    http2->some_input = true;
    uint32_t code;
    int error = http2_receive(http2, input, &code);
    if (http2->flooded || error == NGHTTP2_ERR_FLOODED)
        code = NGHTTP2_ENHANCE_YOUR_CALM;
    if (error && !code)
        code = NGHTTP2_PROTOCOL_ERROR;
    if (code)
        terminate(http2, code);
    http2_gather(http2);
    if (code)
        r = break_off(http2, code == NGHTTP2_ENHANCE_YOUR_CALM
                                 ? "the peer keeps us busy without use"
                             : error ? nghttp2_strerror(error)
                                     : nghttp2_http2_strerror(code));
    else if (http2->failed)
        r = break_off(http2, "the peer violated the protocol of the connection");
    tell_drains(http2);
    tell_capacity(http2);
    http2->busy = false;
    if (http2->out.size || is_finished(http2) || nghttp2_session_want_write(http2->session))
        http_connection_wake(base);
    rest(http2);
    return r;
}

static void http2_eof(HttpConnection *base)
{
    Http2 *http2 = http2_of(base);
    if (http2->over)
        return;
    Arena *arena = http_connection_errors(base);
    fail_streams(http2, base->client
                            ? FAIL(arena, FAULT_UPSTREAM_RESET, "the service closed the connection")
                            : FAIL(arena, FAULT_CANCELLED, "the client closed the connection"));
    http_queue_clear(&http2->out);
    http_connection_wake(base);
}

static void http2_lost(HttpConnection *base, Result why)
{
    Http2 *http2 = http2_of(base);
    http2->dead = true;
    fail_streams(http2, why);
    http_queue_clear(&http2->out);
}

static int http2_output(HttpConnection *base, struct iovec *vectors, int n)
{
    Http2 *http2 = http2_of(base);
    if (http2->dead)
        return 0;
    http2->busy = true;
    http2_gather(http2);
    if (http2->due) {
        tell_drains(http2);
        http2_gather(http2);
    }
    if (http2->failed && !http2->over)
        error_ignore(break_off(http2, "the peer violated the protocol of the connection"),
                     "each stream was notified, and the owner sees the phase");
    tell_capacity(http2);
    http2->busy = false;
    return http_queue_vectors(&http2->out, vectors, n, OUT_MOST);
}

static void http2_sent(HttpConnection *base, size_t size)
{
    Http2 *http2 = http2_of(base);
    http_queue_drop(&http2->out, size);
    http2->gone += size;
    bool more = http2->due || (!http2->over && nghttp2_session_want_write(http2->session));
    if (http2->out.size == 0 && more)
        http_connection_wake(base);
    rest(http2);
}

/* First a notice that lets requests on their way still come; the last GOAWAY follows when the peer
   has answered the PING behind it (RFC 9113 section 6.8). See on_frame in http2_receive.c. */
static void http2_drain(HttpConnection *base)
{
    Http2 *http2 = http2_of(base);
    if (http2->draining || http2->over)
        return;
    http2->draining = true;
    if (base->client) {
        http2->going = true;
        http2->capacity_due = true;
        if (http2->open == 0)
            nghttp2_session_terminate_session(http2->session, NGHTTP2_NO_ERROR);
    } else {
        nghttp2_submit_shutdown_notice(
            http2->session); /* once it is out: http2_ping_behind_notice */
    }
    http2_wake(http2);
}

static HttpPhase http2_phase(const HttpConnection *base)
{
    const Http2 *http2 = (const Http2 *)base;
    if (http2->dead)
        return HTTP_CLOSED;
    if (is_finished(http2)) {
        bool more = http2->out.size || (!http2->over && nghttp2_session_want_write(http2->session));
        return more ? HTTP_CLOSING : HTTP_CLOSED;
    }
    if (http2->in.open || (!base->client && http2->some_input && !http2->greeted))
        return HTTP_HEAD;
    return http2->open > http2->lingering ? HTTP_ACTIVE : HTTP_IDLE;
}

/* A client that takes nothing of what it is sent may not begin and end streams meanwhile: each
   leaves frames behind that wait to be sent. There are some for each stream, and a few for the
   connection. */
static bool http2_wants_input(const HttpConnection *base)
{
    const Http2 *http2 = (const Http2 *)base;
    size_t most = QUEUED_MOST + 2 * (size_t)base->limits.streams;
    return !http2->over &&
           (base->client || nghttp2_session_get_outbound_queue_size(http2->session) <= most);
}

static uint32_t http2_streams(const HttpConnection *base)
{
    return ((const Http2 *)base)->open;
}

static uint32_t http2_capacity(const HttpConnection *base)
{
    const Http2 *http2 = (const Http2 *)base;
    if (!base->client || http2->over || http2->going || http2->resetting >= RESETTING_MOST ||
        !nghttp2_session_check_request_allowed(http2->session))
        return 0;
    uint32_t most = nghttp2_session_get_remote_settings(http2->session,
                                                        NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    if (most > base->limits.streams)
        most = base->limits.streams;
    return most > http2->open ? most - http2->open : 0;
}

static bool http2_going(const HttpConnection *base)
{
    const Http2 *http2 = (const Http2 *)base;
    return http2->over || http2->going || http2->draining;
}

static bool http2_held_up(const HttpConnection *base)
{
    const Http2 *http2 = (const Http2 *)base;
    for (const Http2Stream *stream = http2->live.newest; stream; stream = stream->older) {
        if (stream->queue.size)
            return true;
    }
    return false;
}

static void http2_ping(HttpConnection *base)
{
    Http2 *http2 = http2_of(base);
    if (http2->over)
        return;
    nghttp2_submit_ping(http2->session, NGHTTP2_FLAG_NONE, NULL);
    http2_wake(http2);
}

static size_t http2_queued(const HttpStream *base)
{
    return ((const Http2Stream *)base)->queue.size;
}

/* A client has given back its part of the connection's window already: see on_data. */
static void give_back(Http2 *http2, const Http2Stream *stream, size_t n)
{
    if (!http2->base.client)
        nghttp2_session_consume_connection(http2->session, n);
    if (!stream->closed)
        nghttp2_session_consume_stream(http2->session, stream->id, n);
}

static void http2_consume(HttpStream *base, size_t n)
{
    Http2 *http2 = http2_of(base->connection);
    Http2Stream *stream = (Http2Stream *)base;
    if (n > stream->unconsumed)
        n = stream->unconsumed;
    stream->unconsumed -= n;
    if (http2->over || n == 0)
        return;
    give_back(http2, stream, n);
    if (!http2->busy && nghttp2_session_want_write(http2->session))
        http2_wake(http2);
}

/* nghttp2 and our callers name the same numbers. */
_Static_assert((int)HTTP2_ERROR_CANCEL == NGHTTP2_CANCEL &&
                   (int)HTTP2_ERROR_HTTP_1_1_REQUIRED == NGHTTP2_HTTP_1_1_REQUIRED,
               "the numbers of RFC 9113 section 7");

static void http2_reset(HttpStream *base, uint32_t http2_error)
{
    Http2 *http2 = http2_of(base->connection);
    Http2Stream *stream = (Http2Stream *)base;
    if (stream->silent)
        return;
    stream->silent = true;
    http2_submit_reset(http2, stream, http2_error);
}

static void http2_cut(HttpStream *base, uint32_t http2_error)
{
    Http2Stream *stream = (Http2Stream *)base;
    if (stream->silent || stream->queue.size == 0) {
        http2_reset(base, http2_error);
        return;
    }
    stream->silent = true;
    stream->cut = true;
    stream->cut_code = http2_error;
}

static void http2_release(HttpStream *base)
{
    Http2 *http2 = http2_of(base->connection);
    Http2Stream *stream = (Http2Stream *)base;
    stream->released = true;
    base->events = NULL;
    http2_consume(base, stream->unconsumed);
    if (stream->closed) {
        stream_put_away(http2, stream);
        return;
    }
    /* A server's answer that is complete goes out to its end, whatever the client still sends. */
    bool complete = stream->ended && (!http2->base.client || stream->remote_ended);
    if (!complete && !stream->silent)
        http2_submit_reset(http2, stream, NGHTTP2_CANCEL);
    stream->silent = true;
}

static void http2_destroy(HttpConnection *base)
{
    Http2 *http2 = http2_of(base);
    http2->over = true;
    while (http2->live.newest)
        http2_stream_closed(http2, http2->live.newest);
    for (Http2Stream *stream = http2->ended.newest; stream; stream = stream->older)
        stream->base.connection = NULL; /* its owner frees it by releasing it */
    while (http2->spare) {
        Http2Stream *older = http2->spare->older;
        free(http2->spare);
        http2->spare = older;
    }
    nghttp2_session_del(http2->session);
    http_queue_clear(&http2->out);
    arena_free(http2->in.arena);
    http_connection_deinit(base);
    free(http2);
}

static const HttpEngine http2_engine = {
    .only_messages = true,
    .feed = http2_feed,
    .eof = http2_eof,
    .lost = http2_lost,
    .output = http2_output,
    .sent = http2_sent,
    .drain = http2_drain,
    .phase = http2_phase,
    .wants_input = http2_wants_input,
    .streams = http2_streams,
    .capacity = http2_capacity,
    .going = http2_going,
    .held_up = http2_held_up,
    .ping = http2_ping,
    .destroy = http2_destroy,
    .open = http2_open,
    .send_head = http2_send_head,
    .send_body = http2_send_body,
    .send_end = http2_send_end,
    .queued = http2_queued,
    .consume = http2_consume,
    .reset = http2_reset,
    .cut = http2_cut,
    .release = http2_release,
};

static size_t most_acks(const HttpLimits *limits)
{
    size_t most = (size_t)limits->control_frames * BURST;
    return most > ACKS_LEAST ? most : ACKS_LEAST;
}

static void make_session(Http2 *http2)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
    CHECK(nghttp2_option_new(&option) == 0);
    http2_receive_callbacks(callbacks);
    http2_send_callbacks(callbacks, http2->base.client);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_peer_max_concurrent_streams(option, 100);
    /* Our own buckets count resets and control frames, and our own limits are those of heads. */
    nghttp2_option_set_stream_reset_rate_limit(option, 1u << 30, 1u << 30);
    nghttp2_option_set_max_outbound_ack(option, most_acks(&http2->base.limits));
    nghttp2_option_set_max_continuations(option, HEAD_PIECES_LEAST +
                                                     http2->base.limits.head_bytes / HEAD_PIECE);
    /* Instances may be careless with spaces, which are taken off; clients may not. */
    if (http2->base.client)
        nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
    CHECK((http2->base.client ? nghttp2_session_client_new2 : nghttp2_session_server_new2)(
              &http2->session, callbacks, http2, option) == 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
}

static void submit_settings(Http2 *http2)
{
    const HttpLimits *limits = &http2->base.limits;
    nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits->head_bytes},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams},
    };
    if (http2->base.client)
        entries[2] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
    CHECK(nghttp2_submit_settings(http2->session, NGHTTP2_FLAG_NONE, entries, 3) == 0);
    CHECK(nghttp2_session_set_local_window_size(http2->session, NGHTTP2_FLAG_NONE, 0,
                                                (int32_t)limits->connection_window) == 0);
}

static HttpConnection *http2_new(const HttpLimits *limits, bool client, bool secure,
                                 const HttpConnectionEvents *events, void *owner)
{
    Http2 *http2 = calloc(1, sizeof *http2);
    CHECK(http2);
    http_connection_init(&http2->base, &http2_engine, limits, client, secure, events, owner);
    http2_watch_init(&http2->watch, client);
    http_bucket_init(&http2->resets, limits->resets_per_second, limits->resets_per_second * BURST);
    http_bucket_init(&http2->controls, limits->control_frames, limits->control_frames * BURST);
    make_session(http2);
    submit_settings(http2);
    return &http2->base;
}

HttpConnection *http2_server_new(const HttpLimits *limits, bool secure,
                                 const HttpConnectionEvents *events, void *owner)
{
    return http2_new(limits, false, secure, events, owner);
}

HttpConnection *http2_client_new(const HttpLimits *limits, bool secure,
                                 const HttpConnectionEvents *events, void *owner)
{
    return http2_new(limits, true, secure, events, owner);
}
