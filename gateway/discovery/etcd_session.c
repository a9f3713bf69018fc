#include "gateway/discovery/etcd_session.h"

#include "base/arena.h"
#include "gateway/call/exchange.h"
#include "gateway/discovery/etcd_messages.h"
#include "gateway/instances/instances.h"

#include <stdlib.h>

enum {
    PAGE = 1000,             /* keys in one response */
    MESSAGE_MOST = 64 << 20, /* bytes of a response */
    SHOWN_MOST = 300,        /* of a text of etcd in an error */
};

/* Short, so that the gateway is back soon after etcd; each gateway has its own jitter. */
#define BACKOFF_FIRST (50 * MILLISECOND)
#define BACKOFF_MOST (1 * SECOND)

static const MethodType authenticate = {.path = "/etcdserverpb.Auth/Authenticate"};
static const MethodType range = {.path = "/etcdserverpb.KV/Range"};
static const MethodType watch = {
    .path = "/etcdserverpb.Watch/Watch", .client_streaming = true, .server_streaming = true};

typedef enum Step { STEP_LOGIN, STEP_RANGE, STEP_WATCH } Step;

struct EtcdSession {
    Caller caller; /* of the exchange */
    Loop *loop;
    const EtcdSessionEvents *events;
    void *owner;
    const Discovery *discovery;
    Instance *endpoints; /* copies of the config's, with what is known of them */
    uint32_t n_endpoints, endpoint;

    Step step, next; /* of the exchange; and after it, if it goes well */
    Exchange *x;     /* NULL: none now */
    Arena *arena;    /* of the connection: its requests and their metadata */
    Fields *metadata;
    bool asked;          /* the request of the watch was sent */
    bool cancelled;      /* the exchange, by us */
    bool resync;         /* etcd has forgotten what comes next: at once again, with the same one */
    Result why;          /* failed: the call, in the arena */
    Timer timer;         /* the backoff; of a watch, its silence */
    bool probed;         /* of a watch: a response is awaited */
    uint32_t n_failures; /* in a row */

    EtcdKeys keys;    /* the copy */
    EtcdKeys fresh;   /* the next one, until the range is complete */
    int64_t revision; /* of the range */
    bool dirty;       /* the copy has changed, in a part of a revision */
};

static const EtcdSource *settings_of(const EtcdSession *s)
{
    return s->discovery->etcd;
}

/* "10.0.0.2:2379": the endpoint that is asked now. */
static const char *endpoint_of(const EtcdSession *s)
{
    return s->endpoints[s->endpoint].address.text;
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static const MethodType *method_of(Step step)
{
    switch (step) {
    case STEP_LOGIN: return &authenticate;
    case STEP_RANGE: return &range;
    case STEP_WATCH: break;
    }
    return &watch;
}

static Bytes request_of(EtcdSession *s)
{
    const EtcdSource *settings = settings_of(s);
    Bytes prefix = bytes_of(settings->prefix);
    Buffer out = buffer_in(s->arena);
    switch (s->step) {
    case STEP_LOGIN:
        etcd_add_authenticate(&out, bytes_of(settings->user), bytes_of(settings->password));
        break;
    case STEP_RANGE: {
        Bytes last = s->fresh.n ? etcd_keys_key(&s->fresh, s->fresh.n - 1) : BYTES_NONE;
        etcd_add_range(&out, prefix, last, s->revision, PAGE);
        break;
    }
    case STEP_WATCH: etcd_add_watch(&out, prefix, s->revision + 1); break;
    }
    return buffer_bytes(&out);
}

static void restart_timer(EtcdSession *s, int64_t time)
{
    timer_start(&s->loop->timers, &s->timer, s->loop->now + time);
}

static void call(EtcdSession *s)
{
    bool watches = s->step == STEP_WATCH;
    CallOrder order = {
        .instance = &s->endpoints[s->endpoint],
        .type = method_of(s->step),
        .codec = CODEC_PROTO,
        .timeout = watches ? NO_TIMEOUT : s->discovery->timeout,
        .metadata = s->metadata,
        .response_bytes = MESSAGE_MOST,
        .memory = ARENA_UNLIMITED, /* limited by the size of a message, and of all keys */
    };
    s->asked = false;
    s->why = OK;
    s->x = exchange_new(s->loop, &s->caller, &order);
    if (watches) {
        s->probed = true; /* it says when it has begun */
        restart_timer(s, s->discovery->timeout);
        exchange_go(s->x);
        return;
    }
    Message request = {.bytes = request_of(s)};
    if (exchange_go(s->x))
        exchange_end(s->x, &request);
}

static void cancel(EtcdSession *s)
{
    s->cancelled = true;
    if (s->x)
        exchange_cancel(s->x, FAIL(s->arena, FAULT_CANCELLED, "etcd is asked anew"));
    s->cancelled = false;
    timer_stop(&s->loop->timers, &s->timer);
}

/* ---- Connecting ------------------------------------------------------------------------------ */

/* Begins anew, with all that a connection has. */
static void begin_anew(EtcdSession *s)
{
    const EtcdSource *settings = settings_of(s);
    arena_free(s->arena);
    s->arena = arena_new(ARENA_UNLIMITED);
    s->metadata = arena_make(s->arena, Fields);
    *s->metadata = fields_in(s->arena);
    /* A member that has lost the others refuses a watch, so that another one is asked. */
    fields_add(s->metadata, bytes_of("hasleader"), bytes_of("true"));
    etcd_keys_clear(&s->fresh);
    s->revision = 0;
    s->resync = false;
    s->step = settings->user ? STEP_LOGIN : STEP_RANGE;
    /* The wait between two tries is this file's: without it, the connection would have its own,
       which is longer. */
    known_instance_is_back(s->endpoints[s->endpoint].known);
    call(s);
}

static int64_t backoff(EtcdSession *s)
{
    if (s->n_failures < s->n_endpoints)
        return 0; /* the next endpoint, at once */
    uint32_t round = s->n_failures / s->n_endpoints;
    int64_t time = round < 6 ? BACKOFF_FIRST << round : BACKOFF_MOST;
    time = time < BACKOFF_MOST ? time : BACKOFF_MOST;
    return time / 2 + (int64_t)random_below(&s->loop->random, (uint64_t)time / 2);
}

static void has_failed(EtcdSession *s, Result why)
{
    s->n_failures++;
    if (s->n_failures % s->n_endpoints == 0)
        s->events->on_failure(s->owner,
                              FAIL_OVER(s->arena, why, *why.error->fault, "asking etcd %s for %s",
                                        endpoint_of(s), settings_of(s)->prefix));
    s->endpoint = (s->endpoint + 1) % s->n_endpoints;
    restart_timer(s, backoff(s));
}

/* ---- Responses ------------------------------------------------------------------------------- */

static Result take_token(EtcdSession *s, Bytes message)
{
    Bytes token;
    Result r = etcd_read_token(s->arena, message, &token);
    if (!failed(r))
        fields_add(s->metadata, bytes_of("token"), bytes_copy(s->arena, token));
    s->next = STEP_RANGE;
    return r;
}

static Result too_many(EtcdSession *s)
{
    return FAIL(s->arena, FAULT_UPSTREAM_TOO_LARGE,
                "there are more than %d keys, or %d MiB, with this prefix", ETCD_KEYS_MOST,
                ETCD_BYTES_MOST >> 20);
}

static bool is_ours(const EtcdSession *s, Bytes key)
{
    return bytes_start_with(key, settings_of(s)->prefix);
}

static Result take_range(EtcdSession *s, Bytes message)
{
    Arena *scratch = loop_scratch(s->loop);
    EtcdRange page;
    Result r = etcd_read_range(scratch, message, &page);
    for (size_t i = 0; i < page.n && !failed(r); i++) {
        if (is_ours(s, page.pairs[i].key))
            etcd_keys_put(&s->fresh, page.pairs[i].key, page.pairs[i].value);
        else
            r = FAIL(scratch, FAULT_UPSTREAM_MESSAGE, "it sent a key without the prefix");
    }
    if (!failed(r) && etcd_keys_too_many(&s->fresh))
        r = too_many(s);
    if (failed(r))
        return r;
    if (!s->revision)
        s->revision = page.revision;
    s->next = page.more ? STEP_RANGE : STEP_WATCH;
    return OK;
}

/* The copy is complete; the watch that follows is for what comes then. */
static void take_fresh(EtcdSession *s)
{
    etcd_keys_clear(&s->keys);
    s->keys = s->fresh;
    s->fresh = (EtcdKeys){.n = 0};
    s->dirty = false;
    s->events->on_keys(s->owner, &s->keys, false);
}

static Result take_end(EtcdSession *s, const EtcdEvents *events)
{
    s->resync = events->compacted != 0;
    return FAIL(s->arena, FAULT_UPSTREAM_STATUS, "it has ended the watch: %.*s",
                BYTES_ARGS(bytes_cut_text(events->compacted ? bytes_of("its revision was compacted")
                                                            : events->reason,
                                          SHOWN_MOST)));
}

static Result take_pairs(EtcdSession *s, const EtcdEvents *events)
{
    bool changed = s->dirty;
    for (size_t i = 0; i < events->n; i++) {
        const EtcdPair *pair = &events->pairs[i];
        if (!is_ours(s, pair->key))
            return FAIL(s->arena, FAULT_UPSTREAM_MESSAGE, "it sent a key without the prefix");
        changed |= pair->gone ? etcd_keys_remove(&s->keys, pair->key)
                              : etcd_keys_put(&s->keys, pair->key, pair->value);
    }
    if (etcd_keys_too_many(&s->keys))
        return too_many(s);
    s->dirty = changed && events->fragment;
    if (!events->fragment)
        s->events->on_keys(s->owner, &s->keys, !changed);
    return OK;
}

static Result take_events(EtcdSession *s, Bytes message)
{
    EtcdEvents events;
    Result r = etcd_read_events(loop_scratch(s->loop), message, &events);
    if (failed(r))
        return r;
    if (events.canceled)
        return take_end(s, &events);
    if (events.created)
        s->n_failures = 0;
    s->probed = false;
    restart_timer(s, settings_of(s)->silence);
    return take_pairs(s, &events);
}

/* ---- The caller of the exchange -------------------------------------------------------------- */

static EtcdSession *session_of(Caller *caller)
{
    return (EtcdSession *)caller;
}

static void on_room(Caller *caller)
{
    EtcdSession *s = session_of(caller);
    if (s->step != STEP_WATCH || s->asked || !exchange_wants(s->x))
        return;
    s->asked = true;
    exchange_send(s->x, (Message){.bytes = request_of(s)});
}

/* A failure that is returned ends the call. */
static Result keep(EtcdSession *s, Result r)
{
    if (failed(r))
        s->why = error_copy(s->arena, r);
    return r;
}

static Result on_message(Caller *caller, Message message)
{
    EtcdSession *s = session_of(caller);
    return keep(s, take_events(s, message.bytes));
}

static Result on_response(Caller *caller, Message message, const Fields *trailers)
{
    EtcdSession *s = session_of(caller);
    (void)trailers;
    return keep(s, s->step == STEP_LOGIN ? take_token(s, message.bytes)
                                         : take_range(s, message.bytes));
}

static void on_end(Caller *caller, const Status *status, const Fields *trailers)
{
    EtcdSession *s = session_of(caller);
    (void)trailers;
    if (failed(s->why) || (status->code == CODE_OK && s->step != STEP_WATCH))
        return;
    bool has_ended = !status->error && status->code == CODE_OK;
    s->why = has_ended ? FAIL(s->arena, FAULT_UPSTREAM_PROTOCOL, "it has ended the watch")
                       : status_failure(s->arena, status);
}

static void on_record(Caller *caller, const CallRecord *record)
{
    EtcdSession *s = session_of(caller);
    (void)record;
    s->x = NULL;
    if (s->cancelled)
        return;
    timer_stop(&s->loop->timers, &s->timer);
    if (s->resync)
        begin_anew(s);
    else if (failed(s->why))
        has_failed(s, s->why);
    else {
        s->step = s->next;
        if (s->step == STEP_WATCH)
            take_fresh(s);
        call(s);
    }
}

static const CallerEvents caller_events = {
    .on_room = on_room,
    .on_message = on_message,
    .on_response = on_response,
    .on_end = on_end,
    .on_record = on_record,
};

/* ---- Silence --------------------------------------------------------------------------------- */

/* False: the watch has ended. */
static bool probe(EtcdSession *s)
{
    Buffer out = buffer_in(loop_scratch(s->loop));
    etcd_add_progress(&out);
    s->probed = true;
    restart_timer(s, s->discovery->timeout);
    return !exchange_wants(s->x) || exchange_send(s->x, (Message){.bytes = buffer_bytes(&out)});
}

static void on_timer(Timer *timer)
{
    EtcdSession *s = (EtcdSession *)((char *)timer - offsetof(EtcdSession, timer));
    if (!s->x) {
        begin_anew(s);
    } else if (!s->probed) {
        probe(s);
    } else {
        cancel(s);
        has_failed(s, FAIL(s->arena, FAULT_DEADLINE_EXCEEDED,
                           "the watch does not respond within %.1f s",
                           (double)s->discovery->timeout / SECOND));
    }
}

/* ---- The session ----------------------------------------------------------------------------- */

EtcdSession *etcd_session_new(Loop *loop, const EtcdSessionEvents *events, void *owner)
{
    EtcdSession *s = calloc(1, sizeof *s);
    CHECK(s);
    s->caller.events = &caller_events;
    s->loop = loop;
    s->events = events;
    s->owner = owner;
    s->timer.fire = on_timer;
    return s;
}

static void free_endpoints(EtcdSession *s)
{
    for (uint32_t i = 0; i < s->n_endpoints; i++)
        known_instance_unref(s->endpoints[i].known);
    free(s->endpoints);
}

void etcd_session_use(EtcdSession *s, const Discovery *discovery)
{
    const EtcdSource *settings = discovery->etcd;
    cancel(s);
    free_endpoints(s);
    s->discovery = discovery;
    s->n_endpoints = settings->n_endpoints;
    s->endpoints = calloc(s->n_endpoints, sizeof *s->endpoints);
    CHECK(s->endpoints);
    for (uint32_t i = 0; i < s->n_endpoints; i++) {
        s->endpoints[i] = settings->endpoints[i];
        s->endpoints[i].known = known_instance_of(&s->endpoints[i]);
    }
    /* Gateways begin with different members, and share their load. */
    s->endpoint = (uint32_t)random_below(&s->loop->random, s->n_endpoints);
    s->n_failures = 0;
    restart_timer(s, 0);
}

bool etcd_session_is_whole(const EtcdSession *s)
{
    return !s->dirty;
}

void etcd_session_free(EtcdSession *s)
{
    cancel(s);
    free_endpoints(s);
    arena_free(s->arena);
    etcd_keys_clear(&s->keys);
    etcd_keys_clear(&s->fresh);
    free(s);
}
