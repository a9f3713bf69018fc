/* What RFC 9113 demands of the receiver of frames: each wrong frame ends its stream, or the
   connection, with the error that the standard names; and what only looks wrong ends nothing. */
#include "tests/unit/protocols/http2/http2_script.h"

#include "protocols/http2/http2.h"

enum { PADDED = 8, WITH_PRIORITY = 32, ALIVE = 1000 };

typedef struct Row {
    const char *name;
    uint8_t type, flags;
    uint32_t id;
    const char *payload;
    size_t size;
    uint32_t goaway; /* the error of the connection, or ALIVE */
    uint32_t reset;  /* of the stream, or of stream 1; or ALIVE */
} Row;

/* Stream 1 is open: its request goes on. Streams above 3 are idle. */
static void begin_with_a_request(Side *server, Script *script)
{
    side_begin(server, http2_server_new, NULL);
    *script = script_in(server->arena, true);
    request(script, 1, 0, REQUEST);
    request(script, 3, END_STREAM, REQUEST);
}

static void expect_row(const Row *row, Side *side, Script *script)
{
    Result r = script_feed(script, side, 1);
    Bytes wire = buffer_bytes(&side->wire);
    uint32_t id = row->id ? row->id : 1;
    const uint8_t *goaway = find_frame(wire, GOAWAY, 0), *reset = find_frame(wire, RST_STREAM, id);
    uint32_t said = goaway ? number_at(goaway + 13) : ALIVE;
    if (said != row->goaway || failed(r) != (said != ALIVE))
        fail_msg("%s: GOAWAY with %u", row->name, said);
    if ((reset ? number_at(reset + 9) : ALIVE) != row->reset)
        fail_msg("%s: RST_STREAM with %u", row->name, reset ? number_at(reset + 9) : ALIVE);
}

#define PROTOCOL HTTP2_ERROR_PROTOCOL, ALIVE
#define SIZE HTTP2_ERROR_FRAME_SIZE, ALIVE
#define FLOW HTTP2_ERROR_FLOW_CONTROL, ALIVE
#define CLOSED ALIVE, HTTP2_ERROR_STREAM_CLOSED
#define FINE ALIVE, ALIVE

static const Row rows[] = {
    {"DATA for no stream", DATA, 0, 0, "a", 1, PROTOCOL},
    {"DATA for an idle stream", DATA, 0, 5, "a", 1, PROTOCOL},
    {"DATA for a server's stream", DATA, 0, 2, "a", 1, PROTOCOL},
    {"DATA behind END_STREAM", DATA, 0, 3, "a", 1, CLOSED},
    {"DATA", DATA, 0, 1, "a", 1, FINE},
    {"DATA of padding alone", DATA, PADDED, 1, "\2\0\0", 3, FINE},
    {"DATA with as much padding as payload", DATA, PADDED, 1, "\3\0\0", 3, PROTOCOL},
    {"padded DATA without a size", DATA, PADDED, 1, "", 0, SIZE},
    {"HEADERS for no stream", HEADERS, END_HEADERS, 0, "\x82", 1, PROTOCOL},
    {"HEADERS for a server's stream", HEADERS, END_HEADERS, 2, "\x82", 1, PROTOCOL},
    {"HEADERS behind END_STREAM", HEADERS, END_HEADERS, 3, "\x82", 1, CLOSED},
    {"trailers without END_STREAM", HEADERS, END_HEADERS, 1, "\0\1a\1b", 5, ALIVE,
     HTTP2_ERROR_PROTOCOL},
    {"trailers with a pseudo-header field", HEADERS, END_HEADERS | END_STREAM, 1, "\x82", 1, ALIVE,
     HTTP2_ERROR_PROTOCOL},
    {"trailers", HEADERS, END_HEADERS | END_STREAM, 1, "\0\1a\1b", 5, FINE},
    {"trailers of nothing", HEADERS, END_HEADERS | END_STREAM, 1, "", 0, FINE},
    {"HEADERS with as much padding as payload", HEADERS, END_HEADERS | END_STREAM | PADDED, 1,
     "\1\0\1a\1b", 6, HTTP2_ERROR_COMPRESSION, ALIVE},
    {"HEADERS with more padding than payload", HEADERS, END_HEADERS | END_STREAM | PADDED, 1,
     "\6\0\1a\1b", 6, PROTOCOL},
    {"padded HEADERS without a size", HEADERS, END_HEADERS | PADDED, 1, "", 0, SIZE},
    {"HEADERS with part of a priority", HEADERS, END_HEADERS | WITH_PRIORITY, 1, "\0\0\0\0", 4,
     SIZE},
    {"HEADERS that depend on themselves", HEADERS, END_HEADERS | WITH_PRIORITY, 5,
     "\0\0\0\5\1\x82\x86\x84\x41\1a", 11, PROTOCOL},
    {"HEADERS with a priority", HEADERS, END_HEADERS | END_STREAM | WITH_PRIORITY, 1,
     "\x80\0\0\3\xff\0\1a\1b", 10, FINE},
    {"HEADERS that are not compressed rightly", HEADERS, END_HEADERS | END_STREAM, 1, "\x80", 1,
     HTTP2_ERROR_COMPRESSION, ALIVE},
    {"HEADERS that end within a field", HEADERS, END_HEADERS | END_STREAM, 1, "\0\1a", 3,
     HTTP2_ERROR_COMPRESSION, ALIVE},
    {"a table above our limit", HEADERS, END_HEADERS | END_STREAM, 1, "\x3f\xe2\x1f", 3,
     HTTP2_ERROR_COMPRESSION, ALIVE},
    {"CONTINUATION of nothing", CONTINUATION, END_HEADERS, 1, "", 0, PROTOCOL},
    {"PRIORITY for no stream", PRIORITY, 0, 0, "\0\0\0\0\0", 5, PROTOCOL},
    {"PRIORITY that is too short", PRIORITY, 0, 1, "\0\0\0\0", 4, SIZE},
    {"PRIORITY that is too long", PRIORITY, 0, 1, "\0\0\0\0\0\0", 6, SIZE},
    {"PRIORITY on itself", PRIORITY, 0, 5, "\0\0\0\5\0", 5, PROTOCOL},
    {"PRIORITY of an idle stream", PRIORITY, 0, 9, "\0\0\0\1\0", 5, FINE},
    {"RST_STREAM for no stream", RST_STREAM, 0, 0, "\0\0\0\0", 4, PROTOCOL},
    {"RST_STREAM for an idle stream", RST_STREAM, 0, 5, "\0\0\0\0", 4, PROTOCOL},
    {"RST_STREAM that is too short", RST_STREAM, 0, 1, "\0\0\0", 3, SIZE},
    {"RST_STREAM that is too long", RST_STREAM, 0, 1, "\0\0\0\0\0", 5, SIZE},
    {"RST_STREAM with an unknown error", RST_STREAM, 0, 1, "\xff\0\0\0", 4, FINE},
    {"SETTINGS for a stream", SETTINGS, 0, 1, "", 0, PROTOCOL},
    {"SETTINGS that are too short", SETTINGS, 0, 0, "\0\1\0\0\0", 5, SIZE},
    {"an acknowledgement with SETTINGS", SETTINGS, ACK, 0, "\0\1\0\0\0\0", 6, SIZE},
    {"an acknowledgement of SETTINGS", SETTINGS, ACK, 0, "", 0, FINE},
    {"ENABLE_PUSH of 2", SETTINGS, 0, 0, "\0\2\0\0\0\2", 6, PROTOCOL},
    {"ENABLE_PUSH of 1", SETTINGS, 0, 0, "\0\2\0\0\0\1", 6, FINE},
    {"a window of 2 to the 31st", SETTINGS, 0, 0, "\0\4\x80\0\0\0", 6, FLOW},
    {"a window of one less", SETTINGS, 0, 0, "\0\4\x7f\xff\xff\xff", 6, FINE},
    {"a frame size of 16383", SETTINGS, 0, 0, "\0\5\0\0\x3f\xff", 6, PROTOCOL},
    {"a frame size of 16384", SETTINGS, 0, 0, "\0\5\0\0\x40\0", 6, FINE},
    {"a frame size of 2 to the 24th", SETTINGS, 0, 0, "\0\5\1\0\0\0", 6, PROTOCOL},
    {"a frame size of one less", SETTINGS, 0, 0, "\0\5\0\xff\xff\xff", 6, FINE},
    {"an unknown setting", SETTINGS, 0, 0, "\xff\xff\xff\xff\xff\xff", 6, FINE},
    {"PUSH_PROMISE", PUSH_PROMISE, END_HEADERS, 1, "\0\0\0\2\x82", 5, PROTOCOL},
    {"PING for a stream", PING, 0, 1, "12345678", 8, PROTOCOL},
    {"PING that is too short", PING, 0, 0, "1234567", 7, SIZE},
    {"PING that is too long", PING, 0, 0, "123456789", 9, SIZE},
    {"PING with a flag that nobody knows", PING, 0x80, 0, "12345678", 8, FINE},
    {"GOAWAY for a stream", GOAWAY, 0, 1, "\0\0\0\0\0\0\0\0", 8, PROTOCOL},
    {"GOAWAY that is too short", GOAWAY, 0, 0, "\0\0\0\0\0\0\0", 7, SIZE},
    {"GOAWAY with a text", GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0bye", 11, FINE},
    {"WINDOW_UPDATE that is too short", WINDOW_UPDATE, 0, 1, "\0\0\1", 3, SIZE},
    {"WINDOW_UPDATE that is too long", WINDOW_UPDATE, 0, 1, "\0\0\0\1\0", 5, SIZE},
    {"WINDOW_UPDATE of nothing", WINDOW_UPDATE, 0, 0, "\0\0\0\0", 4, PROTOCOL},
    {"WINDOW_UPDATE of nothing for a stream", WINDOW_UPDATE, 0, 1, "\0\0\0\0", 4, ALIVE,
     HTTP2_ERROR_PROTOCOL},
    {"WINDOW_UPDATE for an idle stream", WINDOW_UPDATE, 0, 5, "\0\0\0\1", 4, PROTOCOL},
    {"WINDOW_UPDATE to the most", WINDOW_UPDATE, 0, 0, "\x7f\xff\0\0", 4, FINE},
    {"WINDOW_UPDATE above the most", WINDOW_UPDATE, 0, 0, "\x7f\xff\0\1", 4, FLOW},
    {"WINDOW_UPDATE of a stream to the most", WINDOW_UPDATE, 0, 1, "\x7f\xff\0\0", 4, FINE},
    {"WINDOW_UPDATE of a stream above the most", WINDOW_UPDATE, 0, 1, "\x7f\xff\0\1", 4, ALIVE,
     HTTP2_ERROR_FLOW_CONTROL},
    {"WINDOW_UPDATE with the reserved bit", WINDOW_UPDATE, 0, 0, "\x80\0\0\1", 4, FINE},
    {"a frame that nobody knows", 77, 0xff, 1, "what?", 5, FINE},
};

static void each_wrong_frame_ends_what_it_is_wrong_for(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Side server = {0};
        Script script;
        begin_with_a_request(&server, &script);
        frame(&script, rows[i].type, rows[i].flags, rows[i].id,
              bytes(rows[i].payload, rows[i].size));
        expect_row(&rows[i], &server, &script);
        side_end(&server);
    }
}

/* RFC 9113 section 4.3: nothing may come between the frames of a head. */
static void the_frames_of_a_head_follow_one_another(void **state)
{
    static const Row between[] = {
        {"PING", PING, 0, 0, "12345678", 8, PROTOCOL},
        {"DATA", DATA, 0, 1, "a", 1, PROTOCOL},
        {"HEADERS", HEADERS, END_HEADERS, 7, "\x82", 1, PROTOCOL},
        {"CONTINUATION of another", CONTINUATION, END_HEADERS, 1, "", 0, PROTOCOL},
        {"unknown", 77, 0, 0, "", 0, PROTOCOL},
        {"CONTINUATION", CONTINUATION, END_HEADERS, 5, "", 0, FINE},
    };
    for (size_t i = 0; i < sizeof between / sizeof *between; i++) {
        Side server = {0};
        Script script;
        begin_with_a_request(&server, &script);
        frame(&script, HEADERS, 0, 5, block(server.arena, REQUEST));
        frame(&script, between[i].type, between[i].flags, between[i].id,
              bytes(between[i].payload, between[i].size));
        expect_row(&between[i], &server, &script);
        side_end(&server);
    }
}

static void frames_of_16384_bytes_are_the_largest(void **state)
{
    static const uint8_t payload[16386];
    for (uint32_t extra = 0; extra < 2; extra++) {
        static const uint8_t types[] = {DATA, SETTINGS, 77};
        for (size_t i = 0; i < sizeof types; i++) {
            Side server = {0};
            Script script;
            begin_with_a_request(&server, &script);
            size_t size = types[i] == SETTINGS ? 16380 + 6 * extra : 16384 + extra;
            frame(&script, types[i], 0, types[i] == DATA ? 1 : 0, bytes(payload, size));
            assert_int_equal(failed(script_feed(&script, &server, 1)), extra);
            if (extra)
                expect_goaway(&server, HTTP2_ERROR_FRAME_SIZE);
            side_end(&server);
        }
    }
}

static void the_first_frame_is_settings(void **state)
{
    static const struct {
        uint8_t type, flags;
        bool good;
    } first[] = {{SETTINGS, 0, true}, {SETTINGS, ACK, false}, {PING, 0, false}, {77, 0, false}};
    for (int client = 0; client < 2; client++) {
        for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
            Side side = {0};
            side_begin(&side, client ? http2_client_new : http2_server_new, NULL);
            Script script = script_in(side.arena, !client);
            script.text.size = client ? 0 : strlen(HTTP2_PREFACE);
            frame(&script, first[i].type, first[i].flags, 0,
                  first[i].type == PING ? bytes_of("12345678") : BYTES_NONE);
            assert_int_equal(!failed(script_feed(&script, &side, 1)), first[i].good);
            side_end(&side);
        }
    }
}

/* A server of another protocol answers, which is no mistake in a frame. */
static void what_is_no_http2_at_all_is_told_as_that(void **state)
{
    static const char *const greetings[][2] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", "the instance answers in HTTP/1.1"},
        {"HTTP/1.0 505 No\r\n\r\n", "the instance answers in HTTP/1.1"},
        {"<!DOCTYPE HTML>\n<html>", "the instance answers with a text"},
    };
    for (size_t i = 0; i < sizeof greetings / sizeof *greetings; i++)
        for (size_t at = 0; at < 9; at++) {
            Side client = {.releases = true};
            side_begin(&client, http2_client_new, NULL);
            Bytes all = bytes_of(greetings[i][0]);
            assert_ok(client.arena, side_feed(&client, bytes_slice(all, 0, at)));
            Result r = side_feed(&client, bytes_slice(all, at, all.size));
            assert_true(failed(r));
            assert_non_null(strstr(error_text(client.arena, r), greetings[i][1]));
            side_end(&client);
        }
}

static void settings_are_acknowledged_once_only(void **state)
{
    Side server = {0};
    side_begin(&server, http2_server_new, NULL);
    Script script = script_in(server.arena, true);
    frame(&script, SETTINGS, ACK, 0, BYTES_NONE);
    assert_ok(server.arena, script_feed(&script, &server, 1));
    frame(&script, SETTINGS, ACK, 0, BYTES_NONE);
    assert_fault(script_feed(&script, &server, 1), FAULT_PROTOCOL_VIOLATION);
    expect_goaway(&server, HTTP2_ERROR_PROTOCOL);
    side_end(&server);
}

/* ---- Flow control ---------------------------------------------------------------------------- */

static void send_zeros(Script *script, uint32_t id, size_t size)
{
    static const uint8_t zeros[16384];
    while (size) {
        size_t piece = size < sizeof zeros ? size : sizeof zeros;
        frame(script, DATA, 0, id, bytes(zeros, piece));
        size -= piece;
    }
}

static void a_peer_sends_no_more_than_the_windows_admit(void **state)
{
    for (int which = 0; which < 2; which++) {
        for (uint32_t extra = 0; extra < 2; extra++) {
            HttpLimits limits = http_limits_default;
            limits.stream_window = which ? 200000 : 100000;
            limits.connection_window = which ? 100000 : 200000;
            Side server = {.keeps = true};
            side_begin(&server, http2_server_new, &limits);
            Script script = script_in(server.arena, true);
            frame(&script, SETTINGS, ACK, 0, BYTES_NONE);
            request(&script, 1, 0, REQUEST);
            send_zeros(&script, 1, 100000 + extra);
            assert_int_equal(failed(script_feed(&script, &server, 1)), which && extra);
            if (which && extra)
                expect_goaway(&server, HTTP2_ERROR_FLOW_CONTROL);
            else if (extra)
                expect_reset(&server, 1, HTTP2_ERROR_FLOW_CONTROL);
            else
                assert_null(find_frame(buffer_bytes(&server.wire), RST_STREAM, 1));
            side_end(&server);
        }
    }
}

/* Until the peer has acknowledged our settings it may send what everybody may. */
static void our_window_counts_from_its_acknowledgement(void **state)
{
    for (int acknowledged = 0; acknowledged < 2; acknowledged++) {
        HttpLimits limits = http_limits_default;
        limits.stream_window = 1000;
        Side server = {.keeps = true};
        side_begin(&server, http2_server_new, &limits);
        Script script = script_in(server.arena, true);
        if (acknowledged)
            frame(&script, SETTINGS, ACK, 0, BYTES_NONE);
        request(&script, 1, 0, REQUEST);
        send_zeros(&script, 1, 1001);
        assert_ok(server.arena, script_feed(&script, &server, 1));
        const uint8_t *reset = find_frame(buffer_bytes(&server.wire), RST_STREAM, 1);
        assert_int_equal(reset != NULL, acknowledged);
        side_end(&server);
    }
}

static size_t sent_on(Bytes wire, uint32_t id)
{
    size_t size = 0;
    while (wire.size >= 9) {
        size_t payload = (size_t)wire.data[0] << 16 | (size_t)wire.data[1] << 8 | wire.data[2];
        if (wire.data[3] == DATA && number_at(wire.data + 5) == id)
            size += payload;
        wire = bytes_slice(wire, 9 + payload, SIZE_MAX);
    }
    return size;
}

static void set_window(Script *script, uint32_t size)
{
    const uint8_t setting[6] = {
        0, 4, (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
    frame(script, SETTINGS, 0, 0, bytes(setting, sizeof setting));
}

/* RFC 9113 section 6.9.2: a window may become negative; then it has to grow above zero first. */
static void a_window_that_became_negative_is_waited_for(void **state)
{
    static const uint8_t body[100000];
    Side server = {0};
    side_begin(&server, http2_server_new, NULL);
    Script script = script_in(server.arena, true);
    window_update(&script, 0, 1 << 20);
    request(&script, 1, END_STREAM, REQUEST);
    assert_ok(server.arena, script_feed(&script, &server, 1));
    side_send_head(&server, server.stream, 200, "", -1, false);
    http_stream_send_body(server.stream, bytes(body, sizeof body));
    side_forget(&server);
    side_take_output(&server);
    /* The head is compressed, but a frame all the same. */
    assert_int_equal(sent_on(buffer_bytes(&server.wire), 1), 65535);
    set_window(&script, 10);          /* 65525 below zero */
    window_update(&script, 1, 65525); /* zero */
    assert_ok(server.arena, script_feed(&script, &server, 1));
    assert_int_equal(sent_on(buffer_bytes(&server.wire), 1), 65535);
    window_update(&script, 1, 7);
    assert_ok(server.arena, script_feed(&script, &server, 1));
    assert_int_equal(sent_on(buffer_bytes(&server.wire), 1), 65535 + 7);
    set_window(&script, 110);
    assert_ok(server.arena, script_feed(&script, &server, 1));
    assert_int_equal(sent_on(buffer_bytes(&server.wire), 1), 65535 + 7 + 100);
    side_end(&server);
}

static void a_setting_that_makes_a_window_too_large_is_an_error(void **state)
{
    for (uint32_t extra = 0; extra < 2; extra++) {
        Side server = {0};
        Script script;
        begin_with_a_request(&server, &script);
        window_update(&script, 1, 1000);
        set_window(&script, 0x7fffffff - 1000 + extra);
        assert_int_equal(failed(script_feed(&script, &server, 1)), extra);
        if (extra)
            expect_goaway(&server, HTTP2_ERROR_FLOW_CONTROL);
        side_end(&server);
    }
}

/* What needs no window goes out though the connection has none left. */
static void an_end_waits_for_no_window(void **state)
{
    static const uint8_t body[70000];
    Side server = {0};
    side_begin(&server, http2_server_new, NULL);
    Script script = script_in(server.arena, true);
    set_window(&script, 1 << 20);
    request(&script, 1, END_STREAM, REQUEST);
    request(&script, 3, END_STREAM, REQUEST);
    assert_ok(server.arena, script_feed(&script, &server, 1));
    HttpStream *first = server.former[0], *second = server.stream;
    side_send_head(&server, first, 200, "", -1, false);
    side_send_head(&server, second, 200, "", -1, false);
    http_stream_send_body(first, bytes(body, sizeof body));
    side_take_output(&server);
    side_forget(&server);
    http_stream_send_end(second, NULL);
    side_take_output(&server);
    const uint8_t *end = find_frame(buffer_bytes(&server.wire), DATA, 3);
    assert_true(end && end[4] == END_STREAM);
    assert_null(find_frame(buffer_bytes(&server.wire), DATA, 1));
    assert_true(http_connection_held_up(server.connection));
    side_end(&server);
}

static void streams_take_turns(void **state)
{
    enum { STREAMS = 4, FRAME = 16384 };
    static const uint8_t body[10 * FRAME];
    Side server = {0};
    side_begin(&server, http2_server_new, NULL);
    Script script = script_in(server.arena, true);
    set_window(&script, 1 << 20);
    window_update(&script, 0, 1 << 20);
    for (uint32_t i = 0; i < STREAMS; i++)
        request(&script, 2 * i + 1, END_STREAM, REQUEST);
    assert_ok(server.arena, script_feed(&script, &server, 1));
    side_forget(&server);
    for (uint32_t i = 0; i < STREAMS; i++) {
        HttpStream *stream = i < STREAMS - 1 ? server.former[i] : server.stream;
        side_send_head(&server, stream, 200, "", -1, false);
        http_stream_send_body(stream, bytes(body, sizeof body));
    }
    side_take_output(&server);
    Bytes wire = buffer_bytes(&server.wire);
    uint32_t expected = 0;
    while (wire.size >= 9) {
        size_t payload = (size_t)wire.data[0] << 16 | (size_t)wire.data[1] << 8 | wire.data[2];
        if (wire.data[3] == DATA)
            assert_int_equal(number_at(wire.data + 5), 2 * (expected++ % STREAMS) + 1);
        wire = bytes_slice(wire, 9 + payload, SIZE_MAX);
    }
    assert_int_equal(expected, STREAMS * 10);
    side_end(&server);
}

/* ---- Heads ----------------------------------------------------------------------------------- */

static void requests_that_look_odd_are_taken(void **state)
{
    static const char *const odd[] = {
        ":method: OPTIONS\n:scheme: http\n:authority: a\n:path: *\n",
        ":method: GET\n:scheme: http\n:path: /\nhost: a\n",
        ":path: /\n:authority: a\n:scheme: git+ssh\n:method: GET\n",
        REQUEST "te: trailers\n",
        REQUEST "te: Trailers\n",
        REQUEST "content-length: 0\n",
        REQUEST "x: \n",
        REQUEST "x: a\tb\n",
        REQUEST "x!#$%&'*+-.^_`|~: 1\n",
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        Side server = {0};
        side_begin(&server, http2_server_new, NULL);
        Script script = script_in(server.arena, true);
        request(&script, 1, END_STREAM, odd[i]);
        assert_ok(server.arena, script_feed(&script, &server, 1));
        if (!strstr(side_log(&server), "request "))
            fail_msg("%s is refused", odd[i]);
        side_end(&server);
    }
}

static void more_requests_are_malformed(void **state)
{
    static const char *const malformed[] = {
        ":method: GET\n:scheme: http\n:authority: a\n:path: *\n",
        ":method: GET\n:scheme: \n:authority: a\n:path: /\n",
        ":method: GET\n:scheme: 1http\n:authority: a\n:path: /\n",
        ":method: \n:scheme: http\n:authority: a\n:path: /\n",
        ":method: GET\n:scheme: http\n:authority: \n:path: /\n",
        ":method: GET\n:scheme: http\n:path: /\n", /* for no host */
        ":method: CONNECT\n:scheme: http\n:authority: a:1\n:path: /\n",
        ":method: CONNECT\n",
        REQUEST ":method: GET\n",
        REQUEST ":authority: a\n",
        REQUEST ":scheme: http\n",
        REQUEST "host: a\nhost: a\n",
        REQUEST "keep-alive: 1\n",
        REQUEST "proxy-connection: 1\n",
        REQUEST "upgrade: h2c\n",
        REQUEST "x: a \n",
        REQUEST "content-length: -1\n",
        REQUEST "content-length: 99999999999999999999\n",
        REQUEST "content-length: \n",
        REQUEST "content-length: 0\ncontent-length: 0\n",
    };
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        Side server = {0};
        side_begin(&server, http2_server_new, NULL);
        Script script = script_in(server.arena, true);
        request(&script, 1, END_STREAM, malformed[i]);
        assert_ok(server.arena, script_feed(&script, &server, 1));
        if (!find_frame(buffer_bytes(&server.wire), RST_STREAM, 1))
            fail_msg("%s is taken", malformed[i]);
        expect_reset(&server, 1, HTTP2_ERROR_PROTOCOL);
        assert_string_equal(side_log(&server), "");
        side_end(&server);
    }
}

/* What is refused is decoded all the same: the state of compression belongs to the connection. */
static void a_table_is_kept_through_what_is_refused(void **state)
{
    for (int how = 0; how < 3; how++) {
        HttpLimits limits = http_limits_default;
        limits.streams = how == 1 ? 1 : 100;
        Side server = {0};
        side_begin(&server, http2_server_new, &limits);
        Script script = script_in(server.arena, true);
        request(&script, 1, 0, REQUEST);
        uint32_t id = how == 2 ? 1 : 3; /* malformed; too many; for nobody */
        if (how == 2)
            frame(&script, WINDOW_UPDATE, 0, 1, bytes("\0\0\0\0", 4));
        Buffer text = buffer_in(server.arena);
        buffer_add_bytes(&text, block(server.arena, how ? "a: b\n" : "X: y\n"));
        buffer_add(&text, "\x40\4name\5value", 12);
        frame(&script, HEADERS, END_HEADERS | END_STREAM, id, buffer_bytes(&text));
        if (how == 1)
            frame(&script, RST_STREAM, 0, 1, bytes("\0\0\0\10", 4));
        text.size = 0;
        buffer_add_bytes(&text, block(server.arena, REQUEST));
        buffer_add_byte(&text, 0xbe);
        frame(&script, HEADERS, END_HEADERS | END_STREAM, 5, buffer_bytes(&text));
        assert_ok(server.arena, script_feed(&script, &server, 1));
        assert_true(bytes_end_with(bytes_of(side_log(&server)),
                                   "request POST http://a / end\n  name: value\nend\n"));
        side_end(&server);
    }
}

/* ---- Answers --------------------------------------------------------------------------------- */

typedef struct Answer {
    const char *method;
    uint8_t flags;
    const char *lines, *body; /* body NULL: none */
    const char *log;
} Answer;

static void answers_are_as_long_as_they_say(void **state)
{
    static const Answer answers[] = {
        {"GET", END_STREAM, ":status: 200\ncontent-length: 0\n", NULL,
         "answer 200 length 0 end\nend\n"},
        {"GET", END_STREAM, ":status: 200\ncontent-length: 1\n", NULL, "reset UPSTREAM_PROTOCOL\n"},
        {"HEAD", END_STREAM, ":status: 200\ncontent-length: 1\n", NULL,
         "answer 200 length 1 end\nend\n"},
        {"HEAD", 0, ":status: 200\ncontent-length: 1\n", "a",
         "answer 200 length 1\nreset UPSTREAM_PROTOCOL\n"},
        {"GET", 0, ":status: 200\ncontent-length: 1\n", "a", "answer 200 length 1\nbody a\nend\n"},
        {"GET", 0, ":status: 200\ncontent-length: 1\n", "ab",
         "answer 200 length 1\nreset UPSTREAM_PROTOCOL\n"},
        {"GET", 0, ":status: 200\ncontent-length: 2\n", "a",
         "answer 200 length 2\nbody a\nreset UPSTREAM_PROTOCOL\n"},
        {"GET", END_STREAM, ":status: 304\ncontent-length: 5\n", NULL,
         "answer 304 length 5 end\nend\n"},
        {"GET", END_STREAM, ":status: 204\ncontent-length: 0\n", NULL, "answer 204 end\nend\n"},
        {"GET", END_STREAM, ":status: 204\ncontent-length: 1\n", NULL, "reset UPSTREAM_PROTOCOL\n"},
        {"GET", 0, ":status: 204\n", "a", "answer 204\nreset UPSTREAM_PROTOCOL\n"},
        {"GET", END_STREAM, ":status: 103\n", NULL, "reset UPSTREAM_PROTOCOL\n"},
        {"GET", 0, ":status: 103\ncontent-length: 0\n", NULL, "reset UPSTREAM_PROTOCOL\n"},
        {"GET", 0, ":status: 103\n", "a", "interim 103\nreset UPSTREAM_PROTOCOL\n"},
        {"GET", END_STREAM, ":status: 099\n", NULL, "reset UPSTREAM_PROTOCOL\n"},
        {"GET", END_STREAM, ":status: 2000\n", NULL, "reset UPSTREAM_PROTOCOL\n"},
        {"GET", END_STREAM, ":status: 20x\n", NULL, "reset UPSTREAM_PROTOCOL\n"},
        {"GET", END_STREAM, ":status: 200\n:status: 200\n", NULL, "reset UPSTREAM_PROTOCOL\n"},
        {"GET", END_STREAM, ":status: 999\n", NULL, "answer 999 end\nend\n"},
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        Side client = {.releases = true};
        side_begin(&client, http2_client_new, NULL);
        side_open(&client, answers[i].method, "/", "", -1, true);
        side_take_output(&client);
        Script script = script_in(client.arena, false);
        request(&script, 1, answers[i].flags, answers[i].lines);
        if (answers[i].body)
            frame(&script, DATA, END_STREAM, 1, bytes_of(answers[i].body));
        assert_ok(client.arena, script_feed(&script, &client, 1));
        if (strcmp(side_log(&client), answers[i].log) != 0)
            fail_msg("row %zu: %s", i, side_log(&client));
        side_end(&client);
    }
}

static void an_instance_that_breaks_the_rules_ends_its_connection(void **state)
{
    static const Row wrong[] = {
        {"HEADERS for a stream that is not open", HEADERS, END_HEADERS, 3, "\x88", 1, PROTOCOL},
        {"HEADERS for an even stream", HEADERS, END_HEADERS, 2, "\x88", 1, PROTOCOL},
        {"DATA for a stream that is not open", DATA, 0, 3, "a", 1, PROTOCOL},
        {"ENABLE_PUSH of 1", SETTINGS, 0, 0, "\0\2\0\0\0\1", 6, PROTOCOL},
        {"ENABLE_PUSH of 0", SETTINGS, 0, 0, "\0\2\0\0\0\0", 6, FINE},
        {"RST_STREAM for a stream that is not open", RST_STREAM, 0, 3, "\0\0\0\0", 4, PROTOCOL},
        {"WINDOW_UPDATE for a stream that is not open", WINDOW_UPDATE, 0, 3, "\0\0\0\1", 4,
         PROTOCOL},
        {"DATA before HEADERS", DATA, 0, 1, "a", 1, ALIVE, HTTP2_ERROR_PROTOCOL},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        Side client = {.releases = true};
        side_begin(&client, http2_client_new, NULL);
        side_open(&client, "GET", "/", "", -1, true);
        side_take_output(&client);
        side_forget(&client);
        Script script = script_in(client.arena, false);
        frame(&script, wrong[i].type, wrong[i].flags, wrong[i].id,
              bytes(wrong[i].payload, wrong[i].size));
        expect_row(&wrong[i], &client, &script);
        side_end(&client);
    }
}

static void what_comes_for_a_call_that_we_broke_off_is_ignored(void **state)
{
    Side client = {.releases = true};
    side_begin(&client, http2_client_new, NULL);
    HttpStream *stream = side_open(&client, "GET", "/", "", -1, true);
    side_take_output(&client);
    side_release(&client, stream);
    Script script = script_in(client.arena, false);
    request(&script, 1, 0, ":status: 200\n");
    send_zeros(&script, 1, 100000); /* and its window is given back */
    request(&script, 1, END_STREAM, "t: 1\n");
    frame(&script, RST_STREAM, 0, 1, bytes("\0\0\0\0", 4));
    window_update(&script, 1, 1);
    assert_ok(client.arena, script_feed(&script, &client, 1));
    assert_null(find_frame(buffer_bytes(&client.wire), GOAWAY, 0));
    side_end(&client);
}

/* Table sizes, pings and large frames of ours are of no use to a peer that asked for others. */
static void our_frames_are_never_larger_than_everybody_takes(void **state)
{
    static const uint8_t body[100000];
    Side server = {0};
    side_begin(&server, http2_server_new, NULL);
    Script script = script_in(server.arena, true);
    set_window(&script, 1 << 20);
    frame(&script, SETTINGS, 0, 0, bytes("\0\5\0\xff\xff\xff", 6));
    request(&script, 1, END_STREAM, REQUEST);
    assert_ok(server.arena, script_feed(&script, &server, 1));
    side_forget(&server);
    Buffer lines = buffer_in(server.arena);
    for (int i = 0; i < 100; i++)
        buffer_printf(&lines, "x-%d: %0400d\n", i, i);
    buffer_add_byte(&lines, 0);
    side_send_head(&server, server.stream, 200, (const char *)lines.data, -1, false);
    http_stream_send_body(server.stream, bytes(body, 60000));
    side_take_output(&server);
    Bytes wire = buffer_bytes(&server.wire);
    int n = 0;
    while (wire.size >= 9) {
        size_t payload = (size_t)wire.data[0] << 16 | (size_t)wire.data[1] << 8 | wire.data[2];
        assert_true(payload <= 16384);
        n += wire.data[3] == CONTINUATION;
        wire = bytes_slice(wire, 9 + payload, SIZE_MAX);
    }
    assert_true(n > 0);
    side_end(&server);
}

/* ---- Acknowledgements that nobody takes ------------------------------------------------------ */

static void an_instance_that_only_pings_and_reads_nothing_is_cut_off(void **state)
{
    static const uint8_t body[512 * 1024];
    HttpLimits limits = http_limits_default;
    limits.queue_high = 1 << 20;
    Side client = {0};
    side_begin(&client, http2_client_new, &limits);
    Script script = script_in(client.arena, false);
    set_window(&script, 1 << 20);
    window_update(&script, 0, 1 << 20);
    assert_ok(client.arena, script_feed(&script, &client, 1));
    HttpStream *stream = side_open(&client, "POST", "/", "", -1, false);
    http_stream_send_body(stream, bytes(body, sizeof body));
    Result r = OK;
    int n = 0;
    for (; n < 10000 && !failed(r); n++) { /* one in each millisecond: the costs are paid */
        frame(&script, PING, 0, 0, bytes_of("12345678"));
        r = http_connection_feed(client.connection, buffer_bytes(&script.text),
                                 (int64_t)n * 1000000);
        script.text.size = 0;
    }
    assert_fault(r, FAULT_UPSTREAM_PROTOCOL);
    assert_in_range(n, 4000, 4003);
    side_end(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_wrong_frame_ends_what_it_is_wrong_for),
        cmocka_unit_test(the_frames_of_a_head_follow_one_another),
        cmocka_unit_test(frames_of_16384_bytes_are_the_largest),
        cmocka_unit_test(the_first_frame_is_settings),
        cmocka_unit_test(what_is_no_http2_at_all_is_told_as_that),
        cmocka_unit_test(settings_are_acknowledged_once_only),
        cmocka_unit_test(a_peer_sends_no_more_than_the_windows_admit),
        cmocka_unit_test(our_window_counts_from_its_acknowledgement),
        cmocka_unit_test(a_window_that_became_negative_is_waited_for),
        cmocka_unit_test(a_setting_that_makes_a_window_too_large_is_an_error),
        cmocka_unit_test(an_end_waits_for_no_window),
        cmocka_unit_test(streams_take_turns),
        cmocka_unit_test(requests_that_look_odd_are_taken),
        cmocka_unit_test(more_requests_are_malformed),
        cmocka_unit_test(a_table_is_kept_through_what_is_refused),
        cmocka_unit_test(answers_are_as_long_as_they_say),
        cmocka_unit_test(an_instance_that_breaks_the_rules_ends_its_connection),
        cmocka_unit_test(what_comes_for_a_call_that_we_broke_off_is_ignored),
        cmocka_unit_test(our_frames_are_never_larger_than_everybody_takes),
        cmocka_unit_test(an_instance_that_only_pings_and_reads_nothing_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
