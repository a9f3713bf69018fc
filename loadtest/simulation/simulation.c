/*
 * A platform of 15,000 instances behind 200 gateways, on a clock of its own: what the gateway's
 * policy does to the whole when a part of it breaks.
 *
 *      simulation storm|cell|deploy  gateway|naive   --> one line for each 100 ms, as CSV
 *
 * Each gateway decides by the code of the product: policy_decide and the retry budget, the choice
 * of two by peak EWMA, backoff of connects, spill-over of cells, and the ejection judge. "naive" is
 * a gateway without budget, ejection and memory of what failed.
 *
 * An instance does one call after the other. One that would wait for too long is refused, which
 * costs a fifth of the work. Work goes on when nobody waits for it any more.
 */
#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "gateway/instances/ejection.h"
#include "gateway/instances/latency.h"
#include "gateway/policy/policy.h"
#include "gateway/policy/retry_budget.h"
#include "gateway/policy/spill.h"

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

typedef struct Request {
    uint32_t gateway, service, server, pair; /* pair: PAIRS for one of another cell */
    uint32_t attempts, backoffs;
    int64_t began, sent;
    Code code;
    bool refused;
} Request;

static Server servers[SERVERS];
static Pair *pairs;
static RetryBudget budgets[GATEWAYS][SERVICES];
static uint32_t turns[GATEWAYS][SERVICES];
static JudgedService judged[GATEWAYS][SERVICES];
static Random random_numbers;
static struct {
    uint64_t calls, good, attempts, ejected;
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

/* ---- Events: a heap by time ------------------------------------------------------------------ */

typedef enum What { ARRIVAL, SEND, ENDED } What;

typedef struct Event {
    int64_t at;
    What what;
    uint32_t which; /* the gateway, or the call */
} Event;

static Event *heap;
static size_t n_heap, room;

static void push(int64_t at, What what, uint32_t which)
{
    if (n_heap == room) {
        room = room ? 2 * room : 1 << 16;
        heap = realloc(heap, room * sizeof *heap);
        CHECK(heap);
    }
    size_t i = n_heap++;
    for (; i > 0 && heap[(i - 1) / 2].at > at; i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = (Event){at, what, which};
}

static Event pop(void)
{
    Event first = heap[0], last = heap[--n_heap];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < n_heap; i = child) {
        if (child + 1 < n_heap && heap[child + 1].at < heap[child].at)
            child++;
        if (heap[child].at >= last.at)
            break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return first;
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

static bool is_up(const Pair *pair, int64_t now)
{
    return naive || (pair->down_until <= now && !judged_is_ejected(&pair->judged));
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
        if (is_up(pair_of(call->gateway, call->service, i), now))
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
        n_up += is_up(pair_of(call->gateway, call->service, i), now);
    uint32_t share = naive ? 0 : spill_share(n_up, NEAR, 70, 50);
    bool leaves = spill_next(&turns[call->gateway][call->service], share);
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

static void ask(uint32_t which, int64_t now)
{
    Request *call = &calls[which];
    if (!choose(call, now)) {
        call->code = CODE_UNAVAILABLE;
        finish(which, now);
        return;
    }
    call->attempts++;
    call->sent = now;
    row.attempts++;
    if (call->pair < PAIRS)
        pairs[call->pair].running++;
    push(serve(call, now), ENDED, which);
}

static void learn(const Request *call, int64_t now)
{
    if (call->pair == PAIRS)
        return;
    Pair *pair = &pairs[call->pair];
    bool good = call->code == CODE_OK;
    pair->running--;
    if (call->refused) { /* as a connect that failed */
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
    push(now + verdict.wait, SEND, which);
}

static void arrive(uint32_t gateway, int64_t now)
{
    double rate = scenario->load * SERVERS / (double)scenario->work / GATEWAYS;
    uint32_t which = call_new();
    calls[which] = (Request){.gateway = gateway, .service = below(SERVICES), .began = now};
    row.calls++;
    ask(which, now);
    push(now + 1 + exponential(1 / rate), ARRIVAL, gateway);
}

/* ---- What breaks, and who looks -------------------------------------------------------------- */

static void change(bool broken)
{
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
    row.ejected = 0;
    for (uint32_t gateway = 0; !naive && gateway < GATEWAYS; gateway++)
        for (uint32_t service = 0; service < SERVICES; service++)
            judge(gateway, service, now);
}

static void print_row(int64_t now)
{
    double second = (double)ROW / 1000;
    printf("%.1f,%.0f,%.0f,%.0f,%.1f,%llu\n", (double)now / SECOND, (double)row.calls / second,
           (double)row.good / second, (double)row.attempts / second,
           row.good ? row.time / (double)row.good / MILLISECOND : 0,
           (unsigned long long)row.ejected);
    uint64_t ejected = row.ejected;
    memset(&row, 0, sizeof row);
    row.ejected = ejected;
}

static void run(void)
{
    int64_t next_row = 0, next_look = 0;
    bool broken = false;
    for (uint32_t gateway = 0; gateway < GATEWAYS; gateway++)
        push(exponential(MILLISECOND), ARRIVAL, gateway);
    for (;;) {
        Event event = pop();
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
            change(broken = !broken);
        switch (event.what) {
        case ARRIVAL: arrive(event.which, event.at); break;
        case SEND: ask(event.which, event.at); break;
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
    printf("seconds,calls,good,attempts,ms,ejected\n");
    run();
    return 0;
}
