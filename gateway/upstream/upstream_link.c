#include "gateway/upstream/upstream_internal.h"

#include "base/arena.h"
#include "gateway/telemetry/telemetry.h"

#include <netinet/tcp.h>
#include <stdlib.h>

enum { FLOOD = 4 /* calls that end with one read */ };

static Link *link_of(Socket *socket)
{
    return (Link *)socket;
}

static Loop *loop_of(const Link *link)
{
    return link->upstream->table->loop;
}

static bool is_live(LinkState state)
{
    return state == LINK_READY || state == LINK_FULL;
}

/* Adds `n` (1, or -1) to the counters of the link's state. */
static void link_count(Link *link, uint32_t n)
{
    Upstream *u = link->upstream;
    u->n_links[link->state] += n;
    if (link->old && is_live(link->state))
        u->n_old += n;
    if (link->silent && is_live(link->state))
        u->n_silent += n;
    if (link->endpoint && link->state == LINK_FULL)
        link->endpoint->n_full += n;
}

static void link_unlist(Link *link)
{
    *link->at = link->next;
    if (link->next)
        link->next->at = link->at;
    link_count(link, -1u);
    link->upstream->n_partial -= link->partial;
    link->partial = false;
}

static void link_list(Link *link, LinkState state)
{
    Link **first = state == LINK_READY ? &link->endpoint->ready : &link->upstream->links[state];
    link->state = state;
    link->next = *first;
    link->at = first;
    if (link->next)
        link->next->at = &link->next;
    *first = link;
    link_count(link, 1);
}

/* Sets the endpoint; NULL: none any more. The link is neither READY nor FULL. */
static void link_lead_to(Link *link, Endpoint *endpoint)
{
    if (link->endpoint)
        link->endpoint->n_links--;
    link->endpoint = endpoint;
    if (endpoint)
        endpoint->n_links++;
}

/* It has been opened, or there is one less. */
__attribute__((noinline)) static void tell_warmth(Link *link)
{
    bool was_warming = link->warming;
    link->warming = false;
    if (was_warming)
        warm_connected(link->upstream);
    warm_look(link->upstream);
}

void link_move(Link *link, LinkState state)
{
    if (link->state == state)
        return;
    LinkState before = link->state;
    link_unlist(link);
    link_list(link, state);
    if (before == LINK_CONNECTING || !is_live(state))
        tell_warmth(link);
}

/* ---- The end --------------------------------------------------------------------------------- */

/* Unless on_closed of the socket still follows. */
static void link_free_when_unused(Link *link)
{
    if (link->opened)
        return;
    http_connection_free(link->pump.http);
    link_unlist(link);
    free(link);
}

void link_end(Link *link, Result why)
{
    if (link->state == LINK_GONE)
        return;
    link_move(link, LINK_GONE);
    link_lead_to(link, NULL);
    dial_free(link->dial);
    link->dial = NULL;
    link->asks = false;
    if (link->pump.http)
        http_connection_lost(link->pump.http, why);
    pump_stop(&link->pump);
    upstream_look(link->upstream);
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

/* Records the results of the dial's connects in the endpoints. With `all`, running ones count as
   failed. */
static void judge(Link *link, bool all)
{
    int64_t now = loop_of(link)->now;
    for (; link->n_judged < dial_size(link->dial); link->n_judged++) {
        DialState state = dial_state(link->dial, link->n_judged);
        Endpoint *endpoint =
            endpoint_find(link->upstream->endpoints, dial_address(link->dial, link->n_judged));
        if (state == DIAL_WAITING || (state == DIAL_BEGUN && !all))
            return;
        if (endpoint && state != DIAL_CONNECTED)
            endpoint_failed(endpoint, now);
    }
}

/* The connect failed: the instance is in backoff; for a spare link only its endpoint is. */
static void connect_failed(Link *link, Result why)
{
    Upstream *u = link->upstream;
    int64_t begun = link->since;
    bool spare = link->spare;
    judge(link, true);
    if (link->opened && link->endpoint)
        endpoint_failed(link->endpoint, loop_of(link)->now);
    link_end(link, why);
    if (!spare)
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

/* Whether the name servers have not answered and earlier addresses are known. */
static bool may_use_old_answer(const Link *link)
{
    return link->asks && dial_size(link->dial) == 0 &&
           endpoints_any_named(link->upstream->endpoints);
}

/* When to send a PING, or, after one, to give up. */
static int64_t silent_at(const Link *link)
{
    return link->heard + link->upstream->limits.ping_time * (link->pinged ? 2 : 1);
}

/* When a link in doubt is silent: calls that nobody has seen need not wait for its end. */
static int64_t silent_from(const Link *link)
{
    const UpstreamLimits *limits = &link->upstream->limits;
    return link->give_up_at - limits->connect_time + limits->patience;
}

static int64_t deadline_of(const Link *link)
{
    const UpstreamLimits *limits = &link->upstream->limits;
    if (link->state == LINK_CONNECTING)
        return link->since +
               (may_use_old_answer(link) ? limits->connect_time / 2 : limits->connect_time);
    int64_t deadline = is_live(link->state) && !link->old ? link->old_at : NO_TIMEOUT;
    if (link->give_up_at)
        deadline = earlier(deadline, link->silent ? link->give_up_at
                                                  : earlier(silent_from(link), link->give_up_at));
    if (http_connection_streams(link->pump.http) == 0)
        deadline = earlier(deadline, link->since + limits->idle_time);
    else if (link->upstream->http2)
        deadline = earlier(deadline, silent_at(link));
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

static void connect_timeout(Link *link)
{
    if (may_use_old_answer(link)) {
        link_dial(link, true);
        set_timer(link);
        return;
    }
    Result late = FAIL(loop_scratch(loop_of(link)), FAULT_SYSTEM,
                       "no connection within %.1f s (limits.connect_time)%s",
                       (double)link->upstream->limits.connect_time / SECOND,
                       dial_size(link->dial) == 0 ? ": no name server responds" : "");
    connect_failed(link, over(link, late, &FAULT_UPSTREAM_DOWN, "connecting to"));
}

/* The link reached its maximum age. It is drained if others can take its calls; else a new one is
   connected first. */
static void grow_old(Link *link)
{
    Upstream *u = link->upstream;
    link_count(link, -1u);
    link->old = true;
    link_count(link, 1);
    if (u->n_old < u->n_links[LINK_READY] + u->n_links[LINK_FULL])
        link_drain(link);
    else
        upstream_look(u);
    set_timer(link);
}

/* One that is kept ready is replaced before its idle time makes it end. */
static void end_idle(Link *link)
{
    if (link->old || !is_live(link->state) || !warm_keeps(link->upstream)) {
        link_end(link, OK);
        return;
    }
    link->since = loop_of(link)->now;
    grow_old(link);
}

static void set_silent(Link *link, bool silent)
{
    if (link->silent == silent)
        return;
    link_count(link, -1u);
    link->silent = silent;
    link_count(link, 1);
    upstream_look(link->upstream);
}

static void link_timeout(Link *link)
{
    Arena *arena = loop_scratch(loop_of(link));
    int64_t now = loop_of(link)->now;
    if (link->state == LINK_CONNECTING) {
        connect_timeout(link);
    } else if (is_live(link->state) && !link->old && link->old_at <= now) {
        grow_old(link);
    } else if (link->give_up_at && link->give_up_at <= now) {
        lost(link,
             FAIL(arena, FAULT_SYSTEM, "the instance responds neither to calls nor to a PING"));
    } else if (link->give_up_at && !link->silent && silent_from(link) <= now) {
        set_silent(link, true);
        link_settle(link);
    } else if (http_connection_streams(link->pump.http) == 0) {
        end_idle(link);
    } else if (link->pump.blocked_since || link->pinged) {
        lost(link,
             FAIL(arena, FAULT_SYSTEM, "%s",
                  link->pump.blocked_since ? "the instance does not read (limits.send_time)"
                                           : "the instance does not respond (limits.ping_time)"));
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

/* gRPC servers close connections with several PINGs between two responses: after a PING that was
   answered there is no other one until more arrives. */
void link_doubt(Link *link, int64_t asked)
{
    int64_t now = loop_of(link)->now;
    if (link->since < asked || link->heard >= asked || link->give_up_at || now < link->doubt_from)
        return;
    if (!link->pinged)
        http_connection_ping(link->pump.http);
    link->pinged = true;
    link->give_up_at = now + link->upstream->limits.connect_time;
    link->doubt_from = now + link->upstream->limits.ping_time;
    set_timer(link);
}

/* ---- At work --------------------------------------------------------------------------------- */

/* The connection broke, or was never fully established. */
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
    else if (http_connection_capacity(link->pump.http) > 0 && !link->silent)
        link_move(link, LINK_READY);
    else
        link_move(link, LINK_FULL);
    if (before != link->state)
        link->since = loop_of(link)->now;
    if (before != link->state && (link->upstream->n_waits > 0 || link->upstream->late))
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

/* The state is not changed within the engine: link_settle does so after what was read, and in a
   flush. */
static const HttpConnectionEvents http_events = {.on_output = on_output};

enum { AGE_JITTER_PERCENT = 20 /* so that connections made together do not end together */ };

static void link_up(Link *link)
{
    Loop *loop = loop_of(link);
    int64_t age = link->upstream->limits.max_age;
    link->since = loop->now;
    link->old_at = loop->now + age -
                   (int64_t)random_below(&loop->random, (uint64_t)(age * AGE_JITTER_PERCENT / 100));
    endpoint_connected(link->endpoint);
    dial_free(link->dial);
    link->dial = NULL;
    link->asks = false;
    link_move(link, LINK_READY);
    upstream_connected(link->upstream);
}

static void link_hears(Link *link)
{
    if (!link->give_up_at)
        link->doubt_from = 0;
    link->heard = loop_of(link)->now;
    link->give_up_at = 0;
    link->pinged = false;
    set_silent(link, false);
}

static void on_read(Socket *socket, Bytes input)
{
    Link *link = link_of(socket);
    Loop *loop = loop_of(link);
    uint32_t n_before = http_connection_streams(link->pump.http);
    link_hears(link);
    Result r = http_connection_feed(link->pump.http, input, loop->now);
    uint32_t n_left = http_connection_streams(link->pump.http);
    socket_floods(socket, n_before >= n_left + FLOOD);
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
    if (n_left == 0)
        link->since = loop->now;
    link_settle(link);
}

static void on_eof(Socket *socket)
{
    Link *link = link_of(socket);
    http_connection_eof(link->pump.http);
    if (http_connection_streams(link->pump.http) > 0)
        pump_flush_later(&link->pump); /* a tunnel: our side may still send */
    else
        lost(link,
             FAIL(loop_scratch(loop_of(link)), FAULT_SYSTEM, "the instance closed the connection"));
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
    };
}

/* A peer that disappeared without closing is noticed earlier than by the kernel's default. */
static void set_unacknowledged_time(Link *link)
{
    uv_os_fd_t fd;
    unsigned limit = (unsigned)(link->upstream->limits.send_time / MILLISECOND);
    if (link->upstream->known->address.host && uv_fileno(&link->pump.socket.uv.handle, &fd) == 0)
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof(limit)); /* best effort */
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
    if (link->state == LINK_CONNECTING && !link->pump.http && dial_has_more(link->dial)) {
        endpoint_failed(link->endpoint, loop_of(link)->now);
        socket_close(socket); /* on_closed continues with the next address */
    } else {
        lost(link, why);
    }
}

static void on_closed(Socket *socket)
{
    Link *link = link_of(socket);
    link->opened = false;
    if (link->state == LINK_CONNECTING)
        CHECK(dial_go_on(link->dial));
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

static void on_connected(void *owner, Dial *dial, int fd, uint32_t which)
{
    Link *link = owner;
    Upstream *u = link->upstream;
    SocketPeer peer = peer_of(u);
    judge(link, false);
    link_lead_to(link, endpoint_get(&u->endpoints, dial_address(dial, which)));
    link->opened = true;
    socket_connect(&link->pump.socket, loop_of(link), &socket_events, fd, !u->known->address.path,
                   &peer);
}

static void on_dial_failed(void *owner, Dial *dial, Result why)
{
    Link *link = owner;
    (void)dial;
    connect_failed(link, over(link, why, &FAULT_UPSTREAM_DOWN, "connecting to"));
}

static const DialEvents dial_events = {on_connected, on_dial_failed};

static bool dial_has(const Dial *dial, const IpAddress *ip)
{
    uint32_t i = 0, n = dial_size(dial);
    while (i < n && !ip_equal(dial_address(dial, i), ip))
        i++;
    return i < n;
}

void link_dial(Link *link, bool more)
{
    Upstream *u = link->upstream;
    IpAddress order[DIAL_MOST];
    uint32_t n = endpoints_order(u->endpoints, loop_of(link)->now, order, DIAL_MOST), n_new = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!dial_has(link->dial, &order[i]))
            order[n_new++] = order[i];
    }
    link->asks = more;
    if (!link->endpoint)
        link_lead_to(link, endpoint_find(u->endpoints, &order[0]));
    dial_add(link->dial, order, n_new, u->known->address.port, more);
}

Link *link_connect(Upstream *u, Endpoint *spare)
{
    Loop *loop = u->table->loop;
    const Address *address = &u->known->address;
    Link *link = calloc(1, sizeof(*link));
    CHECK(link);
    link->upstream = u;
    link->spare = spare != NULL;
    pump_init(&link->pump, loop, run_flush, on_timer);
    link->dial = dial_new(loop, u->limits.descriptors, &dial_events, link);
    link->since = loop->now;
    link_list(link, LINK_CONNECTING);
    if (address->path) {
        link_lead_to(link, u->endpoints);
        dial_add_path(link->dial, address->path);
    } else if (spare) {
        link_lead_to(link, spare);
        dial_add(link->dial, &spare->ip, 1, address->port, false);
    } else if (loop->now < u->known_to && endpoints_any_named(u->endpoints)) {
        link_dial(link, lookup_running(&u->lookup));
    } else {
        link->asks = true;
        upstream_resolve(u);
    }
    set_timer(link);
    return link;
}
