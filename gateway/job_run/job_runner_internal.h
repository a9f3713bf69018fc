/* The inside of a runner, for the files of gateway/job_run only. */
#ifndef GATEWAY_JOB_RUNNER_INTERNAL_H
#define GATEWAY_JOB_RUNNER_INTERNAL_H

#include "base/arena.h"
#include "base/random.h"
#include "gateway/job_run/job_runner.h"

typedef enum HeldState {
    HELD_CALLS,     /* a call of it runs */
    HELD_WRITES,    /* its position is being written */
    HELD_UNWRITTEN, /* the store did not take it: it is written again */
} HeldState;

/* A job that the runner has. */
typedef struct HeldJob {
    struct HeldJob *next, **at;
    JobRunner *runner;
    Arena *arena;      /* of all that follows */
    JobRecord *record; /* as it is to be written; during a call as it was */
    HeldState state;

    /* While it is decided what comes next, and during a call; else NULL. */
    const JobDefinition *definition;
    void *held;

    bool uncalled;      /* nobody has ever called the current step, or may have */
    JobCallOrder order; /* of HELD_CALLS */
    void *call;

    bool content;     /* of the writing: with the responses */
    bool releases;    /* of the writing: it is nobody's afterwards */
    bool handed_over; /* nothing is begun any more, whatever its position says */
    JobOrder asked;   /* not carried out yet; record->order is what was, until that is written */
} HeldJob;

struct JobRunner {
    JobRunnerSettings settings;
    Bytes name; /* of the settings, on the heap */
    Random random;
    HeldJob *jobs;
    uint32_t n_jobs, n_calls, n_unwritten;
    bool stopping;

    /* The lease. Times are monotonic. */
    bool renews;  /* it is being renewed */
    bool ordered; /* somebody has got an order since that began */
    int64_t renew_at, renew_began;
    int64_t leased_until; /* 0: it has none */

    /* Claims. */
    bool claims;                     /* one is under way */
    bool more;                       /* there were as many as it asked for, or more */
    bool heard;                      /* something has changed since it began */
    uint32_t asked;                  /* how many it asks for */
    int64_t claimed_at, claim_until; /* when it began, and the lease ended then */
    int64_t look_at;                 /* the next one */

    int64_t repeat_at; /* what is unwritten is written again */
};

/* Whether calls may be begun. */
bool runner_may_act(const JobRunner *runner);

/* Plans the next turn. */
void runner_plan(JobRunner *runner);

/* ---- held_job.c ------------------------------------------------------------------------------ */

/* The runner has the job from now on; `in_time` false: it must not begin with it. */
void held_job_begin(JobRunner *runner, const JobRecord *record, bool in_time);

/* What is unwritten is written again. */
void held_job_write_again(HeldJob *job);

/* Its call is cancelled, and it is nobody's as soon as that is written. */
void held_job_hand_over(HeldJob *job);

/* Of an operator or a client. */
void held_job_take_order(HeldJob *job, const JobOrder *order);

/* Frees it, wherever it is. Its call is cancelled. */
void held_job_drop(HeldJob *job);

#endif
