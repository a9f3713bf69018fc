#include "tests/unit/check.h"

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
    bool responds; /* to what it reads, in deferred work: a small letter is told */
    LoopWork respond;
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
    End *end = (End *)socket;
    told[n_told++] = (char)('A' + (end - ends) % 26);
    told[n_told] = 0;
    if (end->responds)
        loop_defer(&loop, &end->respond);
}

static void respond(LoopWork *work)
{
    const End *end = (End *)((char *)work - offsetof(End, respond));
    told_sizes[n_told] = 0;
    told[n_told++] = (char)('a' + (end - ends) % 26);
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
    order = &loop.order;
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
static bool waits(int at, ReadRank rank, int64_t turn_began)
{
    socket_rank(&ends[at].socket, rank);
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

/* The same, in a turn that has time for all of them, however busy the machine is. */
static int64_t crowd_with_time(void)
{
    return crowd() + SECOND;
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
        assert_false(waits(0, READ_LOW, an_old_turn()));
    read_order_urgent(order, an_old_turn() - SECOND); /* long ago */
    for (int i = 0; i < 100; i++)
        assert_false(waits(0, READ_LOW, an_old_turn()));
}

static void a_long_turn_with_urgent_calls_makes_others_wait(void **state)
{
    connect_all(1);
    int64_t turn = an_old_turn();
    read_order_urgent(order, turn);
    int n = 0;
    assert_false(loop_is_crowded(&loop));
    while (n < 100 && !waits(0, READ_LOW, turn))
        n++;
    assert_in_range(n, 1, 8);
    assert_true(order->crowded_until > turn);
    assert_true(loop_is_crowded(&loop));
    assert_int_equal(order->ranks[READ_LOW].n, 1);
    assert_true(waits(0, READ_LOW, turn)); /* the kernel tells it again */
    assert_int_equal(order->ranks[READ_LOW].n, 1);
}

static void a_short_turn_makes_nobody_wait(void **state)
{
    connect_all(1);
    int64_t turn = clock_now() + SECOND;
    read_order_urgent(order, turn);
    for (int i = 0; i < 100; i++)
        assert_false(waits(0, READ_LOW, turn));
}

static void it_ends_when_nobody_had_to_wait_for_a_while(void **state)
{
    connect_all(1);
    say(0, 1);
    int64_t turn = crowd();
    order->crowded_until = turn;
    read_order_run(order, turn - 1);
    assert_int_equal(order->crowded_until, turn);
    assert_true(waits(0, READ_HIGH, turn - MILLISECOND));
    read_order_run(order, turn - MILLISECOND); /* it has no time: the one is left */
    assert_true(read_order_has_left(order));
    assert_true(order->crowded_until > turn);
    while (n_told == 0)
        read_order_run(order, clock_now());
    assert_false(read_order_has_left(order));
    int64_t until = order->crowded_until;
    read_order_run(order, until);
    assert_int_equal(order->crowded_until, until);
    read_order_run(order, until + 1);
    assert_int_equal(order->crowded_until, 0);
    assert_false(waits(0, READ_HIGH, clock_now()));
}

/* ---- Who is read ----------------------------------------------------------------------------- */

static void those_of_the_higher_rank_are_read_first_and_then_those_that_wait_longest(void **state)
{
    static const ReadRank ranks[] = {READ_LOW, READ_HIGH, READ_LOW, READ_INSTANCE, READ_HIGH};
    connect_all(5);
    int64_t turn = crowd_with_time();
    for (int i = 0; i < 5; i++) {
        say(i, 1);
        assert_true(waits(i, ranks[i], turn));
    }
    read_order_run(order, turn);
    assert_string_equal(told, "DBEAC");
}

/* The first three are of one client, the others have one each. */
static void a_client_that_floods_is_read_after_others_of_its_rank(void **state)
{
    connect_all(6);
    for (int i = 0; i < 6; i++)
        socket_is_of(&ends[i].socket, (uint8_t)(i < 3 ? 7 : i));
    int64_t turn = crowd_with_time();
    for (int round = 0; round < 2; round++) {
        n_told = 0;
        for (int i = 0; i < 6; i++) {
            say(i, i < 3 ? 1000 : 100);
            assert_true(waits(i, i == 5 ? READ_LOW : READ_HIGH, turn));
        }
        read_order_run(order, turn);
        assert_string_equal(told, round == 0 ? "ABCDEF" : "DEABCF");
    }
}

static void without_time_one_of_each_rank_is_read_that_has_waited_for_long(void **state)
{
    connect_all(6);
    for (int i = 0; i < 6; i++)
        say(i, 1);
    int64_t turn = crowd() - SECOND;
    static const ReadRank ranks[] = {READ_HIGH, READ_LOW};
    for (int i = 0; i < 4; i++)
        assert_true(waits(i, ranks[i % 2], turn));
    for (int i = 4; i < 6; i++)
        assert_true(waits(i, ranks[i % 2], turn + 2 * MILLISECOND));
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

static void without_time_a_piece_of_one_instance_is_read_in_each_turn(void **state)
{
    connect_all(3);
    int64_t turn = crowd() - SECOND;
    for (int i = 0; i < 3; i++) {
        say(i, 1);
        assert_true(waits(i, i == 2 ? READ_HIGH : READ_INSTANCE, turn));
    }
    read_order_run(order, turn);
    assert_string_equal(told, "A");
    read_order_run(order, turn);
    assert_string_equal(told, "AB");
    read_order_run(order, turn);
    assert_string_equal(told, "AB");
}

static void a_flood_is_read_in_small_pieces_and_others_in_larger_ones(void **state)
{
    connect_all(2);
    socket_floods(&ends[1].socket, true);
    int64_t turn = crowd() - SECOND;
    for (int i = 0; i < 2; i++) {
        say(i, 12000);
        assert_true(waits(i, READ_INSTANCE, turn));
    }
    for (int i = 0; i < 5; i++)
        read_order_run(order, turn);
    assert_string_equal(told, "ABABB"); /* what is left of one waits behind the others */
    assert_int_equal(told_sizes[0], READ_SOME);
    assert_int_equal(told_sizes[1], READ_FEW);
    assert_int_equal(told_sizes[2], 12000 - READ_SOME);
    assert_int_equal(told_sizes[3], READ_FEW);
    assert_int_equal(order->ranks[READ_INSTANCE].n, 1);
}

static bool four_were_told(void)
{
    return n_told >= 4;
}

static void respond_to_two(bool dialed)
{
    connect_all(2);
    crowd();
    order->crowded_until = INT64_MAX;
    for (int i = 0; i < 2; i++) {
        ends[i].responds = true;
        ends[i].respond.run = respond;
        ends[i].socket.dialed = dialed;
        say(i, 1);
    }
    loop_run_until(&loop, four_were_told);
}

static void what_comes_of_an_urgent_response_is_sent_before_the_next_one_is_read(void **state)
{
    respond_to_two(true);
    assert_string_equal(told, "AaBb");
}

static void what_comes_of_urgent_requests_is_sent_together(void **state)
{
    respond_to_two(false);
    assert_string_equal(told, "ABab");
}

static void an_urgent_response_is_read_in_pieces(void **state)
{
    connect_all(1);
    crowd();
    order->crowded_until = INT64_MAX;
    ends[0].socket.dialed = ends[0].responds = true;
    ends[0].respond.run = respond;
    say(0, READ_SOME + 1);
    loop_run_until(&loop, four_were_told);
    assert_string_equal(told, "AaAa");
    assert_int_equal(told_sizes[0], READ_SOME);
    assert_int_equal(told_sizes[2], 1);
}

static void one_that_is_closed_or_paused_is_not_read(void **state)
{
    connect_all(5);
    int64_t turn = crowd();
    for (int i = 0; i < 5; i++) {
        say(i, 1);
        assert_true(waits(i, READ_LOW, turn + i));
    }
    socket_pause(&ends[2].socket);
    socket_close(&ends[3].socket);
    assert_int_equal(read_order_waited(order, turn + 9), 9);
    socket_close(&ends[0].socket);
    assert_int_equal(read_order_waited(order, turn + 9), 8);
    while (order->ranks[READ_LOW].n)
        read_order_run(order, clock_now());
    assert_string_equal(told, "BE");
}

static void close_it(Socket *socket, Bytes input)
{
    on_read(socket, input);
    socket_close(socket);
}

static const SocketEvents closing_events = {on_ready, close_it, on_other,
                                            on_other, on_lost,  on_closed};

static void one_that_is_closed_by_what_was_read_does_not_wait_for_more(void **state)
{
    connect_all(1);
    ends[0].socket.events = &closing_events;
    say(0, READ_SOME + 1);
    int64_t turn = crowd() - SECOND;
    assert_true(waits(0, READ_INSTANCE, turn));
    read_order_run(order, turn);
    assert_string_equal(told, "A");
    assert_false(read_order_has_left(order));
}

static void the_last_one_that_leaves_leaves_nobody(void **state)
{
    connect_all(2);
    for (int i = 0; i < 2; i++)
        assert_true(waits(i, READ_LOW, crowd()));
    socket_close(&ends[1].socket);
    assert_true(read_order_has_left(order));
    socket_close(&ends[0].socket);
    assert_false(read_order_has_left(order));
    assert_int_equal(read_order_waited(order, clock_now()), 0);
}

static void many_wait_in_their_order(void **state)
{
    connect_all(MOST);
    for (int round = 0; round < 2; round++) {
        n_told = 0;
        for (int i = 0; i < MOST; i++) {
            say(i, 1);
            assert_true(waits(i, READ_LOW, crowd()));
        }
        while (order->ranks[READ_LOW].n)
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
        static const ReadRank ranks[] = {READ_LOW, READ_INSTANCE, READ_URGENT};
        socket_rank(&ends[i].socket, ranks[i]);
        say(i, 1);
    }
    loop_run_until(&loop, all_told);
    assert_string_equal(told, "CBA");
    say(0, 1);
    n_told = 2;
    loop_run_until(&loop, all_told); /* also if it is alone */
}

static ReadWait *first_low(void)
{
    const ReadQueue *queue = &order->ranks[READ_LOW];
    return &queue->items[queue->first & (queue->room - 1)];
}

/* Each turn of the loop takes so long that only what is urgent is read, as long as `busy`. */
static bool busy;

static void keep_busy(Socket *socket, Bytes input)
{
    int64_t until = clock_now() + MILLISECOND;
    while (clock_now() < until)
        continue;
    /* Nobody has waited for long, however busy the machine is. */
    if (order->ranks[READ_LOW].n)
        first_low()->since = clock_now() + SECOND;
    for (int i = 0; busy && i < 2; i++)
        say(i, 1);
}

static const SocketEvents busy_events = {on_ready, keep_busy, on_other,
                                         on_other, on_lost,   on_closed};

static bool is_unwatched(void)
{
    return ends[1].socket.unwatched;
}

static bool is_told(void)
{
    return n_told > 0;
}

/* The second one waits for many turns. */
static void let_wait(void)
{
    ends[0].socket.events = &busy_events;
    crowd();
    order->crowded_until = INT64_MAX;
    busy = true;
    socket_rank(&ends[1].socket, READ_LOW);
    say(0, 1);
    loop_run_until(&loop, is_unwatched);
    busy = false;
    n_told = 0;
}

static bool nobody_waits(void)
{
    return !read_order_has_left(order);
}

static void who_waits_for_long_is_not_watched_and_is_read_all_the_same(void **state)
{
    connect_all(2);
    for (int round = 0; round < 2; round++) {
        let_wait();
        loop_run_until(&loop, nobody_waits);
        assert_int_equal(told[0], 'B');
    }
}

static void who_was_not_watched_waits_again_until_it_has_no_input(void **state)
{
    connect_all(2);
    let_wait();
    for (int turn = 0; turn < 3; turn++) {
        n_told = 0;
        first_low()->since = 0;
        read_order_run(order, an_old_turn()); /* without time for more than this one */
        assert_string_equal(told, "B");
        assert_true(ends[1].socket.unwatched);
        assert_int_equal(order->ranks[READ_LOW].n, 1);
        say(1, 1);
    }
    loop_run_until(&loop, nobody_waits);
    assert_false(ends[1].socket.unwatched);
    say(1, 1);
    n_told = 0;
    loop_run_until(&loop, is_told); /* the kernel tells it */
}

static void who_was_not_watched_and_has_become_urgent_is_watched(void **state)
{
    connect_all(2);
    let_wait();
    socket_rank(&ends[1].socket, READ_URGENT);
    loop_run_until(&loop, nobody_waits);
    assert_string_equal(told, "B");
    assert_false(ends[1].socket.unwatched);
}

static void who_is_not_watched_may_be_paused(void **state)
{
    connect_all(2);
    let_wait();
    socket_pause(&ends[1].socket);
    assert_false(ends[1].socket.unwatched);
    loop_run_until(&loop, nobody_waits);
    assert_int_equal(n_told, 0);
    socket_resume(&ends[1].socket);
    loop_run_until(&loop, is_told);
    assert_int_equal(told[0], 'B');
}

static void who_is_not_watched_may_be_closed(void **state)
{
    connect_all(2);
    let_wait();
    socket_close(&ends[1].socket);
    assert_true(nobody_waits());
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
        order_test(a_client_that_floods_is_read_after_others_of_its_rank),
        order_test(without_time_one_of_each_rank_is_read_that_has_waited_for_long),
        order_test(without_time_a_piece_of_one_instance_is_read_in_each_turn),
        order_test(a_flood_is_read_in_small_pieces_and_others_in_larger_ones),
        order_test(what_comes_of_an_urgent_response_is_sent_before_the_next_one_is_read),
        order_test(what_comes_of_urgent_requests_is_sent_together),
        order_test(an_urgent_response_is_read_in_pieces),
        order_test(one_that_is_closed_or_paused_is_not_read),
        order_test(one_that_is_closed_by_what_was_read_does_not_wait_for_more),
        order_test(the_last_one_that_leaves_leaves_nobody),
        order_test(many_wait_in_their_order),
        order_test(a_crowded_loop_reads_what_is_urgent_at_once_and_others_after_it),
        order_test(who_waits_for_long_is_not_watched_and_is_read_all_the_same),
        order_test(who_was_not_watched_waits_again_until_it_has_no_input),
        order_test(who_was_not_watched_and_has_become_urgent_is_watched),
        order_test(who_is_not_watched_may_be_paused),
        order_test(who_is_not_watched_may_be_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
