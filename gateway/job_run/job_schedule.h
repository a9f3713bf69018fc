/*
 * When a schedule begins a job. Pure: times are passed in, wall nanoseconds since 1970.
 *
 * All gateways that share a store name the job of a time alike (job_id_of_time), so that whoever is
 * first stores it, and the others are told that it is there.
 */
#ifndef GATEWAY_JOB_SCHEDULE_H
#define GATEWAY_JOB_SCHEDULE_H

#include "base/clock.h"
#include "gateway/config/job_config.h"

/* A time that was missed for longer is left out: a gateway that starts at noon does not begin what
   is for 3 o'clock, and a clock that jumps ahead does not begin all that it has jumped over. */
#define JOB_SCHEDULE_LATE (600 * SECOND)

/* The latest time of the schedule that is not after `wall`. */
int64_t job_schedule_before(const JobSchedule *schedule, int64_t wall);

/* The first one after it. */
int64_t job_schedule_after(const JobSchedule *schedule, int64_t wall);

#endif
