/*
 * What the config says of jobs (gateway/job): slow work in steps, which a method begins. Compiled
 * by gateway/service. Read-only; lives as long as the Config. Times in nanoseconds, bits of steps:
 * bit i is step i.
 *
 * A definition is written in one version of its service: its request, and what is made of it, are
 * messages of that version. Each step is a call in the version of its own service that it names.
 */
#ifndef GATEWAY_JOB_CONFIG_H
#define GATEWAY_JOB_CONFIG_H

#include "base/fields.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Config Config;
typedef struct Method Method;
typedef struct Route Route;
typedef struct Plan Plan;
typedef struct FieldType FieldType;
typedef struct MessageType MessageType;

enum { JOB_STEPS_MOST = 63 /* bits of JobPosition.begun */ };

/* ---- What the state needs -------------------------------------------------------------------- */

typedef enum JobState {
    JOB_QUEUED,  /* accepted: no step has begun */
    JOB_RUNNING, /* a call is being made, or will be as soon as somebody has the lease */
    JOB_WAITING, /* for a time, an event, or the next try */
    JOB_FAILED,  /* a loud step has failed, or an undo; nothing happens any more by itself */
    JOB_UNDOING, /* its steps are being undone */
    JOB_UNDONE,
    JOB_DONE,
    JOB_STATES,
} JobState;

typedef enum JobStepKind {
    JOB_STEP_CALL,
    JOB_STEP_POLL,  /* a call that is repeated until its response says that something is done */
    JOB_STEP_TIME,  /* a wait of `wait` */
    JOB_STEP_EVENT, /* a wait for an event from outside, of `wait` at most */
} JobStepKind;

typedef struct JobStepRules {
    JobStepKind kind;
    bool graceful; /* if it fails, the job goes on */
    bool has_undo;
    int64_t retry_for;                    /* from its first try: no try begins later */
    int64_t initial_backoff, max_backoff; /* before the next try */
    int64_t every;                        /* JOB_STEP_POLL: between two calls */
    int64_t wait;                         /* POLL, TIME, EVENT: how long at most; TIME: exactly */
    uint64_t needs; /* bit i: its call is made of the response of step i, or of one that is */
} JobStepRules;

typedef struct JobRules {
    const JobStepRules *steps;
    uint32_t n_steps; /* 1 to JOB_STEPS_MOST */
} JobRules;

/* ---- Messages -------------------------------------------------------------------------------- */

/* The sources of an envelope (adapters/place) that a plan reads: 0 is the request, i + 1 the
   response of step i, and n_steps + 1 the job itself. */
typedef struct JobNeeds {
    uint64_t steps; /* bits */
    bool request, job;
} JobNeeds;

/* The fields of the job itself, by their numbers. All are strings, but for JOB_CREATED. */
typedef enum JobField {
    JOB_ID = 1,
    JOB_NAME,    /* of its google.longrunning.Operation */
    JOB_LINK,    /* its address for REST */
    JOB_STATE,   /* "running" */
    JOB_STEP,    /* the name of the current one */
    JOB_REASON,  /* of its failure */
    JOB_KEY,     /* of the step's call, or of its undo's: its idempotency key */
    JOB_CREATED, /* a google.protobuf.Timestamp */
    JOB_FIELDS = JOB_CREATED,
} JobField;

/* A field has one of these values, or with `unless` none of them. One that is not set is "", 0 or
   false. */
typedef struct JobCondition {
    uint32_t source;              /* of the envelope */
    const FieldType *const *path; /* in the message of the source; ends with NULL */
    bool unless;
    const Bytes *texts;     /* of a string; else NULL: */
    const int64_t *numbers; /* whole numbers, numbers of an enum, false and true */
    uint32_t n;
} JobCondition;

/* How a state is told in a field: by a word, or by a number of an enum. */
typedef struct JobWord {
    Bytes text;
    int32_t number;
} JobWord;

/* A message in another version. */
typedef struct MessageConversion {
    const MessageType *type; /* NULL: that version has none */
    const Plan *plan;        /* protobuf to protobuf; NULL: it is the same message */
} MessageConversion;

/* A job as a message: what clients see of it. */
typedef struct JobView {
    const Method *method;          /* whose response it is, or whose operation's */
    const MessageType *type;       /* in the definition's version */
    const Plan *plan;              /* an envelope to it, without the state */
    JobNeeds needs;                /* of the plan */
    const FieldType *const *state; /* path of a string or enum, ending with NULL; NULL: none */
    JobWord words[JOB_STATES];     /* of `state` */
    const MessageConversion *to;   /* [version index of the service] */
} JobView;

/* ---- Steps ----------------------------------------------------------------------------------- */

/* One call: of a step, or of its undo. */
typedef struct JobCall {
    const Method *method; /* unary, in the version in which it is called */
    const Route *route;   /* its method's, without fallbacks: a job needs the true response */
    const Plan *request;  /* an envelope to its request */
    const Plan *check;    /* its response to the same, if it can be read; NULL: of an undo */
    const Plan *shown;    /* its response to JSON, for operators; NULL: of an undo */
    JobNeeds needs;
    bool honours_key; /* so the config declares: calls with the same idempotency key take effect
                         once. False: the schema declares that repeated calls do no harm */
    int64_t timeout;  /* of one try */
    const Fields *metadata; /* of the config: the gateway's credentials; may be NULL */
} JobCall;

typedef struct JobStep {
    const char *name;          /* letters, digits and _ */
    JobStepRules rules;        /* JobDefinition.rules has the same */
    const JobCall *call;       /* NULL: JOB_STEP_TIME, JOB_STEP_EVENT */
    const JobCall *undo;       /* NULL: none */
    const JobCondition *when;  /* NULL: always. Of the request and of earlier steps */
    const JobCondition *until; /* JOB_STEP_POLL: of its own response. Else NULL */
    const JobCondition *fails; /* JOB_STEP_POLL: it will never be so; NULL: nothing says that */
    const char *event;         /* JOB_STEP_EVENT: its name; else NULL */
} JobStep;

/* ---- Definitions ----------------------------------------------------------------------------- */

typedef enum JobBusy { JOB_BUSY_REFUSE, JOB_BUSY_QUEUE } JobBusy;

/* What a job works on. Jobs with the same kind and key are of the same thing. */
typedef struct JobResource {
    const char *kind;            /* "site"; NULL: the definition has none, and the rest is unset */
    const FieldType *const *key; /* path of a text or whole number in the request, ending with NULL;
                                    NULL: the job's own id */
    JobBusy busy;                /* another unfinished one of the same thing */
    const JobView *const *reads; /* of methods that are answered from the job: JobView.method */
    uint32_t n_reads;
} JobResource;

/* When the gateways accept a job by themselves: one of them each time. */
typedef struct JobSchedule {
    int64_t every; /* 0: not so, but */
    int64_t at;    /* each day at this time after midnight, UTC */
    Bytes request; /* in the definition's version, protobuf */
} JobSchedule;

typedef struct JobDefinition {
    const char *name;     /* its method: "hosting.Sites/Create", of all revisions */
    const Method *method; /* in the version in which it is written */
    uint32_t revision;
    bool accepts;       /* new jobs: it has the largest revision */
    uint64_t structure; /* hash of what must not change under a job: version, names, kinds, methods,
                           versions and undos of the steps, in their order. Not of times, paths, or
                           limits */
    const Plan *shown;  /* the request to JSON, for operators */
    const JobStep *steps;
    JobRules rules;
    JobView view;      /* the response of the method; is_operation: what its operation results in */
    bool is_operation; /* the response is a google.longrunning.Operation */
    const JobView *metadata; /* is_operation: of the operation; NULL: none */
    JobResource resource;
    const char *const *forward; /* fields of the caller's request that the job keeps, and that each
                                   step gets: names in lower case, ending with NULL */
    size_t bytes;               /* of the request and all responses together */
    uint32_t running, running_per_client, queued_per_client;
    uint32_t retrying, retrying_per_client; /* that wait for another try */
    uint64_t stored_per_client;             /* bytes */
    int64_t keep;                           /* after its end */
    uint32_t park_after;                    /* failures of the same kind, one after the other */
    const JobSchedule *schedule;            /* NULL: none */
} JobDefinition;

/* ---- Methods --------------------------------------------------------------------------------- */

typedef enum JobUse {
    JOB_BEGINS,  /* a call begins a job */
    JOB_READS,   /* is answered from an unfinished job, else by instances */
    JOB_BLOCKED, /* is refused while a job is unfinished, else answered by instances */
} JobUse;

/* What a method has to do with jobs: Method.job, in the version of the definitions. */
typedef struct JobMethod {
    JobUse use;
    const JobDefinition *definition; /* JOB_BEGINS: the one that accepts; else NULL */
    const char *kind;                /* of the resource; NULL: JOB_BEGINS without one */
    const FieldType *const *key;     /* in its request, as JobResource.key */
} JobMethod;

/* The definition; NULL: the config has none of this name and revision. */
const JobDefinition *config_find_job(const Config *config, Bytes name, uint32_t revision);

/* How a definition shows its job as the response of a method that reads it, in any version of its
   service: job_represent converts it. NULL: it says nothing of that method. */
const JobView *job_view_for(const JobDefinition *definition, const Method *method);

#endif
