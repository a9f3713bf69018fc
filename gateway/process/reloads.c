#include "gateway/process/process_internal.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/memory/budget.h"
#include "base/text/json_text.h"
#include "gateway/catalog/catalog.h"
#include "gateway/certificates/certificate_watch.h"
#include "gateway/certificates/renewal_watch.h"
#include "gateway/certificates/secret_watch.h"
#include "gateway/discovery/discovery.h"
#include "gateway/handover/notify.h"
#include "gateway/healing/healing.h"
#include "gateway/healing/manual.h"
#include "gateway/health/judge.h"
#include "gateway/in_force/in_force.h"
#include "gateway/instances/instance_set.h"
#include "gateway/log_output/log_outputs.h"
#include "gateway/process/config_warnings.h"
#include "gateway/profile/heap.h"
#include "gateway/telemetry/log_line.h"
#include "gateway/telemetry/telemetry.h"

#include <stdio.h>
#include <string.h>

#define LOG_RETRY (10 * SECOND)    /* to open a log that could not be opened */
#define RELOAD_SLOW (1 * SECOND)   /* from then on, who asks for another one is told */
#define RELOAD_STUCK (10 * SECOND) /* from then on, it is told without being asked */

/* As actions_answer_state; and that the log could not be opened again. */
static void answer_reload(const Process *p, AdminAction *action)
{
    Buffer body = buffer_in(action->arena);
    actions_answer_state(action, "reload", actions_state_of(p->config));
    if (!p->log_failure[0])
        return;
    buffer_add(&body, action->body.data, action->body.size - strlen("}\n"));
    json_text_add_member(&body, "log_failure", bytes_of(p->log_failure));
    buffer_add_text(&body, "}\n");
    action->body = buffer_bytes(&body);
}

/* The reload that they waited for has ended. */
static void answer(Process *p, AdminAction **list, AuditState before, Result result, Bytes mistakes)
{
    for (AdminAction *next, *action = *list; action; action = next) {
        next = action->next;
        action->result = error_copy(action->arena, result);
        action->detail = bytes_copy(action->arena, mistakes);
        answer_reload(p, action);
        actions_audit(p, action, "reload", before);
        admin_action_done(action);
    }
    *list = NULL;
}

void reloads_refuse(Process *p, AdminAction **list)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    answer(p, list, actions_state_of(p->config),
           FAIL(arena, FAULT_SHUTTING_DOWN, "the gateway stops"), BYTES_NONE);
    arena_free(arena);
}

static bool log_is_missing(const Process *p)
{
    return uv_is_active((const uv_handle_t *)&p->log_retry);
}

static void end_missing_log(Process *p)
{
    if (!log_is_missing(p))
        return;
    uv_timer_stop(&p->log_retry);
    p->log_failure[0] = '\0';
    p->no_log = OK;
    telemetry_event("info", "log_opened", OK, "lines go to the log again");
}

static void retry_log(uv_timer_t *retry)
{
    Process *p = retry->data;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    if (!failed(telemetry_reopen(arena, &p->config->log)))
        end_missing_log(p);
    arena_free(arena);
}

static void begin_retries(Process *p)
{
    uint64_t millis = process_milliseconds(LOG_RETRY);
    CHECK(uv_timer_start(&p->log_retry, retry_log, millis, millis) == 0);
}

void reloads_start_log(Process *p)
{
    if (!failed(p->no_log))
        return;
    telemetry_event("error", "log_not_opened", p->no_log,
                    "lines go to stderr until it can be opened");
    begin_retries(p);
}

/* Lines go on to the file that is open, which may have no name any more: so stderr has it, too. */
static void tell_log_failure(Process *p, Arena *arena, Result why)
{
    bool on_stderr = failed(p->no_log);
    snprintf(p->log_failure, sizeof p->log_failure, "%s", error_text(arena, why));
    telemetry_event("error", "log_not_reopened", why, "lines continue to go to %s",
                    on_stderr ? "stderr" : "the file that is open");
    if (!on_stderr)
        fprintf(stderr, "passerelle: the log cannot be opened again: %s\n", p->log_failure);
    begin_retries(p);
}

void reloads_reopen_log(Process *p)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Result r = telemetry_reopen(arena, &p->config->log);
    if (failed(r))
        tell_log_failure(p, arena, r);
    else
        end_missing_log(p);
    arena_free(arena);
}

/* What holds up the reload; `arena` is for the text. */
static Result held_up(Process *p, Arena *arena)
{
    return FAIL(arena, FAULT_NO_FILE, "a reload has been running for %.0f s, and is %s",
                (double)reload_time(p->reload) / SECOND, reload_doing(p->reload, arena));
}

static void tell_held_up(Process *p, const char *what)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    telemetry_event("warning", "reload_held_up", held_up(p, arena), "%s", what);
    arena_free(arena);
}

static void on_stuck(uv_timer_t *patience)
{
    tell_held_up(patience->data, "the running config stays until then");
}

/* Another reload while one is running. */
static void reload_later(Process *p)
{
    p->reload_again = true;
    if (reload_time(p->reload) < RELOAD_SLOW)
        return;
    tell_held_up(p, "the config is read again after that");
    Arena *arena = arena_new(ARENA_UNLIMITED);
    answer(p, &p->waiting, actions_state_of(p->config), held_up(p, arena), BYTES_NONE);
    arena_free(arena);
}

static void use_config(Process *p, Config *config)
{
    Config *old = p->config;
    p->config = config;
    memory_set_limit(limits_memory(&config->limits));
    instances_adopt(config, old);
    manual_apply(config);
    heap_watch(config->profiles.heap);
    discovery_use(p->watching, config);
    process_keep_keys(p);
    judge_use(p->judge, config);
    audit_use(p->audit, config);
    ledger_use(p->shared.ledger, config);
    usage_use(p->shared.usage, config);
    otlp_use(p->shared.otlp, config);
    key_uses_use(p->key_uses, config);
    signals_use(p->weak_signals, config);
    if (p->feedback)
        feedback_use(p->feedback, config);
    rate_limits_use(p->shared.limits, config);
    fallbacks_use(p->shared.fallbacks, config);
    if (p->store) {
        fleet_use(p->fleet, config);
        store_keeper_use(p->keeper, config);
        job_admin_use(p->job_admin, config);
        job_postman_use(p->shared.jobs.postman, config);
    }
    process_store_use_rollouts(p);
    catalog_adopt(config);
    telemetry_adopt(config); /* metrics and the admin listener show it from here on */
    in_force_use(config->generation, clock_wall());
    healing_use(config);
    certificate_watch_use(config);
    for (uint32_t i = 0; i < p->n_workers; i++)
        worker_reload(p->workers[i], config, reload_sockets(p->reload), reload_taken, p->reload);
    bind_forget(old, config);
    upgrade_tell_limits(p);
    config_warn_restart(old, config);
    config_warn_descriptors(config);
    telemetry_event("info", "config_loaded", OK, "generation %llu of %s",
                    (unsigned long long)config->generation, p->config_path);
    config_warn_doubts(config);
    renewal_watch_use(config);
    secret_watch_use(config);
    config_unref(old);
}

static void tell_refused(Process *p, Result why)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer mistakes = buffer_in(arena);
    log_line_lines(&mistakes, LOG_KEY("mistakes"), reload_mistakes(p->reload));
    const AdminAction *wanted = p->reloads;
    in_force_refuse(&(RefusedConfig){.at = clock_wall(),
                                     .who = wanted ? wanted->who : NULL,
                                     .why = wanted ? wanted->why : BYTES_NONE,
                                     .cause = error_text(arena, why),
                                     .mistakes = reload_mistakes(p->reload)});
    telemetry_reload_failed();
    telemetry_event_members("error", "config_refused", why, buffer_bytes(&mistakes),
                            "%s: the running config stays", p->config_path);
    arena_free(arena);
}

static void refuse_config(Process *p, Result why, Config *config)
{
    if (!p->going)
        tell_refused(p, why);
    reload_drop(p->reload);
    if (config) {
        bind_forget(config, p->config);
        config_unref(config);
    }
}

static void on_read(void *owner)
{
    Process *p = owner;
    uv_timer_stop(&p->patience);
    atomic_store(&p->reload_began, 0);
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Config *config = NULL;
    AdminChange change = {NULL};
    AuditState before = {.generation = p->config->generation,
                         .hash = arena_string(arena, p->config->hash)};
    Result r = reload_finish(p->reload, arena, &config);
    Bytes mistakes = bytes_copy(arena, reload_mistakes(p->reload));
    if (!failed(r) && p->going)
        r = FAIL(arena, FAULT_SHUTTING_DOWN, "the gateway stops");
    if (!failed(r))
        r = admin_change_begin(p, arena, config, &change);
    if (!failed(r) && !log_outputs_are_same(&config->log, &p->config->log))
        r = telemetry_reopen(arena, &config->log);
    if (failed(r)) {
        refuse_config(p, r, config);
        admin_change_undo(&change);
    } else {
        use_config(p, config);
    }
    p->reload = NULL;
    answer(p, &p->reloads, before, r, mistakes);
    if (!p->going)
        process_tell_status(p);
    admin_change_end(p, &change);
    arena_free(arena);
    if (p->reload_again)
        reloads_begin(p);
    shutdown_if_all_ended(p);
}

void reloads_begin(Process *p)
{
    if (p->going) {
        reloads_refuse(p, &p->waiting);
        return;
    }
    if (p->reload) {
        reload_later(p);
        return;
    }
    p->reload_again = false;
    p->reloads = p->waiting;
    p->waiting = NULL;
    descriptors_raise(); /* the hard limit may have changed */
    notify_reloading();
    p->reload = reload_start(p->config_path, p->config, p->n_workers, &p->loop, on_read, p);
    atomic_store(&p->reload_began, clock_now());
    uv_timer_start(&p->patience, on_stuck, process_milliseconds(RELOAD_STUCK), 0);
}

void reloads_metrics_write(Exposition *e, void *owner)
{
    const atomic_llong *began = owner;
    int64_t since = atomic_load(began);
    exposition_family(e, "passerelle_config_reload_running_seconds", METRIC_GAUGE,
                      "How long the running reload has been reading; 0: none is running.");
    exposition_seconds(e, "", NULL, 0, since ? clock_now() - since : 0);
}

void reloads_leave(Process *p)
{
    tell_held_up(p, "it is left behind");
    reloads_refuse(p, &p->reloads);
    reload_leave(p->reload);
    p->reload = NULL;
}
