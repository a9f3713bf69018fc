/*
 * JobCaller: the JobBackend of a gateway. Each call of a step or an undo is an Exchange, so that
 * versions, routing, limits, the log and the ledger treat it as any other call. It is one of the
 * gateway itself: with what the definition sends along, with the fields that the job has kept of
 * its client's request, and with the idempotency key.
 *
 * A failure is a refusal if the same call would fail again: the service says so by its code, or it
 * is a mistake of the definition. All others are worth another try. A refusal is JOB_DECLINED if
 * the service has heard of the call once, and has said no; or never. One loop, its thread only.
 */
#ifndef GATEWAY_JOB_CALLER_H
#define GATEWAY_JOB_CALLER_H

#include "gateway/job/job_messages.h"
#include "gateway/job_run/job_runner.h"
#include "gateway/loop/loop.h"

typedef struct JobCaller {
    JobBackend backend; /* first */
    Loop *loop;
} JobCaller;

void job_caller_init(JobCaller *caller, Loop *loop);

/* What messages are made of. Borrows from the record. */
JobSources job_sources_of(const JobRecord *record);

/* JOB_REFUSED or JOB_BROKE, without regard to effects: what the failure of a call means. `fault` is
   the gateway's; NULL: the service returned the code. */
JobEvent job_failure_means(const Fault *fault, Code code);

#endif
