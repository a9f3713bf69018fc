#include "tests/unit/check.h"

#include "base/arena.h"
#include "gateway/loop/socket.h"
#include "gateway/upstream/upstream_internal.h"
#include "tests/unit/gateway/certificates.h"
#include "tests/unit/gateway/dns_server.h"
#include "tests/unit/gateway/doubles.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static Loop loop;
static Config config;
static Service service;
static Instance instance;
static DnsServer dns;
static DnsName names[3];

/* ---- The instance: a server on the same loop ------------------------------------------------- */

enum { MAX_SERVED = 600 };

typedef struct Served {
    Socket socket;
    HttpConnection *http;
    int door;
    bool closed;
} Served;

/* On 127.0.0.1, 127.0.0.2 and 127.0.0.3. */
typedef struct Door {
    uv_poll_t poll;
    int fd;
    bool open;
} Door;

enum { DOORS = 3 };

static Door doors[DOORS];
static SSL_CTX *door_tls;
static Served *served[MAX_SERVED]; /* connections, in the order of their coming */
static int n_served, n_served_open;
static HttpStream *asked[MAX_SERVED]; /* requests that were not answered */
static int n_asked;
static int n_requests[DOORS]; /* that came through each */
static HttpLimits server_limits;
static bool serve_http2, mute; /* mute: accepts and says nothing */
static bool deaf;              /* hears nothing any more on the first connection */

static Served *served_of(Socket *socket)
{
    return (Served *)socket;
}

static void served_flush(Served *s)
{
    struct iovec vectors[16];
    int n;
    while (s->http && (n = http_connection_output(s->http, vectors, 16)) > 0) {
        size_t total = 0;
        for (int i = 0; i < n; i++)
            total += vectors[i].iov_len;
        size_t taken = socket_write(&s->socket, vectors, n);
        http_connection_sent(s->http, taken);
        if (taken < total)
            return;
    }
}

static void request_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
}

static void request_body(void *owner, HttpStream *stream, Bytes piece)
{
    http_stream_consume(stream, piece.size);
}

static void request_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    assert_true(n_asked < MAX_SERVED);
    asked[n_asked++] = stream;
    n_requests[((Served *)owner)->door]++;
}

static void request_drain(void *owner, HttpStream *stream)
{
}

static void request_reset(void *owner, HttpStream *stream, Result why)
{
    for (int i = 0; i < n_asked; i++) {
        if (asked[i] == stream)
            asked[i] = asked[--n_asked];
    }
    http_stream_release(stream);
}

static const HttpStreamEvents request_events = {request_head, request_body, request_end,
                                                request_drain, request_reset};

static void on_stream(void *owner, HttpConnection *http, HttpStream *stream, const HttpHead *head)
{
    http_stream_attach(stream, &request_events, owner);
}

static const HttpConnectionEvents served_events = {.on_stream = on_stream};

static void served_ready(Socket *socket)
{
    Served *s = served_of(socket);
    if (mute)
        return;
    s->http = (serve_http2 ? http2_server_new : http1_server_new)(&server_limits, false,
                                                                  &served_events, s);
    served_flush(s);
}

static void served_read(Socket *socket, Bytes input)
{
    Served *s = served_of(socket);
    if (!s->http || (deaf && s == served[0]))
        return;
    error_ignore(http_connection_feed(s->http, input, loop.now),
                 "the gateway's side is what is tested");
    served_flush(s);
}

static void served_end(Served *s)
{
    if (s->http)
        http_connection_lost(s->http, OK);
    socket_close(&s->socket);
}

static void served_eof(Socket *socket)
{
    served_end(served_of(socket));
}

static void served_writable(Socket *socket)
{
    served_flush(served_of(socket));
}

static void served_lost(Socket *socket, Result why)
{
    served_end(served_of(socket));
}

static void served_closed(Socket *socket)
{
    Served *s = served_of(socket);
    http_connection_free(s->http);
    s->http = NULL;
    s->closed = true;
    n_served_open--;
}

static const SocketEvents served_socket_events = {served_ready,    served_read, served_eof,
                                                  served_writable, served_lost, served_closed};

static void on_door(uv_poll_t *poll, int status, int events)
{
    Door *door = (Door *)poll;
    loop_enter(&loop);
    int fd = accept4(door->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    assert_true(n_served < MAX_SERVED);
    Served *s = served[n_served++] = calloc(1, sizeof(*s));
    s->door = (int)(door - doors);
    n_served_open++;
    socket_open(&s->socket, &loop, &served_socket_events, fd, true, door_tls);
}

/* Opens a door at the port, or at any when it is 0, and gives the port. */
static uint16_t open_door_at(int at, uint16_t port)
{
    Door *door = &doors[at];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)at)};
    socklen_t size = sizeof(address);
    int one = 1;
    door->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(door->fd >= 0);
    setsockopt(door->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    assert_int_equal(bind(door->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(door->fd, 128), 0);
    assert_int_equal(getsockname(door->fd, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(uv_poll_init(&loop.uv, &door->poll, door->fd), 0);
    assert_int_equal(uv_poll_start(&door->poll, UV_READABLE, on_door), 0);
    door->open = true;
    return ntohs(address.sin_port);
}

static uint16_t open_door(uint16_t port)
{
    return open_door_at(0, port);
}

static bool turned(void)
{
    static int turns;
    return ++turns % 3 == 0;
}

static void close_door_at(int at)
{
    if (!doors[at].open)
        return;
    doors[at].open = false;
    uv_close((uv_handle_t *)&doors[at].poll, NULL);
    loop_run_until(&loop, turned);
    close(doors[at].fd);
}

static void close_door(void)
{
    close_door_at(0);
}

/* Connections that came through this door, and are still there. */
static int n_served_at(int at)
{
    int n = 0;
    for (int i = 0; i < n_served; i++)
        n += served[i]->door == at && !served[i]->closed;
    return n;
}

/* Answers all requests at hand. */
static void answer_all(void)
{
    for (int n = n_asked; n > 0; n--) {
        HttpStream *stream = asked[0];
        asked[0] = asked[--n_asked];
        HttpHead head = {.status = 200, .content_length = 0};
        http_stream_send_head(stream, &head, true);
        http_stream_release(stream);
    }
    for (int i = 0; i < n_served; i++)
        served_flush(served[i]);
}

/* ---- The calls ------------------------------------------------------------------------------- */

enum { MAX_CALLS = 600 };

typedef struct CallDouble {
    UpstreamWait wait;
    HttpConnection *connection;
    HttpStream *stream;
    int status, n_ready, n_late;
    const Fault *reset, *refused;
    char why[200];
} CallDouble;

static CallDouble calls[MAX_CALLS];

static void answer_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    ((CallDouble *)owner)->status = head->status;
}

static void answer_body(void *owner, HttpStream *stream, Bytes piece)
{
    http_stream_consume(stream, piece.size);
}

static void answer_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    ((CallDouble *)owner)->stream = NULL;
    http_stream_release(stream);
}

static void answer_reset(void *owner, HttpStream *stream, Result why)
{
    CallDouble *call = owner;
    call->reset = why.error->fault;
    call->stream = NULL;
    http_stream_release(stream);
}

static const HttpStreamEvents call_events = {answer_head, answer_body, answer_end, request_drain,
                                             answer_reset};

static void ask(CallDouble *call, HttpConnection *connection)
{
    HttpHead head = {.method = bytes_of("GET"),
                     .scheme = bytes_of("http"),
                     .authority = bytes_of("x"),
                     .path = bytes_of("/"),
                     .content_length = -1};
    call->connection = connection;
    call->stream = http_stream_open(connection, &head, true, &call_events, call);
    assert_non_null(call->stream);
}

static void on_call_ready(UpstreamWait *wait, HttpConnection *connection, Result why)
{
    CallDouble *call = (CallDouble *)wait;
    call->n_ready++;
    if (connection) {
        assert_false(failed(why));
        ask(call, connection);
        return;
    }
    if (!failed(why)) { /* it has nowhere else to go */
        call->n_late++;
        upstream_want(wait->upstream, wait, &connection);
        assert_null(connection);
        return;
    }
    call->refused = why.error->fault;
    snprintf(call->why, sizeof(call->why), "%s", error_origin(why)->doing);
}

/* For whom the next calls are, and whether their bodies are still arriving. */
static IpAddress client_next;
static bool partial_next, urgent_next;

static void calls_are_of(const char *client)
{
    assert_true(ip_read(bytes_of(client), &client_next));
}

/* True when a connection was at hand. */
static bool begin_call(CallDouble *call, Upstream *upstream)
{
    HttpConnection *connection;
    *call = (CallDouble){.wait.on_ready = on_call_ready};
    call->wait.client = client_next;
    call->wait.partial = partial_next;
    call->wait.urgent = urgent_next;
    upstream_want(upstream, &call->wait, &connection);
    assert_int_equal(call->n_ready, 0); /* never from within the call */
    if (connection)
        ask(call, connection);
    return connection != NULL;
}

static int n_begun;

static void begin_calls(int n)
{
    for (int i = 0; i < n; i++)
        begin_call(&calls[n_begun++], upstream_of(&loop, &instance));
}

static bool all_asked(void)
{
    return n_asked == n_begun;
}

static bool all_answered(void)
{
    answer_all();
    for (int i = 0; i < n_begun; i++) {
        if (!calls[i].status && !calls[i].refused && !calls[i].reset)
            return false;
    }
    return true;
}

static int count_status(int status)
{
    int n = 0;
    for (int i = 0; i < n_begun; i++)
        n += calls[i].status == status;
    return n;
}

static bool all_refused(void)
{
    for (int i = 0; i < n_begun; i++) {
        if (!calls[i].refused)
            return false;
    }
    return true;
}

/* ---- Setting up ------------------------------------------------------------------------------ */

static char address_text[64];

/* The service's set, of this instance alone; NULL: of none. */
static void use_set(Service *of, Instance *only)
{
    instance_set_use(of, instance_set_new(of, &only, only ? 1 : 0));
}

/* With what else it is found by filled in. */
static void lead_to_host(const char *host, uint16_t port)
{
    snprintf(address_text, sizeof(address_text), "%s:%u", host, port);
    instance.address = (Address){.text = address_text, .host = host, .port = port};
    known_instance_unref(instance.known);
    instance.known = known_instance_of(&instance);
    use_set(&service, &instance);
}

static void lead_to(uint16_t port)
{
    lead_to_host("127.0.0.1", port);
}

static int fresh(void **state)
{
    config = config_for_test();
    service = (Service){.name = "s", .instances = &instance, .n_instances = 1};
    instance = (Instance){.http2 = true, .service = &service};
    config.services = &service;
    config.n_services = 1;
    server_limits = http_limits_default;
    serve_http2 = true;
    mute = deaf = false;
    door_tls = NULL;
    n_served = n_served_open = n_asked = n_begun = 0;
    memset(calls, 0, sizeof(calls));
    memset(n_requests, 0, sizeof(n_requests));
    memset(counted, 0, sizeof(counted));
    client_next = (IpAddress){.known = false};
    partial_next = urgent_next = false;
    loop_init(&loop, 0);
    loop.config = &config;
    loop.upstreams = upstreams_new(&loop);
    dns = (DnsServer){.loop = NULL};
    return 0;
}

static bool nobody_is_served(void)
{
    return n_served_open == 0 &&
           (!dns.loop || dns.closed || !uv_is_closing((uv_handle_t *)&dns.udp));
}

static int used(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    upstreams_close(loop.upstreams, FAIL(arena, FAULT_SHUTTING_DOWN, "the test ends"));
    for (int i = 0; i < DOORS; i++)
        close_door_at(i);
    for (int i = 0; i < n_served; i++)
        served_end(served[i]);
    if (dns.loop)
        dns_server_close(&dns);
    loop_run_until(&loop, nobody_is_served);
    loop_deinit(&loop);
    candidates_end(&loop);
    upstreams_free(loop.upstreams);
    instance_set_unref(service.set);
    known_instance_unref(instance.known);
    for (int i = 0; i < n_served; i++)
        free(served[i]);
    arena_free(arena);
    return 0;
}

/* ---- HTTP/2 ---------------------------------------------------------------------------------- */

static void calls_share_one_connection(void **state)
{
    lead_to(open_door(0));
    begin_calls(50);
    loop_run_until(&loop, all_asked);
    assert_int_equal(n_served, 1);
    assert_int_equal(upstream_load(upstream_of(&loop, &instance)), 50);
    loop_run_until(&loop, all_answered);
    assert_int_equal(count_status(200), 50);
    assert_int_equal(upstream_load(upstream_of(&loop, &instance)), 0);
    assert_true(begin_call(&calls[n_begun++], upstream_of(&loop, &instance)));
    loop_run_until(&loop, all_answered);
    assert_int_equal(counted[COUNTER_UPSTREAM_CONNECTED], 1);
}

static void what_the_instance_does_not_take_goes_to_another_connection(void **state)
{
    server_limits.streams = 3;
    lead_to(open_door(0));
    begin_calls(10);
    loop_run_until(&loop, all_asked);
    assert_int_equal(n_served, 4);
    loop_run_until(&loop, all_answered);
    assert_int_equal(count_status(200), 10);
}

/* Others are read after what is urgent. */
static void crowd(void)
{
    loop.order.crowded_until = INT64_MAX;
}

/* The connections on which an urgent call is, and another. */
static HttpConnection *of_urgent, *of_other;

static void call_both(void)
{
    n_begun = 0;
    urgent_next = true;
    begin_calls(1);
    urgent_next = false;
    begin_calls(1);
    loop_run_until(&loop, all_asked);
    of_urgent = calls[0].connection;
    of_other = calls[1].connection;
    loop_run_until(&loop, all_answered);
}

static void call_both_until_served(int n)
{
    while (n_served < n)
        call_both();
    call_both();
}

static ReadRank rank_of(const HttpConnection *connection)
{
    for (const Link *link = upstream_of(&loop, &instance)->endpoints->ready; link;
         link = link->next)
        if (link->pump.http == connection)
            return (ReadRank)link->pump.socket.rank;
    fail_msg("it has no room");
    return READ_RANKS;
}

static void urgent_calls_share_a_connection_with_others_while_there_is_time_for_all(void **state)
{
    lead_to(open_door(0));
    for (int i = 0; i < 5; i++)
        call_both();
    assert_ptr_equal(of_urgent, of_other);
    assert_int_equal(n_served, 1);
    assert_int_equal(rank_of(of_urgent), READ_URGENT);
}

static void in_a_crowded_loop_urgent_calls_have_a_connection_for_themselves(void **state)
{
    lead_to(open_door(0));
    call_both();
    crowd();
    call_both_until_served(2);
    const HttpConnection *urgent = of_urgent, *other = of_other;
    assert_ptr_not_equal(urgent, other);
    for (int i = 0; i < 10; i++) {
        call_both();
        assert_ptr_equal(of_urgent, urgent);
        assert_ptr_equal(of_other, other);
    }
    assert_int_equal(rank_of(urgent), READ_URGENT);
    assert_int_equal(rank_of(other), READ_INSTANCE);
    assert_int_equal(n_served, 2);
}

static void without_urgent_calls_a_crowded_loop_has_one_connection_for_all(void **state)
{
    lead_to(open_door(0));
    crowd();
    begin_calls(5);
    loop_run_until(&loop, all_asked);
    loop_run_until(&loop, all_answered);
    assert_int_equal(n_served, 1);
    assert_int_equal(rank_of(calls[0].connection), READ_INSTANCE);
}

static void if_only_one_connection_is_allowed_it_is_urgent_for_all(void **state)
{
    config.limits.http2_connections = 1;
    lead_to(open_door(0));
    crowd();
    for (int i = 0; i < 5; i++)
        call_both();
    assert_ptr_equal(of_urgent, of_other);
    assert_int_equal(n_served, 1);
    assert_int_equal(rank_of(of_urgent), READ_URGENT);
}

static bool has_one_left(void)
{
    return upstream_of(&loop, &instance)->n_links[LINK_READY] == 1;
}

static void if_it_breaks_urgent_calls_go_to_that_of_others_and_those_get_another(void **state)
{
    lead_to(open_door(0));
    crowd();
    call_both_until_served(2);
    const HttpConnection *left = of_other;
    served_end(served[0]); /* the first one is that of urgent calls */
    loop_run_until(&loop, has_one_left);
    call_both();
    assert_ptr_equal(of_urgent, left);
    call_both_until_served(3);
    assert_ptr_equal(of_urgent, left);
    assert_ptr_not_equal(of_other, left);
}

static void calls_beyond_all_connections_wait_for_room(void **state)
{
    server_limits.streams = 2;
    config.limits.http2_connections = 2;
    config.limits.connect_time = 10 * SECOND;
    lead_to(open_door(0));
    begin_calls(20);
    loop_run_until(&loop, all_answered);
    assert_int_equal(count_status(200), 20);
    assert_int_equal(n_served, 2);
}

static void a_wait_for_room_ends(void **state)
{
    server_limits.streams = 1;
    config.limits.http2_connections = 1;
    lead_to(open_door(0));
    begin_calls(1);
    loop_run_until(&loop, all_asked);
    begin_call(&calls[1], upstream_of(&loop, &instance));
    calls[0].refused = &FAULT_OVERLOADED; /* only the second is looked at */
    n_begun = 2;
    loop_run_until(&loop, all_refused);
    assert_ptr_equal(calls[1].refused, &FAULT_OVERLOADED);
    assert_int_equal(calls[1].n_ready, 1);
}

static void a_cancelled_wait_hears_nothing(void **state)
{
    lead_to(open_door(0));
    begin_calls(2);
    upstream_cancel(&calls[0].wait);
    upstream_cancel(&calls[0].wait);
    assert_int_equal(upstream_load(upstream_of(&loop, &instance)), 1);
    calls[0].status = 1;
    loop_run_until(&loop, all_answered);
    assert_int_equal(calls[0].n_ready, 0);
    assert_int_equal(calls[1].status, 200);
}

static bool first_is_reset(void)
{
    return calls[0].reset != NULL;
}

static void a_lost_connection_resets_its_calls_and_the_next_gets_another(void **state)
{
    lead_to(open_door(0));
    begin_calls(1);
    loop_run_until(&loop, all_asked);
    served_end(served[0]);
    loop_run_until(&loop, first_is_reset);
    assert_ptr_equal(calls[0].reset, &FAULT_UPSTREAM_RESET);
    assert_int_equal(upstream_state(upstream_of(&loop, &instance), loop.now), UPSTREAM_READY);
    begin_calls(1);
    loop_run_until(&loop, all_answered);
    assert_int_equal(calls[1].status, 200);
    assert_int_equal(n_served, 2);
}

static void an_instance_that_falls_silent_is_given_up(void **state)
{
    config.limits.ping_time = 100 * MILLISECOND;
    lead_to(open_door(0));
    begin_calls(1);
    loop_run_until(&loop, all_asked);
    deaf = true;
    int64_t began = loop.now;
    loop_run_until(&loop, first_is_reset);
    assert_ptr_equal(calls[0].reset, &FAULT_UPSTREAM_RESET);
    assert_true(loop.now - began >= 150 * MILLISECOND); /* asked, and waited for */
}

static int64_t quiet_until;

static bool it_was_quiet_for_long(void)
{
    return loop.now >= quiet_until;
}

static void an_instance_that_answers_pings_may_take_its_time(void **state)
{
    config.limits.ping_time = 300 * MILLISECOND;
    lead_to(open_door(0));
    begin_calls(1);
    loop_run_until(&loop, all_asked);
    quiet_until = loop.now + 1500 * MILLISECOND;
    loop_run_until(&loop, it_was_quiet_for_long);
    assert_null(calls[0].reset);
    loop_run_until(&loop, all_answered);
    assert_int_equal(calls[0].status, 200);
}

static void wait_for(int64_t time)
{
    quiet_until = loop.now + time;
    loop_run_until(&loop, it_was_quiet_for_long);
}

/* Two calls that are under way: their connection hears nothing from the second one on, if
   `is_deaf`. Returns when that was asked. */
static int64_t ask_twice(bool is_deaf)
{
    config.limits.connect_time = 300 * MILLISECOND;
    lead_to(open_door(0));
    begin_calls(1);
    loop_run_until(&loop, all_asked);
    wait_for(MILLISECOND); /* the acknowledgements of settings have come */
    deaf = is_deaf;
    begin_calls(1);
    return loop.now;
}

/* After `silence` an attempt ends without a response. */
static void end_an_attempt_after(int64_t silence, bool is_deaf)
{
    int64_t sent = ask_twice(is_deaf);
    wait_for(silence);
    upstream_measured(&loop, &instance, loop.now - sent, false);
}

static void a_connection_on_which_a_call_heard_nothing_must_answer_a_ping(void **state)
{
    end_an_attempt_after(60 * MILLISECOND, true);
    int64_t began = loop.now;
    loop_run_until(&loop, first_is_reset);
    assert_ptr_equal(calls[0].reset, &FAULT_UPSTREAM_RESET);
    assert_true(loop.now - began >= 300 * MILLISECOND);
}

static void a_connection_that_answers_the_ping_stays(void **state)
{
    end_an_attempt_after(60 * MILLISECOND, false);
    wait_for(400 * MILLISECOND);
    assert_null(calls[0].reset);
}

static void a_short_silence_is_no_doubt(void **state)
{
    end_an_attempt_after(20 * MILLISECOND, true);
    wait_for(400 * MILLISECOND);
    assert_null(calls[0].reset);
}

static bool second_is_asked(void)
{
    return n_asked == 2;
}

/* ---- Late ------------------------------------------------------------------------------------ */

static UpstreamState state_now(void)
{
    return upstream_state(upstream_of(&loop, &instance), loop.now);
}

static bool is_late(void)
{
    return state_now() == UPSTREAM_DOWN;
}

static void be_patient_for(int64_t time)
{
    config.limits.connect_time = 10 * SECOND;
    config.limits.connect_patience = time;
}

static void while_a_connect_takes_long_calls_may_go_elsewhere(void **state)
{
    be_patient_for(50 * MILLISECOND);
    mute = true;
    lead_to(open_door(0));
    begin_calls(2);
    int64_t began = loop.now;
    loop_run_until(&loop, is_late);
    assert_true(loop.now - began >= 50 * MILLISECOND);
    assert_true(upstream_worth_a_try(upstream_of(&loop, &instance), loop.now));
    assert_int_equal(upstream_try_from(upstream_of(&loop, &instance)), 0);
    assert_int_equal(calls[0].n_late, 1);
    assert_int_equal(calls[1].n_late, 1);
    wait_for(100 * MILLISECOND);
    assert_int_equal(calls[0].n_late, 1); /* they are asked once */
    assert_null(calls[0].refused);
}

static bool is_up_again(void)
{
    return state_now() == UPSTREAM_READY;
}

static void when_it_connects_after_all_it_is_used(void **state)
{
    be_patient_for(50 * MILLISECOND);
    mute = true;
    lead_to(open_door(0));
    begin_calls(1);
    loop_run_until(&loop, is_late);
    mute = false;
    served_ready(&served[0]->socket);
    loop_run_until(&loop, is_up_again);
    assert_non_null(calls[0].connection);
    assert_int_equal(n_served, 1);
}

static void a_connect_in_time_is_not_late(void **state)
{
    be_patient_for(SECOND);
    lead_to(open_door(0));
    begin_calls(1);
    loop_run_until(&loop, all_answered);
    wait_for(50 * MILLISECOND);
    assert_int_equal(state_now(), UPSTREAM_READY);
    assert_int_equal(calls[0].n_late, 0);
}

static bool two_are_served(void)
{
    return n_served == 2;
}

static void a_silent_connection_gets_no_more_calls(void **state)
{
    config.limits.connect_patience = 50 * MILLISECOND;
    end_an_attempt_after(60 * MILLISECOND, true);
    int64_t began = loop.now;
    loop_run_until(&loop, two_are_served); /* another connection, without a call for it */
    assert_true(loop.now - began >= 50 * MILLISECOND);
    begin_calls(1);
    loop_run_until(&loop, second_is_asked);
    assert_ptr_not_equal(calls[2].connection, calls[0].connection);
    assert_int_equal(state_now(), UPSTREAM_READY);
    assert_null(calls[0].reset); /* its response may still come */
}

static void one_that_is_heard_again_gets_calls_as_before(void **state)
{
    config.limits.connect_patience = 50 * MILLISECOND;
    end_an_attempt_after(60 * MILLISECOND, true);
    close_door(); /* so that there is no other connection */
    loop_run_until(&loop, is_late);
    assert_true(upstream_is_silent(upstream_of(&loop, &instance)));
    answer_all();
    loop_run_until(&loop, is_up_again);
    assert_false(upstream_is_silent(upstream_of(&loop, &instance)));
    assert_int_equal(calls[0].status, 200);
    assert_true(begin_call(&calls[2], upstream_of(&loop, &instance)));
    assert_ptr_equal(calls[2].connection, calls[0].connection);
}

static void a_call_that_waits_for_long_raises_the_doubt_before_it_ends(void **state)
{
    config.limits.connect_patience = 50 * MILLISECOND;
    int64_t sent = ask_twice(true);
    wait_for(60 * MILLISECOND);
    upstream_doubt(&loop, &instance, sent);
    assert_false(upstream_is_silent(upstream_of(&loop, &instance)));
    int64_t began = loop.now;
    loop_run_until(&loop, two_are_served);
    assert_true(loop.now - began >= 50 * MILLISECOND);
}

/* Over HTTP/1.1, where a connection has one call. */
static void a_busy_instance_that_takes_no_more_connections_is_late(void **state)
{
    serve_http2 = instance.http2 = false;
    lead_to(open_door(0));
    begin_calls(1);
    loop_run_until(&loop, all_asked);
    close_door();
    assert_int_equal(state_now(), UPSTREAM_READY);
    begin_calls(1);
    loop_run_until(&loop, is_late);
    assert_true(upstream_worth_a_try(upstream_of(&loop, &instance), loop.now));
    assert_null(calls[1].refused);
    loop_run_until(&loop, all_answered);
    assert_int_equal(count_status(200), 2); /* one after the other */
    assert_int_equal(state_now(), UPSTREAM_READY);
}

static void goaway_lets_calls_finish_and_the_next_goes_elsewhere(void **state)
{
    lead_to(open_door(0));
    begin_calls(1);
    loop_run_until(&loop, all_asked);
    http_connection_drain(served[0]->http);
    served_flush(served[0]);
    for (int i = 0; i < 5; i++)
        loop_run_until(&loop, turned);
    begin_calls(1);
    loop_run_until(&loop, second_is_asked);
    assert_int_equal(n_served, 2);
    assert_ptr_not_equal(calls[0].connection, calls[1].connection);
    loop_run_until(&loop, all_answered);
    assert_int_equal(count_status(200), 2);
}

/* ---- Down ------------------------------------------------------------------------------------ */

static void an_instance_that_refuses_is_down(void **state)
{
    uint16_t port = open_door(0);
    lead_to(port);
    close_door();
    Upstream *upstream = upstream_of(&loop, &instance);
    assert_int_equal(upstream_state(upstream, loop.now), UPSTREAM_READY);
    begin_calls(3);
    loop_run_until(&loop, all_refused);
    assert_ptr_equal(calls[0].refused, &FAULT_UPSTREAM_DOWN);
    assert_non_null(strstr(calls[2].why, "refused"));
    assert_int_equal(upstream_state(upstream, loop.now), UPSTREAM_DOWN);
    assert_fault(upstream_failure(upstream), FAULT_UPSTREAM_DOWN);

    begin_calls(1); /* fails at once, with the same reason */
    loop_run_until(&loop, all_refused);
    assert_non_null(strstr(calls[3].why, "refused"));
}

static bool is_back(void)
{
    return upstream_state(upstream_of(&loop, &instance), loop.now) == UPSTREAM_READY;
}

static void an_instance_that_comes_back_is_found_without_a_call(void **state)
{
    uint16_t port = open_door(0);
    lead_to(port);
    close_door();
    begin_calls(1);
    loop_run_until(&loop, all_refused);
    open_door(port);
    loop_run_until(&loop, is_back);
    assert_int_equal(n_served, 1);
    assert_true(begin_call(&calls[0], upstream_of(&loop, &instance)));
    loop_run_until(&loop, all_answered);
    assert_int_equal(calls[0].status, 200);
}

static void what_cannot_be_reached_is_being_healed_until_it_is_back(void **state)
{
    uint16_t port = open_door(0);
    lead_to(port);
    close_door();
    candidates_release(&loop, candidates_use(&loop, &service));
    unsigned begun = healing_begun[HEALING_RECONNECT], ended = healing_ended[HEALING_RECONNECT];
    begin_calls(2);
    loop_run_until(&loop, all_refused);
    begin_calls(1);
    loop_run_until(&loop, all_refused);
    assert_int_equal(healing_begun[HEALING_RECONNECT], begun + 1); /* however often it fails */
    char expected[64];
    snprintf(expected, sizeof expected, "s 127.0.0.1:%d", port);
    assert_string_equal(healing_what, expected);
    assert_int_equal(healing_ended[HEALING_RECONNECT], ended);
    open_door(port);
    loop_run_until(&loop, is_back);
    assert_int_equal(healing_ended[HEALING_RECONNECT], ended + 1);
}

static int64_t failed_at[5];
static uint32_t n_failed_at;

static bool has_failed_five_times(void)
{
    Upstream *upstream = upstream_of(&loop, &instance);
    if (upstream->reach.failures > n_failed_at) {
        assert_int_equal(upstream->reach.failures, n_failed_at + 1);
        failed_at[n_failed_at++] = upstream->reach.failed_at;
    }
    return n_failed_at == 5;
}

static void attempts_come_less_and_less_often(void **state)
{
    uint16_t port = open_door(0);
    lead_to(port);
    close_door();
    n_failed_at = 0;
    begin_calls(1);
    loop_run_until(&loop, has_failed_five_times);
    for (int i = 1; i < 5; i++) {
        int64_t pause = failed_at[i] - failed_at[i - 1], wanted = (100 * MILLISECOND) << (i - 1);
        assert_true(pause >= wanted * 78 / 100);
    }
}

static bool is_worth_a_try(void)
{
    return upstream_worth_a_try(upstream_of(&loop, &instance), loop.now);
}

static void a_call_that_has_no_other_instance_may_try_one_that_is_down(void **state)
{
    uint16_t port = open_door(0);
    lead_to(port);
    close_door();
    n_failed_at = 0;
    begin_calls(1);
    loop_run_until(&loop, has_failed_five_times); /* the next attempt is a second away */
    assert_false(is_worth_a_try());
    loop_run_until(&loop, is_worth_a_try);
    open_door(port);
    Upstream *upstream = upstream_of(&loop, &instance);
    assert_int_equal(upstream_state(upstream, loop.now), UPSTREAM_DOWN);
    assert_false(begin_call(&calls[0], upstream));
    loop_run_until(&loop, turned);
    assert_null(calls[0].refused); /* as it would be at once without an attempt */
    loop_run_until(&loop, all_answered);
    assert_int_equal(calls[0].status, 200);
}

static void an_instance_that_says_nothing_is_not_there(void **state)
{
    mute = true;
    lead_to(open_door(0));
    begin_calls(1);
    loop_run_until(&loop, all_refused);
    assert_ptr_equal(calls[0].refused, &FAULT_UPSTREAM_DOWN);
    assert_non_null(strstr(calls[0].why, "no connection within 0.3 s"));
    assert_int_equal(upstream_state(upstream_of(&loop, &instance), loop.now), UPSTREAM_DOWN);
    assert_false(
        upstream_worth_a_try(upstream_of(&loop, &instance), loop.now + SECOND)); /* it would wait */
}

static void an_instance_of_another_protocol_is_not_there(void **state)
{
    serve_http2 = false; /* answers the preface with 400 */
    lead_to(open_door(0));
    begin_calls(1);
    loop_run_until(&loop, all_refused);
    assert_ptr_equal(calls[0].refused, &FAULT_UPSTREAM_DOWN);
}

static void a_name_is_resolved(void **state)
{
    lead_to_host("localhost", open_door(0));
    config.limits.connect_time = 5 * SECOND;
    begin_calls(1);
    loop_run_until(&loop, all_answered);
    assert_int_equal(calls[0].status, 200);
}

static void a_name_that_is_not_known_is_said(void **state)
{
    lead_to_host("nowhere.invalid", 1);
    config.limits.connect_time = 15 * SECOND;
    begin_calls(1);
    loop_run_until(&loop, all_refused);
    assert_non_null(strstr(calls[0].why, "resolving nowhere.invalid"));
}

/* ---- Names of several addresses -------------------------------------------------------------- */

/* The instance's name, and what it stands for. */
static void lead_to_name(const char *addresses, uint16_t port)
{
    names[0] = (DnsName){"shop.test", {addresses}, {NULL}, 1};
    dns_server_open(&dns, &loop, names);
    config.dns.servers = dns.address;
    config.limits.connect_time = 5 * SECOND;
    lead_to_host("shop.test", port);
}

/* One call after the other, each answered before the next; gives how many came through the door. */
static void call_in_turn(int n)
{
    for (int i = 0; i < n; i++) {
        begin_calls(1);
        loop_run_until(&loop, all_answered);
    }
}

static bool two_doors_are_used(void)
{
    return n_served_at(0) > 0 && n_served_at(1) > 0;
}

/* Calls at work behind this door. */
static int asked_at(int at)
{
    int n = 0;
    for (int i = 0; i < n_served; i++) {
        if (served[i]->door == at && served[i]->http)
            n += (int)http_connection_streams(served[i]->http);
    }
    return n;
}

static void let_turns_pass(int n)
{
    for (int i = 0; i < n; i++)
        loop_run_until(&loop, turned);
}

static void calls_are_spread_over_all_addresses_of_a_name(void **state)
{
    uint16_t port = open_door_at(0, 0);
    open_door_at(1, port);
    lead_to_name("127.0.0.1 127.0.0.2", port);
    call_in_turn(2);
    loop_run_until(&loop, two_doors_are_used);
    let_turns_pass(5);
    n_begun = 0;
    begin_calls(20);
    loop_run_until(&loop, all_asked);
    assert_int_equal(asked_at(0), 10);
    assert_int_equal(asked_at(1), 10);
    assert_int_equal(n_served, 2);
    loop_run_until(&loop, all_answered);
    assert_int_equal(count_status(200), 20);
}

static void http1_calls_one_after_the_other_take_turns_between_addresses(void **state)
{
    serve_http2 = instance.http2 = false;
    uint16_t port = open_door_at(0, 0);
    open_door_at(1, port);
    lead_to_name("127.0.0.1 127.0.0.2", port);
    call_in_turn(2);
    loop_run_until(&loop, two_doors_are_used);
    let_turns_pass(5);
    n_requests[0] = n_requests[1] = 0;
    call_in_turn(20);
    assert_int_equal(n_requests[0], 10);
    assert_int_equal(n_requests[1], 10);
    assert_int_equal(n_served, 2);
}

static void http1_calls_at_once_are_spread_over_all_addresses(void **state)
{
    serve_http2 = instance.http2 = false;
    uint16_t port = open_door_at(0, 0);
    open_door_at(1, port);
    open_door_at(2, port);
    lead_to_name("127.0.0.1 127.0.0.2 127.0.0.3", port);
    begin_calls(30);
    loop_run_until(&loop, all_asked);
    for (int i = 0; i < 3; i++)
        assert_int_equal(asked_at(i), 10);
    loop_run_until(&loop, all_answered);
}

static void an_address_that_is_down_costs_no_call(void **state)
{
    uint16_t port = open_door_at(0, 0);
    lead_to_name("127.0.0.1 127.0.0.2 127.0.0.3", port);
    call_in_turn(20);
    assert_int_equal(count_status(200), 20);
    assert_int_equal(counted[COUNTER_UPSTREAM_CONNECT_FAILED], 0);
    assert_int_equal(upstream_state(upstream_of(&loop, &instance), loop.now), UPSTREAM_READY);
}

static void the_bound_of_connections_holds_for_all_addresses_together(void **state)
{
    config.limits.http2_connections = 2;
    uint16_t port = open_door_at(0, 0);
    open_door_at(1, port);
    open_door_at(2, port);
    lead_to_name("127.0.0.1 127.0.0.2 127.0.0.3", port);
    call_in_turn(3);
    let_turns_pass(20);
    assert_int_equal(n_served, 2);
}

static void a_name_that_is_resolved_nowhere_is_said(void **state)
{
    lead_to_name("127.0.0.1", 1);
    names[0].name = "other.test";
    begin_calls(1);
    loop_run_until(&loop, all_refused);
    assert_ptr_equal(calls[0].refused, &FAULT_UPSTREAM_DOWN);
    assert_string_equal(calls[0].why, "resolving shop.test: there is no such name (NXDOMAIN)");
}

static void a_silent_name_server_is_said_when_the_connect_time_is_over(void **state)
{
    lead_to_name("127.0.0.1", 1);
    names[0].v4.mood = names[0].v6.mood = DNS_IS_SILENT;
    config.limits.connect_time = 300 * MILLISECOND;
    begin_calls(1);
    loop_run_until(&loop, all_refused);
    assert_string_equal(
        calls[0].why, "no connection within 0.3 s (limits.connect_time): no name server responds");
}

static bool address_is_out_of_date(void)
{
    return loop.now >= upstream_of(&loop, &instance)->known_to;
}

static void when_name_servers_are_silent_their_last_answer_stands(void **state)
{
    uint16_t port = open_door_at(0, 0);
    lead_to_name("127.0.0.1", port);
    call_in_turn(1);
    names[0].v4.mood = names[0].v6.mood = DNS_IS_SILENT;
    served_end(served[0]);
    loop_run_until(&loop, address_is_out_of_date);
    config.limits.connect_time = SECOND;
    upstreams_reload(loop.upstreams);
    call_in_turn(1);
    assert_int_equal(calls[1].status, 200);
    assert_int_equal(n_served, 2);
}

static void when_name_servers_fail_their_last_answer_stands(void **state)
{
    uint16_t port = open_door_at(0, 0);
    lead_to_name("127.0.0.1", port);
    call_in_turn(1);
    names[0].v4.mood = names[0].v6.mood = DNS_FAILS;
    served_end(served[0]);
    loop_run_until(&loop, address_is_out_of_date);
    call_in_turn(1);
    assert_int_equal(calls[1].status, 200);
}

static void a_name_that_is_gone_is_no_instance_any_more(void **state)
{
    uint16_t port = open_door_at(0, 0);
    lead_to_name("127.0.0.1", port);
    call_in_turn(1);
    names[0].name = "other.test";
    served_end(served[0]);
    loop_run_until(&loop, address_is_out_of_date);
    call_in_turn(1);
    assert_ptr_equal(calls[1].refused, &FAULT_UPSTREAM_DOWN);
}

/* ---- Age ------------------------------------------------------------------------------------- */

static bool first_is_closed(void)
{
    return n_served > 0 && served[0]->closed;
}

static void a_connection_is_replaced_before_it_leaves_at_its_age(void **state)
{
    config.limits.instance_max_age = SECOND;
    lead_to(open_door(0));
    call_in_turn(1);
    int64_t made = loop.now;
    loop_run_until(&loop, first_is_closed);
    assert_true(loop.now - made >= SECOND * 8 / 10 - 50 * MILLISECOND);
    assert_true(loop.now - made < 2 * SECOND);
    assert_int_equal(n_served, 2);
    assert_true(begin_call(&calls[n_begun++], upstream_of(&loop, &instance))); /* at hand */
    loop_run_until(&loop, all_answered);
}

static bool another_is_connected(void)
{
    return n_served == 2 && upstream_of(&loop, &instance)->n_links[LINK_LEAVING] == 1;
}

static void a_call_on_an_old_connection_finishes_there(void **state)
{
    config.limits.instance_max_age = 100 * MILLISECOND;
    lead_to(open_door(0));
    begin_calls(1);
    loop_run_until(&loop, all_asked);
    loop_run_until(&loop, another_is_connected);
    assert_null(calls[0].reset);
    loop_run_until(&loop, all_answered);
    assert_int_equal(calls[0].status, 200);
    loop_run_until(&loop, first_is_closed);
}

static int64_t wait_until;

static bool time_has_come(void)
{
    return loop.now >= wait_until;
}

static void an_old_connection_that_cannot_be_replaced_stays(void **state)
{
    config.limits.instance_max_age = 100 * MILLISECOND;
    uint16_t port = open_door(0);
    lead_to(port);
    call_in_turn(1);
    close_door();
    wait_until = loop.now + 400 * MILLISECOND;
    loop_run_until(&loop, time_has_come);
    assert_true(counted[COUNTER_UPSTREAM_CONNECT_FAILED] > 0);
    call_in_turn(1);
    assert_int_equal(calls[1].status, 200);
    assert_false(served[0]->closed);
    open_door(port);
    loop_run_until(&loop, first_is_closed);
    call_in_turn(1);
    assert_int_equal(calls[2].status, 200);
}

static void call_while_connections_are_replaced(bool http2)
{
    serve_http2 = instance.http2 = http2;
    config.limits.instance_max_age = 20 * MILLISECOND;
    lead_to(open_door(0));
    wait_until = loop.now + SECOND;
    int n = 0;
    while (loop.now < wait_until && n_served < MAX_SERVED - 20) {
        n_begun = 0;
        begin_calls(5);
        loop_run_until(&loop, all_answered);
        assert_int_equal(count_status(200), 5);
        n += 5;
    }
    assert_true(n_served > 10 && n > 100);
}

static void no_http1_call_is_lost_while_connections_are_replaced(void **state)
{
    call_while_connections_are_replaced(false);
}

static void no_http2_call_is_lost_while_connections_are_replaced(void **state)
{
    call_while_connections_are_replaced(true);
}

static bool only_the_second_is_there(void)
{
    return n_served_at(0) == 0 && n_served_at(1) == 1;
}

static void a_change_of_the_name_is_followed_at_that_age(void **state)
{
    config.limits.instance_max_age = 500 * MILLISECOND;
    uint16_t port = open_door_at(0, 0);
    open_door_at(1, port);
    lead_to_name("127.0.0.1", port);
    call_in_turn(1);
    assert_int_equal(n_served_at(0), 1);
    names[0].v4.addresses = "127.0.0.2";
    loop_run_until(&loop, only_the_second_is_there);
    call_in_turn(1);
    assert_int_equal(n_requests[1], 1);
}

/* ---- HTTP/1.1 -------------------------------------------------------------------------------- */

static void http1_calls_have_a_connection_each_and_reuse_it(void **state)
{
    serve_http2 = instance.http2 = false;
    lead_to(open_door(0));
    begin_calls(8);
    loop_run_until(&loop, all_asked);
    assert_int_equal(n_served, 8);
    assert_int_equal(upstream_load(upstream_of(&loop, &instance)), 8);
    loop_run_until(&loop, all_answered);
    begin_calls(8);
    loop_run_until(&loop, all_answered);
    assert_int_equal(count_status(200), 16);
    assert_int_equal(n_served, 8);
    assert_int_equal(upstream_load(upstream_of(&loop, &instance)), 0);
}

static void an_http1_connection_is_as_urgent_as_its_call(void **state)
{
    static const bool urgent[] = {true, false, true};
    serve_http2 = instance.http2 = false;
    lead_to(open_door(0));
    for (int i = 0; i < 3; i++) {
        n_begun = 0;
        urgent_next = urgent[i];
        begin_calls(1);
        loop_run_until(&loop, all_asked);
        const Link *link = upstream_of(&loop, &instance)->links[LINK_FULL];
        assert_int_equal(link->pump.socket.rank, urgent[i] ? READ_URGENT : READ_INSTANCE);
        loop_run_until(&loop, all_answered);
    }
    assert_int_equal(n_served, 1);
}

static void http1_connections_are_bounded(void **state)
{
    serve_http2 = instance.http2 = false;
    config.limits.http1_connections = 4;
    config.limits.connect_time = 10 * SECOND;
    lead_to(open_door(0));
    begin_calls(40);
    loop_run_until(&loop, all_answered);
    assert_int_equal(count_status(200), 40);
    assert_int_equal(n_served, 4);
}

/* Behind one connection. */
static void begin_behind_one(void)
{
    serve_http2 = instance.http2 = false;
    config.limits.http1_connections = 1;
    config.limits.connect_time = 10 * SECOND;
    lead_to(open_door(0));
    begin_calls(1);
    loop_run_until(&loop, all_asked);
}

static bool one_is_asked(void)
{
    return n_asked == 1;
}

/* Answers the one that is asked, until the next one is. */
static void answer_and_wait(void)
{
    answer_all();
    loop_run_until(&loop, one_is_asked);
}

static void clients_take_turns_for_a_connection(void **state)
{
    begin_behind_one();
    calls_are_of("10.0.0.1");
    begin_calls(20);
    calls_are_of("10.0.0.2");
    begin_calls(2);
    answer_and_wait();
    assert_non_null(calls[1].connection);
    answer_and_wait();
    assert_non_null(calls[21].connection);
    assert_null(calls[2].connection);
    answer_and_wait();
    assert_non_null(calls[2].connection);
    answer_and_wait();
    assert_non_null(calls[22].connection);
    loop_run_until(&loop, all_answered);
    assert_int_equal(count_status(200), 23);
}

static bool some_is_refused(void)
{
    for (int i = 0; i < n_begun; i++) {
        if (calls[i].refused)
            return true;
    }
    return false;
}

static void when_too_many_wait_the_client_with_the_most_loses_its_last(void **state)
{
    config.limits.instance_waits = 4;
    begin_behind_one();
    calls_are_of("10.0.0.1");
    begin_calls(3);
    calls_are_of("10.0.0.2");
    begin_calls(1);
    let_turns_pass(3);
    assert_false(some_is_refused()); /* 4 wait */
    begin_calls(1);
    loop_run_until(&loop, some_is_refused);
    assert_ptr_equal(calls[3].refused, &FAULT_OVERLOADED);
    assert_non_null(strstr(calls[3].why, "more than 4 calls wait for a connection to"));
    loop_run_until(&loop, all_answered);
    assert_int_equal(count_status(200), 5);
}

static void bodies_that_arrive_leave_connections_to_whole_requests(void **state)
{
    serve_http2 = instance.http2 = false;
    config.limits.http1_connections = 4;
    config.limits.connect_time = 10 * SECOND;
    lead_to(open_door(0));
    partial_next = true;
    begin_calls(10);
    let_turns_pass(10);
    assert_int_equal(n_asked, 2); /* half of them */
    assert_int_equal(n_served, 2);
    partial_next = false;
    begin_calls(2);
    let_turns_pass(10);
    assert_int_equal(n_asked, 4);
    assert_non_null(calls[10].connection);
    assert_non_null(calls[11].connection);
    loop_run_until(&loop, all_answered);
    assert_int_equal(count_status(200), 12);
    assert_int_equal(upstream_of(&loop, &instance)->n_partial, 0);
}

static void a_setting_says_how_many_bodies_may_arrive(void **state)
{
    serve_http2 = instance.http2 = false;
    config.limits.http1_connections = 4;
    config.limits.http1_uploads = 3;
    config.limits.connect_time = 10 * SECOND;
    lead_to(open_door(0));
    partial_next = true;
    begin_calls(10);
    let_turns_pass(10);
    assert_int_equal(n_asked, 3);
    loop_run_until(&loop, all_answered);
}

static void an_http2_connection_carries_all_bodies_that_arrive(void **state)
{
    lead_to(open_door(0));
    partial_next = true;
    begin_calls(10);
    loop_run_until(&loop, all_asked);
    loop_run_until(&loop, all_answered);
}

static void an_idle_connection_that_the_instance_closes_is_no_failure(void **state)
{
    serve_http2 = instance.http2 = false;
    lead_to(open_door(0));
    begin_calls(1);
    loop_run_until(&loop, all_answered);
    served_end(served[0]);
    loop_run_until(&loop, nobody_is_served);
    loop_run_until(&loop, turned);
    assert_int_equal(counted[COUNTER_UPSTREAM_LOST], 0);
    assert_int_equal(upstream_state(upstream_of(&loop, &instance), loop.now), UPSTREAM_READY);
    begin_calls(1);
    loop_run_until(&loop, all_answered);
    assert_int_equal(calls[1].status, 200);
    assert_int_equal(n_served, 2);
}

static void an_idle_connection_ends_by_itself(void **state)
{
    serve_http2 = instance.http2 = false;
    config.limits.instance_idle_time = 50 * MILLISECOND;
    lead_to(open_door(0));
    begin_calls(1);
    loop_run_until(&loop, all_answered);
    loop_run_until(&loop, nobody_is_served);
    assert_int_equal(n_served, 1);
}

/* ---- Reloads --------------------------------------------------------------------------------- */

static void a_reload_keeps_the_connections_of_an_instance_that_stays(void **state)
{
    lead_to(open_door(0));
    begin_calls(1);
    loop_run_until(&loop, all_answered);
    Upstream *before = upstream_of(&loop, &instance);

    Config next = config;
    Instance same = instance;
    Service again = {.name = "s", .instances = &same, .n_instances = 1};
    same.service = &again;
    same.known = NULL;
    next.services = &again;
    use_set(&again, &same);
    assert_ptr_equal(same.known, instance.known);
    loop.config = &next;
    upstreams_reload(loop.upstreams);
    assert_ptr_equal(upstream_of(&loop, &same), before);
    assert_true(begin_call(&calls[n_begun++], before));
    loop_run_until(&loop, all_answered);
    assert_int_equal(n_served, 1);
    loop.config = &config;
    upstreams_reload(loop.upstreams);
    instance_set_unref(again.set);
    known_instance_unref(same.known);
}

static void an_instance_that_is_dropped_finishes_its_calls(void **state)
{
    lead_to(open_door(0));
    begin_calls(1);
    loop_run_until(&loop, all_asked);
    Config next = config;
    next.n_services = 0;
    loop.config = &next;
    upstreams_reload(loop.upstreams);
    loop_run_until(&loop, turned);
    assert_null(calls[0].reset);
    loop_run_until(&loop, all_answered);
    assert_int_equal(calls[0].status, 200);
    loop_run_until(&loop, nobody_is_served);
    loop.config = &config;
}

static void an_instance_that_leaves_finishes_its_calls_and_is_forgotten(void **state)
{
    lead_to(open_door(0));
    upstreams_reload(loop.upstreams);
    begin_calls(1);
    loop_run_until(&loop, all_asked);
    use_set(&service, NULL);
    upstreams_reload(loop.upstreams);
    loop_run_until(&loop, turned);
    assert_null(calls[0].reset);
    assert_non_null(loop.upstreams->first);
    loop_run_until(&loop, all_answered);
    assert_int_equal(calls[0].status, 200);
    loop_run_until(&loop, nobody_is_served);
    loop_run_until(&loop, turned);
    upstreams_reload(loop.upstreams);
    assert_null(loop.upstreams->first);
}

/* Its connections stay, where it comes back before its last call has ended. */
static void an_instance_that_comes_again_is_used_again(void **state)
{
    lead_to(open_door(0));
    upstreams_reload(loop.upstreams);
    begin_calls(1);
    loop_run_until(&loop, all_asked);
    use_set(&service, NULL);
    upstreams_reload(loop.upstreams);
    use_set(&service, &instance);
    upstreams_reload(loop.upstreams);
    begin_calls(1);
    loop_run_until(&loop, all_answered);
    assert_int_equal(count_status(200), 2);
    assert_int_equal(n_served, 2); /* the first connection drains */
}

static void candidates_hear_when_an_instance_is_back(void **state)
{
    uint16_t port = open_door(0);
    lead_to(port);
    close_door();
    upstreams_reload(loop.upstreams);
    Candidates *candidates = candidates_use(&loop, &service);
    begin_calls(1);
    loop_run_until(&loop, all_refused);
    candidate_set_down(&candidates->candidates[0], true); /* as who picks finds it */
    assert_int_equal(candidates->lists[0].n_up, 0);
    open_door(port);
    loop_run_until(&loop, is_back);
    assert_int_equal(candidates->lists[0].n_up, 1);
    candidates_release(&loop, candidates);
}

/* ---- Connections that are kept ready --------------------------------------------------------- */

static uint32_t n_warm;

static bool all_warm(void)
{
    WarmCounts counts = warm_counts();
    return counts.missing == 0 && n_served_open == (int)n_warm;
}

static void warm_up(uint32_t n, uint32_t limit)
{
    service.warm = n_warm = n;
    config.limits.http2_connections = config.limits.http1_connections = 20;
    config.limits.warm_connections = limit;
    upstreams_reload(loop.upstreams);
}

static void connections_are_ready_before_the_first_call(void **state)
{
    lead_to(open_door(0));
    warm_up(3, 100);
    assert_int_equal(warm_counts().missing, 3);
    loop_run_until(&loop, all_warm);
    assert_int_equal(warm_counts().granted, 3);
    assert_true(begin_call(&calls[n_begun++], upstream_of(&loop, &instance)));
    loop_run_until(&loop, all_answered);
    assert_int_equal(n_served, 3);
}

static void one_that_is_lost_is_replaced_after_a_pause(void **state)
{
    serve_http2 = instance.http2 = false;
    lead_to(open_door(0));
    warm_up(2, 100);
    loop_run_until(&loop, all_warm);
    int64_t begun = loop.now;
    served_end(served[0]);
    served_end(served[1]);
    loop_run_until(&loop, nobody_is_served);
    loop_run_until(&loop, all_warm);
    assert_int_equal(n_served, 4);
    assert_true(loop.now - begun > WARM_PAUSE / 2); /* one that closes them all is not flooded */
}

static void an_idle_one_is_replaced_before_it_ends(void **state)
{
    serve_http2 = instance.http2 = false;
    config.limits.instance_idle_time = 50 * MILLISECOND;
    lead_to(open_door(0));
    warm_up(1, 100);
    loop_run_until(&loop, all_warm);
    while (n_served < 4) {
        loop_run_until(&loop, turned);
        assert_true(n_served_open > 0 || upstream_is_connected(upstream_of(&loop, &instance)));
    }
}

static void as_many_as_the_limit_are_granted(void **state)
{
    lead_to(open_door(0));
    warm_up(12, 10);
    n_warm = 10; /* more than may be connecting at the same time */
    loop_run_until(&loop, all_warm);
    WarmCounts counts = warm_counts();
    assert_int_equal(counts.granted, 10);
    assert_int_equal(counts.beyond, 2);
    warm_up(4, 10);
    counts = warm_counts();
    assert_int_equal(counts.granted, 4);
    assert_int_equal(counts.beyond, 0);
    warm_up(4, 1);
    counts = warm_counts();
    assert_int_equal(counts.granted, 1);
    assert_int_equal(counts.beyond, 3);
}

static void what_leaves_gives_back_what_it_was_granted(void **state)
{
    lead_to(open_door(0));
    warm_up(2, 100);
    loop_run_until(&loop, all_warm);
    use_set(&service, NULL);
    upstreams_reload(loop.upstreams);
    assert_int_equal(warm_counts().granted, 0);
    assert_int_equal(warm_counts().missing, 0);
    loop_run_until(&loop, nobody_is_served);
}

static void one_that_is_down_is_warm_again_when_it_is_back(void **state)
{
    uint16_t port = open_door(0);
    lead_to(port);
    close_door();
    warm_up(2, 100);
    loop_run_until(&loop, turned);
    open_door(port);
    loop_run_until(&loop, all_warm);
    assert_true(begin_call(&calls[n_begun++], upstream_of(&loop, &instance)));
    loop_run_until(&loop, all_answered);
}

/* ---- TLS ------------------------------------------------------------------------------------- */

static Authority authority;

static void call_over_tls(const char *name, bool alpn_http2)
{
    door_tls = server_context(&authority, "shop.example", alpn_http2, NULL);
    instance.tls = client_context(&authority, NULL, NULL);
    instance.tls_name = name;
    config.limits.connect_time = 5 * SECOND;
    lead_to(open_door(0));
    begin_calls(1);
    loop_run_until(&loop, all_answered);
    SSL_CTX_free(door_tls);
    SSL_CTX_free(instance.tls); /* the upstream has a reference of its own */
}

static void a_call_goes_over_tls(void **state)
{
    call_over_tls("shop.example", true);
    assert_int_equal(calls[0].status, 200);
}

static void an_instance_of_the_wrong_name_is_not_there(void **state)
{
    call_over_tls("bank.example", true);
    assert_ptr_equal(calls[0].refused, &FAULT_UPSTREAM_DOWN);
    assert_non_null(strstr(calls[0].why, "ostname mismatch"));
}

static void an_instance_that_does_not_agree_to_http2_is_not_there(void **state)
{
    call_over_tls("shop.example", false);
    assert_ptr_equal(calls[0].refused, &FAULT_UPSTREAM_DOWN);
}

static int make_authority(void **state)
{
    authority = authority_new();
    return 0;
}

static int free_authority(void **state)
{
    authority_free(&authority);
    return 0;
}

#define upstream_test(f) cmocka_unit_test_setup_teardown(f, fresh, used)

int main(void)
{
    const struct CMUnitTest tests[] = {
        upstream_test(calls_share_one_connection),
        upstream_test(what_the_instance_does_not_take_goes_to_another_connection),
        upstream_test(urgent_calls_share_a_connection_with_others_while_there_is_time_for_all),
        upstream_test(in_a_crowded_loop_urgent_calls_have_a_connection_for_themselves),
        upstream_test(without_urgent_calls_a_crowded_loop_has_one_connection_for_all),
        upstream_test(if_only_one_connection_is_allowed_it_is_urgent_for_all),
        upstream_test(if_it_breaks_urgent_calls_go_to_that_of_others_and_those_get_another),
        upstream_test(calls_beyond_all_connections_wait_for_room),
        upstream_test(a_wait_for_room_ends),
        upstream_test(a_cancelled_wait_hears_nothing),
        upstream_test(a_lost_connection_resets_its_calls_and_the_next_gets_another),
        upstream_test(an_instance_that_falls_silent_is_given_up),
        upstream_test(an_instance_that_answers_pings_may_take_its_time),
        upstream_test(a_connection_on_which_a_call_heard_nothing_must_answer_a_ping),
        upstream_test(a_connection_that_answers_the_ping_stays),
        upstream_test(a_short_silence_is_no_doubt),
        upstream_test(while_a_connect_takes_long_calls_may_go_elsewhere),
        upstream_test(when_it_connects_after_all_it_is_used),
        upstream_test(a_connect_in_time_is_not_late),
        upstream_test(a_silent_connection_gets_no_more_calls),
        upstream_test(one_that_is_heard_again_gets_calls_as_before),
        upstream_test(a_call_that_waits_for_long_raises_the_doubt_before_it_ends),
        upstream_test(a_busy_instance_that_takes_no_more_connections_is_late),
        upstream_test(goaway_lets_calls_finish_and_the_next_goes_elsewhere),
        upstream_test(an_instance_that_refuses_is_down),
        upstream_test(an_instance_that_comes_back_is_found_without_a_call),
        upstream_test(attempts_come_less_and_less_often),
        upstream_test(a_call_that_has_no_other_instance_may_try_one_that_is_down),
        upstream_test(an_instance_that_says_nothing_is_not_there),
        upstream_test(an_instance_of_another_protocol_is_not_there),
        upstream_test(a_name_is_resolved),
        upstream_test(a_name_that_is_not_known_is_said),
        upstream_test(calls_are_spread_over_all_addresses_of_a_name),
        upstream_test(http1_calls_one_after_the_other_take_turns_between_addresses),
        upstream_test(http1_calls_at_once_are_spread_over_all_addresses),
        upstream_test(an_address_that_is_down_costs_no_call),
        upstream_test(the_bound_of_connections_holds_for_all_addresses_together),
        upstream_test(a_name_that_is_resolved_nowhere_is_said),
        upstream_test(a_silent_name_server_is_said_when_the_connect_time_is_over),
        upstream_test(when_name_servers_are_silent_their_last_answer_stands),
        upstream_test(when_name_servers_fail_their_last_answer_stands),
        upstream_test(a_name_that_is_gone_is_no_instance_any_more),
        upstream_test(a_connection_is_replaced_before_it_leaves_at_its_age),
        upstream_test(a_call_on_an_old_connection_finishes_there),
        upstream_test(an_old_connection_that_cannot_be_replaced_stays),
        upstream_test(no_http1_call_is_lost_while_connections_are_replaced),
        upstream_test(no_http2_call_is_lost_while_connections_are_replaced),
        upstream_test(a_change_of_the_name_is_followed_at_that_age),
        upstream_test(http1_calls_have_a_connection_each_and_reuse_it),
        upstream_test(an_http1_connection_is_as_urgent_as_its_call),
        upstream_test(http1_connections_are_bounded),
        upstream_test(clients_take_turns_for_a_connection),
        upstream_test(when_too_many_wait_the_client_with_the_most_loses_its_last),
        upstream_test(bodies_that_arrive_leave_connections_to_whole_requests),
        upstream_test(a_setting_says_how_many_bodies_may_arrive),
        upstream_test(an_http2_connection_carries_all_bodies_that_arrive),
        upstream_test(an_idle_connection_that_the_instance_closes_is_no_failure),
        upstream_test(an_idle_connection_ends_by_itself),
        upstream_test(a_reload_keeps_the_connections_of_an_instance_that_stays),
        upstream_test(an_instance_that_is_dropped_finishes_its_calls),
        upstream_test(an_instance_that_leaves_finishes_its_calls_and_is_forgotten),
        upstream_test(an_instance_that_comes_again_is_used_again),
        upstream_test(candidates_hear_when_an_instance_is_back),
        upstream_test(connections_are_ready_before_the_first_call),
        upstream_test(one_that_is_lost_is_replaced_after_a_pause),
        upstream_test(an_idle_one_is_replaced_before_it_ends),
        upstream_test(as_many_as_the_limit_are_granted),
        upstream_test(what_leaves_gives_back_what_it_was_granted),
        upstream_test(one_that_is_down_is_warm_again_when_it_is_back),
        upstream_test(what_cannot_be_reached_is_being_healed_until_it_is_back),
        upstream_test(a_call_goes_over_tls),
        upstream_test(an_instance_of_the_wrong_name_is_not_there),
        upstream_test(an_instance_that_does_not_agree_to_http2_is_not_there),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, make_authority, free_authority);
}
