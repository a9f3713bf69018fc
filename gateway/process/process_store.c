#include "gateway/process/process_internal.h"

#include "gateway/handover/handover.h"
#include "gateway/store/store_metrics.h"
#include "gateway/telemetry/metrics.h"

void process_store_open(Process *p)
{
    const StoreConfig *config = &p->config->store;
    if (!config->sqlite && !config->postgresql)
        return;
    p->store = store_open(&(StoreSettings){.sqlite = config->sqlite,
                                           .postgresql = config->postgresql,
                                           .connections = config->connections,
                                           .queue = config->queue,
                                           .time = config->time});
    p->port = store_port_open(p->store, &p->loop);
    p->shared.jobs = (JobsShared){.store = p->store,
                                  .news = job_news_new(),
                                  .counts = job_counts_new(),
                                  .postman = job_postman_start(p->store, p->config)};
    metrics_add_writer(job_counts_write, p->shared.jobs.counts);
    metrics_add_writer(job_postman_metrics_write, p->shared.jobs.postman);
    p->fleet = fleet_start(&p->loop, p->port);
    fleet_use(p->fleet, p->config);
    p->keeper = store_keeper_start(&p->loop, p->store, p->port, &store_kinds);
    store_keeper_use(p->keeper, p->config);
    p->shared.claims = claims_new(p->store);
    if (!handover_succeeds())
        claims_mourn(p->port, p->config->node);
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
}

void process_store_leave(Process *p)
{
    if (!p->store)
        return;
    job_postman_stop(p->shared.jobs.postman);
    fleet_stop(p->fleet);
    store_keeper_stop(p->keeper);
    store_port_close(p->port);
    job_admin_close(p->job_admin);
}

void process_store_close(Process *p)
{
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
    fleet_free(p->fleet);
    store_close(p->store);
    job_news_free(p->shared.jobs.news);
    job_counts_free(p->shared.jobs.counts);
    job_postman_free(p->shared.jobs.postman);
}
