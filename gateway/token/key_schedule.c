#include "gateway/token/key_schedule.h"

#define SECOND INT64_C(1000000000)

bool key_schedule_is_due(const KeySchedule *schedule, int64_t now, bool wanted)
{
    return now >= schedule->due || (wanted && !key_schedule_wait(schedule, now));
}

int64_t key_schedule_wait(const KeySchedule *schedule, int64_t now)
{
    int64_t next = schedule->begun ? schedule->begun + KEY_FETCH_PAUSE : 0;
    if (schedule->due < next)
        next = schedule->due;
    return next > now ? next - now : 0;
}

bool key_schedule_may_be_new(const KeySchedule *schedule, int64_t issued)
{
    return !schedule->good || issued > schedule->good - KEY_FETCH_PAUSE;
}

static int64_t below(uint64_t random, int64_t most)
{
    return most > 0 ? (int64_t)(random % (uint64_t)most) : 0;
}

void key_schedule_done(KeySchedule *schedule, int64_t now, bool good, int64_t every,
                       uint64_t random)
{
    enum { DOUBLED_MOST = 16 };
    schedule->begun = now;
    if (good) {
        schedule->good = now;
        schedule->failures = 0;
        schedule->due = now + every - below(random, every / 10);
        return;
    }
    uint32_t n = schedule->failures < DOUBLED_MOST ? schedule->failures++ : DOUBLED_MOST;
    int64_t wait = SECOND << n;
    if (wait > every)
        wait = every;
    schedule->due = now + wait - below(random, wait / 2);
}
