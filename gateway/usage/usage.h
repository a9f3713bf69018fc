/*
 * Usage: which client uses which version, method and field, how often, and when last; and the
 * versions that end when nobody uses them any more.
 *
 *      loops --each call--> UsageTable --UsageStore--> store, the sum of all gateways
 *      loops <--RetireState--> Retirements
 *
 * Without a store the table keeps all, for `usage.keep`, and a successor gets it. Where the config
 * has no `usage`, nothing is counted. Belongs to the main thread and its loop, except for the
 * counting and usage_metrics_write.
 */
#ifndef GATEWAY_USAGE_H
#define GATEWAY_USAGE_H

#include "gateway/loop/loop.h"
#include "gateway/usage/retirements.h"
#include "gateway/usage/usage_table.h"

typedef struct Usage Usage;

/* `port` belongs to the same loop; NULL: there is no store, and what the process before has handed
   on is added. */
Usage *usage_new(uv_loop_t *loop, StorePort *port);

/* From now on this config: gives its methods their numbers and its versions their state, before any
   loop has it. Borrows it until the next call. */
void usage_use(Usage *usage, Config *config);

/* What the loop records is counted. Before the loop runs; its telemetry ends before `usage`. */
void usage_count(Usage *usage, Loop *loop);

/* The page as JSON: usage_find.h has the query; its client is named as in the config. `on_done` is
   called once, at once or later on this thread. Faults: BAD_VALUE, UNKNOWN_PATH (nothing is
   counted, or there is no such service or version and nothing was counted of one), those of the
   store. The JSON lives during the call only. */
void usage_ask(Usage *usage, Bytes query, void (*on_done)(void *owner, Result result, Bytes json),
               void *owner);

/* Each row of a client in memory: without a store all that is known. `see` must not use the usage,
   and keeps nothing. */
void usage_each_client(Usage *usage, void (*see)(void *owner, const UsageCount *row), void *owner);

/* As retirements_order. */
void usage_retire(Usage *usage, const RetireOrder *order,
                  void (*on_done)(void *owner, Result result), void *owner);

/* What this process has not stored yet of a client becomes anonymous. */
void usage_forget_client(Usage *usage, Bytes client);

/* Writes what is left; who waits for an answer is told SHUTTING_DOWN. All loops are gone. The port
   may close then. The handles close. */
void usage_stop(Usage *usage);

/* After the loop has ended. */
void usage_free(Usage *usage);

/* A MetricsWriter. Any thread. */
void usage_metrics_write(Exposition *e, void *usage);

#endif
