/*
 * RolloutTable: rollouts in the store: their state, acts, members, samples, and who judges them.
 *
 *      rollouts         a row each; what is written says which revision it was made from, so that
 *                       of two acts at the same time one takes effect
 *      rollout_members  the clients of tiers that are recorded, each with a number: the row is
 *                       locked while one is inserted, and none is beyond its room
 *      rollout_samples  what each gateway has seen
 *      rollout_acts     the history
 *
 * A store that was restored from an older backup is brought up to date by rollout_table_put: a row
 * never goes back to a smaller revision.
 *
 * Completions are called exactly once, later, on the port's loop, unless the table is closed
 * before; what they are given lives during the call only. `result`: OK; STORE_DOWN (nothing took
 * effect, the same may succeed later); STORE_UNKNOWN (it may have taken effect: all of them may be
 * asked again, and then have an effect once). On the port's thread.
 */
#ifndef GATEWAY_ROLLOUT_TABLE_H
#define GATEWAY_ROLLOUT_TABLE_H

#include "gateway/config/config.h"
#include "gateway/rollout_store/rollout_row.h"
#include "gateway/store/store.h"

typedef struct RolloutTable RolloutTable;

/* A notice of this channel (store_ear.h): some rollouts or members have changed. */
#define ROLLOUT_CHANNEL "passerelle_rollouts"

/* `port` and the keys outlive it; contents of acts are sealed with them. Never NULL. */
RolloutTable *rollout_table_open(Store *store, StorePort *port, const StoreKeys *keys);
void rollout_table_use_keys(RolloutTable *table, const StoreKeys *keys);

/* After the port was closed. NULL is allowed. */
void rollout_table_close(RolloutTable *table);

/* ---- Looking --------------------------------------------------------------------------------- */

/* Members of a trial beyond a number. */
typedef struct RolloutAsk {
    Bytes id;
    int64_t trial, after;
    /* For a look, in wall time: what gateways that have written a sample since then have known in
       the cell (RolloutSample.cell) before that of `now`. */
    int64_t since, now, cell;
} RolloutAsk;

typedef struct RolloutHeard {
    Bytes node; /* who of them has written the oldest sample; empty: nobody has written any */
    int64_t at; /* that one's */
    int64_t revision, member; /* known by all in that cell; 0: not all have written in it */
    int64_t begun, settled;   /* the latest ones with which any gateway has ever begun */
} RolloutHeard;

typedef struct RolloutSeen {
    const RolloutRow *rows;
    uint32_t n_rows;
    const RolloutMembers *members; /* as asked for, in order */
    const RolloutHeard *heard;
} RolloutSeen;

typedef void RolloutOnSeen(void *owner, Result result, const RolloutSeen *seen);

void rollout_table_look(RolloutTable *table, const RolloutAsk *asks, uint32_t n,
                        RolloutOnSeen *on_seen, void *owner);

/* ---- Members --------------------------------------------------------------------------------- */

typedef void RolloutOnMembers(void *owner, Result result, const RolloutMembers *members);

/* These clients become members, as far as there is room; gives the members beyond `ask->after`.
   ROLLOUT_CLAIM_MOST at most. */
void rollout_table_claim(RolloutTable *table, const RolloutAsk *ask, const Bytes *clients,
                         uint32_t n, RolloutOnMembers *on_members, void *owner);

/* ---- Acts ------------------------------------------------------------------------------------ */

/* False: it was not made from the row that there is, or the judge is another one; nothing was
   written. */
typedef void RolloutOnWritten(void *owner, Result result, bool written);

/*
 * The row is there afterwards with this revision or a greater one, and if it is of the same trial,
 * with these members, as far as their numbers are free: for a new rollout, or for one of which the
 * store has forgotten something. Its judge is not written, its evidence only if it is. True: the
 * row was written.
 */
void rollout_table_put(RolloutTable *table, const RolloutRow *row, const RolloutMembers *members,
                       RolloutOnWritten *on_written, void *owner);

/*
 * The row of revision `row->revision - 1` becomes this one, and the act is added to its history.
 * `by_judge`: only if `row->judge` still judges; else by an operator. Once `open` is false, or with
 * another trial, there are no members any more.
 */
void rollout_table_act(RolloutTable *table, const RolloutRow *row, bool by_judge, Bytes act,
                       RolloutOnWritten *on_written, void *owner);

typedef void RolloutOnHistory(void *owner, Result result, const RolloutAct *acts, uint32_t n);

/* The latest first. A content that cannot be unsealed is empty. */
void rollout_table_history(RolloutTable *table, Bytes id, RolloutOnHistory *on_history,
                           void *owner);

/* ---- The judge's lease ----------------------------------------------------------------------- */

/* The judge of the rollout is `next` if it was `before`, with the same beat. */
void rollout_table_take(RolloutTable *table, Bytes id, const RolloutJudge *before,
                        const RolloutJudge *next, RolloutOnWritten *on_written, void *owner);

/* `judge` still judges, shows that it lives by its new beat, and has seen this. Acts do not change
   the evidence. */
void rollout_table_renew(RolloutTable *table, Bytes id, const RolloutJudge *judge, Bytes evidence,
                         RolloutOnWritten *on_written, void *owner);

/* This process judges nothing any more, and another one may do so at once; the gateway `node`
   writes no more samples, those that it has written say so by `at` 0. Nobody is told. */
void rollout_table_leave(RolloutTable *table, Bytes process, Bytes node);

/* ---- Samples --------------------------------------------------------------------------------- */

/* In place of what the gateway wrote before. A process that begins to write takes what the one
   before it has written as a part of its own. */
void rollout_table_put_sample(RolloutTable *table, Bytes id, int64_t trial,
                              const RolloutSample *sample, RolloutOnWritten *on_written,
                              void *owner);

typedef void RolloutOnSamples(void *owner, Result result, const RolloutSample *samples, uint32_t n);

/* That of the gateway `node`; empty: of all, also of those that have gone. */
void rollout_table_samples(RolloutTable *table, Bytes id, int64_t trial, Bytes node,
                           RolloutOnSamples *on_samples, void *owner);

#endif
