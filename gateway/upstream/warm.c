#include "gateway/upstream/warm.h"

#include "gateway/upstream/upstream_internal.h"

static atomic_uint n_granted, n_missing, n_beyond;

WarmCounts warm_counts(void)
{
    return (WarmCounts){.granted = atomic_load_explicit(&n_granted, memory_order_relaxed),
                        .missing = atomic_load_explicit(&n_missing, memory_order_relaxed),
                        .beyond = atomic_load_explicit(&n_beyond, memory_order_relaxed)};
}

void warm_metrics_write(Exposition *e, void *unused)
{
    (void)unused;
    WarmCounts counts = warm_counts();
    struct {
        const char *state;
        uint32_t n;
    } states[] = {{"ready", counts.granted - counts.missing},
                  {"missing", counts.missing},
                  {"beyond_limit", counts.beyond}};
    exposition_family(e, "passerelle_warm_connections", METRIC_GAUGE,
                      "Connections to instances that services with `warm` keep: open, lacking, and "
                      "more than limits.warm_connections allows.");
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        Label label = {"state", states[i].state};
        exposition_number(e, "", &label, 1, states[i].n);
    }
}

static void change(atomic_uint *sum, uint32_t *told, uint32_t now)
{
    if (now != *told)
        atomic_fetch_add_explicit(sum, now - *told, memory_order_relaxed);
    *told = now;
}

static uint32_t live(const Upstream *u)
{
    return u->n_links[LINK_READY] + u->n_links[LINK_FULL];
}

/* ---- The queue ------------------------------------------------------------------------------- */

static void enqueue(Upstream *u)
{
    Warming *warming = &u->table->warming;
    if (u->warmth.queued)
        return;
    u->warmth.queued = true;
    u->warmth.next = NULL;
    *(warming->first ? &warming->last->warmth.next : &warming->first) = u;
    warming->last = u;
    loop_defer(u->table->loop, &warming->work);
}

static void dequeue_first(Warming *warming)
{
    Upstream *u = warming->first;
    warming->first = u->warmth.next;
    u->warmth.queued = false;
}

/* Those of an instance that is down are opened when it is back. */
static uint32_t lacks(const Upstream *u)
{
    uint32_t has = live(u) + u->n_links[LINK_CONNECTING];
    return u->named && !u->table->closing && u->reach.failures == 0 && u->warmth.n > has
               ? u->warmth.n - has
               : 0;
}

/* False: too many are connecting. */
static bool open_some(Upstream *u)
{
    Warming *warming = &u->table->warming;
    int64_t now = u->table->loop->now;
    if (lacks(u) && now < u->warmth.after) {
        timer_start(&u->table->loop->timers, &u->warmth.timer, u->warmth.after);
        return true;
    }
    for (uint32_t n = lacks(u); n > 0; n--) {
        if (warming->n_connecting == WARM_AT_ONCE)
            return false;
        Link *link = link_connect(u, NULL);
        CHECK(link->state == LINK_CONNECTING); /* completions never come before */
        link->warming = true;
        warming->n_connecting++;
        u->warmth.after = now + WARM_PAUSE;
    }
    return true;
}

/* One whose connects are cut short by the limit has its next turn at once: the rest is no second
   round. */
static void run_queue(LoopWork *work)
{
    Warming *warming = (Warming *)((char *)work - offsetof(Warming, work));
    while (warming->first && warming->n_connecting < WARM_AT_ONCE) {
        Upstream *u = warming->first;
        if (!open_some(u)) {
            u->warmth.after = 0;
            return;
        }
        dequeue_first(warming);
    }
}

static void on_timer(Timer *timer)
{
    warm_look((Upstream *)((char *)timer - offsetof(Upstream, warmth.timer)));
}

void warm_begin(Upstream *u)
{
    u->warmth.timer.fire = on_timer;
}

void warming_begin(UpstreamTable *table)
{
    table->warming.work.run = run_queue;
}

void warm_look(Upstream *u)
{
    uint32_t has = live(u);
    change(&n_missing, &u->warmth.missing, u->warmth.n > has ? u->warmth.n - has : 0);
    if (lacks(u))
        enqueue(u);
}

void warm_connected(Upstream *u)
{
    Warming *warming = &u->table->warming;
    warming->n_connecting--;
    if (warming->first)
        loop_defer(u->table->loop, &warming->work);
}

bool warm_keeps(const Upstream *u)
{
    return u->named && !u->table->closing && live(u) <= u->warmth.n;
}

void warm_end(Upstream *u)
{
    Warming *warming = &u->table->warming;
    timer_stop(&u->table->loop->timers, &u->warmth.timer);
    change(&n_missing, &u->warmth.missing, 0);
    change(&n_beyond, &u->warmth.beyond, 0);
    atomic_fetch_sub_explicit(&n_granted, u->warmth.n, memory_order_relaxed);
    warming->granted -= u->warmth.n;
    u->warmth.n = u->warmth.wanted = 0;
    Upstream **at = &warming->first, *before = NULL;
    while (u->warmth.queued && *at != u) {
        before = *at;
        at = &before->warmth.next;
    }
    if (!u->warmth.queued)
        return;
    *at = u->warmth.next;
    warming->last = warming->last == u ? before : warming->last;
    u->warmth.queued = false;
}

/* ---- Sharing --------------------------------------------------------------------------------- */

void warm_want(Upstream *u, uint32_t n)
{
    n = n < u->limits.connections ? n : u->limits.connections;
    if (n > u->warmth.wanted)
        u->warmth.wanted = n;
}

static void grant(Upstream *u, uint32_t n)
{
    Warming *warming = &u->table->warming;
    warming->granted += n - u->warmth.n;
    change(&n_granted, &u->warmth.n, n);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Grants what is left; loops begin with different instances. */
static void grant_set(UpstreamTable *table, const InstanceSet *set, uint32_t budget)
{
    for (uint32_t i = 0; i < set->n && table->warming.granted < budget; i++) {
        uint32_t at = (table->loop->index * 7919 + i) % set->n;
        Upstream *u = upstream_of(table->loop, set->instances[at]);
        grant(u,
              u->warmth.n + least(u->warmth.wanted - u->warmth.n, budget - table->warming.granted));
    }
}

bool upstreams_warm(const Config *config)
{
    for (uint32_t i = 0; i < config->n_services; i++) {
        if (config->services[i].warm)
            return true;
    }
    return false;
}

static uint32_t budget_of(const Config *config)
{
    uint32_t n_loops = config->n_services ? config->services[0].retries.n_loops : 1;
    n_loops = n_loops ? n_loops : 1;
    return (config->limits.warm_connections + n_loops - 1) / n_loops;
}

void warm_share(UpstreamTable *table)
{
    const Config *config = table->loop->config;
    uint32_t budget = budget_of(config);
    for (Upstream *u = table->first; u; u = u->next)
        grant(u, least(u->warmth.n, u->warmth.wanted));
    for (Upstream *u = table->first; u && table->warming.granted > budget; u = u->next)
        grant(u, u->warmth.n - least(u->warmth.n, table->warming.granted - budget));
    for (uint32_t i = 0; i < config->n_services; i++) {
        InstanceSet *set = config->services[i].warm ? instance_set_of(&config->services[i]) : NULL;
        if (set)
            grant_set(table, set, budget);
        instance_set_unref(set);
    }
    for (Upstream *u = table->first; u; u = u->next) {
        change(&n_beyond, &u->warmth.beyond, u->warmth.wanted - u->warmth.n);
        warm_look(u);
    }
}
