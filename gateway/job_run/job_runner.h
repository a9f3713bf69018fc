/*
 * JobRunner: executes the steps of jobs (gateway/job), for as long as it has their leases.
 *
 *      due, lease free --claim--> [position: written] --> [call] --> [position, response: written]
 *                                   ^                                     |
 *                                   +---- next step ----------------------+--> released: it waits,
 *                                                                              or is at rest
 *
 * One per gateway; gateways that share a store share its jobs. Before a step is called for the
 * first time it is stored that it has begun; so a job whose owner dies is taken over where it is,
 * and its call is made once more, with the same idempotency key. The lease is renewed while the job
 * is held; a job that somebody else has taken over meanwhile is dropped, and what is written for it
 * changes nothing (its token is old).
 *
 * A deterministic machine: the store, what executes calls, the definitions and the clock are tables
 * of functions. So a simulation runs it in memory (tests/unit/gateway/job_run). One loop, its
 * thread only.
 */
#ifndef GATEWAY_JOB_RUNNER_H
#define GATEWAY_JOB_RUNNER_H

#include "base/bytes.h"
#include "gateway/job/job_state.h"

typedef struct JobRunner JobRunner;
typedef struct JobStorage JobStorage; /* gateway/job_store */
typedef struct JobRecord JobRecord;
typedef struct JobDefinition JobDefinition; /* gateway/config/job_config.h */

/* ---- What executes calls --------------------------------------------------------------------- */

/* How the call of a step, or of its undo, has ended. Texts are valid during the event only. */
typedef struct JobCallEnd {
    JobEvent event;    /* JOB_SUCCEEDED, JOB_NOT_YET, JOB_REFUSED or JOB_BROKE */
    Bytes response;    /* a good one: protobuf, in the step's version; data NULL: there is none */
    const char *fault; /* of a failure: the name of its fault, "UPSTREAM_DOWN"; NULL: it is good */
    const char *code;  /* "UNAVAILABLE" */
    Bytes message;     /* for people */
} JobCallEnd;

typedef struct JobCallOrder {
    const JobDefinition *definition;
    const JobRecord *record; /* both outlive the call */
    uint32_t step;
    bool undo;
    Bytes key; /* for `idempotency-key`: the same for each call of this step of this job;
                        outlives the call */
    void (*on_end)(void *owner, const JobCallEnd *end); /* exactly once, unless it is cancelled */
    void *owner;
} JobCallOrder;

typedef struct JobBackend JobBackend;
struct JobBackend {
    /* Whether the step is to be executed: its `when`. */
    bool (*holds)(JobBackend *backend, const JobDefinition *definition, const JobRecord *record,
                  uint32_t step);
    /* Begins a call; on_end is not called before it returns. The result is for cancel. */
    void *(*call)(JobBackend *backend, const JobCallOrder *order);
    /* Its on_end is not called any more. It may have an effect all the same. */
    void (*cancel)(JobBackend *backend, void *call);
};

/* ---- Definitions ----------------------------------------------------------------------------- */

/* The current definitions, by which jobs are executed. */
typedef struct JobBook JobBook;
struct JobBook {
    /* The definition of the job's revision and structure, which stays as it is until it is
       released; NULL: there is none. *held_out is for release. */
    const JobDefinition *(*hold)(JobBook *book, const JobRecord *record, void **held_out);
    void (*release)(JobBook *book, void *held);
};

/* ---- The clock ------------------------------------------------------------------------------- */

typedef struct JobClock JobClock;
struct JobClock {
    int64_t (*now)(JobClock *clock);  /* monotonic nanoseconds */
    int64_t (*wall)(JobClock *clock); /* nanoseconds since 1970; it may jump */
    /* job_runner_wake is to be called at this monotonic time; in place of the one before. */
    void (*wake)(JobClock *clock, int64_t when);
};

/* ---- Who hears of jobs ----------------------------------------------------------------------- */

/* All of it is valid during the event only; functions may be NULL. */
typedef struct JobHearer JobHearer;
struct JobHearer {
    /* A position was written that tells something new: another state or step, or its end. */
    void (*on_change)(JobHearer *hearer, const JobRecord *record);
    /* A call of a step or an undo has ended. */
    void (*on_call)(JobHearer *hearer, const JobDefinition *definition, const JobRecord *record,
                    const JobCallOrder *order, const JobCallEnd *end);
    /* Nothing happens with the job until somebody acts: it has failed, its definition is missing,
       or its method is parked. `why` is a sentence. */
    void (*on_stuck)(JobHearer *hearer, const JobRecord *record, const char *why);
};

/* ---- The runner ------------------------------------------------------------------------------ */

typedef struct JobRunnerSettings {
    const JobStorage *storage;
    JobBackend *backend;
    JobBook *book;
    JobClock *clock;
    JobHearer *hearer; /* NULL: nobody */
    const char *owner; /* this process: no other one has this name, also none after it. Copied */
    int64_t lease;     /* nanoseconds; renewed after a third of it */
    int64_t beat;      /* nanoseconds between two looks at what is due */
    uint32_t most;     /* jobs that are held at the same time */
    uint64_t seed;     /* for jitter */
} JobRunnerSettings;

/* What the settings point to outlives it. It looks for jobs as soon as it is woken. */
JobRunner *job_runner_new(const JobRunnerSettings *settings);

/* Looks for jobs now: one was accepted, another gateway says that there is something to do, the
   time of JobClock.wake has come, or there are other definitions. */
void job_runner_wake(JobRunner *runner);

/* Takes no more jobs, and begins no more calls: each job is handed over as soon as its call has
   ended and that is stored. */
void job_runner_stop(JobRunner *runner);

/* After job_runner_stop: nothing is held any more. */
bool job_runner_is_idle(const JobRunner *runner);

/* Calls that still run are cancelled, and their jobs handed over; another owner makes these calls
   again. Frees the runner. The storage's callbacks for it do not come any more (the caller closes
   the storage's port). */
void job_runner_free(JobRunner *runner);

/* "ID-STEP", "ID-STEP-undo": the idempotency key of a step, by its name, or of its undo. */
Bytes job_step_key(Arena *arena, Bytes id, const char *step, bool undo);

#endif
