#include "gateway/process/process.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/memory/budget.h"
#include "gateway/admin/admin.h"
#include "gateway/admin/refusals.h"
#include "gateway/audit/audit.h"
#include "gateway/discovery/discovery.h"
#include "gateway/handover/handover.h"
#include "gateway/handover/notify.h"
#include "gateway/healing/healing.h"
#include "gateway/healing/manual.h"
#include "gateway/health/judge.h"
#include "gateway/identity/identity.h"
#include "gateway/instances/instance_set.h"
#include "gateway/ledger/ledger.h"
#include "gateway/overload/loop_load.h"
#include "gateway/process/crash_report.h"
#include "gateway/process/proof.h"
#include "gateway/process/pulse.h"
#include "gateway/process/reload.h"
#include "gateway/process/succession.h"
#include "gateway/process/worker.h"
#include "gateway/reflect/schema_cache.h"
#include "gateway/store/store_keeper.h"
#include "gateway/store/store_metrics.h"
#include "gateway/supervisor/restarts.h"
#include "gateway/telemetry/log_line.h"
#include "gateway/telemetry/metrics.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/upstream/warm.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MAX_WORKERS = 1024 };

#define RELOAD_SLOW (1 * SECOND) /* from then on, who asks for another one is told */
#define INSTANCES_PAUSE (100 * MILLISECOND)
#define RELOAD_STUCK (10 * SECOND) /* from then on, it is told without being asked */
#define RELOAD_LEFT (1 * SECOND)   /* after all calls have ended */
#define LEFT_TIME (2 * SECOND)     /* for the supervisor to close its sockets */
#define PULSE (1 * SECOND)         /* between two signs of life, at most */

/* The progress of a shutdown. */
typedef enum Going {
    GOING_NOT,
    GOING_SOON, /* not ready by health and readiness, but still serving */
    GOING_DRAIN,
    GOING_NOW, /* running calls are cut off */
} Going;

typedef struct Process {
    uv_loop_t loop; /* of the main thread */
    uv_signal_t signals[SIGNALS];
    uv_async_t woken; /* a worker has ended, or an operator wants something */
    atomic_uint n_ended;
    WorkerShared shared;
    Worker **workers;
    uint32_t n_workers;
    Config *config;
    const char *config_path;
    Watching *watching; /* lists of instances */
    Judge *judge;
    Store *store; /* NULL: none is configured, as are the next three */
    StorePort *port;
    StoreKeeper *keeper;
    Fleet *fleet;
    Audit *audit;
    Admin *admin, *admin_socket; /* NULL: none */
    pthread_mutex_t mutex;
    AdminAction *asked;   /* under the mutex: actions that the main thread has not seen */
    bool over;            /* under the mutex: its loop ends, and nobody wakes it any more */
    AdminAction *waiting; /* for the next reload */
    AdminAction *reloads; /* for the one that is under way */
    atomic_bool ready;
    Going going;
    uv_timer_t delay;          /* of GOING_SOON; then for NOTICE_LEFT; at the end, for `reload` */
    Reload *reload;            /* running; or NULL */
    bool reload_again;         /* SIGHUP arrived while one was running */
    uv_timer_t patience;       /* with `reload` */
    uv_timer_t later;          /* until the workers are told of more changed instances */
    int64_t instances_told;    /* when they were told last */
    atomic_llong reload_began; /* monotonic nanoseconds; 0: none is running */
    Succession *succession;    /* NULL: there is no supervisor */
    Proof *proof;              /* of a successor, until it serves */
    Pulse pulse;
    AdminAction *upgrades; /* that wait for the one that is under way */
    bool given;            /* a successor serves */
    Result unproved;       /* this is one, and does not answer; lives in `arena` */
    Arena *arena;          /* of process_run */
    bool hurried;          /* then: a signal has shortened the drain */
} Process;

static void wake(void *owner)
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
    wake(p);
}

/* ---- Stopping -------------------------------------------------------------------------------- */

static void tell_workers(Process *p, void (*tell)(Worker *worker))
{
    for (uint32_t i = 0; i < p->n_workers; i++)
        tell(p->workers[i]);
}

static void drain_workers(Process *p)
{
    uv_timer_stop(&p->delay);
    tell_workers(p, worker_drain);
}

static void on_not_left(uv_timer_t *delay)
{
    drain_workers(delay->data);
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
        drain_workers(p);
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
    tell_workers(p, worker_leave);
    uv_timer_start(&p->delay, on_delay_over, millis, 0);
}

static void end_now(Process *p)
{
    p->going = GOING_NOW;
    uv_timer_stop(&p->delay);
    telemetry_event("info", "stopping_now", OK, "running calls are cut off");
    tell_workers(p, worker_abort);
}

static void take_no_more(Process *p)
{
    atomic_store(&p->ready, false);
    if (p->reload)
        reload_cancel(p->reload);
}

static void stop(Process *p, int number)
{
    bool first = p->going == GOING_NOT;
    take_no_more(p);
    if (first)
        notify_send("STOPPING=1\nSTATUS=Stopping: running calls may finish.");
    if (p->given && !p->hurried) {
        p->hurried = true;
        tell_workers(p, worker_hurry);
    } else if (first && number == SIGTERM && p->config->drain_delay > 0)
        begin_delay(p);
    else if (first || (p->going == GOING_SOON && number == SIGINT))
        begin_drain(p);
    else
        end_now(p);
}

/* ---- The store ------------------------------------------------------------------------------- */

static void open_store(Process *p)
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
    p->fleet = fleet_start(&p->loop, p->port);
    fleet_use(p->fleet, p->config);
    p->keeper = store_keeper_start(&p->loop, p->store, p->port, &store_kinds);
    store_keeper_use(p->keeper, p->config);
    metrics_add_writer(store_metrics_write, p->store);
    metrics_add_writer(store_keeper_metrics_write, p->keeper);
}

/* Before the loop ends. */
static void leave_store(Process *p)
{
    if (!p->store)
        return;
    fleet_stop(p->fleet);
    store_keeper_stop(p->keeper);
    store_port_close(p->port);
}

/* After the loop and the admin listener have ended. */
static void close_store(Process *p)
{
    if (!p->store)
        return;
    metrics_remove_writer(p->store);
    metrics_remove_writer(p->keeper);
    store_keeper_free(p->keeper);
    fleet_free(p->fleet);
    store_close(p->store);
}

static void refuse_action(AdminAction *action)
{
    action->result = FAIL(action->arena, FAULT_SHUTTING_DOWN, "the gateway stops");
    admin_action_done(action);
}

/* ---- What operators do ----------------------------------------------------------------------- */

/* On the thread of an admin listener. */
static void act(void *owner, AdminAction *action)
{
    Process *p = owner;
    pthread_mutex_lock(&p->mutex);
    bool over = p->over;
    if (!over) {
        action->next = p->asked;
        p->asked = action;
    }
    pthread_mutex_unlock(&p->mutex);
    if (over)
        refuse_action(action);
    else
        wake(p);
}

static AdminAction *take_asked(Process *p)
{
    pthread_mutex_lock(&p->mutex);
    AdminAction *asked = p->asked;
    p->asked = NULL;
    pthread_mutex_unlock(&p->mutex);
    return asked;
}

static AuditState state_of(const Config *config)
{
    return (AuditState){config->generation, config->hash};
}

static void answer_state(AdminAction *action, const char *done, const Config *config)
{
    Buffer body = buffer_in(action->arena);
    buffer_printf(&body, "{\"action\":\"%s\",\"generation\":%llu,\"config\":\"%s\"}\n", done,
                  (unsigned long long)config->generation, config->hash);
    action->body = buffer_bytes(&body);
}

static void audit(Process *p, const AdminAction *action, const char *done, AuditState before)
{
    audit_write(p->audit, &(AuditEntry){.action = done,
                                        .who = action->who,
                                        .by = action->by,
                                        .why = action->why,
                                        .before = before,
                                        .after = state_of(p->config),
                                        .result = action->result});
}

/* The reload that they waited for has ended. */
static void answer_reloads(Process *p, AdminAction **list, AuditState before, Result result,
                           Bytes mistakes)
{
    for (AdminAction *next, *action = *list; action; action = next) {
        next = action->next;
        action->result = error_copy(action->arena, result);
        action->detail = bytes_copy(action->arena, mistakes);
        answer_state(action, "reload", p->config);
        audit(p, action, "reload", before);
        admin_action_done(action);
    }
    *list = NULL;
}

static void refuse_reloads(Process *p, AdminAction **list)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    answer_reloads(p, list, state_of(p->config),
                   FAIL(arena, FAULT_SHUTTING_DOWN, "the gateway stops"), BYTES_NONE);
    arena_free(arena);
}

static void on_audit_read(void *owner, Result result, Bytes json)
{
    AdminAction *action = owner;
    action->result = error_copy(action->arena, result);
    action->body = bytes_copy(action->arena, json);
    admin_action_done(action);
}

static void drain(Process *p, AdminAction *action)
{
    answer_state(action, "drain", p->config);
    audit(p, action, "drain", state_of(p->config));
    admin_action_done(action);
    if (!p->going)
        stop(p, SIGTERM);
}

static void tell_doubts(const Config *config);

/* ---- Upgrades -------------------------------------------------------------------------------- */

static void answer_upgrades(Process *p, Result result)
{
    for (AdminAction *next, *action = p->upgrades; action; action = next) {
        next = action->next;
        action->result = error_copy(action->arena, result);
        answer_state(action, "upgrade", p->config);
        audit(p, action, "upgrade", state_of(p->config));
        admin_action_done(action);
    }
    p->upgrades = NULL;
}

static void refuse_upgrade(Process *p, const char *why)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Result r = FAIL(arena, FAULT_NOT_UPGRADED, "%s", why);
    telemetry_event("error", "not_upgraded", r, "this process goes on");
    if (p->fleet)
        fleet_rest(p->fleet, false);
    answer_upgrades(p, r);
    arena_free(arena);
}

static void begin_upgrade(Process *p)
{
    if (!p->succession)
        refuse_upgrade(p, "there is no supervisor: start the gateway with `passerelle run "
                          "--supervise CONFIG`");
    else if (p->going)
        refuse_upgrade(p, "the gateway stops");
    else
        succession_say(NOTICE_UPGRADE, "");
}

static void upgrade(Process *p, AdminAction *action)
{
    action->next = p->upgrades;
    p->upgrades = action;
    begin_upgrade(p);
}

static void on_ledger_collected(void *owner, Bytes page)
{
    (void)owner;
    (void)page;
    handover_write_all();
    succession_say(NOTICE_WRITTEN, "");
}

static void write_for_successor(Process *p)
{
    telemetry_event("info", "upgrading", OK, "a new process is started");
    if (p->fleet)
        fleet_rest(p->fleet, true);
    ledger_read(p->shared.ledger, on_ledger_collected, p);
}

/* A successor serves: its clients and operators come to it from now on. */
static void hand_over(Process *p)
{
    if (p->given)
        return;
    p->given = true;
    handover_give();
    telemetry_event("info", "handed_over", OK, "a new process serves; running calls may finish");
    answer_upgrades(p, OK);
    take_no_more(p);
    admin_leave(p->admin);
    admin_leave(p->admin_socket);
    if (p->going >= GOING_DRAIN)
        return;
    p->going = GOING_DRAIN;
    atomic_store(&p->shared.drain_time, p->config->upgrade.drain);
    drain_workers(p);
}

static void tell_limits(const Process *p)
{
    const UpgradeConfig *upgrade = &p->config->upgrade;
    SupervisorLimits limits = {.restarts = upgrade->restarts,
                               .steady = upgrade->steady,
                               .wait = upgrade->wait,
                               .longest = upgrade->longest_wait,
                               .prove = upgrade->prove,
                               .hung = upgrade->hung};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    supervisor_limits_write(&limits, &text);
    succession_say(NOTICE_LIMITS, arena_text(arena, buffer_bytes(&text)));
    arena_free(arena);
}

static void tell_status(const Process *p)
{
    char lines[256];
    snprintf(lines, sizeof lines, "READY=1\nSTATUS=Serving: generation %llu, config %s",
             (unsigned long long)p->config->generation, p->config->hash);
    notify_send(lines);
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

static void serve(Process *p)
{
    handover_settle();
    if (handover_succeeds())
        tell_workers(p, worker_serve);
    atomic_store(&p->ready, true);
    telemetry_event("info", "started", OK, "%u loops, config %s", p->n_workers, p->config_path);
    tell_limits(p);
    succession_say(NOTICE_SERVING, "");
    tell_status(p);
    if (handover_supervised() || notify_watchdog())
        pulse_start(&p->pulse, &p->loop, p->workers, p->n_workers, pulse_period(), on_beat, p);
    crash_report(p->workers[0]);
    tell_doubts(p->config);
}

static void on_proved(void *owner, Result result)
{
    Process *p = owner;
    if (!failed(result)) {
        succession_say(NOTICE_PREPARED, "");
        return;
    }
    telemetry_event("error", "not_upgraded", result, "this new process ends");
    p->unproved = error_copy(p->arena, result);
    end_now(p);
}

static void end_proof(Process *p)
{
    proof_stop(p->proof);
    p->proof = NULL;
}

/* The supervisor has ended: nobody would start this process again, or stop it. */
static void on_orphaned(Process *p)
{
    telemetry_event("error", "supervisor_gone", OK, "this process stops");
    stop(p, SIGTERM);
}

static void on_heard(void *owner, NoticeKind kind, Bytes text)
{
    Process *p = owner;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    if (kind == NOTICE_NONE)
        on_orphaned(p);
    else if (kind == NOTICE_WRITE)
        write_for_successor(p);
    else if (kind == NOTICE_GO && p->proof && !p->going) {
        end_proof(p);
        serve(p);
    } else if (kind == NOTICE_DRAIN)
        hand_over(p);
    else if (kind == NOTICE_STAYS && !p->given)
        refuse_upgrade(p, arena_text(arena, text));
    else if (kind == NOTICE_LEFT && p->going == GOING_DRAIN)
        drain_workers(p);
    arena_free(arena);
}

/* ---- The ledger ------------------------------------------------------------------------------ */

static void on_errors_read(void *owner, Bytes json)
{
    AdminAction *action = owner;
    action->body = bytes_copy(action->arena, json);
    admin_action_done(action);
}

static void on_request_found(void *owner, Bytes json)
{
    AdminAction *action = owner;
    if (json.size)
        action->body = bytes_copy(action->arena, json);
    else
        action->result =
            FAIL(action->arena, FAULT_UNKNOWN_PATH,
                 "this gateway has no record of such a call: it is older than an hour, gave way to "
                 "newer ones (ledger.requests), or was another gateway's");
    admin_action_done(action);
}

/* An action on its way to the store. */
typedef struct Storing {
    Process *process;
    AdminAction *action;
} Storing;

static Storing *storing_of(Process *p, AdminAction *action)
{
    Storing *storing = arena_make(action->arena, Storing);
    *storing = (Storing){p, action};
    return storing;
}

static void on_annotated(void *owner, Result result)
{
    const Storing *storing = owner;
    AdminAction *action = storing->action;
    action->result = error_copy(action->arena, result);
    action->why = bytes_of(arena_printf(action->arena, "%.*s: %.*s", BYTES_ARGS(action->target),
                                        BYTES_ARGS(action->why)));
    answer_state(action, "annotate", storing->process->config);
    audit(storing->process, action, "annotate", state_of(storing->process->config));
    admin_action_done(action);
}

static void annotate(Process *p, AdminAction *action)
{
    ledger_annotate(p->shared.ledger,
                    &(LedgerSaying){.fingerprint = action->target,
                                    .json = action->text,
                                    .who = action->who,
                                    .why = action->why},
                    on_annotated, storing_of(p, action));
}

/* ---- By hand --------------------------------------------------------------------------------- */

/* "10.0.0.7:7001 for 10m: broken disk" */
static Bytes why_of(const AdminAction *action, const char *subject)
{
    if (!subject[0])
        return action->why;
    return bytes_of(arena_printf(action->arena, "%s%s%.*s", subject, action->why.size ? ": " : "",
                                 BYTES_ARGS(action->why)));
}

static void do_by_hand(Process *p, AdminAction *action, const char *of)
{
    Buffer answer = buffer_in(action->arena);
    const char *subject;
    action->result = manual_order(&(ManualOrder){.word = action->target,
                                                 .query = action->text,
                                                 .who = action->who,
                                                 .by = action->by,
                                                 .why = action->why},
                                  action->arena, &answer, &subject);
    action->body = buffer_bytes(&answer);
    action->why = why_of(action, subject);
    audit(p, action, arena_printf(action->arena, "%s_%.*s", of, BYTES_ARGS(action->target)),
          state_of(p->config));
    admin_action_done(action);
}

/* ---- Forgetting a client --------------------------------------------------------------------- */

static void on_forgotten(void *owner, Result result, StoreTask *task)
{
    const Storing *storing = owner;
    AdminAction *action = storing->action;
    Buffer body = buffer_in(action->arena);
    action->result = error_copy(action->arena, result);
    if (failed(result) && result.error->fault == &FAULT_STORE_CONFLICT)
        action->result = FAIL_OVER(action->arena, action->result, FAULT_STORE_CONFLICT,
                                   "the store has the schema of a newer gateway, and may have "
                                   "records that this one does not know: ask a newer gateway");
    if (!failed(result))
        buffer_printf(&body, "{\"action\":\"client_forget\",\"records\":%lld}\n",
                      (long long)store_kinds_forgotten(task));
    action->body = buffer_bytes(&body);
    audit(storing->process, action, "client_forget", state_of(storing->process->config));
    admin_action_done(action);
}

/* A pseudonym is new each time: two clients that were forgotten do not become one. */
static void forget_client(Process *p, AdminAction *action)
{
    Random random;
    random_seed(&random);
    const char *pseudonym =
        arena_printf(action->arena, "forgotten-%016llx", (unsigned long long)random_next(&random));
    Bytes hash = identity_hash(action->client, p->config, action->arena);
    if (!hash.size && p->config->identity.hash_key.size) {
        on_forgotten(storing_of(p, action),
                     FAIL(action->arena, FAULT_OUT_OF_MEMORY, "hashing the name"), NULL);
        return;
    }
    store_submit(p->port,
                 store_kinds_forget_client(&store_kinds, bytes_of(pseudonym), action->client,
                                           hash.size ? hash : action->client),
                 on_forgotten, storing_of(p, action));
}

/* ---- Reloading ------------------------------------------------------------------------------- */

/* Log rotation must work even if the config on disk is invalid; else lines would still go to the
   renamed file. */
static void reopen_log(Process *p)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Result r = telemetry_reopen(arena, p->config->log_file);
    if (failed(r))
        telemetry_event("error", "log_not_reopened", r,
                        "lines continue to go to the file that is open");
    arena_free(arena);
}

static uint64_t milliseconds(int64_t time)
{
    return (uint64_t)(time / MILLISECOND);
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
    answer_reloads(p, &p->waiting, state_of(p->config), held_up(p, arena), BYTES_NONE);
    arena_free(arena);
}

static void end_reload(void *owner);

static void begin_reload(Process *p)
{
    if (p->going) {
        refuse_reloads(p, &p->waiting);
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
    p->reload = reload_start(p->config_path, p->config, p->n_workers, &p->loop, end_reload, p);
    atomic_store(&p->reload_began, clock_now());
    uv_timer_start(&p->patience, on_stuck, milliseconds(RELOAD_STUCK), 0);
}

static void write_reload_metrics(Exposition *e, void *owner)
{
    const atomic_llong *began = owner;
    int64_t since = atomic_load(began);
    exposition_family(e, "passerelle_config_reload_running_seconds", METRIC_GAUGE,
                      "How long the running reload has been reading; 0: none is running.");
    exposition_seconds(e, "", NULL, 0, since ? clock_now() - since : 0);
}

static void write_warm_metrics(Exposition *e, void *owner)
{
    WarmCounts counts = warm_counts();
    struct {
        const char *state;
        uint32_t n;
    } states[] = {{"ready", counts.granted - counts.missing},
                  {"missing", counts.missing},
                  {"beyond_limit", counts.beyond}};
    exposition_family(e, "passerelle_warm_connections", METRIC_GAUGE,
                      "Connections to instances that services with `warm` keep: open, lacking, and "
                      "more than limits.warm_connections allows.");
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        Label label = {"state", states[i].state};
        exposition_number(e, "", &label, 1, states[i].n);
    }
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static Result start_at(Process *p, Arena *arena, const Config *config, const Address *address,
                       Admin **admin_out)
{
    AdminSees sees = {.ready = &p->ready, .fleet = p->fleet, .act = act, .owner = p};
    *admin_out = NULL;
    if (!address->host && !address->path)
        return OK;
    return admin_start(arena, config, address, &sees, admin_out);
}

static void make_folder_of(const char *path)
{
    char folder[256]; /* longer than the path of a socket can be */
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path || (size_t)(slash - path) >= sizeof folder)
        return;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    mkdir(folder, 0755);
}

/* The default socket is nobody's demand: the gateway goes on without it. */
static Result start_socket(Process *p, Arena *arena, const Config *config, Admin **admin_out)
{
    const Address *address = &config->admin_socket;
    if (address->path && !config->admin_socket_said)
        make_folder_of(address->path);
    Result r = start_at(p, arena, config, address, admin_out);
    if (!failed(r) || config->admin_socket_said)
        return r;
    telemetry_event("warning", "admin_socket_missing", r, "commands cannot find the gateway at %s",
                    address->text);
    return OK;
}

/* Where the old config has no admin listener at an address, a new one is started. The old one goes
   when all is done. */
typedef struct AdminChange {
    Admin *address, *socket; /* NULL: none, or as before */
    bool other_address, other_socket;
} AdminChange;

static Result begin_admin_change(Process *p, Arena *arena, const Config *config,
                                 AdminChange *change)
{
    *change = (AdminChange){
        .other_address = !same_text(p->config->admin.text, config->admin.text),
        .other_socket = !same_text(p->config->admin_socket.text, config->admin_socket.text)};
    Result r = OK;
    if (change->other_address)
        r = start_at(p, arena, config, &config->admin, &change->address);
    if (!failed(r) && change->other_socket)
        r = start_socket(p, arena, config, &change->socket);
    if (failed(r))
        admin_stop(change->address);
    return r;
}

static void end_admin_change(Process *p, const AdminChange *change)
{
    if (change->other_address) {
        admin_stop(p->admin);
        p->admin = change->address;
    }
    if (change->other_socket) {
        admin_stop(p->admin_socket);
        p->admin_socket = change->socket;
    }
}

static bool same_store(const StoreConfig *a, const StoreConfig *b)
{
    return same_text(a->sqlite, b->sqlite) && same_text(a->postgresql, b->postgresql) &&
           a->connections == b->connections && a->queue == b->queue && a->time == b->time;
}

/* Reports settings that take effect only after a restart. */
static void tell_what_stays(const Config *old, const Config *config)
{
    if (old->n_loops != config->n_loops)
        telemetry_event("warning", "restart_needed", OK, "loops: %u takes effect after a restart",
                        config->n_loops);
    if (!same_store(&old->store, &config->store))
        telemetry_event("warning", "restart_needed", OK, "store: it takes effect after a restart");
    if (old->n_work_threads != config->n_work_threads)
        telemetry_event("warning", "restart_needed", OK,
                        "work_threads: %u takes effect after a restart", config->n_work_threads);
    if (old->ledger.requests != config->ledger.requests)
        telemetry_event("warning", "restart_needed", OK,
                        "ledger.requests: %zu takes effect after a restart",
                        config->ledger.requests);
    if (old->limits.work_waits != config->limits.work_waits)
        telemetry_event("warning", "restart_needed", OK,
                        "limits.work_waits: %u takes effect after a restart",
                        config->limits.work_waits);
}

static void tell_doubts(const Config *config)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Problems doubts = config->doubts;
    Buffer text = buffer_in(arena);
    doubts.arena = arena;
    problems_print(&doubts, &text);
    Bytes rest = buffer_bytes(&text), line;
    while (bytes_split(&rest, '\n', &line))
        if (line.size)
            telemetry_event("warning", "config_doubtful", OK, "%.*s", BYTES_ARGS(line));
    arena_free(arena);
}

static void tell_few_descriptors(const Config *config)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    if (config_few_descriptors(config, &text))
        telemetry_event("warning", "few_descriptors", OK, "%.*s", BYTES_ARGS(buffer_bytes(&text)));
    arena_free(arena);
}

static void use_config(Process *p, Config *config)
{
    Config *old = p->config;
    p->config = config;
    memory_set_limit(limits_memory(&config->limits));
    instances_adopt(config, old);
    manual_apply(config);
    discovery_use(p->watching, config);
    judge_use(p->judge, config);
    audit_use(p->audit, config);
    ledger_use(p->shared.ledger, config);
    fallbacks_use(p->shared.fallbacks, config);
    if (p->store) {
        fleet_use(p->fleet, config);
        store_keeper_use(p->keeper, config);
    }
    telemetry_adopt(config); /* metrics and the admin listener show it from here on */
    healing_use(config);
    for (uint32_t i = 0; i < p->n_workers; i++)
        worker_reload(p->workers[i], config, reload_sockets(p->reload), reload_taken, p->reload);
    bind_forget(old, config);
    tell_limits(p);
    tell_what_stays(old, config);
    tell_few_descriptors(config);
    telemetry_event("info", "config_loaded", OK, "generation %llu of %s",
                    (unsigned long long)config->generation, p->config_path);
    tell_doubts(config);
    config_unref(old);
}

static void tell_refused(Process *p, Result why)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer mistakes = buffer_in(arena);
    log_line_lines(&mistakes, LOG_KEY("mistakes"), reload_mistakes(p->reload));
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

static void end_if_all_ended(Process *p);

static void end_reload(void *owner)
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
        r = begin_admin_change(p, arena, config, &change);
    if (!failed(r) && strcmp(config->log_file, p->config->log_file) != 0)
        r = telemetry_reopen(arena, config->log_file);
    if (failed(r)) {
        refuse_config(p, r, config);
        admin_stop(change.address);
        admin_stop(change.socket);
        change = (AdminChange){NULL};
    } else {
        use_config(p, config);
    }
    p->reload = NULL;
    answer_reloads(p, &p->reloads, before, r, mistakes);
    if (!p->going)
        tell_status(p);
    end_admin_change(p, &change);
    arena_free(arena);
    if (p->reload_again)
        begin_reload(p);
    end_if_all_ended(p);
}

static void tell_instances(uv_timer_t *later)
{
    Process *p = later->data;
    p->instances_told = clock_now();
    for (uint32_t i = 0; p->workers && i < p->n_workers; i++)
        worker_use_instances(p->workers[i], p->config);
}

/* A worker looks at all instances then: changes that follow each other closely are one. */
static void on_instances_changed(void *owner)
{
    Process *p = owner;
    manual_apply(p->config);
    int64_t wait = p->instances_told + INSTANCES_PAUSE - clock_now();
    if (!uv_is_active((uv_handle_t *)&p->later))
        uv_timer_start(&p->later, tell_instances, wait > 0 ? milliseconds(wait) : 0, 0);
}

static void do_action(Process *p, AdminAction *action)
{
    switch (action->what) {
    case ADMIN_RELOAD:
        action->next = p->waiting;
        p->waiting = action;
        reopen_log(p);
        begin_reload(p);
        break;
    case ADMIN_DRAIN: drain(p, action); break;
    case ADMIN_UPGRADE: upgrade(p, action); break;
    case ADMIN_READ_AUDIT: audit_read(p->audit, on_audit_read, action); break;
    case ADMIN_FORGET_CLIENT: forget_client(p, action); break;
    case ADMIN_READ_ERRORS: ledger_read(p->shared.ledger, on_errors_read, action); break;
    case ADMIN_READ_REQUEST:
        ledger_find(p->shared.ledger, action->target, on_request_found, action);
        break;
    case ADMIN_ANNOTATE: annotate(p, action); break;
    case ADMIN_INSTANCE: do_by_hand(p, action, "instance"); break;
    case ADMIN_SERVICE: do_by_hand(p, action, "service"); break;
    }
}

static void do_actions(Process *p)
{
    for (AdminAction *next, *action = take_asked(p); action; action = next) {
        next = action->next;
        do_action(p, action);
    }
}

/* ---- The main thread's loop ------------------------------------------------------------------ */

static void end_upgrades(Process *p)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    answer_upgrades(p, FAIL(arena, FAULT_SHUTTING_DOWN, "the gateway stops"));
    arena_free(arena);
}

/* The threads are joined before the handle by which they wake us is closed. Signals are blocked
   again, so that a second SIGTERM does not kill the process while it ends. */
static void close_down(Process *p)
{
    for (uint32_t i = 0; p->workers && i < p->n_workers; i++)
        worker_join(p->workers[i]);
    signals_hold();
    for (int i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&p->signals[i], NULL);
    metrics_remove_writer(p->watching);
    discovery_end(p->watching);
    judge_end(p->judge);
    handover_wake_by(NULL, NULL);
    end_proof(p);
    pulse_stop(&p->pulse);
    succession_stop(p->succession);
    refuse_reloads(p, &p->waiting);
    end_upgrades(p);
    ledger_stop(p->shared.ledger);
    leave_store(p);
    healing_stop();
    manual_stop();
    uv_close((uv_handle_t *)&p->delay, NULL);
    uv_close((uv_handle_t *)&p->patience, NULL);
    uv_close((uv_handle_t *)&p->later, NULL);
    pthread_mutex_lock(&p->mutex);
    p->over = true; /* the admin threads go on until stop_admin */
    pthread_mutex_unlock(&p->mutex);
    uv_close((uv_handle_t *)&p->woken, NULL);
}

/* The reload, which was cancelled, waits for a file. */
static void on_not_ended(uv_timer_t *delay)
{
    Process *p = delay->data;
    tell_held_up(p, "it is left behind");
    refuse_reloads(p, &p->reloads);
    reload_leave(p->reload);
    p->reload = NULL;
    close_down(p);
}

static void end_if_all_ended(Process *p)
{
    if (atomic_load(&p->n_ended) < p->n_workers || uv_is_closing((uv_handle_t *)&p->woken))
        return;
    if (!p->reload)
        close_down(p);
    else if (!uv_is_active((uv_handle_t *)&p->delay))
        uv_timer_start(&p->delay, on_not_ended, milliseconds(RELOAD_LEFT), 0);
}

static void on_woken(uv_async_t *async)
{
    Process *p = async->data;
    if (!uv_is_closing((uv_handle_t *)async)) {
        do_actions(p);
        handover_write_changed();
    }
    end_if_all_ended(p);
}

static void on_signal(uv_signal_t *handle, int number)
{
    Process *p = handle->data;
    if (number == SIGHUP) {
        reopen_log(p);
        begin_reload(p);
    } else if (number == SIGUSR2) {
        begin_upgrade(p);
    } else {
        stop(p, number);
    }
}

static void listen_for_signals(Process *p)
{
    CHECK(uv_loop_init(&p->loop) == 0);
    CHECK(uv_async_init(&p->loop, &p->woken, on_woken) == 0);
    CHECK(uv_timer_init(&p->loop, &p->delay) == 0);
    CHECK(uv_timer_init(&p->loop, &p->patience) == 0);
    CHECK(uv_timer_init(&p->loop, &p->later) == 0);
    p->woken.data = p->delay.data = p->patience.data = p->later.data = p;
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

static void start_pool(Process *p)
{
    uint32_t n = p->config->n_work_threads;
    if (n == 0)
        n = (uint32_t)uv_available_parallelism();
    p->shared.pool = work_pool_new(n, p->config->limits.work_waits);
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

static Result start_admin(Process *p, Arena *arena)
{
    Result r = start_at(p, arena, p->config, &p->config->admin, &p->admin);
    if (failed(r))
        return FAIL_OVER(arena, r, FAULT_SYSTEM, "starting the admin listener at %s",
                         p->config->admin.text);
    r = start_socket(p, arena, p->config, &p->admin_socket);
    return failed(r) ? FAIL_OVER(arena, r, FAULT_SYSTEM, "starting the admin listener at %s",
                                 p->config->admin_socket.text)
                     : OK;
}

/* Actions that came when the loop ended have nobody else to answer them; and the admin's threads
   wait for all answers. */
static void stop_admin(Process *p)
{
    for (AdminAction *next, *action = take_asked(p); action; action = next) {
        next = action->next;
        refuse_action(action);
    }
    admin_stop(p->admin);
    admin_stop(p->admin_socket);
    metrics_remove_writer(p);
    metrics_remove_writer(&p->reload_began);
    metrics_remove_writer(&p->instances_told);
    metrics_remove_writer(&p->n_workers);
    metrics_remove_writer(p->audit);
    metrics_remove_writer(p->shared.ledger);
    metrics_remove_writer(p->shared.fallbacks);
    audit_free(p->audit);
    ledger_free(p->shared.ledger);
}

/* A successor serves when it has proved that it can; any other one at once. */
static void begin(Process *p)
{
    p->succession = succession_start(&p->loop, on_heard, p);
    handover_wake_by(wake, p);
    if (!handover_succeeds())
        serve(p);
    else
        p->proof = proof_start(&p->loop, p->workers, p->n_workers,
                               (Admin *const[]){p->admin, p->admin_socket}, on_proved, p);
}

/* Runs until all workers have ended. Telemetry is started. */
static Result run_workers(Process *p, Arena *arena, BoundSocket *sockets)
{
    memory_set_limit(limits_memory(&p->config->limits));
    instances_adopt(p->config, NULL);
    telemetry_adopt(p->config);
    listen_for_signals(p);
    open_store(p);
    p->audit = audit_new(p->port);
    audit_use(p->audit, p->config);
    metrics_add_writer(audit_metrics_write, p->audit);
    metrics_add_writer(refusals_metrics_write, p);
    healing_start(&p->loop, p->config);
    metrics_add_writer(loop_load_metrics_write, &p->n_workers);
    manual_start(&p->loop);
    manual_apply(p->config);
    metrics_add_writer(write_reload_metrics, &p->reload_began);
    metrics_add_writer(write_warm_metrics, &p->instances_told);
    p->shared.ledger = ledger_new(&p->loop, p->config);
    if (p->port)
        ledger_keep(p->shared.ledger, p->port);
    else
        ledger_hand_on(p->shared.ledger, p->config);
    metrics_add_writer(ledger_metrics_write, p->shared.ledger);
    p->shared.fallbacks = fallbacks_new(p->config);
    metrics_add_writer(fallbacks_metrics_write, p->shared.fallbacks);
    Result r = start_admin(p, arena);
    if (failed(r))
        atomic_store(&p->n_ended, p->n_workers); /* none will be started */
    p->watching = discovery_new(&p->loop, on_instances_changed, p);
    metrics_add_writer(discovery_metrics_write, p->watching);
    discovery_use(p->watching, p->config);
    p->judge = judge_new(&p->loop);
    judge_use(p->judge, p->config);
    tell_few_descriptors(p->config);
    start_pool(p);
    if (!failed(r))
        r = start_workers(p, arena, sockets);
    if (failed(r)) {
        p->going = GOING_NOW;
        wake(p);
    } else {
        begin(p);
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

static Result open_all(Process *p, Arena *arena, BoundSocket **sockets)
{
    descriptors_raise();
    Result r = check_descriptors(arena, p->config);
    if (!failed(r))
        r = bind_listeners(arena, p->config, NULL, p->n_workers, sockets);
    if (failed(r))
        return r;
    r = telemetry_start(arena, p->config->log_file, p->config->node);
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
    if (n_cut)
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
        healing_forget();
        manual_forget();
        close_store(&p);
        tell_end(&p, r);
        telemetry_stop();
        bind_close(sockets, p.n_workers);
        bind_forget(p.config, NULL);
    }
    config_unref(p.config);
    return r;
}
