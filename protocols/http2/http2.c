#include "protocols/http2/http2.h"

#include <stdlib.h>

enum {
    CONNECTION_MEMORY = 4 * 1024, /* Http2 and the tables of header compression */
    STREAM_MEMORY = 2 * 1024,     /* one stream with a small chunk */
    SPARE_STREAMS = 64,
    SPARE_AT_REST = 1,
    ACKS_LEAST = 1000,     /* acknowledgements that may wait to be sent */
    ACKS_SECONDS = 4,      /* or those of so many seconds at the rate limits.control_frames */
    RESETTING_MOST = 1024, /* unsent RST_STREAM frames to an instance: no new streams above */
    QUEUED_MOST = 256,     /* frames that wait to be sent; see http2_wants_input */
    PEER_STREAMS = 100,    /* concurrent streams until its SETTINGS arrive */
};

static const uint8_t DRAIN_PING[FRAME_PING_SIZE] = {'d', 'r', 'a', 'i', 'n', 0, 0, 0};
static const uint8_t PROBE_PING[FRAME_PING_SIZE] = {'p', 'r', 'o', 'b', 'e', 0, 0, 0};
static const uint8_t LINGER_PING[FRAME_PING_SIZE] = {'l', 'i', 'n', 'g', 'e', 'r', 0, 0};
static const uint8_t LIVE_PING[FRAME_PING_SIZE] = {0};

/* ---- Streams --------------------------------------------------------------------------------- */

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

/* One of the spare ones, with its tally, or a new one. */
static Http2Stream *take_stream(Http2 *http2)
{
    Http2Stream *stream = http2->spare;
    if (stream) {
        http2->spare = stream->older;
        http2->n_spare--;
        return stream;
    }
    stream = malloc(sizeof *stream);
    CHECK(stream);
    stream->tally = NULL;
    http_connection_hold(&http2->base, STREAM_MEMORY);
    return stream;
}

Http2Stream *http2_stream_new(Http2 *http2, uint32_t id)
{
    Http2Stream *stream = take_stream(http2);
    MemoryTally *tally = stream->tally;
    *stream = (Http2Stream){
        .base = {.connection = &http2->base},
        .id = id,
        .mark = UINT64_MAX,
        .opened = http2->now,
        .length_left = -1,
        .in = {.open = http2->in_initial},
        .window = (uint32_t)http2->in_initial,
        .out = http2->out_initial,
        .queue = {.tally = &http2->base.tally},
        .tally = tally,
    };
    list_add(&http2->live, stream);
    stream_table_add(&http2->table, stream);
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

static void free_stream(Http2 *http2, Http2Stream *stream)
{
    http_connection_hold(&http2->base, -STREAM_MEMORY);
    free(stream->tally);
    free(stream);
}

static void free_spare(Http2 *http2, uint32_t most)
{
    while (http2->n_spare > most) {
        Http2Stream *stream = http2->spare;
        http2->spare = stream->older;
        http2->n_spare--;
        free_stream(http2, stream);
    }
}

/* Frees the stream, or keeps it for reuse, once it is closed, released and not pinned. */
static void put_away(Http2 *http2, Http2Stream *stream)
{
    if (!stream->closed || !stream->released || stream == http2->pinned)
        return;
    list_remove(&http2->ended, stream);
    if (stream->due)
        forget_due(http2, stream);
    if (http2->n_spare == SPARE_STREAMS) {
        free_stream(http2, stream);
        return;
    }
    stream->older = http2->spare;
    http2->spare = stream;
    http2->n_spare++;
}

void http2_pin(Http2 *http2, Http2Stream *stream)
{
    CHECK(!http2->pinned);
    http2->pinned = stream;
}

void http2_unpin(Http2 *http2)
{
    Http2Stream *stream = http2->pinned;
    http2->pinned = NULL;
    put_away(http2, stream);
}

void http2_drop_unsent(Http2Stream *stream)
{
    http_queue_clear(&stream->queue);
    if (stream->trailers)
        http_chunk_give(stream->trailers);
    stream->trailers = NULL;
}

void http2_stream_close(Http2 *http2, Http2Stream *stream)
{
    Http2End end = stream->remote_ended    ? HTTP2_FINISHED
                   : stream->reset_by_peer ? HTTP2_RESET_BY_PEER
                                           : HTTP2_ENDED_BY_US;
    if (!http2->base.client)
        http2_watch_closed(&http2->watch, stream->id, end, http2->base.limits.streams);
    if (http2->in.stream == stream)
        http2->in.stream = NULL;
    if (http2->latest.stream == stream)
        http2->latest.stream = NULL;
    stream->closed = true;
    http2->open--;
    http2->lingering -= stream->lingers;
    http2_turns_remove(stream);
    stream_table_remove(&http2->table, stream);
    list_remove(&http2->live, stream);
    list_add(&http2->ended, stream);
    http2_drop_unsent(stream);
    if (stream->tally) {
        tally_charge(stream->tally, NULL);
        *stream->tally = (MemoryTally){0};
    }
    put_away(http2, stream);
}

/* ---- Lingering ------------------------------------------------------------------------------- */

/* Sends one PING for all streams that linger now; the next PING waits for its ACK. */
static void send_linger_ping(Http2 *http2)
{
    if (http2->linger_ping)
        return;
    bool some = false;
    for (Http2Stream *stream = http2->live.newest; stream; stream = stream->older) {
        stream->pinged = stream->lingers && !stream->bounded;
        some |= stream->pinged;
    }
    http2->linger_ping = some;
    if (some) {
        http2_before_frame(http2);
        frame_put_ping(&http2->out, false, LINGER_PING);
    }
}

/* The response is complete before the request has ended (RFC 9113 section 8.1). The rest of the
   request is still accepted for one round trip of a PING, or if it is short; then
   RST_STREAM(NO_ERROR) stops it. */
static void linger(Http2 *http2, Http2Stream *stream)
{
    stream->lingers = true;
    http2->lingering++;
    if (!stream->bounded)
        send_linger_ping(http2);
}

void http2_stream_end_sent(Http2 *http2, Http2Stream *stream)
{
    stream->end_sent = true;
    http2->answered = http2_put_in(http2);
    if (stream->remote_ended)
        http2_stream_close(http2, stream);
    else if (!http2->base.client)
        linger(http2, stream);
}

static void stop_lingering(Http2 *http2)
{
    for (Http2Stream *stream = http2->live.newest, *older; stream; stream = older) {
        older = stream->older;
        if (stream->pinged)
            http2_stream_reset(http2, stream, HTTP2_ERROR_NONE);
    }
    http2->linger_ping = false;
    send_linger_ping(http2);
}

/* The final GOAWAY. http2_drain sent a first one that names no stream, and a PING: requests that
   the peer sent before it read these have arrived by the ACK (RFC 9113 section 6.8). */
static void tell_last(Http2 *http2)
{
    http2->going = http2->last_told = true;
    http2_before_frame(http2);
    frame_put_goaway(&http2->out, http2->watch.last, HTTP2_ERROR_NONE, (Bytes){0});
}

void http2_ping_answered(Http2 *http2, const uint8_t *opaque)
{
    if (http2->linger_ping && memcmp(opaque, LINGER_PING, sizeof LINGER_PING) == 0)
        stop_lingering(http2);
    if (http2->draining && !http2->base.client && !http2->last_told &&
        memcmp(opaque, DRAIN_PING, sizeof DRAIN_PING) == 0)
        tell_last(http2);
}

/* ---- Output ---------------------------------------------------------------------------------- */

void http2_wake(Http2 *http2)
{
    if (!http2->busy)
        http_connection_wake(&http2->base);
}

void http2_before_frame(Http2 *http2)
{
    http2->waiting += http2->out.size >= HTTP2_OUT_MOST;
}

bool http2_is_swamped(const Http2 *http2)
{
    uint32_t most = http2_in_seconds(http2->base.limits.control_frames, ACKS_SECONDS);
    return http2->waiting > (most > ACKS_LEAST ? most : ACKS_LEAST);
}

void http2_stream_reset(Http2 *http2, Http2Stream *stream, uint32_t code)
{
    if (http2->over || stream->closed)
        return;
    if (!http2_take_back(http2, stream)) {
        http2->resetting++;
        http2_before_frame(http2);
        frame_put_reset(&http2->out, stream->id, code);
    }
    http2_stream_close(http2, stream);
    http2_wake(http2);
}

/* The last event of a stream that ends with its connection. */
static void tell_reset(Http2 *http2, Http2Stream *stream, Result why)
{
    const HttpStreamEvents *events = stream->base.events;
    bool complete = http2->base.client ? stream->remote_ended : stream->end_sent;
    if (!events || stream->silent || complete)
        return;
    stream->silent = true;
    if (!events->on_reset)
        return;
    if (http2->base.client && http2->gone <= stream->mark) {
        Arena *arena = arena_new(ARENA_UNLIMITED);
        events->on_reset(stream->base.owner, &stream->base,
                         FAIL_OVER(arena, why, FAULT_UPSTREAM_REFUSED,
                                   "the connection was lost before the call was sent"));
        arena_free(arena);
    } else {
        events->on_reset(stream->base.owner, &stream->base, why);
    }
}

/* Closes a stream and tells its owner, who may release any stream within the event. */
static void fail_stream(Http2 *http2, Http2Stream *stream, Result why)
{
    bool released = stream->released;
    http2_stream_close(http2, stream);
    if (!released)
        tell_reset(http2, stream, why);
}

static void fail_streams(Http2 *http2, Result why)
{
    http2->over = true;
    while (http2->live.newest)
        fail_stream(http2, http2->live.newest, why);
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

/* Frees the memory of a head, whether or not it is complete. */
static void drop_head(Http2 *http2)
{
    if (http2->partial)
        http_chunk_give(http2->partial);
    http2->partial = NULL;
    http2_block_drop(http2);
}

/* A connection error: sends GOAWAY and ends all streams. */
static Result break_off(Http2 *http2, uint32_t code)
{
    const Fault *fault = http2->refused       ? http2->refused
                         : http2->base.client ? &FAULT_UPSTREAM_PROTOCOL
                                              : &FAULT_PROTOCOL_VIOLATION;
    http2_gather(http2);
    frame_put_goaway(&http2->out, http2->base.client ? 0 : http2->watch.last, code,
                     bytes_of(http2->reason));
    Result r = error_new(http_connection_errors(&http2->base), fault, OK, NULL, __FILE__, __LINE__,
                         "reading HTTP/2: %s", http2->reason);
    fail_streams(http2, r);
    drop_head(http2);
    return r;
}

/* Without streams and output: frees memory that only calls need. */
static void rest(Http2 *http2)
{
    if (http2->open || http2->out.size || http2->in.open)
        return;
    if (http2->in.arena)
        http2_block_drop(http2);
    free_spare(http2, SPARE_AT_REST);
}

/* No stream is active, and no new one is possible. */
static bool is_finished(const Http2 *http2)
{
    return http2->over || (http2->going && http2->open == http2->lingering);
}

/* ---- The engine ------------------------------------------------------------------------------ */

static Result http2_feed(HttpConnection *base, Bytes input, int64_t now)
{
    Http2 *http2 = http2_of(base);
    Result r = OK;
    if (http2->over || input.size == 0)
        return OK;
    http2->busy = true;
    http2->now = now;
    http2->some_input = true;
    uint32_t code = http2_receive(http2, input);
    if (code)
        r = break_off(http2, code);
    http2_gather(http2);
    tell_drains(http2);
    http2->busy = false;
    if (http2->out.size || http2->ready.first || is_finished(http2))
        http_connection_wake(base);
    rest(http2);
    return r;
}

static Http2Stream *unfinished_request(const Http2 *http2)
{
    Http2Stream *stream = http2->live.newest;
    while (stream && stream->remote_ended)
        stream = stream->older;
    return stream;
}

/* Calls whose request is complete go on. */
static void go_on_without_input(Http2 *http2)
{
    Result why = FAIL(http_connection_errors(&http2->base), FAULT_CANCELLED,
                      "the client closed the connection");
    http2->no_input = http2->going = true;
    for (Http2Stream *stream; (stream = unfinished_request(http2));)
        fail_stream(http2, stream, why);
    if (http2->open) {
        http2_before_frame(http2);
        frame_put_ping(&http2->out, false, PROBE_PING);
    }
}

static void http2_eof(HttpConnection *base)
{
    Http2 *http2 = http2_of(base);
    if (http2->over)
        return;
    if (base->client)
        fail_streams(http2,
                     FAIL(http_connection_errors(base), FAULT_UPSTREAM_RESET,
                          "the service closed the connection%s%s", http2->farewell ? " after " : "",
                          http2->farewell ? http2->farewell : ""));
    else
        go_on_without_input(http2);
    if (base->client || !http2->open)
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
    http2->busy = false;
    http2->latest.stream = NULL; /* it can no longer be taken back */
    return http_queue_vectors(&http2->out, vectors, n, HTTP2_OUT_MOST);
}

static void http2_sent(HttpConnection *base, size_t size)
{
    Http2 *http2 = http2_of(base);
    http_queue_drop(&http2->out, size);
    http2->gone += size;
    if (http2->out.size < HTTP2_OUT_MOST)
        http2->waiting = 0;
    if (http2->out.size == 0) {
        http2->resetting = 0;
        if (http2->due || http2->ready.first)
            http_connection_wake(base);
    }
    rest(http2);
}

static void http2_drain(HttpConnection *base)
{
    Http2 *http2 = http2_of(base);
    if (http2->draining || http2->over)
        return;
    http2->draining = true;
    if (base->client) {
        http2->going = true;
        if (http2->open == 0)
            frame_put_goaway(&http2->out, 0, HTTP2_ERROR_NONE, (Bytes){0});
    } else {
        frame_put_goaway(&http2->out, STREAM_MOST, HTTP2_ERROR_NONE, (Bytes){0});
        frame_put_ping(&http2->out, false, DRAIN_PING);
    }
    http2_wake(http2);
}

static void http2_drain_now(HttpConnection *base)
{
    Http2 *http2 = http2_of(base);
    if (base->client)
        http2_drain(base);
    if (base->client || http2->last_told || http2->over)
        return;
    http2->draining = true;
    tell_last(http2);
    http2_wake(http2);
}

static Result http2_shed_head(HttpConnection *base)
{
    Http2 *http2 = http2_of(base);
    Result r = break_off(http2, http2_refuse_head(http2, &FAULT_MEMORY_SHARE));
    http_connection_wake(base);
    return r;
}

static HttpPhase http2_phase(const HttpConnection *base)
{
    const Http2 *http2 = (const Http2 *)base;
    if (http2->dead)
        return HTTP_CLOSED;
    if (is_finished(http2))
        return http2->out.size || http2->ready.first ? HTTP_CLOSING : HTTP_CLOSED;
    bool in_head = http2->in.open ||
                   (http2->reading == HTTP2_READS_PAYLOAD && http2->frame.type == FRAME_HEADERS);
    if (!http2->no_input && (in_head || (!base->client && http2->some_input && !http2->greeted)))
        return HTTP_HEAD;
    return http2->open > http2->lingering ? HTTP_ACTIVE : HTTP_IDLE;
}

/* A client that does not read our output must not open and end ever more streams, because each
   leaves frames that wait to be sent. Allowed are two frames per concurrent stream and QUEUED_MOST
   for the connection. */
static bool http2_wants_input(const HttpConnection *base)
{
    const Http2 *http2 = (const Http2 *)base;
    size_t most = QUEUED_MOST + 2 * (size_t)base->limits.streams;
    return !http2->over && (base->client || http2->waiting <= most);
}

static uint32_t http2_streams(const HttpConnection *base)
{
    return ((const Http2 *)base)->open;
}

static bool http2_owes(const HttpConnection *base, size_t pending)
{
    const Http2 *http2 = (const Http2 *)base;
    for (const Http2Stream *stream = http2->live.newest; stream; stream = stream->older) {
        if (stream->released && stream->ended && !stream->end_sent)
            return true;
    }
    return http2->answered && http2->answered + pending > http2->gone;
}

static uint32_t http2_capacity(const HttpConnection *base)
{
    const Http2 *http2 = (const Http2 *)base;
    if (!base->client || http2->over || http2->going || http2->resetting >= RESETTING_MOST ||
        http2->next_id > STREAM_MOST)
        return 0;
    uint32_t most = http2->most_streams;
    if (most > base->limits.streams)
        most = base->limits.streams;
    return most > http2->open ? most - http2->open : 0;
}

static uint32_t http2_head_most(const HttpConnection *base)
{
    return ((const Http2 *)base)->most_head;
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
    http2_before_frame(http2);
    frame_put_ping(&http2->out, false, LIVE_PING);
    http2_wake(http2);
}

static size_t http2_queued(const HttpStream *base)
{
    return ((const Http2Stream *)base)->queue.size;
}

void http2_consume_connection(Http2 *http2, uint32_t n)
{
    uint32_t due = flow_window_consume(&http2->in_window, n, http2->base.limits.connection_window);
    if (due == 0 || http2->over)
        return;
    http2_before_frame(http2);
    frame_put_window_update(&http2->out, 0, due);
    http2_wake(http2);
}

/* What an instance may send before anybody knows whether there is memory for it is little. */
uint32_t http2_first_window(const Http2 *http2)
{
    uint32_t most = http2->base.limits.stream_window;
    return http2->base.client && most > WINDOW_DEFAULT ? WINDOW_DEFAULT : most;
}

/* Then its window doubles with each half of it that was consumed, up to the limit, while there is
   plenty of memory. */
static uint32_t widen(Http2 *http2, Http2Stream *stream)
{
    uint32_t left = http2->base.limits.stream_window - stream->window;
    uint32_t more = stream->window < left ? stream->window : left;
    stream->window += more;
    stream->in.open += (int32_t)more;
    return more;
}

void http2_consume_stream(Http2 *http2, Http2Stream *stream, uint32_t n)
{
    uint32_t due = flow_window_consume(&stream->in, n, stream->window);
    if (due && http2->base.client && stream->window < http2->base.limits.stream_window &&
        memory_is_plenty())
        due += widen(http2, stream);
    if (due == 0 || http2->over || stream->closed || stream->remote_ended)
        return;
    http2_before_frame(http2);
    frame_put_window_update(&http2->out, stream->id, due);
    http2_wake(http2);
}

static void http2_consume(HttpStream *base, size_t n)
{
    Http2 *http2 = http2_of(base->connection);
    Http2Stream *stream = (Http2Stream *)base;
    if (n > stream->unconsumed)
        n = stream->unconsumed;
    stream->unconsumed -= (uint32_t)n;
    if (n == 0)
        return;
    if (!http2->base.client) /* client side: read_data has returned it already */
        http2_consume_connection(http2, (uint32_t)n);
    http2_consume_stream(http2, stream, (uint32_t)n);
}

static void http2_reset(HttpStream *base, uint32_t http2_error)
{
    Http2 *http2 = http2_of(base->connection);
    Http2Stream *stream = (Http2Stream *)base;
    if (stream->silent)
        return;
    stream->silent = true;
    http2_stream_reset(http2, stream, http2_error);
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

static void http2_charge(HttpStream *base, Account *account)
{
    Http2Stream *stream = (Http2Stream *)base;
    if (stream->closed)
        return;
    if (!stream->tally) {
        stream->tally = calloc(1, sizeof *stream->tally);
        CHECK(stream->tally);
    }
    stream->tally->to_instance = base->connection->client;
    tally_charge(stream->tally, account);
    http_queue_count(&stream->queue, stream->tally);
}

static void http2_release(HttpStream *base)
{
    Http2 *http2 = http2_of(base->connection);
    Http2Stream *stream = (Http2Stream *)base;
    base->events = NULL;
    http2_consume(base, stream->unconsumed);
    /* A complete response is sent to its end, even if the request has not ended. */
    bool complete = stream->ended && (!http2->base.client || stream->remote_ended);
    bool reset = !complete && !stream->silent;
    stream->silent = true;
    stream->released = true;
    if (stream->closed)
        put_away(http2, stream);
    else if (reset)
        http2_stream_reset(http2, stream, HTTP2_ERROR_CANCEL);
}

static void http2_destroy(HttpConnection *base)
{
    Http2 *http2 = http2_of(base);
    http2->over = true;
    while (http2->live.newest)
        http2_stream_close(http2, http2->live.newest);
    for (Http2Stream *stream = http2->ended.newest; stream; stream = stream->older) {
        free(stream->tally);
        stream->base.connection = NULL; /* its owner frees it by releasing it */
    }
    free_spare(http2, 0);
    stream_table_deinit(&http2->table);
    hpack_decoder_deinit(&http2->decoder);
    hpack_encoder_deinit(&http2->encoder);
    http_queue_clear(&http2->out);
    drop_head(http2);
    http_connection_deinit(base);
    free(http2->farewell);
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
    .drain_now = http2_drain_now,
    .holds_head = http2_holds_head,
    .shed_head = http2_shed_head,
    .phase = http2_phase,
    .wants_input = http2_wants_input,
    .streams = http2_streams,
    .owes = http2_owes,
    .capacity = http2_capacity,
    .head_most = http2_head_most,
    .going = http2_going,
    .held_up = http2_held_up,
    .ping = http2_ping,
    .destroy = http2_destroy,
    .open = http2_open,
    .send_head = http2_send_head,
    .send_body = http2_send_body,
    .send_end = http2_send_end,
    .send_ready = http2_send_ready,
    .queued = http2_queued,
    .consume = http2_consume,
    .reset = http2_reset,
    .cut = http2_cut,
    .charge = http2_charge,
    .release = http2_release,
};

/* SETTINGS, and WINDOW_UPDATE for the window of the connection, which has no setting. */
static void greet(Http2 *http2)
{
    const HttpLimits *limits = &http2->base.limits;
    FrameSettingValue settings[] = {
        {SETTING_INITIAL_WINDOW_SIZE, http2_first_window(http2)},
        {SETTING_MAX_HEADER_LIST_SIZE, limits->head_bytes},
        {SETTING_MAX_CONCURRENT_STREAMS, limits->streams},
    };
    if (http2->base.client) {
        http_queue_add(&http2->out, bytes_of(HTTP2_PREFACE));
        settings[2] = (FrameSettingValue){SETTING_ENABLE_PUSH, 0};
    }
    frame_put_settings(&http2->out, settings, 3);
    if (limits->connection_window > WINDOW_DEFAULT) {
        uint32_t more = limits->connection_window - WINDOW_DEFAULT;
        frame_put_window_update(&http2->out, 0, more);
        http2->in_window.open += (int32_t)more;
    }
}

static HttpConnection *http2_new(const HttpLimits *limits, bool client, bool secure,
                                 const HttpConnectionEvents *events, void *owner)
{
    Http2 *http2 = calloc(1, sizeof *http2);
    CHECK(http2);
    http_connection_init(&http2->base, &http2_engine, limits, client, secure, events, owner);
    http2_watch_init(&http2->watch, limits);
    hpack_decoder_init(&http2->decoder);
    hpack_encoder_init(&http2->encoder);
    http2->reading = client ? HTTP2_READS_FRAME : HTTP2_READS_PREFACE;
    http2->in_initial = http2->in_window.open = WINDOW_DEFAULT;
    http2->out_initial = http2->out_window = WINDOW_DEFAULT;
    http2->most_streams = PEER_STREAMS;
    http2->most_head = UINT32_MAX;
    http2->next_id = 1;
    http2->out.tally = &http2->base.tally;
    http_connection_hold(&http2->base, CONNECTION_MEMORY);
    greet(http2);
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
