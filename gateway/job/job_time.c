#include "gateway/job/job_time.h"

enum { FOLLOWED_BY = 10 /* one part of the time that has passed */ };

static int64_t at_most(int64_t difference, int64_t most)
{
    return difference > most ? most : difference < -most ? -most : difference;
}

int64_t job_time_look(JobTime *time, int64_t wall, int64_t now)
{
    int64_t passed = now - time->now, off = wall - (time->wall + passed);
    if (off > JOB_TIME_FOLLOWS || off < -JOB_TIME_FOLLOWS)
        time->wall = wall;
    else
        time->wall += passed + at_most(off, passed / FOLLOWED_BY);
    time->now = now;
    return time->wall;
}
