#include "protocols/http2/http2.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PREFACE_SIZE = sizeof HTTP2_PREFACE - 1,
    HEAD_PIECE = 1024,
    HEAD_PIECES_LEAST = 8,
    DEBUG_MOST = 100
};

static const char TOO_MANY[] = "there are too many streams at once (limits.streams)";

uint32_t http2_broken(Http2 *http2, uint32_t code, const char *reason)
{
    http2->reason = reason;
    return code;
}

static uint32_t broken_protocol(Http2 *http2, const char *reason)
{
    return http2_broken(http2, HTTP2_ERROR_PROTOCOL, reason);
}

static uint32_t flooded(Http2 *http2)
{
    return http2_broken(http2, HTTP2_ERROR_ENHANCE_YOUR_CALM,
                        "the peer sent too many resets, control frames or empty frames "
                        "(limits.resets_per_second, limits.control_frames)");
}

static uint32_t wrong_size(Http2 *http2)
{
    return http2_broken(http2, HTTP2_ERROR_FRAME_SIZE, "a frame has a wrong size");
}

/* Removes up to `n` bytes from the front and returns them. */
static Bytes take(Bytes *input, size_t n)
{
    Bytes piece = bytes(input->data, n < input->size ? n : input->size);
    *input = bytes(input->data + piece.size, input->size - piece.size);
    return piece;
}

/* ---- Streams --------------------------------------------------------------------------------- */

/* Whoever has begun to respond has processed the request, whatever it says afterwards. */
static bool is_unprocessed(const Http2Stream *stream, uint32_t code)
{
    return code == HTTP2_ERROR_REFUSED_STREAM && !stream->head_received &&
           !stream->interim_received;
}

static const Fault *fault_of_end(const Http2 *http2, const Http2Stream *stream, uint32_t code)
{
    if (!http2->base.client)
        return stream->reset_by_peer || code == HTTP2_ERROR_NONE || code == HTTP2_ERROR_CANCEL
                   ? &FAULT_CANCELLED
                   : &FAULT_PROTOCOL_VIOLATION;
    if (is_unprocessed(stream, code))
        return &FAULT_UPSTREAM_REFUSED;
    return stream->reset_by_peer || code == HTTP2_ERROR_REFUSED_STREAM ? &FAULT_UPSTREAM_RESET
                                                                       : &FAULT_UPSTREAM_PROTOCOL;
}

static const char *error_name(uint32_t code)
{
    static const char *const names[HTTP2_ERROR_COUNT] = {
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    };
    return code < HTTP2_ERROR_COUNT ? names[code] : "an unknown error code";
}

void http2_stream_failed(Http2 *http2, Http2Stream *stream, uint32_t code, const char *reason)
{
    bool complete = http2->base.client ? stream->remote_ended : stream->end_sent;
    const HttpStreamEvents *events = stream->base.events;
    bool tell = events && events->on_reset && !stream->silent && !complete && !stream->released;
    const Fault *fault = fault_of_end(http2, stream, code);
    uint32_t id = stream->id;
    stream->silent |= tell;
    http2_stream_close(http2, stream);
    if (tell)
        events->on_reset(stream->base.owner, &stream->base,
                         error_new(http_connection_errors(&http2->base), fault, OK, NULL, __FILE__,
                                   __LINE__, "stream %u ended with %s: %s", id, error_name(code),
                                   reason));
}

uint32_t http2_provoked(Http2 *http2, Http2Stream *stream, uint32_t code, const char *reason)
{
    if (!http2->base.client && !http2_watch_provoked(&http2->watch, http2->now))
        return flooded(http2);
    http2_before_frame(http2);
    frame_put_reset(&http2->out, stream->id, code);
    http2_stream_failed(http2, stream, code, reason);
    return 0;
}

uint32_t http2_remote_end(Http2 *http2, Http2Stream *stream, const Fields *trailers)
{
    static const Fields none;
    if (stream->length_left > 0)
        return http2_provoked(http2, stream, HTTP2_ERROR_PROTOCOL,
                              "the body is shorter than its content-length");
    const HttpStreamEvents *events = stream->base.events;
    stream->remote_ended = true;
    if (events && events->on_end && !stream->silent)
        events->on_end(stream->base.owner, &stream->base, trailers ? trailers : &none);
    if (stream->end_sent && !stream->closed)
        http2_stream_close(http2, stream);
    return 0;
}

/* Whether no stream with this id was ever opened. */
static bool is_idle(const Http2 *http2, uint32_t id)
{
    if (http2->base.client)
        return id % 2 == 0 || id >= http2->next_id;
    return id % 2 == 0 || id > http2->watch.last;
}

/* Above the last stream id of our final GOAWAY. */
static bool is_beyond(const Http2 *http2, uint32_t id)
{
    return http2->last_told && id % 2 && id > http2->watch.last;
}

/* A frame after the client's own RST_STREAM: a stream error. */
static uint32_t refuse_late(Http2 *http2, uint32_t id)
{
    if (!http2_watch_control(&http2->watch, http2->now))
        return flooded(http2);
    http2_before_frame(http2);
    frame_put_reset(&http2->out, id, HTTP2_ERROR_STREAM_CLOSED);
    return 0;
}

/* HEADERS or DATA for a stream that is not open: ignored (0), or a connection error. */
static uint32_t judge_late(Http2 *http2)
{
    uint32_t id = http2->frame.stream;
    bool data = http2->frame.type == FRAME_DATA;
    if (is_beyond(http2, id))
        return 0;
    if (is_idle(http2, id))
        return broken_protocol(http2, "a frame is for a stream that was never opened");
    if (http2->base.client)
        return 0;
    switch (http2_watch_end(&http2->watch, id)) {
    case HTTP2_ENDED_BY_US: return 0;
    case HTTP2_FINISHED:
        return http2_broken(http2, HTTP2_ERROR_STREAM_CLOSED, "a frame arrived after END_STREAM");
    case HTTP2_RESET_BY_PEER: return refuse_late(http2, id);
    case HTTP2_SKIPPED:
        return http2_broken(http2, data ? HTTP2_ERROR_STREAM_CLOSED : HTTP2_ERROR_PROTOCOL,
                            "a frame has the id of a stream that was skipped");
    }
    return 0;
}

/* The open stream of a HEADERS or DATA frame. NULL: a connection error, or with code 0 a frame that
   is ignored. */
static Http2Stream *find_open(Http2 *http2, uint32_t *code_out)
{
    Http2Stream *stream = stream_table_find(&http2->table, http2->frame.stream);
    *code_out = 0;
    if (!stream)
        *code_out = judge_late(http2);
    else if (stream->remote_ended) { /* half-closed (remote): an error of the stream only */
        *code_out = http2_provoked(http2, stream, HTTP2_ERROR_STREAM_CLOSED,
                                   "a frame arrived after END_STREAM");
        return NULL;
    }
    return *code_out ? NULL : stream;
}

/* ---- DATA ------------------------------------------------------------------------------------ */

/* The stream that gets the content of the current DATA frame; NULL: it is discarded. */
static Http2Stream *receiver(Http2 *http2)
{
    Http2Stream *stream = stream_table_find(&http2->table, http2->frame.stream);
    return stream && !stream->remote_ended ? stream : NULL;
}

static void consume_at_once(Http2 *http2, Http2Stream *stream, uint32_t n)
{
    http2_consume_connection(http2, n);
    if (stream && !stream->lingers) /* after the response the window stays closed */
        http2_consume_stream(http2, stream, n);
}

static uint32_t end_data(Http2 *http2)
{
    Http2Stream *stream = receiver(http2);
    http2->reading = HTTP2_READS_FRAME;
    if (!stream || !(http2->frame.flags & FRAME_END_STREAM))
        return 0;
    http2_pin(http2, stream);
    uint32_t code = http2_remote_end(http2, stream, NULL);
    http2_unpin(http2);
    return code;
}

/* The content is read, and padding may follow. */
static uint32_t end_content(Http2 *http2)
{
    http2->left = http2->padding;
    http2->padding = 0;
    if (http2->left == 0)
        return end_data(http2);
    consume_at_once(http2, receiver(http2), http2->left);
    http2->reading = HTTP2_SKIPS;
    return 0;
}

/* `left` bytes of content follow. */
static uint32_t begin_content(Http2 *http2)
{
    Http2Stream *stream = receiver(http2);
    bool declared = stream && stream->length_left >= 0;
    http2->reading = HTTP2_READS_DATA;
    if (stream && (!stream->head_received || (declared && http2->left > stream->length_left))) {
        const char *reason = stream->head_received ? "the body is longer than its content-length"
                                                   : "DATA came before a head";
        uint32_t code = http2_provoked(http2, stream, HTTP2_ERROR_PROTOCOL, reason);
        if (code)
            return code;
    } else if (declared) {
        stream->length_left -= http2->left;
    }
    return http2->left ? 0 : end_content(http2);
}

static uint32_t begin_data(Http2 *http2)
{
    uint32_t size = http2->frame.size, code;
    bool padded = http2->frame.flags & FRAME_PADDED;
    if (http2->frame.stream == 0)
        return broken_protocol(http2, "DATA has the stream identifier 0");
    if (padded && size == 0)
        return wrong_size(http2);
    Http2Stream *stream = find_open(http2, &code);
    if (code)
        return code;
    /* Whether a padded frame has content is known when its padding is read. */
    bool empty = padded || (size == 0 && !(http2->frame.flags & FRAME_END_STREAM));
    if (!empty && stream)
        http2_watch_earn(&http2->watch, http2->now);
    else if (empty && !(http2->frame.flags & FRAME_END_STREAM) &&
             !http2_watch_control(&http2->watch, http2->now))
        return flooded(http2);
    if (!flow_window_take(&http2->in_window, size))
        return http2_broken(http2, HTTP2_ERROR_FLOW_CONTROL,
                            "the peer sent more than the window of the connection allows");
    if (stream && !flow_window_take(&stream->in, size)) {
        code = http2_provoked(http2, stream, HTTP2_ERROR_FLOW_CONTROL,
                              "the peer sent more than the stream's window admits");
        if (code)
            return code;
    }
    http2->left = size;
    http2->padding = 0;
    if (!padded)
        return begin_content(http2);
    http2->reading = HTTP2_READS_PADDING_SIZE;
    return 0;
}

static uint32_t read_padding_size(Http2 *http2, Bytes *input)
{
    http2->padding = take(input, 1).data[0];
    http2->left--;
    if (http2->padding > http2->left)
        return broken_protocol(http2, "the padding is longer than the payload");
    http2->left -= http2->padding;
    consume_at_once(http2, receiver(http2), 1);
    if (http2->left && receiver(http2))
        http2_watch_earn(&http2->watch, http2->now);
    return begin_content(http2);
}

static uint32_t read_data(Http2 *http2, Bytes *input)
{
    Bytes piece = take(input, http2->left);
    Http2Stream *stream = receiver(http2);
    uint32_t size = (uint32_t)piece.size;
    http2->left -= size;
    if (stream)
        http2->base.progress += size;
    if (!stream || stream->silent || !stream->base.events || !stream->base.events->on_body) {
        consume_at_once(http2, stream, size);
    } else {
        /* The calls of many clients share the window of a connection to an instance: a client that
           does not read must not block the others, so only the stream's window waits for it. */
        if (http2->base.client)
            http2_consume_connection(http2, size);
        http2_pin(http2, stream);
        stream->unconsumed += size;
        stream->base.events->on_body(stream->base.owner, &stream->base, piece);
        http2_unpin(http2);
    }
    return http2->left ? 0 : end_content(http2);
}

/* ---- HEADERS --------------------------------------------------------------------------------- */

/* The header block in a HEADERS frame, without padding and priority (RFC 9113 section 6.2). */
static uint32_t strip(Http2 *http2, Bytes *payload)
{
    uint8_t flags = http2->frame.flags;
    size_t before = (flags & FRAME_PADDED ? 1 : 0) + (flags & FRAME_WITH_PRIORITY ? 5 : 0);
    if (payload->size < before)
        return wrong_size(http2);
    size_t padding = flags & FRAME_PADDED ? payload->data[0] : 0;
    if (padding > payload->size - before)
        return broken_protocol(http2, "the padding is longer than the payload");
    if (flags & FRAME_WITH_PRIORITY &&
        (number_of(payload->data + before - 5, 4) & STREAM_MOST) == http2->frame.stream)
        return broken_protocol(http2, "a stream depends on itself");
    *payload = bytes_slice(*payload, before, payload->size - before - padding);
    return 0;
}

/* A request begins. NULL: it was refused, because there are too many; or a connection error. */
static Http2Stream *begin_stream(Http2 *http2, uint32_t *code_out)
{
    static const HttpHead unread;
    uint32_t id = http2->frame.stream;
    *code_out = 0;
    http2_watch_opened(&http2->watch, id);
    Http2Stream *stream = http2_stream_new(http2, id);
    stream->released = true; /* nobody has it until the request is accepted */
    if (http2->open <= http2->base.limits.streams)
        return stream;
    http_connection_refusal(&http2->base, 0, &unread, TOO_MANY);
    *code_out = http2_provoked(http2, stream, HTTP2_ERROR_REFUSED_STREAM, TOO_MANY);
    return NULL;
}

static uint32_t read_headers(Http2 *http2, Bytes payload)
{
    Frame frame = http2->frame;
    if (frame.stream == 0)
        return broken_protocol(http2, "HEADERS has the stream identifier 0");
    uint32_t code = strip(http2, &payload);
    if (code)
        return code;
    bool begins = !http2->base.client && frame.stream % 2 && frame.stream > http2->watch.last &&
                  !http2->last_told;
    Http2Stream *stream = begins ? begin_stream(http2, &code) : find_open(http2, &code);
    if (code)
        return code;
    if (stream)
        http2_watch_earn(&http2->watch, http2->now);
    http2_block_begin(http2, stream, frame.stream, frame.flags & FRAME_END_STREAM);
    return http2_block_piece(http2, payload, frame.flags & FRAME_END_HEADERS);
}

static uint32_t read_continuation(Http2 *http2, Bytes payload)
{
    /* Bounds the number of CONTINUATION frames: on average they must have HEAD_PIECE bytes. */
    if (++http2->in.pieces > HEAD_PIECES_LEAST + http2->base.limits.head_bytes / HEAD_PIECE)
        return http2_broken(http2, HTTP2_ERROR_ENHANCE_YOUR_CALM,
                            "a header block has too many CONTINUATION frames (limits.head_bytes)");
    return http2_block_piece(http2, payload, http2->frame.flags & FRAME_END_HEADERS);
}

/* ---- Other frames ---------------------------------------------------------------------------- */

static uint32_t read_priority(Http2 *http2, Bytes payload)
{
    if (http2->frame.stream == 0)
        return broken_protocol(http2, "PRIORITY has the stream identifier 0");
    if (payload.size != 5)
        return wrong_size(http2);
    if ((number_of(payload.data, 4) & STREAM_MOST) == http2->frame.stream)
        return broken_protocol(http2, "a stream depends on itself");
    return 0; /* ignored (RFC 9113 section 5.3.2) */
}

/* Whether the peer may reset this stream. Free of cost once the response has begun to be sent. */
static bool may_reset(Http2 *http2, const Http2Stream *stream, uint32_t id)
{
    Http2Watch *watch = &http2->watch;
    if (http2->base.client)
        return true;
    if (stream)
        return stream->mark <= http2->gone || http2_watch_reset(watch, stream->opened, http2->now);
    if (id > http2->known) /* opened and reset in the same input */
        return http2_watch_reset(watch, http2->now, http2->now);
    return http2_watch_late_reset(watch, http2->now);
}

static uint32_t read_reset(Http2 *http2, Bytes payload)
{
    uint32_t id = http2->frame.stream;
    if (payload.size != 4)
        return wrong_size(http2);
    if (id == 0 || (is_idle(http2, id) && !is_beyond(http2, id)))
        return broken_protocol(http2, "RST_STREAM is for a stream that was never opened");
    Http2Stream *stream = stream_table_find(&http2->table, id);
    if (!may_reset(http2, stream, id))
        return flooded(http2);
    if (stream) {
        stream->reset_by_peer = true;
        http2_pin(http2, stream);
        http2_stream_failed(http2, stream, number_of(payload.data, 4), "the peer has reset it");
        http2_unpin(http2);
    }
    return 0;
}

/* The windows of open streams change with the setting and may become negative (RFC 9113 section
   6.9.2). */
static uint32_t change_window(Http2 *http2, uint32_t size)
{
    if (size > WINDOW_MOST)
        return http2_broken(http2, HTTP2_ERROR_FLOW_CONTROL, "a window is too large");
    int64_t change = (int64_t)size - http2->out_initial;
    http2->out_initial = (int32_t)size;
    for (Http2Stream *stream = http2->live.newest; stream; stream = stream->older) {
        int64_t window = stream->out + change;
        if (window > WINDOW_MOST)
            return http2_broken(http2, HTTP2_ERROR_FLOW_CONTROL, "a window is too large");
        stream->out = (int32_t)window;
        if (stream->queue.size)
            http2_resume(http2, stream);
    }
    return 0;
}

static uint32_t apply_setting(Http2 *http2, uint32_t setting, uint32_t value)
{
    switch (setting) {
    case SETTING_HEADER_TABLE_SIZE: hpack_encoder_limit(&http2->encoder, value); return 0;
    case SETTING_ENABLE_PUSH:
        if (value > 1 || (value == 1 && http2->base.client))
            return broken_protocol(http2, "SETTINGS_ENABLE_PUSH has an invalid value");
        return 0;
    case SETTING_MAX_CONCURRENT_STREAMS: http2->most_streams = value; return 0;
    case SETTING_MAX_HEADER_LIST_SIZE: http2->most_head = value; return 0;
    case SETTING_INITIAL_WINDOW_SIZE: return change_window(http2, value);
    case SETTING_MAX_FRAME_SIZE: /* we never send larger frames than the minimum of this setting */
        if (value < FRAME_PAYLOAD_MOST || value > 0xffffff)
            return broken_protocol(http2, "SETTINGS_MAX_FRAME_SIZE has an invalid value");
        return 0;
    default: return 0;
    }
}

/* From now on our settings hold. Open streams began with the default window. */
static void settings_acknowledged(Http2 *http2)
{
    int32_t change = (int32_t)http2_first_window(http2) - http2->in_initial;
    http2->acknowledged = true;
    http2->in_initial += change;
    for (Http2Stream *stream = http2->live.newest; stream; stream = stream->older) {
        stream->in.open += change;
        stream->window += (uint32_t)change;
    }
}

static uint32_t read_settings(Http2 *http2, Bytes payload)
{
    if (http2->frame.stream)
        return broken_protocol(http2, "SETTINGS has a stream identifier other than 0");
    if (http2->frame.flags & FRAME_ACK) {
        if (payload.size)
            return wrong_size(http2);
        if (http2->acknowledged)
            return broken_protocol(http2,
                                   "SETTINGS with ACK, but there was nothing to acknowledge");
        settings_acknowledged(http2);
        return 0;
    }
    if (payload.size % 6)
        return wrong_size(http2);
    if (!http2->greeted)
        http2->most_streams = UINT32_MAX;
    http2->greeted = true;
    for (size_t at = 0; at < payload.size; at += 6) {
        uint32_t code = apply_setting(http2, number_of(payload.data + at, 2),
                                      number_of(payload.data + at + 2, 4));
        if (code)
            return code;
    }
    http2_before_frame(http2);
    frame_put_settings_ack(&http2->out);
    return http2_is_swamped(http2) ? flooded(http2) : 0;
}

static uint32_t read_ping(Http2 *http2, Bytes payload)
{
    if (http2->frame.stream)
        return broken_protocol(http2, "PING has a stream identifier other than 0");
    if (payload.size != FRAME_PING_SIZE)
        return wrong_size(http2);
    if (http2->frame.flags & FRAME_ACK) {
        http2_ping_answered(http2, payload.data);
        return 0;
    }
    http2_before_frame(http2);
    frame_put_ping(&http2->out, true, payload.data);
    return http2_is_swamped(http2) ? flooded(http2) : 0;
}

/* What a service says when it breaks off: its error, and the debug data for operators (RFC 9113
   section 6.8). */
static void keep_farewell(Http2 *http2, uint32_t code, Bytes debug)
{
    const char *name = error_name(code);
    size_t size = strlen(name) + sizeof "GOAWAY with : " + DEBUG_MOST;
    free(http2->farewell);
    http2->farewell = malloc(size);
    CHECK(http2->farewell);
    int n = snprintf(http2->farewell, size, "GOAWAY with %s%s", name, debug.size ? ": " : "");
    char *at = http2->farewell + n;
    for (size_t i = 0; i < debug.size && i < DEBUG_MOST; i++)
        *at++ = (char)(debug.data[i] >= ' ' && debug.data[i] < 0x7f ? debug.data[i] : '?');
    *at = '\0';
}

static uint32_t read_goaway(Http2 *http2, Bytes payload)
{
    if (http2->frame.stream)
        return broken_protocol(http2, "GOAWAY has a stream identifier other than 0");
    if (payload.size < 8)
        return wrong_size(http2);
    http2->going = true;
    uint32_t last = number_of(payload.data, 4) & STREAM_MOST;
    uint32_t code = number_of(payload.data + 4, 4);
    if (http2->base.client && code != HTTP2_ERROR_NONE)
        keep_farewell(http2, code, bytes(payload.data + 8, payload.size - 8));
    while (http2->base.client && http2->live.newest && http2->live.newest->id > last) {
        Http2Stream *stream = http2->live.newest;
        http2_pin(http2, stream);
        http2_stream_failed(http2, stream, HTTP2_ERROR_REFUSED_STREAM,
                            http2->farewell ? http2->farewell : "GOAWAY came before it was taken");
        http2_unpin(http2);
    }
    return 0;
}

static uint32_t grow_stream(Http2 *http2, uint32_t increment)
{
    Http2Stream *stream = stream_table_find(&http2->table, http2->frame.stream);
    if (!stream) { /* it has ended; an increment of 0 is counted as for an open stream */
        bool affords =
            increment || http2->base.client || http2_watch_provoked(&http2->watch, http2->now);
        return affords ? 0 : flooded(http2);
    }
    if (increment == 0 || !flow_window_grow(&stream->out, increment)) {
        http2_pin(http2, stream);
        uint32_t code = increment ? http2_provoked(http2, stream, HTTP2_ERROR_FLOW_CONTROL,
                                                   "its window is too large")
                                  : http2_provoked(http2, stream, HTTP2_ERROR_PROTOCOL,
                                                   "its window grows by nothing");
        http2_unpin(http2);
        return code;
    }
    if (stream->queue.size)
        http2_resume(http2, stream);
    return 0;
}

static uint32_t read_window_update(Http2 *http2, Bytes payload)
{
    uint32_t id = http2->frame.stream;
    if (payload.size != 4)
        return wrong_size(http2);
    uint32_t increment = number_of(payload.data, 4) & WINDOW_MOST;
    if (!http2_watch_window_update(&http2->watch, id, increment, http2->now))
        return flooded(http2);
    if (id) {
        if (is_idle(http2, id) && !is_beyond(http2, id))
            return broken_protocol(http2, "WINDOW_UPDATE is for a stream that was never opened");
        return grow_stream(http2, increment);
    }
    if (increment == 0)
        return broken_protocol(http2, "WINDOW_UPDATE has an increment of 0");
    if (!flow_window_grow(&http2->out_window, increment))
        return http2_broken(http2, HTTP2_ERROR_FLOW_CONTROL, "a window is too large");
    if (http2->out_window > 0)
        http2_turns_return(&http2->ready, &http2->stalled);
    return 0;
}

/* ---- Frames ---------------------------------------------------------------------------------- */

static uint32_t read_payload(Http2 *http2, Bytes payload)
{
    switch ((FrameType)http2->frame.type) {
    case FRAME_HEADERS: return read_headers(http2, payload);
    case FRAME_CONTINUATION: return read_continuation(http2, payload);
    case FRAME_PRIORITY: return read_priority(http2, payload);
    case FRAME_RST_STREAM: return read_reset(http2, payload);
    case FRAME_SETTINGS: return read_settings(http2, payload);
    case FRAME_PING: return read_ping(http2, payload);
    case FRAME_GOAWAY: return read_goaway(http2, payload);
    case FRAME_WINDOW_UPDATE: return read_window_update(http2, payload);
    case FRAME_PUSH_PROMISE:
        return broken_protocol(http2, "PUSH_PROMISE, although push is disabled");
    case FRAME_DATA: break;
    }
    return 0;
}

/* In place of the first frame's head, that of a response in HTTP/1.1, or a page of one that knows
   no other than HTTP/0.9. NULL: it is neither. */
static const char *other_protocol(const Http2 *http2)
{
    uint8_t head[FRAME_HEAD];
    bool text = http2->base.client;
    frame_write(head, http2->frame);
    for (size_t i = 0; i < FRAME_HEAD && text; i++)
        text = (head[i] >= ' ' && head[i] < 0x7f) || head[i] == '\r' || head[i] == '\n';
    if (!text)
        return NULL;
    return bytes_start_with(bytes(head, FRAME_HEAD), "HTTP/1.")
               ? "the instance answers in HTTP/1.1: is its protocol rest, connect or http?"
               : "the instance answers with a text: is its protocol rest, connect or http?";
}

/* Checks what depends on the frame header only. */
static uint32_t check_frame(Http2 *http2)
{
    const Frame *frame = &http2->frame;
    const char *other = http2->greeted ? NULL : other_protocol(http2);
    if (other)
        return broken_protocol(http2, other);
    if (frame->size > FRAME_PAYLOAD_MOST)
        return wrong_size(http2);
    bool continues = frame->type == FRAME_CONTINUATION;
    if (continues != http2->in.open || (continues && frame->stream != http2->in.id))
        return broken_protocol(
            http2, "CONTINUATION without HEADERS, or another frame within a header block");
    if (!http2->greeted && (frame->type != FRAME_SETTINGS || frame->flags & FRAME_ACK))
        return broken_protocol(http2, "the first frame is not SETTINGS");
    switch (frame->type) {
    case FRAME_DATA:
    case FRAME_HEADERS:
    case FRAME_CONTINUATION:
    case FRAME_RST_STREAM:
    case FRAME_WINDOW_UPDATE: return 0; /* counted where they are read */
    default: return http2_watch_control(&http2->watch, http2->now) ? 0 : flooded(http2);
    }
}

static uint32_t begin_frame(Http2 *http2, Bytes *input)
{
    uint32_t code = check_frame(http2), size = http2->frame.size;
    if (code)
        return code;
    http2->left = size;
    if (http2->frame.type == FRAME_DATA)
        return begin_data(http2);
    if (http2->frame.type > FRAME_CONTINUATION) {
        http2->reading = size ? HTTP2_SKIPS : HTTP2_READS_FRAME;
        return 0;
    }
    if (input->size < size) {
        http2->partial = http_chunk_take(size);
        http2->reading = HTTP2_READS_PAYLOAD;
        return http2_hold_head(http2);
    }
    return read_payload(http2, take(input, size));
}

static uint32_t read_frame(Http2 *http2, Bytes *input)
{
    if (http2->n_head == 0 && input->size >= FRAME_HEAD) {
        http2->frame = frame_read(take(input, FRAME_HEAD).data);
        return begin_frame(http2, input);
    }
    while (http2->n_head < FRAME_HEAD && input->size)
        http2->head[http2->n_head++] = take(input, 1).data[0];
    if (http2->n_head < FRAME_HEAD)
        return 0;
    http2->n_head = 0;
    http2->frame = frame_read(http2->head);
    return begin_frame(http2, input);
}

static uint32_t read_partial(Http2 *http2, Bytes *input)
{
    HttpChunk *partial = http2->partial;
    Bytes piece = take(input, http2->left);
    bytes_put(partial->data + partial->end, piece);
    partial->end += (uint32_t)piece.size;
    http2->left -= (uint32_t)piece.size;
    if (http2->left)
        return 0;
    http2->reading = HTTP2_READS_FRAME;
    http2->partial = NULL;
    uint32_t code = read_payload(http2, bytes(partial->data, partial->end));
    http_chunk_give(partial);
    if (code == 0 && http2->held)
        code = http2_hold_head(http2);
    return code;
}

static uint32_t skip(Http2 *http2, Bytes *input)
{
    http2->left -= (uint32_t)take(input, http2->left).size;
    if (http2->left)
        return 0;
    http2->reading = HTTP2_READS_FRAME;
    return http2->frame.type == FRAME_DATA ? end_data(http2) : 0;
}

static uint32_t read_preface(Http2 *http2, Bytes *input)
{
    while (http2->n_head < PREFACE_SIZE && input->size) {
        if (take(input, 1).data[0] != (uint8_t)HTTP2_PREFACE[http2->n_head++])
            return broken_protocol(http2, "the connection preface of HTTP/2 is wrong");
    }
    if (http2->n_head == PREFACE_SIZE) {
        http2->n_head = 0;
        http2->reading = HTTP2_READS_FRAME;
    }
    return 0;
}

uint32_t http2_receive(Http2 *http2, Bytes input)
{
    uint32_t code = 0;
    http2->known = http2->watch.last;
    while (input.size && code == 0 && !http2->over) {
        switch (http2->reading) {
        case HTTP2_READS_PREFACE: code = read_preface(http2, &input); break;
        case HTTP2_READS_FRAME: code = read_frame(http2, &input); break;
        case HTTP2_READS_PAYLOAD: code = read_partial(http2, &input); break;
        case HTTP2_READS_PADDING_SIZE: code = read_padding_size(http2, &input); break;
        case HTTP2_READS_DATA: code = read_data(http2, &input); break;
        case HTTP2_SKIPS: code = skip(http2, &input); break;
        }
    }
    return code;
}
