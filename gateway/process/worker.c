#include "gateway/process/worker.h"
#include "gateway/access/authenticator.h"

#include "base/arena.h"
#include "gateway/authz_call/authz_asking.h"
#include "gateway/builtin/health.h"
#include "gateway/cohort/cohort_port.h"
#include "gateway/health/checks.h"
#include "gateway/job_view/job_desk.h"
#include "gateway/job_view/job_maker.h"
#include "gateway/loop/config_use.h"
#include "gateway/memory/memory_wait.h"
#include "gateway/overload/loop_load.h"
#include "gateway/overload/service_gate.h"
#include "gateway/overload/shed_reply.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/trace/trace_book.h"
#include "gateway/upstream/upstream.h"

#include <stdio.h>
#include <stdlib.h>

enum { THREAD_NAME = 16 }; /* with its NUL */

#define LAST_TIME (2 * SECOND) /* to send the errors of calls that were cut off */

struct Worker {
    Loop loop;
    ConnectionSet connections;
    ListenerSet listeners;
    WorkerShared *shared;
    LedgerBook *book;
    TraceBook *traces;
    Checks *checks; /* NULL: another worker makes them */
    uv_thread_t thread;
    Timer timer; /* end of the drain, then of LAST_TIME */
    bool held;   /* it serves later, and executes no jobs until then */
    bool started, aborted;
    WorkerJobs jobs;
    Shadows *shadows;
};

static const MakerTable *const makers[MAKERS] = {
    [MAKER_COMPOSE] = &composition_maker, [MAKER_JOB] = &job_maker};

static Worker *worker_of(Loop *loop)
{
    return (Worker *)((char *)loop - offsetof(Worker, loop));
}

static Result going_down(Loop *loop)
{
    return FAIL(loop_scratch(loop), FAULT_SHUTTING_DOWN, "the gateway stops");
}

static bool has_nothing_left(const Worker *worker)
{
    return worker->connections.n == 0 && worker_jobs_are_idle(&worker->jobs);
}

static void on_empty(ConnectionSet *set)
{
    if (set->loop->draining && has_nothing_left(worker_of(set->loop)))
        loop_stop(set->loop);
}

static void on_jobs_idle(void *owner)
{
    on_empty(&((Worker *)owner)->connections);
}

static void break_off(Loop *loop)
{
    Worker *worker = worker_of(loop);
    if (worker->aborted) {
        loop_stop(loop);
        return;
    }
    worker->aborted = true;
    timer_start(&loop->timers, &worker->timer, loop->now + LAST_TIME);
    worker_jobs_end(&worker->jobs);
    uint32_t n = connections_cut(&worker->connections, going_down(loop));
    atomic_fetch_add(&worker->shared->n_cut, n);
    if (worker->connections.n == 0)
        loop_stop(loop);
}

static void on_timer(Timer *timer)
{
    break_off(&((Worker *)((char *)timer - offsetof(Worker, timer)))->loop);
}

static void begin_drain(Loop *loop)
{
    Worker *worker = worker_of(loop);
    if (loop->draining)
        return;
    loop->leaving = loop->draining = true;
    listeners_close(&worker->listeners);
    int64_t time = atomic_load(&worker->shared->drain_time);
    timer_start(&loop->timers, &worker->timer,
                loop->now + (time ? time : loop->config->drain_time));
    health_end_watches(loop); /* before GOAWAY, so that these clients do not reconnect here */
    shadows_stop(worker->shadows);
    worker_jobs_drain(&worker->jobs, loop);
    connections_drain(&worker->connections);
    if (has_nothing_left(worker))
        loop_stop(loop);
}

static void run_leave(Loop *loop, void *argument)
{
    (void)argument;
    loop->leaving = true;
}

static void run_drain(Loop *loop, void *argument)
{
    (void)argument;
    begin_drain(loop);
}

static void run_abort(Loop *loop, void *argument)
{
    (void)argument;
    begin_drain(loop);
    if (!worker_of(loop)->aborted)
        break_off(loop);
}

static void run_hurry(Loop *loop, void *argument)
{
    (void)argument;
    Worker *worker = worker_of(loop);
    if (loop->draining && !worker->aborted)
        timer_start(&loop->timers, &worker->timer, loop->now + loop->config->drain_time);
}

void worker_hurry(Worker *worker)
{
    loop_post(&worker->loop, run_hurry, NULL);
}

void worker_leave(Worker *worker)
{
    loop_post(&worker->loop, run_leave, NULL);
}

void worker_drain(Worker *worker)
{
    loop_post(&worker->loop, run_drain, NULL);
}

void worker_abort(Worker *worker)
{
    loop_post(&worker->loop, run_abort, NULL);
}

/* ---- For an upgrade -------------------------------------------------------------------------- */

void worker_hold(Worker *worker)
{
    worker->held = true;
    listeners_hold(&worker->listeners);
}

static void run_serve(Loop *loop, void *argument)
{
    (void)argument;
    listeners_release(&worker_of(loop)->listeners);
    worker_jobs_start(&worker_of(loop)->jobs);
}

void worker_serve(Worker *worker)
{
    loop_post(&worker->loop, run_serve, NULL);
}

static void run_accept(Loop *loop, void *argument)
{
    static const struct sockaddr peer = {.sa_family = AF_UNIX};
    connection_accept(&worker_of(loop)->connections, (int)(intptr_t)argument, &peer, "", NULL);
}

void worker_accept(Worker *worker, int fd)
{
    loop_post(&worker->loop, run_accept, (void *)(intptr_t)fd);
}

typedef struct WorkerQuestion {
    void (*on_turn)(void *owner);
    void *owner;
} WorkerQuestion;

static void run_question(Loop *loop, void *argument)
{
    (void)loop;
    WorkerQuestion question = *(WorkerQuestion *)argument;
    free(argument);
    question.on_turn(question.owner);
}

void worker_ask(Worker *worker, void (*on_turn)(void *owner), void *owner)
{
    WorkerQuestion *question = malloc(sizeof *question);
    CHECK(question);
    *question = (WorkerQuestion){on_turn, owner};
    loop_post(&worker->loop, run_question, question);
}

typedef struct WorkerFailure {
    Arena *arena;
    Result why;
} WorkerFailure;

static void run_record(Loop *loop, void *argument)
{
    WorkerFailure *failure = argument;
    Code code = (Code)failure->why.error->fault->grpc_status;
    telemetry_record_refused(loop, &(CallRecord){.peer = "",
                                                 .listener = "",
                                                 .dialect = DIALECT_HTTP,
                                                 .rule = "",
                                                 .served_why = "",
                                                 .status = {.code = code},
                                                 .why = failure->why,
                                                 .began = clock_wall()});
    arena_free(failure->arena);
}

void worker_record(Worker *worker, Result why)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    WorkerFailure *failure = arena_make(arena, WorkerFailure);
    *failure = (WorkerFailure){arena, error_copy(arena, why)};
    loop_post(&worker->loop, run_record, failure);
}

/* ---- A new config ---------------------------------------------------------------------------- */

typedef struct WorkerReload {
    Config *config;
    BoundSocket *sockets;
    void (*on_done)(void *owner);
    void *owner;
} WorkerReload;

static void run_reload(Loop *loop, void *argument)
{
    WorkerReload *reload = argument;
    Worker *worker = worker_of(loop);
    Config *old = loop->config;
    loop->config = reload->config;
    if (!loop->draining)
        listeners_apply(&worker->listeners, loop->config, reload->sockets);
    upstreams_reload(loop->upstreams);
    gates_use_config(loop);
    if (worker->checks)
        checks_use(worker->checks);
    worker_jobs_use(&worker->jobs, loop->config);
    config_uses_trim(loop);
    config_unref(old);
    reload->on_done(reload->owner);
    free(reload);
}

void worker_reload(Worker *worker, Config *config, BoundSocket *sockets,
                   void (*on_done)(void *owner), void *owner)
{
    WorkerReload *reload = malloc(sizeof(*reload));
    CHECK(reload);
    *reload = (WorkerReload){config_ref(config), sockets, on_done, owner};
    loop_post(&worker->loop, run_reload, reload);
}

static void run_use_instances(Loop *loop, void *argument)
{
    Config *config = argument;
    Checks *checks = worker_of(loop)->checks;
    if (loop->config == config) {
        upstreams_reload(loop->upstreams);
        if (checks)
            checks_use(checks);
    }
    config_unref(config);
}

void worker_use_instances(Worker *worker, Config *config)
{
    loop_post(&worker->loop, run_use_instances, config_ref(config));
}

/* On the main thread, which frees the loop only now: until then others may post to it, even after
   its thread has ended. False: it has to stay, for work that was left behind. */
static bool worker_close(Worker *worker)
{
    Loop *loop = &worker->loop;
    loop->draining = true;
    Result why = going_down(loop);
    timer_stop(&loop->timers, &worker->timer);
    listeners_close(&worker->listeners);
    connections_abort(&worker->connections, why);
    worker_jobs_end(&worker->jobs);
    checks_free(worker->checks);
    shadows_stop(worker->shadows);
    upstreams_close(loop->upstreams, why);
    bool left = work_pool_leave(loop->pool, loop);
    claim_port_close(loop->claims);
    ledger_close_book(worker->book);
    trace_book_close(worker->traces);
    worker_jobs_leave(&worker->jobs);
    cohort_end(loop);
    if (!left)
        return false;
    loop_deinit(loop);
    trace_book_free(worker->traces);
    worker_jobs_close(&worker->jobs, loop);
    shadows_free(worker->shadows);
    candidates_end(loop);
    upstreams_free(loop->upstreams);
    gates_free(loop);
    shed_replies_free(loop);
    loop_load_close(loop);
    authenticator_close(loop);
    memory_waits_free(loop);
    config_uses_trim(loop);
    config_unref(loop->config);
    return true;
}

static void worker_run(void *argument)
{
    Worker *worker = argument;
    char name[THREAD_NAME];
    snprintf(name, sizeof name, "loop %u", worker->loop.index);
    pthread_setname_np(pthread_self(), name);
    loop_run(&worker->loop);
    worker->shared->on_ended(worker->shared->owner);
}

Worker *worker_new(WorkerShared *shared, uint32_t index, Config *config)
{
    Worker *worker = calloc(1, sizeof(*worker));
    CHECK(worker);
    Loop *loop = &worker->loop;
    loop_init(loop, index);
    loop->config = config_ref(config);
    loop->telemetry = telemetry_new();
    worker->book = ledger_open_book(shared->ledger, loop);
    usage_count(shared->usage, loop);
    worker->traces = trace_book_open(otlp_of_traces(shared->otlp), loop);
    loop->limits = shared->limits;
    loop->hop = shared->hop.text;
    loop->pool = shared->pool;
    loop->fallbacks = fallbacks_table(shared->fallbacks);
    loop->makers = makers;
    loop->authz = &authz_asking_port;
    worker_jobs_open(&worker->jobs, loop, &shared->jobs, on_jobs_idle, worker);
    loop->upstreams = upstreams_new(loop);
    if (index == 0) {
        worker->checks = checks_new(loop);
        checks_use(worker->checks);
    }
    if (shared->claims)
        loop->claims = claim_port_open(shared->claims, &loop->uv);
    worker->shadows = shadows_open(loop, shared->shadows);
    loop->shadows = shadows_port(worker->shadows);
    loop_load_open(loop);
    worker->shared = shared;
    worker->timer.fire = on_timer;
    worker->connections =
        (ConnectionSet){.loop = loop, .n_in_process = &shared->n_connections, .on_empty = on_empty};
    listeners_init(&worker->listeners, loop, &worker->connections);
    return worker;
}

Result worker_start(Worker *worker, BoundSocket *sockets, Arena *arena)
{
    Config *config = worker->loop.config;
    listeners_apply(&worker->listeners, config, sockets);
    if (!worker->held)
        worker_jobs_start(&worker->jobs);
    if (upstreams_warm(config)) /* else each is made for its first call */
        worker_use_instances(worker, config);
    int error = uv_thread_create(&worker->thread, worker_run, worker);
    if (error)
        return FAIL(arena, FAULT_SYSTEM, "starting a thread: %s", uv_strerror(error));
    worker->started = true;
    return OK;
}

void worker_join(Worker *worker)
{
    if (worker->started)
        uv_thread_join(&worker->thread);
    if (worker_close(worker))
        free(worker);
}
