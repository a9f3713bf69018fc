/*
 * Weak signals in a simulated day, found by the gateway's own code:
 *
 *      signals days FIRST N    for each of N seeds: ten planted signals in the last of 28 days
 *      signals quiet FIRST N   the same without any: what is found is false
 *      signals check           one seed of each; fails if fewer than eight are found, or more than
 *                              two are false
 *
 * A line for each seed, comma-separated, and one for each finding; loadtest/signals/run draws them.
 */
#include "loadtest/signals/world.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE (60 * SECOND)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

static const NoveltyRules rules = {
    .warm_up = 7 * DAY, .forgotten = 30 * DAY, .failures = 3, .clients = 2};

/* One day, and who looks at it. */
typedef struct Trial {
    World world;
    Watch watch;
    int64_t now;
    uint64_t seed;
    bool tells;              /* each finding as a line */
    uint32_t found, n_false; /* of the last day */
    uint32_t before;         /* found in the week before: all of it false */
} Trial;

/* ---- Findings -------------------------------------------------------------------------------- */

static Plant *planted(World *world, const Finding *finding)
{
    for (uint32_t i = 0; i < world->n_plants; i++) {
        Plant *plant = &world->plants[i];
        if (plant->kind == finding->kind &&
            bytes_start_with(bytes_of(finding->subject), plant->subject))
            return plant;
    }
    return NULL;
}

static void tell(const Trial *trial, const Finding *finding, const Plant *plant)
{
    if (trial->tells)
        printf("finding,%llu,%s,%s,%s,%.2f,%.2f\n", (unsigned long long)trial->seed,
               finding_kind_name(finding->kind), finding->subject, plant ? "planted" : "false",
               (double)(trial->now - trial->world.day) / (double)HOUR,
               plant ? (double)(trial->now - plant->from) / (double)HOUR : 0);
}

static void on_found(void *owner, const Finding *finding)
{
    Trial *trial = owner;
    if (trial->now <= trial->world.day) {
        trial->before += trial->now > trial->world.day - 7 * DAY;
        return;
    }
    Plant *plant = planted(&trial->world, finding);
    if (!plant)
        trial->n_false++;
    if (!plant || !plant->found)
        tell(trial, finding, plant);
    if (plant && !plant->found) {
        plant->found = trial->now;
        trial->found++;
    }
}

static void on_new(void *owner, const NoveltyFound *found)
{
    char subject[FINDING_NAME_SIZE];
    snprintf(subject, sizeof subject, "%016llx", (unsigned long long)found->kind);
    on_found(owner, &(Finding){.kind = FINDING_FIRST, .subject = subject, .since = found->first});
}

/* ---- Looking --------------------------------------------------------------------------------- */

static void look_at_failures(Trial *trial)
{
    Novelty *novelty = &trial->watch.novelty;
    novelty_begin(novelty, trial->now);
    for (uint32_t i = 0; i < trial->world.n_kinds; i++) {
        const WorldKind *kind = &trial->world.kinds[i];
        if (!kind->first)
            continue;
        NoveltyCount count = {.kind = kind->id,
                              .first = kind->first,
                              .last = kind->last,
                              .failures = window_count(&kind->hour, WINDOW_HOUR, trial->now),
                              .clients = kind->n_clients};
        novelty_count(novelty, &rules, &count, trial->now);
    }
    novelty_end(novelty, &rules, trial->now, on_new, trial);
}

static const char *name_of(void *owner, uint64_t client)
{
    Trial *trial = owner;
    return trial->world.clients[client - 1].name;
}

static void look_at_hour(Trial *trial)
{
    WatchMethod methods[WORLD_METHODS * WORLD_VERSIONS];
    SilenceSeen seen[WORLD_CLIENTS];
    uint32_t n_seen = 0;
    for (uint32_t i = 0; i < WORLD_CLIENTS; i++)
        if (trial->world.clients[i].last)
            seen[n_seen++] = (SilenceSeen){i + 1, trial->world.clients[i].last};
    WatchClients clients = {
        .seen = seen, .n = n_seen, .name_of = name_of, .on_found = on_found, .owner = trial};
    watch_hour(&trial->watch, methods, world_methods(&trial->world, methods), trial->now - HOUR,
               true, on_found, trial);
    watch_clients(&trial->watch, &clients, trial->now - HOUR, true);
}

/* Hours before, and minutes on the last day. */
static void run(Trial *trial, uint64_t seed, bool planting)
{
    trial->seed = seed;
    trial->watch.least_calls = 50;
    world_init(&trial->world, seed, planting);
    int64_t wall = trial->world.begin, end = trial->world.day + DAY;
    while (wall < end) {
        int64_t length = wall < trial->world.day ? HOUR : MINUTE;
        world_step(&trial->world, wall, length);
        trial->now = wall += length;
        look_at_failures(trial);
        if (wall % HOUR == 0)
            look_at_hour(trial);
    }
    watch_deinit(&trial->watch);
}

/* ---- Modes ----------------------------------------------------------------------------------- */

static Trial run_seed(uint64_t seed, bool planting, bool tells)
{
    Trial *trial = calloc(1, sizeof *trial);
    CHECK(trial);
    trial->tells = tells;
    run(trial, seed, planting);
    Trial end = *trial;
    free(trial);
    return end;
}

static void tell_missed(const Trial *trial)
{
    for (uint32_t i = 0; i < trial->world.n_plants; i++) {
        const Plant *plant = &trial->world.plants[i];
        if (!plant->found)
            printf("missed,%llu,%s,%s\n", (unsigned long long)trial->seed,
                   finding_kind_name(plant->kind), plant->subject);
    }
}

static int tell_seeds(char **words, bool planting)
{
    uint64_t first = strtoull(words[0], NULL, 10), n = strtoull(words[1], NULL, 10);
    for (uint64_t seed = first; seed < first + n; seed++) {
        Trial end = run_seed(seed, planting, true);
        tell_missed(&end);
        printf("seed,%llu,%u,%u,%u,%u\n", (unsigned long long)seed, end.world.n_plants, end.found,
               end.n_false, end.before);
        fflush(stdout);
    }
    return 0;
}

static int holds(bool good, const char *what, uint32_t value)
{
    printf("%s %s: %u\n", good ? "ok " : "NOT", what, value);
    return good ? 0 : 1;
}

static int check(void)
{
    Trial day = run_seed(1, true, false), quiet = run_seed(2, false, false);
    return holds(day.world.n_plants == 10, "planted", day.world.n_plants) +
           holds(day.found >= 8, "of them found", day.found) +
           holds(day.n_false <= 2, "false ones beside", day.n_false) +
           holds(quiet.n_false <= 2, "false ones on a day without", quiet.n_false);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "days") == 0)
        return tell_seeds(argv + 2, true);
    if (argc == 4 && strcmp(argv[1], "quiet") == 0)
        return tell_seeds(argv + 2, false);
    if (argc == 2 && strcmp(argv[1], "check") == 0)
        return check();
    fprintf(stderr, "signals days FIRST N | quiet FIRST N | check\n");
    return 2;
}
