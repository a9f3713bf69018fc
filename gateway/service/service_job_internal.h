/* The definition of a job while it is compiled: for service_job*.c. */
#ifndef GATEWAY_SERVICE_JOB_INTERNAL_H
#define GATEWAY_SERVICE_JOB_INTERNAL_H

#include "gateway/service/service_internal.h"

typedef struct JobDraft {
    ConfigReader *reader;
    const Passerelle__Config__Job *text;
    const char *path;  /* "jobs[0]" */
    const Schema *own; /* job.proto */
    Method *method;
    JobDefinition *definition;
    JobStep *steps;      /* of the definition */
    JobStepRules *rules; /* likewise */
    PlaceNames names;    /* of the steps, and "job" */
    const MessageType *envelope;
} JobDraft;

/* "jobs[0].steps[2]" */
const char *job_step_path(const JobDraft *draft, uint32_t step);

/* The source of a path, which is noted in `needs`. False: a mistake, which was reported. */
bool job_take_source(const JobDraft *draft, const char *said, const char *path, JobNeeds *needs,
                     uint32_t *source_out, Bytes *rest_out);

/* service_job_steps.c: kinds, methods and times of the steps. Then, with the envelope, what each is
   asked, and its conditions. */
void job_read_steps(JobDraft *draft);
MUST_USE Result job_make_steps(JobDraft *draft);

/* A plan that makes JSON of a message of the method's version, for operators. */
MUST_USE Result job_make_shown(ConfigReader *reader, const Method *method, const MessageType *type,
                               const Plan **plan_out);

/* service_job_views.c: what clients see of the job, and as the response of a method that reads,
   which is view->method. */
MUST_USE Result job_make_views(JobDraft *draft);
MUST_USE Result job_make_read(JobDraft *draft, const Passerelle__Config__JobRead *said,
                              const char *path, JobView *view);

/* service_job_resource.c: what it works on; Method.job of all methods that have to do with it. */
MUST_USE Result job_make_resource(JobDraft *draft);
void job_claim_method(JobDraft *draft, Method *method, const char *path, const JobMethod *said);

#endif
