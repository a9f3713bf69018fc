/*
 * What the files of this folder know of the Process. All of it belongs to the main thread, except
 * where another one is named.
 */
#ifndef GATEWAY_PROCESS_INTERNAL_H
#define GATEWAY_PROCESS_INTERNAL_H

#include "gateway/admin/admin.h"
#include "gateway/audit/audit.h"
#include "gateway/claim_admin/claim_admin.h"
#include "gateway/discovery/discovery.h"
#include "gateway/feedback/feedback.h"
#include "gateway/fleet/fleet_name.h"
#include "gateway/health/judge.h"
#include "gateway/job_admin/job_admin.h"
#include "gateway/key_use/key_uses.h"
#include "gateway/keys/key_keeper.h"
#include "gateway/limits/limit_fleet.h"
#include "gateway/process/process.h"
#include "gateway/process/proof.h"
#include "gateway/process/pulse.h"
#include "gateway/process/reload.h"
#include "gateway/process/succession.h"
#include "gateway/process/worker.h"
#include "gateway/rollout_run/rollout_runner.h"
#include "gateway/signal/weak_signals.h"
#include "gateway/store/store_keeper.h"

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
    Arena *arena;     /* of process_run */
    Config *config;
    const char *config_path;

    WorkerShared shared;
    Worker **workers; /* NULL: none was made */
    uint32_t n_workers;
    atomic_uint n_ended;
    atomic_bool ready;
    Pulse pulse;

    Store *store; /* NULL: none is configured, as are the next five */
    StorePort *port;
    StoreKeeper *keeper;
    JobAdmin *job_admin;
    Store *rollout_store; /* of a gateway without a store, from the first rollout on */
    StorePort *rollout_port;
    RolloutRunner *rollouts; /* NULL: there were none yet, and there is no store */
    Fleet *fleet;
    FleetName *fleet_name;
    LimitFleet *limit_fleet; /* with a store */
    Audit *audit;
    Judge *judge;

    Watching *watching; /* lists of instances */
    KeyUses *key_uses;
    Signals *weak_signals;
    Feedback *feedback;     /* with a store */
    KeyKeeper *keys;        /* that check credentials; NULL: no config had any yet */
    uv_timer_t later;       /* until the workers are told of more changed instances */
    int64_t instances_told; /* when they were told last */

    Admin *admin, *admin_socket; /* NULL: none */
    pthread_mutex_t mutex;
    AdminAction *asked; /* under the mutex: actions that the main thread has not seen */
    bool over;          /* under the mutex: its loop ends, and nobody wakes it any more */

    Result no_log;         /* why the log could not be opened; lives in `arena` */
    uv_timer_t log_retry;  /* active: another file or stderr stands in for it */
    char log_failure[512]; /* why it could not be opened again; empty: it could */

    Reload *reload;            /* running; or NULL */
    AdminAction *waiting;      /* for the next reload */
    AdminAction *reloads;      /* for the one that is under way */
    bool reload_again;         /* SIGHUP arrived while one was running */
    uv_timer_t patience;       /* with `reload` */
    atomic_llong reload_began; /* monotonic nanoseconds; 0: none is running */

    Succession *succession; /* NULL: there is no supervisor */
    Proof *proof;           /* of a successor, until it serves */
    bool upgrading;         /* a successor is being started */
    AdminAction *upgrade;   /* that waits for it; NULL: a signal has asked */
    bool given;             /* a successor serves */
    Result unproved;        /* this is one, and does not answer; lives in `arena` */

    bool started; /* its workers serve, or have served */
    Going going;
    bool hurried;     /* after `given`: a signal has shortened the drain */
    uv_timer_t delay; /* of GOING_SOON; then for NOTICE_LEFT; at the end, for `reload` */
} Process;

/* ---- process.c ------------------------------------------------------------------------------- */

/* The main thread's loop does what is asked of it. `owner` is the Process. Any thread. */
void process_wake(void *owner);

void process_tell_workers(Process *p, void (*tell)(Worker *worker));

/* Clients are served from now on. */
void process_serve(Process *p);

/* The service manager shows which config is served. */
void process_tell_status(const Process *p);

/* For timers of the loop. */
static inline uint64_t process_milliseconds(int64_t time)
{
    return (uint64_t)(time / MILLISECOND);
}

/* ---- process_store.c ------------------------------------------------------------------------- */

/* Opens the store, if one is configured. Fault: BAD_CONFIG, another gateway has this one's name; it
   is opened all the same. */
MUST_USE Result process_store_open(Process *p, Arena *arena);

/* The config may have rollouts for the first time. */
void process_store_use_rollouts(Process *p);

/* Waits until it is known which clients have which build, for a short time at most: a gateway that
   starts while others serve must not give clients back to the baseline. */
void process_store_await_rollouts(Process *p);
/* Several gateways divide limits; what the process before has counted is taken over. Before the
   workers start. */
void process_store_use_limits(Process *p);

/* Before the loop ends. */
void process_store_leave(Process *p);

/* After the loop and the admin listeners have ended. */
void process_store_close(Process *p);

/* ---- admin_listeners.c ----------------------------------------------------------------------- */

MUST_USE Result admin_listeners_start(Process *p, Arena *arena);

/* Where the old config has no admin listener at an address, a new one is started. The old one goes
   when all is done. */
typedef struct AdminChange {
    Admin *address, *socket; /* NULL: none, or as before */
    bool other_address, other_socket;
} AdminChange;

/* Starts the listeners that `config` has and the running config has not. */
MUST_USE Result admin_change_begin(Process *p, Arena *arena, const Config *config,
                                   AdminChange *change_out);

/* Stops those that it has started: the running config stays. */
void admin_change_undo(AdminChange *change);

/* Stops the old ones. */
void admin_change_end(Process *p, const AdminChange *change);

/* ---- actions.c: what operators ask for ------------------------------------------------------- */

/* Takes an action, and does it later; `owner` is the Process. Any thread. */
void actions_ask(void *owner, AdminAction *action);

/* Does all that were asked for. */
void actions_do(Process *p);

/* After the loop has ended, before the admin listeners stop: their threads wait for all answers. */
void actions_refuse_left(Process *p);

AuditState actions_state_of(const Config *config);

/* The body of the response: what was `done`, and the config after it. */
void actions_answer_state(AdminAction *action, const char *done, AuditState after);

/* Records the action with its result. */
void actions_audit_change(Process *p, const AdminAction *action, const char *done,
                          AuditState before, AuditState after);
/* The same; the config after it is the one that the process has. */
void actions_audit(Process *p, const AdminAction *action, const char *done, AuditState before);

/* ---- store_actions.c: what they see of jobs, and do with them -------------------------------- */

void job_actions_do(Process *p, AdminAction *action);

/* For JobAdmin: there is work for whoever executes jobs here; `owner` is the Process. */
void job_actions_tell_work(void *owner);

/* The same of idempotency keys. */
void claim_actions_do(Process *p, AdminAction *action);

/* The same of rollouts. */
void rollout_actions_do(Process *p, AdminAction *action);

/* ---- reloads.c: when the config is read again, and how it comes into use --------------------- */

/* Log rotation must work even if the config on disk is invalid; else lines would still go to the
   renamed file. */
void reloads_reopen_log(Process *p);

/* If there is no log, it is told, and the log is tried again now and then. */
void reloads_start_log(Process *p);

/* Reads the config, also for the actions that are `waiting`; after the reload that is running. */
void reloads_begin(Process *p);

/* All actions of the list, which is then empty, are told that the gateway stops. */
void reloads_refuse(Process *p, AdminAction **list);

/* The reload that is running, which was cancelled, waits for a file: the process ends without it.
 */
void reloads_leave(Process *p);

/* A MetricsWriter; its owner is reload_began. */
void reloads_metrics_write(Exposition *e, void *owner);

/* ---- instance_news.c ------------------------------------------------------------------------- */

/* Lists of instances are watched, and the workers are told when they have changed. */
void instance_news_start(Process *p);

/* Before the loop ends. */
void instance_news_stop(Process *p);

/* Keys that check credentials are kept fresh, if the config has any; until process_leave_keys. */
void process_keep_keys(Process *p);
void process_leave_keys(Process *p);

/* ---- upgrade.c: a successor takes the place of this process, or this is one ------------------ */

/* Serves; a successor does so when it has proved that it can, and the supervisor says so. */
void upgrade_start(Process *p);

/* Asks the supervisor for a successor. */
void upgrade_begin(Process *p);

/* The same for an operator, who is answered when the successor serves or has failed. */
void upgrade_ask(Process *p, AdminAction *action);

/* The gateway stops: operators who wait are told so. */
void upgrade_refuse_left(Process *p);

/* Calls are taken now; and with which config. */
void upgrade_say_serving(const Process *p);

/* The supervisor learns the limits of the config. */
void upgrade_tell_limits(const Process *p);

void upgrade_end_proof(Process *p);

/* ---- shutdown.c ------------------------------------------------------------------------------ */

/* By a signal, or what is as good as one. */
void shutdown_begin(Process *p, int number);

/* Running calls are cut off. */
void shutdown_now(Process *p);

/* Not ready any more; the reload that is running is cancelled. */
void shutdown_take_no_more(Process *p);

/* Running calls may finish. */
void shutdown_drain_workers(Process *p);

/* The loop ends when all workers and the reload have ended. */
void shutdown_if_all_ended(Process *p);

#endif
