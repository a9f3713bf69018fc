#include "tests/unit/protocols/http/http_pair.h"

#include "protocols/http2/http2.h"
#include "tests/unit/protocols/http/http_chaos.h"
#include "tests/unit/protocols/http2/http2_script.h"

static void answer_with_trailers(Side *side, HttpStream *stream)
{
    side_send_head(side, stream, 200, "content-type: application/grpc", -1, false);
    http_stream_send_body(stream, bytes_of("ok"));
    side_send_trailers(side, stream, "grpc-status: 0\ngrpc-message: fine");
}

typedef struct Pair {
    Side client, server;
} Pair;

static void pair_begin(Pair *pair, const HttpLimits *limits)
{
    side_begin(&pair->server, http2_server_new, limits);
    side_begin(&pair->client, http2_client_new, limits);
}

static void pair_pump(Pair *pair)
{
    sides_pump(&pair->client, &pair->server);
}

static void pair_end(Pair *pair)
{
    side_end(&pair->client);
    side_end(&pair->server);
}

/* ---- Calls between our own client and server ------------------------------------------------- */

static void a_client_and_a_server_understand_each_other(void **state)
{
    Pair pair = {.server = {.on_end = answer_with_trailers, .releases = true},
                 .client = {.releases = true}};
    pair_begin(&pair, NULL);
    for (int i = 0; i < 3; i++) {
        HttpStream *stream = side_open(&pair.client, "POST", "/x", "te: trailers\na: b", -1, false);
        http_stream_send_body(stream, bytes_of("hello, "));
        http_stream_send_body(stream, bytes_of("world"));
        http_stream_send_end(stream, NULL);
        pair_pump(&pair);
        assert_string_equal(side_log(&pair.server), "request POST http://example.com /x\n"
                                                    "  te: trailers\n"
                                                    "  a: b\n"
                                                    "body hello, world\n"
                                                    "end\n");
        assert_string_equal(side_log(&pair.client), "answer 200\n"
                                                    "  content-type: application/grpc\n"
                                                    "body ok\n"
                                                    "end\n"
                                                    "  grpc-status: 0\n"
                                                    "  grpc-message: fine\n");
        assert_int_equal(http_connection_streams(pair.client.connection), 0);
        assert_int_equal(http_connection_streams(pair.server.connection), 0);
        assert_int_equal(http_connection_phase(pair.server.connection), HTTP_IDLE);
        side_forget(&pair.server);
        side_forget(&pair.client);
    }
    pair_end(&pair);
}

static void answer_trailers_only(Side *side, HttpStream *stream)
{
    side_send_head(side, stream, 200, "grpc-status: 12", -1, true);
}

static void an_answer_may_be_a_head_alone(void **state)
{
    Pair pair = {.server = {.on_end = answer_trailers_only, .releases = true},
                 .client = {.releases = true}};
    pair_begin(&pair, NULL);
    side_open(&pair.client, "GET", "/", "", -1, true);
    pair_pump(&pair);
    assert_string_equal(side_log(&pair.server), "request GET http://example.com / end\nend\n");
    assert_string_equal(side_log(&pair.client), "answer 200 end\n  grpc-status: 12\nend\n");
    pair_end(&pair);
}

static void answer_after_interim(Side *side, HttpStream *stream)
{
    side_send_head(side, stream, 103, "link: x", -1, false);
    side_send_head(side, stream, 200, "", 0, true);
}

/* More fields than are held without memory of their own, and more text than a small chunk has. */
static const char *many_fields(Arena *arena)
{
    Buffer lines = buffer_in(arena);
    for (int i = 0; i < 100; i++)
        buffer_printf(&lines, "field-%d: %0*d\n", i, i + 1, i);
    return arena_text(arena, buffer_bytes(&lines));
}

static void answer_with_many_fields(Side *side, HttpStream *stream)
{
    side_send_head(side, stream, 103, many_fields(side->arena), -1, false);
    side_send_head(side, stream, 200, many_fields(side->arena), 0, true);
}

static void heads_with_many_fields_come_whole(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Pair pair = {.server = {.on_end = answer_with_many_fields, .releases = true},
                 .client = {.releases = true}};
    pair_begin(&pair, NULL);
    for (int i = 0; i < 300; i++) { /* the names come anew once in a while */
        side_open(&pair.client, "GET", "/", many_fields(arena), -1, true);
        pair_pump(&pair);
        const char *last = strstr(side_log(&pair.server), "field-99: ");
        assert_int_equal(strcspn(last, "\n"), strlen("field-99: ") + 100);
        last = strstr(strstr(side_log(&pair.client), "answer 200"), "field-99: ");
        assert_int_equal(strcspn(last, "\n"), strlen("field-99: ") + 100);
        side_forget(&pair.server);
        side_forget(&pair.client);
    }
    pair_end(&pair);
    arena_free(arena);
}

static void names_of_unique_fields_are_found_in_the_table(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Pair pair = {.server = {.on_end = side_answer_ok, .releases = true},
                 .client = {.releases = true}};
    pair_begin(&pair, NULL);
    pair_pump(&pair);
    for (int i = 0; i < 300; i++) {
        side_open(&pair.client, "GET", "/", arena_printf(arena, "x-request-id: %016d", i), -1,
                  true);
        side_take_output(&pair.client);
        Bytes wire = buffer_bytes(&pair.client.wire);
        const uint8_t *head = find_frame(wire, HEADERS, (uint32_t)(2 * i + 1));
        size_t size = (size_t)head[1] << 8 | head[2];
        assert_true(i % 256 == 0 || size < 24); /* of which the value takes some 12 */
        assert_ok(arena, http_connection_feed(pair.server.connection, wire, 1));
        pair.client.wire.size = 0;
        pair_pump(&pair);
    }
    pair_end(&pair);
    arena_free(arena);
}

static void interim_answers_are_told(void **state)
{
    Pair pair = {.server = {.on_end = answer_after_interim, .releases = true},
                 .client = {.releases = true}};
    pair_begin(&pair, NULL);
    side_open(&pair.client, "GET", "/", "", -1, true);
    pair_pump(&pair);
    assert_string_equal(side_log(&pair.client),
                        "interim 103\n  link: x\nanswer 200 length 0 end\nend\n");
    pair_end(&pair);
}

static void an_answer_to_head_has_no_body(void **state)
{
    Pair pair = {.server = {.on_end = side_answer_ok, .releases = true},
                 .client = {.releases = true}};
    pair_begin(&pair, NULL);
    side_open(&pair.client, "HEAD", "/", "", -1, true);
    pair_pump(&pair);
    assert_string_equal(side_log(&pair.client),
                        "answer 200 length 2 end\n  content-type: text/plain\nend\n");
    pair_end(&pair);
}

static void what_could_harm_a_head_does_not_go_out(void **state)
{
    Pair pair = {.client = {.releases = true}};
    pair_begin(&pair, NULL);
    side_open(&pair.client, "GET", "/",
              "good: 1\nBad: 2\nba d: 3\nconnection: x\nhost: evil\nx: a\rb", -1, true);
    pair_pump(&pair);
    assert_string_equal(side_log(&pair.server),
                        "request GET http://example.com / end\n  good: 1\nend\n");
    pair_end(&pair);
}

static void large_heads_and_trailers_pass(void **state)
{
    Pair pair = {.client = {.releases = true}};
    pair_begin(&pair, NULL);
    Buffer fields = buffer_in(pair.client.arena);
    for (int i = 0; i < 100; i++)
        buffer_printf(&fields, "x-%d: %0200d\n", i, i);
    buffer_add_byte(&fields, 0);
    HttpStream *stream = side_open(&pair.client, "POST", "/", (const char *)fields.data, -1, false);
    side_send_trailers(&pair.client, stream, (const char *)fields.data);
    pair_pump(&pair);
    Bytes log = bytes_of(side_log(&pair.server));
    assert_true(log.size > 2 * 100 * 200);
    assert_true(bytes_start_with(log, "request POST http://example.com /\n  x-0: 0000"));
    pair_end(&pair);
}

/* ---- Bodies and back-pressure ---------------------------------------------------------------- */

static void send_much(HttpStream *stream, size_t size)
{
    char piece[5000];
    for (size_t at = 0; at < size; at += sizeof piece) {
        for (size_t i = 0; i < sizeof piece; i++)
            piece[i] = (char)('a' + (at + i) % 23);
        http_stream_send_body(stream, bytes(piece, sizeof piece));
    }
}

static void expect_much(const char *log, size_t size)
{
    const char *body = strstr(log, "body ") + 5;
    for (size_t i = 0; i < size; i++) {
        if (body[i] != (char)('a' + i % 23))
            fail_msg("byte %zu is %d", i, body[i]);
    }
    assert_int_equal(body[size], '\n');
}

/* Heads of few fields are submitted from the stack, larger ones from the heap. */
static void heads_of_any_number_of_fields_arrive_whole(void **state)
{
    for (int n = 50; n <= 70; n++) {
        Pair pair = {0};
        pair_begin(&pair, NULL);
        Buffer fields = buffer_in(pair.client.arena);
        for (int i = 0; i < n; i++)
            buffer_printf(&fields, "x-%02d: a\n", i);
        buffer_add_byte(&fields, '\0');
        side_open(&pair.client, "POST", "/", (const char *)fields.data, 0, true);
        pair_pump(&pair);
        side_send_head(&pair.server, pair.server.stream, 200, (const char *)fields.data, 0, true);
        pair_pump(&pair);
        const Side *sides[] = {&pair.server, &pair.client};
        for (int i = 0; i < 2; i++) {
            Bytes log = buffer_bytes(&sides[i]->log), line;
            int found = 0;
            while (bytes_split(&log, '\n', &line))
                found += bytes_start_with(line, "  x-");
            assert_int_equal(found, n);
        }
        pair_end(&pair);
    }
}

static void a_status_that_http_cannot_say_resets_the_stream(void **state)
{
    static const struct {
        unsigned status;
        const char *log;
    } rows[] = {{99, "reset UPSTREAM_RESET\n"},  {100, "interim 100\n"},
                {101, "reset UPSTREAM_RESET\n"}, {102, "interim 102\n"},
                {200, "answer 200 end\nend\n"},  {999, "answer 999 end\nend\n"},
                {1000, "reset UPSTREAM_RESET\n"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Pair pair = {0};
        pair_begin(&pair, NULL);
        side_open(&pair.client, "POST", "/", "", -1, true);
        pair_pump(&pair);
        side_send_head(&pair.server, pair.server.stream, rows[i].status, "", -1, true);
        pair_pump(&pair);
        assert_string_equal(side_log(&pair.client), rows[i].log);
        pair_end(&pair);
    }
}

static void a_large_body_arrives_whole(void **state)
{
    Pair pair = {.server = {.on_end = answer_with_trailers, .releases = true},
                 .client = {.releases = true}};
    pair_begin(&pair, NULL);
    HttpStream *stream = side_open(&pair.client, "POST", "/", "", -1, false);
    send_much(stream, 3000000);
    http_stream_send_end(stream, NULL);
    pair_pump(&pair);
    expect_much(side_log(&pair.server), 3000000);
    assert_non_null(strstr(side_log(&pair.client), "answer 200"));
    pair_end(&pair);
}

static void a_reader_that_does_not_consume_stops_the_sender_at_the_window(void **state)
{
    Pair pair = {.server = {.keeps = true}};
    HttpLimits limits = http_limits_default;
    limits.stream_window = 100000;
    pair_begin(&pair, &limits);
    pair_pump(&pair);
    HttpStream *stream = side_open(&pair.client, "POST", "/", "", -1, false);
    send_much(stream, 1000000);
    pair_pump(&pair);
    assert_int_equal(http_connection_progress(pair.server.connection), 100000);
    assert_int_equal(http_stream_queued(stream), 900000);
    http_stream_consume(pair.server.stream, 100000);
    pair_pump(&pair);
    assert_int_equal(http_connection_progress(pair.server.connection), 200000);
    pair_end(&pair);
}

static void what_a_released_stream_did_not_consume_is_given_back_to_the_connection(void **state)
{
    Pair pair = {.server = {.keeps = true}};
    HttpLimits limits = http_limits_default;
    limits.stream_window = limits.connection_window = 100000;
    pair_begin(&pair, &limits);
    pair_pump(&pair);
    for (int i = 0; i < 10; i++) {
        HttpStream *stream = side_open(&pair.client, "POST", "/", "", -1, false);
        send_much(stream, 90000);
        uint64_t progress = http_connection_progress(pair.server.connection);
        pair_pump(&pair);
        assert_int_equal(http_connection_progress(pair.server.connection), progress + 90000);
        if (i % 2)
            side_release(&pair.client, stream);
        side_release(&pair.server, pair.server.stream);
        pair_pump(&pair);
        if (i % 2 == 0)
            side_release(&pair.client, stream);
        pair_pump(&pair);
    }
    pair_end(&pair);
}

/* Clients that do not read keep an instance's connection from nobody else. */
static void a_response_that_is_not_consumed_stops_no_other(void **state)
{
    enum { FIRST = 65535 };
    Pair pair = {.client = {.keeps = true}};
    HttpLimits limits = http_limits_default;
    limits.connection_window = 100000;
    pair_begin(&pair, &limits);
    pair_pump(&pair);
    HttpStream *streams[8];
    for (uint64_t i = 1; i <= 8; i++) {
        streams[i - 1] = side_open(&pair.client, "POST", "/", "", -1, true);
        pair_pump(&pair);
        side_send_head(&pair.server, pair.server.stream, 200, "", -1, false);
        send_much(pair.server.stream, 200000);
        pair_pump(&pair);
        assert_int_equal(http_connection_progress(pair.client.connection), i * FIRST);
    }
    http_stream_consume(pair.client.stream, FIRST / 2 + 1);
    pair_pump(&pair);
    assert_int_equal(http_connection_progress(pair.client.connection),
                     8 * FIRST + FIRST / 2 + 1 + FIRST);
    for (int i = 0; i < 8; i++)
        side_release(&pair.client, streams[i]);
    pair_end(&pair);
}

/* What an instance may send before its client was seen to read is the least that HTTP/2 has. */
static void the_window_of_a_response_grows_with_its_reading(void **state)
{
    static const uint64_t windows[] = {65535, 131070, 200000, 200000};
    Pair pair = {.client = {.keeps = true}};
    HttpLimits limits = http_limits_default;
    limits.stream_window = 200000;
    pair_begin(&pair, &limits);
    pair_pump(&pair);
    HttpStream *stream = side_open(&pair.client, "POST", "/", "", -1, true);
    pair_pump(&pair);
    side_send_head(&pair.server, pair.server.stream, 200, "", -1, false);
    send_much(pair.server.stream, 1000000);
    for (uint64_t i = 0, before = 0; i < 4; i++) {
        pair_pump(&pair);
        uint64_t received = http_connection_progress(pair.client.connection) - before;
        assert_int_equal(received, windows[i]);
        before += received;
        http_stream_consume(stream, received);
    }
    side_release(&pair.client, stream);
    pair_end(&pair);
}

static void send_more(Side *side, HttpStream *stream)
{
    if (http_connection_progress(side->connection) < 1000000)
        send_much(stream, 200000);
    else
        http_stream_send_end(stream, NULL);
}

static void the_queue_and_its_drain_tell_of_a_slow_reader(void **state)
{
    Pair pair = {.client = {.on_drain = send_more}};
    pair_begin(&pair, NULL);
    HttpStream *stream = side_open(&pair.client, "POST", "/", "", -1, false);
    send_much(stream, 200000);
    assert_int_equal(http_stream_queued(stream), 200000);
    pair_pump(&pair);
    assert_true(http_connection_progress(pair.server.connection) >= 1000000);
    assert_true(bytes_start_with(bytes_of(side_log(&pair.client)), "drain\ndrain\n"));
    assert_true(bytes_end_with(bytes_of(side_log(&pair.server)), "\nend\n"));
    pair_end(&pair);
}

static void output_is_bounded_however_much_is_queued(void **state)
{
    Pair pair = {0};
    HttpLimits limits = http_limits_default;
    limits.stream_window = limits.connection_window = 16 << 20;
    pair_begin(&pair, &limits);
    pair_pump(&pair);
    send_much(side_open(&pair.client, "POST", "/", "", -1, false), 8000000);
    struct iovec vectors[1024];
    int n = http_connection_output(pair.client.connection, vectors, 1024);
    size_t size = 0;
    for (int i = 0; i < n; i++)
        size += vectors[i].iov_len;
    assert_in_range(size, 200000, 256 * 1024);
    pair_end(&pair);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void answer_at_once(Side *side, HttpStream *stream, const HttpHead *head)
{
    answer_with_trailers(side, stream);
}

static void an_answer_complete_before_its_request_ends_the_request_too(void **state)
{
    Pair pair = {.server = {.on_head = answer_at_once}};
    pair_begin(&pair, NULL);
    HttpStream *stream = side_open(&pair.client, "POST", "/", "", -1, false);
    pair_pump(&pair);
    assert_true(bytes_end_with(bytes_of(side_log(&pair.client)), "end\n  grpc-status: 0\n"
                                                                 "  grpc-message: fine\n"));
    assert_int_equal(http_connection_streams(pair.client.connection), 0); /* RST_STREAM(NO_ERROR) */
    assert_int_equal(http_connection_streams(pair.server.connection), 0);
    http_stream_send_body(stream, bytes_of("too late"));
    pair_pump(&pair);
    pair_end(&pair);
}

static void a_call_that_the_client_breaks_off_is_cancelled_for_the_server(void **state)
{
    for (int release = 0; release < 2; release++) {
        Pair pair = {.server = {.releases = true}};
        pair_begin(&pair, NULL);
        HttpStream *stream = side_open(&pair.client, "POST", "/", "", -1, false);
        pair_pump(&pair);
        side_forget(&pair.server);
        if (release) {
            side_release(&pair.client, stream);
        } else {
            http_stream_reset(stream, HTTP2_ERROR_CANCEL);
        }
        pair_pump(&pair);
        assert_string_equal(side_log(&pair.server), "reset CANCELLED\n");
        assert_string_equal(side_log(&pair.client), "");
        assert_int_equal(http_connection_streams(pair.client.connection), 0);
        pair_end(&pair);
    }
}

/* It would cost the service a stream. */
static void a_call_broken_off_before_it_could_be_seen_is_not_sent(void **state)
{
    for (int seen = 0; seen < 2; seen++) {
        Pair pair = {.server = {.on_end = side_answer_ok, .releases = true},
                     .client = {.releases = true}};
        pair_begin(&pair, NULL);
        pair_pump(&pair);
        for (int i = 0; i < 50; i++) { /* and what it left in no table is written anew */
            const char *fields = arena_printf(pair.client.arena, "x-a: %d\nx-b: %d", i / 2, i / 3);
            HttpStream *stream = side_open(&pair.client, "POST", "/", fields, -1, false);
            http_stream_send_body(stream, bytes_of("never"));
            if (seen)
                pair_pump(&pair);
            side_release(&pair.client, stream);
            pair_pump(&pair);
            assert_int_equal(bytes_start_with(bytes_of(side_log(&pair.server)), "request"), seen);
            side_forget(&pair.server);
            side_open(&pair.client, "GET", "/", fields, -1, true);
            pair_pump(&pair);
            assert_string_equal(side_log(&pair.server),
                                arena_printf(pair.client.arena,
                                             "request GET http://example.com / end\n"
                                             "  x-a: %d\n  x-b: %d\nend\n",
                                             i / 2, i / 3));
            side_forget(&pair.server);
        }
        pair_end(&pair);
    }
}

static void a_servers_reset_tells_whether_the_call_may_be_sent_again(void **state)
{
    static const struct {
        uint32_t code;
        const char *log;
    } rows[] = {{HTTP2_ERROR_REFUSED_STREAM, "reset UPSTREAM_REFUSED\n"},
                {HTTP2_ERROR_INTERNAL, "reset UPSTREAM_RESET\n"},
                {HTTP2_ERROR_CANCEL, "reset UPSTREAM_RESET\n"}};
    for (int i = 0; i < 3; i++) {
        Pair pair = {.client = {.releases = true}};
        pair_begin(&pair, NULL);
        side_open(&pair.client, "POST", "/", "", -1, false);
        pair_pump(&pair);
        http_stream_reset(pair.server.stream, rows[i].code);
        pair_pump(&pair);
        assert_string_equal(side_log(&pair.client), rows[i].log);
        pair_end(&pair);
    }
}

static void what_is_queued_goes_out_before_a_cut(void **state)
{
    Pair pair = {.client = {.releases = true}};
    pair_begin(&pair, NULL);
    side_open(&pair.client, "GET", "/", "", -1, true);
    pair_pump(&pair);
    side_forget(&pair.client);
    HttpHead head = {.status = 200, .content_length = -1};
    http_stream_send_head(pair.server.stream, &head, false);
    http_stream_send_body(pair.server.stream, bytes_of("one"));
    http_stream_send_body(pair.server.stream, bytes_of("two"));
    http_stream_cut(pair.server.stream, HTTP2_ERROR_INTERNAL);
    side_release(&pair.server, pair.server.stream);
    pair_pump(&pair);
    assert_string_equal(side_log(&pair.client), "answer 200\nbody onetwo\nreset UPSTREAM_RESET\n");
    assert_int_equal(http_connection_streams(pair.server.connection), 0);
    pair_end(&pair);
}

static void a_stream_released_before_its_answer_is_reset(void **state)
{
    Pair pair = {.client = {.releases = true}};
    pair_begin(&pair, NULL);
    side_open(&pair.client, "POST", "/", "", -1, false);
    pair_pump(&pair);
    side_release(&pair.server, pair.server.stream);
    pair_pump(&pair);
    assert_string_equal(side_log(&pair.client), "reset UPSTREAM_RESET\n");
    assert_int_equal(http_connection_streams(pair.server.connection), 0);
    pair_end(&pair);
}

static void an_answer_that_was_ended_goes_out_though_its_stream_is_released(void **state)
{
    Pair pair = {.client = {.releases = true}};
    pair_begin(&pair, NULL);
    side_open(&pair.client, "GET", "/", "", -1, true);
    pair_pump(&pair);
    HttpStream *stream = pair.server.stream;
    side_send_head(&pair.server, stream, 200, "", -1, false);
    send_much(stream, 500000);
    http_stream_send_end(stream, NULL);
    side_release(&pair.server, stream);
    pair_pump(&pair);
    expect_much(side_log(&pair.client), 500000);
    assert_true(bytes_end_with(bytes_of(side_log(&pair.client)), "\nend\n"));
    pair_end(&pair);
}

static void a_final_response_has_a_date(void **state)
{
    static const char date[] = "Sun, 06 Nov 1994 08:49:37 GMT";
    static const char *const own[] = {"", "date: Thu, 01 Jan 1970 00:00:00 GMT\n"};
    for (int i = 0; i < 2; i++) {
        Pair pair = {.client = {.releases = true}};
        pair_begin(&pair, NULL);
        http_connection_set_date(pair.server.connection, date);
        side_open(&pair.client, "GET", "/", "", -1, true);
        pair_pump(&pair);
        side_send_head(&pair.server, pair.server.stream, 103, "", -1, false);
        pair_pump(&pair);
        assert_null(strstr(side_log(&pair.client), "date: "));
        side_send_head(&pair.server, pair.server.stream, 200, own[i], -1, true);
        pair_pump(&pair);
        const char *told = strstr(side_log(&pair.client), "date: ");
        assert_non_null(told);
        assert_null(strstr(told + 1, "date: "));
        assert_true((strstr(told, date) == NULL) == (i == 1));
        pair_end(&pair);
    }
}

/* As h2o counts it, and nghttp2: RFC 9113 section 6.5.2. */
static void expect_head_size(const Pair *pair, const HttpHead *head, size_t size)
{
    assert_int_equal(http_connection_head_size(pair->client.connection, head), size);
}

static void the_largest_head_that_a_peer_takes_is_known(void **state)
{
    Pair pair = {.client = {.releases = true}};
    HttpLimits limits = http_limits_default;
    limits.head_bytes = 5000;
    pair_begin(&pair, &limits);
    assert_int_equal(http_connection_head_most(pair.client.connection), UINT32_MAX);
    pair_pump(&pair);
    assert_int_equal(http_connection_head_most(pair.client.connection), 5000);

    HttpHead head = {.method = bytes_of("GET"),
                     .scheme = bytes_of("https"),
                     .authority = bytes_of("a"),
                     .path = bytes_of("/x"),
                     .content_length = -1,
                     .fields = fields_in(pair.client.arena)};
    expect_head_size(&pair, &head, (7 + 3) + (7 + 5) + (10 + 1) + (5 + 2) + 4 * 32);
    head.scheme = BYTES_NONE; /* that of the connection */
    expect_head_size(&pair, &head, (7 + 3) + (7 + 4) + (10 + 1) + (5 + 2) + 4 * 32);
    fields_add(&head.fields, bytes_of("te"), bytes_of("trailers"));
    head.content_length = 10;
    expect_head_size(&pair, &head, 39 + 10 + (14 + 2) + 6 * 32);
    pair_end(&pair);
}

static void a_draining_server_finishes_its_calls_and_takes_no_new_ones(void **state)
{
    Pair pair = {.client = {.releases = true}};
    pair_begin(&pair, NULL);
    side_open(&pair.client, "GET", "/", "", -1, true);
    pair_pump(&pair);
    http_connection_drain(pair.server.connection);
    pair_pump(&pair);
    assert_int_equal(http_connection_capacity(pair.client.connection), 0);
    assert_int_equal(http_connection_phase(pair.server.connection), HTTP_ACTIVE);
    side_answer_ok(&pair.server, pair.server.stream);
    pair_pump(&pair);
    assert_non_null(strstr(side_log(&pair.client), "body ok\nend\n"));
    assert_int_equal(http_connection_phase(pair.server.connection), HTTP_CLOSED);
    assert_int_equal(http_connection_phase(pair.client.connection), HTTP_CLOSED);
    pair_end(&pair);
}

static void a_call_on_its_way_when_the_server_drains_is_still_served(void **state)
{
    Pair pair = {.server = {.on_end = side_answer_ok, .releases = true},
                 .client = {.releases = true}};
    pair_begin(&pair, NULL);
    pair_pump(&pair);
    side_open(&pair.client, "GET", "/", "", -1, true);
    side_take_output(&pair.client);
    http_connection_drain(pair.server.connection); /* it does not know of the call yet */
    side_take_output(&pair.server);
    Bytes goaway = bytes_copy(pair.server.arena, buffer_bytes(&pair.server.wire));
    assert_ok(pair.server.arena,
              http_connection_feed(pair.server.connection, buffer_bytes(&pair.client.wire), 1));
    assert_ok(pair.client.arena, http_connection_feed(pair.client.connection, goaway, 1));
    pair_pump(&pair);
    assert_non_null(strstr(side_log(&pair.client), "body ok\nend\n"));
    assert_int_equal(http_connection_phase(pair.server.connection), HTTP_CLOSED);
    pair_end(&pair);
}

/* Else its answer could come before the notice was read, with requests still on their way. */
static void a_draining_client_ends_with_its_last_call(void **state)
{
    for (int calls = 0; calls < 2; calls++) {
        Pair pair = {.server = {.on_end = side_answer_ok, .releases = true},
                     .client = {.releases = true}};
        pair_begin(&pair, NULL);
        pair_pump(&pair);
        if (calls)
            side_open(&pair.client, "POST", "/", "", -1, true);
        assert_false(http_connection_going(pair.client.connection));
        http_connection_drain(pair.client.connection);
        http_connection_drain(pair.client.connection);
        assert_true(http_connection_going(pair.client.connection));
        assert_int_equal(http_connection_capacity(pair.client.connection), 0);
        pair_pump(&pair);
        assert_int_equal(http_connection_phase(pair.client.connection), HTTP_CLOSED);
        assert_string_equal(
            side_log(&pair.client),
            calls ? "answer 200 length 2\n  content-type: text/plain\nbody ok\nend\n" : "");
        pair_end(&pair);
    }
}

static void a_ping_is_answered(void **state)
{
    Pair pair = {0};
    pair_begin(&pair, NULL);
    pair_pump(&pair);
    http_connection_ping(pair.client.connection);
    side_take_output(&pair.client);
    const uint8_t *ping = find_frame(buffer_bytes(&pair.client.wire), PING, 0);
    assert_non_null(ping);
    assert_ok(pair.server.arena, side_feed(&pair.server, bytes(ping, 17)));
    ping = find_frame(buffer_bytes(&pair.server.wire), PING, 0);
    assert_non_null(ping);
    assert_int_equal(ping[4], ACK);
    http_connection_lost(pair.client.connection, OK);
    http_connection_ping(pair.client.connection); /* does nothing */
    pair_end(&pair);
}

static void a_stream_above_the_peers_window_is_held_up(void **state)
{
    Pair pair = {.server = {.keeps = true}};
    HttpLimits limits = http_limits_default;
    limits.stream_window = 65535; /* what a client assumes before it has read SETTINGS */
    pair_begin(&pair, &limits);
    HttpStream *stream = side_open(&pair.client, "POST", "/", "", -1, false);
    uint8_t *body = arena_calloc(pair.client.arena, 1, limits.stream_window);
    http_stream_send_body(stream, bytes(body, limits.stream_window));
    pair_pump(&pair);
    assert_false(http_connection_held_up(pair.client.connection));
    http_stream_send_body(stream, bytes(body, 1));
    pair_pump(&pair);
    assert_true(http_connection_held_up(pair.client.connection));
    http_stream_consume(pair.server.stream, limits.stream_window);
    pair_pump(&pair);
    assert_false(http_connection_held_up(pair.client.connection));
    pair_end(&pair);
}

static void a_response_is_owed_until_its_last_byte_is_sent(void **state)
{
    Pair pair = {.server = {.on_end = answer_with_trailers, .releases = true}};
    struct iovec vectors[8];
    pair_begin(&pair, NULL);
    HttpConnection *server = pair.server.connection;
    side_open(&pair.client, "GET", "/", "", -1, true);
    side_take_output(&pair.client);
    assert_false(http_connection_owes(server, 0));
    assert_ok(pair.server.arena, http_connection_feed(server, buffer_bytes(&pair.client.wire), 1));
    assert_true(http_connection_owes(server, 0));
    assert_int_equal(http_connection_output(server, vectors, 8), 1);
    http_connection_sent(server, vectors[0].iov_len - 1);
    assert_true(http_connection_owes(server, 0));
    http_connection_sent(server, 1);
    assert_false(http_connection_owes(server, 0));
    assert_true(http_connection_owes(server, 1)); /* its last byte was kept */
    pair_end(&pair);
}

static void a_response_that_waits_for_the_window_is_owed_once_it_has_ended(void **state)
{
    Pair pair = {.client = {.keeps = true}};
    HttpLimits limits = http_limits_default;
    limits.stream_window = limits.connection_window = 65535;
    pair_begin(&pair, &limits);
    HttpConnection *server = pair.server.connection;
    side_open(&pair.client, "GET", "/", "", -1, true);
    pair_pump(&pair);
    uint8_t *body = arena_calloc(pair.server.arena, 1, 65536);
    side_send_head(&pair.server, pair.server.stream, 200, "", -1, false);
    http_stream_send_body(pair.server.stream, bytes(body, 65536));
    pair_pump(&pair);
    assert_false(http_connection_owes(server, 0)); /* its owner hears of the loss */
    http_stream_send_end(pair.server.stream, NULL);
    side_release(&pair.server, pair.server.stream);
    pair_pump(&pair);
    assert_true(http_connection_owes(server, 0));
    http_stream_consume(pair.client.stream, 65535);
    pair_pump(&pair);
    assert_false(http_connection_owes(server, 0));
    pair_end(&pair);
}

static void the_ping_that_measures_a_drain_goes_behind_its_notice(void **state)
{
    Pair pair = {0};
    pair_begin(&pair, NULL);
    pair_pump(&pair);
    http_connection_drain(pair.server.connection);
    side_take_output(&pair.server);
    Bytes wire = buffer_bytes(&pair.server.wire);
    const uint8_t *notice = find_frame(wire, GOAWAY, 0), *ping = find_frame(wire, PING, 0);
    assert_true(notice && ping && notice < ping);
    pair_end(&pair);
}

/* Takes what the server has to say: the last id of its only GOAWAY; -1: it says none. */
static int64_t take_goaway(Side *server)
{
    side_take_output(server);
    Bytes wire = buffer_bytes(&server->wire);
    const uint8_t *goaway = find_frame(wire, GOAWAY, 0);
    int64_t last = goaway ? (int64_t)number_at(goaway + 9) : -1;
    if (goaway) {
        Bytes after = bytes_slice(wire, (size_t)(goaway - wire.data) + 17, wire.size);
        assert_null(find_frame(after, GOAWAY, 0));
    }
    server->wire.size = 0;
    return last;
}

static void a_drain_does_not_wait_longer_for_a_peer_that_does_not_acknowledge(void **state)
{
    Pair pair = {.client = {.releases = true}};
    pair_begin(&pair, NULL);
    side_open(&pair.client, "GET", "/1", "", -1, true);
    pair_pump(&pair);
    http_connection_drain(pair.server.connection);
    assert_int_equal(take_goaway(&pair.server), INT32_MAX); /* and a PING, both lost here */
    side_open(&pair.client, "GET", "/2", "", -1, true);
    pair_pump(&pair);
    HttpStream *second = pair.server.stream;
    http_connection_drain_now(pair.server.connection);
    assert_int_equal(take_goaway(&pair.server), 3);
    http_connection_drain_now(pair.server.connection);
    http_connection_drain(pair.server.connection);
    assert_int_equal(take_goaway(&pair.server), -1);

    assert_true(http_connection_going(pair.server.connection));
    side_open(&pair.client, "GET", "/3", "", -1, true);
    pair_pump(&pair);
    assert_ptr_equal(pair.server.stream, second); /* the third is ignored */
    assert_int_equal(http_connection_streams(pair.server.connection), 2);
    assert_int_equal(http_connection_phase(pair.server.connection), HTTP_ACTIVE);
    pair_end(&pair);
}

static void a_drain_that_does_not_wait_has_one_notice(void **state)
{
    Pair pair = {.client = {.releases = true}};
    pair_begin(&pair, NULL);
    side_open(&pair.client, "GET", "/", "", -1, true);
    pair_pump(&pair);
    http_connection_drain_now(pair.server.connection);
    assert_int_equal(take_goaway(&pair.server), 1);
    side_answer_ok(&pair.server, pair.server.stream);
    pair_pump(&pair);
    assert_non_null(strstr(side_log(&pair.client), "body ok\nend\n"));
    assert_int_equal(http_connection_phase(pair.server.connection), HTTP_CLOSED);
    http_connection_drain_now(pair.client.connection); /* of a client there is only one kind */
    pair_pump(&pair);
    assert_int_equal(http_connection_phase(pair.client.connection), HTTP_CLOSED);
    pair_end(&pair);
}

static void a_lost_connection_tells_which_calls_may_be_sent_again(void **state)
{
    Pair pair = {.client = {.releases = true}};
    pair_begin(&pair, NULL);
    side_open(&pair.client, "GET", "/1", "", -1, true);
    pair_pump(&pair);
    side_open(&pair.client, "GET", "/2", "", -1, true);
    http_connection_lost(pair.client.connection,
                         FAIL(pair.client.arena, FAULT_UPSTREAM_RESET, "lost"));
    assert_string_equal(side_log(&pair.client), "reset UPSTREAM_REFUSED\nreset UPSTREAM_RESET\n");
    assert_int_equal(http_connection_phase(pair.client.connection), HTTP_CLOSED);
    pair_end(&pair);
}

static void a_stream_may_outlive_its_connection(void **state)
{
    Pair pair = {0};
    pair_begin(&pair, NULL);
    side_open(&pair.client, "GET", "/", "", -1, true);
    pair_pump(&pair);
    pair_end(&pair); /* releases the streams after it freed the connections */
}

static void the_client_opens_no_more_than_the_server_allows(void **state)
{
    Pair pair = {0};
    HttpLimits limits = http_limits_default;
    limits.streams = 3;
    pair_begin(&pair, &limits);
    pair_pump(&pair);
    HttpStream *streams[3];
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(http_connection_capacity(pair.client.connection), 3 - i);
        streams[i] = side_open(&pair.client, "GET", "/", "", -1, true);
    }
    assert_null(side_open(&pair.client, "GET", "/", "", -1, true));
    for (int i = 0; i < 3; i++)
        side_release(&pair.client, streams[i]);
    pair_pump(&pair);
    assert_int_equal(http_connection_capacity(pair.client.connection), 3);
    pair_end(&pair);
}

/* ---- Owners that act within events ----------------------------------------------------------- */

static void release_at_head(Side *side, HttpStream *stream, const HttpHead *head)
{
    side_release(side, stream);
}

static void reset_at_body(Side *side, HttpStream *stream, Bytes piece)
{
    http_stream_reset(stream, HTTP2_ERROR_CANCEL);
}

static void an_owner_may_leave_within_any_event(void **state)
{
    for (int i = 0; i < 2; i++) {
        Pair pair = {.client = {.releases = true}};
        if (i == 0)
            pair.server.on_head = release_at_head;
        else
            pair.server.on_body = reset_at_body;
        pair_begin(&pair, NULL);
        HttpStream *stream = side_open(&pair.client, "POST", "/", "", -1, false);
        http_stream_send_body(stream, bytes_of("hello"));
        http_stream_send_end(stream, NULL);
        pair_pump(&pair);
        assert_string_equal(side_log(&pair.client), "reset UPSTREAM_RESET\n");
        assert_null(strstr(side_log(&pair.server), "end\n"));
        pair_end(&pair);
    }
}

static void open_next(Side *side, HttpStream *stream)
{
    static int n;
    if (++n % 100)
        side_open(side, "GET", "/next", "", -1, true);
}

static void a_client_may_open_the_next_call_within_the_end_of_one(void **state)
{
    Pair pair = {.server = {.on_end = side_answer_ok, .releases = true},
                 .client = {.on_end = open_next, .releases = true}};
    pair_begin(&pair, NULL);
    side_open(&pair.client, "GET", "/first", "", -1, true);
    pair_pump(&pair);
    int n = 0;
    for (const char *at = side_log(&pair.client); (at = strstr(at, "body ok\nend\n")); at++)
        n++;
    assert_int_equal(n, 100);
    pair_end(&pair);
}

static void owners_may_do_anything_at_any_time(void **state)
{
    for (uint32_t seed = 1; seed <= 20; seed++) {
        HttpChaos client, server;
        http_chaos_begin(&client, http2_client_new, true, &http_limits_default, seed);
        http_chaos_begin(&server, http2_server_new, false, &http_limits_default, seed + 1000);
        for (int step = 0; step < 200; step++) {
            for (int i = 0; i < 20; i++)
                http_chaos_act(i % 2 ? &client : &server);
            http_chaos_settle(&client, &server);
        }
        assert_true(server.heads > 100 && server.ends > 20 && server.resets > 20);
        assert_true(client.heads > 5 && client.ends > 5 && client.resets > 20);
        http_chaos_end(&client);
        http_chaos_end(&server);
    }
}

/* ---- A peer that we play by hand ------------------------------------------------------------- */

static void every_split_of_a_session_gives_the_same_events(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Script script = script_in(arena, true);
    request(&script, 1, 0, REQUEST "a: b\n");
    frame(&script, PING, 0, 0, bytes_of("12345678"));
    frame(&script, DATA, 0, 1, bytes_of("hello"));
    frame(&script, DATA, 0, 1, bytes_of(""));
    request(&script, 3, END_STREAM, REQUEST "host: A\n");
    frame(&script, HEADERS, END_STREAM, 1, bytes_slice(block(arena, "t: 1\nu: 2\n"), 0, 5));
    frame(&script, CONTINUATION, END_HEADERS, 1, bytes_slice(block(arena, "t: 1\nu: 2\n"), 5, 99));
    frame(&script, 99, 0, 0, bytes_of("unknown"));
    Bytes input = buffer_bytes(&script.text);
    for (size_t at = 1; at <= input.size; at++) {
        Side server = {0};
        side_begin(&server, http2_server_new, NULL);
        assert_ok(server.arena, side_feed(&server, bytes_slice(input, 0, at)));
        if (at < input.size)
            assert_ok(server.arena, side_feed(&server, bytes_slice(input, at, SIZE_MAX)));
        assert_string_equal(side_log(&server), "request POST http://a /\n  a: b\nbody hello\n"
                                               "request POST http://a / end\nend\n"
                                               "end\n  t: 1\n  u: 2\n");
        side_end(&server);
    }
    arena_free(arena);
}

static void the_phase_tells_what_is_waited_for(void **state)
{
    Side server = {0};
    side_begin(&server, http2_server_new, NULL);
    assert_int_equal(http_connection_phase(server.connection), HTTP_IDLE);
    assert_ok(server.arena, side_feed_text(&server, "PRI * HTTP"));
    assert_int_equal(http_connection_phase(server.connection), HTTP_HEAD);
    Script script = script_in(server.arena, true);
    assert_ok(server.arena,
              side_feed(&server, bytes_slice(buffer_bytes(&script.text), 10, SIZE_MAX)));
    assert_int_equal(http_connection_phase(server.connection), HTTP_IDLE);
    script.text.size = 0;
    frame(&script, HEADERS, 0, 1, block(server.arena, REQUEST));
    assert_ok(server.arena, side_feed(&server, buffer_bytes(&script.text)));
    assert_int_equal(http_connection_phase(server.connection), HTTP_HEAD);
    script.text.size = 0;
    frame(&script, CONTINUATION, END_HEADERS, 1, bytes_of(""));
    assert_ok(server.arena, side_feed(&server, buffer_bytes(&script.text)));
    assert_int_equal(http_connection_phase(server.connection), HTTP_ACTIVE);
    side_end(&server);
}

/* What is malformed resets its stream and nothing else (RFC 9113 section 8.1.1). */
static void malformed_requests_are_reset(void **state)
{
    static const char *const malformed[] = {
        REQUEST "Upper: 1\n",
        REQUEST "connection: close\n",
        REQUEST "transfer-encoding: chunked\n",
        REQUEST "te: gzip\n",
        REQUEST "host: b\n",
        REQUEST "x: a\001b\n",
        REQUEST "x y: 1\n",
        REQUEST "x:  blank\n",
        REQUEST ":path: /again\n",
        REQUEST ":status: 200\n",
        REQUEST ":unknown: 1\n",
        REQUEST "content-length: x\n",
        REQUEST "content-length: 1\ncontent-length: 2\n",
        REQUEST "content-length: 1\n", /* and no body follows */
        ("a: b\n" REQUEST),
        ":method: GET\n:scheme: http\n:authority: a\n",
        ":method: GET\n:authority: a\n:path: /\n",
        ":scheme: http\n:authority: a\n:path: /\n",
        ":method: GET\n:scheme: http\n:authority: a\n:path: \n",
        ":method: GET\n:scheme: http\n:authority: a\n:path: x\n",
        ":method: GET\n:scheme: http\n:authority: a\n:path: /#x\n",
        ":method: GET\n:scheme: http\n:authority: a\n:path: /a b\n",
        ":method: GET\n:scheme: http\n:authority: u@a\n:path: /\n",
        ":method: GET\n:scheme: http\n:authority: a/b\n:path: /\n",
        ":method: G T\n:scheme: http\n:authority: a\n:path: /\n",
    };
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        Side server = {.on_end = side_answer_ok, .releases = true};
        side_begin(&server, http2_server_new, NULL);
        Script script = script_in(server.arena, true);
        request(&script, 1, END_STREAM, malformed[i]);
        request(&script, 3, END_STREAM, REQUEST);
        assert_ok(server.arena, side_feed(&server, buffer_bytes(&script.text)));
        if (!find_frame(buffer_bytes(&server.wire), RST_STREAM, 1))
            fail_msg("%s is taken", malformed[i]);
        expect_reset(&server, 1, HTTP2_ERROR_PROTOCOL);
        if (server.refusals != 1 || strncmp(server.refusal, "0 ", 2) != 0)
            fail_msg("%s is told %d times: %s", malformed[i], server.refusals, server.refusal);
        assert_string_equal(side_log(&server), "request POST http://a / end\nend\n");
        assert_non_null(find_frame(buffer_bytes(&server.wire), DATA, 3));
        side_end(&server);
    }
}

/* Each request that gets no owner is told, once, with its reason. */
static void what_the_connection_refuses_by_itself_is_told(void **state)
{
    static const struct {
        const char *request, *refusal;
    } rows[] = {
        {REQUEST "x: a\001b\n", "0 a field's name or value is malformed"},
        {REQUEST "host: b\n", "0 the authority is malformed, or differs from the Host field"},
        {":method: GET\n:scheme: http\n:authority: a\n:path: /#x\n", "0 the path is malformed"},
        {REQUEST "expect: more\n", "417 the only supported expectation is 100-continue"},
        {":method: CONNECT\n:authority: a\n", "501 CONNECT is not supported"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Side server = {0};
        side_begin(&server, http2_server_new, NULL);
        Script script = script_in(server.arena, true);
        request(&script, 1, END_STREAM, rows[i].request);
        assert_ok(server.arena, side_feed(&server, buffer_bytes(&script.text)));
        assert_string_equal(server.refusal, rows[i].refusal);
        assert_int_equal(server.refusals, 1);
        side_end(&server);
    }
}

/* More streams at once than allowed, before the client can know the limit. */
static void a_stream_over_the_limit_is_told(void **state)
{
    HttpLimits limits = http_limits_default;
    limits.streams = 1;
    Side server = {0};
    side_begin(&server, http2_server_new, &limits);
    Script script = script_in(server.arena, true);
    request(&script, 1, END_STREAM, REQUEST);
    request(&script, 3, END_STREAM, REQUEST);
    assert_ok(server.arena, side_feed(&server, buffer_bytes(&script.text)));
    expect_reset(&server, 3, HTTP2_ERROR_REFUSED_STREAM);
    assert_int_equal(server.refusals, 1);
    assert_true(strncmp(server.refusal, "0 ", 2) == 0);
    side_end(&server);
}

static void a_body_that_differs_from_its_length_is_reset(void **state)
{
    static const char *const bodies[] = {"hell", "hello!"};
    for (int i = 0; i < 2; i++) {
        Side server = {.releases = true};
        side_begin(&server, http2_server_new, NULL);
        Script script = script_in(server.arena, true);
        request(&script, 1, 0, REQUEST "content-length: 5\n");
        frame(&script, DATA, END_STREAM, 1, bytes_of(bodies[i]));
        assert_ok(server.arena, side_feed(&server, buffer_bytes(&script.text)));
        expect_reset(&server, 1, HTTP2_ERROR_PROTOCOL);
        assert_true(bytes_end_with(bytes_of(side_log(&server)), "reset PROTOCOL_VIOLATION\n"));
        side_end(&server);
    }
}

static Bytes answered(Side *client_side, const char *lines)
{
    /* Reads the answer with our own client, for its head is compressed. */
    Side server = {.releases = true};
    side_begin(&server, http2_server_new, NULL);
    Script script = script_in(server.arena, true);
    request(&script, 1, END_STREAM, lines);
    assert_ok(server.arena, side_feed(&server, buffer_bytes(&script.text)));
    side_begin(client_side, http2_client_new, NULL);
    side_open(client_side, "GET", "/", "", -1, true);
    side_take_output(client_side);
    assert_ok(client_side->arena, side_feed(client_side, buffer_bytes(&server.wire)));
    assert_string_equal(side_log(&server), "");
    assert_int_equal(http_connection_streams(server.connection), 0);
    side_end(&server);
    return bytes_of(side_log(client_side));
}

static void what_cannot_be_served_is_answered_without_an_owner(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer path = buffer_in(arena), large = buffer_in(arena), many = buffer_in(arena);
    buffer_add_text(&path, ":method: GET\n:scheme: http\n:authority: a\n:path: /");
    for (int i = 0; i < 10000; i++)
        buffer_add_byte(&path, 'x');
    buffer_add(&path, "\n", 2);
    buffer_add_text(&large, REQUEST "x: ");
    for (int i = 0; i < 15000; i++)
        buffer_add_byte(&large, 'x');
    buffer_add(&large, "\n", 2);
    buffer_add_text(&many, REQUEST);
    for (int i = 0; i < 400; i++)
        buffer_add_text(&many, "x: y\n");
    buffer_add_byte(&many, 0);
    const struct {
        const char *lines, *answer;
    } rows[] = {
        {":method: CONNECT\n:authority: a:443\n", "answer 501 "},
        {(const char *)path.data, "answer 414 "},
        {(const char *)many.data, "answer 431 "},
        {REQUEST "expect: magic\n", "answer 417 "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Side client = {.releases = true};
        Bytes log = answered(&client, rows[i].lines);
        assert_true(bytes_start_with(log, rows[i].answer));
        assert_non_null(strstr(side_log(&client), "application/problem+json"));
        assert_non_null(strstr(side_log(&client), "nosniff"));
        assert_true(bytes_end_with(log, "end\n"));
        side_end(&client);
    }
    arena_free(arena);
}

static void a_held_back_body_is_asked_for(void **state)
{
    Pair pair = {.server = {.on_end = side_answer_ok, .releases = true},
                 .client = {.releases = true}};
    pair_begin(&pair, NULL);
    HttpStream *stream = side_open(&pair.client, "POST", "/", "expect: 100-continue", -1, false);
    pair_pump(&pair);
    assert_string_equal(side_log(&pair.server), "request POST http://example.com /\n");
    assert_string_equal(side_log(&pair.client), "interim 100\n");
    http_stream_send_end(stream, NULL);
    pair_pump(&pair);
    assert_non_null(strstr(side_log(&pair.client), "answer 200"));
    pair_end(&pair);
}

static void a_wrong_preface_ends_the_connection(void **state)
{
    Side server = {0};
    side_begin(&server, http2_server_new, NULL);
    assert_fault(side_feed_text(&server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
                 FAULT_PROTOCOL_VIOLATION);
    expect_goaway(&server, HTTP2_ERROR_PROTOCOL);
    side_end(&server);
}

static void a_broken_connection_fails_its_feed_and_its_streams(void **state)
{
    Side server = {.releases = true};
    side_begin(&server, http2_server_new, NULL);
    Script script = script_in(server.arena, true);
    request(&script, 1, 0, REQUEST);
    frame(&script, DATA, 0, 0, bytes_of("DATA needs a stream"));
    assert_fault(side_feed(&server, buffer_bytes(&script.text)), FAULT_PROTOCOL_VIOLATION);
    assert_string_equal(side_log(&server), "request POST http://a /\nreset PROTOCOL_VIOLATION\n");
    expect_goaway(&server, HTTP2_ERROR_PROTOCOL);
    Bytes wire = buffer_bytes(&server.wire);
    Bytes debug = bytes_of("DATA has the stream identifier 0");
    assert_true(bytes_equal(bytes(wire.data + wire.size - debug.size, debug.size), debug));
    side_end(&server);
}

static void frames_too_large_break_the_connection(void **state)
{
    Side server = {.releases = true};
    side_begin(&server, http2_server_new, NULL);
    Script script = script_in(server.arena, true);
    buffer_add(&script.text, "\1\0\0\0\0\0\0\0\1", 9); /* 65536 bytes of DATA */
    assert_fault(side_feed(&server, buffer_bytes(&script.text)), FAULT_PROTOCOL_VIOLATION);
    expect_goaway(&server, HTTP2_ERROR_FRAME_SIZE);
    side_end(&server);
}

static void an_answer_before_the_end_of_a_short_request_lets_the_rest_come(void **state)
{
    for (int right = 0; right < 2; right++) {
        Side server = {.on_head = answer_at_once, .releases = true};
        side_begin(&server, http2_server_new, NULL);
        Script script = script_in(server.arena, true);
        request(&script, 1, 0, REQUEST "content-length: 5\n");
        assert_ok(server.arena, side_feed(&server, buffer_bytes(&script.text)));
        assert_null(find_frame(buffer_bytes(&server.wire), RST_STREAM, 1));
        assert_int_equal(http_connection_phase(server.connection), HTTP_IDLE); /* nobody's call */
        script.text.size = 0;
        frame(&script, DATA, 0, 1, bytes_of("he"));
        frame(&script, DATA, END_STREAM, 1, bytes_of(right ? "llo" : "l"));
        assert_ok(server.arena, side_feed(&server, buffer_bytes(&script.text)));
        assert_int_equal(http_connection_streams(server.connection), 0);
        if (right)
            assert_null(find_frame(buffer_bytes(&server.wire), RST_STREAM, 1));
        else
            expect_reset(&server, 1, HTTP2_ERROR_PROTOCOL);
        side_end(&server);
    }
}

static void cookies_in_pieces_become_one(void **state)
{
    Side server = {0};
    side_begin(&server, http2_server_new, NULL);
    Script script = script_in(server.arena, true);
    request(&script, 1, END_STREAM, REQUEST "a: 1\ncookie: x=1\nb: 2\ncookie: y=2\ncookie: z=3\n");
    assert_ok(server.arena, side_feed(&server, buffer_bytes(&script.text)));
    assert_string_equal(side_log(&server), "request POST http://a / end\n"
                                           "  a: 1\n  cookie: x=1; y=2; z=3\n  b: 2\nend\n");
    side_end(&server);
}

static void expect_verdict(Side *side, Script *script, uint32_t code)
{
    Result r = side_feed(side, buffer_bytes(&script->text));
    if (code) {
        assert_fault(r, FAULT_PROTOCOL_VIOLATION);
        expect_goaway(side, code);
    } else {
        assert_ok(side->arena, r);
        assert_null(find_frame(buffer_bytes(&side->wire), GOAWAY, 0));
    }
}

/* RFC 9113 section 5.1, "closed". */
static void nothing_may_come_behind_the_end_of_a_stream(void **state)
{
    for (int how = 0; how < 8; how++) {
        bool reset = how & 1, apart = how & 2, data = how & 4;
        Side server = {.on_end = side_answer_ok, .releases = true};
        side_begin(&server, http2_server_new, NULL);
        Script script = script_in(server.arena, true);
        request(&script, 1, reset ? 0 : END_STREAM, REQUEST);
        if (reset)
            frame(&script, RST_STREAM, 0, 1, bytes("\0\0\0\10", 4));
        if (apart) { /* in a feed of its own, when the answer is out */
            assert_ok(server.arena, side_feed(&server, buffer_bytes(&script.text)));
            script.text.size = 0;
        }
        if (data)
            frame(&script, DATA, 0, 1, bytes_of("more"));
        else
            request(&script, 1, END_STREAM, "t: 1\n");
        bool closed = !reset && apart; /* else we have not ended it */
        expect_verdict(&server, &script, closed ? HTTP2_ERROR_STREAM_CLOSED : 0);
        if (!closed) /* other streams know nothing of it */
            expect_reset(&server, 1, HTTP2_ERROR_STREAM_CLOSED);
        side_end(&server);
    }
}

/* RFC 9113 section 5.1, half-closed (remote): other calls of the connection know nothing of it. */
static void what_comes_behind_an_end_while_our_side_is_open_ends_the_stream_only(void **state)
{
    Side client = {0};
    side_begin(&client, http2_client_new, NULL);
    Script script = script_in(client.arena, false);
    HttpStream *done = side_open(&client, "POST", "/", "", -1, false);
    side_open(&client, "POST", "/", "", -1, false);
    request(&script, 1, END_STREAM, ":status: 200\n");
    frame(&script, DATA, 0, 1, bytes_of("more"));
    request(&script, 3, 0, ":status: 200\n");
    expect_verdict(&client, &script, 0);
    expect_reset(&client, 1, HTTP2_ERROR_STREAM_CLOSED);
    assert_int_equal(http_connection_streams(client.connection), 1);
    http_stream_release(done);
    side_end(&client);
}

static void trailers_of_which_none_may_be_sent_are_an_end_without(void **state)
{
    Side server = {0};
    side_begin(&server, http2_server_new, NULL);
    Script script = script_in(server.arena, true);
    request(&script, 1, END_STREAM, REQUEST);
    assert_ok(server.arena, side_feed(&server, buffer_bytes(&script.text)));
    HttpStream *stream = server.stream;
    side_send_head(&server, stream, 200, "", -1, false);
    side_send_trailers(&server, stream, "content-length: 7\nconnection: close");
    side_take_output(&server);
    const uint8_t *end = find_frame(buffer_bytes(&server.wire), DATA, 1);
    assert_non_null(end);
    assert_int_equal(end[4] & END_STREAM, END_STREAM);
    side_end(&server);
}

static void what_was_on_its_way_when_we_ended_a_stream_is_ignored(void **state)
{
    Side server = {.on_head = release_at_head};
    side_begin(&server, http2_server_new, NULL);
    Script script = script_in(server.arena, true);
    request(&script, 1, 0, REQUEST);
    assert_ok(server.arena, side_feed(&server, buffer_bytes(&script.text)));
    expect_reset(&server, 1, HTTP2_ERROR_CANCEL);
    script.text.size = 0;
    frame(&script, DATA, 0, 1, bytes_of("on its way"));
    request(&script, 1, END_STREAM, "t: 1\n");
    expect_verdict(&server, &script, 0);
    side_end(&server);
}

static void a_stream_that_was_skipped_is_closed(void **state)
{
    for (int i = 0; i < 2; i++) {
        Side server = {.on_end = side_answer_ok, .releases = true};
        side_begin(&server, http2_server_new, NULL);
        Script script = script_in(server.arena, true);
        request(&script, 5, END_STREAM, REQUEST);
        if (i)
            request(&script, 3, END_STREAM, REQUEST);
        else
            frame(&script, DATA, 0, 3, bytes_of("x"));
        expect_verdict(&server, &script, i ? HTTP2_ERROR_PROTOCOL : HTTP2_ERROR_STREAM_CLOSED);
        side_end(&server);
    }
}

static void of_streams_long_gone_nothing_is_remembered(void **state)
{
    Side server = {.on_end = side_answer_ok, .releases = true};
    side_begin(&server, http2_server_new, NULL);
    Script script = script_in(server.arena, true);
    for (uint32_t i = 0; i < 3000; i++) {
        request(&script, 2 * i + 1, END_STREAM, REQUEST);
        assert_ok(server.arena, side_feed(&server, buffer_bytes(&script.text)));
        script.text.size = 0;
        side_forget(&server);
    }
    frame(&script, DATA, 0, 1, bytes_of("x"));
    expect_verdict(&server, &script, 0);
    script.text.size = 0;
    frame(&script, DATA, 0, 5001, bytes_of("x"));
    expect_verdict(&server, &script, HTTP2_ERROR_STREAM_CLOSED);
    side_end(&server);
}

static void a_peer_that_goes_away_is_served_to_its_end(void **state)
{
    Side server = {0};
    side_begin(&server, http2_server_new, NULL);
    Script script = script_in(server.arena, true);
    request(&script, 1, END_STREAM, REQUEST);
    frame(&script, GOAWAY, 0, 0, bytes("\0\0\0\0\0\0\0\0", 8));
    assert_ok(server.arena, side_feed(&server, buffer_bytes(&script.text)));
    assert_int_equal(http_connection_phase(server.connection), HTTP_ACTIVE);
    side_answer_ok(&server, server.stream);
    side_take_output(&server);
    assert_non_null(find_frame(buffer_bytes(&server.wire), DATA, 1));
    assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
    side_end(&server);
}

/* ---- Floods ---------------------------------------------------------------------------------- */

typedef void Flood(Script *script, uint32_t i);

static void flood_ping(Script *script, uint32_t i)
{
    frame(script, PING, 0, 0, bytes_of("12345678"));
}

static void flood_ping_ack(Script *script, uint32_t i)
{
    frame(script, PING, ACK, 0, bytes_of("12345678"));
}

static void flood_settings(Script *script, uint32_t i)
{
    frame(script, SETTINGS, 0, 0, BYTES_NONE);
}

static void flood_priority(Script *script, uint32_t i)
{
    frame(script, PRIORITY, 0, 2 * i + 1, bytes("\0\0\0\0\1", 5));
}

static void flood_window(Script *script, uint32_t i)
{
    frame(script, WINDOW_UPDATE, 0, 0, bytes("\0\0\0\1", 4));
}

static void flood_empty_data(Script *script, uint32_t i)
{
    if (i == 0)
        request(script, 1, 0, REQUEST "x-keep: 1\n");
    frame(script, DATA, 0, 1, BYTES_NONE);
}

static void flood_unknown(Script *script, uint32_t i)
{
    frame(script, 200, 0, 0, BYTES_NONE);
}

static void flood_closed_data(Script *script, uint32_t i)
{
    if (i == 0)
        request(script, 1, 0, REQUEST);
    frame(script, DATA, 0, 1, BYTES_NONE);
}

static void flood_reset(Script *script, uint32_t i)
{
    request(script, 2 * i + 1, 0, REQUEST);
    frame(script, RST_STREAM, 0, 2 * i + 1, bytes("\0\0\0\10", 4));
}

/* Resets that the peer makes us send ("MadeYouReset"). */
static void flood_provoked_reset(Script *script, uint32_t i)
{
    request(script, 2 * i + 1, 0, REQUEST);
    frame(script, WINDOW_UPDATE, 0, 2 * i + 1, bytes("\0\0\0\0", 4));
}

static void flood_malformed(Script *script, uint32_t i)
{
    request(script, 2 * i + 1, END_STREAM, REQUEST "Upper: 1\n");
}

static void flood_continuation(Script *script, uint32_t i)
{
    if (i == 0)
        frame(script, HEADERS, 0, 1, block(script->text.arena, REQUEST));
    frame(script, CONTINUATION, 0, 1, BYTES_NONE);
}

/* One large value in the table, then named again and again by one byte each. */
static void flood_bomb(Script *script, uint32_t i)
{
    if (i)
        return;
    Buffer bomb = buffer_in(script->text.arena);
    buffer_add_bytes(&bomb, block(script->text.arena, REQUEST));
    buffer_add(&bomb, "\x40\1x\x7f\x81\x1e", 6); /* 4000 bytes */
    for (int n = 0; n < 4000; n++)
        buffer_add_byte(&bomb, 'v');
    for (int n = 0; n < 12000; n++)
        buffer_add_byte(&bomb, 0xbe);
    frame(script, HEADERS, END_HEADERS, 1, buffer_bytes(&bomb));
}

static void release_unless_asked(Side *side, HttpStream *stream, const HttpHead *head)
{
    if (!fields_get(&head->fields, "x-keep").data)
        release_at_head(side, stream, head);
}

static void floods_end_the_connection_soon(void **state)
{
    static const struct {
        const char *name;
        Flood *flood;
    } floods[] = {
        {"PING", flood_ping},
        {"PING ACK", flood_ping_ack},
        {"SETTINGS", flood_settings},
        {"PRIORITY", flood_priority},
        {"WINDOW_UPDATE", flood_window},
        {"empty DATA", flood_empty_data},
        {"unknown", flood_unknown},
        {"DATA for nobody", flood_closed_data},
        {"rapid reset", flood_reset},
        {"provoked resets", flood_provoked_reset},
        {"malformed", flood_malformed},
        {"CONTINUATION", flood_continuation},
        {"header bomb", flood_bomb},
    };
    for (size_t i = 0; i < sizeof floods / sizeof *floods; i++) {
        Side server = {.on_head = release_unless_asked};
        side_begin(&server, http2_server_new, NULL);
        Script script = script_in(server.arena, true);
        Result r = OK;
        uint32_t n = 0;
        for (; n < 20000 && !failed(r); n++) {
            floods[i].flood(&script, n);
            r = side_feed(&server, buffer_bytes(&script.text));
            script.text.size = 0;
        }
        if (n > 6000)
            fail_msg("%s goes on until %u", floods[i].name, n);
        assert_fault(r, FAULT_PROTOCOL_VIOLATION);
        assert_int_equal(http_connection_phase(server.connection), HTTP_CLOSED);
        assert_non_null(find_frame(buffer_bytes(&server.wire), GOAWAY, 0));
        side_end(&server);
    }
}

static void a_flood_is_called_by_its_name(void **state)
{
    Side server = {0};
    side_begin(&server, http2_server_new, NULL);
    Script script = script_in(server.arena, true);
    for (uint32_t i = 0; i < 6000; i++)
        flood_ping_ack(&script, i);
    assert_fault(side_feed(&server, buffer_bytes(&script.text)), FAULT_PROTOCOL_VIOLATION);
    expect_goaway(&server, HTTP2_ERROR_ENHANCE_YOUR_CALM);
    side_end(&server);
}

static void control_frames_in_measure_are_welcome(void **state)
{
    Side server = {.on_end = side_answer_ok, .releases = true};
    side_begin(&server, http2_server_new, NULL);
    Script script = script_in(server.arena, true);
    for (uint32_t i = 0; i < 20000; i++) { /* all at one instant, but each with a call */
        request(&script, 2 * i + 1, END_STREAM, REQUEST);
        frame(&script, PING, 0, 0, bytes_of("12345678"));
        frame(&script, WINDOW_UPDATE, 0, 0, bytes("\0\0\0\2", 4));
        assert_ok(server.arena, side_feed(&server, buffer_bytes(&script.text)));
        script.text.size = 0;
        side_forget(&server);
    }
    side_end(&server);
}

static void a_thousand_calls_cancelled_at_once_are_no_flood(void **state)
{
    Side server = {.on_head = release_at_head};
    side_begin(&server, http2_server_new, NULL);
    Script script = script_in(server.arena, true);
    for (uint32_t i = 0; i < 1000; i++)
        flood_reset(&script, i);
    assert_ok(server.arena, side_feed(&server, buffer_bytes(&script.text)));
    side_end(&server);
}

static void streams_above_the_limit_are_refused(void **state)
{
    Side server = {0};
    HttpLimits limits = http_limits_default;
    limits.streams = 2;
    side_begin(&server, http2_server_new, &limits);
    Script script = script_in(server.arena, true);
    for (uint32_t i = 0; i < 3; i++)
        request(&script, 2 * i + 1, 0, REQUEST);
    assert_ok(server.arena, side_feed(&server, buffer_bytes(&script.text)));
    expect_reset(&server, 5, HTTP2_ERROR_REFUSED_STREAM);
    assert_int_equal(http_connection_streams(server.connection), 2);
    side_end(&server);
}

/* ---- A server that we play by hand ----------------------------------------------------------- */

static void begin_client(Side *client, Script *script)
{
    side_begin(client, http2_client_new, NULL);
    side_open(client, "GET", "/", "", -1, true);
    side_take_output(client);
    *script = script_in(client->arena, false);
}

static void calls_above_the_last_of_goaway_may_be_sent_again(void **state)
{
    Side client = {.releases = true};
    Script script;
    begin_client(&client, &script);
    frame(&script, GOAWAY, 0, 0, bytes("\0\0\0\0\0\0\0\0", 8));
    assert_ok(client.arena, side_feed(&client, buffer_bytes(&script.text)));
    assert_string_equal(side_log(&client), "reset UPSTREAM_REFUSED\n");
    assert_int_equal(http_connection_capacity(client.connection), 0);
    assert_int_equal(http_connection_phase(client.connection), HTTP_CLOSED);
    side_end(&client);
}

/* It has processed the request, whatever it says afterwards: a payment must not be sent twice. */
static void a_call_that_has_some_of_a_response_is_not_refused_any_more(void **state)
{
    static const char *const heads[] = {":status: 200\n", ":status: 103\n"};
    for (int i = 0; i < 4; i++) {
        Side client = {.releases = true};
        Script script;
        begin_client(&client, &script);
        frame(&script, HEADERS, END_HEADERS, 1, block(client.arena, heads[i / 2]));
        if (i % 2)
            frame(&script, GOAWAY, 0, 0, bytes("\0\0\0\0\0\0\0\0", 8));
        else
            frame(&script, RST_STREAM, 0, 1, bytes("\0\0\0\7", 4));
        assert_ok(client.arena, side_feed(&client, buffer_bytes(&script.text)));
        assert_non_null(strstr(side_log(&client), "reset UPSTREAM_RESET\n"));
        side_end(&client);
    }
}

static void a_service_that_goes_away_with_an_error_is_quoted(void **state)
{
    static const char payload[] = "\0\0\0\0\0\0\0\x0btoo_many\x7fpings";
    Side client = {.releases = true};
    Script script;
    begin_client(&client, &script);
    frame(&script, GOAWAY, 0, 0, bytes(payload, sizeof payload - 1));
    assert_ok(client.arena, side_feed(&client, buffer_bytes(&script.text)));
    assert_string_equal(side_log(&client), "reset UPSTREAM_REFUSED\n");
    assert_non_null(strstr(client.why, "GOAWAY with ENHANCE_YOUR_CALM: too_many?pings"));
    side_end(&client);
}

static void the_error_of_a_service_is_the_cause_when_it_closes_after_it(void **state)
{
    Side client = {.releases = true};
    Script script;
    begin_client(&client, &script);
    frame(&script, GOAWAY, 0, 0, bytes("\0\0\0\1\0\0\0\2", 8));
    assert_ok(client.arena, side_feed(&client, buffer_bytes(&script.text)));
    http_connection_eof(client.connection);
    assert_string_equal(side_log(&client), "reset UPSTREAM_RESET\n");
    assert_string_equal(client.why,
                        "the service closed the connection after GOAWAY with INTERNAL_ERROR");
    side_end(&client);
}

static void a_malformed_answer_is_explained(void **state)
{
    static const struct {
        const char *fields;
        uint8_t flags;
        const char *why;
    } rows[] = {
        {"a: b\n", END_STREAM, "the response has no :status"},
        {":status: 100\n", END_STREAM, "an interim response ends the stream"},
        {":status: 100\ncontent-length: 1\n", 0, "an interim response has a content-length"},
        {":status: 204\ncontent-length: 1\n", 0, "a response without a body has a content-length"},
        {":status: 200\ncontent-length: 1\n", END_STREAM, "shorter than its content-length"},
        {":status: 200\nUpper: 1\n", 0, "a field's name or value is malformed"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Side client = {.releases = true};
        Script script;
        begin_client(&client, &script);
        request(&script, 1, rows[i].flags, rows[i].fields);
        assert_ok(client.arena, side_feed(&client, buffer_bytes(&script.text)));
        assert_string_equal(side_log(&client), "reset UPSTREAM_PROTOCOL\n");
        assert_non_null(strstr(client.why, rows[i].why));
        side_end(&client);
    }
}

static void malformed_answers_are_reset(void **state)
{
    static const char *const malformed[] = {
        ":status: 200\nUpper: 1\n", ":status: 200\nconnection: x\n", "a: b\n", ":status: 20\n",
        ":status: 101\n",           ":status: 200\n:path: /\n",
    };
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        Side client = {.releases = true};
        Script script;
        begin_client(&client, &script);
        request(&script, 1, END_STREAM, malformed[i]);
        assert_ok(client.arena, side_feed(&client, buffer_bytes(&script.text)));
        if (strcmp(side_log(&client), "reset UPSTREAM_PROTOCOL\n") != 0)
            fail_msg("%s gives %s", malformed[i], side_log(&client));
        assert_int_equal(http_connection_phase(client.connection), HTTP_IDLE);
        side_end(&client);
    }
}

/* RFC 9113 section 8.2.1 forbids them, and grpcio's "Exception calling application: " has one all
   the same. */
static void spaces_around_values_of_answers_are_taken_off(void **state)
{
    Side client = {.releases = true};
    Script script;
    begin_client(&client, &script);
    request(&script, 1, END_STREAM,
            ":status: 200\ngrpc-status: 2\ngrpc-message: it broke: \nx:  \t y\t\n");
    assert_ok(client.arena, side_feed(&client, buffer_bytes(&script.text)));
    assert_string_equal(side_log(&client), "answer 200 end\n"
                                           "  grpc-status: 2\n"
                                           "  grpc-message: it broke:\n"
                                           "  x: y\n"
                                           "end\n");
    side_end(&client);
}

static void an_answer_larger_than_allowed_is_broken_off(void **state)
{
    Side client = {.releases = true};
    Script script;
    begin_client(&client, &script);
    Buffer lines = buffer_in(client.arena);
    buffer_add_text(&lines, ":status: 200\n");
    for (int i = 0; i < 200; i++)
        buffer_add_text(&lines, "x: y\n");
    buffer_add_byte(&lines, 0);
    request(&script, 1, 0, (const char *)lines.data);
    assert_ok(client.arena, side_feed(&client, buffer_bytes(&script.text)));
    assert_string_equal(side_log(&client), "reset UPSTREAM_TOO_LARGE\n");
    expect_reset(&client, 1, HTTP2_ERROR_CANCEL);
    side_end(&client);
}

static void a_push_breaks_the_connection(void **state)
{
    Side client = {.releases = true};
    Script script;
    begin_client(&client, &script);
    frame(&script, SETTINGS, ACK, 0, BYTES_NONE);
    frame(&script, PUSH_PROMISE, END_HEADERS, 1, bytes("\0\0\0\2\x82\x86\x84", 7));
    assert_fault(side_feed(&client, buffer_bytes(&script.text)), FAULT_UPSTREAM_PROTOCOL);
    assert_string_equal(side_log(&client), "reset UPSTREAM_PROTOCOL\n");
    side_end(&client);
}

static void an_upstream_that_goes_away_within_an_answer_is_a_reset(void **state)
{
    Side client = {.releases = true};
    Script script;
    begin_client(&client, &script);
    request(&script, 1, 0, ":status: 200\n");
    assert_ok(client.arena, side_feed(&client, buffer_bytes(&script.text)));
    http_connection_eof(client.connection);
    assert_string_equal(side_log(&client), "answer 200\nreset UPSTREAM_RESET\n");
    assert_int_equal(http_connection_phase(client.connection), HTTP_CLOSED);
    side_end(&client);
}

/* Its complete calls are answered; the others cannot be any more. */
static void a_client_that_closes_its_side_is_probed_and_its_calls_are_answered(void **state)
{
    Pair pair = {.client = {.releases = true}};
    pair_begin(&pair, NULL);
    side_open(&pair.client, "POST", "/whole", "", -1, true);
    pair_pump(&pair);
    HttpStream *whole = pair.server.stream;
    side_open(&pair.client, "POST", "/half", "", -1, false);
    pair_pump(&pair);
    side_forget(&pair.server);
    http_connection_eof(pair.server.connection);
    assert_string_equal(side_log(&pair.server), "reset CANCELLED\n");
    assert_int_equal(http_connection_streams(pair.server.connection), 1);
    assert_int_equal(http_connection_phase(pair.server.connection), HTTP_ACTIVE);
    struct iovec probe;
    assert_int_equal(http_connection_output(pair.server.connection, &probe, 1), 1);
    assert_int_equal(probe.iov_len, 17);
    assert_memory_equal((uint8_t *)probe.iov_base + 3, "\6\0\0\0\0\0probe", 11); /* PING */
    side_answer_ok(&pair.server, whole);
    while (http_connection_output(pair.server.connection, &probe, 1) == 1) {
        Bytes piece = bytes(probe.iov_base, probe.iov_len);
        assert_ok(pair.client.arena, http_connection_feed(pair.client.connection, piece, 1));
        http_connection_sent(pair.server.connection, piece.size);
    }
    assert_string_equal(side_log(&pair.client),
                        "answer 200 length 2\n  content-type: text/plain\nbody ok\nend\n");
    assert_int_equal(http_connection_phase(pair.server.connection), HTTP_CLOSED);
    pair_end(&pair);
}

static void a_client_that_closes_its_side_without_a_whole_call_is_done(void **state)
{
    for (int calls = 0; calls < 3; calls++) {
        Pair pair = {.client = {.releases = true}};
        pair_begin(&pair, NULL);
        for (int i = 0; i < calls; i++)
            side_open(&pair.client, "POST", "/half", "", -1, false);
        pair_pump(&pair);
        side_forget(&pair.server);
        http_connection_eof(pair.server.connection);
        assert_string_equal(side_log(&pair.server), calls == 2
                                                        ? "reset CANCELLED\nreset CANCELLED\n"
                                                    : calls ? "reset CANCELLED\n"
                                                            : "");
        assert_int_equal(http_connection_phase(pair.server.connection), HTTP_CLOSED);
        pair_end(&pair);
    }
}

/* The rest of a head never comes: no timeout of a head applies. */
static void a_head_that_was_cut_off_by_the_end_of_the_input_is_not_awaited(void **state)
{
    Pair pair = {{0}};
    pair_begin(&pair, NULL);
    side_open(&pair.client, "POST", "/whole", "", -1, true);
    pair_pump(&pair);
    uint8_t headers[] = {0, 0, 20, HEADERS, END_HEADERS, 0, 0, 0, 3, 0x82};
    assert_ok(pair.server.arena, side_feed(&pair.server, bytes(headers, sizeof headers)));
    assert_int_equal(http_connection_phase(pair.server.connection), HTTP_HEAD);
    http_connection_eof(pair.server.connection);
    assert_int_equal(http_connection_phase(pair.server.connection), HTTP_ACTIVE);
    pair_end(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_and_a_server_understand_each_other),
        cmocka_unit_test(an_answer_may_be_a_head_alone),
        cmocka_unit_test(heads_with_many_fields_come_whole),
        cmocka_unit_test(names_of_unique_fields_are_found_in_the_table),
        cmocka_unit_test(interim_answers_are_told),
        cmocka_unit_test(an_answer_to_head_has_no_body),
        cmocka_unit_test(what_could_harm_a_head_does_not_go_out),
        cmocka_unit_test(large_heads_and_trailers_pass),
        cmocka_unit_test(heads_of_any_number_of_fields_arrive_whole),
        cmocka_unit_test(a_status_that_http_cannot_say_resets_the_stream),
        cmocka_unit_test(a_large_body_arrives_whole),
        cmocka_unit_test(a_reader_that_does_not_consume_stops_the_sender_at_the_window),
        cmocka_unit_test(a_response_that_is_not_consumed_stops_no_other),
        cmocka_unit_test(the_window_of_a_response_grows_with_its_reading),
        cmocka_unit_test(what_a_released_stream_did_not_consume_is_given_back_to_the_connection),
        cmocka_unit_test(the_queue_and_its_drain_tell_of_a_slow_reader),
        cmocka_unit_test(output_is_bounded_however_much_is_queued),
        cmocka_unit_test(an_answer_complete_before_its_request_ends_the_request_too),
        cmocka_unit_test(a_call_that_the_client_breaks_off_is_cancelled_for_the_server),
        cmocka_unit_test(a_call_broken_off_before_it_could_be_seen_is_not_sent),
        cmocka_unit_test(a_servers_reset_tells_whether_the_call_may_be_sent_again),
        cmocka_unit_test(what_is_queued_goes_out_before_a_cut),
        cmocka_unit_test(a_stream_released_before_its_answer_is_reset),
        cmocka_unit_test(an_answer_that_was_ended_goes_out_though_its_stream_is_released),
        cmocka_unit_test(a_final_response_has_a_date),
        cmocka_unit_test(the_largest_head_that_a_peer_takes_is_known),
        cmocka_unit_test(a_draining_server_finishes_its_calls_and_takes_no_new_ones),
        cmocka_unit_test(a_call_on_its_way_when_the_server_drains_is_still_served),
        cmocka_unit_test(a_draining_client_ends_with_its_last_call),
        cmocka_unit_test(a_ping_is_answered),
        cmocka_unit_test(a_stream_above_the_peers_window_is_held_up),
        cmocka_unit_test(a_response_is_owed_until_its_last_byte_is_sent),
        cmocka_unit_test(a_response_that_waits_for_the_window_is_owed_once_it_has_ended),
        cmocka_unit_test(the_ping_that_measures_a_drain_goes_behind_its_notice),
        cmocka_unit_test(a_drain_does_not_wait_longer_for_a_peer_that_does_not_acknowledge),
        cmocka_unit_test(a_drain_that_does_not_wait_has_one_notice),
        cmocka_unit_test(a_lost_connection_tells_which_calls_may_be_sent_again),
        cmocka_unit_test(a_stream_may_outlive_its_connection),
        cmocka_unit_test(the_client_opens_no_more_than_the_server_allows),
        cmocka_unit_test(an_owner_may_leave_within_any_event),
        cmocka_unit_test(a_client_may_open_the_next_call_within_the_end_of_one),
        cmocka_unit_test(owners_may_do_anything_at_any_time),
        cmocka_unit_test(every_split_of_a_session_gives_the_same_events),
        cmocka_unit_test(the_phase_tells_what_is_waited_for),
        cmocka_unit_test(malformed_requests_are_reset),
        cmocka_unit_test(what_the_connection_refuses_by_itself_is_told),
        cmocka_unit_test(a_stream_over_the_limit_is_told),
        cmocka_unit_test(a_body_that_differs_from_its_length_is_reset),
        cmocka_unit_test(an_answer_before_the_end_of_a_short_request_lets_the_rest_come),
        cmocka_unit_test(cookies_in_pieces_become_one),
        cmocka_unit_test(what_cannot_be_served_is_answered_without_an_owner),
        cmocka_unit_test(a_held_back_body_is_asked_for),
        cmocka_unit_test(a_wrong_preface_ends_the_connection),
        cmocka_unit_test(a_broken_connection_fails_its_feed_and_its_streams),
        cmocka_unit_test(frames_too_large_break_the_connection),
        cmocka_unit_test(nothing_may_come_behind_the_end_of_a_stream),
        cmocka_unit_test(what_comes_behind_an_end_while_our_side_is_open_ends_the_stream_only),
        cmocka_unit_test(trailers_of_which_none_may_be_sent_are_an_end_without),
        cmocka_unit_test(what_was_on_its_way_when_we_ended_a_stream_is_ignored),
        cmocka_unit_test(a_stream_that_was_skipped_is_closed),
        cmocka_unit_test(of_streams_long_gone_nothing_is_remembered),
        cmocka_unit_test(a_peer_that_goes_away_is_served_to_its_end),
        cmocka_unit_test(floods_end_the_connection_soon),
        cmocka_unit_test(a_flood_is_called_by_its_name),
        cmocka_unit_test(control_frames_in_measure_are_welcome),
        cmocka_unit_test(a_thousand_calls_cancelled_at_once_are_no_flood),
        cmocka_unit_test(streams_above_the_limit_are_refused),
        cmocka_unit_test(calls_above_the_last_of_goaway_may_be_sent_again),
        cmocka_unit_test(a_call_that_has_some_of_a_response_is_not_refused_any_more),
        cmocka_unit_test(a_service_that_goes_away_with_an_error_is_quoted),
        cmocka_unit_test(the_error_of_a_service_is_the_cause_when_it_closes_after_it),
        cmocka_unit_test(a_malformed_answer_is_explained),
        cmocka_unit_test(malformed_answers_are_reset),
        cmocka_unit_test(spaces_around_values_of_answers_are_taken_off),
        cmocka_unit_test(an_answer_larger_than_allowed_is_broken_off),
        cmocka_unit_test(a_push_breaks_the_connection),
        cmocka_unit_test(an_upstream_that_goes_away_within_an_answer_is_a_reset),
        cmocka_unit_test(a_client_that_closes_its_side_is_probed_and_its_calls_are_answered),
        cmocka_unit_test(a_client_that_closes_its_side_without_a_whole_call_is_done),
        cmocka_unit_test(a_head_that_was_cut_off_by_the_end_of_the_input_is_not_awaited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
