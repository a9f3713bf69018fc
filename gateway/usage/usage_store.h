/*
 * UsageStore: what gateways have counted, added up in the store they share.
 *
 *      table --take a shard--> rows --some at a time, one task after the other--> store
 *        ^------------------- those that were not written ----------|
 *
 * The store has the sum: a row is added to what is there, whoever counted it, and then forgotten
 * here. So nothing is read at the start, and gateways need not know each other. If nobody knows
 * whether a task took effect (STORE_UNKNOWN), its rows are written again: use may be overstated,
 * and is never missed. Belongs to the main thread.
 */
#ifndef GATEWAY_USAGE_STORE_H
#define GATEWAY_USAGE_STORE_H

#include "gateway/store/store.h"
#include "gateway/usage/usage_names.h"
#include "gateway/usage/usage_table.h"

enum { USAGE_BATCH = 200 /* rows of one task, so that others do not wait long behind it */ };

typedef struct UsageStore {
    StorePort *port;
    UsageTable *table;
    UsageNames *names;
    void (*on_round)(void *owner); /* all that was there at its beginning is written, or failed */
    void *owner;

    bool writing, again;            /* a round is under way; another one follows it */
    uint32_t shard;                 /* the next one of the round */
    UsageRows *rows;                /* of the one before; NULL: all written */
    UsageRows *spent[USAGE_SHARDS]; /* behind which it is; some are in `batch` */
    uint32_t n_spent;
    UsageCount batch[USAGE_BATCH]; /* being written */
    uint32_t n_batch;
    uint64_t n_unwritten; /* tasks that failed */
} UsageStore;

/* Writes all that is there. If a round is under way, another one follows. */
void usage_store_begin(UsageStore *store);

/* Writes all that is left, before the port is closed, without waiting for it. */
void usage_store_end(UsageStore *store);

#endif
