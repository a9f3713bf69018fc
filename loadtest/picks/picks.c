/*
 * What it costs to pick an instance: picks INSTANCES UP [POLICY], the second in per cent.
 *
 * Picks among INSTANCES instances of each of three versions, of which UP per cent are up, by load,
 * weight, key or cell, and prints the instructions of one pick; `loadtest/picks/run` runs it under
 * callgrind, which counts them. The upstreams are doubles that know no more than whether they are
 * up.
 */
#include "base/arena.h"
#include "gateway/instances/instance_set.h"
#include "gateway/upstream/pick.h"

#include <stdio.h>
#include <stdlib.h>

enum { VERSIONS = 3, PICKS = 20000, FIRST_PICKS = 150000 };

/* ---- The double of upstream.h ---------------------------------------------------------------- */

struct Upstream {
    bool down;
    Latency latency;
    Candidate *candidates;
};
static struct Upstream *upstreams;
static Result failure;

Upstream *upstream_of(Loop *loop, const Instance *instance)
{
    return &upstreams[instance->known->number];
}

UpstreamState upstream_state(const Upstream *upstream, int64_t now)
{
    return upstream->down ? UPSTREAM_DOWN : UPSTREAM_READY;
}

bool upstream_worth_a_try(const Upstream *upstream, int64_t now)
{
    return false;
}

int64_t upstream_try_from(const Upstream *upstream)
{
    return NO_TIMEOUT;
}

Candidate **upstream_candidates(Upstream *upstream)
{
    return &upstream->candidates;
}

Result upstream_failure(const Upstream *upstream)
{
    return failure;
}

uint32_t upstream_load(const Upstream *upstream)
{
    return 0;
}

const Latency *upstream_latency(const Upstream *upstream)
{
    return &upstream->latency;
}

/* ---- Picking --------------------------------------------------------------------------------- */

static MethodType type = {.path = "/shop.Orders/Get"};
static Version versions[VERSIONS];
static Method methods[VERSIONS];
static MethodPair pairs[VERSIONS][VERSIONS];
static Service service = {.name = "orders", .versions = versions, .n_versions = VERSIONS};
static Config config = {.services = &service, .n_services = 1};
static Loop loop;

static void make_methods(Arena *arena)
{
    static const PairExtras lossy = {.n_lossy = 1};
    for (uint32_t i = 0; i < VERSIONS; i++) {
        versions[i] = (Version){.name = "v", .index = i, .service = &service};
        methods[i] = (Method){
            .version = &versions[i], .type = &type, .extras = &method_no_extras, .pairs = pairs[i]};
        for (uint32_t j = 0; j < VERSIONS; j++)
            pairs[i][j] =
                (MethodPair){.target = &methods[j], .extras = i == j ? &pair_no_extras : &lossy};
        method_prefer(arena, &methods[i]);
    }
}

static const char *policy = "load";

static bool is(const char *name)
{
    return strcmp(policy, name) == 0;
}

/* Every third instance is in another cell. */
static void use_policy(Instance *instance, uint32_t i)
{
    instance->weight = is("weight") ? 1 + i / VERSIONS % 7 : 1;
    instance->far = is("cell") && i / VERSIONS % 3 == 2;
}

static void make_instances(Arena *arena, uint32_t n)
{
    service.has_affinity = is("key");
    service.cells = (CellPolicy){.own = "a", .healthy = 70, .spill = 50};
    Instance **instances = arena_array(arena, Instance *, n);
    for (uint32_t i = 0; i < n; i++) {
        instances[i] = arena_make(arena, Instance);
        *instances[i] = (Instance){
            .service = &service,
            .http2 = true,
            .address = {.text = arena_printf(arena, "10.0.%u.%u:7001", i >> 8, i & 255)},
            .versions = UINT64_C(1) << i % VERSIONS,
        };
        use_policy(instances[i], i);
    }
    instance_set_use(&service, instance_set_new(&service, instances, n));
}

static uint32_t pick_many(Arena *arena, uint32_t n)
{
    uint32_t n_picked = 0;
    for (uint32_t i = 0; i < n; i++) {
        Pick pick;
        PickWish wish = {.key = {i * 0x9e3779b9u, is("key") ? 1.25f : 0}};
        Result r = pick_other_version(&loop, &methods[i % VERSIONS], 0, &wish, arena, &pick);
        if (failed(r))
            continue;
        n_picked++;
        pick_release(&loop, &pick);
    }
    return n_picked;
}

/* What callgrind counts. */
__attribute__((noinline)) static uint32_t pick_counted(Arena *arena)
{
    return pick_many(arena, PICKS);
}

int main(int argc, char **argv)
{
    uint32_t n = VERSIONS * (argc > 1 ? (uint32_t)atoi(argv[1]) : 3);
    uint32_t up = argc > 2 ? (uint32_t)atoi(argv[2]) : 100;
    policy = argc > 3 ? argv[3] : policy;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    make_methods(arena);
    make_instances(arena, n);
    upstreams = arena_array(arena, struct Upstream, 2 * n + 8); /* numbers are small */
    loop.config = &config;
    random_seed_fixed(&loop.random, 1);
    failure = FAIL(arena, FAULT_UPSTREAM_DOWN, "connection refused");
    for (uint32_t i = 0; i < 2 * n + 8; i++)
        upstreams[i].down = random_below(&loop.random, 100) >= up;
    pick_many(arena, FIRST_PICKS); /* those that are down are found to be, once each */
    printf("%u of %d\n", pick_counted(arena), PICKS);
    return 0;
}
