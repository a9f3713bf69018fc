/*
 * JobContent: the messages of a job as one text, protobuf (job_content.proto), for a sealed column.
 * Pure; any thread.
 */
#ifndef GATEWAY_JOB_CONTENT_H
#define GATEWAY_JOB_CONTENT_H

#include "base/result.h"
#include "gateway/job_store/job_record.h"

/* Request, forwarded fields, responses and who began it, at the end of the buffer. */
void job_content_write(const JobRecord *record, Buffer *out);

/* Sets them in the record, from the arena. Fault: STORE_DAMAGED (no such message; a response of a
   step that no job has); the record is as it was then. */
MUST_USE Result job_content_read(Bytes text, Arena *arena, JobRecord *record);

#endif
