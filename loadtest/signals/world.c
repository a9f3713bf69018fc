#include "loadtest/signals/world.h"

#include "base/clock.h"

#include <math.h>
#include <stdio.h>

#define MINUTE (60 * SECOND)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

static const char *const service_names[WORLD_SERVICES] = {"orders", "payments", "stock", "users"};
static const int n_versions[WORLD_SERVICES] = {3, 2, 1, 3};
static const char *const version_names[WORLD_VERSIONS] = {"v1", "v2", "v3"};

static double between(World *w, double low, double high)
{
    return low + chance_share(&w->chance) * (high - low);
}

static int below(World *w, int end)
{
    return (int)(chance_share(&w->chance) * end);
}

static double varied(World *w, double spread)
{
    return exp(spread * chance_normal(&w->chance));
}

/* ---- Clients --------------------------------------------------------------------------------- */

static int method_of(World *w, int service)
{
    return service * (WORLD_METHODS / WORLD_SERVICES) + below(w, WORLD_METHODS / WORLD_SERVICES);
}

/* Old versions have fewer clients. */
static int version_for(World *w, int service)
{
    int n = n_versions[service];
    double u = chance_share(&w->chance);
    return n == 1 ? 0 : n == 2 ? (u < 0.3 ? 0 : 1) : u < 0.2 ? 0 : u < 0.5 ? 1 : 2;
}

static void init_client(World *w, int i)
{
    static const double shares[RHYTHMS] = {0.3, 0.6, 0.75, 0.85, 1};
    WorldClient *c = &w->clients[i];
    double u = chance_share(&w->chance);
    snprintf(c->name, sizeof c->name, "client-%03d", i);
    while (u >= shares[c->rhythm])
        c->rhythm++;
    c->service = below(w, WORLD_SERVICES);
    c->version = version_for(w, c->service);
    for (int k = 0; k < WORLD_CALLED; k++)
        c->methods[k] = method_of(w, c->service);
    c->rate = 40 * varied(w, 0.9);
    c->hour = chance_of(&w->chance, 0.5) ? -1 : below(w, 24);
}

static bool is_weekend(int64_t wall)
{
    return season_slot(wall) >= 24;
}

static double hump(double hour, double from, double to)
{
    return hour < from || hour >= to ? 0 : sin((hour - from) / (to - from) * M_PI);
}

/* The share of its busy hour. */
static double rhythm_at(const WorldClient *c, int64_t wall)
{
    double hour = (double)(wall % DAY) / (double)HOUR;
    bool weekend = is_weekend(wall);
    switch (c->rhythm) {
    case OFFICE: return (weekend ? 0.02 : 1) * hump(hour, 6.5, 18.5);
    case CONSUMER: return (weekend ? 1.2 : 1) * (0.15 + hump(hour, 5, 24));
    case SERVER: return 1;
    case BATCH: return c->hour < 0 || (int)hour == c->hour ? 1 : 0;
    case SPORADIC: return wall < c->session_until ? 1 : 0;
    case RHYTHMS: break;
    }
    return 0;
}

static void begin_sessions(World *w, int64_t wall, int64_t length)
{
    for (int i = 0; i < WORLD_CLIENTS; i++) {
        WorldClient *c = &w->clients[i];
        double per_hour = hump((double)(wall % DAY) / (double)HOUR, 6, 22) * 0.3;
        if (c->rhythm == SPORADIC &&
            chance_of(&w->chance, per_hour * (double)length / (double)HOUR))
            c->session_until = wall + (int64_t)((double)HOUR * between(w, 0.2, 2));
    }
}

/* ---- Days ------------------------------------------------------------------------------------ */

static WorldEvent event_at(World *w, int64_t day, double failing, double slower)
{
    WorldEvent event = {.from = day + (int64_t)((double)DAY * chance_share(&w->chance))};
    event.to = event.from + (int64_t)((double)MINUTE * between(w, 3, 12));
    event.failing = failing * between(w, 0.3, 1);
    event.slower = 1 + (slower - 1) * chance_share(&w->chance);
    return event;
}

/* Deploys on weekdays, for four of five services; an incident every third day. */
static void begin_day(World *w, int64_t day)
{
    for (int i = 0; i < WORLD_CLIENTS; i++) {
        w->clients[i].today = varied(w, 0.2);
        w->clients[i].off_today = chance_of(&w->chance, w->clients[i].rhythm == OFFICE ? 0.002 : 0);
    }
    for (int i = 0; i < WORLD_METHODS; i++)
        w->methods[i].today = varied(w, 0.03);
    for (int i = 0; i < WORLD_SERVICES; i++) {
        w->deploys[i] = w->incidents[i] = (WorldEvent){.slower = 1};
        if (!is_weekend(day) && chance_of(&w->chance, 0.8))
            w->deploys[i] = event_at(w, day, 0.15, 2);
        if (chance_of(&w->chance, 0.33))
            w->incidents[i] = event_at(w, day, 0.1, 3);
    }
    w->today = day;
}

/* The part of the step that it lasts. */
static double part_of(const WorldEvent *event, int64_t wall, int64_t length)
{
    int64_t from = event->from > wall ? event->from : wall;
    int64_t to = event->to < wall + length ? event->to : wall + length;
    return to > from ? (double)(to - from) / (double)length : 0;
}

/* ---- Plants ---------------------------------------------------------------------------------- */

/* 0 before, 1 when it is there. */
static double strength(const Plant *plant, int64_t wall)
{
    if (wall < plant->from)
        return 0;
    return plant->ramp ? fmin((double)(wall - plant->from) / (double)plant->ramp, 1) : 1;
}

static const Plant *plant_of(const World *w, FindingKind kind, int service, int method, int client)
{
    for (uint32_t i = 0; i < w->n_plants; i++) {
        const Plant *p = &w->plants[i];
        if (p->kind == kind && (service < 0 || p->service == service) &&
            (method < 0 || p->method == method) && (client < 0 || p->client == client))
            return p;
    }
    return NULL;
}

static Plant *plant(World *w, FindingKind kind, double from, double to)
{
    Plant *p = &w->plants[w->n_plants++];
    *p = (Plant){.kind = kind, .service = -1, .method = -1, .client = -1};
    p->from = w->day + (int64_t)((double)HOUR * between(w, from, to));
    return p;
}

/* Failures of a kind that was never there, of several clients: 6 to 40 an hour. */
static void plant_first(World *w, int k)
{
    Plant *p = plant(w, FINDING_FIRST, 2, 20);
    p->service = k;
    p->method = method_of(w, k);
    p->much = between(w, 6, 40);
    w->kinds[w->n_kinds] = (WorldKind){.id = chance_hash(77, (uint64_t)k), .method = p->method};
    snprintf(p->subject, sizeof p->subject, "%016llx",
             (unsigned long long)w->kinds[w->n_kinds++].id);
}

/* So much of what was called in one version is called in another one, within an hour. */
static void plant_mix(World *w, int service)
{
    Plant *p = plant(w, FINDING_MIX, 7, 16);
    p->service = service;
    p->ramp = HOUR;
    p->much = between(w, 0.4, 0.8);
    snprintf(p->subject, sizeof p->subject, "versions of %s", service_names[service]);
}

static double calls_of_hour(const World *w, int method)
{
    double calls = 0;
    for (int i = 0; i < WORLD_CLIENTS; i++)
        for (int k = 0; k < WORLD_CALLED; k++)
            if (w->clients[i].methods[k] == method)
                calls += w->clients[i].rate / WORLD_CALLED;
    return calls;
}

static int busy_method(World *w, int service)
{
    int method;
    do
        method = method_of(w, service);
    while (calls_of_hour(w, method) < 300);
    return method;
}

/* Creeps up for 6 to 10 hours. */
static void plant_drift(World *w, DriftFigure figure, int service)
{
    Plant *p = plant(w, FINDING_DRIFT, 1, 9);
    p->service = service;
    p->method = busy_method(w, service);
    p->figure = figure;
    p->ramp = (int64_t)((double)HOUR * between(w, 6, 10));
    p->much = figure == DRIFT_LATENCY ? between(w, 0.5, 1) : between(w, 0.02, 0.05);
    snprintf(p->subject, sizeof p->subject, "%s of %s", drift_figure_name(figure),
             w->methods[p->method].name);
}

/* One that is no giant, for then its versions would shift, too. */
static void plant_silent(World *w, Rhythm rhythm)
{
    Plant *p = plant(w, FINDING_SILENT, rhythm == OFFICE ? 7 : 1, rhythm == OFFICE ? 11 : 16);
    do
        p->client = below(w, WORLD_CLIENTS);
    while (w->clients[p->client].rhythm != rhythm || w->clients[p->client].rate > 120 ||
           (rhythm == BATCH && w->clients[p->client].hour >= 0));
    snprintf(p->subject, sizeof p->subject, "%s", w->clients[p->client].name);
}

/* The last day is a weekday: at weekends there is hardly an office to fall silent. */
static void plant_all(World *w)
{
    for (int i = 0; i < 3; i++)
        plant_first(w, i);
    plant_mix(w, 0);
    plant_mix(w, 3);
    plant_drift(w, DRIFT_LATENCY, 1);
    plant_drift(w, DRIFT_FAILURES, 2);
    plant_silent(w, OFFICE);
    plant_silent(w, SERVER);
    plant_silent(w, BATCH);
}

/* ---- Failures -------------------------------------------------------------------------------- */

static void note_client(World *w, WorldKind *kind, int client)
{
    (void)w;
    kind->n_clients += !kind->clients[client];
    kind->clients[client] = 1;
}

static void fail(World *w, WorldKind *kind, uint32_t n, int64_t wall, bool one_client)
{
    int client = below(w, WORLD_CLIENTS);
    for (uint32_t i = 0; i < n && i < 20; i++) {
        note_client(w, kind, client);
        client = one_client ? client : below(w, WORLD_CLIENTS);
    }
    if (!n)
        return;
    kind->first = kind->first ? kind->first : wall;
    kind->last = wall;
    window_add(&kind->hour, WINDOW_HOUR, wall, n);
}

/* Rare kinds: ten failures of all of a method in ten days; sometimes one client tries again and
   again. */
static void fail_rarely(World *w, WorldKind *kind, int64_t wall, int64_t length)
{
    if (chance_of(&w->chance, 0.1 * (double)length / (double)DAY))
        fail(w, kind, chance_of(&w->chance, 0.3) ? 2 + (uint32_t)below(w, 5) : 1, wall, true);
}

static void fail_planted(World *w, int64_t wall, int64_t length)
{
    for (uint32_t i = 0; i < w->n_plants; i++) {
        const Plant *p = &w->plants[i];
        if (p->kind != FINDING_FIRST || wall < p->from)
            continue;
        double mean = p->much * (double)length / (double)HOUR;
        fail(w, &w->kinds[WORLD_KINDS + i], chance_poisson(&w->chance, mean), wall, false);
    }
}

/* ---- Calls ----------------------------------------------------------------------------------- */

/* The share of calls that fail, apart from rare kinds. */
static double failing_at(World *w, int method, int64_t wall, int64_t length)
{
    const WorldMethod *m = &w->methods[method];
    const Plant *p = plant_of(w, FINDING_DRIFT, -1, method, -1);
    double share = 0;
    for (int k = 0; k < WORLD_COMMON; k++)
        share += w->kinds[method * (WORLD_COMMON + WORLD_RARE) + k].share;
    share *= exp(w->weather[m->service]);
    share += w->deploys[m->service].failing * part_of(&w->deploys[m->service], wall, length);
    share += w->incidents[m->service].failing * part_of(&w->incidents[m->service], wall, length);
    return share + (p && p->figure == DRIFT_FAILURES ? p->much * strength(p, wall) : 0);
}

static double slowness_at(World *w, int method, int64_t wall, int64_t length)
{
    const WorldMethod *m = &w->methods[method];
    const Plant *p = plant_of(w, FINDING_DRIFT, -1, method, -1);
    double load = hump((double)(wall % DAY) / (double)HOUR, 6, 22);
    double slow = m->today * (1 + 0.15 * load) * exp(0.2 * w->weather[m->service]);
    slow *=
        1 + (w->deploys[m->service].slower - 1) * part_of(&w->deploys[m->service], wall, length);
    slow *= 1 + (w->incidents[m->service].slower - 1) *
                    part_of(&w->incidents[m->service], wall, length);
    return slow * (1 + (p && p->figure == DRIFT_LATENCY ? p->much * strength(p, wall) : 0));
}

/* So many calls of a method: their latencies are lognormal. */
static void call(World *w, int method, int version, uint32_t n, int64_t wall, int64_t length)
{
    WorldMethod *m = &w->methods[method];
    DriftHour *total = &m->totals[version];
    double share = failing_at(w, method, wall, length);
    uint32_t failed = chance_poisson(&w->chance, n * fmin(share, 1));
    double noise = 1 + chance_normal(&w->chance) / sqrt(n);
    total->calls += n;
    total->failures += failed < n ? failed : n;
    total->seconds += n * m->seconds * slowness_at(w, method, wall, length) * fmax(noise, 0.1);
    total->losses += version + 1 < n_versions[m->service] ? chance_poisson(&w->chance, 0.2 * n) : 0;
    for (int k = 0; k < WORLD_COMMON; k++) {
        WorldKind *kind = &w->kinds[method * (WORLD_COMMON + WORLD_RARE) + k];
        if (failed)
            fail(w, kind, chance_poisson(&w->chance, failed / (double)WORLD_COMMON), wall, false);
    }
}

/* A migration of 0.4 % of the calls a day; and what was planted. */
static double moved_at(World *w, const WorldClient *c, int64_t wall)
{
    const Plant *p = plant_of(w, FINDING_MIX, c->service, -1, -1);
    double days = (double)(wall - w->begin) / (double)DAY;
    double moved = 0.004 * days + (p ? p->much * strength(p, wall) : 0);
    return c->version + 1 < n_versions[c->service] ? fmin(moved, 1) : 0;
}

static double rate_at(World *w, int i, int64_t wall)
{
    const WorldClient *c = &w->clients[i];
    const Plant *p = plant_of(w, FINDING_SILENT, -1, -1, i);
    return c->off_today || (p && wall >= p->from) ? 0 : c->rate * c->today * rhythm_at(c, wall);
}

static void step_client(World *w, int i, int64_t wall, int64_t length)
{
    WorldClient *c = &w->clients[i];
    double calls = rate_at(w, i, wall) * (double)length / (double)HOUR / WORLD_CALLED;
    double moved = calls > 0 ? moved_at(w, c, wall) : 0;
    for (int k = 0; calls > 0 && k < WORLD_CALLED; k++)
        for (int next = 0; next <= (moved > 0); next++) {
            double mean = calls * (next ? moved : 1 - moved);
            uint32_t n = chance_poisson(&w->chance, mean);
            if (!n)
                continue;
            call(w, c->methods[k], c->version + next, n, wall, length);
            c->last = wall + length - 1;
        }
}

/* Half of it lasts for four hours. */
static void change_weather(World *w, int64_t length)
{
    double kept = pow(0.5, (double)length / (4. * (double)HOUR));
    for (int i = 0; i < WORLD_SERVICES; i++)
        w->weather[i] =
            kept * w->weather[i] + sqrt(1 - kept * kept) * 0.3 * chance_normal(&w->chance);
}

void world_step(World *w, int64_t wall, int64_t length)
{
    int64_t day = wall - wall % DAY;
    if (day != w->today)
        begin_day(w, day);
    change_weather(w, length);
    begin_sessions(w, wall, length);
    for (int i = 0; i < WORLD_CLIENTS; i++)
        step_client(w, i, wall, length);
    for (int i = 0; i < WORLD_METHODS; i++)
        for (int k = WORLD_COMMON; k < WORLD_COMMON + WORLD_RARE; k++)
            fail_rarely(w, &w->kinds[i * (WORLD_COMMON + WORLD_RARE) + k], wall, length);
    fail_planted(w, wall, length);
}

/* ---- The whole ------------------------------------------------------------------------------- */

static void init_method(World *w, int i)
{
    WorldMethod *m = &w->methods[i];
    m->service = i / (WORLD_METHODS / WORLD_SERVICES);
    m->seconds = 0.02 * varied(w, 0.8);
    snprintf(m->name, sizeof m->name, "shop.%s.Api/Method%02d", service_names[m->service], i);
    for (int k = 0; k < WORLD_COMMON + WORLD_RARE; k++) {
        WorldKind *kind = &w->kinds[w->n_kinds++];
        kind->id = chance_hash(11, w->n_kinds);
        kind->method = i;
        kind->share = k < WORLD_COMMON ? 0.002 * varied(w, 1) : 0;
    }
}

/* The day of the plants is the 28th: from a Tuesday on it is a Monday; some seeds later. */
void world_init(World *w, uint64_t seed, bool planted)
{
    static const int64_t monday = INT64_C(1767571200) * SECOND; /* 2026-01-05 */
    *w = (World){.chance = {.state = chance_hash(seed, 1)}};
    w->day = monday + (int64_t)(seed % 5) * DAY;
    w->begin = w->day - (WORLD_DAYS - 1) * DAY;
    for (int i = 0; i < WORLD_METHODS; i++)
        init_method(w, i);
    for (int i = 0; i < WORLD_CLIENTS; i++)
        init_client(w, i);
    if (planted)
        plant_all(w);
}

uint32_t world_methods(const World *w, WatchMethod *out)
{
    uint32_t n = 0;
    for (int i = 0; i < WORLD_METHODS; i++)
        for (int v = 0; v < n_versions[w->methods[i].service]; v++)
            out[n++] = (WatchMethod){.service = service_names[w->methods[i].service],
                                     .method = w->methods[i].name,
                                     .version = version_names[v],
                                     .total = w->methods[i].totals[v]};
    return n;
}
