#include "gateway/process/process_internal.h"

#include "base/clock.h"
#include "gateway/fleet/process_mark.h"
#include "gateway/handover/handover.h"
#include "gateway/store/store_metrics.h"
#include "gateway/telemetry/metrics.h"

#include <unistd.h>

#define STORE_PATIENCE (2 * SECOND) /* when the gateway starts */

/* ---- Rollouts -------------------------------------------------------------------------------- */

static void on_bad_rollout(void *owner, Result why)
{
    Process *p = owner;
    if (p->workers)
        worker_record(p->workers[0], why);
}

/* Without a store they are in a file of their own. */
static void open_rollout_file(Process *p)
{
    const StoreConfig *config = &p->config->store;
    p->rollout_store = store_open(&(StoreSettings){.sqlite = p->config->rollouts_file,
                                                   .connections = 1,
                                                   .queue = config->queue,
                                                   .time = config->time});
    p->rollout_port = store_port_open(p->rollout_store, &p->loop);
}

/* Else no build is known that a rollout could have been of. */
static bool has_builds(const Config *config)
{
    for (uint32_t i = 0; i < config->n_services; i++) {
        const Service *service = &config->services[i];
        bool any = service_is_listed_afar(service);
        for (uint32_t k = 0; k < service->n_instances && !any; k++)
            any = service->instances[k].build[0];
        if (any)
            return true;
    }
    return false;
}

/* A build whose rollout has left the config may be one that was rolled back. */
static bool has_rollouts(const Process *p)
{
    const Config *config = p->config;
    bool kept = p->store || access(config->rollouts_file, R_OK | W_OK) == 0;
    return config->n_rollouts || (kept && has_builds(config));
}

void process_store_use_rollouts(Process *p)
{
    if (p->rollouts) {
        rollout_runner_use(p->rollouts, p->config);
        return;
    }
    if (!has_rollouts(p))
        return;
    if (!p->store)
        open_rollout_file(p);
    p->rollouts = rollout_runner_start(
        &(RolloutRunnerSettings){.loop = &p->loop,
                                 .store = p->store ? p->store : p->rollout_store,
                                 .port = p->store ? p->port : p->rollout_port,
                                 .config = p->config,
                                 .on_bad = on_bad_rollout,
                                 .owner = p});
    metrics_add_writer(rollout_metrics_write, p->rollouts);
}

static void on_patience(uv_timer_t *patience)
{
    *(bool *)patience->data = true;
}

static void await(Process *p, bool (*is_ready)(const Process *p))
{
    bool over = false;
    uv_timer_t patience = {.data = &over};
    CHECK(uv_timer_init(&p->loop, &patience) == 0);
    CHECK(uv_timer_start(&patience, on_patience, process_milliseconds(STORE_PATIENCE), 0) == 0);
    while (!over && !is_ready(p))
        uv_run(&p->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&patience, NULL);
    uv_run(&p->loop, UV_RUN_NOWAIT);
}

static bool rollouts_are_ready(const Process *p)
{
    return rollout_runner_is_ready(p->rollouts);
}

void process_store_await_rollouts(Process *p)
{
    if (p->rollouts)
        await(p, rollouts_are_ready);
}

static void leave_rollouts(Process *p)
{
    rollout_runner_leave(p->rollouts);
    if (p->rollout_port)
        store_port_close(p->rollout_port);
}

static void close_rollouts(Process *p)
{
    if (p->rollouts)
        metrics_remove_writer(p->rollouts);
    rollout_runner_free(p->rollouts);
    store_close(p->rollout_store);
}

/* ---- Limits ---------------------------------------------------------------------------------- */

static bool limits_are_ready(const Process *p)
{
    return limit_fleet_is_ready(p->limit_fleet);
}

void process_store_use_limits(Process *p)
{
    if (p->store)
        p->limit_fleet =
            limit_fleet_start(&p->loop, p->port, p->fleet, p->shared.limits, p->config);
    if (p->store && p->config->n_rate_limits)
        await(p, limits_are_ready);
    if (p->store)
        limit_fleet_settle(p->limit_fleet);
    rate_limits_hand_on(p->shared.limits);
}

/* ---- The store ------------------------------------------------------------------------------- */

static bool has_name(const Process *p)
{
    return fleet_name_is_settled(p->fleet_name);
}

/* Of one process: it has its own leases, also beside the one that it replaces. */
static const char *owner_name(Process *p, Bytes mark)
{
    return arena_printf(p->arena, "%s/%ld/%08lx", p->config->node, (long)process_mark_pid(mark),
                        (unsigned long)(bytes_hash(mark) & UINT32_MAX));
}

Result process_store_open(Process *p, Arena *arena)
{
    const StoreConfig *config = &p->config->store;
    if (!config->sqlite && !config->postgresql)
        return OK;
    p->store = store_open(&(StoreSettings){.sqlite = config->sqlite,
                                           .postgresql = config->postgresql,
                                           .connections = config->connections,
                                           .queue = config->queue,
                                           .time = config->time});
    p->port = store_port_open(p->store, &p->loop);
    p->fleet_name = fleet_name_look(&p->loop, p->port, p->config->node, handover_succeeds());
    await(p, has_name);
    Result r = fleet_name_check(p->fleet_name, arena);
    Bytes gone = fleet_name_gone(p->fleet_name);
    p->shared.jobs = (JobsShared){.store = p->store,
                                  .name = owner_name(p, fleet_name_own(p->fleet_name)),
                                  .gone = gone.size ? owner_name(p, gone) : NULL,
                                  .news = job_news_new(),
                                  .counts = job_counts_new(),
                                  .postman = job_postman_start(p->store, p->config)};
    metrics_add_writer(job_counts_write, p->shared.jobs.counts);
    metrics_add_writer(job_postman_metrics_write, p->shared.jobs.postman);
    p->fleet = fleet_start(&p->loop, p->port, fleet_name_own(p->fleet_name));
    if (!failed(r))
        fleet_use(p->fleet, p->config);
    p->keeper = store_keeper_start(&p->loop, p->store, p->port, &store_kinds);
    store_keeper_use(p->keeper, p->config);
    p->shared.claims = claims_new(p->store, fleet_name_own(p->fleet_name));
    if (gone.size)
        claims_mourn(p->port, gone);
    metrics_add_writer(claims_metrics_write, p->shared.claims);
    p->job_admin = job_admin_open(&(JobAdminSettings){.store = p->store,
                                                      .loop = &p->loop,
                                                      .port = p->port,
                                                      .config = p->config,
                                                      .postman = p->shared.jobs.postman,
                                                      .on_work = job_actions_tell_work,
                                                      .owner = p});
    metrics_add_writer(store_metrics_write, p->store);
    metrics_add_writer(store_keeper_metrics_write, p->keeper);
    return r;
}

void process_store_leave(Process *p)
{
    leave_rollouts(p);
    if (p->store) {
        job_postman_stop(p->shared.jobs.postman);
        limit_fleet_stop(p->limit_fleet);
        fleet_stop(p->fleet);
        fleet_name_stop(p->fleet_name);
        store_keeper_stop(p->keeper);
        store_port_close(p->port);
        job_admin_close(p->job_admin);
    }
    rollout_runner_stop(p->rollouts);
}

void process_store_close(Process *p)
{
    close_rollouts(p);
    if (!p->store)
        return;
    metrics_remove_writer(p->store);
    metrics_remove_writer(p->keeper);
    metrics_remove_writer(p->shared.jobs.counts);
    metrics_remove_writer(p->shared.jobs.postman);
    metrics_remove_writer(p->shared.claims);
    claims_free(p->shared.claims);
    store_keeper_free(p->keeper);
    job_admin_free(p->job_admin);
    limit_fleet_free(p->limit_fleet);
    fleet_free(p->fleet);
    fleet_name_free(p->fleet_name);
    store_close(p->store);
    job_news_free(p->shared.jobs.news);
    job_counts_free(p->shared.jobs.counts);
    job_postman_free(p->shared.jobs.postman);
}
