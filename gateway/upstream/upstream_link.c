#include "gateway/upstream/upstream_internal.h"

#include "base/arena.h"
#include "gateway/telemetry/telemetry.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

static Link *link_of(Socket *socket)
{
    return (Link *)socket;
}

static Loop *loop_of(const Link *link)
{
    return link->upstream->table->loop;
}

static void link_unlist(Link *link)
{
    *link->at = link->next;
    if (link->next)
        link->next->at = link->at;
    link->upstream->n_links[link->state]--;
}

static void link_list(Link *link, LinkState state)
{
    Link **first = &link->upstream->links[state];
    link->state = state;
    link->next = *first;
    link->at = first;
    if (link->next)
        link->next->at = &link->next;
    *first = link;
    link->upstream->n_links[state]++;
}

void link_move(Link *link, LinkState state)
{
    if (link->state == state)
        return;
    link_unlist(link);
    link_list(link, state);
}

/* ---- The end --------------------------------------------------------------------------------- */

/* When neither the socket nor the resolver holds it any more. */
static void link_free_when_unused(Link *link)
{
    if (link->opened || link->resolving)
        return;
    http_connection_free(link->pump.http);
    uv_freeaddrinfo(link->addresses);
    link_unlist(link);
    free(link);
}

void link_end(Link *link, Result why)
{
    if (link->state == LINK_GONE)
        return;
    link_move(link, LINK_GONE);
    if (link->pump.http)
        http_connection_lost(link->pump.http, why);
    pump_stop(&link->pump);
    upstream_look(link->upstream);
    if (link->resolving)
        uv_cancel((uv_req_t *)&link->resolve);
    if (link->opened)
        socket_close(&link->pump.socket);
    link_free_when_unused(link);
}

void link_drain(Link *link)
{
    if (link->state == LINK_CONNECTING) {
        link_end(link, OK);
        return;
    }
    http_connection_drain(link->pump.http);
    pump_flush_later(&link->pump);
}

/* Not connected, for this reason: the instance is left alone for a while. */
static void connect_failed(Link *link, Result why)
{
    Upstream *u = link->upstream;
    int64_t begun = link->since;
    link_end(link, why);
    upstream_failed(u, begun, why);
}

static Result over(Link *link, Result why, const Fault *fault, const char *doing)
{
    return error_new(loop_scratch(loop_of(link)), fault, why, NULL, __FILE__, __LINE__, "%s %s",
                     doing, upstream_name(link->upstream));
}

/* ---- Time ------------------------------------------------------------------------------------ */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t deadline_of(const Link *link)
{
    const UpstreamLimits *limits = &link->upstream->limits;
    if (link->state == LINK_CONNECTING)
        return link->since + limits->connect_time;
    int64_t deadline = NO_TIMEOUT;
    if (http_connection_streams(link->pump.http) == 0)
        deadline = link->since + limits->idle_time;
    else if (link->upstream->http2)
        deadline = link->heard + limits->ping_time * (link->pinged ? 2 : 1);
    if (link->pump.blocked_since)
        deadline = earlier(deadline, link->pump.blocked_since + limits->send_time);
    return deadline;
}

static void set_timer(Link *link)
{
    int64_t deadline = deadline_of(link);
    if (deadline != NO_TIMEOUT && link->state != LINK_GONE)
        pump_wake_by(&link->pump, deadline);
}

static void lost(Link *link, Result why);

static void link_timeout(Link *link)
{
    Arena *arena = loop_scratch(loop_of(link));
    bool busy = link->state != LINK_CONNECTING && http_connection_streams(link->pump.http) > 0;
    if (link->state == LINK_CONNECTING) {
        Result late = FAIL(arena, FAULT_SYSTEM, "no connection within %.1f s",
                           (double)link->upstream->limits.connect_time / SECOND);
        connect_failed(link, over(link, late, &FAULT_UPSTREAM_DOWN, "connecting to"));
    } else if (!busy) {
        link_end(link, OK);
    } else if (link->pump.blocked_since || link->pinged) {
        lost(link, FAIL(arena, FAULT_SYSTEM, "%s",
                        link->pump.blocked_since ? "the instance takes nothing"
                                                 : "the instance is silent"));
    } else {
        link->pinged = true;
        http_connection_ping(link->pump.http);
        set_timer(link);
    }
}

static void on_timer(Timer *timer)
{
    Link *link = (Link *)pump_of_timer(timer);
    if (deadline_of(link) <= loop_of(link)->now)
        link_timeout(link);
    else
        set_timer(link);
}

/* ---- At work --------------------------------------------------------------------------------- */

/* No longer connected, or never really. */
static void lost(Link *link, Result why)
{
    if (link->state == LINK_CONNECTING) {
        connect_failed(link, over(link, why, &FAULT_UPSTREAM_DOWN, "connecting to"));
        return;
    }
    if (http_connection_streams(link->pump.http) > 0)
        telemetry_count(loop_of(link), COUNTER_UPSTREAM_LOST);
    link_end(link, over(link, why, &FAULT_UPSTREAM_RESET, "the connection was lost to"));
}

void link_settle(Link *link)
{
    if (link->state == LINK_CONNECTING || link->state == LINK_GONE)
        return;
    if (http_connection_phase(link->pump.http) == HTTP_CLOSED) {
        link_end(link, OK);
        return;
    }
    LinkState before = link->state;
    if (http_connection_going(link->pump.http))
        link_move(link, LINK_LEAVING);
    else if (http_connection_capacity(link->pump.http) > 0)
        link_move(link, LINK_READY);
    else
        link_move(link, LINK_FULL);
    if (before != link->state)
        link->since = loop_of(link)->now;
    if (before != link->state && link->upstream->waits)
        upstream_look(link->upstream);

    pump_set_reading(&link->pump);
    set_timer(link);
}

static void link_flush(Link *link)
{
    PumpFlow flow = {0};
    if (link->state != LINK_GONE)
        flow = pump_flush(&link->pump);
    if (flow.sent > 0 && link->state != LINK_CONNECTING)
        link->since = loop_of(link)->now;
    link_settle(link);
}

static void run_flush(LoopWork *work)
{
    link_flush((Link *)pump_of_flush(work));
}

static void on_output(void *owner, HttpConnection *http)
{
    Link *link = owner;
    if (link->state != LINK_GONE)
        pump_flush_later(&link->pump);
}

/* Within the engine nothing is decided: the flush that follows looks. */
static const HttpConnectionEvents http_events = {.on_output = on_output, .on_capacity = on_output};

static void link_up(Link *link)
{
    link->since = loop_of(link)->now;
    link_move(link, LINK_READY);
    upstream_connected(link->upstream);
}

static void on_read(Socket *socket, Bytes input)
{
    Link *link = link_of(socket);
    Loop *loop = loop_of(link);
    link->heard = loop->now;
    link->pinged = false;
    Result r = http_connection_feed(link->pump.http, input, loop->now);
    if (failed(r)) {
        telemetry_event("warning", "upstream_broken", r, "instance %s",
                        upstream_name(link->upstream));
        if (link->state == LINK_CONNECTING) {
            lost(link, r);
            return;
        }
        pump_flush_later(&link->pump); /* GOAWAY goes out; then the phase is CLOSED */
    } else if (link->state == LINK_CONNECTING) {
        link_up(link);
    }
    if (http_connection_streams(link->pump.http) == 0)
        link->since = loop->now;
    link_settle(link);
}

static void on_eof(Socket *socket)
{
    Link *link = link_of(socket);
    http_connection_eof(link->pump.http);
    if (http_connection_streams(link->pump.http) > 0)
        pump_flush_later(&link->pump); /* a tunnel's other half */
    else
        lost(link, FAIL(loop_scratch(loop_of(link)), FAULT_SYSTEM, "the instance closed it"));
}

static void on_writable(Socket *socket)
{
    Link *link = link_of(socket);
    pump_writable(&link->pump);
    link_flush(link);
}

/* ---- Connecting ------------------------------------------------------------------------------ */

static const SocketEvents socket_events;

static SocketPeer peer_of(const Upstream *u)
{
    return (SocketPeer){
        .tls = u->tls,
        .name = u->known->tls_name ? u->known->tls_name : u->known->address.host,
        .alpn = u->http2 ? "h2" : "http/1.1",
        .descriptors = u->limits.descriptors,
    };
}

/* The next of the name's addresses; the caller has checked that there is one. */
static void connect_next(Link *link)
{
    SocketPeer peer = peer_of(link->upstream);
    struct addrinfo *address = link->next_address;
    link->next_address = address->ai_next;
    link->opened = true;
    socket_connect(&link->pump.socket, loop_of(link), &socket_events, address->ai_addr, NULL,
                   &peer);
}

/* So that a peer that is gone without a word is not waited for as long as the kernel would. */
static void set_unacknowledged_time(Link *link)
{
    uv_os_fd_t fd;
    unsigned limit = (unsigned)(link->upstream->limits.send_time / MILLISECOND);
    if (link->upstream->known->address.host && uv_fileno(&link->pump.socket.uv.handle, &fd) == 0)
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof(limit)); /* a wish */
}

static void on_ready(Socket *socket)
{
    Link *link = link_of(socket);
    Upstream *u = link->upstream;
    Loop *loop = loop_of(link);
    if (u->tls && u->http2 && !bytes_are(socket_alpn(socket), "h2")) {
        Result r =
            FAIL(loop_scratch(loop), FAULT_TLS, "the instance did not agree to HTTP/2 by ALPN");
        connect_failed(link, over(link, r, &FAULT_UPSTREAM_DOWN, "connecting to"));
        return;
    }
    link->pump.http = (u->http2 ? http2_client_new : http1_client_new)(
        &u->limits.http, u->tls != NULL, &http_events, link);
    link->heard = loop->now;
    set_unacknowledged_time(link);
    if (!u->http2)
        link_up(link); /* HTTP/1.1 servers do not speak first */
    link_flush(link);
}

static void on_lost(Socket *socket, Result why)
{
    Link *link = link_of(socket);
    if (!link->pump.http && link->next_address)
        socket_close(socket); /* on_closed goes on with it */
    else
        lost(link, why);
}

static void on_closed(Socket *socket)
{
    Link *link = link_of(socket);
    link->opened = false;
    if (link->state == LINK_CONNECTING)
        connect_next(link);
    else
        link_free_when_unused(link);
}

static const SocketEvents socket_events = {
    .on_ready = on_ready,
    .on_read = on_read,
    .on_eof = on_eof,
    .on_writable = on_writable,
    .on_lost = on_lost,
    .on_closed = on_closed,
};

/* Each attempt begins with another of the name's addresses. */
static void rotate(Link *link)
{
    uint32_t n = 0;
    for (struct addrinfo *a = link->addresses; a; a = a->ai_next)
        n++;
    struct addrinfo *last = link->addresses;
    for (uint32_t skip = n ? link->upstream->turn++ % n : 0; skip > 0; skip--) {
        while (last->ai_next)
            last = last->ai_next;
        struct addrinfo *first = link->addresses;
        link->addresses = first->ai_next;
        last->ai_next = first;
        first->ai_next = NULL;
        last = first;
    }
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    Link *link = request->data;
    loop_enter(loop_of(link));
    link->resolving = false;
    link->addresses = addresses;
    if (link->state == LINK_GONE) {
        link_free_when_unused(link);
        return;
    }
    if (status < 0) {
        Result r = FAIL(loop_scratch(loop_of(link)), FAULT_SYSTEM, "resolving %s: %s",
                        link->upstream->known->address.host, uv_strerror(status));
        connect_failed(link, over(link, r, &FAULT_UPSTREAM_DOWN, "connecting to"));
        return;
    }
    rotate(link);
    link->next_address = link->addresses;
    connect_next(link);
}

static void resolve(Link *link)
{
    const Address *address = &link->upstream->known->address;
    char port[8];
    snprintf(port, sizeof(port), "%u", address->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    link->resolve.data = link;
    int error = uv_getaddrinfo(&loop_of(link)->uv, &link->resolve, on_resolved, address->host, port,
                               &hints);
    link->resolving = error == 0;
    if (error) {
        Result r = FAIL(loop_scratch(loop_of(link)), FAULT_SYSTEM, "resolving %s: %s",
                        address->host, uv_strerror(error));
        connect_failed(link, over(link, r, &FAULT_UPSTREAM_DOWN, "connecting to"));
    }
}

/* An address that needs no resolver. */
static bool connect_number(Link *link)
{
    const Address *address = &link->upstream->known->address;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } to;
    if (uv_ip4_addr(address->host, address->port, &to.v4) != 0 &&
        uv_ip6_addr(address->host, address->port, &to.v6) != 0)
        return false;
    SocketPeer peer = peer_of(link->upstream);
    link->opened = true;
    socket_connect(&link->pump.socket, loop_of(link), &socket_events, &to.any, NULL, &peer);
    return true;
}

void link_connect(Upstream *u)
{
    Link *link = calloc(1, sizeof(*link));
    CHECK(link);
    link->upstream = u;
    pump_init(&link->pump, u->table->loop, run_flush, on_timer);
    link->since = u->table->loop->now;
    link_list(link, LINK_CONNECTING);
    set_timer(link);
    if (u->known->address.path) {
        SocketPeer peer = peer_of(u);
        link->opened = true;
        socket_connect(&link->pump.socket, u->table->loop, &socket_events, NULL,
                       u->known->address.path, &peer);
    } else if (!connect_number(link)) {
        resolve(link);
    }
}
