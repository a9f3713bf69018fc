#include "protocols/http2/http2.h"

#include "protocols/http/http_rules.h"

enum {
    BOMB = 16,   /* a head so many times larger than allowed ends the connection */
    EARNED = 4,  /* control frames that come with a frame of use: window updates, measuring PINGs */
    PIECE = 256, /* bytes sent that a WINDOW_UPDATE may return for nothing, or fewer in a frame of
                    their own */
    QUICK =
        500 *
        1000, /* nanoseconds within which a reset is quick: at twice the age it costs a quarter */
};

/* ---- Costs ----------------------------------------------------------------------------------- */

/*
 * What comes for nothing is counted; what is of use, in either direction, pays for some of it.
 *
 *      frame                           costs            earns
 *      HEADERS, DATA                                    EARNED controls
 *      our DATA                                         EARNED controls, or none when the peer's
 * window cuts it small WINDOW_UPDATE                   1 control, or nothing when it returns at
 * least PIECE bytes that were sent RST_STREAM                      a reset or a part of one, or
 * nothing when the answer has begun; 1 control when the stream is over, or nothing when the two may
 * have crossed an error that ends a stream     1 reset HEADERS, DATA behind it         1 control
 *      DATA with nothing in it, and
 *      all else                        1 control
 */
static bool afford_control(Http2 *http2)
{
    return http_bucket_take(&http2->controls, http2->now);
}

static void earn(Http2 *http2)
{
    http_bucket_credit(&http2->controls, EARNED, http2->now);
}

bool http2_afford_reset(Http2 *http2)
{
    return http2->base.client || http_bucket_take(&http2->resets, http2->now);
}

/*
 * At once it is rapid reset. Later it is what a deadline does: only so many streams as are allowed
 * can wait for theirs at the same time. Once the answer has begun to go out the stream was of use.
 */
static bool afford_open_reset(Http2 *http2, const Http2Stream *stream)
{
    if (stream->answered <= http2->gone)
        return true;
    int64_t age = http2->now - stream->opened;
    int64_t cost = http2->resets.cost * QUICK / (QUICK + age) * QUICK / (QUICK + age);
    return http_bucket_take_time(&http2->resets, cost, http2->now);
}

/* Streams that have ended, as many as could be open at once, may be reset by those who do not know
   it yet. */
static bool afford_late_reset(Http2 *http2)
{
    if (http2->crossing == 0)
        return afford_control(http2);
    http2->crossing--;
    return true;
}

/* Cut small by a window that is opened by bits, a frame is work for nothing ("data dribble"). */
void http2_note_data(Http2 *http2, size_t size, bool whole)
{
    for (int level = 0; level < 2; level++) {
        uint64_t unreturned = (uint64_t)http2->out_unreturned[level] + size;
        http2->out_unreturned[level] = unreturned < INT32_MAX ? (uint32_t)unreturned : INT32_MAX;
    }
    if (whole || size >= PIECE)
        earn(http2);
}

/* A receiver returns what it has read as it likes (RFC 9113 section 6.9): each byte once for the
   connection, and once for its stream, also when that has ended meanwhile. */
static bool afford_window_update(Http2 *http2, const Http2FrameHead *head)
{
    uint32_t *unreturned = &http2->out_unreturned[head->stream != 0];
    bool returns = head->increment <= *unreturned;
    if (returns)
        *unreturned -= head->increment;
    return (returns && head->increment >= PIECE) || afford_control(http2);
}

/* What is in a padded frame on_data will tell. */
static bool may_be_empty(const Http2FrameHead *head)
{
    return !(head->flags & NGHTTP2_FLAG_END_STREAM) &&
           (head->size == 0 || (head->flags & NGHTTP2_FLAG_PADDED));
}

static bool afford_frame(Http2 *http2, const Http2FrameHead *head)
{
    switch (head->type) {
    case NGHTTP2_HEADERS: earn(http2); return true;
    case NGHTTP2_CONTINUATION:
        return true; /* nghttp2 bounds how many, and the head's limit the rest */
    case NGHTTP2_RST_STREAM: return true; /* on_frame knows its stream */
    case NGHTTP2_WINDOW_UPDATE: return afford_window_update(http2, head);
    case NGHTTP2_DATA:
        if (may_be_empty(head))
            return afford_control(http2);
        earn(http2);
        return true;
    default: return afford_control(http2);
    }
}

static bool give(Http2 *http2, Bytes input, int *error_out)
{
    ssize_t n = input.size ? nghttp2_session_mem_recv(http2->session, input.data, input.size) : 0;
    if (n < 0)
        *error_out = (int)n;
    return n >= 0 && !http2->failed;
}

static bool is_open(Http2 *http2, uint32_t stream)
{
    return nghttp2_session_get_stream_user_data(http2->session, (int32_t)stream);
}

/* Behind its own RST_STREAM: it hears so, and nothing else ends with it. */
static uint32_t refuse_late(Http2 *http2, const Http2FrameHead *head)
{
    if (!afford_control(http2))
        return NGHTTP2_ENHANCE_YOUR_CALM;
    nghttp2_submit_rst_stream(http2->session, NGHTTP2_FLAG_NONE, (int32_t)head->stream,
                              NGHTTP2_STREAM_CLOSED);
    return 0;
}

/* A HEADERS or DATA frame on a stream that was there: an HTTP/2 error code for the connection, or
   0. */
static uint32_t judge(Http2 *http2, const Http2FrameHead *head)
{
    Http2End end = HTTP2_ENDED_BY_US;
    if (!is_open(http2, head->stream))
        end = http2_watch_end(&http2->watch, head->stream);
    switch (end) {
    case HTTP2_ENDED_BY_US: return afford_frame(http2, head) ? 0 : NGHTTP2_ENHANCE_YOUR_CALM;
    case HTTP2_FINISHED: return NGHTTP2_STREAM_CLOSED;
    case HTTP2_RESET_BY_PEER: return refuse_late(http2, head);
    case HTTP2_SKIPPED:
        return head->type == NGHTTP2_DATA ? NGHTTP2_STREAM_CLOSED : NGHTTP2_PROTOCOL_ERROR;
    }
    return 0;
}

int http2_receive(Http2 *http2, Bytes input, uint32_t *code_out)
{
    size_t given = 0, at = 0;
    int error = 0;
    Http2FrameHead head;
    bool resets = false; /* a RST_STREAM is among what nghttp2 has not read yet */
    *code_out = 0;
    while (*code_out == 0 && http2_watch_next(&http2->watch, input, &at, &head)) {
        bool message =
            (head.type == NGHTTP2_HEADERS || head.type == NGHTTP2_DATA) && !http2->base.client;
        if (message && head.stream <= http2->watch.last &&
            (resets || !is_open(http2, head.stream))) {
            /* It may be open, or have ended, once nghttp2 has read what comes before. */
            size_t before = at > HTTP2_FRAME_HEAD ? at - HTTP2_FRAME_HEAD : 0;
            if (before > given) {
                if (!give(http2, bytes_slice(input, given, before - given), &error))
                    return error;
                given = before;
                resets = false;
            }
            *code_out = judge(http2, &head);
        } else if (!afford_frame(http2, &head)) {
            *code_out = NGHTTP2_ENHANCE_YOUR_CALM;
        } else if (message && head.type == NGHTTP2_HEADERS && head.stream % 2) {
            http2_watch_opened(&http2->watch, head.stream);
        }
        resets |= head.type == NGHTTP2_RST_STREAM;
    }
    if (*code_out == 0)
        give(http2, bytes_slice(input, given, SIZE_MAX), &error);
    return error;
}

/* ---- Heads ----------------------------------------------------------------------------------- */

static Arena *incoming_arena(Http2 *http2)
{
    Http2Incoming *in = &http2->in;
    const HttpLimits *limits = &http2->base.limits;
    if (in->arena)
        arena_reset(in->arena);
    else
        in->arena = arena_new(64 * 1024 + (size_t)limits->head_bytes * 2 +
                              (size_t)limits->head_fields * 128);
    return in->arena;
}

static void begin_block(Http2 *http2, Http2Stream *stream)
{
    Arena *arena = incoming_arena(http2);
    http2->in = (Http2Incoming){
        .arena = arena,
        .head = {.minor = 2, .content_length = -1, .fields = fields_in(arena)},
        .stream = stream,
        .trailers = stream && stream->head_received,
        .open = true,
    };
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    Http2 *http2 = owner;
    Http2Stream *stream;
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST && !http2->base.client) {
        stream = http2_stream_new(http2);
        stream->id = frame->hd.stream_id;
        stream->released = true; /* nobody has it until the request is accepted */
        nghttp2_session_set_stream_user_data(session, stream->id, stream);
    } else {
        stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    }
    begin_block(http2, stream);
    return 0;
}

/* Copies what is not constant; the head lives until its event is over. */
static bool keep(Http2Incoming *in, nghttp2_rcbuf *name_buffer, Bytes *name, Bytes *value)
{
    size_t names = nghttp2_rcbuf_is_static(name_buffer) ? 0 : name->size;
    uint8_t *copy = arena_alloc(in->arena, names + value->size);
    if (!copy)
        return false;
    if (names) {
        bytes_put(copy, *name);
        name->data = copy;
    }
    bytes_put(copy + names, *value);
    value->data = copy + names;
    return true;
}

static void take_pseudo_field(Http2Incoming *in, Bytes name, Bytes value)
{
    uint64_t status;
    if (bytes_are(name, ":method"))
        in->head.method = value;
    else if (bytes_are(name, ":path"))
        in->head.path = value;
    else if (bytes_are(name, ":scheme"))
        in->head.scheme = value;
    else if (bytes_are(name, ":authority"))
        in->head.authority = value;
    else if (bytes_are(name, ":status") && bytes_to_u64(value, &status))
        in->head.status = (uint16_t)status; /* nghttp2 checked: three digits */
}

static void take_field(Http2Incoming *in, Bytes name, Bytes value)
{
    uint64_t length;
    switch (name.size) {
    case 4:
        if (!bytes_are(name, "host") || in->trailers)
            break;
        in->host = value;
        return;
    case 6:
        in->cookies += bytes_are(name, "cookie");
        if (!bytes_are(name, "expect") || in->trailers)
            break;
        in->expect = value;
        return;
    case 14:
        if (!bytes_are(name, "content-length"))
            break;
        if (!in->trailers && bytes_to_u64(value, &length) && length <= INT64_MAX)
            in->head.content_length = (int64_t)length;
        return;
    default: break;
    }
    if (in->trailers && http_is_barred_from_trailers(name))
        return;
    fields_add(&in->head.fields, name, value);
    in->too_large |= in->head.fields.full;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *owner)
{
    Http2 *http2 = owner;
    Http2Incoming *in = &http2->in;
    const HttpLimits *limits = &http2->base.limits;
    nghttp2_vec name_vec = nghttp2_rcbuf_get_buf(name), value_vec = nghttp2_rcbuf_get_buf(value);
    in->size += name_vec.len + value_vec.len + 32;
    in->n++;
    in->too_large |= in->size > limits->head_bytes || in->n > limits->head_fields + 4;
    if (in->size / BOMB > limits->head_bytes) {
        http2->flooded = true;
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (in->too_large || !in->stream)
        return 0; /* nghttp2 goes on decoding: the state of compression belongs to the connection */

    Bytes kept_name = bytes(name_vec.base, name_vec.len),
          kept_value = bytes(value_vec.base, value_vec.len);
    if (!keep(in, name, &kept_name, &kept_value))
        in->too_large = true;
    else if (kept_name.data[0] == ':')
        take_pseudo_field(in, kept_name, kept_value);
    else
        take_field(in, kept_name, http2->base.client ? bytes_trim(kept_value) : kept_value);
    return 0;
}

/* A request that nobody owns is reset without a response. */
static void tell_reset(Http2 *http2, const HttpHead *head, const char *why)
{
    if (!http2->base.client)
        http_connection_refusal(&http2->base, 0, head, why);
}

/* nghttp2 would leave a malformed field out in silence; RFC 9113 section 8.2.1 wants the stream
   reset. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                             nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags, void *owner)
{
    Http2 *http2 = owner;
    http2->in.open = false;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* ---- Requests -------------------------------------------------------------------------------- */

static void reset_malformed(Http2 *http2, Http2Stream *stream, const char *why)
{
    tell_reset(http2, &http2->in.head, why);
    stream->silent = true;
    http2_submit_reset(http2, stream, NGHTTP2_PROTOCOL_ERROR);
}

/* RFC 9113 section 8.3.1: Host may repeat the authority or stand in for it, not contradict it. */
static bool settle_authority(Http2Incoming *in)
{
    HttpHead *head = &in->head;
    if (!head->authority.data)
        head->authority = in->host;
    else if (in->host.data && !bytes_equal_nocase(in->host, head->authority))
        return false;
    return head->authority.size == 0 || http_is_authority(head->authority);
}

/* True when the request goes on to an owner; else it was answered or reset. */
static bool accept_request(Http2 *http2, Http2Stream *stream)
{
    Http2Incoming *in = &http2->in;
    HttpHead *head = &in->head;
    if (in->too_large) {
        http2_answer(http2, stream, 431, "the header fields are too large");
        return false;
    }
    if (bytes_are(head->method, "CONNECT")) {
        http2_answer(http2, stream, 501, "CONNECT is not served here");
        return false;
    }
    if (head->path.size > http2->base.limits.path_bytes) {
        http2_answer(http2, stream, 414, "the request target is too long");
        return false;
    }
    if (in->expect.data && !bytes_are_nocase(in->expect, "100-continue")) {
        http2_answer(http2, stream, 417, "no expectation but 100-continue can be met");
        return false;
    }
    if (!http_is_path(head->path)) {
        reset_malformed(http2, stream, "the path is malformed");
        return false;
    }
    if (!settle_authority(in)) {
        reset_malformed(http2, stream, "the authority is malformed, or Host contradicts it");
        return false;
    }
    return true;
}

static void tell_end(Http2Stream *stream, const Fields *trailers)
{
    const HttpStreamEvents *events = stream->base.events;
    stream->remote_ended = true;
    if (events && events->on_end && !stream->silent)
        events->on_end(stream->base.owner, &stream->base, trailers);
}

static void tell_head(Http2Stream *stream, const HttpHead *head, bool end)
{
    const HttpStreamEvents *events = stream->base.events;
    stream->head_received = true;
    if (events && events->on_head && !stream->silent)
        events->on_head(stream->base.owner, &stream->base, head, end);
}

static void send_continue(Http2 *http2, Http2Stream *stream)
{
    HttpHead head = {.status = 100, .content_length = -1};
    if (!stream->head_sent && !stream->silent)
        http2_send_head(&stream->base, &head, false);
}

/* HTTP/2 may bring cookies in pieces; elsewhere they are one field (RFC 9113 section 8.2.3). */
static void join_cookies(Http2Incoming *in)
{
    Fields *fields = &in->head.fields;
    Buffer all = buffer_in(in->arena);
    uint32_t kept = 0;
    Field *first = NULL;
    for (uint32_t i = 0; i < fields->n; i++) {
        Field field = fields->items[i];
        if (!bytes_are(field.name, "cookie")) {
            fields->items[kept++] = field;
            continue;
        }
        if (first) {
            buffer_add_text(&all, "; ");
        } else {
            first = &fields->items[kept++];
            *first = field;
        }
        buffer_add_bytes(&all, field.value);
    }
    fields->n = kept;
    if (first && !all.full)
        first->value = buffer_bytes(&all);
    in->too_large |= all.full;
}

static void on_request(Http2 *http2, Http2Stream *stream, bool end)
{
    if (http2->in.cookies > 1)
        join_cookies(&http2->in);
    stream->head_request = bytes_are(http2->in.head.method, "HEAD");
    stream->bounded = http2->in.head.content_length >= 0 &&
                      http2->in.head.content_length <= http2->base.limits.stream_window;
    stream->remote_ended = end;
    if (!accept_request(http2, stream)) {
        stream->head_received = true;
        return;
    }
    stream->remote_ended = stream->released = false;
    http2->base.events->on_stream(http2->base.owner, &http2->base, &stream->base);
    tell_head(stream, &http2->in.head, end);
    if (http2->in.expect.data && !end)
        send_continue(http2, stream);
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void fail_answer(Http2 *http2, Http2Stream *stream, const Fault *fault, const char *reason)
{
    const HttpStreamEvents *events = stream->base.events;
    bool tell = events && events->on_reset && !stream->silent;
    stream->silent = true;
    http2_submit_reset(http2, stream, NGHTTP2_CANCEL);
    if (tell)
        events->on_reset(stream->base.owner, &stream->base,
                         error_new(http_connection_errors(&http2->base), fault, OK, NULL, __FILE__,
                                   __LINE__, "reading HTTP/2: %s", reason));
}

static void tell_interim(Http2Stream *stream, const HttpHead *head)
{
    const HttpStreamEvents *events = stream->base.events;
    if (events && events->on_interim && !stream->silent)
        events->on_interim(stream->base.owner, &stream->base, head);
}

/* False: it was not the final one. */
static bool on_answer(Http2 *http2, Http2Stream *stream, bool end)
{
    if (http2->in.too_large) {
        fail_answer(http2, stream, &FAULT_UPSTREAM_TOO_LARGE, "the header fields are too large");
        return false;
    }
    if (http2->in.head.status < 200) {
        tell_interim(stream, &http2->in.head);
        return false;
    }
    tell_head(stream, &http2->in.head, end);
    return true;
}

static void on_trailers(Http2 *http2, Http2Stream *stream)
{
    if (!http2->in.too_large)
        tell_end(stream, &http2->in.head.fields);
    else if (http2->base.client)
        fail_answer(http2, stream, &FAULT_UPSTREAM_TOO_LARGE, "the trailers are too large");
    else
        fail_answer(http2, stream, &FAULT_HEAD_TOO_LARGE, "the trailers are too large");
}

static void on_headers(Http2 *http2, const nghttp2_frame *frame)
{
    Http2Stream *stream = http2->in.stream;
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    Fields none = {0};
    http2->in.open = false;
    if (!stream)
        return;
    if (http2->in.trailers) {
        on_trailers(http2, stream);
        return;
    }
    if (!http2->base.client)
        on_request(http2, stream, end);
    else if (!on_answer(http2, stream, end))
        return;
    if (end)
        tell_end(stream, &none);
}

/* ---- Other frames ---------------------------------------------------------------------------- */

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    Http2 *http2 = owner;
    Http2Stream *stream;
    Fields none = {0};
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS: on_headers(http2, frame); break;
    case NGHTTP2_DATA:
        if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
            break;
        stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (stream)
            tell_end(stream, &none);
        break;
    case NGHTTP2_RST_STREAM:
        stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (stream)
            stream->reset_by_peer = true;
        if (!http2->base.client &&
            !(stream ? afford_open_reset(http2, stream) : afford_late_reset(http2))) {
            http2->flooded = true;
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
        break;
    case NGHTTP2_SETTINGS:
        http2->greeted = true;
        http2->capacity_due = http2->base.client;
        break;
    case NGHTTP2_GOAWAY:
        http2->going = true;
        http2->capacity_due = http2->base.client;
        break;
    case NGHTTP2_PING:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK)
            http2_linger_answered(http2, frame->ping.opaque_data);
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) && http2->draining && !http2->going &&
            http2_is_drain_ping(frame->ping.opaque_data)) {
            http2->going = true;
            nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE,
                                  nghttp2_session_get_last_proc_stream_id(session),
                                  NGHTTP2_NO_ERROR, NULL, 0);
        }
        break;
    default: break;
    }
    return 0;
}

/* nghttp2 has reset the stream, or will end the connection. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *owner)
{
    static const HttpHead unread;
    Http2 *http2 = owner;
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    http2->in.open = false;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        tell_reset(http2, &unread, nghttp2_strerror(error));
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t size, void *owner)
{
    Http2 *http2 = owner;
    Http2Stream *stream = nghttp2_session_get_stream_user_data(session, id);
    http2->base.progress += size;
    if (flags & NGHTTP2_FLAG_PADDED)
        earn(http2);
    if (!stream || stream->silent || !stream->base.events || !stream->base.events->on_body) {
        /* Nobody will: the windows stay open, but not for what comes behind the answer. */
        if (stream && stream->lingers)
            nghttp2_session_consume_connection(session, size);
        else
            nghttp2_session_consume(session, id, size);
        return 0;
    }
    /* Calls of many clients share the window of a connection to an instance: those whose clients do
       not read must not keep it from the others. */
    if (http2->base.client)
        nghttp2_session_consume_connection(session, size);
    stream->unconsumed += size;
    stream->base.events->on_body(stream->base.owner, &stream->base, bytes(data, size));
    return 0;
}

/* ---- The end of a stream --------------------------------------------------------------------- */

static const Fault *fault_of_close(const Http2 *http2, const Http2Stream *stream, uint32_t code)
{
    if (!http2->base.client)
        return stream->reset_by_peer || code == NGHTTP2_NO_ERROR || code == NGHTTP2_CANCEL
                   ? &FAULT_CANCELLED
                   : &FAULT_PROTOCOL_VIOLATION;
    if (code == NGHTTP2_REFUSED_STREAM || stream->not_sent)
        return &FAULT_UPSTREAM_REFUSED;
    return stream->reset_by_peer ? &FAULT_UPSTREAM_RESET : &FAULT_UPSTREAM_PROTOCOL;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *owner)
{
    Http2 *http2 = owner;
    Http2Stream *stream = nghttp2_session_get_stream_user_data(session, id);
    if (!stream)
        return 0;
    nghttp2_session_set_stream_user_data(session, id, NULL);
    http2_watch_closed(&http2->watch, (uint32_t)id,
                       stream->remote_ended    ? HTTP2_FINISHED
                       : stream->reset_by_peer ? HTTP2_RESET_BY_PEER
                                               : HTTP2_ENDED_BY_US);
    if (http2->in.stream == stream)
        http2->in.stream = NULL;
    if (!stream->reset_by_peer && http2->crossing < http2->base.limits.streams)
        http2->crossing++;

    bool complete = http2->base.client ? stream->remote_ended : stream->end_sent;
    const HttpStreamEvents *events = stream->base.events;
    bool tell = events && events->on_reset && !stream->silent && !complete;
    const Fault *fault = fault_of_close(http2, stream, code);
    bool released = stream->released;
    stream->silent |= tell;
    http2_stream_closed(http2, stream);
    if (tell && !released)
        events->on_reset(stream->base.owner, &stream->base,
                         error_new(http_connection_errors(&http2->base), fault, OK, NULL, __FILE__,
                                   __LINE__, "stream %d ended with %s", id,
                                   nghttp2_http2_strerror(code)));
    return 0;
}

void http2_receive_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}
