#include "gateway/instances/reach.h"

#include "base/clock.h"

#define BACKOFF_FIRST (100 * MILLISECOND)
#define BACKOFF_MOST (2 * SECOND)
#define BACKOFF_MOST_CHEAP (1 * SECOND) /* after connects that were refused at once */
#define CHEAP_TIME (50 * MILLISECOND)

enum { JITTER_PERCENT = 20 };

/* The last connect failed so quickly that another one costs no waiting time. */
static bool connects_are_cheap(const Reach *reach)
{
    return reach->attempt_time < CHEAP_TIME;
}

static int64_t backoff_of(const Reach *reach, Random *random)
{
    int64_t most = connects_are_cheap(reach) ? BACKOFF_MOST_CHEAP : BACKOFF_MOST;
    int64_t backoff =
        reach->failures < 7 ? BACKOFF_FIRST << reach->failures : most; /* no overflow */
    if (backoff > most)
        backoff = most;
    int64_t jitter = backoff * JITTER_PERCENT / 100;
    return backoff - jitter + (int64_t)random_below(random, (uint64_t)(2 * jitter));
}

bool reach_failed(Reach *reach, const KnownInstance *known, int64_t begun, int64_t now,
                  Random *random)
{
    if (reach->failures > 0 && begun < reach->failed_at)
        return false;
    reach->failed_at = now;
    reach->attempt_time = now - begun;
    reach->times_back = known_instance_times_back(known);
    reach->connect_after = now + backoff_of(reach, random);
    reach->failures++;
    return true;
}

void reach_succeeded(Reach *reach, KnownInstance *known)
{
    if (reach->failures > 0)
        known_instance_is_back(known);
    reach->failures = 0;
    reach->connect_after = 0;
}

int64_t reach_try_from(const Reach *reach)
{
    return connects_are_cheap(reach) ? reach->failed_at + BACKOFF_FIRST : NO_TIMEOUT;
}

bool reach_is_worth_a_try(const Reach *reach, const KnownInstance *known, int64_t now)
{
    return known_instance_times_back(known) != reach->times_back || now >= reach_try_from(reach);
}
