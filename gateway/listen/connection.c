#include "gateway/listen/connection.h"

#include "base/arena.h"
#include "gateway/call/client.h"
#include "gateway/config/config.h"
#include "gateway/headers/cors.h"
#include "gateway/headers/own_fields.h"
#include "gateway/headers/request_id.h"
#include "gateway/identity/identity.h"
#include "gateway/loop/fair_queue.h"
#include "gateway/loop/pump.h"
#include "gateway/memory/accounts.h"
#include "gateway/memory/memory_wait.h"
#include "gateway/overload/loop_load.h"
#include "gateway/telemetry/telemetry.h"
#include "protocols/http/proxy_protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Without input from the peer: then it has surely read our last output. */
#define LINGER_TIME (2 * SECOND)
/* During shutdown, and from limits.max_age on: wait for a request that may be in flight, because
   the client does not know of it (the first request, or the next one of HTTP/1.1), and for the PING
   ACK of HTTP/2. */
#define FRESH_TIME (1 * SECOND)
/* A client that has closed its side: how often it is looked whether it has left altogether. */
#define LEFT_TIME (100 * MILLISECOND)

enum {
    PREFACE_SIZE = sizeof(HTTP2_PREFACE) - 1,
    EARLIEST_PERCENT = 80, /* of limits.max_age */
    LATEST_PERCENT = 99,   /* so that a timer that is late is not later than the whole */
    FLOOD = 4,             /* calls of one read */
};

typedef enum ConnectionState {
    CONNECTION_HANDSHAKE,
    CONNECTION_CHOICE,
    CONNECTION_SERVING,
    CONNECTION_LINGERING,
    CONNECTION_GONE,
} ConnectionState;

/* While a head that is not complete takes much: it is ended above the limit. */
typedef struct HeadWait {
    MemoryWait wait;
    Connection *connection;
} HeadWait;

/* The address of a listener, which connections outlive: one for all of them. */
struct ListenerName {
    ListenerName *next;
    uint32_t n; /* connections */
    char text[];
};

struct Connection {
    Pump pump; /* `http` is NULL until CONNECTION_SERVING */
    ClientConnection client;
    ConnectionSet *set;
    Connection *next, **at; /* in the set */
    HeadWait *head;         /* NULL: no head has taken much yet */
    ProxyReader *proxy;     /* while a PROXY header is expected; else NULL */
    int64_t since; /* start of the current timeout: when the phase began, or its last progress */
    union {
        uint64_t progress;     /* CONNECTION_SERVING: http_connection_progress at the last check */
        int64_t lingers_since; /* CONNECTION_LINGERING */
    };
    /* When the client is told to leave (limits.max_age); once it was told, and may not acknowledge
       that: when it is told for the last time. NO_TIMEOUT: not */
    int64_t notice_at;
    uint32_t n_streams; /* accepted so far */
    uint32_t n_streams_seen;
    HttpPhase phase : 8; /* at the last check */
    ConnectionState state : 8;
    bool closed;     /* the socket is closed */
    bool drained;    /* the client was told to leave, or will be with the next response */
    bool broken;     /* feeding the engine failed: only its output is still sent */
    uint8_t n_early; /* cleartext: received bytes, which are a prefix of HTTP2_PREFACE */
    char peer[];     /* ClientConnection.peer */
};

static Connection *connection_of(Socket *socket)
{
    return (Connection *)socket;
}

static Loop *loop_of(Connection *c)
{
    return c->client.loop;
}

enum { TLS_MEMORY = 32 * 1024 /* approximate memory of OpenSSL per connection */ };

/* Counts the memory of the connection itself. That of OpenSSL is counted for the process elsewhere
   (tls_memory.c), but not for the client. */
static void hold_own(Connection *c, int64_t times)
{
    int64_t own = times * (int64_t)sizeof *c;
    memory_add(MEMORY_CONNECTIONS, own);
    account_add(c->client.account, own + times * (c->client.secure ? TLS_MEMORY : 0));
}

/* The address of the client is known: charges the connection to its account. */
static void open_account(Connection *c)
{
    IpAddress place =
        identity_connection_place(loop_of(c)->config, c->client.certificate, &c->client.address);
    c->client.account = account_open(&place);
    IpAddress client = fair_client_of(&place);
    socket_is_of(&c->pump.socket, sender_of(&client, loop_of(c)->seed));
    http_connection_charge(c->pump.http, c->client.account);
    hold_own(c, 1);
}

static void close_account(Connection *c)
{
    if (!c->client.account)
        return;
    hold_own(c, -1);
    account_close(c->client.account);
    account_close(c->client.proved);
}

static const Limits *limits_of(Connection *c)
{
    return &c->client.loop->config->limits;
}

/* ---- The end --------------------------------------------------------------------------------- */

static const char *listener_name_hold(ConnectionSet *set, const char *text)
{
    ListenerName *name = set->names;
    while (name && strcmp(name->text, text) != 0)
        name = name->next;
    if (!name) {
        size_t size = strlen(text) + 1;
        name = calloc(1, sizeof *name + size);
        CHECK(name);
        memcpy(name->text, text, size);
        name->next = set->names;
        set->names = name;
    }
    name->n++;
    return name->text;
}

static void listener_name_release(ConnectionSet *set, const char *text)
{
    ListenerName **at = &set->names;
    while ((*at)->text != text)
        at = &(*at)->next;
    ListenerName *name = *at;
    if (--name->n == 0) {
        *at = name->next;
        free(name);
    }
}

static void connection_free(Connection *c)
{
    ConnectionSet *set = c->set;
    *c->at = c->next;
    if (c->next)
        c->next->at = c->at;
    close_account(c);
    listener_name_release(set, c->client.listener);
    free((void *)c->client.certificate);
    free(c->proxy);
    free(c->head);
    free(c->client.rest);
    free(c);
    if (--set->n == 0 && set->on_empty)
        set->on_empty(set);
}

static void end_head(Connection *c)
{
    if (c->head)
        memory_wait_end(loop_of(c), &c->head->wait);
}

/* The socket is lost or abandoned: tells the exchanges. Memory is freed after on_closed. */
static void connection_end(Connection *c, Result why)
{
    if (c->state == CONNECTION_GONE)
        return;
    c->state = CONNECTION_GONE;
    end_head(c);
    if (c->pump.http)
        http_connection_lost(c->pump.http, why);
    pump_stop(&c->pump);
    socket_close(&c->pump.socket);
}

static void on_closed(Socket *socket)
{
    Connection *c = connection_of(socket);
    http_connection_free(c->pump.http);
    c->pump.http = NULL;
    c->closed = true;
    atomic_fetch_sub_explicit(c->set->n_in_process, 1, memory_order_relaxed);
    telemetry_count(loop_of(c), COUNTER_CONNECTIONS_CLOSED);
    if (c->client.n_exchanges == 0)
        connection_free(c);
}

static void on_unused(ClientConnection *client)
{
    Connection *c = (Connection *)((char *)client - offsetof(Connection, client));
    if (c->closed)
        connection_free(c);
}

/* All output is sent: shuts down our side, and discards input until the peer closes. Closing at
   once could destroy our last response if the peer is still sending (RFC 9112 section 9.6). */
static void connection_linger(Connection *c)
{
    if (c->pump.socket.eof) {
        socket_shutdown(&c->pump.socket); /* TLS: close_notify */
        connection_end(c, OK);
        return;
    }
    c->state = CONNECTION_LINGERING;
    c->since = c->lingers_since = loop_of(c)->now;
    socket_resume(&c->pump.socket);
    socket_shutdown(&c->pump.socket);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static int64_t time_of_phase(const Limits *limits, HttpPhase phase)
{
    switch (phase) {
    case HTTP_IDLE: return limits->idle_time;
    case HTTP_HEAD: return limits->head_time;
    case HTTP_BODY: return limits->body_time;
    case HTTP_CLOSING:
    case HTTP_CLOSED: return limits->send_time; /* then CONNECTION_LINGERING */
    case HTTP_ACTIVE: return limits->send_time; /* see is_at_work */
    }
    return NO_TIMEOUT;
}

/* A peer may read only when it has sent everything: it gets as much time as for the body of a
   request. */
static int64_t linger_time(const Connection *c, const Limits *limits)
{
    int64_t left = c->lingers_since + limits->body_time - c->since;
    return left < LINGER_TIME ? left : LINGER_TIME;
}

static bool is_idle(const Connection *c)
{
    return c->state == CONNECTION_CHOICE ? c->n_early == 0 : c->phase == HTTP_IDLE;
}

/* There is no call, and the connection is to end: only a request that may be in flight is waited
   for. */
static bool is_on_leave(Connection *c)
{
    bool leaves = c->drained && is_idle(c);
    if (loop_of(c)->draining)
        return c->n_streams == 0 || leaves;
    return leaves && (c->state == CONNECTION_CHOICE || c->state == CONNECTION_SERVING);
}

/* When the connection times out if there is no progress. */
static int64_t deadline_of(Connection *c)
{
    const Limits *limits = limits_of(c);
    int64_t time = NO_TIMEOUT;
    switch (c->state) {
    case CONNECTION_HANDSHAKE: time = limits->handshake_time; break;
    case CONNECTION_CHOICE: time = c->n_early ? limits->head_time : limits->idle_time; break;
    case CONNECTION_SERVING: time = time_of_phase(limits, c->phase); break;
    case CONNECTION_LINGERING: time = linger_time(c, limits); break;
    case CONNECTION_GONE: break;
    }
    if (time > FRESH_TIME && is_on_leave(c))
        time = FRESH_TIME;
    int64_t deadline = time == NO_TIMEOUT ? NO_TIMEOUT : c->since + time;
    if (c->pump.blocked_since && c->pump.blocked_since + limits->send_time < deadline)
        deadline = c->pump.blocked_since + limits->send_time;
    return deadline;
}

static bool notice_is_due(Connection *c)
{
    return loop_of(c)->now >= c->notice_at;
}

static void set_timer(Connection *c)
{
    int64_t deadline = deadline_of(c), now = loop_of(c)->now;
    bool open = c->state == CONNECTION_CHOICE || c->state == CONNECTION_SERVING;
    if (open && !notice_is_due(c) && c->notice_at < deadline)
        deadline = c->notice_at;
    if (c->pump.socket.eof && now + LEFT_TIME < deadline)
        deadline = now + LEFT_TIME;
    const ClientRest *rest = c->client.rest;
    if (rest && rest->until > now && rest->until < deadline)
        deadline = rest->until;
    if (deadline != NO_TIMEOUT && c->state != CONNECTION_GONE)
        pump_wake_by(&c->pump, deadline);
}

/* Updates the phase. The timeout of a head runs from its first byte; the others start again with
   each progress. */
static void note_phase(Connection *c)
{
    HttpPhase phase = http_connection_phase(c->pump.http);
    uint64_t progress = http_connection_progress(c->pump.http);
    bool moved = phase != HTTP_HEAD && phase != HTTP_IDLE && progress != c->progress;
    if (phase != c->phase || c->n_streams != c->n_streams_seen || moved)
        c->since = loop_of(c)->now;
    c->phase = phase;
    c->progress = progress;
    c->n_streams_seen = c->n_streams;
}

static void look_at_head(MemoryWait *wait)
{
    (void)wait; /* it needs nothing but that it can be shed */
}

static void shed_head(MemoryWait *wait);

/* The memory of an unfinished head is a client's that has no call: above the limit it is ended like
   a call that waits. */
static void note_head(Connection *c)
{
    if (!http_connection_holds_head(c->pump.http)) {
        end_head(c);
        return;
    }
    if (!c->head) {
        c->head = calloc(1, sizeof *c->head);
        CHECK(c->head);
        *c->head = (HeadWait){{.look = look_at_head, .shed = shed_head}, c};
    }
    memory_wait_begin(loop_of(c), &c->head->wait, c->client.account);
}

/* ---- Rest ------------------------------------------------------------------------------------ */

/* Input was processed while the loop sheds. What the client sends during a rest stays with the
   kernel, and then with the client. Where calls of an impact come of which none are refused, they
   would have to wait. */
static void begin_rest(Connection *c, ClientRest *rest)
{
    Loop *loop = loop_of(c);
    int64_t most = loop->config->overload.pause;
    int64_t time = pace_next(&rest->pace, most, random_next(&loop->random));
    if (overload_spares(loop, (Impact)c->client.highest))
        rest->pace = (Pace){0};
    else if (time)
        rest->until = loop->now + time;
    if (rest->until > loop->now)
        overload_leave_unread(loop);
    socket_read_most(&c->pump.socket, pace_piece(&rest->pace));
}

static void end_rest(Connection *c, ClientRest *rest)
{
    rest->pace = (Pace){0};
    rest->until = 0;
    socket_read_most(&c->pump.socket, 0);
}

static bool rests(Connection *c)
{
    const ClientRest *rest = c->client.rest;
    return rest && rest->until > loop_of(c)->now && loop_of(c)->sheds;
}

static void set_reading(Connection *c)
{
    if (!rests(c))
        pump_set_reading(&c->pump);
    else if (!c->pump.socket.paused)
        socket_pause(&c->pump.socket);
}

/* ---- Notices --------------------------------------------------------------------------------- */

static void drain_begin(Connection *c)
{
    int64_t now = loop_of(c)->now;
    c->drained = true;
    c->notice_at = now + FRESH_TIME;
    if (is_idle(c))
        c->since = now;
    if (c->pump.http)
        http_connection_drain(c->pump.http);
}

/* A client of HTTP/2 that does not acknowledge would else keep its connection, and open streams on
   it, as long as it likes. */
static void drain_end(Connection *c)
{
    c->drained = true;
    c->notice_at = NO_TIMEOUT;
    http_connection_drain_now(c->pump.http);
}

static void note_notice(Connection *c)
{
    bool serves = c->state == CONNECTION_SERVING;
    if (!c->drained && (notice_is_due(c) || (serves && loop_of(c)->draining)))
        drain_begin(c);
    else if (notice_is_due(c) && serves)
        drain_end(c);
}

/* To be called after each call into the engine. */
static void connection_settle(Connection *c)
{
    if (c->state == CONNECTION_CHOICE || c->state == CONNECTION_SERVING)
        note_notice(c);
    if (c->state != CONNECTION_SERVING)
        return;
    note_phase(c);
    if (c->phase == HTTP_HEAD || (c->head && c->head->wait.at))
        note_head(c);
    set_reading(c);
    set_timer(c);
}

/* ---- Sending --------------------------------------------------------------------------------- */

/* Sends output of the engine, at most the amount for one turn. */
static void connection_flush(Connection *c)
{
    PumpFlow flow = {0};
    if (c->state == CONNECTION_SERVING)
        flow = pump_flush(&c->pump);
    if (flow.sent > 0 && c->phase == HTTP_CLOSING)
        c->since = loop_of(c)->now;
    connection_settle(c);
    if (c->state == CONNECTION_SERVING && flow.dry && c->phase >= HTTP_CLOSING &&
        !socket_busy(&c->pump.socket))
        connection_linger(c);
    if (c->state != CONNECTION_SERVING)
        set_timer(c);
}

static void run_flush(LoopWork *work)
{
    connection_flush((Connection *)pump_of_flush(work));
}

static void on_writable(Socket *socket)
{
    Connection *c = connection_of(socket);
    pump_writable(&c->pump);
    if (c->state == CONNECTION_SERVING)
        connection_flush(c);
}

/* ---- The engine ------------------------------------------------------------------------------ */

static void on_stream(void *owner, HttpConnection *http, HttpStream *stream, const HttpHead *head)
{
    Connection *c = owner;
    bool dripped = c->phase == HTTP_HEAD; /* a part of the head arrived before */
    c->n_streams++;
    if (loop_of(c)->sheds && client_shed(&c->client, stream, head))
        return;
    client_accept(&c->client, stream, dripped ? c->since : loop_of(c)->now);
}

static void on_output(void *owner, HttpConnection *http)
{
    Connection *c = owner;
    if (c->state == CONNECTION_SERVING)
        pump_flush_later(&c->pump);
}

/* The call has ended, and its line in the log says that it went well: so the ledger gets a failure
   of its own. */
static void record_loss(const Connection *c, Result why)
{
    const ClientConnection *client = &c->client;
    telemetry_event("info", "response_lost", why, "client %s", c->peer);
    telemetry_record_refused(client->loop, &(CallRecord){.peer = client->peer,
                                                         .listener = client->listener,
                                                         .address = &client->address,
                                                         .dialect = DIALECT_HTTP,
                                                         .rule = "",
                                                         .served_why = "",
                                                         .status = {.code = CODE_CANCELLED},
                                                         .why = why,
                                                         .began = clock_wall()});
}

/* The ledger knows it as a call that failed at once. */
static void record_refusal(const Connection *c, unsigned status, const HttpHead *head, Bytes id,
                           Result why)
{
    const ClientConnection *client = &c->client;
    telemetry_record_refused(
        client->loop, &(CallRecord){.request_id = id,
                                    .peer = client->peer,
                                    .listener = client->listener,
                                    .address = &client->address,
                                    .dialect = DIALECT_HTTP,
                                    .verb = head->method,
                                    .path = bytes_slice(head->path, 0, bytes_find(head->path, '?')),
                                    .rule = "",
                                    .served_why = "",
                                    .http_status = (uint16_t)status,
                                    .status = {.code = (Code)why.error->fault->grpc_status},
                                    .why = why,
                                    .began = clock_wall()});
}

static void tell_refusal(const Connection *c, unsigned status, Bytes id, Result why)
{
    const char *doing = why.error->doing;
    if (status)
        telemetry_event("info", "request_refused", why, "client %s: %u, request %.*s: %s", c->peer,
                        status, BYTES_ARGS(id), doing);
    else
        telemetry_event("info", "request_refused", why, "client %s: reset: %s", c->peer, doing);
}

/* A request that is refused before there is a call. Its response has a request id and CORS fields
   like any other. */
static Fields on_refusal(void *owner, HttpConnection *http, unsigned status, const HttpHead *head,
                         const char *why)
{
    Connection *c = owner;
    Loop *loop = loop_of(c);
    Fields fields = fields_in(loop_scratch(loop));
    char id[REQUEST_ID_SIZE];
    request_id_write(&loop->random, id);
    fields_add_copy(&fields, "x-request-id", bytes(id, sizeof id));
    cors_add(&loop->config->cors, fields_get(&head->fields, "origin"), &fields);
    own_fields_merge_vary(&fields);
    if (http_refusal_fault(status)->retryable)
        fields_add_copy(&fields, "retry-after", bytes_of("1"));
    Result r = FAIL(loop_scratch(loop), *http_refusal_fault(status), "%s", why);
    tell_refusal(c, status, bytes(id, sizeof id), r);
    record_refusal(c, status, head, bytes(id, sizeof id), r);
    return fields;
}

static const HttpConnectionEvents http_events = {
    .on_stream = on_stream, .on_output = on_output, .on_refusal = on_refusal};

static void connection_serve(Connection *c, bool http2)
{
    const HttpLimits *limits = &limits_of(c)->http;
    bool secure = c->client.secure;
    c->pump.http = http2 ? http2_server_new(limits, secure, &http_events, c)
                         : http1_server_new(limits, secure, &http_events, c);
    http_connection_set_date(c->pump.http, loop_of(c)->date);
    open_account(c);
    c->state = CONNECTION_SERVING;
    c->phase = http_connection_phase(c->pump.http);
    if (c->drained || loop_of(c)->draining)
        drain_begin(c);
    pump_flush_later(&c->pump); /* HTTP/2 begins with SETTINGS */
}

/* The engine has failed. Its last output is still to be sent. */
static void break_off(Connection *c, Result why)
{
    const Fault *fault = why.error->fault;
    c->broken = true;
    telemetry_count(loop_of(c), COUNTER_CONNECTION_BROKEN);
    if (fault == &FAULT_MEMORY_SHARE)
        telemetry_count(loop_of(c), COUNTER_MEMORY_SHARE);
    if (fault == &FAULT_MEMORY_FULL)
        telemetry_count(loop_of(c), COUNTER_MEMORY_FULL);
    telemetry_event("info", "connection_broken", why, "client %s", c->peer);
    pump_flush_later(&c->pump);
}

static void shed_head(MemoryWait *wait)
{
    Connection *c = ((HeadWait *)wait)->connection;
    break_off(c, http_connection_shed_head(c->pump.http));
    connection_settle(c);
}

/* Who calls what matters most is read first while there is much to read. */
static void set_rank(Connection *c, uint32_t n_new)
{
    static const ReadRank ranks[] = {
        [IMPACT_LOW] = READ_LOW, [IMPACT_HIGH] = READ_HIGH, [IMPACT_CATASTROPHIC] = READ_URGENT};
    socket_rank(&c->pump.socket, ranks[c->client.highest]);
    socket_floods(&c->pump.socket, n_new >= FLOOD);
}

static void feed(Connection *c, Bytes input)
{
    if (c->broken)
        return;
    uint32_t n_before = c->n_streams;
    Result r = http_connection_feed(c->pump.http, input, loop_of(c)->now);
    if (c->n_streams != n_before)
        set_rank(c, c->n_streams - n_before);
    if (failed(r))
        break_off(c, r);
    ClientRest *rest = c->client.rest;
    if (rest && loop_of(c)->sheds)
        begin_rest(c, rest);
    else if (rest && rest->pace.rest)
        end_rest(c, rest);
    connection_settle(c);
}

/*
 * In cleartext the first bytes select the engine (RFC 9113 section 3.4); they are counted while
 * they are a prefix of the HTTP/2 preface. With TLS, ALPN selects it.
 */
static void choose(Connection *c, Bytes input)
{
    Bytes awaited = bytes(&HTTP2_PREFACE[c->n_early], (size_t)(PREFACE_SIZE - c->n_early));
    size_t more = input.size < awaited.size ? input.size : awaited.size;
    bool preface = memcmp(input.data, awaited.data, more) == 0;
    if (preface && more < awaited.size) {
        if (c->n_early == 0)
            c->since = loop_of(c)->now; /* from now on the timeout of a head applies */
        c->n_early += (uint8_t)more;
        set_timer(c);
        return;
    }
    connection_serve(c, preface);
    if (c->n_early)
        feed(c, bytes(HTTP2_PREFACE, c->n_early));
    if (c->state == CONNECTION_SERVING)
        feed(c, input);
}

static void on_read(Socket *socket, Bytes input)
{
    Connection *c = connection_of(socket);
    if (c->state == CONNECTION_SERVING)
        feed(c, input);
    else if (c->state == CONNECTION_CHOICE)
        choose(c, input);
    else if (c->state == CONNECTION_LINGERING)
        c->since = loop_of(c)->now;
}

static void on_eof(Socket *socket)
{
    Connection *c = connection_of(socket);
    if (c->state != CONNECTION_SERVING) {
        connection_end(c, OK);
        return;
    }
    http_connection_eof(c->pump.http);
    pump_flush_later(&c->pump); /* closes even if there is no output */
    connection_settle(c);
}

/* The connection is lost; gives the reason for its streams. */
static Result tell_lost(Connection *c, Result why)
{
    Arena *arena = loop_scratch(loop_of(c));
    bool owes = c->pump.http && http_connection_owes(c->pump.http, socket_unsent(&c->pump.socket));
    bool in_use = c->pump.http && http_connection_streams(c->pump.http) > 0;
    telemetry_count(loop_of(c),
                    owes || in_use ? COUNTER_CONNECTION_BROKEN : COUNTER_CONNECTION_LOST);
    if (owes)
        record_loss(c, FAIL_OVER(arena, why, FAULT_CANCELLED,
                                 "the client's connection was lost before its response was sent"));
    return in_use ? FAIL_OVER(arena, why, FAULT_CANCELLED, "the client's connection was lost")
                  : why;
}

static void on_lost(Socket *socket, Result why)
{
    Connection *c = connection_of(socket);
    if (c->state == CONNECTION_HANDSHAKE) {
        telemetry_count(loop_of(c), COUNTER_HANDSHAKE_FAILED);
        telemetry_event("info", "handshake_failed", why, "client %s at %s", c->peer,
                        c->client.listener);
    } else {
        why = tell_lost(c, why);
    }
    connection_end(c, why);
}

/* The PROXY header, by which a load balancer names the client of a forwarded connection. */
static Bytes on_preamble(Socket *socket, Bytes input, bool *done_out)
{
    Connection *c = connection_of(socket);
    ProxySource source;
    switch (proxy_reader_read(c->proxy, &input, &source)) {
    case PROXY_MORE: break;
    case PROXY_BAD:
        telemetry_count(loop_of(c), COUNTER_CONNECTION_BROKEN);
        connection_end(
            c, FAIL(loop_scratch(loop_of(c)), FAULT_PROTOCOL_VIOLATION, "reading a PROXY header"));
        telemetry_event("warning", "proxy_header_refused", OK,
                        "peer %s at %s: the header is missing or malformed", c->peer,
                        c->client.listener);
        break;
    case PROXY_DONE:
        c->client.unnamed = !source.local && !source.ip.known;
        if (source.ip.known) {
            socket_peer_name(&source.ip, source.port, c->peer);
            c->client.address = source.ip;
        }
        *done_out = true;
        free(c->proxy);
        c->proxy = NULL;
        break;
    }
    return input;
}

static void on_ready(Socket *socket)
{
    Connection *c = connection_of(socket);
    c->since = loop_of(c)->now;
    c->state = CONNECTION_CHOICE;
    if (c->client.secure) {
        c->client.certificate = socket_peer_names(socket);
        connection_serve(c, bytes_are(socket_alpn(socket), "h2"));
        connection_settle(c);
    }
    set_timer(c);
}

static const SocketEvents socket_events = {
    .on_ready = on_ready,
    .on_read = on_read,
    .on_eof = on_eof,
    .on_writable = on_writable,
    .on_lost = on_lost,
    .on_closed = on_closed,
};

static const SocketEvents behind_proxy_events = {
    .on_preamble = on_preamble,
    .on_ready = on_ready,
    .on_read = on_read,
    .on_eof = on_eof,
    .on_writable = on_writable,
    .on_lost = on_lost,
    .on_closed = on_closed,
};

/* ---- Timeouts -------------------------------------------------------------------------------- */

static const char *what_took_too_long(const Connection *c)
{
    switch (c->phase) {
    case HTTP_HEAD: return "the head of the request did not arrive in time (limits.head_time)";
    case HTTP_BODY: return "the body of the request did not arrive in time (limits.body_time)";
    default: return "the peer sends nothing (limits.idle_time)";
    }
}

static Result late(const Connection *c)
{
    Arena *arena = loop_scratch(c->client.loop);
    if (c->pump.blocked_since)
        return FAIL(arena, FAULT_CLIENT_STALLED, "the peer does not read (limits.send_time)");
    if (c->phase == HTTP_ACTIVE)
        return FAIL(arena, FAULT_CLIENT_STALLED,
                    "the peer did not open its flow-control window in time (limits.send_time)");
    return FAIL(arena, FAULT_REQUEST_TIMEOUT, "%s", what_took_too_long(c));
}

/* Closes an idle connection gracefully. */
static void close_idle(Connection *c)
{
    drain_end(c);
    connection_flush(c);
    bool sends = c->state == CONNECTION_SERVING && c->phase >= HTTP_CLOSING;
    if (loop_of(c)->draining && !sends)
        connection_end(c, OK); /* FRESH_TIME has passed */
    else if (c->state == CONNECTION_SERVING && !sends)
        connection_linger(c);
}

/* Ends a connection that timed out, with a response if that is possible. */
static void end_late(Connection *c)
{
    telemetry_count(loop_of(c), COUNTER_CONNECTION_TIMEOUT);
    bool request = c->state == CONNECTION_SERVING && !c->pump.blocked_since &&
                   (c->phase == HTTP_HEAD || c->phase == HTTP_BODY);
    if (request && http_connection_timeout(c->pump.http))
        connection_flush(c);
    else
        connection_end(c, late(c));
}

static void connection_timeout(Connection *c)
{
    bool silent = c->state == CONNECTION_CHOICE && c->n_early == 0;
    bool hurried = loop_of(c)->draining && c->state == CONNECTION_SERVING && c->phase == HTTP_HEAD;
    if (c->state == CONNECTION_SERVING && c->phase == HTTP_IDLE && !c->pump.blocked_since) {
        close_idle(c);
    } else if (c->state == CONNECTION_LINGERING || silent || hurried) {
        connection_end(c, OK); /* while draining, an incomplete head is not the client's fault */
    } else if (c->state == CONNECTION_HANDSHAKE) {
        telemetry_count(loop_of(c), COUNTER_HANDSHAKE_FAILED);
        connection_end(c, OK);
    } else {
        end_late(c);
    }
}

/* Whether calls run, which have their own timeouts, and the peer's flow-control windows do not
   block their responses. */
static bool is_at_work(const Connection *c)
{
    return c->state == CONNECTION_SERVING && c->phase == HTTP_ACTIVE && !c->pump.blocked_since &&
           !http_connection_held_up(c->pump.http);
}

static bool has_left(Connection *c)
{
    return c->state == CONNECTION_SERVING && c->pump.socket.eof && socket_is_reset(&c->pump.socket);
}

static void on_timer(Timer *timer)
{
    Connection *c = (Connection *)pump_of_timer(timer);
    if (has_left(c)) {
        connection_end(
            c, FAIL(loop_scratch(loop_of(c)), FAULT_CANCELLED, "the client closed the connection"));
        return;
    }
    if (is_at_work(c))
        c->since = loop_of(c)->now;
    if (deadline_of(c) <= loop_of(c)->now)
        connection_timeout(c);
    else
        connection_settle(c);
    set_timer(c);
}

/* ---- The set --------------------------------------------------------------------------------- */

/* Each has a moment of its own, so that those that came together do not come together again. */
static int64_t time_of_notice(Loop *loop)
{
    int64_t age = loop->config->limits.max_age;
    if (age == 0)
        return NO_TIMEOUT;
    int64_t least = age / 100 * EARLIEST_PERCENT, most = age / 100 * LATEST_PERCENT;
    return loop->now + least + (int64_t)random_below(&loop->random, (uint64_t)(most - least) + 1);
}

/* `proxied`: a PROXY header may replace the peer's name by a longer one. */
static Connection *connection_new(ConnectionSet *set, const struct sockaddr *address,
                                  const char *listener, bool proxied)
{
    char peer[SOCKET_NAME_SIZE];
    socket_address_name(address, peer);
    size_t size = strlen(peer) + 1;
    Connection *c = calloc(1, sizeof *c + (proxied ? sizeof peer : size));
    CHECK(c);
    memcpy(c->peer, peer, size);
    c->set = set;
    c->client = (ClientConnection){.loop = set->loop,
                                   .peer = c->peer,
                                   .address = ip_of(address),
                                   .listener = listener_name_hold(set, listener),
                                   .on_unused = on_unused};
    pump_init(&c->pump, set->loop, run_flush, on_timer);
    c->since = set->loop->now;
    c->notice_at = time_of_notice(set->loop);
    c->next = set->first;
    c->at = &set->first;
    if (c->next)
        c->next->at = &c->next;
    set->first = c;
    set->n++;
    return c;
}

static bool begins_with_proxy_header(const ConnectionSet *set, const struct sockaddr *peer,
                                     const char *address)
{
    const ListenerConfig *listener = config_listener(set->loop->config, address);
    IpAddress ip = ip_of(peer);
    return listener && listener->proxy_protocol && trusted_peers_have(&listener->trusted, &ip);
}

void connection_accept(ConnectionSet *set, int fd, const struct sockaddr *peer,
                       const char *listener, SSL_CTX *tls)
{
    uint32_t limit = set->loop->config->limits.connections;
    if (atomic_fetch_add_explicit(set->n_in_process, 1, memory_order_relaxed) >= limit) {
        atomic_fetch_sub_explicit(set->n_in_process, 1, memory_order_relaxed);
        telemetry_count(set->loop, COUNTER_CONNECTIONS_REFUSED);
        close(fd);
        return;
    }
    telemetry_count(set->loop, COUNTER_CONNECTIONS_OPENED);
    bool proxied = begins_with_proxy_header(set, peer, listener);
    Connection *c = connection_new(set, peer, listener, proxied);
    c->client.secure = tls != NULL;
    if (proxied)
        c->proxy = calloc(1, sizeof *c->proxy);
    socket_open(&c->pump.socket, set->loop, c->proxy ? &behind_proxy_events : &socket_events, fd,
                peer->sa_family != AF_UNIX, tls);
    set_timer(c);
}

/* The first request of a new connection may be in flight: such a connection waits for
   FRESH_TIME. */
void connections_drain(ConnectionSet *set)
{
    CHECK(set->loop->draining);
    for (Connection *c = set->first, *next; c; c = next) {
        next = c->next;
        if (c->n_streams == 0)
            c->since = set->loop->now;
        if (c->state == CONNECTION_SERVING)
            connection_flush(c);
        else
            set_timer(c);
    }
}

/* No call runs, but there is output left to send. */
static bool has_last_output(const Connection *c)
{
    return c->state == CONNECTION_SERVING && c->phase >= HTTP_CLOSING;
}

uint32_t connections_cut(ConnectionSet *set, Result why)
{
    CHECK(set->loop->draining);
    uint32_t n = 0;
    for (Connection *c = set->first, *next; c; c = next) {
        next = c->next;
        bool gone = c->state == CONNECTION_GONE; /* it has calls that go on without their client */
        if (c->state == CONNECTION_SERVING)
            drain_end(c);
        uint32_t n_here = client_end_all(&c->client, why);
        n += n_here;
        if (gone)
            continue;
        if (n_here || has_last_output(c))
            connection_flush(c);
        else
            connection_end(c, OK);
    }
    return n;
}

void connections_abort(ConnectionSet *set, Result why)
{
    for (Connection *c = set->first, *next; c; c = next) {
        next = c->next;
        connection_end(c, why);
        client_drop_all(&c->client, why);
    }
}
