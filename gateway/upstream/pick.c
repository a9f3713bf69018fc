#include "gateway/upstream/pick.h"

#include "base/arena.h"
#include "gateway/instances/instances.h"

static bool was_tried(const PickTried *tried, const Instance *instance)
{
    while (tried && tried->instance != instance)
        tried = tried->before;
    return tried != NULL;
}

/* Smaller is better: native, then the fewest lossy fields, then the newer version. */
static uint64_t cost_of(const Method *method, const Version *served)
{
    if (served == method->version)
        return 0;
    uint64_t lossy = method->pairs[served->index].n_lossy;
    return (lossy + 1) << 8 | (63 - served->index);
}

/* The best version in which an instance can answer, or NULL. */
static const Version *best_version(const Method *method, const Instance *instance,
                                   uint64_t *cost_out)
{
    const Version *best = NULL;
    for (uint64_t left = instance->versions; left; left &= left - 1) {
        const Version *served = &instance->service->versions[__builtin_ctzll(left)];
        if (!method->pairs[served->index].target)
            continue;
        uint64_t cost = cost_of(method, served);
        if (!best || cost < *cost_out) {
            best = served;
            *cost_out = cost;
        }
    }
    return best;
}

static const char *why_of(const Pick *pick, const Method *method)
{
    if (pick->served == method->version)
        return "native";
    return pick->pair->n_lossy ? "fewest losses" : "without loss";
}

static Result nobody(const Method *method, const Upstream *away, uint32_t n_away, uint32_t n_tried,
                     Arena *arena)
{
    const Service *service = method->version->service;
    const char *path = method->type->path;
    if (away)
        return FAIL_OVER(arena, error_copy(arena, upstream_failure(away)), FAULT_UPSTREAM_DOWN,
                         "no instance of %s can answer %s: %u away, %u tried", service->name, path,
                         n_away, n_tried);
    if (n_tried)
        return FAIL(arena, FAULT_UPSTREAM_DOWN, "no instance of %s is left for %s: %u tried",
                    service->name, path, n_tried);
    for (uint32_t i = 0; i < service->n_versions; i++) {
        const MethodPair *pair = &method->pairs[i];
        if (!pair->target && pair->reason)
            return FAIL_TELL(arena, FAULT_METHOD_REMOVED, "%s: %s", path, pair->reason);
    }
    return FAIL(arena, FAULT_NO_INSTANCE, "no instance of %s serves %s or a version it converts to",
                service->name, method->version->name);
}

/* The better of what was found and this one: cheaper, then less loaded. */
static void consider(Pick *best, uint64_t *best_cost, const Pick *other, uint64_t cost)
{
    if (best->instance && cost > *best_cost)
        return;
    if (best->instance && cost == *best_cost &&
        upstream_load(other->upstream) >= upstream_load(best->upstream))
        return;
    *best = *other;
    *best_cost = cost;
}

Result pick_instance(Loop *loop, const Method *method, const PickTried *tried, Arena *arena,
                     Pick *pick_out)
{
    const Service *service = method->version->service;
    Pick best = {0}, last_resort = {0};
    const Upstream *away = NULL;
    uint64_t best_cost = 0, last_cost = 0;
    uint32_t n_away = 0, n_tried = 0;

    /* Starting somewhere else each time spreads calls over equals that are equally loaded. */
    uint32_t start = service->n_instances ? loop->pick_turn++ % service->n_instances : 0;
    for (uint32_t i = 0; i < service->n_instances; i++) {
        uint32_t at =
            start + i < service->n_instances ? start + i : start + i - service->n_instances;
        const Instance *instance = &service->instances[at];
        uint64_t cost = 0;
        const Version *served = best_version(method, instance, &cost);
        if (!served || (best.instance && cost > best_cost))
            continue;
        if (was_tried(tried, instance)) {
            n_tried++;
            continue;
        }
        Upstream *upstream = upstream_of(loop, instance);
        Pick pick = {instance, served, &method->pairs[served->index], upstream, NULL};
        if (upstream_state(upstream, loop->now) == UPSTREAM_READY) {
            consider(&best, &best_cost, &pick, cost);
            continue;
        }
        away = upstream;
        n_away++;
        if (upstream_worth_a_try(upstream, loop->now))
            consider(&last_resort, &last_cost, &pick, cost);
    }
    if (!best.instance)
        best = last_resort;
    if (!best.instance)
        return nobody(method, away, n_away, n_tried, arena);
    best.why = why_of(&best, method);
    *pick_out = best;
    return OK;
}

bool pick_possible(const Method *method)
{
    const Service *service = method->version->service;
    for (uint32_t i = 0; i < service->n_instances; i++) {
        uint64_t cost;
        const Instance *instance = &service->instances[i];
        if (best_version(method, instance, &cost) && instance_loops_down(instance) == 0)
            return true;
    }
    return false;
}

Result pick_any(Loop *loop, const Service *service, const PickTried *tried, Arena *arena,
                Pick *pick_out)
{
    Pick best = {0}, last_resort = {0};
    uint64_t none = 0;
    const Upstream *away = NULL;
    for (uint32_t i = 0; i < service->n_instances; i++) {
        const Instance *instance =
            &service->instances[(i + loop->pick_turn) % service->n_instances];
        if (was_tried(tried, instance))
            continue;
        Upstream *upstream = upstream_of(loop, instance);
        Pick pick = {.instance = instance, .upstream = upstream, .why = "native"};
        if (upstream_state(upstream, loop->now) == UPSTREAM_READY) {
            consider(&best, &none, &pick, 0);
            continue;
        }
        away = upstream;
        if (upstream_worth_a_try(upstream, loop->now))
            consider(&last_resort, &none, &pick, 0);
    }
    loop->pick_turn++;
    if (!best.instance)
        best = last_resort;
    if (best.instance) {
        *pick_out = best;
        return OK;
    }
    if (away)
        return FAIL_OVER(arena, error_copy(arena, upstream_failure(away)), FAULT_UPSTREAM_DOWN,
                         "no instance of %s can be reached", service->name);
    return FAIL(arena, FAULT_UPSTREAM_DOWN, "%s has no instance left", service->name);
}
