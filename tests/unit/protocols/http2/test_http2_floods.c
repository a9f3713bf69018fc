/* What ordinary peers send is never taken for a flood, and what is one never for ordinary: each
   price at both sides. */
#include "tests/unit/protocols/http2/http2_script.h"

#include "base/clock.h"
#include "protocols/http2/http2.h"

enum {
    CONTROLS = 4000, /* by default, at one instant */
    RESETS = 2000,
    PADDED = 8,
    MIB = 1 << 20,
};

#define INSTANT 1
#define PIECE 256 /* bytes: the smallest return that costs nothing */

/* The peer of one connection, played by hand. A client opens stream 1; towards an instance we have
   opened it. */
typedef struct Peer {
    Side side; /* ours */
    Script script;
    HttpStream *stream; /* stream 1, which is open and sends */
} Peer;

static void let_be(Side *side, HttpStream *stream, const HttpHead *head)
{
    side->stream = NULL; /* it hears of its end all the same */
}

/* A peer that takes much at once: `window` per stream, and as much as there can be in all. */
static void peer_begin(Peer *peer, bool instance, uint32_t window)
{
    HttpLimits limits = http_limits_default;
    limits.streams = 1 << 20;
    *peer = (Peer){.side = {.releases = true}};
    side_begin(&peer->side, instance ? http2_client_new : http2_server_new, &limits);
    peer->script = script_in(peer->side.arena, !instance);
    const uint8_t setting[6] = {0,
                                4,
                                (uint8_t)(window >> 24),
                                (uint8_t)(window >> 16),
                                (uint8_t)(window >> 8),
                                (uint8_t)window};
    frame(&peer->script, SETTINGS, 0, 0, bytes(setting, sizeof setting));
    window_update(&peer->script, 0, 1 << 30);
    if (!instance)
        request(&peer->script, 1, 0, REQUEST);
    assert_ok(peer->side.arena, script_feed(&peer->script, &peer->side, INSTANT));
    if (instance) {
        peer->stream = side_open(&peer->side, "POST", "/", "", -1, false);
    } else {
        peer->stream = peer->side.stream;
        side_send_head(&peer->side, peer->stream, 200, "", -1, false);
        peer->side.on_head = let_be; /* for those that follow */
        peer->side.stream = NULL;
    }
    side_take_output(&peer->side);
    side_forget(&peer->side);
}

/* Stream 1 is released at its end, if not by the test. */
static void peer_end(Peer *peer)
{
    side_end(&peer->side);
}

static void send_bytes(Peer *peer, size_t size)
{
    static const uint8_t piece[16384];
    for (size_t n; size; size -= n) {
        n = size < sizeof piece ? size : sizeof piece;
        http_stream_send_body(peer->stream, bytes(piece, n));
    }
    side_take_output(&peer->side);
    side_forget(&peer->side);
}

static void take_frames(Peer *peer)
{
    assert_ok(peer->side.arena, script_feed(&peer->script, &peer->side, INSTANT));
    side_forget(&peer->side);
}

typedef void Sends(Peer *peer, uint32_t i);

/* How many times the peer can send it before the connection is cut, at most `most`. */
static uint32_t afforded(Peer *peer, Sends *sends, uint32_t most, int64_t now)
{
    for (uint32_t i = 0; i < most; i++) {
        sends(peer, i);
        Result r = script_feed(&peer->script, &peer->side, now);
        if (failed(r)) {
            expect_goaway(&peer->side, HTTP2_ERROR_ENHANCE_YOUR_CALM);
            return i;
        }
        side_forget(&peer->side);
    }
    return most;
}

static void ping(Peer *peer, uint32_t i)
{
    frame(&peer->script, PING, 0, 0, bytes_of("12345678"));
}

/* ---- What was sent, and comes back ----------------------------------------------------------- */

static void return_bytes(Peer *peer, size_t size, uint32_t piece)
{
    for (size_t at = 0; at < size; at += piece) {
        window_update(&peer->script, 0, piece);
        window_update(&peer->script, 1, piece);
        take_frames(peer);
    }
}

static void bytes_sent_may_come_back_in_pieces_on_both_levels_at_once(void **state)
{
    for (int instance = 0; instance < 2; instance++) {
        for (uint32_t piece = 256; piece <= 16384; piece *= 64) {
            Peer peer;
            peer_begin(&peer, instance, 64 * MIB);
            send_bytes(&peer, 16 * MIB); /* all is out before the first byte comes back */
            return_bytes(&peer, 16 * MIB, piece);
            assert_int_equal(afforded(&peer, ping, 2 * CONTROLS, INSTANT), CONTROLS);
            peer_end(&peer);
        }
    }
}

static void return_on_connection(Peer *peer, uint32_t i)
{
    window_update(&peer->script, 0, 256);
}

static void return_on_stream(Peer *peer, uint32_t i)
{
    window_update(&peer->script, 1, 256);
}

static void return_too_small(Peer *peer, uint32_t i)
{
    window_update(&peer->script, 0, 255);
}

static void return_single_byte(Peer *peer, uint32_t i)
{
    window_update(&peer->script, i % 2, 1);
}

static void return_nothing(Peer *peer, uint32_t i)
{
    frame(&peer->script, WINDOW_UPDATE, 0, 99, bytes("\0\0\0\0", 4));
}

static void bytes_come_back_once(void **state)
{
    static Sends *const returns[] = {return_on_connection, return_on_stream};
    for (int i = 0; i < 4; i++) {
        Peer peer;
        peer_begin(&peer, i / 2, 64 * MIB);
        send_bytes(&peer, 8 * MIB);
        uint32_t free = 8 * MIB / 256;
        assert_int_equal(afforded(&peer, returns[i % 2], 2 * free, INSTANT), free + CONTROLS);
        peer_end(&peer);
    }
}

static void bytes_of_any_stream_come_back_once_for_it_and_once_for_the_connection(void **state)
{
    Http2Watch watch;
    http2_watch_init(&watch, &http_limits_default);
    http2_watch_sent(&watch, 10000 * PIECE, true, INSTANT);
    for (uint32_t stream = 1; stream < 20000; stream += 2) {
        assert_true(http2_watch_window_update(&watch, stream, PIECE, INSTANT));
        assert_true(http2_watch_window_update(&watch, 0, PIECE, INSTANT));
    }
}

static void pieces_without_measure_are_counted(void **state)
{
    static Sends *const returns[] = {return_too_small, return_single_byte};
    for (int i = 0; i < 4; i++) {
        Peer peer;
        peer_begin(&peer, i / 2, 64 * MIB);
        send_bytes(&peer, 32 * MIB);
        assert_int_equal(afforded(&peer, returns[i % 2], 20000, INSTANT), CONTROLS);
        peer_end(&peer);
    }
}

/* Times the seconds of a burst this is more than 32 bits hold. */
static void the_highest_limits_are_no_limits_of_nothing(void **state)
{
    HttpLimits limits = http_limits_default;
    limits.control_frames = limits.resets_per_second = 1u << 30;
    Http2Watch watch;
    http2_watch_init(&watch, &limits);
    assert_true(http2_watch_control(&watch, INSTANT));
    assert_true(http2_watch_reset(&watch, INSTANT, INSTANT));
    assert_int_equal(http2_in_seconds(1u << 30, 4), UINT32_MAX);
    assert_int_equal(http2_in_seconds((1u << 30) - 1, 4), UINT32_MAX - 3);
}

static void a_window_that_grows_by_nothing_is_an_error(void **state)
{
    Peer peer;
    peer_begin(&peer, false, 64 * MIB);
    send_bytes(&peer, MIB);
    return_nothing(&peer, 0);
    assert_fault(script_feed(&peer.script, &peer.side, INSTANT), FAULT_PROTOCOL_VIOLATION);
    expect_goaway(&peer.side, HTTP2_ERROR_PROTOCOL);
    peer_end(&peer);
}

static void what_a_stream_that_has_ended_was_sent_may_still_come_back(void **state)
{
    Peer peer;
    peer_begin(&peer, false, 64 * MIB);
    send_bytes(&peer, 16 * MIB);
    http_stream_send_end(peer.stream, NULL);
    frame(&peer.script, DATA, END_STREAM, 1, BYTES_NONE);
    take_frames(&peer);
    assert_int_equal(http_connection_streams(peer.side.connection), 0);
    return_bytes(&peer, 16 * MIB, 1024);
    assert_int_equal(afforded(&peer, ping, 2 * CONTROLS, INSTANT), CONTROLS);
    peer_end(&peer);
}

static void every_split_of_a_window_update_is_understood(void **state)
{
    for (size_t at = 1; at < 13; at++) {
        Peer peer;
        peer_begin(&peer, false, 64 * MIB);
        send_bytes(&peer, 16 * MIB);
        for (uint32_t i = 0; i < 2 * CONTROLS; i++) {
            Script whole = {buffer_in(peer.side.arena)};
            window_update(&whole, i % 2, 1000);
            Bytes text = buffer_bytes(&whole.text);
            buffer_add_bytes(&peer.script.text, bytes_slice(text, 0, at));
            take_frames(&peer);
            buffer_add_bytes(&peer.script.text, bytes_slice(text, at, SIZE_MAX));
            take_frames(&peer);
        }
        peer_end(&peer);
    }
}

/* ---- What is sent pays for what comes with it ------------------------------------------------ */

/* A stream of small messages, each in a frame of its own, with a peer that returns and measures
   each. */
static void a_small_message_pays_for_its_return_and_a_ping(void **state)
{
    for (int instance = 0; instance < 2; instance++) {
        for (int extra = 0; extra < 2; extra++) {
            Peer peer;
            peer_begin(&peer, instance, 64 * MIB);
            Result r = OK;
            for (uint32_t i = 0; i < 2 * CONTROLS && !failed(r); i++) {
                send_bytes(&peer, 10);
                window_update(&peer.script, 0, 10);
                window_update(&peer.script, 1, 10);
                for (int pings = 0; pings < 2 + extra; pings++)
                    ping(&peer, i);
                r = script_feed(&peer.script, &peer.side, INSTANT);
                side_forget(&peer.side);
            }
            assert_int_equal(failed(r), extra);
            peer_end(&peer);
        }
    }
}

/* Much is to be sent, and the peer's window lets it out by `size` bytes at a time. */
static bool dribbles(bool instance, uint32_t size)
{
    Peer peer;
    Result r = OK;
    peer_begin(&peer, instance, size);
    send_bytes(&peer, 16 * MIB);
    for (uint32_t i = 0; i < 2 * CONTROLS && !failed(r); i++) {
        window_update(&peer.script, 1, size);
        r = script_feed(&peer.script, &peer.side, INSTANT);
        side_forget(&peer.side);
    }
    peer_end(&peer);
    return !failed(r);
}

static void a_window_opened_by_bits_pays_for_nothing(void **state)
{
    for (int instance = 0; instance < 2; instance++) {
        assert_false(dribbles(instance, 1));
        assert_false(dribbles(instance, 255));
        assert_true(dribbles(instance, 256));
    }
}

static void nothing_is_saved_up(void **state)
{
    Peer peer;
    peer_begin(&peer, false, 64 * MIB);
    send_bytes(&peer, 16 * MIB);
    for (uint32_t i = 0; i < 5000; i++)
        frame(&peer.script, DATA, 0, 1, bytes_of("x"));
    take_frames(&peer);
    assert_int_equal(afforded(&peer, ping, 2 * CONTROLS, INSTANT), CONTROLS);
    peer_end(&peer);
}

/* ---- DATA with nothing in it ----------------------------------------------------------------- */

static void send_padding(Peer *peer, uint32_t i)
{
    frame(&peer->script, DATA, PADDED, 1, bytes("\3\0\0\0", 4));
}

static void send_padded_byte(Peer *peer, uint32_t i)
{
    frame(&peer->script, DATA, PADDED, 1, bytes("\3x\0\0\0", 5));
}

static void send_byte(Peer *peer, uint32_t i)
{
    frame(&peer->script, DATA, 0, 1, bytes_of("x"));
}

static void send_empty(Peer *peer, uint32_t i)
{
    frame(&peer->script, DATA, 0, 1, BYTES_NONE);
}

static void small_data_is_of_use_and_empty_data_is_not(void **state)
{
    static const struct {
        Sends *sends;
        uint32_t n;
    } rows[] = {
        {send_byte, 20000},
        {send_padded_byte, 20000},
        {send_empty, CONTROLS},
        {send_padding, CONTROLS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Peer peer;
        peer_begin(&peer, false, 64 * MIB);
        assert_int_equal(afforded(&peer, rows[i].sends, 20000, INSTANT), rows[i].n);
        peer_end(&peer);
    }
}

/* ---- PINGs ----------------------------------------------------------------------------------- */

/* One limit counts them, not the one that nghttp2 has for acknowledgements. */
static void pings_may_come_in_one_piece(void **state)
{
    for (uint32_t extra = 0; extra < 2; extra++) {
        Peer peer;
        peer_begin(&peer, false, 64 * MIB);
        for (uint32_t i = 0; i < CONTROLS + extra; i++)
            ping(&peer, i);
        assert_int_equal(failed(script_feed(&peer.script, &peer.side, INSTANT)), extra);
        peer_end(&peer);
    }
}

/* ---- Resets ---------------------------------------------------------------------------------- */

static void open_streams(Peer *peer, uint32_t n)
{
    for (uint32_t i = 1; i <= n; i++)
        request(&peer->script, 2 * i + 1, 0, REQUEST);
}

static void reset_next(Peer *peer, uint32_t i)
{
    frame(&peer->script, RST_STREAM, 0, 2 * i + 3, bytes("\0\0\0\10", 4));
}

/* How many of `n` streams, all opened at one instant, can be reset at another. */
static uint32_t resets_afforded_at(int64_t age, uint32_t n)
{
    Peer peer;
    peer_begin(&peer, false, 64 * MIB);
    open_streams(&peer, n);
    take_frames(&peer);
    uint32_t resets = afforded(&peer, reset_next, n, INSTANT + age);
    peer_end(&peer);
    return resets;
}

static void a_reset_costs_the_less_the_longer_its_stream_was_open(void **state)
{
    assert_int_equal(resets_afforded_at(0, 3 * RESETS), RESETS);
    assert_int_equal(resets_afforded_at(500 * MICROSECOND, 6 * RESETS), 4 * RESETS);
    assert_int_equal(resets_afforded_at(1 * MILLISECOND, 12 * RESETS), 9 * RESETS);
    assert_int_equal(resets_afforded_at(30 * MILLISECOND, 20 * RESETS), 20 * RESETS);
}

/* A service is slow: `waiting` calls wait for their deadlines, and others take their places, for
   ten seconds. */
static bool survives_deadlines(uint32_t waiting, int64_t deadline)
{
    Peer peer;
    peer_begin(&peer, false, 64 * MIB);
    Result r = OK;
    open_streams(&peer, waiting);
    take_frames(&peer);
    for (uint32_t n = waiting; n < 10 * SECOND / deadline * waiting && !failed(r); n += waiting) {
        for (uint32_t i = 0; i < waiting; i++) {
            reset_next(&peer, n - waiting + i);
            request(&peer.script, 2 * (n + i) + 3, 0, REQUEST);
        }
        r = script_feed(&peer.script, &peer.side, INSTANT + n / waiting * deadline);
        side_forget(&peer.side);
    }
    peer_end(&peer);
    return !failed(r);
}

static void deadlines_are_no_flood(void **state)
{
    assert_true(survives_deadlines(250, 30 * MILLISECOND));
    assert_true(survives_deadlines(100, 5 * MILLISECOND));
    assert_true(survives_deadlines(50, 3 * MILLISECOND));
    assert_false(survives_deadlines(250, 100 * MICROSECOND));
}

static void answer_head(Side *side, HttpStream *stream, const HttpHead *head)
{
    side_send_head(side, stream, 200, "", -1, false);
    let_be(side, stream, head);
}

static void refuse(Side *side, HttpStream *stream, const HttpHead *head)
{
    side_send_head(side, stream, 200, "grpc-status: 8", -1, true);
    side_release(side, stream);
}

/* gRPC's clients reset what they have not ended when the service has: each is answered before it is
   reset. */
static void a_reset_after_the_answer_began_or_ended_costs_nothing(void **state)
{
    for (int ends = 0; ends < 2; ends++) {
        Peer peer;
        peer_begin(&peer, false, 64 * MIB);
        peer.side.on_head = ends ? refuse : answer_head;
        for (uint32_t i = 0; i < 10 * RESETS; i++) {
            request(&peer.script, 2 * i + 3, 0, REQUEST);
            take_frames(&peer);
            reset_next(&peer, i);
            take_frames(&peer);
        }
        peer_end(&peer);
    }
}

static void an_answer_that_has_not_gone_out_excuses_no_reset(void **state)
{
    for (uint32_t extra = 0; extra < 2; extra++) {
        Peer peer;
        peer_begin(&peer, false, 64 * MIB);
        peer.side.on_head = answer_head;
        for (uint32_t i = 0; i < RESETS + extra; i++) {
            request(&peer.script, 2 * i + 3, 0, REQUEST);
            reset_next(&peer, i);
        }
        assert_int_equal(failed(script_feed(&peer.script, &peer.side, INSTANT)), extra);
        peer_end(&peer);
    }
}

static void reset_first(Peer *peer, uint32_t i)
{
    frame(&peer->script, RST_STREAM, 0, 3, bytes("\0\0\0\10", 4));
}

/* A reset of a stream that has ended by itself may have been on its way; there can be no more than
   streams at once. */
static void resets_that_cross_the_end_of_their_streams_cost_nothing(void **state)
{
    enum { STREAMS = 20000 };
    for (uint32_t by_peer = 0; by_peer < 2; by_peer++) {
        Peer peer;
        peer_begin(&peer, false, 64 * MIB);
        peer.side.connection->limits.streams = STREAMS;
        peer.side.on_head = by_peer ? let_be : refuse;
        for (uint32_t i = 0; i < (by_peer ? 1 : STREAMS + 100); i++) {
            request(&peer.script, 2 * i + 3, END_STREAM, REQUEST);
            take_frames(&peer);
        }
        if (by_peer) {
            reset_first(&peer, 0);
            take_frames(&peer);
        }
        assert_int_equal(afforded(&peer, reset_first, 2 * STREAMS, INSTANT),
                         (by_peer ? 0 : STREAMS) + CONTROLS);
        peer_end(&peer);
    }
}

/* grpc-java's message may come behind the reset of its call's deadline. */
static void a_message_behind_its_reset_ends_nothing_else(void **state)
{
    Peer peer;
    peer_begin(&peer, false, 64 * MIB);
    for (uint32_t i = 0; i < 10 * RESETS; i++) {
        int64_t now = INSTANT + i * 31 * MILLISECOND;
        request(&peer.script, 2 * i + 3, 0, REQUEST);
        assert_ok(peer.side.arena, script_feed(&peer.script, &peer.side, now));
        reset_next(&peer, i);
        frame(&peer.script, DATA, END_STREAM, 2 * i + 3, bytes_of("late"));
        assert_ok(peer.side.arena, script_feed(&peer.script, &peer.side, now + 30 * MILLISECOND));
        expect_reset(&peer.side, 2 * i + 3, HTTP2_ERROR_STREAM_CLOSED);
        side_forget(&peer.side);
    }
    peer_end(&peer);
}

static void send_late(Peer *peer, uint32_t i)
{
    frame(&peer->script, DATA, 0, 3, bytes_of("late"));
}

static void messages_behind_a_reset_are_counted(void **state)
{
    Peer peer;
    peer_begin(&peer, false, 64 * MIB);
    open_streams(&peer, 1);
    reset_first(&peer, 0);
    take_frames(&peer);
    assert_int_equal(afforded(&peer, send_late, 2 * CONTROLS, INSTANT), CONTROLS);
    peer_end(&peer);
}

static void an_instance_may_reset_what_it_likes(void **state)
{
    Peer peer;
    peer_begin(&peer, true, 64 * MIB);
    for (uint32_t i = 0; i < 10 * RESETS; i++) {
        assert_non_null(side_open(&peer.side, "GET", "/", "", -1, true));
        side_take_output(&peer.side);
        reset_next(&peer, i);
        take_frames(&peer);
    }
    peer_end(&peer);
}

/* ---- Work that is not finished --------------------------------------------------------------- */

/* Of streams that we reset the other side need not hear at once, but it has to hear. */
static void an_instance_that_reads_nothing_gets_no_new_streams_for_those_that_ended(void **state)
{
    enum { MOST = 1024 };
    Peer peer;
    peer_begin(&peer, true, 64 * MIB);
    for (int i = 0; i < MOST; i++) {
        struct iovec vectors[8];
        HttpStream *stream = side_open(&peer.side, "POST", "/", "", -1, false);
        assert_non_null(stream);
        assert_true(http_connection_output(peer.side.connection, vectors, 8) > 0);
        side_release(&peer.side, stream);
    }
    assert_null(side_open(&peer.side, "POST", "/", "", -1, false));
    assert_int_equal(http_connection_capacity(peer.side.connection), 0);
    side_take_output(&peer.side);
    assert_true(http_connection_capacity(peer.side.connection) > 0);
    assert_int_equal(http_connection_streams(peer.side.connection), 1);
    peer_end(&peer);
}

static void what_waits_to_be_sent_is_dropped_with_its_stream(void **state)
{
    static const uint8_t body[100000];
    for (int instance = 0; instance < 2; instance++) {
        Peer peer;
        peer_begin(&peer, instance, 64 * MIB);
        http_stream_send_body(peer.stream, bytes(body, sizeof body));
        assert_int_equal(http_stream_queued(peer.stream), sizeof body);
        http_stream_reset(peer.stream, HTTP2_ERROR_CANCEL);
        assert_int_equal(http_stream_queued(peer.stream), 0);
        side_release(&peer.side, peer.stream);
        peer_end(&peer);
    }
}

/* Begins and ends streams, and takes nothing of what it is told; true while we read on. */
static bool is_read_from_after(Peer *peer, uint32_t n)
{
    HttpConnection *connection = peer->side.connection;
    peer->side.on_head = answer_head;
    for (uint32_t i = 0; i <= n;
         i++) { /* the first answer still goes before the body of stream 1 */
        request(&peer->script, 2 * i + 3, 0, REQUEST);
        assert_ok(peer->side.arena,
                  http_connection_feed(connection, buffer_bytes(&peer->script.text), INSTANT));
        peer->script.text.size = 0;
    }
    return http_connection_wants_input(connection);
}

static void a_client_that_takes_nothing_is_not_read_from(void **state)
{
    enum { STREAMS = 100, MOST = 256 + 2 * STREAMS };
    for (uint32_t n = MOST; n <= MOST + 1; n++) {
        Peer peer;
        peer_begin(&peer, false, 64 * MIB);
        peer.side.connection->limits.streams = STREAMS; /* only told of: the peer could open more */
        static const uint8_t body[512 * 1024];
        http_stream_send_body(peer.stream,
                              bytes(body, sizeof body)); /* more than is framed at once */
        assert_int_equal(is_read_from_after(&peer, n), n == MOST);
        side_take_output(&peer.side);
        assert_true(http_connection_wants_input(peer.side.connection));
        peer_end(&peer);
    }
}

/* ---- Heads ----------------------------------------------------------------------------------- */

static Result head_in_pieces(Side *server, uint32_t n)
{
    Script script = script_in(server->arena, true);
    frame(&script, HEADERS, 0, 1, block(server->arena, REQUEST));
    for (uint32_t i = 1; i <= n; i++)
        frame(&script, CONTINUATION, i == n ? END_HEADERS : 0, 1, block(server->arena, "x: y\n"));
    return script_feed(&script, server, INSTANT);
}

static void a_head_may_come_in_as_many_pieces_as_its_size_allows(void **state)
{
    for (uint32_t extra = 0; extra < 2; extra++) {
        HttpLimits limits = http_limits_default;
        limits.head_bytes = MIB;
        limits.head_fields = 2000;
        Side server = {.releases = true};
        side_begin(&server, http2_server_new, &limits);
        Result r = head_in_pieces(&server, 8 + MIB / 1024 + extra);
        assert_int_equal(failed(r), extra);
        assert_int_equal(bytes_start_with(bytes_of(side_log(&server)), "request POST"), !extra);
        side_end(&server);
    }
}

/* A block of 28 KB in two frames, of which the second is not the last. */
static Result half_a_head(Side *server, size_t second)
{
    Arena *arena = server->arena;
    Buffer lines = buffer_in(arena);
    buffer_add_text(&lines, REQUEST);
    for (int i = 0; i < 60; i++) {
        buffer_add_text(&lines, "x: ");
        for (int n = 0; n < 120; n++)
            buffer_add_text(&lines, "abc");
        buffer_add_text(&lines, "\n");
    }
    Bytes all = block(arena, arena_text(arena, buffer_bytes(&lines)));
    Script script = script_in(arena, true);
    frame(&script, HEADERS, 0, 1, bytes_slice(all, 0, 16384));
    if (second)
        frame(&script, CONTINUATION, 0, 1, bytes_slice(all, 16384, second));
    return script_feed(&script, server, INSTANT);
}

static void a_block_that_does_not_come_to_its_end_is_counted_until_it_is_gone(void **state)
{
    Side server = {.releases = true};
    side_begin(&server, http2_server_new, NULL);
    int64_t idle = server.connection->tally.held;
    assert_ok(server.arena, half_a_head(&server, 6 * 1024));
    int64_t held = server.connection->tally.held - idle;
    assert_in_range(held, 22 * 1024, 64 * 1024); /* blocks of memory double */
    assert_true(http_connection_holds_head(server.connection));
    Result r = http_connection_shed_head(server.connection);
    assert_ptr_equal(r.error->fault, &FAULT_MEMORY_SHARE);
    side_take_output(&server);
    expect_goaway(&server, 11);                                        /* ENHANCE_YOUR_CALM */
    assert_in_range(server.connection->tally.held, idle, idle + 2048); /* the stream is spare */
    side_end(&server);
}

static void a_block_that_comes_to_its_end_is_not_counted_any_more(void **state)
{
    Side server = {.releases = true, .on_end = side_answer_ok};
    side_begin(&server, http2_server_new, NULL);
    int64_t idle = server.connection->tally.held;
    assert_ok(server.arena, head_in_pieces(&server, 3));
    assert_true(bytes_start_with(bytes_of(side_log(&server)), "request POST"));
    assert_in_range(server.connection->tally.held, idle, idle + 2048);
    side_end(&server);
}

static void a_frame_of_which_a_part_came_is_counted(void **state)
{
    Side server = {.releases = true};
    side_begin(&server, http2_server_new, NULL);
    Script script = script_in(server.arena, true);
    assert_ok(server.arena, script_feed(&script, &server, INSTANT));
    int64_t idle = server.connection->tally.held;
    static const uint8_t head[] = {0, 0x40, 0, HEADERS, 0, 0, 0, 0, 1}; /* 16 KiB follow */
    assert_ok(server.arena, side_feed(&server, bytes(head, sizeof head)));
    assert_true(server.connection->tally.held >= idle + 16 * 1024);
    side_end(&server);
}

static void a_block_that_is_not_complete_needs_memory(void **state)
{
    enum { LIMIT = 4 * MIB, HIGH = LIMIT - LIMIT / 4 };
    for (int short_of = 0; short_of < 2; short_of++) {
        Account hog = {0};
        Side server = {.releases = true};
        side_begin(&server, http2_server_new, NULL);
        int64_t idle = server.connection->tally.held;
        assert_ok(server.arena, half_a_head(&server, 0));
        int64_t needs = server.connection->tally.held - idle - 2048; /* of it a stream's */
        side_end(&server);

        server = (Side){.releases = true};
        side_begin(&server, http2_server_new, NULL);
        http_connection_charge(server.connection, &hog);
        memory_settle();
        int64_t filled = HIGH - needs + short_of - memory_total();
        memory_add(MEMORY_CALLS, filled);
        account_add(&hog, HIGH);
        memory_set_limit(LIMIT);
        memory_settle();
        Result r = half_a_head(&server, 0);
        assert_int_equal(failed(r), short_of);
        if (short_of) {
            assert_ptr_equal(r.error->fault, &FAULT_MEMORY_SHARE);
            expect_goaway(&server, 11); /* ENHANCE_YOUR_CALM */
        }
        http_connection_charge(server.connection, NULL);
        memory_add(MEMORY_CALLS, -filled);
        account_add(&hog, -account_held(&hog));
        memory_set_limit(UINT64_MAX);
        memory_settle();
        side_end(&server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_sent_may_come_back_in_pieces_on_both_levels_at_once),
        cmocka_unit_test(bytes_come_back_once),
        cmocka_unit_test(bytes_of_any_stream_come_back_once_for_it_and_once_for_the_connection),
        cmocka_unit_test(pieces_without_measure_are_counted),
        cmocka_unit_test(a_window_that_grows_by_nothing_is_an_error),
        cmocka_unit_test(the_highest_limits_are_no_limits_of_nothing),
        cmocka_unit_test(what_a_stream_that_has_ended_was_sent_may_still_come_back),
        cmocka_unit_test(every_split_of_a_window_update_is_understood),
        cmocka_unit_test(a_small_message_pays_for_its_return_and_a_ping),
        cmocka_unit_test(a_window_opened_by_bits_pays_for_nothing),
        cmocka_unit_test(nothing_is_saved_up),
        cmocka_unit_test(small_data_is_of_use_and_empty_data_is_not),
        cmocka_unit_test(pings_may_come_in_one_piece),
        cmocka_unit_test(a_reset_costs_the_less_the_longer_its_stream_was_open),
        cmocka_unit_test(deadlines_are_no_flood),
        cmocka_unit_test(a_reset_after_the_answer_began_or_ended_costs_nothing),
        cmocka_unit_test(an_answer_that_has_not_gone_out_excuses_no_reset),
        cmocka_unit_test(resets_that_cross_the_end_of_their_streams_cost_nothing),
        cmocka_unit_test(a_message_behind_its_reset_ends_nothing_else),
        cmocka_unit_test(messages_behind_a_reset_are_counted),
        cmocka_unit_test(an_instance_may_reset_what_it_likes),
        cmocka_unit_test(an_instance_that_reads_nothing_gets_no_new_streams_for_those_that_ended),
        cmocka_unit_test(what_waits_to_be_sent_is_dropped_with_its_stream),
        cmocka_unit_test(a_client_that_takes_nothing_is_not_read_from),
        cmocka_unit_test(a_head_may_come_in_as_many_pieces_as_its_size_allows),
        cmocka_unit_test(a_block_that_does_not_come_to_its_end_is_counted_until_it_is_gone),
        cmocka_unit_test(a_block_that_comes_to_its_end_is_not_counted_any_more),
        cmocka_unit_test(a_frame_of_which_a_part_came_is_counted),
        cmocka_unit_test(a_block_that_is_not_complete_needs_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
