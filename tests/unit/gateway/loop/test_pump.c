#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/loop/pump.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- In place of an engine: so many bytes to send -------------------------------------------- */

struct HttpConnection {
    size_t to_send, sent;
    bool half_closed, wants_input, closes_socket;
};
static struct HttpConnection engine;
static Pump pump;

enum { PIECE = 100 * 1000 };
static uint8_t piece[PIECE];

int http_connection_output(HttpConnection *connection, struct iovec *vectors, int n)
{
    assert_true(n >= 2);
    size_t left = connection->to_send - connection->sent;
    size_t size = left < PIECE ? left : PIECE;
    if (size == 0)
        return 0;
    vectors[0] = (struct iovec){piece, size / 2};
    vectors[1] = (struct iovec){piece + size / 2, size - size / 2};
    return 2;
}

void http_connection_sent(HttpConnection *connection, size_t bytes)
{
    connection->sent += bytes;
    if (connection->closes_socket)
        socket_close(&pump.socket);
}

bool http_connection_half_closed(const HttpConnection *connection)
{
    return connection->half_closed;
}

bool http_connection_wants_input(const HttpConnection *connection)
{
    return connection->wants_input;
}

/* ---- The owner of the pump, and a peer that reads when it is told to ------------------------- */

static Loop loop;
static int peer;
static size_t n_flushes, n_fired, n_read;
static PumpFlow flow; /* of the last flush */
static bool ready, closed, writable;

static void run_flush(LoopWork *work)
{
    assert_ptr_equal(pump_of_flush(work), &pump);
    n_flushes++;
    flow = pump_flush(&pump);
}

static void fire(Timer *timer)
{
    assert_ptr_equal(pump_of_timer(timer), &pump);
    n_fired++;
}

static void on_ready(Socket *socket)
{
    ready = true;
}

static void on_read(Socket *socket, Bytes input)
{
    n_read += input.size;
}

static void on_eof(Socket *socket)
{
}

static void on_writable(Socket *socket)
{
    pump_writable(&pump);
    assert_int_equal(pump.blocked_since, 0);
    writable = true;
    run_flush(&pump.flush);
}

static void on_lost(Socket *socket, Result why)
{
    check_failed("nothing is lost here", __FILE__, __LINE__);
}

static void on_closed(Socket *socket)
{
    closed = true;
}

static const SocketEvents events = {on_ready, on_read, on_eof, on_writable, on_lost, on_closed};

static void stop_loop(Timer *timer)
{
    loop_stop(&loop);
}

/* Lets the loop turn for a while. */
static void turn(void)
{
    Timer end = {.fire = stop_loop};
    timer_start(&loop.timers, &end, clock_now() + 5 * MILLISECOND);
    loop_run(&loop);
}

/* What the peer finds at this moment. */
static size_t peer_takes(void)
{
    static uint8_t room[1 << 16];
    size_t size = 0;
    for (ssize_t n; (n = recv(peer, room, sizeof room, MSG_DONTWAIT)) > 0;)
        size += (size_t)n;
    return size;
}

static bool peer_sees_the_end(void)
{
    uint8_t byte;
    return recv(peer, &byte, 1, MSG_DONTWAIT) == 0;
}

static int fresh(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    n_flushes = n_fired = n_read = 0;
    flow = (PumpFlow){0};
    ready = closed = writable = false;
    engine = (struct HttpConnection){.wants_input = true};
    loop_init(&loop, 0);
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    peer = fds[1];
    pump = (Pump){.http = &engine};
    pump_init(&pump, &loop, run_flush, fire);
    socket_open(&pump.socket, &loop, &events, fds[0], false, NULL);
    turn();
    assert_true(ready);
    return 0;
}

static int used(void **state)
{
    pump_stop(&pump);
    socket_close(&pump.socket);
    turn();
    assert_true(closed);
    loop_deinit(&loop);
    close(peer);
    return 0;
}

/* ---- Sending --------------------------------------------------------------------------------- */

static void what_the_engine_has_goes_out_in_one_turn(void **state)
{
    engine.to_send = 1000;
    pump_flush_later(&pump);
    pump_flush_later(&pump); /* is once */
    assert_int_equal(n_flushes, 0);
    turn();
    assert_int_equal(n_flushes, 1);
    assert_int_equal(flow.sent, 1000);
    assert_true(flow.dry);
    assert_int_equal(pump.blocked_since, 0);
    assert_int_equal(peer_takes(), 1000);
    assert_false(peer_sees_the_end());
}

static void an_engine_without_output_sends_nothing(void **state)
{
    flow = pump_flush(&pump);
    assert_int_equal(flow.sent, 0);
    assert_true(flow.dry);
}

static void a_peer_that_takes_nothing_is_waited_for(void **state)
{
    engine.to_send = 4 << 20;
    run_flush(&pump.flush);
    for (int i = 0; i < 10 && !pump.blocked_since; i++)
        turn();
    assert_true(pump.blocked_since > 0);
    assert_false(flow.dry);
    assert_true(engine.sent < engine.to_send);

    int64_t since = pump.blocked_since;
    size_t sent = engine.sent;
    turn();
    flow = pump_flush(&pump); /* as when the engine has more: it does not begin to wait anew */
    assert_int_equal(flow.sent, 0);
    assert_int_equal(engine.sent, sent);
    assert_int_equal(pump.blocked_since, since);

    size_t arrived = 0;
    for (int i = 0; i < 1000 && arrived < engine.to_send; i++) {
        arrived += peer_takes();
        turn();
    }
    assert_true(writable);
    assert_int_equal(arrived, engine.to_send);
    assert_true(flow.dry);
    assert_int_equal(pump.blocked_since, 0);
}

/* One connection does not hold up the others of its loop, even if its peer takes all at once. */
static void no_turn_sends_more_than_its_share(void **state)
{
    engine.to_send = 4 << 20;
    flow = pump_flush(&pump);
    assert_true(flow.sent > 0);
    assert_true(flow.sent < SOCKET_WRITE_MAX + PIECE);
    assert_false(flow.dry);
}

static void the_end_of_the_engine_is_the_end_of_sending(void **state)
{
    engine.to_send = 1000;
    engine.half_closed = true;
    run_flush(&pump.flush);
    assert_true(flow.dry);
    turn();
    assert_int_equal(peer_takes(), 1000);
    assert_true(peer_sees_the_end());
    assert_int_equal(send(peer, "more", 4, 0), 4);
    turn();
    assert_int_equal(n_read, 4); /* the other half goes on */
}

static void an_owner_may_close_the_socket_within_a_flush(void **state)
{
    engine.to_send = 3 * PIECE;
    engine.closes_socket = true;
    flow = pump_flush(&pump);
    assert_true(flow.sent <= PIECE);
    assert_false(flow.dry);
    assert_int_equal(engine.sent, flow.sent);
    flow = pump_flush(&pump);
    assert_int_equal(flow.sent, 0);
    assert_false(flow.dry);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void nothing_is_read_while_the_engine_wants_no_input(void **state)
{
    engine.wants_input = false;
    pump_set_reading(&pump);
    pump_set_reading(&pump); /* is once */
    assert_int_equal(send(peer, "abc", 3, 0), 3);
    turn();
    assert_int_equal(n_read, 0);
    engine.wants_input = true;
    pump_set_reading(&pump);
    turn();
    assert_int_equal(n_read, 3);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void the_timer_is_only_brought_forward(void **state)
{
    int64_t now = clock_now();
    pump_wake_by(&pump, now + 100 * SECOND);
    assert_int_equal(pump.timer.when, now + 100 * SECOND);
    pump_wake_by(&pump, now + 200 * SECOND);
    assert_int_equal(pump.timer.when, now + 100 * SECOND);
    pump_wake_by(&pump, now);
    turn();
    assert_int_equal(n_fired, 1);
    pump_wake_by(&pump, now + 200 * SECOND); /* it does not run: any time is earlier */
    assert_int_equal(pump.timer.when, now + 200 * SECOND);
}

static void a_stopped_pump_neither_flushes_nor_fires(void **state)
{
    engine.to_send = 1000;
    pump_flush_later(&pump);
    pump_wake_by(&pump, clock_now());
    pump_stop(&pump);
    turn();
    assert_int_equal(n_flushes, 0);
    assert_int_equal(n_fired, 0);
    assert_int_equal(peer_takes(), 0);
}

#define pump_test(f) cmocka_unit_test_setup_teardown(f, fresh, used)

int main(void)
{
    const struct CMUnitTest tests[] = {
        pump_test(what_the_engine_has_goes_out_in_one_turn),
        pump_test(an_engine_without_output_sends_nothing),
        pump_test(a_peer_that_takes_nothing_is_waited_for),
        pump_test(no_turn_sends_more_than_its_share),
        pump_test(the_end_of_the_engine_is_the_end_of_sending),
        pump_test(an_owner_may_close_the_socket_within_a_flush),
        pump_test(nothing_is_read_while_the_engine_wants_no_input),
        pump_test(the_timer_is_only_brought_forward),
        pump_test(a_stopped_pump_neither_flushes_nor_fires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
