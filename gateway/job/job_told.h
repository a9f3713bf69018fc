/*
 * What was told of a job to whoever is told of its states: each state of each step once.
 *
 * A job that is tried again, or looks whether something is done, runs and waits by turns. That it
 * runs, and that it waits, is told once for the step. Any other state is told each time it comes.
 *
 *      | number of what was told: 48 bits | step: 8 | states that were told of it: 8 |
 *
 * 0: nothing was told. Pure; any thread.
 */
#ifndef GATEWAY_JOB_TOLD_H
#define GATEWAY_JOB_TOLD_H

#include "gateway/job/job_state.h"

/* Whether the position is to be told; `told` is as it is afterwards. */
bool job_told_next(uint64_t *told, const JobPosition *position);

/* Which one of all that was told of the job was the last, from 1. */
uint64_t job_told_number(uint64_t told);

#endif
