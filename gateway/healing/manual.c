#include "gateway/healing/manual.h"

#include "adapters/text/spelling.h"
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/handover/handover.h"
#include "gateway/healing/healing.h"
#include "gateway/healing/manual_internal.h"
#include "gateway/instances/instance_counts.h"
#include "gateway/telemetry/metrics.h"
#include "gateway/telemetry/telemetry.h"

#include <pthread.h>

/* The handover's name of what is kept for the process that takes over. */
#define KEPT "manual"

enum { DRAIN_LOOK_MS = 250 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ManualActs acts; /* changed by the main thread, under the lock */
static const Config *config;
static uv_timer_t timer, drain_timer;

/* ---- What healing is told -------------------------------------------------------------------- */

/* "eject 10.0.0.7:7001", "pin v2" */
static const char *subject_of(Arena *arena, const ManualAct *act)
{
    return arena_printf(arena, "%s %s", manual_kind_name(act->kind),
                        act->kind == MANUAL_PIN ? act->to : act->target);
}

bool manual_has_address(const InstanceSet *set, const char *address)
{
    uint32_t i = 0;
    while (i < set->n && strcmp(set->instances[i]->address.text, address) != 0)
        i++;
    return i < set->n;
}

const Service *manual_service_at(const char *address)
{
    const Service *found = NULL;
    for (uint32_t i = 0; config && i < config->n_services && !found; i++) {
        InstanceSet *set = instance_set_of(&config->services[i]);
        found = manual_has_address(set, address) ? &config->services[i] : NULL;
        instance_set_unref(set);
    }
    return found;
}

static const char *service_of(const ManualAct *act)
{
    const Service *service = act->kind == MANUAL_PIN ? NULL : manual_service_at(act->target);
    return act->kind == MANUAL_PIN ? act->target : service ? service->name : NULL;
}

static void tell_begun(const ManualAct *act)
{
    static const char *const done[] = {
        [MANUAL_EJECT] = "ejected", [MANUAL_DRAIN] = "drained", [MANUAL_PIN] = "pinned"};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer time = buffer_in(arena);
    spelling_add_duration(&time, act->until - act->since);
    healing_begin(HEALING_MANUAL, service_of(act), subject_of(arena, act), OK,
                  "%s by %s for %.*s%s%s", done[act->kind], act->who,
                  BYTES_ARGS(buffer_bytes(&time)), act->why[0] ? ": " : "", act->why);
    arena_free(arena);
}

/* Takes the act. `by` is NULL when its time is over. */
static void tell_ended(ManualAct *act, const char *by)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    healing_end(HEALING_MANUAL, NULL, subject_of(arena, act), "%s%s",
                by ? "lifted by " : "its time is over", by ? by : "");
    manual_act_free(act);
    arena_free(arena);
}

/* ---- Applying -------------------------------------------------------------------------------- */

static void bar_known(KnownInstance *known)
{
    const char *address = known->address.text;
    bool ejected = manual_acts_find(&acts, MANUAL_EJECT, address) != NULL;
    bool drained = manual_acts_find(&acts, MANUAL_DRAIN, address) != NULL;
    uint32_t before = atomic_load_explicit(&known->barred, memory_order_relaxed);
    if ((before & (BAR_REMOVED | BAR_DRAINED)) && !ejected && !drained)
        known_instance_warm_up(known, clock_now());
    known_instance_bar(known, BAR_REMOVED, ejected);
    known_instance_bar(known, BAR_DRAINED, drained);
}

static bool is_pinned_to(const Instance *instance, const char *to)
{
    const Version *version = service_version(instance->service, bytes_of(to));
    return version ? instance->versions >> version->index & 1 : strcmp(instance->build, to) == 0;
}

uint32_t manual_count_pinned(const InstanceSet *set, const char *to)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < set->n; i++)
        n += is_pinned_to(set->instances[i], to);
    return n;
}

static void pin_service(const Service *service)
{
    const ManualAct *pin = manual_acts_find(&acts, MANUAL_PIN, service->name);
    InstanceSet *set = instance_set_of(service);
    for (uint32_t i = 0; i < set->n; i++)
        instance_set_aside(set->instances[i], BAR_PINNED,
                           pin && !is_pinned_to(set->instances[i], pin->to));
    if (pin && set->n && manual_count_pinned(set, pin->to) == 0)
        telemetry_event("error", "pin_without_instances", OK,
                        "%s is pinned to %s by %s, and no instance has it: its calls fail",
                        service->name, pin->to, pin->who);
    instance_set_unref(set);
}

static void apply(void)
{
    uint32_t n;
    KnownInstance **all = known_instances_all(&n);
    for (uint32_t i = 0; i < n; i++)
        bar_known(all[i]);
    known_instances_let_go(all, n);
    for (uint32_t i = 0; config && i < config->n_services; i++)
        pin_service(&config->services[i]);
}

/* What the process before has told of its acts may differ from what they are: one has begun or
   ended in between. */
static void settle(void)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (const ManualAct *act = acts.first; act; act = act->next)
        if (!healing_goes_on(HEALING_MANUAL, service_of(act), subject_of(arena, act)))
            tell_begun(act);
    healing_settle(HEALING_MANUAL);
    arena_free(arena);
}

void manual_apply(const Config *now)
{
    bool is_first = !config;
    config = now;
    if (is_first)
        settle();
    apply();
}

/* ---- Draining -------------------------------------------------------------------------------- */

static uint64_t running_at(const char *address)
{
    uint32_t n;
    uint64_t running = 0;
    KnownInstance **all = known_instances_all(&n);
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(all[i]->address.text, address) == 0)
            running += known_instance_running(all[i]);
    known_instances_let_go(all, n);
    return running;
}

static bool is_draining(const ManualAct *act)
{
    return act->kind == MANUAL_DRAIN && !act->drained;
}

static void look_at(ManualAct *act)
{
    if (running_at(act->target))
        return;
    act->drained = true;
    telemetry_event("info", "instance_drained", OK,
                    "%s: no call runs there any more, %.1f s after it was to be drained by %s",
                    act->target, (double)(clock_now() - act->since) / SECOND, act->who);
}

/* The loops have noticed the bar by the first look. */
static void on_drain_look(uv_timer_t *unused)
{
    (void)unused;
    bool any = false;
    for (ManualAct *act = acts.first; act; act = act->next) {
        if (is_draining(act))
            look_at(act);
        any |= is_draining(act);
    }
    if (!any)
        uv_timer_stop(&drain_timer);
}

static void watch_drains(void)
{
    uv_timer_stop(&drain_timer);
    for (const ManualAct *act = acts.first; act; act = act->next)
        if (is_draining(act))
            uv_timer_start(&drain_timer, on_drain_look, DRAIN_LOOK_MS, DRAIN_LOOK_MS);
}

/* ---- Ending ---------------------------------------------------------------------------------- */

static void on_time(uv_timer_t *unused);

static void set_timer(void)
{
    int64_t next = manual_acts_next(&acts), now = clock_now();
    uv_timer_stop(&timer);
    if (next < INT64_MAX)
        uv_timer_start(&timer, on_time, next > now ? (uint64_t)((next - now) / MILLISECOND) + 1 : 0,
                       0);
}

static ManualAct *expire(void)
{
    pthread_mutex_lock(&lock);
    ManualAct *over = manual_acts_expire(&acts, clock_now());
    pthread_mutex_unlock(&lock);
    return over;
}

static void on_time(uv_timer_t *unused)
{
    (void)unused;
    for (ManualAct *over; (over = expire());)
        tell_ended(over, NULL);
    manual_changed();
}

bool manual_lift(ManualKind kind, const char *target, const char *by)
{
    pthread_mutex_lock(&lock);
    ManualAct *lifted = manual_acts_lift(&acts, kind, target);
    pthread_mutex_unlock(&lock);
    if (lifted)
        tell_ended(lifted, by);
    return lifted != NULL;
}

Result manual_begin(Arena *arena, const ManualAct *act)
{
    manual_lift(act->kind, act->target, act->who);
    pthread_mutex_lock(&lock);
    bool added = manual_acts_add(&acts, act);
    pthread_mutex_unlock(&lock);
    if (!added)
        return FAIL(arena, FAULT_BAD_VALUE, "there are %d acts by hand already", MANUAL_ACTS_MOST);
    tell_begun(act);
    manual_changed();
    return OK;
}

void manual_changed(void)
{
    apply();
    set_timer();
    watch_drains();
    handover_changed(KEPT);
}

const Config *manual_config(void)
{
    return config;
}

/* ---- For others ------------------------------------------------------------------------------ */

void manual_write(Buffer *out)
{
    pthread_mutex_lock(&lock);
    manual_acts_write(&acts, clock_now(), out);
    pthread_mutex_unlock(&lock);
}

static void keep(void *owner, Buffer *out)
{
    (void)owner;
    manual_acts_keep(&acts, out);
}

/* What the process before has left. */
static void take_over(void)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Bytes kept = handover_take(KEPT, arena);
    pthread_mutex_lock(&lock);
    Result r = kept.size ? manual_acts_restore(&acts, arena, kept, clock_now()) : OK;
    pthread_mutex_unlock(&lock);
    if (failed(r))
        telemetry_event("error", "manual_lost", r,
                        "what operators did by hand before is forgotten");
    handover_offer(KEPT, keep, NULL);
    arena_free(arena);
}

static void write_metrics(Exposition *e, void *owner)
{
    (void)owner;
    exposition_family(e, "passerelle_manual_seconds", METRIC_GAUGE,
                      "Of what operators did to instances and services by hand: the time left.");
    pthread_mutex_lock(&lock);
    for (const ManualAct *act = acts.first; act; act = act->next) {
        Label labels[] = {{"act", manual_kind_name(act->kind)}, {"target", act->target}};
        int64_t left = act->until - clock_now();
        exposition_number(e, "", labels, 2, left > 0 ? (uint64_t)(left / SECOND) : 0);
    }
    pthread_mutex_unlock(&lock);
}

void manual_start(uv_loop_t *loop)
{
    CHECK(uv_timer_init(loop, &timer) == 0);
    CHECK(uv_timer_init(loop, &drain_timer) == 0);
    take_over();
    set_timer();
    watch_drains();
    metrics_add_writer(write_metrics, &acts);
}

void manual_stop(void)
{
    uv_close((uv_handle_t *)&timer, NULL);
    uv_close((uv_handle_t *)&drain_timer, NULL);
}

void manual_forget(void)
{
    handover_withdraw(KEPT);
    metrics_remove_writer(&acts);
    pthread_mutex_lock(&lock);
    manual_acts_clear(&acts);
    pthread_mutex_unlock(&lock);
    config = NULL;
}
