/*
 * JobPlay: what is to become of one job in a simulation: what its steps are, and what each of their
 * calls comes to in the end, however often it is interrupted.
 *
 * job_play_end is the model: it says how such a job has to end, and what of it has an effect. It
 * knows no time, no store, no gateways and no machine: it is written to be obvious.
 */
#ifndef TESTS_JOB_PLAY_H
#define TESTS_JOB_PLAY_H

#include "base/random.h"
#include "gateway/config/job_config.h"

enum { PLAY_STEPS = 6 };

typedef enum Fate {
    FATE_GOOD,
    FATE_BREAKS,  /* a few calls fail before it is good */
    FATE_LOSES,   /* it is good, but a few responses are lost */
    FATE_REFUSED, /* each call is refused */
    FATE_BROKEN,  /* each call breaks, for longer than it is tried */
    FATE_NEVER,   /* of a poll or an event: what it waits for does not come about */
} Fate;

/* What an operator does when the job has failed. */
typedef enum Remedy { REMEDY_NONE, REMEDY_RETRY, REMEDY_SKIP, REMEDY_UNDO } Remedy;

typedef struct StepPlay {
    JobStepKind kind;
    bool passed_over; /* its `when` does not hold */
    bool graceful;
    Fate fate;
    uint32_t n; /* calls that are not good yet, of FATE_BREAKS, FATE_LOSES, and of a poll */
    bool has_undo;
    Fate undo;
    uint64_t needs; /* bit i: step i, and all that that one needs */
    bool cancelled; /* the job is cancelled while it waits here: JOB_STEP_EVENT, FATE_NEVER */
} StepPlay;

typedef struct JobPlay {
    uint32_t n_steps;
    StepPlay steps[PLAY_STEPS];
    Remedy remedy;        /* of the first failure; a retry is good then */
    bool cancelled_early; /* it is cancelled at any time, so that it may also end as undone */
} JobPlay;

typedef struct JobEnd {
    JobState state;
    bool effect[PLAY_STEPS], undone[PLAY_STEPS]; /* what had an effect: the call, its undo */
} JobEnd;

JobPlay job_play_any(Random *random);

/* `declined`: of these steps the only call was refused, and its caller has heard that: they are not
   undone. Which of the refused ones that are is a matter of chance, not of the model. */
JobEnd job_play_end(const JobPlay *play, const bool declined[PLAY_STEPS]);

#endif
