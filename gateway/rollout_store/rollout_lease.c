#include "gateway/rollout_store/rollout_lease.h"

#include <stdlib.h>

static bool same(const RolloutJudge *a, const RolloutJudge *b)
{
    return bytes_equal(a->name, b->name) && a->token == b->token && a->beat == b->beat;
}

static void keep(RolloutLease *lease, const RolloutJudge *judge)
{
    char *name = text_copy_bytes(judge->name);
    rollout_lease_deinit(lease);
    lease->seen = *judge;
    lease->seen.name = bytes_of(name);
}

void rollout_lease_see(RolloutLease *lease, const RolloutJudge *judge, int64_t now)
{
    if (lease->seen.name.data && same(&lease->seen, judge))
        return;
    keep(lease, judge);
    lease->since = now;
}

bool rollout_lease_may_take(const RolloutLease *lease, Bytes self, int64_t length, int64_t now)
{
    if (!lease->seen.name.data || rollout_lease_is_ours(lease, now))
        return false;
    return lease->seen.name.size == 0 || bytes_equal(lease->seen.name, self) ||
           now - lease->since >= length;
}

void rollout_lease_won(RolloutLease *lease, const RolloutJudge *judge, int64_t asked_at,
                       int64_t length)
{
    keep(lease, judge);
    lease->since = asked_at;
    lease->until = asked_at + length;
}

void rollout_lease_lost(RolloutLease *lease)
{
    lease->until = 0;
}

bool rollout_lease_is_ours(const RolloutLease *lease, int64_t now)
{
    return now < lease->until;
}

void rollout_lease_deinit(RolloutLease *lease)
{
    free((void *)lease->seen.name.data);
    lease->seen.name = BYTES_NONE;
}
