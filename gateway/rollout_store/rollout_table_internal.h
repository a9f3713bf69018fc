/* What the files of RolloutTable share. */
#ifndef GATEWAY_ROLLOUT_TABLE_INTERNAL_H
#define GATEWAY_ROLLOUT_TABLE_INTERNAL_H

#include "gateway/rollout_store/rollout_table.h"

/* What an operation needs until its completion, in an arena of its own. */
typedef struct RolloutRequest {
    struct RolloutRequest *next, **at; /* of the table */
    RolloutTable *table;
    Arena *arena;
    void *owner;
    union {
        RolloutOnSeen *seen;
        RolloutOnMembers *members;
        RolloutOnWritten *written;
        RolloutOnHistory *history;
        RolloutOnSamples *samples;
    } on;
    Bytes id;
} RolloutRequest;

struct RolloutTable {
    StorePort *port;
    const char *tag; /* of the store; NULL: nobody else hears of changes */
    const StoreKeys *keys;
    RolloutRequest *requests;
    bool telling, more_to_tell;
};

RolloutRequest *rollout_request_new(RolloutTable *table, void *owner);
void rollout_request_end(RolloutRequest *request);

typedef void RolloutOnExecuted(void *request, Result result, StoreTask *task);
void rollout_request_submit(RolloutRequest *request, StoreTask *task,
                            RolloutOnExecuted *on_executed);

/* A statement whose first parameter is the rollout's id. */
StoreStatement *rollout_table_add(StoreTask *task, const char *sql, Bytes id);

/* Tells other gateways that something has changed; of several changes at once. */
void rollout_table_tell(RolloutTable *table);

#endif
