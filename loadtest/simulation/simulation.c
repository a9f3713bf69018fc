/*
 * A platform of 15,000 instances behind 200 gateways, on a clock of its own: what the gateway's
 * policy does to the whole when a part of it breaks.
 *
 *      simulation storm|cell|deploy  gateway|naive   --> one line for each 100 ms, as CSV
 *
 * Each gateway decides by the code of the product: policy_decide and the retry budget, the choice
 * of two by peak EWMA, backoff of connects, spill-over of cells, the ejection judge, breakers,
 * learned limits of calls in flight, and shedding. "naive" is a gateway without any of these.
 *
 * A gateway is one loop, which is busy for half of the time in quiet times: it works in turns, and
 * what arrives during a turn waits for the next one. A naive one takes no time.
 *
 * An instance does one call after the other. One that would wait for too long is refused, which
 * costs a fifth of the work. Work goes on when nobody waits for it any more.
 */
#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "gateway/instances/ejection.h"
#include "gateway/instances/latency.h"
#include "gateway/policy/breaker.h"
#include "gateway/policy/gradient.h"
#include "gateway/policy/policy.h"
#include "gateway/policy/retry_budget.h"
#include "gateway/policy/shedding.h"
#include "gateway/policy/spill.h"
#include "loadtest/simulation/events.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CELLS = 5,
    GATEWAYS = 200,
    SERVICES = 150,
    NEAR = 20, /* instances of a service in a cell */
    SERVERS = CELLS * SERVICES * NEAR,
    PAIRS = GATEWAYS * SERVICES * NEAR, /* of a gateway and an instance of its cell */
    ROW = 100,                          /* milliseconds of a line */
};

#define DEADLINE (1 * SECOND)
#define QUEUE (500 * MILLISECOND)
#define REFUSAL_COST 0.2

#define GATEWAY_LOAD 0.5     /* of its time, by calls without retries */
#define GATEWAY_REFUSAL 0.05 /* of the work of an attempt */

/* The defaults of the config, of what is on by default or has `{}` or `adaptive: true`. */
static const BreakerConfig breaker_limits = {
    .percent = 50, .calls = 20, .window = 10 * SECOND, .open = SECOND, .probes = 3};
static const ConcurrencyConfig concurrency = {
    .calls = UINT32_MAX, .waiting = 100, .wait = 100 * MILLISECOND, .adaptive = true, .least = 10};
static const OverloadConfig overload = {.shed = true,
                                        .delay = 20 * MILLISECOND,
                                        .interval = 100 * MILLISECOND,
                                        .calm = 500 * MILLISECOND};

/* ---- The scenarios --------------------------------------------------------------------------- */

typedef struct Scenario {
    const char *name;
    int64_t work; /* of a call, on average */
    double load;  /* of what all instances can do */
    int64_t time, begin, end;
} Scenario;

static const Scenario scenarios[] = {
    {"storm", 100 * MILLISECOND, 0.75, 40 * SECOND, 10 * SECOND, 20 * SECOND},
    {"cell", 100 * MILLISECOND, 0.60, 40 * SECOND, 10 * SECOND, 25 * SECOND},
    {"deploy", 20 * MILLISECOND, 0.50, 20 * SECOND, 5 * SECOND, 20 * SECOND},
};
static const Scenario *scenario;
static bool naive;

/* ---- The platform ---------------------------------------------------------------------------- */

typedef struct Server {
    int64_t free_at;
    bool down;
    float slow, fails;
} Server;

typedef struct Pair {
    Latency latency;
    uint32_t running, row, row_longest;
    int64_t down_until;
    Sample fresh;
    Judged judged;
} Pair;

/* Of a gateway and a service: as service_gate.h. */
typedef struct Gate {
    Breaker breaker;
    Gradient gradient;
    uint32_t n_calls, n_waits;
    uint32_t n_down;      /* of its pairs */
    uint32_t first, last; /* that wait, if n_waits */
} Gate;

/* The loop of a gateway. */
typedef struct Turns {
    Shedding shedding;
    uint32_t first, last, n; /* calls that arrived during the turn; or, while it sleeps, none */
    uint32_t taken, n_taken; /* those of the turn */
    bool busy;
    int64_t began, ended; /* the turn; the one before */
} Turns;

typedef struct Request {
    uint32_t gateway, service, server, pair; /* pair: PAIRS for one of another cell */
    uint32_t attempts, backoffs;
    uint32_t next; /* in a queue */
    int64_t began, sent;
    BreakerTicket ticket;
    Code code;
    bool refused, shed;
    int64_t waits_until; /* 0: it does not wait for a place */
} Request;

static Server servers[SERVERS];
static Pair *pairs;
static RetryBudget budgets[GATEWAYS][SERVICES];
static uint32_t spilled[GATEWAYS][SERVICES];
static JudgedService judged[GATEWAYS][SERVICES];
static Gate gates[GATEWAYS][SERVICES];
static Turns loops[GATEWAYS];
static Random random_numbers;
static struct {
    uint64_t calls, good, attempts, ejected, open, shed, stopped, full;
    double time;
} row;

static uint32_t below(uint32_t n)
{
    return (uint32_t)random_below(&random_numbers, n);
}

static double unit(void)
{
    return ((double)(random_next(&random_numbers) >> 11) + 0.5) / (double)(UINT64_C(1) << 53);
}

static int64_t exponential(double mean)
{
    return (int64_t)(-log(unit()) * mean);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static Request *calls;
static uint32_t *free_calls, n_calls, n_free;

static uint32_t call_new(void)
{
    if (n_free)
        return free_calls[--n_free];
    if (n_calls % 65536 == 0) {
        calls = realloc(calls, (n_calls + 65536) * sizeof *calls);
        free_calls = realloc(free_calls, (n_calls + 65536) * sizeof *free_calls);
        CHECK(calls && free_calls);
    }
    return n_calls++;
}

static uint32_t server_of(uint32_t cell, uint32_t service, uint32_t i)
{
    return (cell * SERVICES + service) * NEAR + i;
}

static Pair *pair_of(uint32_t gateway, uint32_t service, uint32_t i)
{
    return &pairs[(gateway * SERVICES + service) * NEAR + i];
}

static bool is_up(const Pair *pair)
{
    return naive || (pair->down_until == 0 && !judged_is_ejected(&pair->judged));
}

/* What is down is connected to in the background, as upstream.c does; when it is back, an open
   breaker is probed. */
static void reconnect(uint32_t gateway, uint32_t service, int64_t now)
{
    Gate *gate = &gates[gateway][service];
    for (uint32_t i = 0; gate->n_down && i < NEAR; i++) {
        Pair *pair = pair_of(gateway, service, i);
        if (pair->down_until == 0 || now < pair->down_until)
            continue;
        bool down = servers[server_of(gateway % CELLS, service, i)].down;
        pair->down_until = down ? now + SECOND : 0;
        if (down)
            continue;
        gate->n_down--;
        breaker_try_now(&gate->breaker, now);
    }
}

static Burden burden_of(const Pair *pair, int64_t now)
{
    return (Burden){latency_now(&pair->latency, now), pair->running, 1};
}

/* Of two that are up the one with less to bear; NEAR: none is up. */
static uint32_t choose_near(const Request *call, int64_t now, uint32_t n_up)
{
    uint32_t found[2], n = 0;
    for (uint32_t tries = 0; n_up && n < 2 && tries < 4 * NEAR; tries++) {
        uint32_t i = below(NEAR);
        if (is_up(pair_of(call->gateway, call->service, i)))
            found[n++] = i;
    }
    if (n < 2 || naive)
        return n ? found[0] : NEAR;
    Burden first = burden_of(pair_of(call->gateway, call->service, found[0]), now);
    Burden second = burden_of(pair_of(call->gateway, call->service, found[1]), now);
    return burden_is_less(&second, &first) ? found[1] : found[0];
}

/* False: nobody is left, and the call may not leave the cell. */
static bool choose(Request *call, int64_t now)
{
    uint32_t cell = call->gateway % CELLS, n_up = 0;
    for (uint32_t i = 0; i < NEAR; i++)
        n_up += is_up(pair_of(call->gateway, call->service, i));
    uint32_t share = naive ? 0 : spill_share(n_up, NEAR, 70, 50);
    bool leaves = spill_next(&spilled[call->gateway][call->service], share);
    uint32_t near = leaves ? NEAR : choose_near(call, now, n_up);
    if (near == NEAR && !leaves)
        return false;
    if (near == NEAR) {
        uint32_t other = (cell + 1 + below(CELLS - 1)) % CELLS;
        call->server = server_of(other, call->service, below(NEAR));
        call->pair = PAIRS;
    } else {
        call->server = server_of(cell, call->service, near);
        call->pair = (uint32_t)(pair_of(call->gateway, call->service, near) - pairs);
    }
    return true;
}

/* What the instance makes of it is known as soon as it comes. */
static int64_t serve(Request *call, int64_t now)
{
    Server *server = &servers[call->server];
    int64_t waits = server->free_at > now ? server->free_at - now : 0;
    int64_t work = exponential((double)scenario->work * server->slow);
    call->refused = server->down;
    call->code = CODE_UNAVAILABLE;
    if (server->down)
        return now + MILLISECOND;
    if (waits > QUEUE) {
        server->free_at += (int64_t)((double)work * REFUSAL_COST);
        return now + MILLISECOND;
    }
    server->free_at = now + waits + work;
    call->code = unit() < server->fails ? CODE_UNAVAILABLE : CODE_OK;
    if (server->free_at <= call->began + DEADLINE)
        return server->free_at;
    call->code = CODE_DEADLINE_EXCEEDED;
    return call->began + DEADLINE;
}

static void finish(uint32_t which, int64_t now)
{
    const Request *call = &calls[which];
    bool good = call->code == CODE_OK;
    if (good)
        retry_budget_earn(&budgets[call->gateway][call->service], now);
    row.good += good;
    row.time += good ? (double)(now - call->began) : 0;
    free_calls[n_free++] = which;
}

/* ---- The gate of a service ------------------------------------------------------------------- */

static Gate *gate_of(const Request *call)
{
    return &gates[call->gateway][call->service];
}

static bool has_place(const Gate *gate)
{
    return gate->n_calls < gradient_limit(&gate->gradient, &concurrency);
}

static void queue_add(uint32_t *first, uint32_t *last, uint32_t n, uint32_t which)
{
    if (n)
        calls[*last].next = which;
    else
        *first = which;
    *last = which;
}

/* As gate_enter. False: the call does not go on now. */
static bool enter(uint32_t which, int64_t now)
{
    Request *call = &calls[which];
    Gate *gate = gate_of(call);
    bool has_waited = call->waits_until > 0;
    call->waits_until = 0;
    if (naive)
        return true;
    bool full = !has_place(gate) || (gate->n_waits && !has_waited);
    if (full && !call->attempts && gate->n_waits < concurrency.waiting) {
        queue_add(&gate->first, &gate->last, gate->n_waits++, which);
        call->waits_until = now + concurrency.wait;
        event_push(call->waits_until, WAITED, which);
        return false;
    }
    call->ticket = full ? TICKET_NONE : breaker_ask(&gate->breaker, &breaker_limits, now);
    gate->n_calls += call->ticket != TICKET_NONE;
    if (call->ticket != TICKET_NONE)
        return true;
    row.full += full;
    row.stopped += !full;
    call->code = CODE_UNAVAILABLE;
    finish(which, now);
    return false;
}

static void ask(uint32_t which, int64_t now);

static uint32_t take_first(Gate *gate)
{
    uint32_t first = gate->first;
    gate->first = calls[first].next;
    gate->n_waits--;
    return first;
}

/* As gate_leave. */
static void leave(Request *call, BreakerOutcome outcome, int64_t now)
{
    Gate *gate = gate_of(call);
    if (call->ticket == TICKET_NONE)
        return;
    breaker_tell(&gate->breaker, &breaker_limits, call->ticket, outcome, now);
    if (outcome == OUTCOME_GOOD)
        gradient_sample(&gate->gradient, &concurrency, now - call->sent, gate->n_calls);
    call->ticket = TICKET_NONE;
    gate->n_calls--;
    while (gate->n_waits && has_place(gate))
        ask(take_first(gate), now);
}

/* They wait equally long, so that the first one is the first to give up. */
static void give_up(uint32_t which, int64_t now)
{
    Request *call = &calls[which];
    Gate *gate = gate_of(call);
    if (call->waits_until != now || !gate->n_waits || gate->first != which)
        return;
    take_first(gate);
    row.full++;
    call->code = CODE_UNAVAILABLE;
    finish(which, now);
}

static void ask(uint32_t which, int64_t now)
{
    if (!naive)
        reconnect(calls[which].gateway, calls[which].service, now);
    if (!enter(which, now))
        return;
    Request *call = &calls[which];
    if (!choose(call, now)) {
        leave(call, OUTCOME_UNKNOWN, now);
        call->code = CODE_UNAVAILABLE;
        finish(which, now);
        return;
    }
    call->attempts++;
    call->sent = now;
    row.attempts++;
    if (call->pair < PAIRS)
        pairs[call->pair].running++;
    event_push(serve(call, now), ENDED, which);
}

/* ---- The loop of a gateway ------------------------------------------------------------------- */

/* Of an attempt, with its response. A naive gateway has all the processors that its retries need.
 */
static double cost(void)
{
    if (naive)
        return 0;
    double rate = scenario->load * SERVERS / (double)scenario->work / GATEWAYS;
    return GATEWAY_LOAD / rate;
}

/* Reads what has arrived: from now on it is known what is refused. */
static void begin_turn(uint32_t gateway, int64_t now)
{
    static const Impact impacts[] = {IMPACT_LOW,  IMPACT_LOW,         IMPACT_LOW,  IMPACT_LOW,
                                     IMPACT_LOW,  IMPACT_LOW,         IMPACT_HIGH, IMPACT_HIGH,
                                     IMPACT_HIGH, IMPACT_CATASTROPHIC};
    Turns *turns = &loops[gateway];
    double busy = 0;
    turns->taken = turns->first;
    turns->n_taken = turns->n;
    turns->n = 0;
    for (uint32_t i = 0, which = turns->taken; i < turns->n_taken; i++, which = calls[which].next) {
        Request *call = &calls[which];
        Impact impact = impacts[call->service % 10];
        call->shed = !naive && !call->attempts && shedding_on(&turns->shedding) &&
                     !shedding_admits(&turns->shedding, impact, random_next(&random_numbers));
        busy += call->shed ? cost() * GATEWAY_REFUSAL : cost();
    }
    turns->busy = true;
    turns->began = now;
    event_push(now + (int64_t)busy + 1, TURN_OVER, gateway);
}

static void act(uint32_t which, int64_t now)
{
    Request *call = &calls[which];
    bool late = now >= call->began + DEADLINE;
    row.shed += call->shed;
    call->code = late ? CODE_DEADLINE_EXCEEDED : CODE_UNAVAILABLE;
    if (call->shed || late)
        finish(which, now);
    else
        ask(which, now);
}

static void end_turn(uint32_t gateway, int64_t now)
{
    Turns *turns = &loops[gateway];
    uint32_t which = turns->taken;
    for (uint32_t i = 0; i < turns->n_taken; i++) {
        uint32_t next = calls[which].next;
        act(which, now);
        which = next;
    }
    LoopTurn turn = {
        .ended = now, .slept = turns->began - turns->ended, .busy = now - turns->began};
    if (!naive)
        shedding_turn(&turns->shedding, &overload, &turn);
    turns->ended = now;
    turns->busy = false;
    if (turns->n)
        begin_turn(gateway, now);
}

static void come(uint32_t which, int64_t now)
{
    uint32_t gateway = calls[which].gateway;
    Turns *turns = &loops[gateway];
    queue_add(&turns->first, &turns->last, turns->n++, which);
    if (!turns->busy)
        begin_turn(gateway, now);
}

/* ---- What comes of an attempt ---------------------------------------------------------------- */

static void learn(const Request *call, int64_t now)
{
    if (call->pair == PAIRS)
        return;
    Pair *pair = &pairs[call->pair];
    bool good = call->code == CODE_OK;
    pair->running--;
    if (call->refused) { /* as a connect that failed */
        gate_of(call)->n_down += pair->down_until == 0;
        pair->down_until = now + SECOND;
        return;
    }
    latency_add(&pair->latency, now - call->sent, good, now);
    pair->fresh.calls++;
    pair->fresh.failures += !good;
    pair->row = good ? 0 : pair->row + 1;
    if (pair->row > pair->row_longest)
        pair->row_longest = pair->row;
}

static PolicyQuestion question_of(const Request *call, int64_t now)
{
    static const RetryAllowance allowed = {.percent = 20, .at_least = 3, .n_loops = 1};
    RetryBudget *budget = &budgets[call->gateway][call->service];
    return (PolicyQuestion){
        .event = call->refused ? POLICY_FAULT : POLICY_STATUS,
        .fault = &FAULT_UPSTREAM_DOWN,
        .code = call->code,
        .attempted = true,
        .sent = !call->refused,
        .answered = !call->refused,
        .kept = true,
        .repeatable = true,
        .safe = true,
        .picked = true,
        .attempts = call->attempts,
        .attempts_most = naive ? 5 : 3,
        .budget_spent = !naive && retry_budget_is_spent(budget, &allowed, now),
        .time_left = call->began + DEADLINE - now,
        .initial_backoff = naive ? MILLISECOND : 25 * MILLISECOND,
        .max_backoff = naive ? 2 * MILLISECOND : 250 * MILLISECOND,
        .backoffs = call->backoffs,
        .random = random_next(&random_numbers),
    };
}

static void end(uint32_t which, int64_t now)
{
    Request *call = &calls[which];
    learn(call, now);
    leave(call, call->code == CODE_OK ? OUTCOME_GOOD : OUTCOME_FAILED, now);
    call = &calls[which]; /* others may have begun */
    if (call->code == CODE_OK || call->code == CODE_DEADLINE_EXCEEDED) {
        finish(which, now);
        return;
    }
    PolicyQuestion question = question_of(call, now);
    PolicyVerdict verdict = policy_decide(&question);
    if (verdict.action != POLICY_RETRY || (naive && call->attempts == 5)) {
        finish(which, now);
        return;
    }
    if (verdict.charge == CHARGE_RETRY)
        retry_budget_take(&budgets[call->gateway][call->service], now);
    call->backoffs += verdict.backs_off;
    event_push(now + verdict.wait, SEND, which);
}

static void arrive(uint32_t gateway, int64_t now)
{
    double rate = scenario->load * SERVERS / (double)scenario->work / GATEWAYS;
    uint32_t which = call_new();
    calls[which] = (Request){.gateway = gateway, .service = below(SERVICES), .began = now};
    row.calls++;
    come(which, now);
    event_push(now + 1 + exponential(1 / rate), ARRIVAL, gateway);
}

/* ---- What breaks, and who looks -------------------------------------------------------------- */

/* The gateways of the first cell have connections to its instances, which break. */
static void lose_connections(int64_t now)
{
    for (uint32_t gateway = 0; gateway < GATEWAYS; gateway += CELLS) {
        for (uint32_t service = 0; service < SERVICES; service++) {
            gates[gateway][service].n_down = NEAR;
            for (uint32_t i = 0; i < NEAR; i++)
                pair_of(gateway, service, i)->down_until = now + SECOND;
        }
    }
}

static void change(bool broken, int64_t now)
{
    if (broken && strcmp(scenario->name, "cell") == 0)
        lose_connections(now);
    for (uint32_t i = 0; i < SERVERS; i++) {
        bool is = broken;
        if (strcmp(scenario->name, "storm") == 0)
            servers[i].slow = is ? 2 : 1;
        else if (strcmp(scenario->name, "cell") == 0)
            servers[i].down = is && i < SERVERS / CELLS;
        else
            servers[i].fails = is && i % 10 == 0 ? 0.8F : 0; /* a tenth has the new build */
    }
}

static void judge(uint32_t gateway, uint32_t service, int64_t now)
{
    static const EjectRules rules = {.consecutive = 5,
                                     .failure_percent = 10,
                                     .slower = 0,
                                     .min_calls = 20,
                                     .max_percent = 50,
                                     .first = 30 * SECOND,
                                     .most = 300 * SECOND};
    Judged *all[NEAR];
    for (uint32_t i = 0; i < NEAR; i++) {
        Pair *pair = pair_of(gateway, service, i);
        judged_observe(&pair->judged, &pair->fresh, pair->row_longest);
        pair->fresh = (Sample){0};
        pair->row_longest = pair->row;
        all[i] = &pair->judged;
    }
    ejections_judge(&rules, &judged[gateway][service], all, NEAR, now, &random_numbers);
    for (uint32_t i = 0; i < NEAR; i++)
        row.ejected += judged_is_ejected(all[i]);
}

static void look(int64_t now)
{
    row.ejected = row.open = 0;
    for (uint32_t gateway = 0; !naive && gateway < GATEWAYS; gateway++) {
        for (uint32_t service = 0; service < SERVICES; service++) {
            judge(gateway, service, now);
            row.open += gates[gateway][service].breaker.state != BREAKER_CLOSED;
        }
    }
}

static void print_row(int64_t now)
{
    double second = (double)ROW / 1000;
    printf("%.1f,%.0f,%.0f,%.0f,%.1f,%llu,%llu,%.0f,%.0f,%.0f\n", (double)now / SECOND,
           (double)row.calls / second, (double)row.good / second, (double)row.attempts / second,
           row.good ? row.time / (double)row.good / MILLISECOND : 0,
           (unsigned long long)row.ejected, (unsigned long long)row.open,
           (double)row.stopped / second, (double)row.full / second, (double)row.shed / second);
    uint64_t ejected = row.ejected, open = row.open;
    memset(&row, 0, sizeof row);
    row.ejected = ejected;
    row.open = open;
}

static void run(void)
{
    int64_t next_row = 0, next_look = 0;
    bool broken = false;
    for (uint32_t gateway = 0; gateway < GATEWAYS; gateway++)
        event_push(exponential(MILLISECOND), ARRIVAL, gateway);
    for (;;) {
        Event event = event_pop();
        if (event.at >= scenario->time)
            return;
        if (event.at >= next_look) {
            look(next_look);
            next_look += EJECTION_EVERY;
        }
        if (event.at >= next_row) {
            print_row(next_row);
            next_row += ROW * MILLISECOND;
        }
        if (broken != (event.at >= scenario->begin && event.at < scenario->end))
            change(broken = !broken, event.at);
        switch (event.what) {
        case ARRIVAL: arrive(event.which, event.at); break;
        case TURN_OVER: end_turn(event.which, event.at); break;
        case SEND: come(event.which, event.at); break;
        case WAITED: give_up(event.which, event.at); break;
        case ENDED: end(event.which, event.at); break;
        }
    }
}

int main(int n, char **words)
{
    for (size_t i = 0; n == 3 && i < sizeof scenarios / sizeof *scenarios; i++)
        if (strcmp(words[1], scenarios[i].name) == 0)
            scenario = &scenarios[i];
    if (!scenario) {
        fprintf(stderr, "usage: simulation storm|cell|deploy gateway|naive\n");
        return 2;
    }
    naive = strcmp(words[2], "naive") == 0;
    random_seed_fixed(&random_numbers, 1);
    pairs = calloc(PAIRS, sizeof *pairs);
    CHECK(pairs);
    for (uint32_t i = 0; i < SERVERS; i++)
        servers[i].slow = 1;
    printf("seconds,calls,good,attempts,ms,ejected,open,stopped,full,shed\n");
    run();
    return 0;
}
