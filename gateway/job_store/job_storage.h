/*
 * JobStorage: where jobs are kept, as a table of operations: JobTable is the one in the store, and
 * a simulation has another one.
 *
 *      accept --> [queued] --claim--> [has an owner] --write--> ... --write, release--> [waits]
 *                                        |                                        [at rest]
 *                                        +-- its owner is silent for a lease --> taken over
 *
 * An owner is one process of a gateway. It shows that it lives by renewing its row; the lease of
 * all its jobs goes with that. Times of leases are monotonic, and each gateway measures those of
 * the others by what it sees itself: clocks are never compared, and no clock that jumps ends a
 * lease. An owner that could not renew for a lease must do nothing any more with its jobs: others
 * have taken them over. What it writes all the same changes nothing, for the token is another one.
 *
 * Completions are called exactly once, later, on the storage's loop, unless it is closed before.
 * `result` of all of them: OK; STORE_DOWN (nothing took effect, the same may succeed later: also a
 * full disk); STORE_UNKNOWN (it may have taken effect: the same may be asked again). What they are
 * given lives during the call only.
 */
#ifndef GATEWAY_JOB_STORAGE_H
#define GATEWAY_JOB_STORAGE_H

#include "gateway/job_store/job_record.h"

enum {
    JOB_CLAIM_MOST = 32, /* jobs of one claim */
    JOB_PAGE_MOST = 1000 /* of one list */
};

/* ---- Accepting ------------------------------------------------------------------------------- */

typedef enum JobAcceptance {
    JOB_ACCEPTED,
    JOB_ACCEPTED_BEFORE, /* there is a job with this id: the same one, asked again */
    JOB_RESOURCE_BUSY,   /* another job on it is unfinished */
    JOB_TOO_MANY,        /* the client has as many as may be queued */
    JOB_TOO_MUCH,        /* as much of the client is stored as may be */
} JobAcceptance;

typedef struct JobAdmission {
    const JobRecord *record;    /* of its position: job_accepted; without a lease */
    bool refuse_busy;           /* JOB_RESOURCE_BUSY; else it waits for its turn */
    uint32_t queued_per_client; /* 0: any number */
    uint64_t stored_per_client; /* job_record_size of all; 0: any number */
} JobAdmission;

/* As the definition says. */
static inline JobAdmission job_admission_of(const JobRecord *record,
                                            const JobDefinition *definition)
{
    return (JobAdmission){.record = record,
                          .refuse_busy = definition->resource.busy == JOB_BUSY_REFUSE,
                          .queued_per_client = definition->queued_per_client,
                          .stored_per_client = definition->stored_per_client};
}

/* `busy`: the id of the job that has the resource, JOB_RESOURCE_BUSY only. */
typedef void JobOnAccepted(void *owner, Result result, JobAcceptance acceptance, Bytes busy);

/* ---- Owners ---------------------------------------------------------------------------------- */

/* What this gateway can execute, and how much of it at the same time in all gateways. Jobs that
   have begun count until they are at rest, but not while they wait; one that goes on needs no
   place, so that there may be more of them for a while. */
typedef struct JobLimit {
    Bytes definition;
    uint32_t revision;
    uint64_t structure;
    Impact impact;
    uint32_t running;            /* of this definition, all revisions; 0: any number */
    uint32_t running_per_client; /* 0: any number */
    /* How many may wait for another try of a call that has failed; while there are as many, no job
       begins. 0: any number. */
    uint32_t retrying, retrying_per_client;
    uint32_t park_after; /* failures of the same kind, one after the other; then no job begins until
                            somebody says so (unpark). 0: never */
} JobLimit;

/* `lost`: the owner has no jobs any more: it was taken for dead, or too late. `orders`: of its
   jobs, the ids and orders of those that have one. */
typedef struct JobOrdered {
    Bytes id;
    JobOrder order;
} JobOrdered;
typedef void JobOnRenewed(void *owner, Result result, bool lost, const JobOrdered *orders,
                          uint32_t n_orders);

/* The jobs that it has from now on. */
typedef void JobOnClaimed(void *owner, Result result, const JobRecord *const *jobs, uint32_t n);

/* False: it is not the owner's any more; nothing was written. */
typedef void JobOnWritten(void *owner, Result result, bool written);

typedef void JobOnDone(void *owner, Result result);

/* ---- Orders, reading, lists ------------------------------------------------------------------ */

typedef enum JobOrderOutcome {
    JOB_ORDERED, /* its owner carries it out, or whoever claims it now */
    JOB_UNFIT,   /* its state is another one, or another order waits */
    JOB_NOT_THERE,
} JobOrderOutcome;

typedef void JobOnOrdered(void *owner, Result result, JobOrderOutcome outcome);

/* NULL: there is none. */
typedef void JobOnRead(void *owner, Result result, const JobRecord *record);

/* Of which jobs the content is read: it may be much. */
typedef enum JobListed { JOB_BARE, JOB_CONTENT_OF_DONE, JOB_CONTENT_OF_ALL } JobListed;

/* All that is set must hold. */
typedef struct JobFilter {
    const Bytes *client; /* NULL: of any */
    Bytes method; /* "hosting.Sites/Create", or all of "hosting.Sites" or "hosting"; empty: any */
    uint32_t states;      /* bits 1 << JobState; 0: any */
    Bytes step;           /* empty: any */
    Bytes resource;       /* empty: any */
    int64_t since_before; /* it has been in its state and step since before; 0: any */
    Bytes after;          /* the last id of the page before; empty: the first page */
    uint32_t most;        /* of the page; at most JOB_PAGE_MOST */
    JobListed content;
    bool ordered; /* those that have an order, and no owner; not with `client` */
} JobFilter;

/* The latest first. */
typedef void JobOnListed(void *owner, Result result, const JobRecord *const *jobs, uint32_t n);

/* ---- The operations -------------------------------------------------------------------------- */

typedef struct JobStorage JobStorage;
struct JobStorage {
    /* Stores the job, on disk. Given again after STORE_UNKNOWN, it is JOB_ACCEPTED_BEFORE. */
    void (*accept)(JobStorage *storage, const JobAdmission *admission, JobOnAccepted *on_accepted,
                   void *owner);

    /* The owner lives, and has its jobs for `lease` (nanoseconds) from `now`, the monotonic time of
       this call. If its lease was over before the answer comes, its jobs are released, and it is
       told that it has `lost` them: it has given them up by then. Also releases the jobs of owners
       that were silent for their lease, and reads orders. To be called before the first claim. */
    void (*renew)(JobStorage *storage, Bytes name, int64_t lease, int64_t now,
                  JobOnRenewed *on_renewed, void *owner);

    /* Takes what is due at `wall`: first jobs that have begun, then queued ones within the limits:
       of the greatest impact first, and by turns of their clients. `most`: JOB_CLAIM_MOST at most.
       One claim at a time. */
    void (*claim)(JobStorage *storage, Bytes name, const JobLimit *limits, uint32_t n_limits,
                  uint32_t most, int64_t wall, JobOnClaimed *on_claimed, void *owner);

    /* Writes position, step and failure; with `content` the responses, too. Clears the order,
       unless another one came since it was read: then `order` of what is claimed next has it.
       `release`: the job is nobody's afterwards. A job at rest is released always. */
    void (*write)(JobStorage *storage, const JobRecord *record, bool content, bool release,
                  int64_t wall, JobOnWritten *on_written, void *owner);

    /* Writes the position and the failure of a job that nobody has, as `record`, unless somebody
       has had it since it was read: for one that is at rest from now on, because nobody can execute
       it. */
    void (*abandon)(JobStorage *storage, const JobRecord *record, int64_t wall,
                    JobOnWritten *on_written, void *owner);

    /* All jobs of the owner are nobody's, and due: it stops. Its row goes, too. */
    void (*release_all)(JobStorage *storage, Bytes name, JobOnDone *on_done, void *owner);

    /* Notes the order, and makes the job due if nobody has it. */
    void (*order)(JobStorage *storage, Bytes id, const JobOrder *order, JobOnOrdered *on_ordered,
                  void *owner);

    void (*read)(JobStorage *storage, Bytes id, JobOnRead *on_read, void *owner);

    /* Of the resource: the unfinished job that is executed, else the latest one. */
    void (*find)(JobStorage *storage, Bytes resource, JobOnRead *on_read, void *owner);

    void (*list)(JobStorage *storage, const JobFilter *filter, JobOnListed *on_listed, void *owner);

    /* Jobs of this definition may begin again. */
    void (*unpark)(JobStorage *storage, Bytes definition, JobOnDone *on_done, void *owner);

    /* The job, of which `record` was read, is of this revision and structure from now on, and due;
       JOB_UNFIT: somebody has it, or has had it since. */
    void (*migrate)(JobStorage *storage, const JobRecord *record, uint32_t revision,
                    uint64_t structure, JobOnOrdered *on_migrated, void *owner);

    /* Deletes a job at rest; one that is not stays (JOB_UNFIT). */
    void (*remove)(JobStorage *storage, Bytes id, JobOnOrdered *on_removed, void *owner);
};

#endif
