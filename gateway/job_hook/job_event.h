/*
 * JobEvent: what a webhook is told of a job: a CloudEvent (1.0, JSON), named as a state:
 *
 *      {"specversion": "1.0", "id": "01jd...-7", "type": "passerelle.job.done", ..., "data": {...}}
 *
 * It says what clients may see of the job without the messages; docs/jobs.md has the members. What
 * `ledger.redact` hides is not in it. Pure; any thread.
 */
#ifndef GATEWAY_JOB_EVENT_H
#define GATEWAY_JOB_EVENT_H

#include "gateway/job_store/job_record.h"

#define JOB_EVENT_TYPE "application/cloudevents+json"

/* Whether the webhook asks for this state of this job. */
bool job_event_is_wanted(const JobWebhookConfig *webhook, const JobRecord *record);

/* "01jd2v7w3zcmq9e3f5h8k0n4rt-7": of each thing that is told of a job another one. In the arena. */
const char *job_event_id(Arena *arena, Bytes job, uint64_t number);

/* At the end of the buffer, as of `wall`, when the job has come to its state. */
void job_event_write(const Config *config, const JobRecord *record, int64_t wall, Buffer *out);

/* The member "resource", unless the job has none. Its key is a field of the request, and as secret
   as that. */
void job_event_add_resource(const Config *config, const JobRecord *record, Buffer *out);

#endif
