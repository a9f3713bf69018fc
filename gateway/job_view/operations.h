/*
 * Operations: google.longrunning.Operations of the gateway's jobs (AIP-151), and
 * passerelle.jobs.v1.Jobs, which tells each state as it comes.
 *
 * A client sees the jobs that it has begun, in the version that it speaks with the service of each;
 * of others it is never told that they exist.
 */
#ifndef GATEWAY_OPERATIONS_H
#define GATEWAY_OPERATIONS_H

#include "gateway/call/exchange.h"

/* For Loop.operations; see job_desk_open. */
extern const OperationTable operations_table;

#endif
