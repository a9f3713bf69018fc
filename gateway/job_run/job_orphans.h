/*
 * JobOrphans: finds jobs that nobody here executes, because the config has no definition of their
 * revision and structure any more. Another gateway may have it; if not, they wait until somebody
 * acts, so that they are told of: one of each revision, once for each config.
 *
 * An order for such a job is given up, so that a cancelled one ends, and holds nothing any more
 * (job_give_up).
 *
 * A look now and then at the latest jobs that have not changed for a while. One loop, its thread
 * only.
 */
#ifndef GATEWAY_JOB_ORPHANS_H
#define GATEWAY_JOB_ORPHANS_H

#include "gateway/job_store/job_storage.h"
#include "gateway/loop/loop.h"

typedef struct JobOrphans JobOrphans;

/* `every`: nanoseconds between two looks, and for so long a job has not changed. What it is given
   outlives it. Never NULL. */
JobOrphans *job_orphans_new(Loop *loop, JobStorage *storage, int64_t every,
                            void (*on_orphan)(void *owner, const JobRecord *record), void *owner);

void job_orphans_start(JobOrphans *orphans);

/* The loop has another config: jobs of a revision that it has with other steps are told of at once.
 */
void job_orphans_use(JobOrphans *orphans);
void job_orphans_stop(JobOrphans *orphans);

/* It is stopped, and completions of the storage do not come any more. NULL is allowed. */
void job_orphans_free(JobOrphans *orphans);

#endif
