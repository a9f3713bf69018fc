/*
 * What the config says of jobs (gateway/job). Read-only; lives as long as the Config.
 */
#ifndef GATEWAY_JOB_CONFIG_H
#define GATEWAY_JOB_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

enum { JOB_STEPS_MOST = 63 /* bits of JobPosition.begun */ };

typedef enum JobStepKind {
    JOB_STEP_CALL,
    JOB_STEP_POLL,  /* a call that is repeated until its response says that something is done */
    JOB_STEP_TIME,  /* a wait of `wait` */
    JOB_STEP_EVENT, /* a wait for an event from outside, of `wait` at most */
} JobStepKind;

/* What the state needs to know of a step. Times in nanoseconds. */
typedef struct JobStepRules {
    JobStepKind kind;
    bool graceful; /* if it fails, the job goes on */
    bool has_undo;
    int64_t retry_for;                    /* from its first try: no try begins later */
    int64_t initial_backoff, max_backoff; /* before the next try */
    int64_t every;                        /* JOB_STEP_POLL: between two calls */
    int64_t wait;                         /* POLL, TIME, EVENT: how long at most; TIME: exactly */
} JobStepRules;

typedef struct JobRules {
    const JobStepRules *steps;
    uint32_t n_steps; /* 1 to JOB_STEPS_MOST */
} JobRules;

#endif
