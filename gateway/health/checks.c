#include "gateway/health/checks.h"

#include "gateway/health/probe.h"
#include "gateway/instances/instance_set.h"
#include "gateway/telemetry/telemetry.h"

#include <stdlib.h>

/* The checks of one instance. */
typedef struct Check {
    Probe probe;
    struct Check *next;
    Checks *of;
    const Service *service;
    const Instance *instance; /* of a set in `sets` */
    uint64_t turn;            /* of checks_use: whether it is still wanted */
    Timer timer;              /* until the next one */
    int64_t began;
} Check;

struct Checks {
    Loop *loop;
    Resolver *resolver;
    Check *first;
    InstanceSet **sets; /* references */
    uint32_t n_sets;
    uint64_t turn;
};

/* ---- One instance ---------------------------------------------------------------------------- */

static void begin(Check *check)
{
    check->began = check->of->loop->now;
    probe_begin(&check->probe, check->of->loop, check->of->resolver, &check->service->check,
                check->instance);
}

static void on_timer(Timer *timer)
{
    begin((Check *)((char *)timer - offsetof(Check, timer)));
}

static void on_done(Probe *probe, CheckResult result)
{
    Check *check = (Check *)probe;
    Loop *loop = check->of->loop;
    KnownInstance *known = check->instance->known;
    const CheckRules *rules = &check->service->check;
    if (result != CHECK_UNDECIDED)
        telemetry_count(loop, COUNTER_CHECKS);
    if (result != CHECK_UNDECIDED && result != CHECK_GOOD)
        telemetry_count(loop, COUNTER_CHECKS_FAILED);
    if (check_row_add(&known->check_row, rules, result))
        atomic_store_explicit(&known->unhealthy, result, memory_order_relaxed);
    timer_start(&loop->timers, &check->timer, check->began + check_next_wait(rules, &loop->random));
}

static Check *check_new(Checks *checks)
{
    Check *check = calloc(1, sizeof *check);
    CHECK(check);
    check->of = checks;
    check->probe.on_done = on_done;
    check->timer.fire = on_timer;
    check->next = checks->first;
    checks->first = check;
    return check;
}

static void check_free(Check *check)
{
    probe_cancel(&check->probe);
    timer_stop(&check->of->loop->timers, &check->timer);
    free(check);
}

/* ---- All ------------------------------------------------------------------------------------- */

/* What was being asked by the old settings is asked again by the new ones. */
static void use_instance(Check *check, const Service *service, const Instance *instance)
{
    bool running = check->probe.running;
    if (check->service == service && check->instance == instance)
        return;
    probe_cancel(&check->probe);
    check->service = service;
    check->instance = instance;
    if (running)
        begin(check);
}

/* An instance of several services is checked as in the first one. */
static void take_set(Checks *checks, const InstanceSet *set)
{
    Loop *loop = checks->loop;
    for (uint32_t i = 0; i < set->n; i++) {
        KnownInstance *known = set->instances[i]->known;
        Check *check = known->check;
        if (check && check->turn == checks->turn)
            continue;
        if (!check) {
            known->check = check = check_new(checks);
            timer_start(&loop->timers, &check->timer,
                        loop->now + check_first_wait(&set->service->check, &loop->random));
        }
        check->turn = checks->turn;
        use_instance(check, set->service, set->instances[i]);
    }
}

static void end_unwanted(Checks *checks)
{
    for (Check **at = &checks->first; *at;) {
        Check *check = *at;
        if (check->turn == checks->turn) {
            at = &check->next;
            continue;
        }
        *at = check->next;
        check->instance->known->check = NULL;
        check_free(check);
    }
}

static void release_sets(InstanceSet **sets, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        instance_set_unref(sets[i]);
    free(sets);
}

void checks_use(Checks *checks)
{
    const Config *config = checks->loop->config;
    InstanceSet **before = checks->sets;
    uint32_t n_before = checks->n_sets;
    checks->sets = calloc(config->n_services + 1, sizeof *checks->sets);
    CHECK(checks->sets);
    checks->n_sets = 0;
    checks->turn++;
    for (uint32_t i = 0; i < config->n_services; i++) {
        const Service *service = &config->services[i];
        InstanceSet *set = service->check.kind ? instance_set_of(service) : NULL;
        if (!set)
            continue;
        checks->sets[checks->n_sets++] = set;
        take_set(checks, set);
    }
    end_unwanted(checks);
    release_sets(before, n_before);
}

Checks *checks_new(Loop *loop)
{
    Checks *checks = calloc(1, sizeof *checks);
    CHECK(checks);
    checks->loop = loop;
    checks->resolver = resolver_new(loop);
    return checks;
}

void checks_free(Checks *checks)
{
    if (!checks)
        return;
    checks->turn++;
    end_unwanted(checks);
    release_sets(checks->sets, checks->n_sets);
    resolver_free(checks->resolver);
    free(checks);
}
