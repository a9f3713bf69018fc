/*
 * JobWorld: a store, a backend and several gateways with runners, in memory and in virtual time, so
 * that thousands of crashes take a second. All chance comes from one seed: the same seed is the
 * same run.
 *
 *      gateway: JobRunner --operation--> store: executed -> completed --> runner
 *                         --call-------> backend: arrives -> responds --> runner
 *
 * Every arrow is an event of its own, with a delay of chance. Before any event a gateway, the store
 * or the backend may be killed, a gateway may hang for longer than its lease, or its clock may
 * jump. What was under way then takes effect or does not, and nobody is told.
 */
#ifndef TESTS_JOB_WORLD_H
#define TESTS_JOB_WORLD_H

#include "gateway/job_run/job_runner.h"
#include "tests/unit/gateway/job_run/job_play.h"

enum { WORLD_GATEWAYS = 3 };

typedef struct JobWorld JobWorld;

/* `kills`: so many happen, at most `n_jobs` jobs of any play are accepted meanwhile. */
JobWorld *job_world_new(uint64_t seed, uint32_t n_jobs, uint32_t kills);
void job_world_free(JobWorld *world);

/* With jobs of this play instead of any. */
void job_world_set_play(JobWorld *world, uint32_t job, const JobPlay *play);

/* Until all jobs are at rest and operators have nothing to do any more. NULL: each job has ended as
   the model says, and nothing had an effect twice; else what is wrong, as long as the world. */
const char *job_world_run(JobWorld *world);

/* What has happened, so that a test sees that something did. */
typedef struct WorldStats {
    uint32_t gateways_killed, stores_killed, backends_killed, hangs, jumps, stops;
    uint32_t calls, repeated; /* calls; those whose step had an effect before */
    uint32_t fenced;          /* writings that came too late */
    uint32_t taken_over;      /* jobs of silent gateways */
    uint32_t events;
    int64_t time;
} WorldStats;
WorldStats job_world_stats(const JobWorld *world);

#endif
