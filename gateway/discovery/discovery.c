#include "gateway/discovery/watch.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/discovery/source_loop.h"
#include "gateway/healing/healing.h"
#include "gateway/telemetry/telemetry.h"

#include <stdlib.h>

#define NO_INSTANCES "its instances" /* what is wrong in the service */

enum { PROBLEMS_TOLD = 10 }; /* per reading, one event each; the others are only counted */

/* ---- Mistakes in a list ---------------------------------------------------------------------- */

static int compare_hashes(const void *a, const void *b)
{
    const uint64_t *first = a, *second = b;
    return *first < *second ? -1 : *first > *second;
}

static uint64_t hash_of(Bytes text)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < text.size; i++)
        hash = (hash ^ text.data[i]) * UINT64_C(1099511628211);
    return hash;
}

static bool was_told(const Watch *watch, uint64_t hash)
{
    return watch->n_told && bsearch(&hash, watch->told, watch->n_told, sizeof hash, compare_hashes);
}

/* Reports mistakes, but not again those of the reading before: a list is read at each change. */
static void tell_problems(Watch *watch, const Problems *problems, uint32_t n_refused)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    problems_print(problems, &text);
    Bytes rest = buffer_bytes(&text), line;
    uint64_t *told = problems->n ? calloc(problems->n, sizeof *told) : NULL;
    size_t n = 0, n_new = 0;
    while (n < problems->n && bytes_split(&rest, '\n', &line)) {
        told[n] = hash_of(line);
        if (!was_told(watch, told[n++]) && n_new++ < PROBLEMS_TOLD)
            telemetry_event("warning", "instance_refused", OK, "%.*s", BYTES_ARGS(line));
    }
    if (n_new > PROBLEMS_TOLD)
        telemetry_event("warning", "instance_refused", OK,
                        "%s: %zu mistakes in total; %u instances are left out", watch->name,
                        problems->n, n_refused);
    if (n)
        qsort(told, n, sizeof *told, compare_hashes);
    free(watch->told);
    watch->told = told;
    watch->n_told = n;
    arena_free(arena);
}

/* ---- Whether it can be read ------------------------------------------------------------------ */

static void tell_failure(Watch *watch, Result why)
{
    InstanceSet *set = instance_set_of(watch->service);
    if (!watch->state.failing)
        telemetry_event("warning", "instances_unreadable", why, "%s: keeping its %u instances",
                        watch->name, set->n);
    if (set->n && !(watch->heals && watch->state.failing))
        healing_begin(HEALING_DISCOVERY, watch->name, watch->place, why,
                      "its %u instances are those of before", set->n);
    watch->heals |= set->n > 0;
    instance_set_unref(set);
}

static void end_healing(Watch *watch, const char *why)
{
    if (watch->heals)
        healing_end(HEALING_DISCOVERY, watch->name, watch->place, "%s", why);
    watch->heals = false;
}

static void tell_success(Watch *watch)
{
    if (!watch->state.failing)
        return;
    end_healing(watch, "the list can be read again");
    telemetry_event("info", "instances_readable", OK, "%s: %s can be read again", watch->name,
                    watch->place);
}

static void note_state(Watch *watch, const Reading *reading)
{
    bool fails = failed(reading->why);
    if (fails)
        tell_failure(watch, reading->why);
    else
        tell_success(watch);
    pthread_mutex_lock(&watch->of->mutex);
    watch->state.failing = fails;
    watch->state.n_failures += fails;
    watch->state.n_readings++;
    if (!fails)
        watch->state.read_at = reading->at;
    if (reading->has_list)
        watch->state.n_refused = reading->list.n_refused;
    pthread_mutex_unlock(&watch->of->mutex);
}

/* As long as a service has no instances all of its calls fail, whatever its list says, and whether
   that is meant or not. At the beginning nobody has looked yet. */
static void tell_whether_bare(Watch *watch, bool bare)
{
    if (bare == watch->bare)
        return;
    watch->bare = bare;
    if (!bare) {
        healing_end(HEALING_DISCOVERY, watch->name, NO_INSTANCES, "it has instances");
        return;
    }
    healing_begin(HEALING_DISCOVERY, watch->name, NO_INSTANCES, OK,
                  "%s lists none: calls fail (NO_INSTANCE)", watch->place);
}

static void note_instances(Watch *watch)
{
    InstanceSet *set = instance_set_of(watch->service);
    pthread_mutex_lock(&watch->of->mutex);
    watch->state.n_instances = set->n;
    pthread_mutex_unlock(&watch->of->mutex);
    tell_whether_bare(watch, set->n == 0 && watch->state.n_readings > 0);
    instance_set_unref(set);
}

/* ---- Using a list ---------------------------------------------------------------------------- */

/* True: the service has a new set. Takes the reference to it. */
static bool use_set(Watch *watch, InstanceSet *set)
{
    InstanceSet *before = instance_set_of(watch->service);
    InstanceChanges changes = instance_set_compare(before, set);
    bool changed = changes.joined || changes.left || changes.altered;
    instance_set_unref(before);
    if (!changed) {
        instance_set_unref(set);
        return false;
    }
    telemetry_event("info", "instances_changed", OK,
                    "%s: %u joined, %u left, %u altered; there are %u now", watch->name,
                    changes.joined, changes.left, changes.altered, set->n);
    if (set->n == 0)
        telemetry_event("error", "instances_gone", OK,
                        "%s has no instances any more: its calls fail (NO_INSTANCE)", watch->name);
    instance_set_use(watch->service, set);
    return true;
}

static void is_not_empty(Watch *watch, const char *how)
{
    if (watch->empty_since && !watch->state.failing)
        end_healing(watch, how);
    watch->empty_since = 0;
    uv_timer_stop(&watch->emptying);
}

/* The list has been empty for `empty_after`. */
static void on_empty(uv_timer_t *timer)
{
    Watch *watch = timer->data;
    is_not_empty(watch, "it is empty still: its instances leave");
    if (use_set(watch, instance_set_new(watch->service, NULL, 0))) {
        note_instances(watch);
        watch->of->on_changed(watch->of->owner);
    }
}

static uint32_t n_instances(const Service *service)
{
    InstanceSet *set = instance_set_of(service);
    uint32_t n = set->n;
    instance_set_unref(set);
    return n;
}

static void await_more(Watch *watch)
{
    int64_t now = clock_now(), wait = watch->service->discovery->empty_after;
    uint32_t n = n_instances(watch->service);
    if (!watch->empty_since) {
        watch->empty_since = now;
        telemetry_event("warning", "instances_empty", OK,
                        "the list of %s is empty: its %u instances stay for %.1f s", watch->name, n,
                        (double)wait / SECOND);
    }
    if (!watch->heals)
        healing_begin(HEALING_DISCOVERY, watch->name, watch->place, OK,
                      "the list is empty: its %u instances stay for %.1f s", n,
                      (double)wait / SECOND);
    watch->heals = true;
    int64_t left = watch->empty_since + wait - now;
    uv_update_time(watch->of->loop);
    uv_timer_start(&watch->emptying, on_empty,
                   left > 0 ? (uint64_t)((left + MILLISECOND - 1) / MILLISECOND) : 0, 0);
}

/* True: the service has a new set. */
static bool use_list(Watch *watch, Reading *reading)
{
    bool empty = reading->list.n == 0;
    if (empty && reading->list.n_refused) /* where all are wrong, the last good list stays */
        return false;
    if (empty && !reading->empty_is_old && n_instances(watch->service)) {
        await_more(watch);
        return false;
    }
    is_not_empty(watch, "the list has instances again");
    return use_set(watch, reading_set(reading));
}

static Watch *find_watch(const Watching *watching, uint64_t number)
{
    Watch *watch = watching->first;
    while (watch && watch->number != number)
        watch = watch->next;
    return watch;
}

static void on_reading(void *owner, Reading *reading)
{
    Watching *watching = owner;
    Watch *watch = find_watch(watching, reading->watch);
    bool changed = false;
    /* One for an older config: the source will read it again for this one. */
    if (watch && watch->service == reading->service) {
        if (!reading->same)
            tell_problems(watch, &reading->problems, reading->list.n_refused);
        note_state(watch, reading);
        if (reading->same && watch->empty_since)
            await_more(watch);
        else if (reading->has_list)
            changed = use_list(watch, reading);
        else if (!reading->same)
            is_not_empty(watch, "it is not empty, but wrong, or not known");
        note_instances(watch);
    }
    reading_free(reading);
    if (changed)
        watching->on_changed(watching->owner);
}

/* ---- Watching -------------------------------------------------------------------------------- */

Watching *discovery_new(uv_loop_t *loop, void (*on_changed)(void *owner), void *owner)
{
    Watching *watching = calloc(1, sizeof(*watching));
    CHECK(watching);
    *watching = (Watching){.loop = loop, .on_changed = on_changed, .owner = owner};
    CHECK(pthread_mutex_init(&watching->mutex, NULL) == 0);
    watching->sources = (SourceOwner){.loop = loop, .inbox = inbox_new(loop, on_reading, watching)};
    return watching;
}

static void on_closed(uv_handle_t *timer)
{
    Watch *watch = timer->data;
    free(watch->name);
    free(watch->place);
    free(watch->told);
    free(watch);
}

/* The watch of the same list, from an older config; no longer in the list that it was in. */
static Watch *take_known(Watch **first, const Service *service)
{
    for (Watch **at = first; *at; at = &(*at)->next) {
        Watch *watch = *at;
        if (strcmp(watch->name, service->name) == 0 &&
            strcmp(watch->place, service->discovery->place) == 0) {
            *at = watch->next;
            return watch;
        }
    }
    return NULL;
}

static const SourceKind *kind_of(const Discovery *discovery)
{
    switch (discovery->kind) {
    case DISCOVERY_FILE:
    case DISCOVERY_FOLDER: break;
    case DISCOVERY_DNS: return &source_dns;
    case DISCOVERY_ETCD: return &source_etcd;
    }
    return &source_files;
}

static Watch *watch_new(Watching *watching, const Service *service)
{
    Watch *watch = calloc(1, sizeof(*watch));
    CHECK(watch);
    watch->of = watching;
    watch->number = ++watching->n_watches;
    watch->name = text_copy(service->name);
    watch->place = text_copy(service->discovery->place);
    CHECK(uv_timer_init(watching->loop, &watch->emptying) == 0);
    watch->emptying.data = watch;
    watch->source = kind_of(service->discovery)->start(&watching->sources, watch->number);
    return watch;
}

/* Gives the service of a new config the instances that it had in the older one: `before`. They are
   read again from what they were read from, because instances belong to a config. */
static void keep_instances(Watch *watch, const InstanceSet *before)
{
    Reading *reading = reading_new(watch->number, watch->of->config, watch->service);
    reading_again(reading, before);
    tell_problems(watch, &reading->problems, reading->list.n_refused);
    if (reading->list.n)
        instance_set_restore(watch->service, reading_set(reading), before);
    reading_free(reading);
}

/* A config that was read just now has the list as it was then, if it is in files. Where that is
   nothing, because it is empty or cannot be read or in a network, and the service had instances
   before, it has them still. */
static void begin(Watch *watch, Service *service, const InstanceSet *before)
{
    watch->service = service;
    if (before && before->n > 0 && service->n_instances == 0)
        keep_instances(watch, before);
    if (n_instances(service) == 0)
        is_not_empty(watch, "it has no instances that could stay");
    else if (watch->empty_since)
        await_more(watch);
    note_instances(watch);
    watch->source->kind->use(watch->source, watch->of->config, service);
}

static void close_all(Watch *first)
{
    for (Watch *watch = first, *next; watch; watch = next) {
        next = watch->next;
        watch->source->kind->stop(watch->source);
        end_healing(watch, "the list is watched no longer");
        if (watch->bare)
            healing_end(HEALING_DISCOVERY, watch->name, NO_INSTANCES,
                        "the list is watched no longer");
        uv_close((uv_handle_t *)&watch->emptying, on_closed);
    }
}

/* The instances of the service with this name; NULL: there is none. With a reference. */
static InstanceSet *set_of(const Config *config, const char *name)
{
    const Service *service = config ? config_service(config, name) : NULL;
    return service ? instance_set_of(service) : NULL;
}

static Watch *watch_service(Watching *watching, const Config *old, Watch **known, Service *service)
{
    Watch *watch = take_known(known, service);
    InstanceSet *before = set_of(old, service->name);
    if (!watch)
        watch = watch_new(watching, service);
    begin(watch, service, before);
    instance_set_unref(before);
    return watch;
}

void discovery_use(Watching *watching, Config *config)
{
    pthread_mutex_lock(&watching->mutex);
    Watch *known = watching->first, *first = NULL;
    watching->first = NULL;
    pthread_mutex_unlock(&watching->mutex);
    const Config *old = watching->config;
    watching->config = config;
    if (watching->sources.sources)
        source_loop_use(watching->sources.sources, config);
    for (uint32_t i = 0; i < config->n_services; i++) {
        if (!config->services[i].discovery)
            continue;
        Watch *watch = watch_service(watching, old, &known, &config->services[i]);
        watch->next = first;
        first = watch;
    }
    pthread_mutex_lock(&watching->mutex);
    watching->first = first;
    pthread_mutex_unlock(&watching->mutex);
    close_all(known);
}

void discovery_end(Watching *watching)
{
    close_all(watching->first);
    if (watching->sources.sources)
        source_loop_end(watching->sources.sources);
    inbox_end(watching->sources.inbox);
    pthread_mutex_destroy(&watching->mutex);
    free(watching);
}
