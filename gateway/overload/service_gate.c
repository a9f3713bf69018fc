#include "gateway/overload/service_gate.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/text/date.h"
#include "gateway/healing/healing.h"
#include "gateway/instances/instance_set.h"
#include "gateway/policy/gradient.h"
#include "gateway/policy/stream_starts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define CALM (5 * SECOND) /* without a refusal: it is over */

enum { SUBJECT_SIZE = 24 };

struct ServiceGate {
    Loop *loop;
    ServiceGate *next;   /* of all */
    const char *service; /* its name */
    /* As of the latest call: a reload may have changed them. */
    bool has_breaker, has_concurrency;
    BreakerConfig breaker_limits;
    ConcurrencyConfig limits;

    Breaker breaker;
    bool counts_back;              /* since the breaker is open: */
    uint32_t any_back, times_back; /* known_instances_back, and those of the service */
    Gradient gradient;
    StreamStarts starts;
    PlaceShares shares;
    uint32_t n_calls; /* that have a place */
    FairQueue waits;
    LoopWork serve; /* the waits, later in this turn */
    Timer timer;    /* the oldest wait has waited for too long */

    Timer calm; /* it has been told that calls are refused: is it over? */
    int64_t refused_at;
    bool told;
    /* For the metrics: */
    _Atomic uint32_t shown_calls, shown_limit; /* the limit 0: there is none */
    _Atomic uint64_t n_refused;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ServiceGate *all; /* of all loops */

struct GateTable {
    Arena *arena; /* names and gates */
    Table gates;  /* name -> ServiceGate */
};

/* ---- Finding --------------------------------------------------------------------------------- */

static void run_serve(LoopWork *work);
static void on_timer(Timer *timer);
static void on_calm(Timer *timer);

static GateTable *table_of(Loop *loop)
{
    if (!loop->gates) {
        loop->gates = calloc(1, sizeof *loop->gates);
        CHECK(loop->gates);
        loop->gates->arena = arena_new(ARENA_UNLIMITED);
        loop->gates->gates = table_in(loop->gates->arena);
    }
    return loop->gates;
}

static ServiceGate *gate_new(Loop *loop, GateTable *table, const char *name)
{
    ServiceGate *gate = arena_make(table->arena, ServiceGate);
    gate->loop = loop;
    gate->service = arena_string(table->arena, name);
    gate->serve.run = run_serve;
    gate->timer.fire = on_timer;
    gate->calm.fire = on_calm;
    table_put(&table->gates, bytes_of(gate->service), gate);
    pthread_mutex_lock(&lock);
    gate->next = all;
    all = gate;
    pthread_mutex_unlock(&lock);
    return gate;
}

/* Names come from configs only. */
static ServiceGate *gate_of(Loop *loop, const Service *service)
{
    GateTable *table = table_of(loop);
    ServiceGate *gate = table_get(&table->gates, bytes_of(service->name));
    if (!gate)
        gate = gate_new(loop, table, service->name);
    gate->has_breaker = service->breaker != NULL;
    gate->has_concurrency = service->concurrency != NULL;
    if (gate->has_breaker)
        gate->breaker_limits = *service->breaker;
    if (gate->has_concurrency)
        gate->limits = *service->concurrency;
    return gate;
}

/* Each loop has its own. */
static const char *subject_of(const ServiceGate *gate, char out[SUBJECT_SIZE])
{
    snprintf(out, SUBJECT_SIZE, "loop %u", gate->loop->index);
    return out;
}

/* ---- The breaker ----------------------------------------------------------------------------- */

/* The time of day when it may be probed, in whole seconds. */
static const char *text_of_until(const ServiceGate *gate, char out[DATE_RFC3339_SIZE + 1])
{
    int64_t left = gate->breaker.open_until - gate->loop->now;
    int64_t until = (clock_wall() + left + SECOND - 1) / SECOND;
    out[date_write_rfc3339(until, 0, out)] = 0;
    return out;
}

static void tell_breaker(ServiceGate *gate, BreakerChange change)
{
    uint32_t calls, failures;
    char subject[SUBJECT_SIZE], until[DATE_RFC3339_SIZE + 1];
    if (change == BREAKER_SAME)
        return;
    subject_of(gate, subject);
    breaker_count(&gate->breaker, &gate->breaker_limits, gate->loop->now, &calls, &failures);
    if (change == BREAKER_ENDED)
        healing_end(HEALING_BREAKER, gate->service, subject, "of %u probes enough went well",
                    gate->breaker_limits.probes);
    else if (change == BREAKER_STAYED)
        healing_begin(HEALING_BREAKER, gate->service, subject, OK,
                      "too many probes failed: open until %s, then %u calls probe it",
                      text_of_until(gate, until), gate->breaker_limits.probes);
    else
        healing_begin(HEALING_BREAKER, gate->service, subject, OK,
                      "%u of %u calls in %lld ms failed (breaker.percent: %u): open until %s, "
                      "then %u calls probe it",
                      failures, calls, (long long)(gate->breaker_limits.window / MILLISECOND),
                      gate->breaker_limits.percent, text_of_until(gate, until),
                      gate->breaker_limits.probes);
}

static void end_breaker(ServiceGate *gate, const char *how)
{
    char subject[SUBJECT_SIZE];
    if (gate->breaker.state != BREAKER_CLOSED)
        healing_end(HEALING_BREAKER, gate->service, subject_of(gate, subject), "%s", how);
}

/* How often a loop has reached an instance of the service again. */
static uint32_t times_back(const Service *service)
{
    InstanceSet *set = instance_set_of(service);
    uint32_t n = 0;
    for (uint32_t i = 0; set && i < set->n; i++)
        n += known_instance_times_back(set->instances[i]->known);
    instance_set_unref(set);
    return n;
}

/* What made the breaker open may be over when an instance is reached again: waiting for the rest of
   `open` would make the outage longer. The sum is made only if there is any news. */
static void look_for_return(ServiceGate *gate, const Service *service)
{
    uint32_t any = atomic_load_explicit(&known_instances_back, memory_order_acquire);
    if (gate->counts_back && any == gate->any_back)
        return;
    uint32_t times = times_back(service);
    if (gate->counts_back && times != gate->times_back)
        breaker_try_now(&gate->breaker, gate->loop->now);
    gate->counts_back = true;
    gate->any_back = any;
    gate->times_back = times;
}

static Result refuse_open(ServiceGate *gate, Arena *arena, uint32_t *retry_after_out)
{
    int64_t left = breaker_until(&gate->breaker) - gate->loop->now;
    *retry_after_out = left > SECOND ? (uint32_t)((left + SECOND - 1) / SECOND) : 1;
    return FAIL(arena, FAULT_BREAKER_OPEN, "most of the last calls of %s have failed (breaker)%s",
                gate->service,
                gate->breaker.state == BREAKER_PROBING ? ", and its probes are under way" : "");
}

/* ---- Places ---------------------------------------------------------------------------------- */

static uint32_t limit_of(const ServiceGate *gate)
{
    if (!gate->has_concurrency)
        return UINT32_MAX;
    return gate->limits.adaptive ? gradient_limit(&gate->gradient, &gate->limits)
                                 : gate->limits.calls;
}

static bool has_place(ServiceGate *gate)
{
    gate->n_calls -= stream_starts_expire(&gate->starts, gate->limits.start, gate->loop->now);
    return gate->n_calls < limit_of(gate);
}

/* Without a limit there is nothing to share. */
static bool is_shared(const ServiceGate *gate)
{
    return gate->has_concurrency && gate->limits.client_percent < 100 &&
           limit_of(gate) != UINT32_MAX;
}

static bool client_may(const ServiceGate *gate, const IpAddress *client)
{
    if (!is_shared(gate))
        return true;
    uint64_t most = ((uint64_t)limit_of(gate) * gate->limits.client_percent + 99) / 100;
    return place_shares_may(&gate->shares, client, (uint32_t)most, gate->loop->now);
}

/* For the metrics. */
static void show(ServiceGate *gate)
{
    uint32_t limit = gate->has_concurrency ? limit_of(gate) : 0;
    atomic_store_explicit(&gate->shown_calls, gate->n_calls, memory_order_relaxed);
    atomic_store_explicit(&gate->shown_limit, limit, memory_order_relaxed);
}

static const char *name_of_limit(const ServiceGate *gate)
{
    return gate->limits.adaptive ? "concurrency.adaptive" : "concurrency.calls";
}

static void tell_full(ServiceGate *gate)
{
    char subject[SUBJECT_SIZE];
    gate->refused_at = gate->loop->now;
    atomic_fetch_add_explicit(&gate->n_refused, 1, memory_order_relaxed);
    if (gate->told)
        return;
    gate->told = true;
    timer_start(&gate->loop->timers, &gate->calm, gate->loop->now + CALM);
    healing_begin(HEALING_SHED, gate->service, subject_of(gate, subject), OK,
                  "calls are refused with SERVICE_FULL: %u are in flight, where the limit is %u "
                  "(%s)",
                  gate->n_calls, limit_of(gate), name_of_limit(gate));
}

static void end_full(ServiceGate *gate, const char *how)
{
    char subject[SUBJECT_SIZE];
    if (gate->told)
        healing_end(HEALING_SHED, gate->service, subject_of(gate, subject), "%s", how);
    gate->told = false;
}

static void on_calm(Timer *timer)
{
    ServiceGate *gate = (ServiceGate *)((char *)timer - offsetof(ServiceGate, calm));
    int64_t over = gate->refused_at + CALM;
    if (gate->loop->now < over)
        timer_start(&gate->loop->timers, timer, over);
    else
        end_full(gate, "no call has been refused for 5 s");
}

static Result refuse_full(ServiceGate *gate, Arena *arena, const char *why)
{
    tell_full(gate);
    return FAIL(arena, FAULT_SERVICE_FULL, "%u calls of %s are in flight on this loop%s (%s)",
                gate->n_calls, gate->service, why, name_of_limit(gate));
}

typedef struct Entry {
    bool stream, apart;
    const IpAddress *client;
} Entry;

/* There is a place. */
static Result take_place(ServiceGate *gate, Entry entry, Arena *arena, GatePass *pass_out,
                         uint32_t *retry_after_out)
{
    *pass_out = (GatePass){.gate = gate, .stream = entry.stream};
    if (gate->has_breaker && !entry.apart) {
        pass_out->ticket = breaker_ask(&gate->breaker, &gate->breaker_limits, gate->loop->now);
        if (pass_out->ticket == TICKET_NONE) {
            pass_out->gate = NULL;
            return refuse_open(gate, arena, retry_after_out);
        }
    }
    if (entry.stream)
        pass_out->slice = stream_starts_add(&gate->starts);
    else if (is_shared(gate))
        pass_out->holder = place_shares_take(&gate->shares, entry.client);
    gate->n_calls++;
    show(gate);
    return OK;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static GateWait *wait_of(FairWait *place)
{
    return (GateWait *)((char *)place - offsetof(GateWait, place));
}

static void fail_wait(ServiceGate *gate, FairWait *place, const char *why)
{
    GateWait *wait = wait_of(place);
    Result r = refuse_full(gate, loop_scratch(gate->loop), why);
    fair_queue_remove(&gate->waits, place);
    wait->on_ready(wait, (GatePass){0}, r);
}

static void fail_late(ServiceGate *gate)
{
    FairWait *oldest;
    while ((oldest = gate->waits.oldest) && oldest->since + gate->limits.wait <= gate->loop->now)
        fail_wait(gate, oldest, ", and the call has waited for long enough");
}

static void fail_many(ServiceGate *gate)
{
    while (gate->waits.n > gate->limits.waiting)
        fail_wait(gate, fair_queue_most(&gate->waits), ", and too many calls wait");
}

/* Whose turn it is, of those that may have another place. */
typedef struct Turn {
    const ServiceGate *gate;
    IpAddress client;
} Turn;

static bool take_turn(void *owner, const IpAddress *client)
{
    Turn *turn = owner;
    turn->client = *client; /* the queue may forget it with its last wait */
    return client_may(turn->gate, client);
}

static void serve_waits(ServiceGate *gate)
{
    Turn turn = {.gate = gate};
    FairWait *place;
    while (has_place(gate) && (place = fair_queue_take_from(&gate->waits, take_turn, &turn))) {
        GateWait *wait = wait_of(place);
        GatePass pass;
        uint32_t retry_after;
        Entry entry = {.stream = wait->stream, .client = &turn.client};
        Result r = take_place(gate, entry, loop_scratch(gate->loop), &pass, &retry_after);
        wait->on_ready(wait, pass, r);
    }
}

static void look(ServiceGate *gate)
{
    serve_waits(gate);
    fail_late(gate);
    fail_many(gate);
    if (!gate->waits.oldest)
        return;
    int64_t late = gate->waits.oldest->since + gate->limits.wait;
    int64_t free = stream_starts_next(&gate->starts);
    timer_start(&gate->loop->timers, &gate->timer, free < late ? free : late);
}

static void run_serve(LoopWork *work)
{
    look((ServiceGate *)((char *)work - offsetof(ServiceGate, serve)));
}

static void on_timer(Timer *timer)
{
    look((ServiceGate *)((char *)timer - offsetof(ServiceGate, timer)));
}

static void wait_for_place(ServiceGate *gate, const GateQuestion *q, const IpAddress *who)
{
    GateWait *wait = q->wait;
    wait->place = (FairWait){.client = NULL};
    wait->gate = gate;
    wait->stream = q->stream;
    fair_queue_add(&gate->waits, &wait->place, who, gate->loop->now);
    loop_defer(gate->loop, &gate->serve);
}

void gate_cancel(GateWait *wait)
{
    if (fair_waits(&wait->place))
        fair_queue_remove(&wait->gate->waits, &wait->place);
}

/* ---- Passing --------------------------------------------------------------------------------- */

Result gate_enter(Loop *loop, const GateQuestion *q, Arena *arena, GatePass *pass_out,
                  uint32_t *retry_after_out)
{
    ServiceGate *gate = gate_of(loop, q->service);
    IpAddress who = fair_client_of(q->client);
    *pass_out = (GatePass){0};
    *retry_after_out = 1;
    if (gate->has_breaker && gate->breaker.state == BREAKER_OPEN)
        look_for_return(gate, q->service);
    else
        gate->counts_back = false;
    if (is_shared(gate))
        place_shares_come(&gate->shares, &who, loop->now);
    bool may = client_may(gate, &who);
    if (has_place(gate) && may && gate->waits.n == 0)
        return take_place(gate, (Entry){q->stream, q->apart, &who}, arena, pass_out,
                          retry_after_out);
    if (gate->has_breaker && !q->apart && gate->breaker.state == BREAKER_OPEN &&
        loop->now < gate->breaker.open_until)
        return refuse_open(gate, arena, retry_after_out);
    if (!q->wait || gate->limits.waiting == 0)
        return refuse_full(gate, arena,
                           !may      ? ", and its client has its share (client_percent)"
                           : q->wait ? ", and none may wait"
                                     : "");
    wait_for_place(gate, q, &who);
    return OK;
}

void gate_leave(Loop *loop, GatePass *pass, BreakerOutcome outcome, int64_t took)
{
    ServiceGate *gate = pass->gate;
    if (!gate)
        return;
    if (pass->ticket && gate->has_breaker)
        tell_breaker(gate, breaker_tell(&gate->breaker, &gate->breaker_limits, pass->ticket,
                                        outcome, loop->now));
    if (took && gate->has_concurrency && gate->limits.adaptive)
        gradient_sample(&gate->gradient, &gate->limits, took, gate->n_calls);
    place_shares_give(&gate->shares, pass->holder);
    gate->n_calls -= !pass->stream || stream_starts_remove(&gate->starts, pass->slice);
    *pass = (GatePass){0};
    show(gate);
    if (gate->waits.n)
        loop_defer(loop, &gate->serve);
}

/* ---- Another config -------------------------------------------------------------------------- */

static void drop_breaker(ServiceGate *gate)
{
    end_breaker(gate, "its config has no breaker any more");
    gate->breaker = (Breaker){0};
    gate->has_breaker = false;
}

static void drop_concurrency(ServiceGate *gate)
{
    end_full(gate, "its config has no limit any more");
    gate->has_concurrency = false;
    show(gate);
    if (gate->waits.n)
        loop_defer(gate->loop, &gate->serve);
}

void gates_use_config(Loop *loop)
{
    pthread_mutex_lock(&lock);
    for (ServiceGate *gate = all; gate; gate = gate->next) {
        if (gate->loop != loop)
            continue;
        const Service *service = config_service(loop->config, gate->service);
        if (!service || !service->breaker)
            drop_breaker(gate);
        if (!service || !service->concurrency)
            drop_concurrency(gate);
    }
    pthread_mutex_unlock(&lock);
}

/* ---- Metrics --------------------------------------------------------------------------------- */

/* The newest are first; a service may have left the config since. */
static void write_each(Exposition *e, uint64_t (*value)(const ServiceGate *gate))
{
    for (const ServiceGate *gate = all; gate; gate = gate->next) {
        char index[SUBJECT_SIZE];
        snprintf(index, sizeof index, "%u", gate->loop->index);
        Label labels[] = {{"service", gate->service}, {"loop", index}};
        if (atomic_load_explicit(&gate->shown_limit, memory_order_relaxed))
            exposition_number(e, "", labels, 2, value(gate));
    }
}

static uint64_t shown_limit(const ServiceGate *gate)
{
    return atomic_load_explicit(&gate->shown_limit, memory_order_relaxed);
}

static uint64_t shown_calls(const ServiceGate *gate)
{
    return atomic_load_explicit(&gate->shown_calls, memory_order_relaxed);
}

static uint64_t n_refused(const ServiceGate *gate)
{
    return atomic_load_explicit(&gate->n_refused, memory_order_relaxed);
}

void gates_metrics_write(Exposition *e, void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    exposition_family(e, "passerelle_concurrency_limit", METRIC_GAUGE,
                      "How many calls of the service the loop may have in flight: as set, or as "
                      "learned.");
    write_each(e, shown_limit);
    exposition_family(e, "passerelle_concurrency_in_flight", METRIC_GAUGE,
                      "Calls of the service that have a place; a stream has one while it starts.");
    write_each(e, shown_calls);
    exposition_family(e, "passerelle_concurrency_refused", METRIC_COUNTER,
                      "Attempts that had no place, and were refused with SERVICE_FULL.");
    write_each(e, n_refused);
    pthread_mutex_unlock(&lock);
}

/* ---- The end --------------------------------------------------------------------------------- */

static void forget_gates(const Loop *loop)
{
    ServiceGate **at = &all;
    while (*at) {
        ServiceGate *gate = *at;
        if (gate->loop == loop) {
            *at = gate->next;
            timer_stop(&gate->loop->timers, &gate->timer);
            timer_stop(&gate->loop->timers, &gate->calm);
            end_breaker(gate, "the loop has ended");
            end_full(gate, "the loop has ended");
        } else {
            at = &gate->next;
        }
    }
}

void gates_free(Loop *loop)
{
    if (!loop->gates)
        return;
    pthread_mutex_lock(&lock);
    forget_gates(loop);
    pthread_mutex_unlock(&lock);
    arena_free(loop->gates->arena);
    free(loop->gates);
    loop->gates = NULL;
}
