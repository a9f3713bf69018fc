#include "gateway/rollout_run/rollout_roster.h"

#include "base/arena.h"

void rollout_roster_add(RolloutRoster *roster, Bytes client, int64_t number, int64_t at)
{
    if (roster->n == ROLLOUT_MEMBERS_MOST)
        return;
    if (!roster->arena)
        roster->arena = arena_new(ARENA_UNLIMITED);
    roster->clients[roster->n] = bytes_copy(roster->arena, client);
    roster->at[roster->n] = at;
    roster->numbers[roster->n++] = number;
    roster->last = number;
}

void rollout_roster_clear(RolloutRoster *roster)
{
    arena_free(roster->arena);
    roster->arena = NULL;
    roster->n = 0;
    roster->last = 0;
    roster->settled = 0;
}

static int64_t begins(const RolloutRoster *roster, uint32_t i, int64_t step)
{
    return roster->at[i] ? beginning_from(roster->at[i], step) : 0;
}

uint32_t rollout_roster_settle(RolloutRoster *roster, int64_t step, const BeginningNow *now,
                               int64_t *again_out)
{
    *again_out = 0;
    for (uint32_t i = 0; i < roster->n; i++) {
        if (roster->numbers[i] <= roster->settled)
            continue;
        if (!beginning_is_now(roster->numbers[i], begins(roster, i, step), step, now, again_out))
            return i;
        *again_out = 0;
        roster->settled = roster->numbers[i];
    }
    return roster->n;
}

static int64_t at_of(const RolloutMembers *members, uint32_t i)
{
    return members->at ? members->at[i] : 0;
}

static bool has_same(const RolloutRoster *roster, const RolloutMembers *members)
{
    if (roster->n != members->n || roster->last != members->last)
        return false;
    for (uint32_t i = 0; i < members->n; i++)
        if (roster->numbers[i] != members->numbers[i] ||
            !bytes_equal(roster->clients[i], members->clients[i]))
            return false;
    return true;
}

static RosterNews replace(RolloutRoster *roster, const RolloutMembers *members)
{
    if (has_same(roster, members))
        return ROSTER_SAME;
    int64_t settled = roster->settled;
    rollout_roster_clear(roster);
    roster->settled = settled;
    for (uint32_t i = 0; i < members->n; i++)
        rollout_roster_add(roster, members->clients[i], members->numbers[i], at_of(members, i));
    roster->last = members->last;
    return ROSTER_MORE;
}

RosterNews rollout_roster_take(RolloutRoster *roster, const RolloutMembers *members, int64_t after)
{
    if (after == 0)
        return replace(roster, members);
    if (members->last < roster->last)
        return ROSTER_LOST;
    for (uint32_t i = 0; i < members->n; i++)
        if (members->numbers[i] > roster->last)
            rollout_roster_add(roster, members->clients[i], members->numbers[i], at_of(members, i));
    if (roster->n != members->count)
        return ROSTER_FEWER;
    return members->n ? ROSTER_MORE : ROSTER_SAME;
}
