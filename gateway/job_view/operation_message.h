/*
 * A job as a google.longrunning.Operation on its way to a client: job_messages.h has made the
 * message; here it gets what every job can tell, and the form that the client wants. Pure.
 */
#ifndef GATEWAY_OPERATION_MESSAGE_H
#define GATEWAY_OPERATION_MESSAGE_H

#include "adapters/program/plan.h"
#include "gateway/job/job_messages.h"
#include "gateway/job_store/job_record.h"

/* The type of the metadata, where the job's definition says nothing: one that each client knows,
   since some refuse an operation with a type that they have not. */
/* Why a job that is parked does not begin; what has failed was others' business. */
#define JOB_PARKED_REASON                                                                          \
    "it begins when an operator says so: too many jobs of its method have failed in the same way"

#define JOB_METADATA_TYPE "type.googleapis.com/google.protobuf.Struct"

/* Appends `state`, `step`, `failedStep`, `method`, `createTime` and `updateTime` as the operation's
   metadata, if it has none. */
void operation_add_metadata(const JobRecord *record, Bytes operation, Buffer *out);

/* The operation of a job whose definition is not in the config any more: with its error, but
   without its response. */
void operation_write_bare(const JobSources *sources, Buffer *out);

/* The JSON of an operation. `any`: the plan of details to JSON, of the version in which its
   response is (Details.to_json). The arena is that of `out`. */
void operation_write_json(Bytes operation, const Plan *any, Buffer *out);

/* A ListOperationsResponse: begun, each operation added, ended. `token` may be empty. */
typedef struct OperationList {
    Codec codec;
    Buffer out;
    uint32_t n;
} OperationList;
OperationList operation_list_in(Arena *arena, Codec codec);
void operation_list_add(OperationList *list, Bytes operation); /* in the codec */
void operation_list_end(OperationList *list, Bytes token);

#endif
