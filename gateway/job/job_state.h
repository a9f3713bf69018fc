/*
 * JobPosition: how far a job has come, and what happens to it next.
 *
 *      queued -> running <-> waiting -> ... -> done
 *                   |           |
 *                   +-> failed -+-> undoing <-> (waits) -> undone
 *
 * A job executes its steps in order. A step is a call, or a wait. Calls that fail are repeated as
 * the step says, always with the same idempotency key; if that does not help, a graceful step is
 * passed over, and a loud one fails the job: if any step that it has begun has an `undo`, these are
 * called in reverse order, else the job stays `failed` until an operator says what is to be done.
 * A step may have had an effect as soon as it has begun, so that its undo is called even if nobody
 * knows how its last call ended. Only one that is known to have had none (JOB_DECLINED) is not
 * undone: its undo would hit what others have made.
 *
 * An undo that fails for good keeps back the undos of the steps that its own step is built on
 * (JobStepRules.needs), for what it has made may still be there. All others are called. Then the
 * job has failed, at the last one of the steps whose undos have failed.
 *
 * Pure: without store, loop, clock or chance. Times are wall nanoseconds since 1970, because they
 * outlive the process; whoever reads them must bear a clock that jumps (job_is_due).
 */
#ifndef GATEWAY_JOB_STATE_H
#define GATEWAY_JOB_STATE_H

#include "base/bytes.h"
#include "gateway/config/job_config.h"

typedef struct JobPosition {
    JobState state;
    uint32_t step;        /* the current one; JOB_UNDOING: the one that is being undone */
    uint64_t begun;       /* bit i: step i may have had an effect */
    uint64_t undone;      /* bit i: there is nothing to undo of it: its undo has been called with
                             success, or was skipped; or it was declined */
    uint64_t undo_failed; /* bit i: the undo of step i has failed for good */
    bool undoing;         /* also of a failed one: it was an undo that failed */
    uint32_t tries;       /* calls of the step, or of its undo, that have ended */
    int64_t step_began;   /* 0: not yet */
    int64_t due;          /* nothing is to be done before; 0: at once. Not of an end state */
    bool cancelled;       /* it is to be undone as soon as its call has ended */
} JobPosition;

/* What has happened. */
typedef enum JobEvent {
    JOB_TAKEN,     /* its owner begins, or goes on: it is due */
    JOB_SUCCEEDED, /* the call was good */
    JOB_NOT_YET,   /* JOB_STEP_POLL: the call was good, but what it asks for is not done */
    JOB_REFUSED,  /* the call has failed, and would again: a mistake in it, a method that is gone */
    JOB_DECLINED, /* JOB_REFUSED, and no call of the step has had an effect: of an undo the same as
                     JOB_REFUSED */
    JOB_BROKE, /* the call has failed; another try may succeed. Also: nobody knows how it ended */
    JOB_PASSED_OVER, /* the step is not to be executed: its `when` does not hold */
    JOB_ARRIVED,     /* JOB_STEP_EVENT: the event */
    /* From operators and clients: */
    JOB_CANCEL,
    JOB_RETRY, /* of a failed one: its step is tried again, or its undo */
    JOB_SKIP,  /* of a failed one: it goes on behind its step, or behind its undo */
    JOB_UNDO,  /* of a failed or done one */
} JobEvent;

/* What its owner has to do at a position. */
typedef enum JobAct {
    JOB_ACT_CALL, /* step `step` */
    JOB_ACT_UNDO, /* the undo of step `step` */
    JOB_ACT_WAIT, /* until `due`: then JOB_TAKEN; or for an event */
    JOB_ACT_REST, /* nothing */
} JobAct;

JobPosition job_accepted(int64_t wall);

/* The position after an event. False: the event does not fit the position, which stays as it is.
   `random`: any number, for jitter. */
bool job_next(const JobRules *rules, JobPosition *position, JobEvent event, int64_t wall,
              uint64_t random);

JobAct job_act(const JobPosition *position);

/* Whether it is time. A time that is further away than the step can ever wait was written by a
   clock that has jumped since: it is time then. */
bool job_is_due(const JobRules *rules, const JobPosition *position, int64_t wall);

/* Nothing happens any more by itself. */
bool job_is_at_rest(JobState state);

/* "queued". */
const char *job_state_name(JobState state);
bool job_state_of(Bytes name, JobState *state_out);

#endif
