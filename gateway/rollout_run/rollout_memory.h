/*
 * RolloutMemory: rollouts as a process knows them, as text for the next one. So the next one has
 * the right clients on the candidate before the store has answered.
 *
 *      {"rollouts": [{"name", "revision", "trial", "begun", "settled", "content": hex,
 *                     "members": [["ada", 1, AT], ...]}]}
 *
 * Pure.
 */
#ifndef GATEWAY_ROLLOUT_MEMORY_H
#define GATEWAY_ROLLOUT_MEMORY_H

#include "gateway/rollout_run/rollout_record.h"
#include "gateway/rollout_run/rollout_roster.h"

typedef struct RolloutMemory {
    RolloutRecord record;
    int64_t begun; /* the latest `from` of a record that holds in this process */
} RolloutMemory;

void rollout_memory_begin(Buffer *out);
void rollout_memory_add(const RolloutDefinition *definition, const RolloutMemory *memory,
                        const RolloutRoster *roster, Buffer *out);
void rollout_memory_end(Buffer *out);

/* What the text has of the rollout of this name: its members are added to the empty roster. False:
   nothing, or it was written by a newer gateway. */
bool rollout_memory_read(Bytes text, const char *name, RolloutMemory *memory_out,
                         RolloutRoster *roster_out);

#endif
