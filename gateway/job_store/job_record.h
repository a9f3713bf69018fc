/*
 * JobRecord: one job, as it is stored: what it is, how far it has come (gateway/job), and who has
 * its lease.
 *
 * Texts and messages are borrowed, or live in the arena that the record was read into. Times are
 * wall nanoseconds since 1970.
 */
#ifndef GATEWAY_JOB_RECORD_H
#define GATEWAY_JOB_RECORD_H

#include "base/call.h"
#include "base/fields.h"
#include "gateway/config/config.h"
#include "gateway/identity/identity.h"
#include "gateway/job/job_id.h"
#include "gateway/job/job_state.h"

/* Why a job has failed, or is being undone. `fault` empty: it has not. */
typedef struct JobFailure {
    Bytes step;    /* its name */
    Bytes fault;   /* "UPSTREAM_DOWN" */
    Code code;     /* of its last call */
    Bytes message; /* for people; job_failure_add_undo appends to it */
} JobFailure;

/* What an operator, a client, or an event from outside asks of a job. `given` false: nothing. */
typedef struct JobOrder {
    bool given;
    JobEvent event; /* JOB_CANCEL, JOB_RETRY, JOB_SKIP, JOB_UNDO or JOB_ARRIVED */
    Bytes who, why;
} JobOrder;

typedef struct JobRecord {
    Bytes id;         /* gateway/job/job_id.h */
    Bytes definition; /* its name, "hosting.Sites/Create" */
    uint32_t revision;
    uint64_t structure; /* of the definition that it was accepted by */
    Bytes client;       /* as identity_shown gives it; empty: the gateway itself (schedules) */
    Bytes resource;     /* "site/NAME", or empty. Of all unfinished jobs of the same one, one is
                           executed at a time, in the order in which they were accepted */
    Bytes request_id;   /* of the call that began it */
    Impact impact;      /* of its route */
    int64_t created;
    int64_t keep; /* nanoseconds after its end; then it is deleted */

    JobPosition position;
    Bytes step;      /* the name of the current one; empty while it is queued */
    int64_t since;   /* that it has been in this state and step; set by the store */
    int64_t changed; /* when it was written last; set by the store */
    uint64_t told;   /* gateway/job/job_told.h */
    bool is_news;    /* of a writing: this position is to be told */

    /* The content: sealed in the store. Messages are protobuf. */
    Bytes request;            /* in the definition's version */
    Fields forwarded;         /* of the caller's request, for each step */
    const Identity *identity; /* of who began it: each step must be allowed to it. NULL: the gateway
                                 itself */
    Bytes responses[JOB_STEPS_MOST]; /* in the versions of the steps; data NULL: none */
    JobFailure failure;
    Bytes damage; /* not empty: the content cannot be read, and why; what is above is empty then.
                     The job must not be executed */

    /* The lease. */
    Bytes owner;    /* empty: nobody has it */
    uint64_t token; /* fencing: larger with each owner; what is written with an older one is lost */
    JobOrder order; /* for the owner, who clears it with what it writes */
    bool behind;    /* another job is executed first on its resource */
    Bytes parked; /* not empty: it is queued, and jobs of its definition do not begin: the step and
                     the fault of those that have failed */
} JobRecord;

/* By which it is executed: that of its revision, if that has its structure. NULL: the config has
   none. */
const JobDefinition *job_definition_of(const Config *config, const JobRecord *record);

/* One that begins now, at this wall time. `id` and the definition's name are borrowed; who asks for
   it, what and of which thing is still to be filled in. */
JobRecord job_record_of(const JobDefinition *definition, Bytes id, int64_t wall);

/* What it counts for, of what a client may have stored: its request, the fields that are forwarded,
   and JOB_ROW for the rest. What services respond does not count. */
enum { JOB_ROW = 1024 };
int64_t job_record_size(const JobRecord *record);

/* A copy of all of it, in the arena. */
JobRecord *job_record_copy(const JobRecord *record, Arena *arena);

/* An undo has failed for good, too: what has failed first stays the failure, and its message tells
   of the undo behind those of other steps. What was none becomes the undo's. Borrows from both. */
JobFailure job_failure_add_undo(const JobFailure *first, const JobFailure *undo, Arena *arena);

/* What is told of it to those who are no operators: what the service said, and why it was
   cancelled; else the kind of failure. `full`: all of it. */
Bytes job_failure_told(const JobFailure *failure, bool full);

/* The message of what has failed first, alone. */
Bytes job_failure_cause(Bytes message);

/* The step that has failed the job, or because of which it is undone; empty: none, or it was
   cancelled. */
Bytes job_failed_step(const JobRecord *record);

/* What its order comes to where no gateway can execute it: one that is cancelled ends, and nothing
   of it is undone; one at rest stays so. False: it waits for its definition. Texts are in the
   arena. */
bool job_give_up(JobRecord *record, Arena *arena);

/* Whether the order fits a job in that state. */
bool job_order_fits(JobEvent order, JobState state);

#endif
