/*
 * Jobs in a simulated world (job_world.h) that is killed at random: argument 1: how many kills, in
 * worlds of about 60 each; argument 2: the seed of the first one.
 */
#include "base/clock.h"
#include "tests/unit/check.h"
#include "tests/unit/gateway/job_run/job_world.h"

#include <stdio.h>
#include <stdlib.h>

enum { JOBS = 24, KILLS = 60 };

static uint32_t kills_of(const WorldStats *s)
{
    return s->gateways_killed + s->stores_killed + s->backends_killed + s->hangs + s->jumps +
           s->stops;
}

static void add(WorldStats *sum, const WorldStats *s)
{
    sum->gateways_killed += s->gateways_killed;
    sum->stores_killed += s->stores_killed;
    sum->backends_killed += s->backends_killed;
    sum->hangs += s->hangs;
    sum->jumps += s->jumps;
    sum->stops += s->stops;
    sum->calls += s->calls;
    sum->repeated += s->repeated;
    sum->fenced += s->fenced;
    sum->taken_over += s->taken_over;
    sum->events += s->events;
}

/* A run in which nothing had to be taken over, fenced or repeated would prove nothing. */
static bool has_seen_enough(const WorldStats *s)
{
    return s->gateways_killed && s->stores_killed && s->backends_killed && s->hangs && s->jumps &&
           s->stops && s->repeated && s->fenced && s->taken_over;
}

int main(int argc, char **argv)
{
    uint32_t kills = argc > 1 ? (uint32_t)atoi(argv[1]) : 300;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    WorldStats sum = {0};
    uint32_t worlds = 0;
    for (; kills_of(&sum) < kills; worlds++) {
        JobWorld *world = job_world_new(seed + worlds, JOBS, KILLS);
        const char *wrong = job_world_run(world);
        WorldStats stats = job_world_stats(world);
        add(&sum, &stats);
        if (wrong) {
            printf("world %llu: %s\n", (unsigned long long)seed + worlds, wrong);
            return 1;
        }
        job_world_free(world);
    }
    printf(
        "%u worlds of %u jobs: killed: %u gateways, %u stores, %u backends; %u gateways hung, %u "
        "were stopped, %u clocks jumped; %u calls, %u repeated; %u writings fenced, %u owners "
        "taken over; %u events\n",
        worlds, JOBS, sum.gateways_killed, sum.stores_killed, sum.backends_killed, sum.hangs,
        sum.stops, sum.jumps, sum.calls, sum.repeated, sum.fenced, sum.taken_over, sum.events);
    if (!has_seen_enough(&sum)) {
        printf("this was too quiet to prove anything\n");
        return 1;
    }
    return 0;
}
