/* What a process hands to the next one, and what that begins with. */
#include "gateway/rollout_run/rollout_memory.h"
#include "gateway/rollout_run/rollout_runner_internal.h"

void rollout_handover_write(void *owner, Buffer *out)
{
    const RolloutRunner *runner = owner;
    bool any = false;
    for (const HeldRollout *held = runner->held; held; held = held->next)
        any |= held->known;
    if (!any)
        return;
    rollout_memory_begin(out);
    for (const HeldRollout *held = runner->held; held; held = held->next) {
        RolloutMemory memory = {held->record, held->begun};
        if (held->known)
            rollout_memory_add(held->definition, &memory, &held->roster, out);
    }
    rollout_memory_end(out);
}

void rollout_handover_read(Bytes blob, HeldRollout *held)
{
    RolloutMemory memory;
    RolloutRoster roster = {NULL};
    if (rollout_memory_read(blob, held->name, &memory, &roster)) {
        held_adopt(held, &memory.record);
        held->begun = memory.begun;
        if (held_is_live(held)) {
            rollout_roster_clear(&held->roster);
            held->roster = roster;
            roster = (RolloutRoster){NULL};
        }
        held->complete = true;
    }
    rollout_roster_clear(&roster);
}
