#include "tests/unit/check.h"

#include "base/arena.h"
#include "gateway/call/client.h"
#include "gateway/headers/request_id.h"
#include "gateway/listen/connection.h"
#include "gateway/loop/socket.h"
#include "gateway/memory/accounts.h"
#include "gateway/memory/memory_wait.h"
#include "tests/unit/gateway/certificates.h"
#include "tests/unit/gateway/doubles.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- What stands in for exchanges: answers "ok", unless it is told to hold back -------------- */

typedef struct Answerer {
    HttpStream *stream;
    ClientConnection *client;
} Answerer;

static Answerer *held; /* the last call that was not answered */
static bool hold_back;
static size_t answer_size;
static int n_calls, n_resets;
static const Fault *reset_by;
static int64_t call_began;
static char identity[64];
static Impact impact; /* of calls, from now on */

static bool outlives; /* a call goes on when its client has left: */
static Answerer *left;

static void leave(Answerer *a)
{
    if (a->stream)
        http_stream_release(a->stream);
    if (--a->client->n_exchanges == 0)
        a->client->on_unused(a->client);
    free(a);
}

static void answer(Answerer *a)
{
    HttpHead head = {.status = 200, .content_length = answer_size ? (int64_t)answer_size : 2};
    http_stream_send_head(a->stream, &head, false);
    if (answer_size) {
        uint8_t *body = calloc(1, answer_size);
        http_stream_send_body(a->stream, bytes(body, answer_size));
        free(body);
    } else {
        http_stream_send_body(a->stream, bytes_of("ok"));
    }
    http_stream_send_end(a->stream, NULL);
    leave(a);
}

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    http_stream_consume(stream, piece.size);
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    if (hold_back)
        held = owner;
    else
        answer(owner);
}

static void on_drain(void *owner, HttpStream *stream)
{
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    n_resets++;
    reset_by = why.error ? why.error->fault : NULL;
    if (held == owner)
        held = NULL;
    if (!outlives) {
        leave(owner);
        return;
    }
    left = owner;
    http_stream_release(left->stream);
    left->stream = NULL;
}

static const HttpStreamEvents stream_events = {on_head, on_body, on_end, on_drain, on_reset};

void client_drop_all(ClientConnection *client, Result why)
{
    Answerer *a = left;
    if (!a || a->client != client)
        return;
    left = NULL;
    leave(a);
}

/* Says "no" in place of an answer. */
uint32_t client_end_all(ClientConnection *client, Result why)
{
    Answerer *a = held;
    if (left && left->client == client) {
        client_drop_all(client, why);
        return 1;
    }
    if (!a || a->client != client)
        return 0;
    HttpHead head = {.status = 503, .content_length = 2};
    held = NULL;
    http_stream_send_head(a->stream, &head, false);
    http_stream_send_body(a->stream, bytes_of("no"));
    http_stream_send_end(a->stream, NULL);
    leave(a);
    return 1;
}

void client_accept(ClientConnection *client, HttpStream *stream, int64_t began)
{
    Answerer *a = calloc(1, sizeof(*a));
    *a = (Answerer){.stream = stream, .client = client};
    client->n_exchanges++;
    client->highest = (uint8_t)impact;
    n_calls++;
    call_began = began;
    snprintf(identity, sizeof(identity), "%s",
             client->certificate ? client->certificate->names[CERTIFICATE_SUBJECT] : "");
    http_stream_attach(stream, &stream_events, a);
}

/* ---- The client: a socket of the same loop --------------------------------------------------- */

static Loop loop;
static Config config;
static ConnectionSet set;
static atomic_uint n_in_process;
static Socket client;
static char received[1 << 16];
static size_t n_received;
static size_t n_arrived; /* also what `received` has no room for */
static bool client_ended, client_lost, client_closed, client_ready;
static bool went_empty;

static void client_on_ready(Socket *socket)
{
    client_ready = true;
}

static void client_on_read(Socket *socket, Bytes input)
{
    size_t room = sizeof(received) - 1 - n_received;
    size_t n = input.size < room ? input.size : room;
    memcpy(received + n_received, input.data, n);
    n_received += n;
    n_arrived += input.size;
    received[n_received] = '\0';
}

static void client_on_eof(Socket *socket)
{
    client_ended = true;
}

static void client_on_writable(Socket *socket)
{
}

static void client_on_lost(Socket *socket, Result why)
{
    client_lost = true;
}

static void client_on_closed(Socket *socket)
{
    client_closed = true;
}

static const SocketEvents client_events = {client_on_ready,    client_on_read, client_on_eof,
                                           client_on_writable, client_on_lost, client_on_closed};

static void on_empty(ConnectionSet *empty)
{
    went_empty = true;
}

static int fresh(void **state)
{
    config = config_for_test();
    held = NULL;
    hold_back = client_ended = client_lost = client_closed = client_ready = went_empty = false;
    answer_size = n_received = n_arrived = 0;
    received[0] = '\0';
    n_calls = n_resets = 0;
    reset_by = refused_fault = NULL;
    memset(counted, 0, sizeof(counted));
    n_in_process = 0;
    loop_init(&loop, 0);
    loop.config = &config;
    set = (ConnectionSet){.loop = &loop, .n_in_process = &n_in_process, .on_empty = on_empty};
    return 0;
}

static int used(void **state)
{
    if (held)
        answer(held);
    socket_close(&client);
    connections_abort(&set, OK);
    memory_waits_free(&loop);
    loop_deinit(&loop);
    assert_int_equal(set.n, 0);
    assert_int_equal(n_in_process, 0);
    assert_true(client_closed);
    return 0;
}

static void connect_with(SSL_CTX *server)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    connection_accept(&set, fds[0], &(struct sockaddr){.sa_family = AF_UNIX}, "unix:/test", server);
    socket_open(&client, &loop, &client_events, fds[1], false, NULL);
}

static bool is_ready(void)
{
    return client_ready;
}

static void connect_clear(void)
{
    connect_with(NULL);
    loop_run_until(&loop, is_ready);
}

static void say(const void *data, size_t size)
{
    struct iovec vector = {(void *)data, size};
    assert_int_equal(socket_write(&client, &vector, 1), size);
}

static void say_text(const char *text)
{
    say(text, strlen(text));
}

static bool has_ended(void)
{
    return client_ended || client_lost;
}

static bool has_body(void)
{
    return strstr(received, "\r\n\r\nok") != NULL;
}

static const char GET[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/* ---- Choice ---------------------------------------------------------------------------------- */

static void a_request_of_http1_is_answered_and_the_connection_kept(void **state)
{
    connect_clear();
    say_text(GET);
    loop_run_until(&loop, has_body);
    n_received = 0;
    received[0] = '\0';
    say_text(GET);
    loop_run_until(&loop, has_body);
    assert_int_equal(n_calls, 2);
    assert_false(client_ended);
    assert_int_equal(counted[COUNTER_CONNECTIONS_OPENED], 1);
}

static bool has_four(void)
{
    return n_calls == 4;
}

/* While the loop is crowded (read_order.h). */
static void it_is_read_by_the_impact_of_its_calls_and_in_pieces_if_it_brings_many(void **state)
{
    static const Impact impacts[] = {IMPACT_LOW, IMPACT_HIGH, IMPACT_CATASTROPHIC};
    static const ReadRank ranks[] = {READ_LOW, READ_HIGH, READ_URGENT};
    connect_clear();
    const Socket *socket = (const Socket *)set.first;
    assert_int_equal(socket->rank, READ_URGENT); /* nobody knows what it brings */
    for (int i = 0; i < 3; i++) {
        impact = impacts[i];
        n_received = 0;
        received[0] = '\0';
        say_text(GET);
        loop_run_until(&loop, has_body);
        assert_int_equal(socket->rank, ranks[i]);
        assert_false(socket->floods);
    }
    n_calls = 0;
    say_text("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"
             "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
    loop_run_until(&loop, has_four);
    assert_true(socket->floods);
    impact = IMPACT_LOW;
}

static void it_is_known_to_the_order_of_reading_whose_it_is(void **state)
{
    static const IpAddress nobody = {.known = false};
    for (loop.seed = 1; sender_of(&nobody, loop.seed) == 0; loop.seed++)
        continue;
    connect_clear();
    say_text(GET);
    loop_run_until(&loop, has_body);
    assert_int_equal(((const Socket *)set.first)->client, sender_of(&nobody, loop.seed));
}

/* What an HTTP/2 client sends first: preface, SETTINGS, and a GET. */
static size_t http2_request(uint8_t *bytes_out)
{
    static const uint8_t rest[] = {
        0,    0,    0,    4,    0,    0,
        0,    0,    0, /* SETTINGS */
        0,    0,    6,    1,    5,    0,
        0,    0,    1,                     /* HEADERS, END_STREAM and END_HEADERS, stream 1 */
        0x82, 0x86, 0x84, 0x01, 0x01, 'x', /* GET, http, "/"; :authority "x" */
    };
    memcpy(bytes_out, HTTP2_PREFACE, 24);
    memcpy(bytes_out + 24, rest, sizeof(rest));
    return 24 + sizeof(rest);
}

/* An answer's HEADERS frame on stream 1. */
static bool has_http2_answer(void)
{
    for (size_t at = 0; at + 9 <= n_received;) {
        const uint8_t *f = (const uint8_t *)received + at;
        if (f[3] == 1 && f[8] == 1)
            return true;
        at += 9 + ((size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2]);
    }
    return false;
}

static size_t split_at;
static uint8_t request[64];
static size_t request_size;

static bool first_part_is_read(void)
{
    static int turns;
    return ++turns % 3 == 0;
}

static bool is_closed(void)
{
    return client_closed;
}

static void the_preface_of_http2_is_known_at_every_split(void **state)
{
    request_size = http2_request(request);
    for (split_at = 1; split_at < request_size; split_at += split_at < 30 ? 1 : 4) {
        client_ready = false;
        n_received = 0;
        connect_clear();
        say(request, split_at);
        loop_run_until(&loop, first_part_is_read);
        say(request + split_at, request_size - split_at);
        loop_run_until(&loop, has_http2_answer);
        client_closed = false;
        socket_close(&client);
        loop_run_until(&loop, is_closed);
    }
    connect_clear();
}

static void a_method_that_begins_as_the_preface_is_http1(void **state)
{
    connect_clear();
    say_text("P");
    loop_run_until(&loop, first_part_is_read);
    say_text("OST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    loop_run_until(&loop, has_body);
    assert_int_equal(n_calls, 1);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void a_connection_that_says_nothing_is_closed(void **state)
{
    connect_clear();
    loop_run_until(&loop, has_ended);
    assert_int_equal(counted[COUNTER_CONNECTION_TIMEOUT], 0);
}

static void half_a_preface_does_not_wait_for_ever(void **state)
{
    connect_clear();
    int64_t began = clock_now();
    say_text("PRI * HT");
    loop_run_until(&loop, has_ended);
    assert_true(clock_now() - began >= config.limits.head_time);
    assert_int_equal(counted[COUNTER_CONNECTION_TIMEOUT], 1);
}

static Timer drip;

static void drip_on(Timer *timer)
{
    if (has_ended() || client.state != SOCKET_OPEN)
        return;
    struct iovec vector = {"x", 1};
    socket_write(&client, &vector, 1);
    timer_start(&loop.timers, timer, loop.now + 20 * MILLISECOND);
}

static void a_head_that_drips_in_does_not_renew_its_time(void **state)
{
    connect_clear();
    int64_t began = clock_now();
    say_text("GET / HTTP/1.1\r\nX: ");
    drip.fire = drip_on;
    timer_start(&loop.timers, &drip, 0);
    loop_run_until(&loop, has_ended);
    timer_stop(&loop.timers, &drip);
    int64_t took = clock_now() - began;
    assert_true(took >= config.limits.head_time && took < 20 * config.limits.head_time);
    assert_int_equal(counted[COUNTER_CONNECTION_TIMEOUT], 1);
}

static bool rest_is_said;
static int64_t rest_said_at;

static void say_the_rest(Timer *timer)
{
    rest_said_at = clock_now();
    rest_is_said = true;
    say_text("Host: x\r\n\r\n");
}

/* So that its deadline counts from there. */
static void a_call_begins_with_the_first_byte_of_its_head(void **state)
{
    connect_clear();
    say_text("GET / HTTP/1.1\r\n");
    drip.fire = say_the_rest;
    rest_is_said = false;
    timer_start(&loop.timers, &drip, loop.now + 30 * MILLISECOND);
    loop_run_until(&loop, has_body);
    assert_true(rest_is_said);
    assert_true(call_began < rest_said_at - 10 * MILLISECOND);
}

static void a_body_that_stops_coming_ends_the_call(void **state)
{
    connect_clear();
    say_text("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    loop_run_until(&loop, has_ended);
    assert_int_equal(n_resets, 1);
    assert_ptr_equal(reset_by, &FAULT_REQUEST_TIMEOUT);
    assert_non_null(strstr(received, "HTTP/1.1 408 "));
}

static bool was_reset(void)
{
    return n_resets > 0 || counted[COUNTER_CONNECTION_TIMEOUT] > 0;
}

static void a_peer_that_takes_nothing_is_put_out(void **state)
{
    connect_clear();
    answer_size = 8 << 20;
    socket_pause(&client);
    say_text(GET);
    loop_run_until(&loop, was_reset);
    assert_int_equal(counted[COUNTER_CONNECTION_TIMEOUT], 1);
}

static void a_peer_whose_window_stays_closed_is_put_out(void **state)
{
    connect_clear();
    answer_size = 200 * 1024; /* more than the window of 64 KiB that HTTP/2 begins with */
    int64_t began = clock_now();
    request_size = http2_request(request);
    say(request, request_size);
    loop_run_until(&loop, was_reset);
    assert_true(clock_now() - began >= config.limits.send_time);
    assert_int_equal(counted[COUNTER_CONNECTION_TIMEOUT], 1);
}

static void a_handshake_that_does_not_come_ends(void **state)
{
    Authority authority = authority_new();
    SSL_CTX *context = server_context(&authority, "x", true, NULL);
    connect_with(context);
    loop_run_until(&loop, has_ended);
    assert_int_equal(counted[COUNTER_HANDSHAKE_FAILED], 1);
    SSL_CTX_free(context);
    authority_free(&authority);
}

static bool is_held(void)
{
    return held != NULL;
}

static void a_call_at_work_is_not_hurried(void **state)
{
    connect_clear();
    hold_back = true;
    say_text(GET);
    loop_run_until(&loop, is_held);
    int64_t until = clock_now() + 2 * config.limits.idle_time;
    while (clock_now() < until)
        loop_run_until(&loop, is_held);
    assert_non_null(held);
    answer(held);
    held = NULL;
    loop_run_until(&loop, has_body);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

enum { LIMIT = 4 * 1024 * 1024 };

static Account *hog; /* of this client */

static void hog_begin(void)
{
    hog = account_open(&(IpAddress){.known = false});
    memory_settle();
    memory_set_limit(LIMIT);
}

static void hog_holds(int64_t more)
{
    account_add(hog, more);
    memory_add(MEMORY_CALLS, more);
    memory_settle();
}

static void hog_end(int64_t held_by_it)
{
    hog_holds(-held_by_it);
    memory_set_limit(UINT64_MAX);
    account_close(hog);
}

static void say_half_a_head(void)
{
    char value[2000];
    memset(value, 'y', sizeof value);
    say_text("GET / HTTP/1.1\r\nHost: x\r\nX: ");
    say(value, sizeof value);
}

static void assert_head_refused(void)
{
    assert_non_null(strstr(received, "HTTP/1.1 429 "));
    assert_non_null(strstr(received, "retry-after: 1\r\n"));
    assert_non_null(strstr(received, "connection: close\r\n"));
    assert_int_equal(counted[COUNTER_MEMORY_SHARE], 1);
    assert_int_equal(counted[COUNTER_MEMORY_FULL], 0);
    assert_int_equal(n_calls, 0);
}

static void a_head_that_memory_is_refused_for_is_answered_and_counted(void **state)
{
    hog_begin();
    hog_holds(LIMIT - LIMIT / 4 + MEMORY_STEP);
    connect_clear();
    say_half_a_head();
    loop_run_until(&loop, has_ended);
    assert_head_refused();
    hog_end(LIMIT - LIMIT / 4 + MEMORY_STEP);
}

static bool a_head_waits(void)
{
    return loop.memory_waits != NULL;
}

static bool some_turns_have_passed(void)
{
    static int turns;
    return ++turns % 20 == 0;
}

/* It was granted before, and is ended above the limit: not at it. */
static void a_head_that_does_not_end_is_shed_above_the_limit(void **state)
{
    hog_begin();
    connect_clear();
    say_half_a_head();
    loop_run_until(&loop, a_head_waits);
    hog_holds(LIMIT - LIMIT / 16);
    loop_run_until(&loop, some_turns_have_passed);
    assert_false(has_ended());
    hog_holds(LIMIT / 8);
    loop_run_until(&loop, has_ended);
    assert_head_refused();
    hog_end(LIMIT - LIMIT / 16 + LIMIT / 8);
}

static void a_head_that_comes_to_its_end_is_not_shed(void **state)
{
    hog_begin();
    connect_clear();
    say_half_a_head();
    loop_run_until(&loop, a_head_waits);
    say_text("\r\n\r\n");
    hold_back = true;
    loop_run_until(&loop, is_held);
    hog_holds(2 * LIMIT);
    loop_run_until(&loop, some_turns_have_passed);
    hog_holds(-2 * LIMIT);
    answer(held);
    held = NULL;
    loop_run_until(&loop, has_body);
    assert_int_equal(counted[COUNTER_MEMORY_SHARE], 0);
    hog_end(0);
}

/* ---- The end --------------------------------------------------------------------------------- */

static void connections_over_the_limit_are_refused(void **state)
{
    config.limits.connections = 0;
    connect_with(NULL);
    loop_run_until(&loop, has_ended);
    assert_int_equal(counted[COUNTER_CONNECTIONS_REFUSED], 1);
    assert_int_equal(set.n, 0);
}

static void a_client_that_breaks_the_rules_is_answered_and_sent_away(void **state)
{
    connect_clear();
    say_text("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n");
    loop_run_until(&loop, has_ended);
    assert_non_null(strstr(received, "HTTP/1.1 400 "));
    assert_int_equal(counted[COUNTER_CONNECTION_BROKEN], 1);
    assert_true(client_ended);
}

/* How much the kernel keeps for a peer that does not read. */
static size_t kernel_room(void)
{
    static const uint8_t piece[16 * 1024];
    int fds[2];
    size_t room = 0;
    ssize_t n;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    while ((n = write(fds[0], piece, sizeof(piece))) > 0)
        room += (size_t)n;
    close(fds[0]);
    close(fds[1]);
    return room;
}

static int64_t paused_until;

static bool pause_is_over(void)
{
    return clock_now() > paused_until;
}

/* The last bytes do not go into the kernel, and are not given up while it has no room. */
static void an_answer_is_sent_to_its_end_before_the_connection_goes(void **state)
{
    connect_clear();
    config.limits.send_time = 20 * SECOND;
    answer_size = kernel_room() + 16 * 1024;
    socket_pause(&client);
    say_text("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    paused_until = clock_now() + 2500 * MILLISECOND;
    loop_run_until(&loop, pause_is_over);
    socket_resume(&client);
    loop_run_until(&loop, has_ended);
    assert_true(n_arrived > answer_size);
    assert_true(client_ended);
}

static void a_client_that_leaves_is_told_to_its_call(void **state)
{
    connect_clear();
    hold_back = true;
    say_text(GET);
    loop_run_until(&loop, is_held);
    socket_close(&client);
    loop_run_until(&loop, was_reset);
    assert_ptr_equal(reset_by, &FAULT_CANCELLED);
}

static bool has_answered(void)
{
    return n_calls == 1 && set.n == 1;
}

static bool no_connection_is_left(void)
{
    return set.n == 0;
}

/* The call has ended well by then: nobody else could tell of its failure. */
static void a_response_that_does_not_go_out_to_its_end_is_recorded_as_lost(void **state)
{
    connect_clear();
    answer_size = kernel_room() + 16 * 1024;
    socket_pause(&client);
    say_text(GET);
    loop_run_until(&loop, has_answered);
    assert_null(refused_fault);
    socket_close(&client);
    loop_run_until(&loop, no_connection_is_left);
    assert_int_equal(n_resets, 0);
    assert_ptr_equal(refused_fault, &FAULT_CANCELLED);
    assert_int_equal(refused_code, CODE_CANCELLED);
    assert_int_equal(counted[COUNTER_CONNECTION_BROKEN], 1);
    assert_int_equal(counted[COUNTER_CONNECTION_LOST], 0);
}

/* The client has not read the SETTINGS, so its end is a reset. */
static void a_connection_that_is_lost_without_a_call_is_counted(void **state)
{
    connect_clear();
    socket_pause(&client);
    say(HTTP2_PREFACE, strlen(HTTP2_PREFACE));
    loop_run_until(&loop, first_part_is_read);
    socket_close(&client);
    loop_run_until(&loop, no_connection_is_left);
    assert_null(refused_fault);
    assert_int_equal(counted[COUNTER_CONNECTION_BROKEN], 0);
    assert_int_equal(counted[COUNTER_CONNECTION_LOST], 1);
}

static bool is_empty(void)
{
    return set.n == 0;
}

static bool no_socket_is_open(void)
{
    return n_in_process == 0;
}

/* The call goes on after its client has gone: what it knows of the client must stay. */
static void a_connection_outlives_its_socket_while_a_call_looks_at_it(void **state)
{
    connect_clear();
    hold_back = true;
    say_text(GET);
    loop_run_until(&loop, is_held);
    ClientConnection *known = held->client;
    known->n_exchanges++;
    socket_close(&client);
    loop_run_until(&loop, was_reset);
    loop_run_until(&loop, no_socket_is_open);
    assert_int_equal(set.n, 1);
    assert_string_equal(known->peer, "unix");
    assert_string_equal(known->listener, "unix:/test");
    known->n_exchanges--;
    known->on_unused(known);
    assert_int_equal(set.n, 0);
    assert_true(went_empty);
}

static void draining_lets_a_call_finish_and_closes(void **state)
{
    connect_clear();
    hold_back = true;
    say_text(GET);
    loop_run_until(&loop, is_held);
    loop.draining = true;
    connections_drain(&set);
    assert_non_null(held);
    answer(held);
    held = NULL;
    loop_run_until(&loop, has_ended);
    assert_true(has_body());
    assert_non_null(strstr(received, "onnection: close"));
    socket_close(&client);
    loop_run_until(&loop, is_empty);
    assert_int_equal(n_resets, 0);
}

static void a_new_connection_is_given_its_first_request_when_draining(void **state)
{
    connect_clear();
    loop.draining = true;
    connections_drain(&set);
    say_text(GET);
    loop_run_until(&loop, has_ended);
    assert_true(has_body());
}

/* What the connection says by itself to a request that it refuses; one origin may read it. */
static void refuse(const char *text)
{
    static const char *const origins[] = {"https://panel.example"};
    config.cors = (Cors){.origins = origins, .n_origins = 1};
    connect_clear();
    say_text(text);
    loop_run_until(&loop, has_ended);
    assert_non_null(strstr(received, "HTTP/1.1 400 "));
    assert_int_equal(n_calls, 0);
}

static void what_the_connection_refuses_by_itself_can_be_quoted(void **state)
{
    refuse("GET x HTTP/1.1\r\n");
    const char *id = strstr(received, "\r\nx-request-id: ");
    assert_non_null(id);
    assert_int_equal(strcspn(id + strlen("\r\nx-request-id: "), "\r"), REQUEST_ID_SIZE);
    assert_non_null(strstr(received, "\r\ndate: "));
    assert_non_null(strstr(received, "\r\nvary: origin\r\n"));
    assert_null(strstr(received, "access-control-allow-origin")); /* no origin is known */
}

static void what_the_connection_refuses_by_itself_can_be_read_by_a_page(void **state)
{
    refuse("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nOrigin: https://panel.example\r\n\r\n");
    assert_non_null(strstr(received, "access-control-allow-origin: https://panel.example\r\n"));
    assert_non_null(strstr(received, "\r\nvary: origin\r\n"));
}

static void refuse_with(const char *text, const char *line, const Fault *fault)
{
    connect_clear();
    say_text(text);
    loop_run_until(&loop, has_ended);
    assert_non_null(strstr(received, line));
    assert_non_null(strstr(received, "\"reason\":\""));
    assert_non_null(strstr(received, fault->name));
    assert_ptr_equal(refused_fault, fault);
    assert_int_equal(refused_code, fault->grpc_status);
    assert_int_equal(n_calls, 0);
}

static void a_malformed_head_has_a_reason_and_is_recorded(void **state)
{
    refuse_with("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400 ",
                &FAULT_PROTOCOL_VIOLATION);
}

static void an_expectation_that_cannot_be_met_has_a_reason_and_is_recorded(void **state)
{
    refuse_with("GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", "HTTP/1.1 417 ",
                &FAULT_EXPECTATION_FAILED);
}

static bool has_two_bodies(void)
{
    const char *first = strstr(received, "\r\n\r\nok");
    return first && strstr(first + 1, "\r\n\r\nok");
}

static void a_reused_connection_is_given_its_next_request_when_draining(void **state)
{
    connect_clear();
    say_text(GET);
    loop_run_until(&loop, has_body);
    loop.draining = true;
    connections_drain(&set);
    assert_null(strstr(received, "onnection: close"));
    say_text(GET);
    loop_run_until(&loop, has_ended);
    assert_true(has_two_bodies());
    assert_non_null(strstr(received, "onnection: close"));
}

static void an_idle_connection_that_drains_is_waited_for_a_second(void **state)
{
    config.limits.idle_time = 20 * SECOND;
    connect_clear();
    say_text(GET);
    loop_run_until(&loop, has_body);
    loop.draining = true;
    connections_drain(&set);
    int64_t began = loop.now;
    loop_run_until(&loop, has_ended);
    assert_in_range(loop.now - began, 900 * MILLISECOND, 5 * SECOND);
}

/* What was sent before has been read. */
static bool has_turned(void)
{
    static int turns;
    return ++turns % 5 == 0;
}

static void half_a_head_is_not_called_late_when_draining(void **state)
{
    config.limits.head_time = 20 * SECOND;
    connect_clear();
    say_text("GET / HT");
    loop_run_until(&loop, has_turned);
    loop.draining = true;
    connections_drain(&set);
    int64_t began = loop.now;
    loop_run_until(&loop, has_ended);
    assert_in_range(loop.now - began, 900 * MILLISECOND, 5 * SECOND);
    assert_string_equal(received, "");
    assert_int_equal(counted[COUNTER_CONNECTION_TIMEOUT], 0);
}

/* ---- Notices: of the end, and of limits.max_age ---------------------------------------------- */

static const int64_t AGE = 400 * MILLISECOND;

static uint32_t number_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Counts GOAWAY, and gives the last id of the newest. */
static int goaways_in(const uint8_t *data, size_t size, uint32_t *last_out)
{
    int n = 0;
    for (size_t at = 0; at + 9 <= size; at += 9 + (number_at(data + at) >> 8)) {
        if (data[at + 3] != 7)
            continue;
        n++;
        *last_out = number_at(data + at + 9);
    }
    return n;
}

static uint32_t last_call; /* of the newest GOAWAY */

static int n_goaways(void)
{
    return goaways_in((const uint8_t *)received, n_received, &last_call);
}

static bool has_goaway(void)
{
    return n_goaways() >= 1;
}

static bool has_two_goaways(void)
{
    return n_goaways() >= 2;
}

static void connect_to_be_old(void)
{
    config.limits.idle_time = 20 * SECOND;
    config.limits.max_age = AGE;
    connect_clear();
}

static void begin_http2_call(void)
{
    hold_back = true;
    request_size = http2_request(request);
    say(request, request_size);
    loop_run_until(&loop, is_held);
}

static void answer_held(void)
{
    answer(held);
    held = NULL;
}

static const uint8_t SECOND_CALL[] = {0, 0, 6, 1, 5, 0, 0, 0, 3, 0x82, 0x86, 0x84, 0x01, 0x01, 'x'};

static void expect_last_notice(int64_t least, int64_t most)
{
    loop_run_until(&loop, has_goaway);
    int64_t began = loop.now;
    assert_int_equal(last_call, INT32_MAX);
    loop_run_until(&loop, has_two_goaways);
    assert_in_range(loop.now - began, least, most);
    assert_int_equal(last_call, 1);
    say(SECOND_CALL, sizeof SECOND_CALL);
    loop_run_until(&loop, has_turned);
    assert_int_equal(n_calls, 1);
    assert_false(has_ended());
    answer_held();
    loop_run_until(&loop, has_ended);
    assert_true(has_http2_answer());
    assert_int_equal(n_goaways(), 2);
    assert_false(client_lost);
}

static void who_does_not_acknowledge_is_told_after_a_second_that_no_call_is_taken(void **state)
{
    connect_to_be_old();
    begin_http2_call();
    expect_last_notice(700 * MILLISECOND, 5 * SECOND);
}

static void the_same_holds_when_draining(void **state)
{
    config.limits.idle_time = 20 * SECOND;
    connect_clear();
    begin_http2_call();
    loop.draining = true;
    connections_drain(&set);
    expect_last_notice(700 * MILLISECOND, 5 * SECOND);
}

static void until_the_second_notice_calls_are_taken(void **state)
{
    connect_to_be_old();
    begin_http2_call();
    Answerer *first = held;
    held = NULL;
    loop_run_until(&loop, has_goaway);
    say(SECOND_CALL, sizeof SECOND_CALL);
    loop_run_until(&loop, is_held);
    answer(first);
    answer_held();
    loop_run_until(&loop, has_two_goaways);
    assert_int_equal(last_call, 3);
    loop_run_until(&loop, has_ended);
    assert_int_equal(n_calls, 2);
}

static void who_acknowledges_is_told_at_once(void **state)
{
    static const uint8_t ack[] = {0, 0, 8, 6, 1, 0, 0, 0, 0, 'd', 'r', 'a', 'i', 'n', 0, 0, 0};
    connect_to_be_old();
    begin_http2_call();
    loop_run_until(&loop, has_goaway);
    say(ack, sizeof ack);
    expect_last_notice(0, 700 * MILLISECOND);
}

static void a_connection_of_http2_without_calls_is_told_of_its_age(void **state)
{
    connect_to_be_old();
    int64_t began = loop.now;
    request_size = http2_request(request);
    say(request, 24 + 9);
    loop_run_until(&loop, has_goaway);
    assert_in_range(loop.now - began, AGE * 3 / 4, AGE + SECOND / 2);
    assert_int_equal(last_call, INT32_MAX);
    began = loop.now;
    loop_run_until(&loop, has_ended);
    assert_in_range(loop.now - began, 900 * MILLISECOND, 5 * SECOND);
    assert_int_equal(n_goaways(), 2);
    assert_int_equal(last_call, 0);
    assert_false(client_lost);
}

static void an_idle_connection_of_http2_is_told_which_call_was_its_last(void **state)
{
    connect_clear();
    begin_http2_call();
    answer_held();
    loop_run_until(&loop, has_ended);
    assert_int_equal(n_goaways(), 1);
    assert_int_equal(last_call, 1);
}

static void expect_end_of_old(int64_t began)
{
    loop_run_until(&loop, has_ended);
    assert_in_range(loop.now - began, AGE * 3 / 4 + SECOND, AGE + 5 * SECOND);
    assert_null(strstr(received, "onnection: close"));
    assert_int_equal(counted[COUNTER_CONNECTION_TIMEOUT], 0);
}

static void a_connection_that_says_nothing_is_closed_after_its_age(void **state)
{
    connect_to_be_old();
    expect_end_of_old(loop.now);
    assert_string_equal(received, "");
}

static void an_idle_connection_of_http1_is_closed_after_its_age(void **state)
{
    connect_to_be_old();
    int64_t began = loop.now;
    say_text(GET);
    loop_run_until(&loop, has_body);
    expect_end_of_old(began);
}

static bool is_past_its_age(void)
{
    return clock_now() > paused_until;
}

static void a_request_within_a_second_of_the_age_is_answered_with_close(void **state)
{
    for (int n_before = 0; n_before < 2; n_before++) {
        if (n_before) {
            client_closed = false;
            socket_close(&client);
            loop_run_until(&loop, is_closed);
            used(NULL);
            fresh(NULL);
        }
        connect_to_be_old();
        paused_until = clock_now() + AGE + SECOND / 4;
        if (n_before) {
            say_text(GET);
            loop_run_until(&loop, has_body);
            assert_null(strstr(received, "onnection: close"));
        }
        loop_run_until(&loop, is_past_its_age);
        assert_false(has_ended());
        say_text(GET);
        loop_run_until(&loop, has_ended);
        assert_true(n_before ? has_two_bodies() : has_body());
        assert_non_null(strstr(received, "onnection: close"));
        assert_false(client_lost);
    }
}

static void half_a_head_has_its_time_whatever_the_age(void **state)
{
    config.limits.head_time = 2 * SECOND;
    connect_to_be_old();
    int64_t began = loop.now;
    say_text("GET / HT");
    loop_run_until(&loop, has_ended);
    assert_in_range(loop.now - began, 2 * SECOND, 10 * SECOND);
    assert_int_equal(counted[COUNTER_CONNECTION_TIMEOUT], 1);
}

enum { CROWD = 100, MANY = 60 };

typedef struct Member {
    int fd;
    int64_t told_at;
} Member;

static Member crowd[CROWD];

static bool all_are_told(void)
{
    bool all = true;
    for (int i = 0; i < CROWD; i++) {
        uint8_t data[256];
        uint32_t last;
        ssize_t n = crowd[i].told_at ? 0 : read(crowd[i].fd, data, sizeof data);
        if (n > 0 && goaways_in(data, (size_t)n, &last))
            crowd[i].told_at = clock_now();
        all = all && crowd[i].told_at;
    }
    return all;
}

static int by_time(const void *one, const void *other)
{
    const Member *a = one, *b = other;
    return (a->told_at > b->told_at) - (a->told_at < b->told_at);
}

static void connections_that_came_together_are_told_one_by_one(void **state)
{
    config.limits.connections = CROWD + 1;
    connect_to_be_old();
    int64_t began = loop.now;
    config.limits.max_age = SECOND;
    request_size = http2_request(request);
    for (int i = 0; i < CROWD; i++) {
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
                         0);
        connection_accept(&set, fds[0], &(struct sockaddr){.sa_family = AF_UNIX}, "unix:/test",
                          NULL);
        crowd[i] = (Member){.fd = fds[1]};
        assert_int_equal(write(crowd[i].fd, request, 24 + 9), 24 + 9);
    }
    loop_run_until(&loop, all_are_told);
    qsort(crowd, CROWD, sizeof *crowd, by_time);
    assert_true(crowd[0].told_at - began >= SECOND * 8 / 10);
    assert_true(crowd[0].told_at - began < SECOND * 9 / 10);
    assert_true(crowd[CROWD - 1].told_at - began > SECOND * 9 / 10);
    assert_true(crowd[CROWD - 1].told_at - began < SECOND * 13 / 10); /* if the machine is slow */
    for (int i = 0; i + MANY < CROWD; i++)
        assert_true(crowd[i + MANY].told_at - crowd[i].told_at > 20 * MILLISECOND);
    for (int i = 0; i < CROWD; i++)
        close(crowd[i].fd);
}

static Result the_end(void)
{
    return FAIL(loop_scratch(&loop), FAULT_SHUTTING_DOWN, "the gateway stops");
}

static void a_call_that_is_cut_off_is_told_before_its_connection_ends(void **state)
{
    connect_clear();
    hold_back = true;
    say_text(GET);
    loop_run_until(&loop, is_held);
    loop.draining = true;
    connections_drain(&set);
    assert_int_equal(connections_cut(&set, the_end()), 1);
    loop_run_until(&loop, has_ended);
    assert_non_null(strstr(received, "HTTP/1.1 503 "));
    assert_non_null(strstr(received, "\r\n\r\nno"));
    assert_false(client_lost);
    socket_close(&client);
    loop_run_until(&loop, is_empty);
    assert_int_equal(n_resets, 0);
}

/* Its client is gone, and the set is not empty until it has ended. */
static void outlive(void)
{
    connect_clear();
    hold_back = outlives = true;
    say_text(GET);
    loop_run_until(&loop, is_held);
    socket_close(&client);
    loop_run_until(&loop, was_reset);
    loop_run_until(&loop, no_socket_is_open);
    assert_int_equal(set.n, 1);
}

static void a_call_that_outlives_its_client_is_waited_for_and_cut_off_in_the_end(void **state)
{
    outlive();
    loop.draining = true;
    connections_drain(&set);
    assert_int_equal(set.n, 1);
    assert_int_equal(connections_cut(&set, the_end()), 1);
    assert_int_equal(set.n, 0);
    outlives = false;
}

static void a_call_that_outlives_its_client_ends_with_the_loop(void **state)
{
    outlive();
    connections_abort(&set, the_end());
    assert_int_equal(set.n, 0);
    outlives = false;
}

static void a_connection_without_calls_ends_at_once_when_calls_are_cut_off(void **state)
{
    config.limits.idle_time = 20 * SECOND;
    connect_clear();
    say_text(GET);
    loop_run_until(&loop, has_body);
    loop.draining = true;
    connections_drain(&set);
    int64_t began = loop.now;
    assert_int_equal(connections_cut(&set, the_end()), 0);
    loop_run_until(&loop, is_empty);
    assert_true(loop.now - began < 900 * MILLISECOND);
}

static void the_identity_of_a_client_is_its_certificates_subject(void **state)
{
    Authority authority = authority_new();
    SSL_CTX *server = server_context(&authority, "shop.example", false, &authority);
    SSL_CTX *context = client_context(&authority, &authority, "panel");
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    SSL *tls = SSL_new(context);
    SSL_set_fd(tls, fds[1]);
    connection_accept(&set, fds[0], &(struct sockaddr){.sa_family = AF_UNIX}, "unix:/test", server);
    while (SSL_connect(tls) != 1)
        loop_run_until(&loop, first_part_is_read);
    assert_int_equal(SSL_write(tls, GET, (int)strlen(GET)), strlen(GET));
    while (n_calls == 0)
        loop_run_until(&loop, first_part_is_read);
    assert_string_equal(identity, "CN=panel,O=Shop");
    SSL_free(tls);
    close(fds[1]);
    SSL_CTX_free(context);
    SSL_CTX_free(server);
    authority_free(&authority);
    client.state = SOCKET_CLOSING; /* there is none */
    client_closed = true;
}

#define connection_test(f) cmocka_unit_test_setup_teardown(f, fresh, used)

int main(void)
{
    const struct CMUnitTest tests[] = {
        connection_test(a_request_of_http1_is_answered_and_the_connection_kept),
        connection_test(it_is_read_by_the_impact_of_its_calls_and_in_pieces_if_it_brings_many),
        connection_test(it_is_known_to_the_order_of_reading_whose_it_is),
        connection_test(the_preface_of_http2_is_known_at_every_split),
        connection_test(a_method_that_begins_as_the_preface_is_http1),
        connection_test(a_connection_that_says_nothing_is_closed),
        connection_test(half_a_preface_does_not_wait_for_ever),
        connection_test(a_head_that_drips_in_does_not_renew_its_time),
        connection_test(a_call_begins_with_the_first_byte_of_its_head),
        connection_test(a_body_that_stops_coming_ends_the_call),
        connection_test(a_peer_that_takes_nothing_is_put_out),
        connection_test(a_peer_whose_window_stays_closed_is_put_out),
        connection_test(a_handshake_that_does_not_come_ends),
        connection_test(a_call_at_work_is_not_hurried),
        connection_test(a_head_that_memory_is_refused_for_is_answered_and_counted),
        connection_test(a_head_that_does_not_end_is_shed_above_the_limit),
        connection_test(a_head_that_comes_to_its_end_is_not_shed),
        connection_test(connections_over_the_limit_are_refused),
        connection_test(a_client_that_breaks_the_rules_is_answered_and_sent_away),
        connection_test(an_answer_is_sent_to_its_end_before_the_connection_goes),
        connection_test(a_client_that_leaves_is_told_to_its_call),
        connection_test(a_response_that_does_not_go_out_to_its_end_is_recorded_as_lost),
        connection_test(a_connection_that_is_lost_without_a_call_is_counted),
        connection_test(a_connection_outlives_its_socket_while_a_call_looks_at_it),
        connection_test(draining_lets_a_call_finish_and_closes),
        connection_test(a_new_connection_is_given_its_first_request_when_draining),
        connection_test(what_the_connection_refuses_by_itself_can_be_quoted),
        connection_test(what_the_connection_refuses_by_itself_can_be_read_by_a_page),
        connection_test(a_malformed_head_has_a_reason_and_is_recorded),
        connection_test(an_expectation_that_cannot_be_met_has_a_reason_and_is_recorded),
        connection_test(a_reused_connection_is_given_its_next_request_when_draining),
        connection_test(half_a_head_is_not_called_late_when_draining),
        connection_test(an_idle_connection_that_drains_is_waited_for_a_second),
        connection_test(who_does_not_acknowledge_is_told_after_a_second_that_no_call_is_taken),
        connection_test(the_same_holds_when_draining),
        connection_test(until_the_second_notice_calls_are_taken),
        connection_test(who_acknowledges_is_told_at_once),
        connection_test(a_connection_of_http2_without_calls_is_told_of_its_age),
        connection_test(an_idle_connection_of_http2_is_told_which_call_was_its_last),
        connection_test(a_connection_that_says_nothing_is_closed_after_its_age),
        connection_test(an_idle_connection_of_http1_is_closed_after_its_age),
        connection_test(a_request_within_a_second_of_the_age_is_answered_with_close),
        connection_test(half_a_head_has_its_time_whatever_the_age),
        connection_test(connections_that_came_together_are_told_one_by_one),
        connection_test(a_call_that_is_cut_off_is_told_before_its_connection_ends),
        connection_test(a_call_that_outlives_its_client_is_waited_for_and_cut_off_in_the_end),
        connection_test(a_call_that_outlives_its_client_ends_with_the_loop),
        connection_test(a_connection_without_calls_ends_at_once_when_calls_are_cut_off),
        connection_test(the_identity_of_a_client_is_its_certificates_subject),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
