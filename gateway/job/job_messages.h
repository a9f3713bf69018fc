/*
 * The messages of a job: what its steps are asked, what their responses mean, and what clients see
 * of it. Pure functions of its definition and of what is stored of it: without store, loop or
 * clock.
 *
 *      request, responses, the job itself --> [ envelope ] -> [ plan of a step ]   -> its request
 *                                                          -> [ plan of a view ]   -> state and
 * result
 *
 * All results are in the arena that is given, or borrow from the sources.
 */
#ifndef GATEWAY_JOB_MESSAGES_H
#define GATEWAY_JOB_MESSAGES_H

#include "base/call.h"
#include "base/result.h"
#include "gateway/config/config.h"
#include "gateway/job/job_state.h"

/* Before a job's id: its name as a google.longrunning.Operation, and its address for REST. */
#define JOB_NAME_PREFIX "operations/"
#define JOB_LINK_PREFIX "/v1/operations/"

/* What is known of a job. Messages are protobuf in the versions of the definition and its steps. */
typedef struct JobSources {
    Bytes id;
    Bytes request;
    const Bytes *responses; /* [step]; data NULL: there is none */
    const JobPosition *position;
    int64_t created; /* wall nanoseconds since 1970 */
    Code code;       /* of its failure, or of what it is being undone for; CODE_OK: none */
    Bytes reason;    /* likewise, for people; may be empty */
    Bytes failed;    /* the name of the step that has failed the job; empty: none has */
} JobSources;

/* The request of a step, or of its undo; `key` is its idempotency key. Fails if it needs a response
   that is missing although its step has begun; what comes from a step that was passed over, because
   of its `when`, stays unset. */
MUST_USE Result job_make_request(const JobDefinition *definition, uint32_t step, bool undo,
                                 Bytes key, const JobSources *sources, Arena *arena,
                                 Bytes *request_out);

/* Whether the step is to be executed: its `when`. */
bool job_when_holds(const JobDefinition *definition, uint32_t step, const JobSources *sources);

/* What a good response of a step means: JOB_SUCCEEDED; of a JOB_STEP_POLL also JOB_NOT_YET, or
   JOB_REFUSED: it will never be as it should. Fails if the response cannot be read:
   UPSTREAM_MESSAGE, and what plan_run says of itself. */
MUST_USE Result job_response_means(const JobDefinition *definition, uint32_t step, Bytes response,
                                   Arena *arena, JobEvent *means_out);

/* The job as a message of `version`, one of the view's service; NULL: of the definition's version.
   CANNOT_CONVERT: that version has no such message. */
MUST_USE Result job_represent(const JobDefinition *definition, const JobView *view,
                              const JobSources *sources, const Version *version, Arena *arena,
                              Bytes *message_out);

/* The job as a google.longrunning.Operation: its result, and its metadata, are in `version`, as
   above. It is done when the job is at rest: with a response if the job is done, else with an
   error. An operator may wake a failed job: then it is not done any more. */
MUST_USE Result job_operation(const JobDefinition *definition, const JobSources *sources,
                              const Version *version, Arena *arena, Bytes *operation_out);

/* Appends why the job has failed, or was undone, as the operation's error: it needs no definition.
   The arena is that of `out`. */
void job_add_error(const JobSources *sources, Buffer *out);

/* What a call of the method is about: "site/NAME", for JobRecord.resource. `id`: of the job that it
   begins, else empty. Empty: the method has to do with no resource, or the request does not say
   which: a call of JOB_BEGINS with a `kind` is a mistake of the client then, and any other one is
   about nothing that a job works on. Fails only if the arena is full. */
MUST_USE Result job_resource(const JobMethod *method, Bytes request, Bytes id, Arena *arena,
                             Bytes *resource_out);

#endif
