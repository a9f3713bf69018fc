#include "tests/unit/check.h"

#include "gateway/loop/loop_internal.h"
#include "gateway/loop/socket.h"
#include "tests/unit/gateway/doubles.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 100, FAR = 1 << 30 /* nanoseconds */ };

/* A socket, the other end of which is in `peer`. */
typedef struct End {
    Socket socket;
    int peer;
    bool ready, closed;
} End;

static Loop loop;
static ReadOrder *order;
static End ends[MOST];
static int n_ends;
static char told[2 * MOST + 1]; /* a letter for each read, of the socket that was read */
static size_t told_sizes[2 * MOST];
static size_t n_told;

static void on_ready(Socket *socket)
{
    ((End *)socket)->ready = true;
}

static void on_read(Socket *socket, Bytes input)
{
    told_sizes[n_told] = input.size;
    told[n_told++] = (char)('A' + ((End *)socket - ends) % 26);
    told[n_told] = 0;
}

static void on_lost(Socket *socket, Result why)
{
    assert_false(failed(why));
}

static void on_closed(Socket *socket)
{
    ((End *)socket)->closed = true;
}

static void on_other(Socket *socket)
{
}

static const SocketEvents events = {on_ready, on_read, on_other, on_other, on_lost, on_closed};

static bool all_ready(void)
{
    for (int i = 0; i < n_ends; i++)
        if (!ends[i].ready)
            return false;
    return true;
}

static bool all_closed(void)
{
    for (int i = 0; i < n_ends; i++)
        if (!ends[i].closed)
            return false;
    return true;
}

static int set_up(void **state)
{
    memset(ends, 0, sizeof ends);
    n_ends = 0;
    n_told = 0;
    told[0] = 0;
    loop_init(&loop, 0);
    order = &loop.private->order;
    return 0;
}

static int tear_down(void **state)
{
    for (int i = 0; i < n_ends; i++) {
        socket_close(&ends[i].socket);
        close(ends[i].peer);
    }
    loop_run_until(&loop, all_closed);
    loop_deinit(&loop);
    return 0;
}

/* So many connections, on each of which something has arrived. */
static void connect_all(int n)
{
    for (int i = 0; i < n; i++) {
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
                         0);
        socket_open(&ends[i].socket, &loop, &events, fds[0], false, NULL);
        ends[i].peer = fds[1];
    }
    n_ends = n;
    loop_run_until(&loop, all_ready);
}

static void say(int at, size_t size)
{
    static char bytes[32 * 1024];
    assert_int_equal(write(ends[at].peer, bytes, size), size);
}

/* The end has input, in a turn that began then. */
static bool waits(int at, uint8_t rank, int64_t turn_began)
{
    socket_rank(&ends[at].socket, rank, ends[at].socket.floods);
    return read_order_waits(order, &ends[at].socket, turn_began);
}

/* A turn that is long, in which urgent calls have arrived. */
static int64_t crowd(void)
{
    int64_t now = clock_now();
    read_order_urgent(order, now);
    order->crowded_until = now + FAR;
    return now;
}

static int64_t an_old_turn(void)
{
    return clock_now() - SECOND;
}

/* ---- When it begins and ends ----------------------------------------------------------------- */

static void without_urgent_calls_nobody_waits_however_long_a_turn_is(void **state)
{
    connect_all(1);
    for (int i = 0; i < 100; i++)
        assert_false(waits(0, 2, an_old_turn()));
    read_order_urgent(order, an_old_turn() - SECOND); /* long ago */
    for (int i = 0; i < 100; i++)
        assert_false(waits(0, 2, an_old_turn()));
}

static void a_long_turn_with_urgent_calls_makes_others_wait(void **state)
{
    connect_all(1);
    int64_t turn = an_old_turn();
    read_order_urgent(order, turn);
    int n = 0;
    while (n < 100 && !waits(0, 2, turn))
        n++;
    assert_in_range(n, 1, 8);
    assert_true(order->crowded_until > turn);
    assert_int_equal(order->ranks[2].n, 1);
    assert_true(waits(0, 2, turn)); /* the kernel tells it again */
    assert_int_equal(order->ranks[2].n, 1);
}

static void a_short_turn_makes_nobody_wait(void **state)
{
    connect_all(1);
    int64_t turn = clock_now() + SECOND;
    read_order_urgent(order, turn);
    for (int i = 0; i < 100; i++)
        assert_false(waits(0, 2, turn));
}

static void it_ends_when_nobody_had_to_wait_for_a_while(void **state)
{
    connect_all(1);
    say(0, 1);
    int64_t turn = crowd();
    order->crowded_until = turn;
    read_order_run(order, turn - 1);
    assert_int_equal(order->crowded_until, turn);
    assert_true(waits(0, 1, turn - MILLISECOND));
    read_order_run(order, turn - MILLISECOND); /* it has no time: the one is left */
    assert_true(order->crowded_until > turn);
    while (n_told == 0)
        read_order_run(order, clock_now());
    int64_t until = order->crowded_until;
    read_order_run(order, until);
    assert_int_equal(order->crowded_until, until);
    read_order_run(order, until + 1);
    assert_int_equal(order->crowded_until, 0);
    assert_false(waits(0, 1, clock_now()));
}

/* ---- Who is read ----------------------------------------------------------------------------- */

static void those_of_the_higher_rank_are_read_first_and_then_those_that_wait_longest(void **state)
{
    connect_all(4);
    for (int i = 0; i < 4; i++)
        say(i, 1);
    int64_t turn = crowd();
    static const uint8_t ranks[] = {2, 1, 2, 1};
    for (int i = 0; i < 4; i++)
        assert_true(waits(i, ranks[i], turn));
    while (n_told < 4)
        read_order_run(order, clock_now()); /* one turn may be too short for all */
    assert_string_equal(told, "BDAC");
}

static void without_time_one_of_each_rank_is_read_that_has_waited_for_long(void **state)
{
    connect_all(6);
    for (int i = 0; i < 6; i++)
        say(i, 1);
    int64_t turn = crowd() - SECOND;
    for (int i = 0; i < 4; i++)
        assert_true(waits(i, (uint8_t)(1 + i % 2), turn));
    for (int i = 4; i < 6; i++)
        assert_true(waits(i, (uint8_t)(1 + i % 2), turn + 2 * MILLISECOND));
    read_order_run(order, turn + 50 * MILLISECOND - 1);
    assert_string_equal(told, "");
    assert_int_equal(read_order_waited(order, turn + 7), 7);
    read_order_run(order, turn + 50 * MILLISECOND);
    assert_string_equal(told, "AB");
    read_order_run(order, turn + 51 * MILLISECOND);
    assert_string_equal(told, "ABCD");
    assert_int_equal(read_order_waited(order, turn + 3 * MILLISECOND), MILLISECOND);
    read_order_run(order, turn + 51 * MILLISECOND);
    assert_string_equal(told, "ABCD");
}

static void a_flood_is_read_in_small_pieces_and_others_in_larger_ones(void **state)
{
    connect_all(2);
    socket_rank(&ends[1].socket, 2, true);
    for (int i = 0; i < 2; i++) {
        say(i, 20000);
        assert_true(waits(i, 2, crowd()));
        while (n_told == (size_t)i)
            read_order_run(order, clock_now());
    }
    assert_int_equal(told_sizes[0], READ_SOME);
    assert_int_equal(told_sizes[1], READ_FEW);
}

static void one_that_is_closed_or_paused_is_not_read(void **state)
{
    connect_all(3);
    for (int i = 0; i < 3; i++) {
        say(i, 1);
        assert_true(waits(i, 2, crowd()));
    }
    socket_close(&ends[0].socket);
    socket_pause(&ends[1].socket);
    while (order->ranks[2].n)
        read_order_run(order, clock_now());
    assert_string_equal(told, "C");
}

static void many_wait_in_their_order(void **state)
{
    connect_all(MOST);
    for (int round = 0; round < 2; round++) {
        n_told = 0;
        for (int i = 0; i < MOST; i++) {
            say(i, 1);
            assert_true(waits(i, 2, crowd()));
        }
        while (order->ranks[2].n)
            read_order_run(order, clock_now());
        assert_int_equal(n_told, MOST);
        for (int i = 0; i < MOST; i++)
            assert_int_equal(told[i], 'A' + i % 26);
    }
}

/* ---- In a loop ------------------------------------------------------------------------------- */

static bool all_told(void)
{
    return n_told == 3;
}

static void a_crowded_loop_reads_what_is_urgent_at_once_and_others_after_it(void **state)
{
    connect_all(3);
    crowd();
    for (int i = 0; i < 3; i++) {
        socket_rank(&ends[i].socket, (uint8_t)(2 - i), false);
        say(i, 1);
    }
    loop_run_until(&loop, all_told);
    assert_string_equal(told, "CBA");
    say(0, 1);
    n_told = 2;
    loop_run_until(&loop, all_told); /* also if it is alone */
}

#define order_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        order_test(without_urgent_calls_nobody_waits_however_long_a_turn_is),
        order_test(a_long_turn_with_urgent_calls_makes_others_wait),
        order_test(a_short_turn_makes_nobody_wait),
        order_test(it_ends_when_nobody_had_to_wait_for_a_while),
        order_test(those_of_the_higher_rank_are_read_first_and_then_those_that_wait_longest),
        order_test(without_time_one_of_each_rank_is_read_that_has_waited_for_long),
        order_test(a_flood_is_read_in_small_pieces_and_others_in_larger_ones),
        order_test(one_that_is_closed_or_paused_is_not_read),
        order_test(many_wait_in_their_order),
        order_test(a_crowded_loop_reads_what_is_urgent_at_once_and_others_after_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
