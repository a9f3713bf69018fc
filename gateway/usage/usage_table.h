/*
 * UsageTable: how often each client has used what, and when last, in bounded memory.
 *
 *      shard = hash of the client % USAGE_SHARDS, each under a lock of its own:
 *
 *      buckets [ 0 | 1 | ... ]--> row (client, use, period): calls, last --> row --> ...
 *
 * A row has its client by name. When a shard has no memory for another one, its clients share rows:
 * USAGE_SHARED of them for each use, by the hash of their name. So nothing that was used is ever
 * missed, and sums over all clients are exact; of a client in a shared row it is only known that it
 * has called at most as often, and not after, as the row says. A row is of one period of 10 days,
 * so that old calls can be forgotten without a list of them.
 *
 * Any thread; a lock is held for a few pointers.
 */
#ifndef GATEWAY_USAGE_TABLE_H
#define GATEWAY_USAGE_TABLE_H

#include "base/arena.h"
#include "base/clock.h"

enum {
    USAGE_SHARDS = 64,
    USAGE_SHARED = 256,       /* rows of each use and period that clients share at most */
    USAGE_CLIENT_SIZE = 1024, /* bytes of a name; the rest is cut off, and those become one */
};

#define USAGE_PERIOD (INT64_C(10) * 86400 * SECOND)

typedef struct UsageTable UsageTable;

/* What some calls add to, or a row. */
typedef struct UsageCount {
    uint32_t use;    /* a number of UsageNames */
    uint32_t period; /* since 1970 */
    uint32_t shared; /* 0: `client` is it; else one that several have, from 1 on */
    Bytes client;    /* empty: anonymous, or a shared row */
    uint64_t calls;
    int64_t last; /* wall time, to a second */
} UsageCount;

typedef struct UsageTableStats {
    uint64_t rows, bytes;
    uint64_t shared_calls; /* that went to shared rows */
} UsageTableStats;

/* `memory` in bytes. */
UsageTable *usage_table_new(size_t memory);
void usage_table_free(UsageTable *table); /* NULL is allowed */

/* Another bound, for rows that come from now on. */
void usage_table_limit(UsageTable *table, size_t memory);

/* A call at `wall`. */
void usage_table_call(UsageTable *table, uint32_t use, Bytes client, int64_t wall);

/* Adds counts, such as those of another table. `count->shared` rows stay shared. */
void usage_table_add(UsageTable *table, const UsageCount *count);

/* Which of the shared rows the client has, wherever it has no own one: the same in all processes.
 */
uint32_t usage_shared_of(Bytes client);

/* Each row of a shard, which has all rows of its clients; `see` must not use the table, and keeps
   nothing. */
void usage_table_each(UsageTable *table, uint32_t shard,
                      void (*see)(void *owner, const UsageCount *row), void *owner);

/* ---- Taking rows out ------------------------------------------------------------------------- */

/* Rows that were taken out of a table; one thread. */
typedef struct UsageRows UsageRows;

/* All of a shard, which is empty then. NULL: there are none. */
UsageRows *usage_table_take(UsageTable *table, uint32_t shard);

/* The next one; false: there is none any more. It lives as long as the rows. */
bool usage_rows_next(UsageRows *rows, UsageCount *row_out);

void usage_rows_free(UsageRows *rows); /* NULL is allowed */

/* Forgets rows whose last call was before `wall`. */
void usage_table_forget_old(UsageTable *table, int64_t wall);

/* The client's rows become anonymous. */
void usage_table_forget_client(UsageTable *table, Bytes client);

UsageTableStats usage_table_stats(UsageTable *table);

#endif
