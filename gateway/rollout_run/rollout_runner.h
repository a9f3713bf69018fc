/*
 * RolloutRunner: carries out the rollouts of the config on this gateway, together with the other
 * gateways that share the store.
 *
 *      knock --> claim a place in the store --> publish the table of clients to all loops
 *      beat  --> look at the store --> publish
 *            --> write what was counted here
 *            --> if this gateway judges: merge all samples, judge, act
 *
 * Nobody waits for it: calls read what it has published. While the store is down it publishes what
 * it knows, and nothing advances. On the main thread's loop, its thread only, except where another
 * one is named.
 */
#ifndef GATEWAY_ROLLOUT_RUNNER_H
#define GATEWAY_ROLLOUT_RUNNER_H

#include "gateway/config/config.h"
#include "gateway/store/store.h"
#include "gateway/telemetry/exposition.h"

#include <uv.h>

typedef struct RolloutRunner RolloutRunner;

typedef struct RolloutRunnerSettings {
    uv_loop_t *loop;
    Store *store;         /* outlives it */
    StorePort *port;      /* of the loop */
    const Config *config; /* until rollout_runner_use */
    /* A candidate was found bad, and this gateway has acted. The error lives during the call. */
    void (*on_bad)(void *owner, Result why);
    void *owner;
} RolloutRunnerSettings;

/* Begins with the first turn of the loop. What the settings point to outlives it. Never NULL. */
RolloutRunner *rollout_runner_start(const RolloutRunnerSettings *settings);

/* Whether it knows what becomes of all clients: from the store, or from the process before. */
bool rollout_runner_is_ready(const RolloutRunner *runner);

/* The config that is used from now on; the former one may go. */
void rollout_runner_use(RolloutRunner *runner, const Config *config);

/* Instances of the config have joined or left: which of them serve. */
void rollout_runner_use_instances(RolloutRunner *runner);

/* What an operator wants. All of it lives until the answer. */
typedef struct RolloutQuestion {
    Bytes word;  /* "start", "advance", "pause", "resume", "rollback", "tell"; empty: it is shown */
    Bytes query; /* "name=orders": a service, or the name of a rollout; of "tell" also client,
                    metric. Shown with a name: with its history */
    const char *who;
    Bytes why;
    Arena *arena; /* for the answer */
} RolloutQuestion;

/* Called once, later or before rollout_runner_ask returns. `json` is in the question's arena.
   Faults: BAD_VALUE (of the query), UNKNOWN_PATH (no such rollout), ROLLOUT_UNFIT, SHUTTING_DOWN
   (after rollout_runner_stop), and those of the store. */
typedef void RolloutOnAnswered(void *owner, Result result, Bytes json);

void rollout_runner_ask(RolloutRunner *runner, const RolloutQuestion *question,
                        RolloutOnAnswered *on_answered, void *owner);

/* Another gateway may judge at once. Before the port is closed. NULL is allowed. */
void rollout_runner_leave(RolloutRunner *runner);

/* After the port was closed, before the loop ends: who still waits is told that the gateway stops.
   NULL is allowed. */
void rollout_runner_stop(RolloutRunner *runner);

/* After the loop has ended. NULL is allowed. */
void rollout_runner_free(RolloutRunner *runner);

/* A MetricsWriter; `runner` is a RolloutRunner. Any thread. */
void rollout_metrics_write(Exposition *e, void *runner);

#endif
