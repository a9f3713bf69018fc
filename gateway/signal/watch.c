#include "gateway/signal/watch.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

/* Whoever is told, and what of. */
typedef struct Telling {
    const WatchMethod *method;
    const WatchClients *clients;
    FindingSink *on_found;
    void *owner;
    int64_t wall;
} Telling;

/* ---- Names ----------------------------------------------------------------------------------- */

static uint64_t join(uint64_t hash, const char *text)
{
    return (hash << 7 | hash >> 57) * UINT64_C(0x9e3779b97f4a7c15) ^ bytes_hash(bytes_of(text));
}

static uint64_t name_of(const WatchMethod *method)
{
    return join(join(join(1, method->service), method->method), method->version);
}

static void *room_for(void *items, uint32_t n, uint32_t *room, size_t size)
{
    if (n < *room)
        return items;
    *room = *room ? 2 * *room : 16;
    items = realloc(items, *room * size);
    CHECK(items);
    return items;
}

/* NULL: there is no room. */
static WatchedMethod *find_method(Watch *watch, uint64_t name)
{
    for (uint32_t i = 0; i < watch->n_methods; i++)
        if (watch->methods[i].name == name)
            return &watch->methods[i];
    if (watch->n_methods == WATCH_METHODS)
        return NULL;
    watch->methods =
        room_for(watch->methods, watch->n_methods, &watch->methods_room, sizeof *watch->methods);
    watch->methods[watch->n_methods] = (WatchedMethod){.name = name};
    return &watch->methods[watch->n_methods++];
}

static WatchedService *find_service(Watch *watch, uint64_t name)
{
    for (uint32_t i = 0; i < watch->n_services; i++)
        if (watch->services[i].name == name)
            return &watch->services[i];
    if (watch->n_services == WATCH_SERVICES)
        return NULL;
    watch->services = room_for(watch->services, watch->n_services, &watch->services_room,
                               sizeof *watch->services);
    watch->services[watch->n_services] = (WatchedService){.name = name};
    return &watch->services[watch->n_services++];
}

/* ---- Methods --------------------------------------------------------------------------------- */

static void tell_drift(void *owner, const DriftFound *found)
{
    const Telling *telling = owner;
    const WatchMethod *method = telling->method;
    char subject[FINDING_NAME_SIZE];
    snprintf(subject, sizeof subject, "%s of %s%s%s", drift_figure_name(found->figure),
             method->method, *method->version ? " in " : "", method->version);
    Finding finding = {.kind = FINDING_DRIFT, .subject = subject, .since = found->since};
    finding_add_text(&finding, "service", method->service);
    finding_add_text(&finding, "method", method->method);
    finding_add_text(&finding, "version", method->version);
    finding_add_text(&finding, "figure", drift_figure_name(found->figure));
    finding_add_number(&finding, "usual", found->usual);
    finding_add_number(&finding, "now", found->now);
    finding_add_number(&finding, "hours", found->hours);
    telling->on_found(telling->owner, &finding);
}

static DriftHour since_then(const DriftHour *now, const DriftHour *then)
{
    return (DriftHour){.calls = now->calls - then->calls,
                       .failures = now->failures - then->failures,
                       .losses = now->losses - then->losses,
                       .seconds = now->seconds - then->seconds};
}

/* The calls of the hour. */
static uint64_t judge_method(Watch *watch, const Telling *telling, bool judge)
{
    const WatchMethod *method = telling->method;
    WatchedMethod *known = find_method(watch, name_of(method));
    if (!known)
        return 0;
    DriftHour hour = {0};
    if (known->counted && judge)
        hour = since_then(&method->total, &known->total);
    else if (judge) /* a method that is new since the hour began */
        hour = method->total;
    known->total = method->total;
    known->counted = true;
    if (judge)
        drift_hour(&known->drift, &hour, watch->least_calls, telling->wall, tell_drift,
                   (void *)telling);
    return hour.calls;
}

/* ---- Services -------------------------------------------------------------------------------- */

static void tell_mix(const Telling *telling, const char *service, const MixFound *found)
{
    char subject[FINDING_NAME_SIZE];
    snprintf(subject, sizeof subject, "versions of %s", service);
    Finding finding = {.kind = FINDING_MIX, .subject = subject, .since = found->since};
    finding_add_text(&finding, "service", service);
    finding_add_text(&finding, "version", found->version);
    finding_add_number(&finding, "usual", found->usual);
    finding_add_number(&finding, "now", found->now);
    finding_add_number(&finding, "calls", (double)found->calls);
    telling->on_found(telling->owner, &finding);
}

/* Those of one service are in `counts`. */
static void judge_service(Watch *watch, const Telling *telling, const char *service,
                          const MixCount *counts, uint32_t n)
{
    MixFound found;
    WatchedService *known = *service ? find_service(watch, bytes_hash(bytes_of(service))) : NULL;
    if (known && mix_hour(&known->mix, counts, n, watch->least_calls, telling->wall, &found))
        tell_mix(telling, service, &found);
}

/* The counts of the service of methods[i], if it is the first one of it; the others are done. */
static uint32_t gather(const WatchMethod *methods, const uint64_t *calls, uint32_t n, uint32_t i,
                       bool *done, MixCount *counts)
{
    uint32_t n_counts = 0;
    for (uint32_t k = i; k < n; k++) {
        if (done[k] || strcmp(methods[k].service, methods[i].service) != 0)
            continue;
        done[k] = true;
        if (*methods[k].version)
            counts[n_counts++] = (MixCount){bytes_of(methods[k].version), calls[k]};
    }
    return n_counts;
}

static void judge_services(Watch *watch, const Telling *telling, const WatchMethod *methods,
                           const uint64_t *calls, uint32_t n)
{
    bool *done = calloc(n + 1, sizeof *done);
    MixCount *counts = calloc(n + 1, sizeof *counts);
    CHECK(done && counts);
    for (uint32_t i = 0; i < n; i++) {
        if (done[i])
            continue;
        uint32_t n_counts = gather(methods, calls, n, i, done, counts);
        judge_service(watch, telling, methods[i].service, counts, n_counts);
    }
    free(done);
    free(counts);
}

void watch_hour(Watch *watch, const WatchMethod *methods, uint32_t n, int64_t wall, bool judge,
                FindingSink *on_found, void *owner)
{
    Telling telling = {.on_found = on_found, .owner = owner, .wall = wall};
    uint64_t *calls = calloc(n + 1, sizeof *calls);
    CHECK(calls);
    for (uint32_t i = 0; i < n; i++) {
        telling.method = &methods[i];
        calls[i] = judge_method(watch, &telling, judge);
    }
    if (judge)
        judge_services(watch, &telling, methods, calls, n);
    free(calls);
}

/* ---- Clients --------------------------------------------------------------------------------- */

static void tell_silence(void *owner, const SilenceFound *found)
{
    const Telling *telling = owner;
    const WatchClients *clients = telling->clients;
    const char *name = found->client ? clients->name_of(clients->owner, found->client) : NULL;
    char subject[FINDING_NAME_SIZE];
    if (found->client && !name)
        return;
    snprintf(
        subject, sizeof subject, "%.*s",
        BYTES_ARGS(bytes_cut_text(bytes_of(name ? name : "most clients"), sizeof subject - 1)));
    Finding finding = {.kind = FINDING_SILENT, .subject = subject, .since = found->last};
    finding.client = bytes_of(name);
    finding_add_number(&finding, "hours", found->hours);
    if (name) {
        finding_add_number(&finding, "surprise", found->surprise);
    } else {
        finding_add_number(&finding, "expected", found->expected);
        finding_add_number(&finding, "silent", found->silent);
    }
    clients->on_found(clients->owner, &finding);
}

void watch_clients(Watch *watch, const WatchClients *clients, int64_t wall, bool judge)
{
    Telling telling = {.clients = clients};
    silence_hour(&watch->silence, clients->seen, clients->n, wall, judge, tell_silence, &telling);
}

void watch_deinit(Watch *watch)
{
    novelty_deinit(&watch->novelty);
    silence_deinit(&watch->silence);
    free(watch->methods);
    free(watch->services);
    *watch = (Watch){.least_calls = watch->least_calls};
}
