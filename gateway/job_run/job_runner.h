/*
 * JobRunner: executes the steps of jobs (gateway/job) while it has their leases.
 *
 *      due --claim--> [written: the step has begun] --call--> [written: position and response]
 *                         ^                                         |
 *                         +------------ the next step --------------+--> released: the job waits,
 *                                                                        or is at rest
 *
 * One per gateway; gateways that share a store share its jobs. Before a step is called for the
 * first time it is stored that it has begun. So a job whose owner dies is taken over where it is,
 * and its call is made once more, with the same idempotency key. A runner that could not renew its
 * lease in time cancels its calls and hands its jobs over; what it still writes for a job that
 * somebody else has taken over changes nothing, because its token is an old one.
 *
 * A deterministic machine: the store, what executes calls, the definitions and the clock are tables
 * of functions, so that a simulation runs it in memory
 * (tests/unit/gateway/job_run/test_job_simulation.c). One loop, its thread only.
 */
#ifndef GATEWAY_JOB_RUNNER_H
#define GATEWAY_JOB_RUNNER_H

#include "gateway/job_store/job_storage.h"

typedef struct JobRunner JobRunner;

/* ---- What executes calls --------------------------------------------------------------------- */

/* How a call has ended. Texts live during the event only. */
typedef struct JobCallEnd {
    JobEvent event;     /* JOB_SUCCEEDED, JOB_NOT_YET, JOB_REFUSED, JOB_BROKE; or JOB_DECLINED: this
                           call has had no effect; what is known of others does not matter */
    Bytes response;     /* JOB_SUCCEEDED: protobuf, in the version of the step */
    JobFailure failure; /* of the last three */
} JobCallEnd;

typedef struct JobCallOrder {
    const JobDefinition *definition;
    const JobRecord *record; /* it and the definition outlive the call */
    uint32_t step;
    bool undo;
    Bytes key; /* for `idempotency-key`: the same for each call of this step of this job; outlives
                  the call */
    void (*on_end)(void *owner, const JobCallEnd *end); /* exactly once, unless it is cancelled */
    void *owner;
} JobCallOrder;

typedef struct JobBackend JobBackend;
struct JobBackend {
    /* Whether the step is to be executed: its `when`. */
    bool (*holds)(JobBackend *backend, const JobDefinition *definition, const JobRecord *record,
                  uint32_t step);
    /* Begins a call; on_end is not called before it returns. The result is for `cancel`. */
    void *(*call)(JobBackend *backend, const JobCallOrder *order);
    /* Its on_end is not called any more. It may have an effect all the same. */
    void (*cancel)(JobBackend *backend, void *call);
};

/* ---- Definitions ----------------------------------------------------------------------------- */

/* The current definitions, by which jobs are executed. */
typedef struct JobBook JobBook;
struct JobBook {
    /* The definition of the job's revision and structure, which stays as it is until it is
       released; NULL: there is none. *held_out is for `release`. */
    const JobDefinition *(*hold)(JobBook *book, const JobRecord *record, void **held_out);
    void (*release)(JobBook *book, void *held);
    /* All that there are, for a claim. They live during the claim only. */
    const JobLimit *(*limits)(JobBook *book, uint32_t *n_out);
};

/* ---- The clock ------------------------------------------------------------------------------- */

typedef struct JobClock JobClock;
struct JobClock {
    int64_t (*now)(JobClock *clock);  /* monotonic nanoseconds */
    int64_t (*wall)(JobClock *clock); /* nanoseconds since 1970; may jump: job_time.h */
    /* job_runner_turn is to be called at this monotonic time, in place of the one before. */
    void (*wake)(JobClock *clock, int64_t when);
};

/* ---- Who hears of jobs ----------------------------------------------------------------------- */

/* What the functions are given lives during the event only. */
typedef struct JobHearer JobHearer;
struct JobHearer {
    /* Its position was written. */
    void (*on_change)(JobHearer *hearer, const JobRecord *record);
    /* A call of a step or an undo has ended. */
    void (*on_call)(JobHearer *hearer, const JobCallOrder *order, const JobCallEnd *end);
    /* Nothing happens with the job until somebody acts. `why` is a sentence. */
    void (*on_stuck)(JobHearer *hearer, const JobRecord *record, const char *why);
};

/* ---- The runner ------------------------------------------------------------------------------ */

typedef struct JobRunnerSettings {
    JobStorage *storage;
    JobBackend *backend;
    JobBook *book;
    JobClock *clock;
    JobHearer *hearer;
    const char *name; /* no other runner has it, and none has had it before. Copied */
    int64_t lease;    /* nanoseconds; renewed after a third of it */
    int64_t beat;     /* nanoseconds between two looks at what is due */
    uint32_t most;    /* jobs that are held at the same time */
    uint64_t seed;    /* for jitter */
} JobRunnerSettings;

/* What the settings point to outlives it. Begins with the first job_runner_turn. Never NULL. */
JobRunner *job_runner_new(const JobRunnerSettings *settings);

/* Does what is due. */
void job_runner_turn(JobRunner *runner);

/* The job has changed: it was accepted, has got an order, or another gateway has released it.
   Empty: some have. */
void job_runner_hear(JobRunner *runner, Bytes id);

/* Some jobs have got orders, perhaps those that it has: it asks for them at once. */
void job_runner_hear_order(JobRunner *runner);

/* Takes no more jobs and begins no more calls: each job is handed over when its call has ended and
   that is stored. */
void job_runner_stop(JobRunner *runner);

/* Jobs that it has. */
uint32_t job_runner_held(const JobRunner *runner);

/* Cancels the calls that still run, and hands over their jobs, whose new owners make these calls
   again. Afterwards the storage must be closed, so that no completion of it comes any more. NULL is
   allowed. */
void job_runner_free(JobRunner *runner);

/* "ID-STEP", "ID-STEP-undo": the idempotency key of a step, by its name, or of its undo. */
Bytes job_step_key(Arena *arena, Bytes id, const char *step, bool undo);

#endif
