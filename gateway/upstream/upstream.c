#include "gateway/upstream/upstream.h"

#include "base/arena.h"
#include "gateway/healing/healing.h"
#include "gateway/loop/tls.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/upstream/upstream_internal.h"

#include <openssl/ssl.h>
#include <stdlib.h>

#define CONNECT_TIME (3 * SECOND)
#define PATIENCE (250 * MILLISECOND) /* as between two addresses of a name: RFC 8305 */
#define HTTP1_IDLE_TIME                                                                            \
    (50 * SECOND) /* less than the idle timeout of most servers, so that the gateway closes first  \
                   */
#define HTTP2_IDLE_TIME (300 * SECOND)
#define PING_TIME                                                                                  \
    (310 * SECOND) /* gRPC servers close connections with pings more often than every 5 minutes */
#define MAX_AGE (600 * SECOND)
#define FORGET_EVERY SECOND
#define URGENT_FOR (200 * MILLISECOND) /* a connection is that of urgent calls */

enum { FAILURE_MEMORY = 16 * 1024, WAITS = 1000 };

static int64_t time_or(int64_t time, int64_t other)
{
    return time ? time : other;
}

static UpstreamLimits limits_for(const Config *config, bool http2)
{
    const Limits *limits = &config->limits;
    UpstreamLimits l = {
        .connect_time = time_or(limits->connect_time, CONNECT_TIME),
        .patience = time_or(limits->connect_patience, PATIENCE),
        .idle_time = time_or(limits->instance_idle_time, http2 ? HTTP2_IDLE_TIME : HTTP1_IDLE_TIME),
        .max_age = time_or(limits->instance_max_age, MAX_AGE),
        .ping_time = time_or(limits->ping_time, PING_TIME),
        .send_time = limits->send_time,
        .connections = limits_connections(limits, http2),
        .partial = limits->http1_uploads,
        .waits = limits->instance_waits ? limits->instance_waits : WAITS,
        .descriptors = config->descriptors.instances,
        .http = limits->http,
    };
    if (l.partial == 0 || l.partial > l.connections)
        l.partial = l.connections > 1 ? l.connections / 2 : 1;
    /* The instance limits the number of calls on a connection; they share its window. */
    l.http.streams = UINT32_MAX;
    uint64_t window = (uint64_t)limits->http.stream_window * 64;
    if (window > INT32_MAX)
        window = INT32_MAX;
    if (l.http.connection_window < window)
        l.http.connection_window = (uint32_t)window;
    return l;
}

/* ---- Finding --------------------------------------------------------------------------------- */

static void run_serve(LoopWork *work);
static void on_timer(Timer *timer);
static void on_resolved(Lookup *lookup, const Resolved *resolved, Result why);

/* An address that needs no lookup is its own endpoint, for ever. */
static void set_fixed_endpoint(Upstream *u)
{
    const Address *address = &u->known->address;
    IpAddress ip = {.known = false};
    if (!address->path && !ip_read(bytes_of(address->host), &ip))
        return;
    endpoints_name(&u->endpoints, &ip, 1, 0);
    u->known_to = INT64_MAX;
}

static Upstream *upstream_new(UpstreamTable *table, KnownInstance *known, SSL_CTX *tls)
{
    Upstream *u = calloc(1, sizeof(*u));
    CHECK(u);
    u->table = table;
    u->known = known_instance_ref(known);
    instance_counts_join(&u->counts, u->known);
    u->http2 = known->http2;
    u->limits = limits_for(table->loop->config, u->http2);
    u->tls = tls;
    if (u->tls)
        SSL_CTX_up_ref(u->tls);
    u->serve.run = run_serve;
    u->timer.fire = on_timer;
    u->lookup.on_resolved = on_resolved;
    warm_begin(u);
    set_fixed_endpoint(u);
    u->next = table->first;
    table->first = u;
    return u;
}

/* It is the first loop to which the instance is down, or the last one to which it was. */
static void tell_reconnects(const Upstream *u, bool down)
{
    if (!down)
        healing_end(HEALING_RECONNECT, NULL, upstream_name(u), "%s",
                    u->reach.failures ? "it is no longer used" : "a connect has succeeded");
    else
        healing_begin(HEALING_RECONNECT, u->service, upstream_name(u), u->failure,
                      "it cannot be reached: connects are tried again and again");
}

static void set_down(Upstream *u, bool down)
{
    if (down != u->told_down && known_instance_set_down(u->known, down))
        tell_reconnects(u, down);
    u->told_down = down;
}

static void upstream_free(Upstream *u)
{
    set_down(u, false);
    u->table->by_number[u->known->number] = NULL;
    instance_counts_leave(&u->counts);
    known_instance_unref(u->known);
    endpoints_free(&u->endpoints);
    SSL_CTX_free(u->tls);
    arena_free(u->failure_arena);
    free(u);
}

static bool has_live_link(const Upstream *u)
{
    return u->n_links[LINK_READY] + u->n_links[LINK_FULL] > 0;
}

static bool has_heard_link(const Upstream *u)
{
    return u->n_links[LINK_READY] + u->n_links[LINK_FULL] > u->n_silent;
}

/* Updates what metrics and health show. An instance that is in no current set is not down. */
static void tell_state(Upstream *u)
{
    set_down(u, u->named && u->reach.failures > 0 && !has_live_link(u));
}

static bool is_of(const Config *config, const Instance *instance)
{
    return instance->service >= config->services &&
           instance->service < config->services + config->n_services;
}

/* The entry of the table for this number. */
static Upstream **place_of(UpstreamTable *table, uint32_t number)
{
    if (number >= table->n_numbers) {
        uint32_t n = number < 4 ? 8 : 2 * number;
        table->by_number = realloc(table->by_number, n * sizeof(table->by_number[0]));
        CHECK(table->by_number);
        memset(table->by_number + table->n_numbers, 0,
               (n - table->n_numbers) * sizeof(table->by_number[0]));
        table->n_numbers = n;
    }
    return &table->by_number[number];
}

/* What has left is freed when its last call has ended, and with it its series in the metrics. */
static void forget_later(UpstreamTable *table)
{
    if (!table->closing && !timer_running(&table->forgetting))
        timer_start(&table->loop->timers, &table->forgetting, table->loop->now + FORGET_EVERY);
}

static Upstream *find_or_make(UpstreamTable *table, const Instance *instance)
{
    Upstream **place = place_of(table, instance->known->number);
    if (!*place)
        *place = upstream_new(table, instance->known, instance->tls);
    Upstream *u = *place;
    if (is_of(table->loop->config, instance)) {
        u->named = true;
        u->service = instance->service->name;
        u->retired_at = 0;
        tell_state(u);
    } else if (!u->named) {
        u->retired_at = table->loop->now; /* used by calls of an older config or set only */
        forget_later(table);
    }
    return u;
}

Upstream *upstream_of(Loop *loop, const Instance *instance)
{
    UpstreamTable *table = loop->upstreams;
    uint32_t number = instance->known->number;
    Upstream *u = number < table->n_numbers ? table->by_number[number] : NULL;
    return u && !u->retired_at ? u : find_or_make(table, instance);
}

InstanceCounts *upstream_counts(Loop *loop, const Instance *instance)
{
    UpstreamTable *table = loop->upstreams;
    uint32_t number = instance->known->number;
    Upstream *u = number < table->n_numbers ? table->by_number[number] : NULL;
    return u ? &u->counts : NULL;
}

/* ---- State ----------------------------------------------------------------------------------- */

/* An instance of the current config is reconnected in the background, without a call. */
static bool is_probed(const Upstream *u)
{
    return u->named && !u->table->closing;
}

UpstreamState upstream_state(const Upstream *u, int64_t now)
{
    if (u->late)
        return UPSTREAM_DOWN;
    if (u->reach.failures == 0 || has_live_link(u))
        return UPSTREAM_READY;
    return is_probed(u) || now < u->reach.connect_after ? UPSTREAM_DOWN : UPSTREAM_READY;
}

bool upstream_is_connected(const Upstream *u)
{
    return has_live_link(u);
}

bool upstream_is_silent(const Upstream *u)
{
    return u->n_silent > 0 && !has_heard_link(u);
}

Result upstream_failure(const Upstream *u)
{
    return u->failure;
}

static uint32_t calls_on(const Link *link)
{
    uint32_t n = 0;
    for (; link; link = link->next)
        n += http_connection_streams(link->pump.http);
    return n;
}

/* A connection of HTTP/1.1 carries one call, so FULL counts them. */
uint32_t upstream_load(const Upstream *u)
{
    if (!u->http2)
        return u->n_waits + u->n_links[LINK_FULL] + u->n_links[LINK_LEAVING];
    uint32_t load = u->n_waits + calls_on(u->links[LINK_FULL]) + calls_on(u->links[LINK_LEAVING]);
    for (const Endpoint *endpoint = u->endpoints; endpoint; endpoint = endpoint->next)
        load += calls_on(endpoint->ready);
    return load;
}

const Latency *upstream_latency(const Upstream *u)
{
    return &u->latency;
}

#define DOUBTFUL (50 * MILLISECOND) /* of silence: less is no sign of anything */

static void doubt_all(Link *link, int64_t asked)
{
    for (Link *next; link; link = next) {
        next = link->next;
        link_doubt(link, asked);
    }
}

static void doubt_links(Upstream *u, int64_t asked)
{
    for (Endpoint *endpoint = u->endpoints; endpoint; endpoint = endpoint->next)
        doubt_all(endpoint->ready, asked);
    doubt_all(u->links[LINK_FULL], asked);
    doubt_all(u->links[LINK_LEAVING], asked);
}

/* It may be gone, if the instance has left and the connection was lost. */
static Upstream *upstream_still(const Loop *loop, const Instance *instance)
{
    const UpstreamTable *table = loop->upstreams;
    uint32_t number = instance->known->number;
    return number < table->n_numbers ? table->by_number[number] : NULL;
}

void upstream_doubt(const Loop *loop, const Instance *instance, int64_t asked)
{
    Upstream *u = upstream_still(loop, instance);
    if (u && u->http2 && loop->now - asked >= DOUBTFUL)
        doubt_links(u, asked);
}

void upstream_measured(const Loop *loop, const Instance *instance, int64_t time, bool answered)
{
    Upstream *u = upstream_still(loop, instance);
    if (!u)
        return;
    latency_add(&u->latency, time, answered, loop->now);
    if (!answered)
        upstream_doubt(loop, instance, loop->now - time);
}

const char *upstream_name(const Upstream *u)
{
    return u->known->address.text;
}

/* One that is late without a failure may still be connected, or its calls may end. */
static bool may_come(const Upstream *u)
{
    return u->late && (u->reach.failures == 0 || has_heard_link(u));
}

bool upstream_worth_a_try(const Upstream *u, int64_t now)
{
    return may_come(u) || reach_is_worth_a_try(&u->reach, u->known, now) ||
           now >= upstream_try_from(u);
}

/* Without reconnects in the background, only the backoff counts. */
int64_t upstream_try_from(const Upstream *u)
{
    if (may_come(u))
        return 0;
    int64_t from = reach_try_from(&u->reach);
    return is_probed(u) || from < u->reach.connect_after ? from : u->reach.connect_after;
}

Candidate **upstream_candidates(Upstream *u)
{
    return &u->candidates;
}

static void tell_candidates(const Upstream *u)
{
    bool ready = upstream_state(u, u->table->loop->now) == UPSTREAM_READY;
    for (Candidate *candidate = u->candidates; candidate; candidate = candidate->next) {
        if (ready)
            candidate_set_down(candidate, false);
        else
            candidate_try_from(candidate, upstream_try_from(u));
    }
}

void upstream_failed(Upstream *u, int64_t begun, Result why)
{
    Loop *loop = u->table->loop;
    bool counts = reach_failed(&u->reach, u->known, begun, loop->now, &loop->random);
    if (counts && u->reach.failures == 1 && u->named)
        telemetry_event("warning", "upstream_down", why, "instance %s", upstream_name(u));
    if (u->failure_arena)
        arena_reset(u->failure_arena);
    else
        u->failure_arena = arena_new(FAILURE_MEMORY);
    u->failure = error_copy(u->failure_arena, why);
    telemetry_count(loop, COUNTER_UPSTREAM_CONNECT_FAILED);
    tell_state(u);
    tell_candidates(u);
    upstream_look(u);
}

/* Drains the links of a list: the old ones only, or all. */
static void drain(Link *first, bool old_only)
{
    for (Link *link = first, *next; link; link = next) {
        next = link->next;
        if (link->old || !old_only)
            link_drain(link);
    }
}

static void drain_live(Upstream *u, bool old_only)
{
    for (Endpoint *endpoint = u->endpoints; endpoint; endpoint = endpoint->next)
        drain(endpoint->ready, old_only);
    drain(u->links[LINK_FULL], old_only);
}

void upstream_connected(Upstream *u)
{
    Loop *loop = u->table->loop;
    telemetry_count(loop, COUNTER_UPSTREAM_CONNECTED);
    if (u->reach.failures > 0)
        telemetry_event("info", "upstream_up", OK, "instance %s", upstream_name(u));
    reach_succeeded(&u->reach, u->known);
    tell_state(u);
    tell_candidates(u);
    warm_look(u); /* it was down */
    if (u->n_old > 0)
        drain_live(u, true);
    upstream_look(u);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static UpstreamWait *wait_of(FairWait *place)
{
    return (UpstreamWait *)((char *)place - offsetof(UpstreamWait, place));
}

static FairQueue *queue_for(Upstream *u, const UpstreamWait *wait)
{
    return &u->waits[wait->partial && !u->http2 ? WAIT_PARTIAL : WAIT_WHOLE];
}

static void wait_remove(UpstreamWait *wait)
{
    Upstream *u = wait->upstream;
    fair_queue_remove(queue_for(u, wait), &wait->place);
    u->n_waits--;
}

static void wait_add(Upstream *u, UpstreamWait *wait)
{
    IpAddress client = fair_client_of(&wait->client);
    wait->upstream = u;
    fair_queue_add(queue_for(u, wait), &wait->place, &client, u->table->loop->now);
    u->n_waits++;
}

void upstream_cancel(UpstreamWait *wait)
{
    if (fair_waits(&wait->place))
        wait_remove(wait);
}

/* The wait that began first; NULL: there is none. */
static UpstreamWait *oldest_wait(const Upstream *u)
{
    FairWait *whole = u->waits[WAIT_WHOLE].oldest, *partial = u->waits[WAIT_PARTIAL].oldest;
    FairWait *oldest = !whole || (partial && partial->since < whole->since) ? partial : whole;
    return oldest ? wait_of(oldest) : NULL;
}

/* How many more requests whose body is still arriving may have a connection. */
static uint32_t room_for_partial(const Upstream *u)
{
    return u->n_partial < u->limits.partial ? u->limits.partial - u->n_partial : 0;
}

/* Waits that may have a connection. */
static uint32_t waits_served(const Upstream *u)
{
    uint32_t partial = u->waits[WAIT_PARTIAL].n, room = room_for_partial(u);
    return u->waits[WAIT_WHOLE].n + (partial < room ? partial : room);
}

/* The queue whose turn it is: the two kinds take turns if both may have a connection. */
static FairQueue *queue_in_turn(Upstream *u)
{
    bool whole = u->waits[WAIT_WHOLE].n > 0;
    bool partial = u->waits[WAIT_PARTIAL].n > 0 && room_for_partial(u) > 0;
    if (whole && partial)
        u->partial_turn = !u->partial_turn;
    else
        u->partial_turn = partial;
    return whole || partial ? &u->waits[u->partial_turn ? WAIT_PARTIAL : WAIT_WHOLE] : NULL;
}

void upstream_look(Upstream *u)
{
    loop_defer(u->table->loop, &u->serve);
}

/* Running calls there, for the choice between endpoints. */
static uint32_t endpoint_load(const Upstream *u, const Endpoint *endpoint)
{
    return u->http2 ? http_connection_streams(endpoint->ready->pump.http) : endpoint->n_full;
}

static bool is_better(const Upstream *u, const Endpoint *a, const Endpoint *b)
{
    if (a->named != b->named)
        return a->named;
    uint32_t load_a = endpoint_load(u, a), load_b = endpoint_load(u, b);
    return load_a < load_b || (load_a == load_b && a->used < b->used);
}

/* An endpoint with a link that has capacity: current addresses of the name before former ones, then
   less load, then the least recently used. */
static Endpoint *choose_endpoint(Upstream *u)
{
    Endpoint *best = NULL;
    bool missed = false;
    for (Endpoint *endpoint = u->endpoints; endpoint; endpoint = endpoint->next) {
        if (endpoint->ready && (!best || is_better(u, endpoint, best)))
            best = endpoint;
        else
            missed |= endpoint_is_missed(endpoint, u->table->loop->now);
    }
    if (!best)
        return NULL;
    best->used = ++u->choices;
    if (missed) {
        u->missed = true;
        upstream_look(u);
    }
    return best;
}

static bool has_urgent(const Upstream *u, const Link *link)
{
    return link->urgent_at && u->table->loop->now - link->urgent_at < URGENT_FOR;
}

/* The one that was used last is used first, so that the others become idle and close. In a crowded
   loop, responses to urgent calls would have to wait for others in front of them. */
static Link *choose_link(Upstream *u, Endpoint *endpoint, bool urgent)
{
    Link *link = endpoint->ready;
    if (!u->http2 || !loop_is_crowded(u->table->loop))
        return link;
    while (link && has_urgent(u, link) != urgent)
        link = link->next;
    if (!link && !urgent && u->n_links[LINK_CONNECTING] == 0) {
        endpoint->mixed = u->missed = true;
        upstream_look(u);
    }
    return link ? link : endpoint->ready;
}

/* In which order it is read. One that has urgent calls with others is urgent. */
static void set_rank(Upstream *u, Link *link, bool urgent)
{
    if (urgent)
        link->urgent_at = u->table->loop->now;
    bool is_urgent = u->http2 ? has_urgent(u, link) : urgent;
    socket_rank(&link->pump.socket, is_urgent ? READ_URGENT : READ_INSTANCE);
}

/* A connection with capacity. */
static HttpConnection *take_room(Upstream *u, const UpstreamWait *wait)
{
    Endpoint *endpoint;
    while ((endpoint = choose_endpoint(u))) {
        Link *link = choose_link(u, endpoint, wait->urgent);
        if (http_connection_capacity(link->pump.http) == 0) { /* used in this turn */
            link_settle(link);
            continue;
        }
        if (!u->http2) {
            link_move(link, LINK_FULL);
            link->partial = wait->partial;
            u->n_partial += wait->partial;
        }
        set_rank(u, link, wait->urgent);
        /* link_settle runs when the caller has opened its stream, or has not. */
        pump_flush_later(&link->pump);
        return link->pump.http;
    }
    return NULL;
}

static uint32_t links_counted(const Upstream *u)
{
    return u->n_links[LINK_CONNECTING] + u->n_links[LINK_READY] + u->n_links[LINK_FULL];
}

/* All live links are old. */
static bool needs_replacement(const Upstream *u)
{
    return u->n_old > 0 && u->n_old == u->n_links[LINK_READY] + u->n_links[LINK_FULL];
}

/* How many connections are missing: one of HTTP/2 carries many calls, one of HTTP/1.1 one. An
   instance that was lost is tried again even if nobody waits. */
static uint32_t links_wanted(const Upstream *u)
{
    uint32_t waits = waits_served(u);
    if (waits == 0)
        return is_probed(u) && (needs_replacement(u) ||
                                ((u->reach.failures > 0 || u->n_silent > 0) && !has_heard_link(u)));
    return u->http2 || u->reach.failures > 0 ? 1 : waits;
}

static bool may_connect(const Upstream *u)
{
    int64_t now = u->table->loop->now;
    uint32_t most = u->limits.connections + needs_replacement(u);
    return !u->table->closing && links_counted(u) - u->n_silent < most &&
           (now >= u->reach.connect_after || (u->n_waits > 0 && upstream_worth_a_try(u, now)));
}

/* Each endpoint gets a link. Before that, expired addresses are resolved again. */
static void connect_missed(Upstream *u)
{
    int64_t now = u->table->loop->now;
    if (now >= u->known_to && !u->table->closing) {
        upstream_resolve(u);
        return;
    }
    u->missed = false;
    for (Endpoint *endpoint = u->endpoints; endpoint; endpoint = endpoint->next) {
        if (endpoint_is_missed(endpoint, now) && may_connect(u))
            link_connect(u, endpoint);
        endpoint->mixed = false;
    }
}

static void connect_if_useful(Upstream *u)
{
    uint32_t wanted = links_wanted(u);
    while (u->n_links[LINK_CONNECTING] < wanted && may_connect(u))
        link_connect(u, NULL);
    if (u->missed)
        connect_missed(u);
}

static void fail_wait(UpstreamWait *wait, Result why)
{
    wait_remove(wait);
    wait->on_ready(wait, NULL, why);
}

/* When the first of its connects will have taken long; NO_TIMEOUT: none is under way. */
static int64_t late_at(const Upstream *u)
{
    int64_t at = NO_TIMEOUT;
    for (const Link *link = u->links[LINK_CONNECTING]; link; link = link->next) {
        if (link->since + u->limits.patience < at)
            at = link->since + u->limits.patience;
    }
    return at;
}

/* No call could be sent now, and there is a reason to think that this will last. */
static bool is_late(const Upstream *u)
{
    return u->n_links[LINK_READY] == 0 && (late_at(u) <= u->table->loop->now || u->n_silent > 0 ||
                                           (u->reach.failures > 0 && u->n_links[LINK_FULL] > 0));
}

/* Those that have nowhere else to go wait again. */
static void send_elsewhere(Upstream *u)
{
    for (uint32_t n = u->n_waits; n > 0 && u->n_waits > 0; n--) {
        UpstreamWait *wait = oldest_wait(u);
        wait_remove(wait);
        wait->on_ready(wait, NULL, OK);
    }
}

static void look_whether_late(Upstream *u)
{
    if (is_late(u) == u->late)
        return;
    u->late = !u->late;
    tell_candidates(u);
    if (u->late)
        send_elsewhere(u);
}

/* While the instance is down, nobody waits for it. Waits that are added meanwhile stay until the
   next turn. */
static void fail_hopeless(Upstream *u)
{
    if (u->links[LINK_CONNECTING] || has_live_link(u) || u->reach.failures == 0)
        return;
    for (uint32_t n = u->n_waits; n > 0 && u->n_waits > 0; n--)
        fail_wait(oldest_wait(u), u->failure);
}

/* Fails waits that found no capacity in time. Without any connection, the running connect decides,
   and gives the reason. */
static void fail_late(Upstream *u)
{
    Loop *loop = u->table->loop;
    UpstreamWait *wait;
    if (!has_live_link(u))
        return;
    while ((wait = oldest_wait(u)) && wait->place.since + u->limits.connect_time <= loop->now)
        fail_wait(wait, FAIL(loop_scratch(loop), FAULT_OVERLOADED,
                             "none of the %u connections to %s had capacity for the call in time "
                             "(limits.connect_time)",
                             links_counted(u), upstream_name(u)));
}

/* Fails waits above the limit, of the clients with the most. */
static void fail_many(Upstream *u)
{
    while (u->n_waits > u->limits.waits) {
        bool partial = u->waits[WAIT_PARTIAL].n > u->waits[WAIT_WHOLE].n;
        FairWait *most = fair_queue_most(&u->waits[partial ? WAIT_PARTIAL : WAIT_WHOLE]);
        fail_wait(wait_of(most), FAIL(loop_scratch(u->table->loop), FAULT_OVERLOADED,
                                      "more than %u calls wait for a connection to %s "
                                      "(limits.instance_waits)",
                                      u->limits.waits, upstream_name(u)));
    }
}

/* The next timeout or reconnect; NO_TIMEOUT: there is none. */
static int64_t next_time(const Upstream *u)
{
    int64_t at = NO_TIMEOUT, late = NO_TIMEOUT;
    if (u->n_waits > 0 && has_live_link(u))
        at = oldest_wait(u)->place.since + u->limits.connect_time;
    else if (links_wanted(u) > u->n_links[LINK_CONNECTING])
        at = u->reach.connect_after;
    if (!u->late && u->n_links[LINK_READY] == 0)
        late = late_at(u);
    return late < at ? late : at;
}

static void set_timer(Upstream *u)
{
    int64_t at = next_time(u);
    if (at != NO_TIMEOUT)
        timer_start(&u->table->loop->timers, &u->timer, at);
}

static void serve_waits(Upstream *u)
{
    FairQueue *queue;
    HttpConnection *room;
    while ((queue = queue_in_turn(u)) && (room = take_room(u, wait_of(fair_queue_next(queue))))) {
        UpstreamWait *wait = wait_of(fair_queue_take(queue));
        u->n_waits--;
        wait->on_ready(wait, room, OK);
    }
}

static void run_serve(LoopWork *work)
{
    Upstream *u = (Upstream *)((char *)work - offsetof(Upstream, serve));
    serve_waits(u);
    connect_if_useful(u);
    look_whether_late(u);
    fail_hopeless(u);
    fail_late(u);
    fail_many(u);
    set_timer(u);
}

static void on_timer(Timer *timer)
{
    run_serve(&((Upstream *)((char *)timer - offsetof(Upstream, timer)))->serve);
}

/* Whether the wait may be served at once: no other wait comes before it. */
static bool may_take_room(const Upstream *u, const UpstreamWait *wait)
{
    if (wait->partial && !u->http2)
        return u->n_waits == 0 && room_for_partial(u) > 0;
    return u->waits[WAIT_WHOLE].n == 0;
}

void upstream_want(Upstream *u, UpstreamWait *wait, HttpConnection **connection_out)
{
    wait->place = (FairWait){.client = NULL};
    *connection_out = may_take_room(u, wait) ? take_room(u, wait) : NULL;
    if (*connection_out)
        return;
    wait_add(u, wait);
    upstream_look(u);
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* Calls `give` for each link that asks for addresses; it may end the link. */
static void each_that_asks(Upstream *u, void (*give)(Link *link, bool more), bool more)
{
    for (Link *link = u->links[LINK_CONNECTING], *next; link; link = next) {
        next = link->next;
        if (link->asks)
            give(link, more);
    }
}

/* The name servers failed: earlier addresses stay valid, if there are any. */
static void resolve_failed(Upstream *u, Result why)
{
    int64_t begun = u->table->loop->now;
    bool any = false;
    if (endpoints_any_named(u->endpoints)) {
        u->known_to = u->table->loop->now + RESOLVER_TTL_LEAST;
        each_that_asks(u, link_dial, false);
        return;
    }
    u->missed = false;
    for (Link *link = u->links[LINK_CONNECTING], *next; link; link = next) {
        next = link->next;
        if (!link->asks)
            continue;
        any = true;
        begun = link->since < begun ? link->since : begun;
        link_end(link, why);
    }
    if (any)
        upstream_failed(u, begun, why);
}

static void on_resolved(Lookup *lookup, const Resolved *resolved, Result why)
{
    Upstream *u = (Upstream *)((char *)lookup - offsetof(Upstream, lookup));
    Loop *loop = u->table->loop;
    if (resolved) {
        if (!resolved->more)
            endpoints_forget(u->endpoints);
        endpoints_name(&u->endpoints, resolved->addresses, resolved->n,
                       (uint32_t)random_next(&loop->random));
        u->known_to = resolved->until;
    }
    if (failed(why))
        resolve_failed(u, FAIL_OVER(loop_scratch(loop), why, FAULT_UPSTREAM_DOWN,
                                    "connecting to %s", upstream_name(u)));
    else
        each_that_asks(u, link_dial, resolved->more);
    if (u->missed)
        upstream_look(u);
}

void upstream_resolve(Upstream *u)
{
    UpstreamTable *table = u->table;
    if (lookup_running(&u->lookup))
        return;
    resolver_use(table->resolver, &table->loop->config->dns);
    lookup_begin(table->resolver, &u->lookup, u->known->address.host);
}

/* ---- The table ------------------------------------------------------------------------------- */

static void on_forgetting(Timer *timer);

UpstreamTable *upstreams_new(Loop *loop)
{
    UpstreamTable *table = calloc(1, sizeof(*table));
    CHECK(table);
    table->loop = loop;
    table->forgetting.fire = on_forgetting;
    table->resolver = resolver_new(loop);
    warming_begin(table);
    return table;
}

/* Links end with their last call. */
static void upstream_retire(Upstream *u)
{
    u->retired_at = u->table->loop->now;
    forget_later(u->table);
    tell_state(u);
    warm_end(u);
    drain(u->links[LINK_CONNECTING], false);
    drain_live(u, false);
}

/* Whether nothing refers to it. One that was handed out in this turn may still get a wait. */
static bool is_forgotten(const Upstream *u)
{
    for (int state = 0; state < LINK_STATES; state++) {
        if (u->n_links[state])
            return false;
    }
    return u->retired_at && u->n_waits == 0 && !u->candidates && !loop_deferred(&u->serve) &&
           u->retired_at < u->table->loop->now;
}

static void free_forgotten(UpstreamTable *table)
{
    Upstream **at = &table->first;
    while (*at) {
        Upstream *u = *at;
        if (!is_forgotten(u)) {
            at = &u->next;
            continue;
        }
        *at = u->next;
        timer_stop(&table->loop->timers, &u->timer);
        warm_end(u);
        lookup_cancel(&u->lookup);
        upstream_free(u);
    }
}

static void on_forgetting(Timer *timer)
{
    UpstreamTable *table = (UpstreamTable *)((char *)timer - offsetof(UpstreamTable, forgetting));
    free_forgotten(table);
    for (const Upstream *u = table->first; u; u = u->next)
        if (u->retired_at)
            forget_later(table);
}

/* New connections use the new context: the settings are the same, but its files may be newer. */
static void use_tls(Upstream *u, SSL_CTX *tls)
{
    if (!tls || u->tls == tls)
        return;
    SSL_CTX_up_ref(tls);
    SSL_CTX_free(u->tls);
    u->tls = tls;
}

void upstreams_reload(UpstreamTable *table)
{
    const Config *config = table->loop->config;
    for (Upstream *u = table->first; u; u = u->next) {
        u->named = false;
        u->service = NULL;
        u->warmth.wanted = 0;
        u->limits = limits_for(config, u->http2);
    }
    for (uint32_t i = 0; i < config->n_services; i++) {
        InstanceSet *set = instance_set_of(&config->services[i]);
        CHECK(set);
        for (uint32_t k = 0; k < set->n; k++) {
            Upstream *u = find_or_make(table, set->instances[k]);
            use_tls(u, set->instances[k]->tls);
            warm_want(u, config->services[i].warm);
        }
        candidates_take(table->loop, set);
    }
    candidates_trim(table->loop);
    for (Upstream *u = table->first; u; u = u->next) {
        if (!u->named && !u->retired_at)
            upstream_retire(u);
    }
    warm_share(table);
    free_forgotten(table);
}

static void end_all(Link **first, Result why)
{
    while (*first)
        link_end(*first, why);
}

void upstreams_close(UpstreamTable *table, Result why)
{
    table->closing = true;
    timer_stop(&table->loop->timers, &table->forgetting);
    for (Upstream *u = table->first; u; u = u->next) {
        for (Endpoint *endpoint = u->endpoints; endpoint; endpoint = endpoint->next)
            end_all(&endpoint->ready, why);
        for (LinkState state = LINK_CONNECTING; state < LINK_GONE; state++)
            end_all(&u->links[state], why);
        while (u->n_waits > 0)
            fail_wait(oldest_wait(u), why);
        timer_stop(&table->loop->timers, &u->timer);
        warm_end(u);
        loop_undefer(table->loop, &u->serve);
    }
    loop_undefer(table->loop, &table->warming.work);
    resolver_free(table->resolver);
    table->resolver = NULL;
}

void upstreams_free(UpstreamTable *table)
{
    if (!table)
        return;
    while (table->first) {
        Upstream *u = table->first;
        table->first = u->next;
        upstream_free(u);
    }
    resolver_free(table->resolver);
    free(table->by_number);
    free(table);
}
