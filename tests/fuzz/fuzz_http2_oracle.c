/*
 * The same bytes, as a client's, for our server and for that of nghttp2. While both go on, they
 * hear of the same requests with the same fields, and as much of the same bodies. The first byte
 * says in which pieces the input comes to us.
 */
#include "base/arena.h"
#include "protocols/http/http.h"
#include "protocols/http/http_rules.h"
#include "protocols/http2/http2.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STREAMS = 256 };

/* What was heard of one request. */
typedef struct Heard {
    bool head, end;
    bool reset;    /* we see what is wrong with a frame before all of it has come */
    bool odd;      /* only nghttp2 takes such a one */
    uint64_t hash; /* of its fields */
    uint64_t size; /* of the body */
    uint32_t fields;
} Heard;

typedef struct Side {
    Heard heard[STREAMS];
    bool failed;
} Side;

static Side ours, theirs;

static Heard *heard_of(Side *side, uint32_t id)
{
    return id / 2 < STREAMS ? &side->heard[id / 2] : NULL;
}

/* In any order: cookies are put together. */
static void add(Heard *heard, Bytes name, Bytes value)
{
    heard->hash += bytes_hash(name) * 31 + bytes_hash(value);
    heard->fields++;
}

/* Fields that the engine keeps for itself, or puts together. */
static bool is_kept(Bytes name)
{
    return bytes_are(name, "host") || bytes_are(name, "expect") || bytes_are(name, "cookie") ||
           bytes_are(name, "content-length");
}

/* ---- Ours ------------------------------------------------------------------------------------ */

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    Heard *heard = heard_of(&ours, ((Http2Stream *)stream)->id);
    if (!heard)
        return;
    heard->head = true;
    add(heard, bytes_of(":method"), head->method);
    add(heard, bytes_of(":scheme"), head->scheme);
    add(heard, bytes_of(":path"), head->path);
    for (uint32_t i = 0; i < head->fields.n; i++) {
        if (!is_kept(head->fields.items[i].name))
            add(heard, head->fields.items[i].name, head->fields.items[i].value);
    }
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    Heard *heard = heard_of(&ours, ((Http2Stream *)stream)->id);
    if (heard)
        heard->size += piece.size;
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    Heard *heard = heard_of(&ours, ((Http2Stream *)stream)->id);
    if (heard)
        heard->end = true;
}

static bool is_over; /* the input: what is reset now was in order */

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    Heard *heard = heard_of(&ours, ((Http2Stream *)stream)->id);
    if (heard && !is_over)
        heard->reset = true;
}

static const HttpStreamEvents stream_events = {
    .on_head = on_head, .on_body = on_body, .on_end = on_end, .on_reset = on_reset};

static HttpStream *held[STREAMS * 4];
static size_t n_held;

static void on_stream(void *owner, HttpConnection *connection, HttpStream *stream,
                      const HttpHead *head)
{
    http_stream_attach(stream, &stream_events, NULL);
    if (n_held < sizeof held / sizeof *held)
        held[n_held++] = stream;
}

static const HttpConnectionEvents connection_events = {.on_stream = on_stream};

static HttpLimits generous(void)
{
    HttpLimits limits = http_limits_default;
    limits.control_frames = limits.resets_per_second = 1 << 20;
    limits.streams = STREAMS * 2;
    limits.stream_window = limits.connection_window = WINDOW_DEFAULT;
    return limits;
}

static void run_ours(Bytes input, size_t step)
{
    HttpLimits limits = generous();
    HttpConnection *connection = http2_server_new(&limits, false, &connection_events, NULL);
    n_held = 0;
    is_over = false;
    while (input.size && !ours.failed) {
        Result r = http_connection_feed(connection, bytes_slice(input, 0, step), 1);
        ours.failed = failed(r);
        input = bytes_slice(input, step, SIZE_MAX);
    }
    is_over = true;
    http_connection_lost(connection, OK);
    for (size_t i = 0; i < n_held; i++)
        http_stream_release(held[i]);
    http_connection_free(connection);
}

/* ---- Theirs ---------------------------------------------------------------------------------- */

static int theirs_has_field(nghttp2_session *session, const nghttp2_frame *frame,
                            const uint8_t *name, size_t name_size, const uint8_t *value,
                            size_t value_size, uint8_t flags, void *owner)
{
    Heard *heard = heard_of(&theirs, (uint32_t)frame->hd.stream_id);
    Bytes n = bytes(name, name_size), v = bytes(value, value_size);
    if (!heard || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    if (bytes_are(n, ":path"))
        heard->odd |= !http_is_path(v) || v.size > http_limits_default.path_bytes;
    if (bytes_are(n, ":method"))
        heard->odd |= bytes_are(v, "CONNECT") || !http_is_token(v);
    heard->odd |= bytes_are(n, ":authority") || bytes_are(n, "host") || bytes_are(n, "expect");
    if (!is_kept(n) && !bytes_are(n, ":authority"))
        add(heard, n, v);
    return 0;
}

static int theirs_refuses_field(nghttp2_session *session, const nghttp2_frame *frame,
                                nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags,
                                void *owner)
{
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int theirs_has_frame(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    Heard *heard = heard_of(&theirs, (uint32_t)frame->hd.stream_id);
    if (!heard || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        heard->head = true;
    heard->end |= frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    return 0;
}

static int theirs_has_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                           size_t size, void *owner)
{
    Heard *heard = heard_of(&theirs, (uint32_t)id);
    if (heard)
        heard->size += size;
    nghttp2_session_consume(session, id, size);
    return 0;
}

static int theirs_sends(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    theirs.failed |=
        frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR;
    return 0;
}

static void run_theirs(Bytes input)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;
    nghttp2_option *option;
    const uint8_t *out;
    CHECK(nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, theirs_has_field);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, theirs_refuses_field);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, theirs_has_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, theirs_has_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, theirs_sends);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_max_outbound_ack(option, 1 << 20);
    CHECK(nghttp2_session_server_new2(&session, callbacks, NULL, option) == 0);
    CHECK(nghttp2_submit_settings(session, 0, NULL, 0) == 0);
    while (nghttp2_session_mem_send(session, &out) > 0)
        ;
    theirs.failed |= nghttp2_session_mem_recv(session, input.data, input.size) < 0;
    while (nghttp2_session_mem_send(session, &out) > 0)
        ;
    nghttp2_session_del(session);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    Bytes input = bytes(data + 1, size - 1);
    memset(&ours, 0, sizeof ours);
    memset(&theirs, 0, sizeof theirs);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer whole = buffer_in(arena);
    buffer_add_text(&whole, HTTP2_PREFACE);
    buffer_add(&whole, "\0\0\0\4\0\0\0\0\0", 9);
    buffer_add_bytes(&whole, input);
    run_ours(buffer_bytes(&whole), data[0] ? data[0] : SIZE_MAX);
    run_theirs(buffer_bytes(&whole));
    arena_free(arena);
    if (ours.failed || theirs.failed)
        return 0;
    for (size_t i = 0; i < STREAMS; i++) {
        const Heard *a = &ours.heard[i], *b = &theirs.heard[i];
        if (a->head) {
            CHECK(b->head);
            CHECK(a->hash == b->hash && a->fields == b->fields);
            CHECK(a->reset || (a->end == b->end && a->size == b->size));
        }
        CHECK(a->head || !b->head || b->odd);
    }
    return 0;
}
