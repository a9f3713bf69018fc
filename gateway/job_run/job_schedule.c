#include "gateway/job_run/job_schedule.h"

#define DAY (24 * 3600 * SECOND)

static int64_t period_of(const JobSchedule *schedule)
{
    return schedule->every ? schedule->every : DAY;
}

int64_t job_schedule_before(const JobSchedule *schedule, int64_t wall)
{
    int64_t period = period_of(schedule), first = schedule->every ? 0 : schedule->at;
    int64_t since = (wall - first) % period;
    return wall - (since < 0 ? since + period : since);
}

int64_t job_schedule_after(const JobSchedule *schedule, int64_t wall)
{
    return job_schedule_before(schedule, wall) + period_of(schedule);
}
