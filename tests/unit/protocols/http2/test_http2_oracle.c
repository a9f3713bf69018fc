/*
 * Sessions with nghttp2 as the peer, on either side: heads, bodies and trailers at random, windows
 * and tables that change, bytes that come in any pieces. Every message has to arrive as it was
 * sent, and neither side may find anything wrong with the other.
 */
#include "tests/unit/check.h"

#include "base/arena.h"
#include "protocols/http/http.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>

enum { CALLS = 120, MOST_FIELDS = 12, MOST_BODY = 120000, IN_FLIGHT = 20, SEEDS = 20 };

/* One direction of a call. */
typedef struct Message {
    Field fields[MOST_FIELDS];
    uint32_t n;
    bool has_trailers; /* the same fields again */
    bool declared;     /* the size of the body, as this text: */
    char length[12];
    uint32_t size; /* of the body */
    uint32_t seed; /* of its bytes */
    uint32_t sent, received;
    bool head, end;
} Message;

typedef struct Session Session;

typedef struct Call {
    Session *session;
    Message request, answer;
    HttpStream *stream; /* ours */
    uint32_t owed;
    int32_t id; /* nghttp2's */
    bool broken_off;
    bool closed; /* for nghttp2 */
    bool waits;  /* nghttp2's body is deferred */
    bool answered;
    bool early; /* answered before the end of the request, of which the rest may never come */
} Call;

struct Session {
    bool ours_is_client;
    uint32_t dice;
    Arena *arena;
    HttpConnection *ours;
    nghttp2_session *theirs;
    Buffer to_ours;
    Call calls[CALLS];
    uint32_t n; /* calls that were begun */
};

static uint32_t dice(Session *session, uint32_t n)
{
    session->dice = session->dice * 1664525 + 1013904223;
    return (session->dice >> 8) % n;
}

static uint8_t byte_at(const Message *message, uint32_t i)
{
    return (uint8_t)(message->seed + i * 7 + i / 251);
}

static void make_message(Session *session, Message *message)
{
    static const char *const names[] = {"x-type",     "x-request-id", "grpc-timeout",
                                        "x-a",        "x-b",          "accept",
                                        "user-agent", "date",         "x-long-name-of-a-field"};
    *message = (Message){.n = dice(session, MOST_FIELDS), .seed = dice(session, 256)};
    message->has_trailers = dice(session, 2) && message->n;
    message->declared = dice(session, 2);
    message->size = dice(session, 3) ? dice(session, 300) : dice(session, MOST_BODY);
    for (uint32_t i = 0; i < message->n; i++) {
        message->fields[i].name = bytes_of(names[dice(session, 9)]);
        const char *value = dice(session, 3)
                                ? arena_printf(session->arena, "value-%u", dice(session, 5))
                                : arena_printf(session->arena, "%0*u", 1 + (int)dice(session, 60),
                                               dice(session, 1000000));
        if (dice(session, 50) == 0)
            value = arena_printf(session->arena, "%0*u", 3000, 1);
        message->fields[i].value = bytes_of(value);
    }
}

static void expect_fields(const Message *message, const Field *fields, uint32_t n)
{
    assert_int_equal(n, message->n);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(bytes_equal(fields[i].name, message->fields[i].name));
        assert_true(bytes_equal(fields[i].value, message->fields[i].value));
    }
}

static void expect_body(Message *message, Bytes piece)
{
    assert_true(message->head && !message->end);
    assert_true(message->received + piece.size <= message->size);
    for (size_t i = 0; i < piece.size; i++) {
        if (piece.data[i] != byte_at(message, message->received + (uint32_t)i))
            fail_msg("byte %zu of a body", message->received + i);
    }
    message->received += (uint32_t)piece.size;
}

static void expect_end(Message *message, const Field *trailers, uint32_t n)
{
    assert_true(message->head && !message->end);
    assert_int_equal(message->received, message->size);
    message->end = true;
    if (message->has_trailers)
        expect_fields(message, trailers, n);
    else
        assert_int_equal(n, 0);
}

/* What ours receives; and sends. */
static Message *coming(Call *call)
{
    return call->session->ours_is_client ? &call->answer : &call->request;
}

static Message *going(Call *call)
{
    return call->session->ours_is_client ? &call->request : &call->answer;
}

/* ---- Ours ------------------------------------------------------------------------------------ */

static void send_some(Call *call)
{
    Message *message = going(call);
    uint8_t piece[5000];
    uint32_t left = message->size - message->sent;
    uint32_t size = left < sizeof piece ? left : 1 + dice(call->session, sizeof piece - 1);
    if (!call->stream || call->broken_off || message->end ||
        http_stream_queued(call->stream) > 50000)
        return;
    for (uint32_t i = 0; i < size; i++)
        piece[i] = byte_at(message, message->sent + i);
    http_stream_send_body(call->stream, bytes(piece, size));
    message->sent += size;
    if (message->sent < message->size)
        return;
    Fields trailers = {.items = message->fields, .n = message->n};
    http_stream_send_end(call->stream, message->has_trailers ? &trailers : NULL);
    message->sent = UINT32_MAX / 2; /* nothing more */
}

static void answer(Call *call)
{
    Message *message = &call->answer;
    HttpHead head = {.status = 200,
                     .content_length = message->declared ? (int64_t)message->size : -1,
                     .fields = {.items = message->fields, .n = message->n}};
    call->answered = true;
    http_stream_send_head(call->stream, &head, message->size == 0 && !message->has_trailers);
    if (message->size == 0 && !message->has_trailers)
        message->sent = UINT32_MAX / 2;
}

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    Call *call = owner;
    Session *session = call->session;
    Message *message = coming(call);
    assert_false(message->head);
    message->head = true;
    expect_fields(message, head->fields.items, head->fields.n);
    assert_int_equal(head->content_length, message->declared ? (int64_t)message->size : -1);
    if (session->ours_is_client) {
        assert_int_equal(head->status, 200);
    } else {
        assert_true(bytes_are(head->method, "POST"));
        assert_true(bytes_are(head->authority, "somewhere"));
    }
    assert_int_equal(end, message->size == 0 && !message->has_trailers);
    call->early = !session->ours_is_client && !end && dice(session, 8) == 0;
    if (call->early)
        answer(call);
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    Call *call = owner;
    expect_body(coming(call), piece);
    if (dice(call->session, 2))
        http_stream_consume(stream, piece.size);
    else
        call->owed += (uint32_t)piece.size;
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    Call *call = owner;
    expect_end(coming(call), trailers->items, trailers->n);
    if (!call->session->ours_is_client && !call->answered)
        answer(call);
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    Call *call = owner;
    if (!call->broken_off)
        fail_msg("%s", error_text(call->session->arena, why));
}

static const HttpStreamEvents stream_events = {
    .on_head = on_head, .on_body = on_body, .on_end = on_end, .on_reset = on_reset};

/* Its path says which call it is. */
static void on_first_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    Session *session = owner;
    uint64_t number;
    assert_true(bytes_to_u64(bytes_slice(head->path, 1, SIZE_MAX), &number) && number < CALLS);
    Call *call = &session->calls[number];
    call->stream = stream;
    http_stream_attach(stream, &stream_events, call);
    on_head(call, stream, head, end);
}

static const HttpStreamEvents first_events = {.on_head = on_first_head};

static void on_stream(void *owner, HttpConnection *connection, HttpStream *stream,
                      const HttpHead *head)
{
    http_stream_attach(stream, &first_events, owner);
}

static const HttpConnectionEvents connection_events = {.on_stream = on_stream};

static void open_ours(Session *session)
{
    Call *call = &session->calls[session->n];
    Message *message = &call->request;
    if (http_connection_capacity(session->ours) == 0)
        return;
    HttpHead head = {.method = bytes_of("POST"),
                     .authority = bytes_of("somewhere"),
                     .path = bytes_of(dice(session, 2) ? "/" : "/some.Service/Method"),
                     .content_length = message->declared ? (int64_t)message->size : -1,
                     .fields = {.items = message->fields, .n = message->n}};
    bool end = message->size == 0 && !message->has_trailers;
    call->stream = http_stream_open(session->ours, &head, end, &stream_events, call);
    assert_non_null(call->stream);
    if (end)
        message->sent = UINT32_MAX / 2;
    session->n++;
}

/* ---- Theirs ---------------------------------------------------------------------------------- */

static Call *call_of(Session *session, int32_t id)
{
    Call *call = nghttp2_session_get_stream_user_data(session->theirs, id);
    if (call)
        return call;
    call = &session->calls[(id - 1) / 2];
    nghttp2_session_set_stream_user_data(session->theirs, id, call);
    call->id = id;
    return call;
}

/* What theirs receives. */
static Message *told(Call *call)
{
    return going(call);
}

static Message *telling(Call *call)
{
    return coming(call);
}

typedef struct Incoming {
    Field fields[MOST_FIELDS + 8];
    uint32_t n;
} Incoming;

static Incoming incoming;

static int theirs_begins_head(nghttp2_session *theirs, const nghttp2_frame *frame, void *owner)
{
    incoming.n = 0;
    return 0;
}

static int theirs_has_field(nghttp2_session *theirs, const nghttp2_frame *frame,
                            const uint8_t *name, size_t name_size, const uint8_t *value,
                            size_t value_size, uint8_t flags, void *owner)
{
    Session *session = owner;
    if (name[0] == ':')
        return 0;
    if (bytes_are(bytes(name, name_size), "content-length")) {
        const Message *message = told(call_of(session, frame->hd.stream_id));
        uint64_t size = 0;
        assert_true(message->declared && bytes_to_u64(bytes(value, value_size), &size));
        assert_int_equal(size, message->size);
        return 0;
    }
    assert_true(incoming.n < MOST_FIELDS);
    incoming.fields[incoming.n++] = (Field){bytes_copy(session->arena, bytes(name, name_size)),
                                            bytes_copy(session->arena, bytes(value, value_size))};
    return 0;
}

static ssize_t theirs_reads_body(nghttp2_session *theirs, int32_t id, uint8_t *out, size_t most,
                                 uint32_t *flags, nghttp2_data_source *source, void *owner)
{
    Call *call = source->ptr;
    Session *session = call->session;
    Message *message = telling(call);
    uint32_t left = message->size - message->sent;
    if (left && dice(session, 4) == 0) {
        call->waits = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    uint32_t size = left < most ? left : (uint32_t)most;
    if (size)
        size = 1 + dice(session, size);
    for (uint32_t i = 0; i < size; i++)
        out[i] = byte_at(message, message->sent + i);
    message->sent += size;
    if (message->sent < message->size)
        return (ssize_t)size;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (message->has_trailers) {
        nghttp2_nv nvs[MOST_FIELDS];
        for (uint32_t i = 0; i < message->n; i++)
            nvs[i] = (nghttp2_nv){(uint8_t *)(uintptr_t)message->fields[i].name.data,
                                  (uint8_t *)(uintptr_t)message->fields[i].value.data,
                                  message->fields[i].name.size, message->fields[i].value.size, 0};
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        assert_int_equal(nghttp2_submit_trailer(theirs, id, nvs, message->n), 0);
    }
    return (ssize_t)size;
}

static size_t fill(nghttp2_nv *nvs, Message *message, size_t n, const char *const pseudo[][2])
{
    for (size_t i = 0; i < n; i++)
        nvs[i] =
            (nghttp2_nv){(uint8_t *)(uintptr_t)pseudo[i][0], (uint8_t *)(uintptr_t)pseudo[i][1],
                         strlen(pseudo[i][0]), strlen(pseudo[i][1]), 0};
    for (uint32_t i = 0; i < message->n; i++)
        nvs[n++] = (nghttp2_nv){(uint8_t *)(uintptr_t)message->fields[i].name.data,
                                (uint8_t *)(uintptr_t)message->fields[i].value.data,
                                message->fields[i].name.size, message->fields[i].value.size, 0};
    if (message->declared) {
        size_t size =
            (size_t)snprintf(message->length, sizeof message->length, "%u", message->size);
        nvs[n++] = (nghttp2_nv){(uint8_t *)(uintptr_t) "content-length",
                                (uint8_t *)(uintptr_t)message->length, 14, size, 0};
    }
    return n;
}

static void theirs_answers(Session *session, Call *call)
{
    static const char *const status[][2] = {{":status", "200"}};
    nghttp2_nv nvs[MOST_FIELDS + 2];
    Message *message = &call->answer;
    nghttp2_data_provider provider = {{.ptr = call}, theirs_reads_body};
    bool body = message->size || message->has_trailers;
    size_t n = fill(nvs, message, 1, status);
    call->answered = true;
    assert_int_equal(
        nghttp2_submit_response(session->theirs, call->id, nvs, n, body ? &provider : NULL), 0);
}

static int theirs_has_frame(nghttp2_session *theirs, const nghttp2_frame *frame, void *owner)
{
    Session *session = owner;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        assert_int_equal(frame->goaway.error_code, NGHTTP2_NO_ERROR);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    Call *call = call_of(session, frame->hd.stream_id);
    Message *message = told(call);
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    bool trailers = frame->hd.type == NGHTTP2_HEADERS && message->head;
    if (frame->hd.type == NGHTTP2_HEADERS && !trailers) {
        expect_fields(message, incoming.fields, incoming.n);
        message->head = true;
    }
    if (end)
        expect_end(message, incoming.fields, trailers ? incoming.n : 0);
    if (session->ours_is_client && !call->answered && (end || dice(session, 20) == 0))
        theirs_answers(session, call);
    return 0;
}

static int theirs_has_data(nghttp2_session *theirs, uint8_t flags, int32_t id, const uint8_t *data,
                           size_t size, void *owner)
{
    expect_body(told(call_of(owner, id)), bytes(data, size));
    return 0;
}

static int theirs_closes(nghttp2_session *theirs, int32_t id, uint32_t code, void *owner)
{
    Call *call = call_of(owner, id);
    call->closed = true;
    if (code != NGHTTP2_NO_ERROR && !call->broken_off)
        fail_msg("stream %d ended with %s", id, nghttp2_http2_strerror(code));
    return 0;
}

static int theirs_complains(nghttp2_session *theirs, const nghttp2_frame *frame, int error,
                            void *owner)
{
    fail_msg("a frame of type %d: %s", frame->hd.type, nghttp2_strerror(error));
    return 0;
}

static int theirs_is_told_nonsense(nghttp2_session *theirs, int code, const char *text, size_t size,
                                   void *owner)
{
    fail_msg("%.*s", (int)size, text);
    return 0;
}

static void open_theirs(Session *session)
{
    Call *call = &session->calls[session->n];
    const char *path = arena_printf(session->arena, "/%u", session->n);
    const char *const pseudo[][2] = {
        {":method", "POST"}, {":scheme", "http"}, {":authority", "somewhere"}, {":path", path}};
    nghttp2_nv nvs[MOST_FIELDS + 5];
    nghttp2_data_provider provider = {{.ptr = call}, theirs_reads_body};
    bool body = call->request.size || call->request.has_trailers;
    size_t size = fill(nvs, &call->request, 4, pseudo);
    call->id =
        nghttp2_submit_request(session->theirs, NULL, nvs, size, body ? &provider : NULL, call);
    assert_true(call->id > 0);
    session->n++;
}

static void make_theirs(Session *session)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, IN_FLIGHT}};
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, theirs_begins_head);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, theirs_has_field);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, theirs_has_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, theirs_has_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, theirs_closes);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, theirs_complains);
    nghttp2_session_callbacks_set_error_callback2(callbacks, theirs_is_told_nonsense);
    assert_int_equal((session->ours_is_client
                          ? nghttp2_session_server_new
                          : nghttp2_session_client_new)(&session->theirs, callbacks, session),
                     0);
    nghttp2_session_callbacks_del(callbacks);
    assert_int_equal(nghttp2_submit_settings(session->theirs, 0, settings, 1), 0);
}

/* ---- Both ------------------------------------------------------------------------------------ */

static void session_begin(Session *session, bool ours_is_client, uint32_t seed)
{
    *session = (Session){
        .ours_is_client = ours_is_client, .dice = seed, .arena = arena_new(ARENA_UNLIMITED)};
    session->to_ours = buffer_in(session->arena);
    HttpLimits limits = http_limits_default;
    limits.stream_window = 1000 + dice(session, 200000);
    limits.connection_window = 1000 + dice(session, 300000);
    limits.streams = IN_FLIGHT;
    limits.control_frames = limits.resets_per_second = 1000000;
    for (uint32_t i = 0; i < CALLS; i++) {
        session->calls[i].session = session;
        make_message(session, &session->calls[i].request);
        make_message(session, &session->calls[i].answer);
    }
    session->ours = (ours_is_client ? http2_client_new : http2_server_new)(
        &limits, false, &connection_events, session);
    make_theirs(session);
}

static void session_end(Session *session)
{
    http_connection_lost(session->ours, OK);
    for (uint32_t i = 0; i < CALLS; i++) {
        if (session->calls[i].stream)
            http_stream_release(session->calls[i].stream);
    }
    http_connection_free(session->ours);
    nghttp2_session_del(session->theirs);
    arena_free(session->arena);
}

static bool is_done(const Call *call)
{
    return call->broken_off || (call->answer.end && (call->request.end || call->early));
}

static uint32_t in_flight(const Session *session)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < session->n; i++)
        n += !is_done(&session->calls[i]);
    return n;
}

/* nghttp2 finds fault with a stream of which it holds more than a window that has become smaller:
   it keeps above the half of the largest, from which on it returns what it was sent. */
static void change_settings(Session *session)
{
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 60000 + dice(session, 60000)},
        {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, dice(session, 3) ? dice(session, 5000) : 0},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 16384 + dice(session, 100000)},
    };
    nghttp2_submit_settings(session->theirs, 0, settings + dice(session, 3), 1);
}

static void break_off(Session *session, Call *call)
{
    if (is_done(call))
        return;
    call->broken_off = true;
    if (dice(session, 2) && call->id)
        nghttp2_submit_rst_stream(session->theirs, 0, call->id, NGHTTP2_CANCEL);
    else if (call->stream && dice(session, 2))
        http_stream_reset(call->stream, HTTP2_ERROR_CANCEL);
}

/* Something at random. */
static void act(Session *session)
{
    Call *call = session->n ? &session->calls[dice(session, session->n)] : NULL;
    if (session->n < CALLS && in_flight(session) < IN_FLIGHT && dice(session, 4) == 0)
        (session->ours_is_client ? open_ours : open_theirs)(session);
    else if (dice(session, 200) == 0)
        change_settings(session);
    else if (dice(session, 200) == 0)
        nghttp2_submit_ping(session->theirs, 0, NULL);
    else if (call && dice(session, 300) == 0)
        break_off(session, call);
}

/* What each call can do always. */
static void go_on(Session *session)
{
    for (uint32_t i = 0; i < session->n; i++) {
        Call *call = &session->calls[i];
        bool may_send = session->ours_is_client || call->answered;
        if (may_send && going(call)->sent < UINT32_MAX / 2)
            send_some(call);
        if (call->owed && dice(session, 4) == 0) {
            http_stream_consume(call->stream, call->owed);
            call->owed = 0;
        }
        if (call->waits && !call->closed) {
            call->waits = false;
            nghttp2_session_resume_data(session->theirs, call->id);
        }
        if (call->stream && is_done(call) && dice(session, 4) == 0) {
            http_stream_release(call->stream);
            call->stream = NULL;
            call->owed = 0;
        }
    }
}

static void carry_to_theirs(Session *session)
{
    struct iovec vectors[8];
    int n = http_connection_output(session->ours, vectors, 8);
    size_t sent = 0;
    for (int i = 0; i < n; i++) {
        for (size_t at = 0; at < vectors[i].iov_len;) {
            size_t size = vectors[i].iov_len - at;
            size_t piece = 1 + dice(session, dice(session, 10) ? 30000 : 5);
            piece = piece < size ? piece : size;
            ssize_t taken = nghttp2_session_mem_recv(
                session->theirs, (const uint8_t *)vectors[i].iov_base + at, piece);
            if (taken != (ssize_t)piece)
                fail_msg("nghttp2 says %zd", taken);
            at += piece;
        }
        sent += vectors[i].iov_len;
    }
    http_connection_sent(session->ours, sent);
}

static void carry_to_ours(Session *session)
{
    const uint8_t *data;
    ssize_t size;
    while ((size = nghttp2_session_mem_send(session->theirs, &data)) > 0)
        buffer_add(&session->to_ours, data, (size_t)size);
    assert_true(size == 0);
    Bytes rest = buffer_bytes(&session->to_ours);
    while (rest.size) {
        size_t piece = 1 + dice(session, dice(session, 10) ? 30000 : 5);
        assert_ok(session->arena,
                  http_connection_feed(session->ours, bytes_slice(rest, 0, piece), 1));
        rest = bytes_slice(rest, piece, SIZE_MAX);
    }
    session->to_ours.size = 0;
}

static void run(bool ours_is_client, uint32_t seed)
{
    static Session session;
    session_begin(&session, ours_is_client, seed);
    int steps = 0;
    while (session.n < CALLS || in_flight(&session)) {
        for (int i = 0; i < 5; i++)
            act(&session);
        go_on(&session);
        carry_to_theirs(&session);
        carry_to_ours(&session);
        if (++steps == 20000)
            fail_msg("seed %u hangs with %u calls of %u", seed, in_flight(&session), session.n);
    }
    session_end(&session);
}

static void our_server_and_their_client_understand_each_other(void **state)
{
    for (uint32_t seed = 1; seed <= SEEDS; seed++)
        run(false, seed);
}

static void our_client_and_their_server_understand_each_other(void **state)
{
    for (uint32_t seed = 1; seed <= SEEDS; seed++)
        run(true, seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_server_and_their_client_understand_each_other),
        cmocka_unit_test(our_client_and_their_server_understand_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
