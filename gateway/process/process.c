#include "gateway/process/process.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/memory/budget.h"
#include "gateway/admin/refusals.h"
#include "gateway/catalog/catalog.h"
#include "gateway/certificates/certificate_watch.h"
#include "gateway/certificates/renewal_watch.h"
#include "gateway/certificates/secret_watch.h"
#include "gateway/handover/handover.h"
#include "gateway/handover/notify.h"
#include "gateway/healing/healing.h"
#include "gateway/healing/manual.h"
#include "gateway/in_force/in_force.h"
#include "gateway/instances/instance_set.h"
#include "gateway/log_output/log_outputs.h"
#include "gateway/overload/loop_load.h"
#include "gateway/overload/service_gate.h"
#include "gateway/process/config_warnings.h"
#include "gateway/process/crash_report.h"
#include "gateway/process/process_internal.h"
#include "gateway/profile/heap.h"
#include "gateway/reflect/schema_cache.h"
#include "gateway/sandbox/sandbox_watch.h"
#include "gateway/telemetry/metrics.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/thread/thread.h"
#include "gateway/tls/tickets.h"
#include "gateway/upstream/warm.h"

#include <signal.h>

enum { MAX_WORKERS = 1024 };

#define PULSE (1 * SECOND) /* between two signs of life, at most */

void process_wake(void *owner)
{
    Process *p = owner;
    pthread_mutex_lock(&p->mutex);
    if (!p->over)
        uv_async_send(&p->woken);
    pthread_mutex_unlock(&p->mutex);
}

static void on_worker_ended(void *owner)
{
    Process *p = owner;
    atomic_fetch_add(&p->n_ended, 1);
    process_wake(p);
}

void process_tell_workers(Process *p, void (*tell)(Worker *worker))
{
    for (uint32_t i = 0; i < p->n_workers; i++)
        tell(p->workers[i]);
}

static void on_beat(void *owner)
{
    (void)owner;
    if (handover_supervised())
        succession_say(NOTICE_ALIVE, "");
    else
        notify_send("WATCHDOG=1");
}

/* A service manager wants twice as many as it waits for. */
static int64_t pulse_period(void)
{
    int64_t half = notify_watchdog() / 2;
    return half && half < PULSE ? half : PULSE;
}

void process_tell_status(const Process *p)
{
    char lines[256];
    snprintf(lines, sizeof lines, "READY=1\nSTATUS=Serving: generation %llu, config %s",
             (unsigned long long)p->config->generation, p->config->hash);
    notify_send(lines);
}

void process_serve(Process *p)
{
    handover_settle();
    if (handover_succeeds())
        process_tell_workers(p, worker_serve);
    atomic_store(&p->ready, true);
    telemetry_event("info", "started", OK, "%u loops, config %s", p->n_workers, p->config_path);
    upgrade_tell_limits(p);
    upgrade_say_serving(p);
    process_tell_status(p);
    if (handover_supervised() || notify_watchdog())
        pulse_start(&p->pulse, &p->loop, p->workers, p->n_workers, pulse_period(), on_beat, p);
    if (crash_report(p->workers[0]))
        ledger_hurry(p->shared.ledger);
    config_warn_doubts(p->config);
}

/* ---- The main thread's loop ------------------------------------------------------------------ */

static void on_woken(uv_async_t *async)
{
    Process *p = async->data;
    if (!uv_is_closing((uv_handle_t *)async)) {
        actions_do(p);
        handover_write_changed();
    }
    shutdown_if_all_ended(p);
}

static void on_signal(uv_signal_t *handle, int number)
{
    Process *p = handle->data;
    if (number == SIGHUP) {
        reloads_reopen_log(p);
        reloads_begin(p);
    } else if (number == SIGUSR2) {
        upgrade_begin(p);
    } else {
        shutdown_begin(p, number);
    }
}

static void open_loop(Process *p)
{
    CHECK(uv_loop_init(&p->loop) == 0);
    CHECK(uv_async_init(&p->loop, &p->woken, on_woken) == 0);
    CHECK(uv_timer_init(&p->loop, &p->delay) == 0);
    CHECK(uv_timer_init(&p->loop, &p->patience) == 0);
    CHECK(uv_timer_init(&p->loop, &p->log_retry) == 0);
    p->woken.data = p->delay.data = p->patience.data = p->log_retry.data = p;
    for (int i = 0; i < SIGNALS; i++) {
        CHECK(uv_signal_init(&p->loop, &p->signals[i]) == 0);
        p->signals[i].data = p;
        CHECK(uv_signal_start(&p->signals[i], on_signal, signal_numbers[i]) == 0);
    }
}

/* ---- Starting -------------------------------------------------------------------------------- */

static uint32_t count_workers(const Config *config)
{
    uint32_t n = config->n_loops ? config->n_loops : (uint32_t)uv_available_parallelism();
    return n < MAX_WORKERS ? n : MAX_WORKERS;
}

static uint32_t n_pool_threads(const Config *config)
{
    return config->n_work_threads ? config->n_work_threads : (uint32_t)uv_available_parallelism();
}

static void start_pool(Process *p)
{
    p->shared.pool = work_pool_new(n_pool_threads(p->config), p->config->limits.work_waits);
    telemetry_show_pool(p->shared.pool);
}

static Result start_workers(Process *p, Arena *arena, BoundSocket *sockets)
{
    Random random;
    random_seed(&random);
    p->shared.hop = hop_name_new(&random);
    p->workers = arena_array(arena, Worker *, p->n_workers);
    for (uint32_t i = 0; i < p->n_workers; i++)
        p->workers[i] = worker_new(&p->shared, i, p->config);
    for (uint32_t i = 0; handover_succeeds() && i < p->n_workers; i++)
        worker_hold(p->workers[i]);
    for (uint32_t i = 0; i < p->n_workers; i++) {
        Result r = worker_start(p->workers[i], sockets, arena);
        if (failed(r)) {
            /* Running workers end; this one and the following ones count as ended. */
            for (uint32_t k = 0; k < i; k++)
                worker_abort(p->workers[k]);
            atomic_fetch_add(&p->n_ended, p->n_workers - i);
            return r;
        }
    }
    return OK;
}

static void stop_admin(Process *p)
{
    actions_refuse_left(p);
    admin_stop(p->admin);
    admin_stop(p->admin_socket);
    metrics_remove_writer(p->shared.otlp);
    otlp_stop(p->shared.otlp); /* its last metrics have those of all others */
    metrics_remove_writer(p);
    metrics_remove_writer(&p->reload_began);
    metrics_remove_writer(&p->instances_told);
    metrics_remove_writer(&p->n_workers);
    metrics_remove_writer(&p->shared);
    metrics_remove_writer(p->audit);
    metrics_remove_writer(p->shared.ledger);
    metrics_remove_writer(p->shared.usage);
    metrics_remove_writer(p->key_uses);
    metrics_remove_writer(p->weak_signals);
    metrics_remove_writer(p->shared.limits);
    metrics_remove_writer(p->shared.fallbacks);
    metrics_remove_writer(p->shared.shadows);
    shadow_book_free(p->shared.shadows);
    audit_free(p->audit);
    signals_free(p->weak_signals);
    if (p->feedback)
        feedback_free(p->feedback);
    ledger_free(p->shared.ledger);
    usage_free(p->shared.usage);
    key_uses_free(p->key_uses);
    rate_limits_free(p->shared.limits);
}

static void write_tickets(void *unused, Buffer *out)
{
    (void)unused;
    tickets_write(out);
}

static void on_new_ticket_key(void)
{
    handover_changed("tickets");
}

/* Clients resume sessions that the process before has begun. */
static void take_tickets(void)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    tickets_read(handover_take("tickets", arena));
    handover_offer("tickets", write_tickets, NULL);
    tickets_told_to(on_new_ticket_key);
    arena_free(arena);
}

/* What is recorded of calls, failures and operators. */
static void open_books(Process *p)
{
    p->audit = audit_new(p->port);
    audit_use(p->audit, p->config);
    metrics_add_writer(audit_metrics_write, p->audit);
    metrics_add_writer(admin_metrics_write, p);
    healing_start(&p->loop, p->config);
    sandbox_watch_start(&p->loop);
    certificate_watch_start(&p->loop);
    certificate_watch_use(p->config);
    renewal_watch_start(&p->loop);
    renewal_watch_use(p->config);
    secret_watch_start(&p->loop);
    secret_watch_use(p->config);
    metrics_add_writer(loop_load_metrics_write, &p->n_workers);
    metrics_add_writer(gates_metrics_write, &p->shared);
    manual_start(&p->loop);
    manual_apply(p->config);
    heap_watch(p->config->profiles.heap);
    metrics_add_writer(reloads_metrics_write, &p->reload_began);
    metrics_add_writer(warm_metrics_write, &p->instances_told);
    p->shared.ledger = ledger_new(&p->loop, p->config);
    if (p->port)
        ledger_keep(p->shared.ledger, p->port);
    else
        ledger_hand_on(p->shared.ledger, p->config);
    metrics_add_writer(ledger_metrics_write, p->shared.ledger);
    p->shared.usage = usage_new(&p->loop, p->port);
    usage_use(p->shared.usage, p->config);
    metrics_add_writer(usage_metrics_write, p->shared.usage);
    p->shared.otlp = otlp_open(p->config);
    metrics_add_writer(otlp_metrics_write, p->shared.otlp);
    p->key_uses = key_uses_start(&p->loop, p->port);
    key_uses_use(p->key_uses, p->config);
    metrics_add_writer(key_uses_metrics_write, p->key_uses);
    p->weak_signals = signals_new(&(SignalPlaces){.loop = &p->loop,
                                                  .ledger = p->shared.ledger,
                                                  .usage = p->shared.usage,
                                                  .store = p->store,
                                                  .port = p->port},
                                  p->config);
    metrics_add_writer(signals_metrics_write, p->weak_signals);
    if (p->port)
        p->feedback = feedback_new(&p->loop, p->shared.ledger, p->port, p->config);
    p->shared.limits = rate_limits_new();
    rate_limits_use(p->shared.limits, p->config);
    metrics_add_writer(rate_limits_metrics_write, p->shared.limits);
    p->shared.fallbacks = fallbacks_new(p->config);
    metrics_add_writer(fallbacks_metrics_write, p->shared.fallbacks);
    p->shared.shadows = shadow_book_new();
    metrics_add_writer(shadow_book_metrics, p->shared.shadows);
}

/* Runs until all workers have ended. Telemetry is started. */
static Result run_workers(Process *p, Arena *arena, BoundSocket *sockets)
{
    memory_set_limit(limits_memory(&p->config->limits));
    instances_adopt(p->config, NULL);
    catalog_adopt(p->config);
    telemetry_adopt(p->config);
    in_force_use(p->config->generation, clock_wall());
    open_loop(p);
    take_tickets();
    reloads_start_log(p);
    Result r = process_store_open(p, arena);
    open_books(p);
    if (!failed(r)) {
        process_store_use_rollouts(p);
        process_store_await_rollouts(p);
    }
    process_store_use_limits(p);
    if (!failed(r))
        r = admin_listeners_start(p, arena);
    if (failed(r))
        atomic_store(&p->n_ended, p->n_workers); /* none will be started */
    instance_news_start(p);
    process_keep_keys(p);
    p->judge = judge_new(&p->loop);
    judge_use(p->judge, p->config);
    config_warn_descriptors(p->config);
    start_pool(p);
    if (!failed(r))
        r = start_workers(p, arena, sockets);
    p->started = !failed(r);
    if (failed(r)) {
        p->going = GOING_NOW;
        process_wake(p);
    } else {
        upgrade_start(p);
    }
    signals_release();
    uv_run(&p->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&p->loop) == 0);
    telemetry_show_pool(NULL);
    work_pool_free(p->shared.pool);
    fallbacks_free(p->shared.fallbacks);
    return failed(p->unproved) ? p->unproved : r;
}

static Result check_descriptors(Arena *arena, const Config *config)
{
    const Descriptors *d = &config->descriptors;
    return d->room
               ? OK
               : FAIL(arena, FAULT_SYSTEM,
                      "the hard limit of file descriptors, %u, leaves none for clients", d->most);
}

/* The loops, the pool, and what else has a thread from the start, or as soon as it is asked for. */
static Result check_threads(const Process *p, Arena *arena)
{
    enum { OTHERS = 16 };
    const StoreConfig *store = &p->config->store;
    uint32_t wanted = p->n_workers + n_pool_threads(p->config) + OTHERS;
    if (store->postgresql)
        wanted += store->connections + p->n_workers + 1; /* and those that hear */
    uint32_t made = threads_try(wanted);
    return made == wanted
               ? OK
               : FAIL(arena, FAULT_SYSTEM, "after %u of %u threads, " THREAD_NONE, made, wanted);
}

/* Who takes the place of a gateway has to serve, also without a log. At a first start somebody is
   there to mend it. */
static Result open_log(Process *p, Arena *arena)
{
    LogOutputConfig errors;
    LogConfig to_stderr = log_config_of_file(NULL, &errors);
    Result r = telemetry_start(arena, &p->config->log, p->config->node);
    if (!failed(r) || !handover_replaces())
        return r;
    p->no_log = r;
    to_stderr.redact = p->config->log.redact;
    return telemetry_start(arena, &to_stderr, p->config->node);
}

/* Root has read the files, and a reload reads them as who it is then. */
static Result check_sources(Arena *arena, const Config *config)
{
    Buffer files = buffer_in(arena);
    if (!config->sandbox.on || !config_unreadable(config, &files))
        return OK;
    return FAIL(arena, FAULT_SYSTEM,
                "sandbox: %s cannot read files that each reload reads: chown or chgrp them, or "
                "chmod: %.*s",
                config->sandbox.user ? config->sandbox.user : "who it is without capabilities",
                BYTES_ARGS(buffer_bytes(&files)));
}

static Result open_all(Process *p, Arena *arena, BoundSocket **sockets)
{
    descriptors_raise();
    Result r = check_descriptors(arena, p->config);
    if (!failed(r))
        r = bind_listeners(arena, p->config, NULL, p->n_workers, sockets);
    if (failed(r))
        return r;
    r = sandbox_enter(arena, &p->config->sandbox);
    if (!failed(r))
        r = check_sources(arena, p->config);
    if (!failed(r))
        r = check_threads(p, arena); /* the limit of a user counts for the one of the sandbox */
    if (!failed(r))
        r = open_log(p, arena);
    if (failed(r)) {
        bind_close(*sockets, p->n_workers);
        bind_forget(p->config, NULL);
    } else {
        schema_caches_keep(p->config);
    }
    return r;
}

static void tell_end(Process *p, Result r)
{
    unsigned n_cut = atomic_load(&p->shared.n_cut);
    if (!p->started)
        telemetry_event("error", "not_started", r, "the gateway has not started: no call was made");
    else if (n_cut)
        telemetry_event("warning", "stopped", r, "%u call%s cut off", n_cut,
                        n_cut == 1 ? " was" : "s were");
    else
        telemetry_event("info", "stopped", r, "all calls have ended");
}

Result process_run(Arena *arena, Config *config, const char *config_path, EarlyStop *stop)
{
    Process p = {.config = config,
                 .config_path = config_path,
                 .n_workers = count_workers(config),
                 .arena = arena};
    p.shared.on_ended = on_worker_ended;
    p.shared.owner = &p;
    CHECK(pthread_mutex_init(&p.mutex, NULL) == 0);
    BoundSocket *sockets = NULL;
    Result r = open_all(&p, arena, &sockets);
    early_stop_end(stop);
    if (!failed(r)) {
        r = run_workers(&p, arena, sockets);
        stop_admin(&p);
        process_leave_keys(&p);
        healing_forget();
        manual_forget();
        in_force_forget();
        process_store_close(&p);
        tell_end(&p, r);
        otlp_end(p.shared.otlp);
        telemetry_stop();
        bind_close(sockets, p.n_workers);
        bind_forget(p.config, NULL);
    }
    config_unref(p.config);
    return r;
}
