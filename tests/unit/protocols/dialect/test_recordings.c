/* What real clients sent (recordings/record.py), read by the engines and dialects wherever it is
   cut. */
#include "protocols/dialect/dialect.h"

#include "tests/unit/check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* One connection's call, told as text. */
typedef struct Listener {
    Arena *arena;
    Buffer story;
    Dialect dialect;
    Call call;
    MessageReader reader;
    uint32_t n_calls, n_messages;
} Listener;

static void tell(Listener *listener, const char *what, Bytes text)
{
    buffer_add_text(&listener->story, what);
    buffer_add_bytes(&listener->story, text);
    buffer_add_byte(&listener->story, '\n');
}

static void tell_message(Listener *listener, Bytes message)
{
    listener->n_messages++;
    tell(listener, "message ", message);
}

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    Listener *listener = owner;
    Call *call = &listener->call;
    listener->n_calls++;
    listener->dialect = dialect_of_request(head);
    assert_ok(listener->arena, call_read(head, listener->dialect, listener->arena, call));
    message_reader_init(&listener->reader, listener->dialect, false, call->compression, 1 << 20,
                        listener->arena);
    tell(listener, dialect_name(call->dialect), BYTES_NONE);
    tell(listener, codec_name(call->codec), BYTES_NONE);
    tell(listener, "verb ", call->verb);
    tell(listener, "path ", call->path);
    tell(listener, "query ", call->query);
    tell(listener, "authority ", call->authority);
    buffer_printf(&listener->story, "timeout %lld accepts %u compression %d end %d\n",
                  (long long)call->timeout, call->accepts, (int)call->compression, end);
    for (uint32_t i = 0; i < call->metadata.n; i++) {
        tell(listener, "field ", call->metadata.items[i].name);
        tell(listener, "  ", call->metadata.items[i].value);
    }
    if (call->is_get)
        tell_message(listener, call->get_message);
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    Listener *listener = owner;
    Message message;
    Result why;
    MessageOutcome outcome;
    http_stream_consume(stream, piece.size);
    while ((outcome = message_reader_read(&listener->reader, &piece, &message, &why)) ==
           MESSAGE_DONE)
        tell_message(listener, message.bytes);
    assert_int_equal(outcome, MESSAGE_MORE);
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    Listener *listener = owner;
    Message message;
    Result why;
    MessageOutcome outcome = message_reader_finish(&listener->reader, &message, &why);
    assert_int_not_equal(outcome, MESSAGE_FAILED);
    if (outcome == MESSAGE_DONE && !listener->call.is_get)
        tell_message(listener, message.bytes);
    tell(listener, "end", BYTES_NONE);
}

static void on_drain(void *owner, HttpStream *stream)
{
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    tell(owner, "reset ", bytes_of(why.error->fault->name));
    http_stream_release(stream);
}

static void on_stream(void *owner, HttpConnection *connection, HttpStream *stream,
                      const HttpHead *head)
{
    static const HttpStreamEvents events = {on_head, on_body, on_end, on_drain, on_reset};
    http_stream_attach(stream, &events, owner);
}

static void on_output(void *owner, HttpConnection *connection)
{
}

static void drop_output(HttpConnection *connection)
{
    struct iovec vectors[8];
    for (int n; (n = http_connection_output(connection, vectors, 8)) > 0;) {
        for (int i = 0; i < n; i++)
            http_connection_sent(connection, vectors[i].iov_len);
    }
}

/* Feeds the pieces that a recording falls into at these places; `step`: all pieces have this
   size. */
static void listen_to(Listener *listener, Bytes recording, size_t cut, size_t step)
{
    static const HttpConnectionEvents events = {on_stream, on_output};
    bool is_http2 = bytes_start_with(recording, HTTP2_PREFACE);
    *listener = (Listener){.arena = arena_new(ARENA_UNLIMITED)};
    listener->story = buffer_in(listener->arena);
    HttpConnection *connection = (is_http2 ? http2_server_new : http1_server_new)(
        &http_limits_default, false, &events, listener);
    drop_output(connection);
    while (recording.size) {
        size_t size = step ? step : cut ? cut : recording.size;
        cut = 0;
        assert_ok(listener->arena,
                  http_connection_feed(connection, bytes_slice(recording, 0, size), 0));
        recording = bytes_slice(recording, size, SIZE_MAX);
        drop_output(connection);
    }
    http_connection_lost(connection, FAIL(listener->arena, FAULT_CANCELLED, "the recording ends"));
    http_connection_free(connection);
}

static Bytes read_recording(Arena *arena, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", RECORDINGS, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    uint8_t *data = arena_alloc(arena, 1 << 16);
    size_t size = fread(data, 1, 1 << 16, file);
    fclose(file);
    assert_in_range(size, 1, (1 << 16) - 1);
    return bytes(data, size);
}

static Dialect dialect_in(const char *name)
{
    bool is_stream = !strstr(name, "-say");
    if (strncmp(name, "grpc-web-text", 13) == 0)
        return DIALECT_GRPC_WEB_TEXT;
    if (strncmp(name, "grpc-web", 8) == 0)
        return DIALECT_GRPC_WEB;
    if (strncmp(name, "grpc", 4) == 0)
        return DIALECT_GRPC;
    if (strncmp(name, "connect", 7) == 0)
        return is_stream ? DIALECT_CONNECT_STREAM : DIALECT_CONNECT;
    /* That a path with JSON is REST's is found by the path. */
    return strncmp(name, "rest-2", 6) == 0 ? DIALECT_CONNECT : DIALECT_REST;
}

static void check_whole(const Listener *whole, const char *name)
{
    bool is_many = strstr(name, "-gather") || strstr(name, "-chat");
    Bytes story = buffer_bytes(&whole->story);
    const char *sent = arena_text(whole->arena, story);
    if (whole->n_calls != 1 || whole->dialect != dialect_in(name) ||
        whole->n_messages != (is_many ? 3 : 1) || !strstr(sent, "field x-echo-word\n  hello\n") ||
        !strstr(sent, "field x-echo-raw-bin\n  AP/+\n") || !strstr(sent, "\nend\n"))
        fail_msg("%s: %s", name, sent);
}

static void check_same(const Listener *whole, Listener *cut, const char *name, const char *how,
                       size_t at)
{
    if (!bytes_equal(buffer_bytes(&cut->story), buffer_bytes(&whole->story)))
        fail_msg("%s, %s %zu: %s", name, how, at,
                 arena_text(cut->arena, buffer_bytes(&cut->story)));
    arena_free(cut->arena);
}

static void check_recording(const char *name)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes recording = read_recording(arena, name);
    Listener whole, cut;
    listen_to(&whole, recording, 0, 0);
    check_whole(&whole, name);
    for (size_t at = 1; at < recording.size; at++) {
        listen_to(&cut, recording, at, 0);
        check_same(&whole, &cut, name, "cut at", at);
    }
    for (size_t step = 1; step < 20; step++) {
        listen_to(&cut, recording, 0, step);
        check_same(&whole, &cut, name, "in steps of", step);
    }
    arena_free(whole.arena);
    arena_free(arena);
}

static void every_cut_of_what_a_client_sent_gives_the_same_call(void **state)
{
    unsigned n = 0;
    DIR *folder = opendir(RECORDINGS);
    assert_non_null(folder);
    for (struct dirent *file; (file = readdir(folder));) {
        size_t length = strlen(file->d_name);
        if (length < 4 || strcmp(file->d_name + length - 4, ".bin") != 0)
            continue;
        check_recording(file->d_name);
        n++;
    }
    closedir(folder);
    assert_int_equal(n, 36);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_of_what_a_client_sent_gives_the_same_call)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
