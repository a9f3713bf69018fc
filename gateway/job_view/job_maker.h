/*
 * The maker of jobs (Loop.makers): what becomes of calls of methods that have to do with jobs
 * (JobMethod).
 *
 *      begins    the job is stored, on disk; then the response is made of what is known of it
 *      reads     while the client's job on the thing is unfinished, the response is made of it;
 *                else instances are asked, also while the store is down
 *      blocked   while a job on the thing is unfinished, the call is refused: JOB_BUSY; else
 *                instances are asked
 */
#ifndef GATEWAY_JOB_MAKER_H
#define GATEWAY_JOB_MAKER_H

#include "gateway/call/exchange.h"

/* For Loop.makers. */
extern const MakerTable job_maker;

#endif
