#include "gateway/job_run/job_orphans.h"

#include "base/arena.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { TOLD_MOST = 32 /* revisions */ };

typedef struct Told {
    uint32_t revision;
    uint64_t structure;
} Told;

struct JobOrphans {
    Loop *loop;
    JobStorage *storage;
    int64_t every;
    void (*on_orphan)(void *owner, const JobRecord *record);
    void *owner;
    Timer timer;
    uint64_t generation; /* of the config that `told` is about */
    Told told[TOLD_MOST];
    uint32_t n_told;
    /* Ids of those with orders that nobody had taken at the last look. */
    char ordered[JOB_CLAIM_MOST][JOB_ID_SIZE + 1];
    uint32_t n_ordered;
};

/* Structures differ between definitions, so that their names need not be kept. */
static bool is_told(const JobOrphans *orphans, const JobRecord *record)
{
    for (uint32_t i = 0; i < orphans->n_told; i++)
        if (orphans->told[i].revision == record->revision &&
            orphans->told[i].structure == record->structure)
            return true;
    return orphans->n_told == TOLD_MOST;
}

static void look_later(JobOrphans *orphans)
{
    timer_start(&orphans->loop->timers, &orphans->timer, orphans->loop->now + orphans->every);
}

static void tell_orphan(JobOrphans *orphans, const JobRecord *record)
{
    if (job_definition_of(orphans->loop->config, record) || is_told(orphans, record))
        return;
    orphans->told[orphans->n_told++] = (Told){record->revision, record->structure};
    orphans->on_orphan(orphans->owner, record);
}

static void on_listed(void *owner, Result result, const JobRecord *const *jobs, uint32_t n)
{
    for (uint32_t i = 0; !failed(result) && i < n; i++)
        tell_orphan(owner, jobs[i]);
}

static void on_given_up(void *owner, Result result, bool written)
{
    error_ignore(result, "the next look finds it again");
}

/* Orders that nobody will ever carry out, as far as can be known here. */
static void give_up(JobOrphans *orphans, const JobRecord *record)
{
    if (job_definition_of(orphans->loop->config, record) || record->damage.size)
        return;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    JobRecord *copy = job_record_copy(record, arena);
    if (job_give_up(copy, arena))
        orphans->storage->abandon(orphans->storage, copy, clock_wall(), on_given_up, NULL);
    arena_free(arena);
}

static bool was_seen(const JobOrphans *orphans, Bytes id)
{
    for (uint32_t i = 0; i < orphans->n_ordered; i++)
        if (bytes_are(id, orphans->ordered[i]))
            return true;
    return false;
}

/* Whoever has the definition has had the time between two looks to carry them out. */
static void on_ordered(void *owner, Result result, const JobRecord *const *jobs, uint32_t n)
{
    JobOrphans *orphans = owner;
    if (failed(result))
        return;
    for (uint32_t i = 0; i < n; i++)
        if (was_seen(orphans, jobs[i]->id))
            give_up(orphans, jobs[i]);
    orphans->n_ordered = 0;
    for (uint32_t i = 0; i < n && i < JOB_CLAIM_MOST; i++)
        snprintf(orphans->ordered[orphans->n_ordered++], JOB_ID_SIZE + 1, "%.*s",
                 BYTES_ARGS(jobs[i]->id));
}

/* A revision that is missing here, another gateway may have; but one with other steps is a mistake.
 */
static void on_listed_at_once(void *owner, Result result, const JobRecord *const *jobs, uint32_t n)
{
    JobOrphans *orphans = owner;
    for (uint32_t i = 0; !failed(result) && i < n; i++)
        if (config_find_job(orphans->loop->config, jobs[i]->definition, jobs[i]->revision))
            tell_orphan(orphans, jobs[i]);
}

/* Unfinished jobs that have not changed since before that. */
static void look(JobOrphans *orphans, int64_t since_before, JobOnListed *on_found)
{
    const Config *config = orphans->loop->config;
    if (orphans->generation != config->generation)
        orphans->n_told = 0;
    orphans->generation = config->generation;
    JobFilter filter = {.states = 1 << JOB_QUEUED | 1 << JOB_RUNNING | 1 << JOB_WAITING |
                                  1 << JOB_UNDOING,
                        .since_before = since_before,
                        .most = JOB_PAGE_MOST};
    orphans->storage->list(orphans->storage, &filter, on_found, orphans);
}

static void look_for_orders(JobOrphans *orphans)
{
    JobFilter filter = {.ordered = true, .most = JOB_CLAIM_MOST};
    orphans->storage->list(orphans->storage, &filter, on_ordered, orphans);
}

static void on_timer(Timer *timer)
{
    JobOrphans *orphans = (JobOrphans *)((char *)timer - offsetof(JobOrphans, timer));
    look(orphans, clock_wall() - orphans->every, on_listed);
    look_for_orders(orphans);
    look_later(orphans);
}

void job_orphans_use(JobOrphans *orphans)
{
    look(orphans, 0, on_listed_at_once);
}

JobOrphans *job_orphans_new(Loop *loop, JobStorage *storage, int64_t every,
                            void (*on_orphan)(void *owner, const JobRecord *record), void *owner)
{
    JobOrphans *orphans = calloc(1, sizeof *orphans);
    CHECK(orphans);
    *orphans = (JobOrphans){.loop = loop,
                            .storage = storage,
                            .every = every,
                            .on_orphan = on_orphan,
                            .owner = owner,
                            .timer = {.fire = on_timer}};
    return orphans;
}

void job_orphans_start(JobOrphans *orphans)
{
    look_later(orphans);
}

void job_orphans_stop(JobOrphans *orphans)
{
    timer_stop(&orphans->loop->timers, &orphans->timer);
}

void job_orphans_free(JobOrphans *orphans)
{
    free(orphans);
}
