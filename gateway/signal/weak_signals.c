#include "gateway/signal/weak_signals.h"

#include "base/clock.h"
#include "gateway/signal/signal_clients.h"
#include "gateway/signal/signal_kind.h"
#include "gateway/signal/signal_store.h"
#include "gateway/signal/watch.h"
#include "gateway/telemetry/log_line.h"
#include "gateway/telemetry/metrics.h"
#include "gateway/telemetry/telemetry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MINUTE (60 * SECOND)
#define HOUR (3600 * SECOND)

/* What is counted within this time of an hour is counted for the hour before. */
#define LATE (5 * MINUTE)

struct Signals {
    uv_timer_t timer;
    SignalPlaces places;
    const Config *config;
    SignalClients *clients;
    Watch watch;
    SignalList list; /* without a store */
    bool ready;      /* what is remembered was read */
    bool reading;
    int64_t hour;             /* since 1970: that is under way; 0: it has just begun */
    bool whole;               /* it was watched from its begin on */
    int64_t clients_hour;     /* of which the clients are asked next; 0: none */
    int64_t clients_last;     /* of which they were read last */
    const SignalClient *read; /* while they are looked at */
    uint32_t n_read;
    Window told[FINDING_KINDS];
    atomic_ullong n_looks, n_told[FINDING_KINDS], n_held[FINDING_KINDS];
};

/* A finding on its way. */
typedef struct SignalFound {
    Signals *signals;
    Arena *arena;
    FindingKind kind;
    SignalEntry entry;
} SignalFound;

static const StoreKeys *keys_of(const Signals *signals)
{
    return &signals->config->store.keys;
}

/* ---- Telling --------------------------------------------------------------------------------- */

static void log_it(const SignalEntry *entry, Arena *arena)
{
    Buffer members = buffer_in(arena);
    log_line_text(&members, LOG_KEY("id"), bytes_of(entry->id));
    log_line_text(&members, LOG_KEY("kind"), bytes_of(entry->kind));
    log_line_text(&members, LOG_KEY("subject"), entry->subject);
    buffer_add_text(&members, ",\"evidence\":");
    buffer_add_bytes(&members, entry->evidence);
    telemetry_event_members("warning", "signal", OK, buffer_bytes(&members), "%s: %.*s",
                            entry->kind, BYTES_ARGS(entry->subject));
}

static void post_it(Signals *signals, FindingKind kind, const SignalEntry *entry, Arena *arena)
{
    Buffer json = buffer_in(arena);
    const char *id =
        arena_printf(arena, "signal-%s-%016llx", entry->id, (unsigned long long)entry->at);
    signal_entry_write(entry, &json);
    ledger_post_signal(signals->places.ledger, 1u << kind, id, buffer_bytes(&json));
}

/* More than `per_hour` are listed only. */
static void tell(const SignalFound *found)
{
    Signals *signals = found->signals;
    Window *told = &signals->told[found->kind];
    if (window_count(told, WINDOW_HOUR, found->entry.at) >= signals->config->signals.per_hour) {
        atomic_fetch_add(&signals->n_held[found->kind], 1);
        return;
    }
    window_add(told, WINDOW_HOUR, found->entry.at, 1);
    atomic_fetch_add(&signals->n_told[found->kind], 1);
    log_it(&found->entry, found->arena);
    post_it(signals, found->kind, &found->entry, found->arena);
}

/* While the store is down it is told all the same: nobody else may have. */
static void on_claimed(void *owner, Result result, StoreTask *task)
{
    SignalFound *found = owner;
    (void)task;
    if (!failed(result) || error_origin(result)->fault != &FAULT_STORE_CONFLICT)
        tell(found);
    arena_free(found->arena);
}

/* What was not seen for `forgotten` is told once in that time, whichever gateway sees it first. */
static int64_t quiet_time(const Signals *signals, FindingKind kind)
{
    const SignalsConfig *config = &signals->config->signals;
    return kind == FINDING_FIRST && config->forgotten > config->every ? config->forgotten
                                                                      : config->every;
}

static void on_found(void *owner, const Finding *finding)
{
    Signals *signals = owner;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    SignalFound *found = arena_make(arena, SignalFound);
    int64_t every = quiet_time(signals, finding->kind);
    *found = (SignalFound){
        .signals = signals,
        .arena = arena,
        .kind = finding->kind,
        .entry = signal_entry_of(finding, signals->config->node, clock_wall(), arena)};
    if (signals->places.port) {
        store_submit(signals->places.port,
                     signal_claim_task(&found->entry, every, keys_of(signals)), on_claimed, found);
        return;
    }
    if (signal_list_take(&signals->list, &found->entry, every))
        tell(found);
    arena_free(arena);
}

/* ---- Failures -------------------------------------------------------------------------------- */

/* A look at all rows of the ledger. */
typedef struct Look {
    Signals *signals;
    NoveltyRules rules;
    int64_t wall;
} Look;

static void see_row(void *owner, const FailureRow *row)
{
    const Look *look = owner;
    novelty_count(&look->signals->watch.novelty, &look->rules,
                  &(NoveltyCount){.kind = signal_kind(&row->key),
                                  .example = row->fingerprint,
                                  .first = row->first,
                                  .last = row->last,
                                  .failures = window_count(&row->hour, WINDOW_HOUR, look->wall),
                                  .clients = (uint64_t)llround(sketch_count(&row->clients))},
                  look->wall);
}

static void on_new(void *owner, const NoveltyFound *found)
{
    Signals *signals = owner;
    const FailureRow *row = ledger_row(signals->places.ledger, found->example);
    char method[SIGNAL_METHOD_SIZE], fingerprint[SIGNAL_ID_SIZE];
    Arena *arena = arena_new(ARENA_UNLIMITED);
    if (row) {
        const FailureKey *key = &row->key;
        size_t size = signal_method_write(key->method, method);
        Bytes cause = bytes_cut_text(key->cause, FINDING_NAME_SIZE);
        Bytes where = size ? bytes(method, size) : key->route;
        snprintf(fingerprint, sizeof fingerprint, "%016llx", (unsigned long long)found->example);
        Finding finding = {.kind = FINDING_FIRST, .since = found->first};
        finding.subject = arena_printf(arena, "%s (%s) of %.*s: %.*s", key->fault->name,
                                       code_name(key->code), BYTES_ARGS(where), BYTES_ARGS(cause));
        finding_add_text(&finding, "fingerprint", fingerprint);
        finding_add_number(&finding, "failures", found->failures);
        finding_add_number(&finding, "clients", found->clients);
        on_found(signals, &finding);
    }
    arena_free(arena);
}

static void look_at_failures(Signals *signals, int64_t wall)
{
    const SignalsConfig *config = &signals->config->signals;
    Look look = {.signals = signals,
                 .rules = {.warm_up = config->warm_up,
                           .forgotten = config->forgotten,
                           .failures = config->failures,
                           .clients = config->clients},
                 .wall = wall};
    novelty_begin(&signals->watch.novelty, wall);
    ledger_each_row(signals->places.ledger, see_row, &look);
    novelty_end(&signals->watch.novelty, &look.rules, wall, on_new, signals);
}

/* ---- Hours ----------------------------------------------------------------------------------- */

static void see_method(void *owner, const MethodTotals *totals)
{
    WatchMethod method = {.service = totals->service,
                          .method = totals->method,
                          .version = totals->version,
                          .total = {.calls = totals->calls,
                                    .failures = totals->failures,
                                    .losses = totals->losses,
                                    .seconds = totals->seconds}};
    buffer_add(owner, &method, sizeof method);
}

static void look_at_methods(Signals *signals, int64_t hour, bool judge)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer methods = buffer_in(arena);
    method_totals_read(see_method, &methods);
    watch_hour(&signals->watch, (const WatchMethod *)(const void *)methods.data,
               (uint32_t)(methods.size / sizeof(WatchMethod)), hour * HOUR, judge, on_found,
               signals);
    arena_free(arena);
}

static const char *name_of(void *owner, uint64_t client)
{
    const Signals *signals = owner;
    for (uint32_t i = 0; i < signals->n_read; i++)
        if (signals->read[i].hash == client)
            return signals->read[i].name;
    return NULL;
}

/* Hours of which the clients were not read say nothing. */
static void on_clients(void *owner, const SignalClient *read, uint32_t n)
{
    Signals *signals = owner;
    int64_t hour = signals->clients_hour;
    if (!hour || !signals->config->signals.on)
        return;
    SilenceSeen *seen = calloc(n + 1, sizeof *seen);
    CHECK(seen);
    for (uint32_t i = 0; i < n; i++)
        seen[i] = (SilenceSeen){read[i].hash, read[i].last};
    signals->read = read;
    signals->n_read = n;
    WatchClients clients = {
        .seen = seen, .n = n, .name_of = name_of, .on_found = on_found, .owner = signals};
    watch_clients(&signals->watch, &clients, hour * HOUR, signals->clients_last == hour - 1);
    signals->clients_last = hour;
    signals->clients_hour = 0;
    signals->n_read = 0;
    free(seen);
}

static void look_at_clients(Signals *signals, int64_t wall)
{
    static const int64_t days = 30;
    bool due = signals->clients_hour && wall >= (signals->clients_hour + 1) * HOUR + LATE;
    if (due && signals->config->usage.on)
        signal_clients_ask(signals->clients, wall - days * 24 * HOUR);
}

static void remember(Signals *signals, int64_t wall)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer state = buffer_in(arena);
    watch_write(&signals->watch, &state);
    store_submit(signals->places.port,
                 signal_state_write_task(signals->config->node, buffer_bytes(&state), wall,
                                         keys_of(signals)),
                 NULL, NULL);
    arena_free(arena);
}

static void turn_hour(Signals *signals, int64_t wall)
{
    int64_t hour = wall / HOUR, before = signals->hour;
    bool is_next = before && hour == before + 1;
    look_at_methods(signals, hour - 1, is_next && signals->whole);
    signals->whole = is_next || wall - hour * HOUR < LATE;
    signals->clients_hour = hour - 1;
    signals->hour = hour;
    if (before && signals->places.port)
        remember(signals, wall);
}

void signals_look(Signals *signals, int64_t wall)
{
    if (!signals->ready || !signals->config->signals.on)
        return;
    look_at_failures(signals, wall);
    if (wall / HOUR != signals->hour)
        turn_hour(signals, wall);
    look_at_clients(signals, wall);
    atomic_fetch_add(&signals->n_looks, 1);
}

/* ---- Over a restart -------------------------------------------------------------------------- */

static void take_state(Signals *signals, const StoreTask *task)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes state;
    Result r = signal_state_read(task, signals->config->node, keys_of(signals), arena, &state);
    if (!failed(r) && state.size)
        r = watch_read(&signals->watch, state, arena);
    if (failed(r))
        telemetry_event("warning", "signals_forgotten", r,
                        "what was usual is learned again, and takes weeks");
    signals->ready = true;
    arena_free(arena);
}

static void on_state(void *owner, Result result, StoreTask *task)
{
    Signals *signals = owner;
    signals->reading = false;
    if (!failed(result))
        take_state(signals, task);
}

static void get_ready(Signals *signals)
{
    if (!signals->places.port) {
        signals->ready = true;
    } else if (!signals->reading) {
        signals->reading = true;
        store_submit(signals->places.port, signal_state_read_task(signals->config->node), on_state,
                     signals);
    }
}

static void on_time(uv_timer_t *timer)
{
    Signals *signals = timer->data;
    if (!signals->ready)
        get_ready(signals);
    signals_look(signals, clock_wall());
}

/* ---- Operators ------------------------------------------------------------------------------- */

typedef struct SignalAsking {
    Signals *signals;
    Arena *arena;
    void (*on_read)(void *owner, Result result, Bytes json);
    void (*on_done)(void *owner, Result result);
    void *owner;
} SignalAsking;

static SignalAsking *asking_of(Signals *signals, void *owner)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    SignalAsking *asking = arena_make(arena, SignalAsking);
    *asking = (SignalAsking){.signals = signals, .arena = arena, .owner = owner};
    return asking;
}

static void answer(SignalAsking *asking, Result r, const SignalEntry *const *entries, uint32_t n)
{
    Buffer json = buffer_in(asking->arena);
    if (!failed(r))
        signal_page_write(asking->signals->config->node, entries, n, clock_wall(), &json);
    asking->on_read(asking->owner, r, buffer_bytes(&json));
    arena_free(asking->arena);
}

static void on_page(void *owner, Result result, StoreTask *task)
{
    SignalAsking *asking = owner;
    const SignalEntry **entries = NULL;
    uint32_t n = 0;
    if (!failed(result))
        entries = signal_read(task, keys_of(asking->signals), asking->arena, &n);
    answer(asking, result, entries, n);
}

void signals_read(Signals *signals, void (*on_done)(void *owner, Result result, Bytes json),
                  void *owner)
{
    SignalAsking *asking = asking_of(signals, owner);
    asking->on_read = on_done;
    if (signals->places.port)
        store_submit(signals->places.port, signal_read_task(), on_page, asking);
    else
        answer(asking, OK, signal_list_sorted(&signals->list, asking->arena), signals->list.n);
}

static void end_asking(SignalAsking *asking, Result r, bool found)
{
    if (!found)
        r = FAIL(asking->arena, FAULT_UNKNOWN_PATH, "there is no signal with that id");
    asking->on_done(asking->owner, r);
    arena_free(asking->arena);
}

static void on_acknowledged(void *owner, Result result, StoreTask *task)
{
    bool conflict = failed(result) && error_origin(result)->fault == &FAULT_STORE_CONFLICT;
    (void)task;
    end_asking(owner, result, !conflict);
}

void signals_acknowledge(Signals *signals, const SignalSeen *seen,
                         void (*on_done)(void *owner, Result result), void *owner)
{
    SignalAsking *asking = asking_of(signals, owner);
    int64_t wall = clock_wall();
    Bytes who = bytes_of(seen->who);
    asking->on_done = on_done;
    if (signals->places.port)
        store_submit(signals->places.port,
                     signal_acknowledge_task(seen->id, who, seen->why, wall, keys_of(signals)),
                     on_acknowledged, asking);
    else
        end_asking(asking, OK,
                   signal_list_acknowledge(&signals->list, seen->id, who, seen->why, wall));
}

void signals_forget_client(Signals *signals, Bytes client)
{
    silence_forget(&signals->watch.silence, bytes_hash(client));
    signal_list_forget_client(&signals->list, client);
}

/* ---- The whole ------------------------------------------------------------------------------- */

void signals_use(Signals *signals, const Config *config)
{
    uint64_t millis = (uint64_t)(config->ledger.every / MILLISECOND);
    signals->config = config;
    signals->watch.least_calls = config->signals.calls;
    if (config->signals.on)
        CHECK(uv_timer_start(&signals->timer, on_time, 0, millis) == 0);
    else
        uv_timer_stop(&signals->timer);
}

Signals *signals_new(const SignalPlaces *places, const Config *config)
{
    Signals *signals = calloc(1, sizeof *signals);
    CHECK(signals);
    signals->places = *places;
    signals->clients =
        signal_clients_new(places->loop, places->usage, places->store, on_clients, signals);
    CHECK(uv_timer_init(places->loop, &signals->timer) == 0);
    signals->timer.data = signals;
    signals_use(signals, config);
    return signals;
}

void signals_stop(Signals *signals)
{
    if (signals->ready && signals->config->signals.on && signals->places.port)
        remember(signals, clock_wall());
    signal_clients_stop(signals->clients);
    uv_close((uv_handle_t *)&signals->timer, NULL);
}

void signals_free(Signals *signals)
{
    signal_clients_free(signals->clients);
    signal_list_deinit(&signals->list);
    watch_deinit(&signals->watch);
    free(signals);
}

static void write_kinds(Exposition *e, atomic_ullong counts[FINDING_KINDS])
{
    for (int i = 0; i < FINDING_KINDS; i++)
        exposition_number(e, "", &(Label){"kind", finding_kind_name((FindingKind)i)}, 1,
                          atomic_load(&counts[i]));
}

void signals_metrics_write(Exposition *e, void *owner)
{
    Signals *signals = owner;
    exposition_family(e, "passerelle_signals", METRIC_COUNTER,
                      "Weak signals that this gateway has told.");
    write_kinds(e, signals->n_told);
    exposition_family(e, "passerelle_signals_held_back", METRIC_COUNTER,
                      "Weak signals that are listed only, since signals.per_hour were told.");
    write_kinds(e, signals->n_held);
    exposition_single(e, "passerelle_signals_looks", METRIC_COUNTER,
                      "How often this gateway has looked for weak signals.",
                      atomic_load(&signals->n_looks));
}
