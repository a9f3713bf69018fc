/*
 * StoreKeeper: deletes from the store what is older than it is to be kept, and measures how much
 * there is of each kind.
 *
 * Every KEEPER_BEAT, on the main thread's loop. Deleting is done by tasks like all others,
 * measuring by a thread with a session of its own, for it reads all that is stored. The age of a
 * record is a difference of wall times, and a clock that jumps ahead would make all records old at
 * once: nothing is deleted before the clock has run evenly for KEEPER_STEADY, also after a start. A
 * jump is told as the event `clock_jumped`.
 *
 * Belongs to the main thread; store_keeper_metrics_write may be called on any thread.
 */
#ifndef GATEWAY_STORE_KEEPER_H
#define GATEWAY_STORE_KEEPER_H

#include "gateway/store/store.h"
#include "gateway/store/store_kinds.h"
#include "gateway/telemetry/exposition.h"

typedef struct StoreKeeper StoreKeeper;

/* Nanoseconds. The first beat comes sooner, for the metrics. Wall and monotonic time that differ by
   more than a jump from beat to beat are not steady. */
#define KEEPER_FIRST_BEAT (2 * SECOND)
#define KEEPER_BEAT (60 * SECOND)
#define KEEPER_JUMP (60 * SECOND)
#define KEEPER_STEADY (3600 * SECOND)

/* `port` belongs to the same loop; `kinds` is borrowed. */
StoreKeeper *store_keeper_start(uv_loop_t *loop, Store *store, StorePort *port,
                                const StoreKinds *kinds);

/* The retention is that of this config from now on. */
void store_keeper_use(StoreKeeper *keeper, const Config *config);

/* What happens at each beat. For its timer, and for tests with a clock of their own. */
void store_keeper_beat(StoreKeeper *keeper);

/* Until what is being measured is measured. */
void store_keeper_wait(StoreKeeper *keeper);

/* No more beats. Before the port is closed. */
void store_keeper_stop(StoreKeeper *keeper);

/* After the loop has ended, and nothing calls store_keeper_metrics_write any more; before
   store_close. A thread that hangs is left behind. */
void store_keeper_free(StoreKeeper *keeper);

/* A MetricsWriter; `keeper` is a StoreKeeper. */
void store_keeper_metrics_write(Exposition *e, void *keeper);

#endif
