#include "gateway/builtin/health.h"

#include "adapters/schema/wire.h"
#include "gateway/upstream/pick.h"

#define WATCH_TIME (1 * SECOND)

/* A service is SERVING while one of its methods can be served: others may have no counterpart in
   the versions of the instances that are up. */
static Health health_in(Loop *loop, const Version *version, Bytes name)
{
    Health health = HEALTH_SERVICE_UNKNOWN;
    for (uint32_t i = 0; i < version->n_methods && health != HEALTH_SERVING; i++) {
        const Method *method = &version->methods[i];
        if (bytes_are(name, method->type->service->full_name))
            health = method_is_made(method) || pick_possible(loop, method) ? HEALTH_SERVING
                                                                           : HEALTH_NOT_SERVING;
    }
    return health;
}

Health health_of(Loop *loop, const Config *config, Bytes name)
{
    Health health = name.size ? HEALTH_SERVICE_UNKNOWN : HEALTH_SERVING;
    for (uint32_t s = 0; s < config->n_services; s++) {
        const Service *service = &config->services[s];
        for (uint32_t v = 0; v < service->n_versions && health != HEALTH_SERVING; v++) {
            Health here = health_in(loop, &service->versions[v], name);
            if (here != HEALTH_SERVICE_UNKNOWN)
                health = here;
        }
    }
    return health == HEALTH_SERVING && loop->leaving ? HEALTH_NOT_SERVING : health;
}

/* ---- Watching -------------------------------------------------------------------------------- */

/* By the current config: a reload may add the service. */
static Health health_now(const HealthWatch *watch)
{
    return health_of(watch->loop, watch->loop->config, watch->name);
}

static void look_again(HealthWatch *watch)
{
    timer_start(&watch->loop->timers, &watch->timer, watch->loop->now + WATCH_TIME);
}

static void on_timer(Timer *timer)
{
    HealthWatch *watch = (HealthWatch *)((char *)timer - offsetof(HealthWatch, timer));
    Health health = health_now(watch);
    look_again(watch);
    if (health == watch->health)
        return;
    watch->health = health;
    watch->tell(watch);
}

void health_watch_start(HealthWatch *watch, Loop *loop)
{
    watch->loop = loop;
    watch->health = health_now(watch);
    watch->timer.fire = on_timer;
    watch->next = loop->watches;
    watch->at = &loop->watches;
    if (watch->next)
        watch->next->at = &watch->next;
    loop->watches = watch;
    look_again(watch);
}

void health_watch_stop(HealthWatch *watch)
{
    if (!watch->at)
        return;
    *watch->at = watch->next;
    if (watch->next)
        watch->next->at = watch->at;
    watch->at = NULL;
    timer_stop(&watch->loop->timers, &watch->timer);
}

void health_end_watches(Loop *loop)
{
    while (loop->watches) {
        HealthWatch *watch = loop->watches;
        health_watch_stop(watch);
        watch->health = health_now(watch);
        watch->tell(watch);
    }
}

/* ---- Messages -------------------------------------------------------------------------------- */

bool health_read(Bytes request, Bytes *name_out)
{
    *name_out = BYTES_NONE;
    WireReader reader = wire_reader(request);
    for (WireField f; wire_next(&reader, &f);) {
        if (f.number == 1 && f.type == WIRE_LENGTH)
            *name_out = f.bytes;
    }
    return !reader.bad;
}

void health_write(Health health, Buffer *out)
{
    if (health != HEALTH_UNKNOWN)
        wire_add_number(out, 1, health);
}
