#include "gateway/process/process_internal.h"

#include "base/clock.h"
#include "gateway/certificates/certificate_watch.h"
#include "gateway/certificates/renewal_watch.h"
#include "gateway/certificates/secret_watch.h"
#include "gateway/handover/handover.h"
#include "gateway/handover/notify.h"
#include "gateway/healing/healing.h"
#include "gateway/healing/manual.h"
#include "gateway/sandbox/sandbox_watch.h"
#include "gateway/telemetry/telemetry.h"

#define LEFT_TIME (2 * SECOND)   /* for the supervisor to close its sockets */
#define RELOAD_LEFT (1 * SECOND) /* after all calls have ended */
#define WORK_LEFT (500 * MILLISECOND)

void shutdown_drain_workers(Process *p)
{
    uv_timer_stop(&p->delay);
    if (p->fleet)
        fleet_leave(p->fleet);
    process_tell_workers(p, worker_drain);
}

static void on_not_left(uv_timer_t *delay)
{
    shutdown_drain_workers(delay->data);
}

/* The supervisor closes its sockets first: a client that connects is then refused, instead of
   waiting for somebody who never comes. */
static void begin_drain(Process *p)
{
    p->going = GOING_DRAIN;
    uv_timer_stop(&p->delay);
    telemetry_event("info", "stopping", OK, "running calls may finish");
    if (p->succession) {
        succession_say(NOTICE_LEAVING, "");
        uv_timer_start(&p->delay, on_not_left, LEFT_TIME / MILLISECOND, 0);
    } else {
        shutdown_drain_workers(p);
    }
}

static void on_delay_over(uv_timer_t *delay)
{
    begin_drain(delay->data);
}

static void begin_delay(Process *p)
{
    uint64_t millis = (uint64_t)((p->config->drain_delay + MILLISECOND - 1) / MILLISECOND);
    p->going = GOING_SOON;
    telemetry_event("info", "leaving", OK, "not ready; serving continues for %llu ms",
                    (unsigned long long)millis);
    process_tell_workers(p, worker_leave);
    uv_timer_start(&p->delay, on_delay_over, millis, 0);
}

void shutdown_now(Process *p)
{
    p->going = GOING_NOW;
    uv_timer_stop(&p->delay);
    telemetry_event("info", "stopping_now", OK, "running calls are cut off");
    process_tell_workers(p, worker_abort);
}

void shutdown_take_no_more(Process *p)
{
    atomic_store(&p->ready, false);
    if (p->reload)
        reload_cancel(p->reload);
}

void shutdown_begin(Process *p, int number)
{
    bool first = p->going == GOING_NOT;
    shutdown_take_no_more(p);
    if (first)
        notify_send("STOPPING=1\nSTATUS=Stopping: running calls may finish.");
    if (p->given && !p->hurried) {
        p->hurried = true;
        process_tell_workers(p, worker_hurry);
    } else if (first && number == SIGTERM && p->config->drain_delay > 0)
        begin_delay(p);
    else if (first || (p->going == GOING_SOON && number == SIGINT))
        begin_drain(p);
    else
        shutdown_now(p);
}

/* ---- The end --------------------------------------------------------------------------------- */

/* All calls have ended: what the work pool still does is for nobody. */
static void end_work(Process *p)
{
    if (!work_pool_end(p->shared.pool, clock_now() + WORK_LEFT))
        telemetry_event("warning", "work_left", OK,
                        "the work pool does not come to its end; the process does");
}

/* The threads are joined before the handle by which they wake us is closed. Signals are blocked
   again, so that a second SIGTERM does not kill the process while it ends. */
static void close_down(Process *p)
{
    end_work(p);
    for (uint32_t i = 0; p->workers && i < p->n_workers; i++)
        worker_join(p->workers[i]);
    signals_hold();
    for (int i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&p->signals[i], NULL);
    instance_news_stop(p);
    judge_end(p->judge);
    handover_wake_by(NULL, NULL);
    upgrade_end_proof(p);
    pulse_stop(&p->pulse);
    succession_stop(p->succession);
    reloads_refuse(p, &p->waiting);
    upgrade_refuse_left(p);
    signals_stop(p->weak_signals);
    if (p->feedback)
        feedback_stop(p->feedback);
    ledger_stop(p->shared.ledger);
    usage_stop(p->shared.usage);
    key_uses_stop(p->key_uses);
    process_store_leave(p);
    healing_stop();
    certificate_watch_stop();
    renewal_watch_stop();
    secret_watch_stop();
    sandbox_watch_stop();
    manual_stop();
    uv_close((uv_handle_t *)&p->delay, NULL);
    uv_close((uv_handle_t *)&p->patience, NULL);
    uv_close((uv_handle_t *)&p->log_retry, NULL);
    pthread_mutex_lock(&p->mutex);
    p->over = true; /* the admin threads go on until admin_stop */
    pthread_mutex_unlock(&p->mutex);
    uv_close((uv_handle_t *)&p->woken, NULL);
}

/* The reload, which was cancelled, waits for a file. */
static void on_not_ended(uv_timer_t *delay)
{
    Process *p = delay->data;
    reloads_leave(p);
    close_down(p);
}

void shutdown_if_all_ended(Process *p)
{
    if (atomic_load(&p->n_ended) < p->n_workers || uv_is_closing((uv_handle_t *)&p->woken))
        return;
    if (!p->reload)
        close_down(p);
    else if (!uv_is_active((uv_handle_t *)&p->delay))
        uv_timer_start(&p->delay, on_not_ended, process_milliseconds(RELOAD_LEFT), 0);
}
