#include "gateway/process/process_internal.h"

#include "base/clock.h"
#include "gateway/healing/manual.h"
#include "gateway/telemetry/metrics.h"

/* A worker looks at all instances then: changes that follow each other closely are one. */
#define PAUSE (100 * MILLISECOND)

static void tell_instances(uv_timer_t *later)
{
    Process *p = later->data;
    p->instances_told = clock_now();
    for (uint32_t i = 0; p->workers && i < p->n_workers; i++)
        worker_use_instances(p->workers[i], p->config);
}

static void on_changed(void *owner)
{
    Process *p = owner;
    manual_apply(p->config);
    if (p->rollouts)
        rollout_runner_use_instances(p->rollouts);
    int64_t wait = p->instances_told + PAUSE - clock_now();
    if (!uv_is_active((uv_handle_t *)&p->later))
        uv_timer_start(&p->later, tell_instances, wait > 0 ? process_milliseconds(wait) : 0, 0);
}

void instance_news_start(Process *p)
{
    CHECK(uv_timer_init(&p->loop, &p->later) == 0);
    p->later.data = p;
    p->watching = discovery_new(&p->loop, on_changed, p);
    metrics_add_writer(discovery_metrics_write, p->watching);
    discovery_use(p->watching, p->config);
}

/* Once begun it goes on: configs change, and what there is not costs nothing. */
void process_keep_keys(Process *p)
{
    if (p->keys || !p->config->access.n_credentials)
        return;
    p->keys = key_keeper_start();
    metrics_add_writer(key_keeper_metrics_write, p->keys);
}

void process_leave_keys(Process *p)
{
    if (!p->keys)
        return;
    metrics_remove_writer(p->keys);
    key_keeper_end(p->keys);
}

void instance_news_stop(Process *p)
{
    metrics_remove_writer(p->watching);
    discovery_end(p->watching);
    uv_close((uv_handle_t *)&p->later, NULL);
}
