#include "gateway/rollout_run/rollout_roster.h"

#include "base/arena.h"

void rollout_roster_add(RolloutRoster *roster, Bytes client, int64_t number)
{
    if (roster->n == ROLLOUT_MEMBERS_MOST)
        return;
    if (!roster->arena)
        roster->arena = arena_new(ARENA_UNLIMITED);
    roster->clients[roster->n] = bytes_copy(roster->arena, client);
    roster->numbers[roster->n++] = number;
    roster->last = number;
}

void rollout_roster_clear(RolloutRoster *roster)
{
    arena_free(roster->arena);
    roster->arena = NULL;
    roster->n = 0;
    roster->last = 0;
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
    rollout_roster_clear(roster);
    for (uint32_t i = 0; i < members->n; i++)
        rollout_roster_add(roster, members->clients[i], members->numbers[i]);
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
            rollout_roster_add(roster, members->clients[i], members->numbers[i]);
    if (roster->n != members->count)
        return ROSTER_FEWER;
    return members->n ? ROSTER_MORE : ROSTER_SAME;
}
