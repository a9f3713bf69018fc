#include "gateway/store/store.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/random.h"
#include "gateway/store/store_backend.h"
#include "gateway/store/store_schema.h"
#include "gateway/telemetry/telemetry.h"
#include "gateway/thread/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { BATCH = 256 }; /* tasks that are executed together */

/* Between two attempts to reach a store that is down. */
#define FIRST_PAUSE (100 * MILLISECOND)
#define LONGEST_PAUSE (5 * SECOND)

#define CLOSE_TIME (10 * SECOND) /* beyond the time of the last tasks */

#define LOOK_EVERY 50 /* milliseconds: at tasks that may be due */

/* Of a task. */
enum { WAITING, TAKEN, GIVEN_UP };

typedef struct StoreThread {
    Store *store;
    pthread_t thread;
    uv_mutex_t mutex;
    uv_cond_t changed;
    StoreTask *first, *last; /* the queue */
    uint32_t n_waiting;
    bool ending;

    /* The thread's own. */
    StoreSession *session; /* NULL: the store is down */
    bool was_up;           /* at any time before */
    bool stores_nothing;   /* the session lives, and what is written fails: a full disk */
    int64_t next_try, pause;
    Arena *why_arena;
    Result why; /* the store is down */
} StoreThread;

struct Store {
    const StoreBackend *backend;
    StoreSettings settings;
    char tag[40];
    StoreThread *threads;
    uint32_t n_threads;
    atomic_uint next_thread, n_up;
    _Atomic uint64_t done, conflicts, failed, given_up, batches, n_made_empty;
    _Atomic int64_t busy;
};

/* ---- The store's threads --------------------------------------------------------------------- */

/* To be called with the mutex held. Waits for a task, for the end, or for the next attempt. */
static void wait_for_work(StoreThread *t)
{
    while (!t->first && !t->ending) {
        if (t->session) {
            uv_cond_wait(&t->changed, &t->mutex);
            continue;
        }
        int64_t left = t->next_try - clock_now();
        if (left <= 0)
            return;
        uv_cond_timedwait(&t->changed, &t->mutex, (uint64_t)left);
    }
}

/* The number of tasks taken; 0 with `ending`: the thread is to end. */
static size_t take_batch(StoreThread *t, StoreTask **batch)
{
    size_t n = 0;
    uv_mutex_lock(&t->mutex);
    wait_for_work(t);
    while (t->first && n < BATCH) {
        StoreTask *task = t->first;
        t->first = task->next;
        if (!t->first)
            t->last = NULL;
        t->n_waiting--;
        batch[n++] = task;
    }
    uv_mutex_unlock(&t->mutex);
    return n;
}

/* What came while the thread was connecting is executed first. */
static bool is_at_end(StoreThread *t)
{
    uv_mutex_lock(&t->mutex);
    bool ending = t->ending && !t->first;
    uv_mutex_unlock(&t->mutex);
    return ending;
}

static void lose_session(StoreThread *t)
{
    t->store->backend->close(t->session);
    t->session = NULL;
    t->pause = FIRST_PAUSE;
    t->next_try = clock_now() + t->pause;
    if (!t->stores_nothing)
        atomic_fetch_sub(&t->store->n_up, 1);
    t->stores_nothing = false;
}

static void set_stores_nothing(StoreThread *t, bool nothing, Result why)
{
    const char *name = t->store->backend->name;
    if (t->stores_nothing == nothing)
        return;
    t->stores_nothing = nothing;
    if (nothing) {
        atomic_fetch_sub(&t->store->n_up, 1);
        telemetry_event("error", "store_down", why, "%s stores nothing", name);
    } else {
        atomic_fetch_add(&t->store->n_up, 1);
        telemetry_event("info", "store_up", OK, "%s can be used again", name);
    }
}

static bool has_written(const StoreTask *task)
{
    for (const StoreStatement *s = task->first; s; s = s->next) {
        if (s->changed > 0)
            return true;
    }
    return false;
}

/* Tasks that only read go on while the disk is full, and say nothing about it. */
static void see_whether_it_stores(StoreThread *t, StoreTask **tasks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        Result r = tasks[i]->result;
        if (failed(r) && r.error->fault == &FAULT_STORE_DOWN)
            set_stores_nothing(t, true, r);
        else if (!failed(r) && has_written(tasks[i]))
            set_stores_nothing(t, false, OK);
    }
}

static void keep_why(StoreThread *t, Result why)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Result copy = error_copy(arena, why);
    arena_free(t->why_arena);
    t->why_arena = arena;
    t->why = copy;
}

/* Nobody would look for what was stored before if it were only said that the store is there. */
static void tell_made(StoreThread *t, bool was_empty_file)
{
    const char *name = t->store->backend->name;
    atomic_fetch_add(&t->store->n_made_empty, t->was_up || was_empty_file);
    if (t->was_up)
        telemetry_event("error", "store_made_empty", OK,
                        "%s: the store has gone, and a new, empty one was made: nothing that was "
                        "stored before is in it",
                        name);
    else if (was_empty_file)
        telemetry_event("warning", "store_made_empty", OK,
                        "%s: the file %s had no bytes, and a new, empty store was made in it", name,
                        t->store->settings.sqlite);
}

static bool has_empty_file(const StoreSettings *settings)
{
    struct stat found;
    return settings->sqlite && stat(settings->sqlite, &found) == 0 && found.st_size == 0;
}

/* Tries to reach the store, unless it was tried a moment ago. The first failure of a row is told.
 */
static void need_session(StoreThread *t)
{
    if (t->session || clock_now() < t->next_try)
        return;
    const StoreBackend *backend = t->store->backend;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    bool was_empty_file = has_empty_file(&t->store->settings), made = false;
    Result r = backend->open(&t->store->settings, arena, &t->session);
    if (!failed(r)) {
        r = store_schema_apply(backend, t->session, arena, &made);
        if (failed(r)) {
            backend->close(t->session);
            t->session = NULL;
        }
    }
    if (failed(r)) {
        if (!failed(t->why))
            telemetry_event("error", "store_down", r, "%s cannot be used", backend->name);
        keep_why(t, r);
        t->pause = t->pause ? t->pause * 2 : FIRST_PAUSE;
        t->pause = t->pause < LONGEST_PAUSE ? t->pause : LONGEST_PAUSE;
        t->next_try = clock_now() + t->pause;
    } else {
        if (failed(t->why))
            telemetry_event("info", "store_up", OK, "%s can be used again", backend->name);
        if (made)
            tell_made(t, was_empty_file);
        t->why = OK;
        t->was_up = true;
        t->pause = 0;
        atomic_fetch_add(&t->store->n_up, 1);
    }
    arena_free(arena);
}

/* Leaves out those that were given up while they waited. */
static size_t still_wanted(StoreTask **batch, size_t n, StoreTask **wanted)
{
    size_t n_wanted = 0;
    for (size_t i = 0; i < n; i++) {
        int waiting = WAITING;
        if (atomic_compare_exchange_strong(&batch[i]->state, &waiting, TAKEN))
            wanted[n_wanted++] = batch[i];
    }
    return n_wanted;
}

/* What only reads has had no effect, whatever became of the connection. */
static void tell_reads(StoreTask **tasks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        Result r = tasks[i]->result;
        if (tasks[i]->reads && failed(r) && r.error->fault == &FAULT_STORE_UNKNOWN)
            tasks[i]->result = FAIL_OVER(tasks[i]->arena, r, FAULT_STORE_DOWN, "reading");
    }
}

static void count_results(Store *store, StoreTask **tasks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        Result r = tasks[i]->result;
        if (!failed(r))
            atomic_fetch_add(&store->done, 1);
        else if (r.error->fault == &FAULT_STORE_CONFLICT)
            atomic_fetch_add(&store->conflicts, 1);
        else
            atomic_fetch_add(&store->failed, 1);
    }
}

/* What comes before the store is there again is not sent: that it did not happen is known, whatever
   is known of the tasks that were under way. */
static void fall_down(StoreThread *t, Result why)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    const char *name = t->store->backend->name;
    telemetry_event("error", "store_down", why, "%s was lost", name);
    if (!failed(why))
        why = FAIL(arena, FAULT_STORE_DOWN, "%s was lost", name);
    else if (why.error->fault != &FAULT_STORE_DOWN)
        why = FAIL(arena, FAULT_STORE_DOWN, "%s", error_origin(why)->doing);
    keep_why(t, why);
    arena_free(arena);
    lose_session(t);
}

static void execute(StoreThread *t, StoreTask **tasks, size_t n)
{
    Store *store = t->store;
    need_session(t);
    if (t->session) {
        int64_t began = clock_now();
        bool lives = store->backend->execute(t->session, tasks, n);
        atomic_fetch_add(&store->busy, clock_now() - began);
        atomic_fetch_add(&store->batches, 1);
        if (lives)
            see_whether_it_stores(t, tasks, n);
        else
            fall_down(t, tasks[n - 1]->result);
    } else {
        for (size_t i = 0; i < n; i++)
            tasks[i]->result = error_copy(tasks[i]->arena, t->why);
    }
    tell_reads(tasks, n);
    count_results(store, tasks, n);
}

static void *run_thread(void *argument)
{
    StoreThread *t = argument;
    StoreTask *batch[BATCH], *wanted[BATCH];
    pthread_setname_np(pthread_self(), "store");
    for (;;) {
        size_t n = take_batch(t, batch);
        size_t n_wanted = still_wanted(batch, n, wanted);
        if (n_wanted)
            execute(t, wanted, n_wanted);
        else
            need_session(t);
        for (size_t i = 0; i < n; i++)
            batch[i]->on_executed(batch[i]);
        if (n == 0 && is_at_end(t))
            break;
    }
    if (t->session)
        lose_session(t);
    arena_free(t->why_arena);
    return NULL;
}

/* False: the queue is full. */
static bool enqueue(StoreThread *t, StoreTask *task)
{
    uv_mutex_lock(&t->mutex);
    bool room = t->n_waiting < t->store->settings.queue;
    if (room) {
        if (t->last)
            t->last->next = task;
        else
            t->first = task;
        t->last = task;
        t->n_waiting++;
        uv_cond_signal(&t->changed);
    }
    uv_mutex_unlock(&t->mutex);
    return room;
}

/* ---- Opening and closing --------------------------------------------------------------------- */

static void start_thread(Store *store, StoreThread *t)
{
    t->store = store;
    CHECK(uv_mutex_init(&t->mutex) == 0);
    CHECK(uv_cond_init(&t->changed) == 0);
    CHECK(thread_make(&t->thread, run_thread, t) == 0);
}

static void make_tag(char *tag, size_t size)
{
    Random random;
    random_seed(&random);
    snprintf(tag, size, "%016llx%016llx", (unsigned long long)random_next(&random),
             (unsigned long long)random_next(&random));
}

Store *store_open(const StoreSettings *settings)
{
    Store *store = calloc(1, sizeof *store);
    CHECK(store);
    store->backend = settings->postgresql ? &store_postgresql : &store_sqlite;
    store->settings = *settings;
    make_tag(store->tag, sizeof store->tag);
    store->settings.sqlite = text_copy(settings->sqlite);
    store->settings.postgresql = text_copy(settings->postgresql);
    store->n_threads = settings->postgresql ? settings->connections : 1;
    store->threads = calloc(store->n_threads, sizeof *store->threads);
    CHECK(store->threads);
    for (uint32_t i = 0; i < store->n_threads; i++)
        start_thread(store, &store->threads[i]);
    return store;
}

static void end_thread(StoreThread *t)
{
    uv_mutex_lock(&t->mutex);
    t->ending = true;
    uv_cond_signal(&t->changed);
    uv_mutex_unlock(&t->mutex);
}

static void join_thread(StoreThread *t, int64_t deadline)
{
    if (!thread_join_by(t->thread, deadline))
        return; /* the store hangs, in a way that its backend cannot end */
    uv_cond_destroy(&t->changed);
    uv_mutex_destroy(&t->mutex);
}

void store_close(Store *store)
{
    if (!store)
        return;
    int64_t deadline = clock_now() + store->settings.time + CLOSE_TIME;
    for (uint32_t i = 0; i < store->n_threads; i++)
        end_thread(&store->threads[i]);
    for (uint32_t i = 0; i < store->n_threads; i++)
        join_thread(&store->threads[i], deadline);
    if (threads_left())
        return; /* they may use it */
    free((char *)store->settings.sqlite);
    free((char *)store->settings.postgresql);
    free(store->threads);
    free(store);
}

StoreStats store_stats(Store *store)
{
    StoreStats stats = {
        .kind = store->backend->name,
        .up = atomic_load(&store->n_up) == store->n_threads,
        .done = atomic_load(&store->done),
        .conflicts = atomic_load(&store->conflicts),
        .failed = atomic_load(&store->failed),
        .given_up = atomic_load(&store->given_up),
        .batches = atomic_load(&store->batches),
        .made_empty = atomic_load(&store->n_made_empty),
        .busy = atomic_load(&store->busy),
    };
    for (uint32_t i = 0; i < store->n_threads; i++) {
        uv_mutex_lock(&store->threads[i].mutex);
        stats.waiting += store->threads[i].n_waiting;
        uv_mutex_unlock(&store->threads[i].mutex);
    }
    return stats;
}

const char *store_tag(const Store *store)
{
    return store->tag;
}

const StoreSettings *store_settings(const Store *store)
{
    return &store->settings;
}

/* ---- Giving up
 * ----------------------------------------------------------------------------------- */

/* True: it had not begun, and never will. */
static bool withdraw(StoreTask *task)
{
    int waiting = WAITING;
    return atomic_compare_exchange_strong(&task->state, &waiting, GIVEN_UP);
}

static Result given_up(Store *store, bool withdrawn, bool reads, Arena *arena)
{
    double seconds = (double)store->settings.time / SECOND;
    atomic_fetch_add(&store->given_up, 1);
    if (reads)
        return FAIL(arena, FAULT_STORE_DOWN, "it was not read within %.1f s: the store is busy",
                    seconds);
    return withdrawn ? FAIL(arena, FAULT_STORE_DOWN, "it did not begin within %.1f s", seconds)
                     : FAIL(arena, FAULT_STORE_UNKNOWN, "it did not end within %.1f s", seconds);
}

static Result queue_full(Store *store, Arena *arena)
{
    atomic_fetch_add(&store->failed, 1);
    return FAIL(arena, FAULT_STORE_DOWN, "%u tasks wait for it already", store->settings.queue);
}

static StoreThread *pick_thread(Store *store)
{
    return &store->threads[atomic_fetch_add(&store->next_thread, 1) % store->n_threads];
}

/* ---- From a loop
 * ----------------------------------------------------------------------------------- */

/*
 * Of each task that was submitted and is not reported there is one. It belongs to the port until
 * both the store's thread has executed the task and the loop has reported it.
 */
typedef struct Errand {
    struct Errand *next, *previous; /* of those that are not reported, in the order of their time */
    struct Errand *next_executed;
    StorePort *port;
    StoreTask *task;
    bool reported;
} Errand;

struct StorePort {
    Store *store;
    StoreThread *thread;
    uv_async_t woken;
    uv_timer_t look;
    Errand *first, *last; /* the loop's */

    uv_mutex_t mutex;
    Errand *executed; /* the latest first */
    uint32_t n_out;   /* given to the store, and not executed */
    bool closed;
    int n_closing; /* handles */
};

/* To be called with the mutex held. Whoever makes it true frees the port. */
static bool is_over(const StorePort *port)
{
    return port->closed && port->n_closing == 0 && port->n_out == 0;
}

static void port_free(StorePort *port)
{
    uv_mutex_destroy(&port->mutex);
    free(port);
}

static void errand_free(Errand *errand)
{
    store_task_free(errand->task);
    free(errand);
}

static void unlist(StorePort *port, Errand *errand)
{
    *(errand->previous ? &errand->previous->next : &port->first) = errand->next;
    *(errand->next ? &errand->next->previous : &port->last) = errand->previous;
    if (!port->first)
        uv_timer_stop(&port->look);
}

static void report(StorePort *port, Errand *errand, Result result)
{
    unlist(port, errand);
    errand->reported = true;
    StoreTask *task = errand->task;
    if (task->on_done)
        task->on_done(task->owner, result, task);
}

/* On the store's thread. */
static void on_executed_for_port(StoreTask *task)
{
    Errand *errand = task->waiter;
    StorePort *port = errand->port;
    uv_mutex_lock(&port->mutex);
    port->n_out--;
    bool closed = port->closed;
    if (!closed) {
        errand->next_executed = port->executed;
        port->executed = errand;
        uv_async_send(&port->woken);
    }
    bool over = is_over(port);
    uv_mutex_unlock(&port->mutex);
    if (closed)
        errand_free(errand);
    if (over)
        port_free(port);
}

/* `last`: none is added after these. */
static Errand *take_executed(StorePort *port, bool last)
{
    uv_mutex_lock(&port->mutex);
    Errand *latest = port->executed, *in_order = NULL;
    port->executed = NULL;
    port->closed |= last;
    uv_mutex_unlock(&port->mutex);
    while (latest) {
        Errand *next = latest->next_executed;
        latest->next_executed = in_order;
        in_order = latest;
        latest = next;
    }
    return in_order;
}

static void on_woken(uv_async_t *async)
{
    StorePort *port = async->data;
    for (Errand *next, *errand = take_executed(port, false); errand; errand = next) {
        next = errand->next_executed;
        if (!errand->reported)
            report(port, errand, errand->task->result);
        errand_free(errand);
    }
}

static Result give_up(const StorePort *port, StoreTask *task, Arena *arena)
{
    return given_up(port->store, withdraw(task), task->reads, arena);
}

static void on_look(uv_timer_t *timer)
{
    StorePort *port = timer->data;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    int64_t now = clock_now();
    while (port->first && port->first->task->due <= now)
        report(port, port->first, give_up(port, port->first->task, arena));
    arena_free(arena);
}

StorePort *store_port_open(Store *store, uv_loop_t *loop)
{
    StorePort *port = calloc(1, sizeof *port);
    CHECK(port);
    port->store = store;
    port->thread = pick_thread(store);
    port->woken.data = port->look.data = port;
    CHECK(uv_mutex_init(&port->mutex) == 0);
    CHECK(uv_async_init(loop, &port->woken, on_woken) == 0);
    CHECK(uv_timer_init(loop, &port->look) == 0);
    return port;
}

static void on_port_handle_closed(uv_handle_t *handle)
{
    StorePort *port = handle->data;
    uv_mutex_lock(&port->mutex);
    port->n_closing--;
    bool over = is_over(port);
    uv_mutex_unlock(&port->mutex);
    if (over)
        port_free(port);
}

void store_port_close(StorePort *port)
{
    port->n_closing = 2; /* read once it is closed */
    Errand *executed = take_executed(port, true);
    for (Errand *next; executed; executed = next) {
        next = executed->next_executed;
        errand_free(executed);
    }
    uv_close((uv_handle_t *)&port->woken, on_port_handle_closed);
    uv_close((uv_handle_t *)&port->look, on_port_handle_closed);
}

void store_submit(StorePort *port, StoreTask *task,
                  void (*on_done)(void *owner, Result result, StoreTask *task), void *owner)
{
    Errand *errand = calloc(1, sizeof *errand);
    CHECK(errand);
    errand->port = port;
    errand->task = task;
    errand->previous = port->last;
    *(port->last ? &port->last->next : &port->first) = errand;
    port->last = errand;
    task->waiter = errand;
    task->on_executed = on_executed_for_port;
    task->on_done = on_done;
    task->owner = owner;
    task->due = clock_now() + port->store->settings.time;
    task->reads = store_task_reads(task);
    uv_mutex_lock(&port->mutex);
    port->n_out++;
    uv_mutex_unlock(&port->mutex);
    if (!uv_is_active((uv_handle_t *)&port->look))
        uv_timer_start(&port->look, on_look, LOOK_EVERY, LOOK_EVERY);
    if (!enqueue(port->thread, task)) {
        task->result = queue_full(port->store, task->arena);
        on_executed_for_port(task);
    }
}

/* ---- From a thread that may wait
 * ----------------------------------------------------------------- */

typedef struct Wait {
    uv_mutex_t mutex;
    uv_cond_t changed;
    bool executed, given_up;
} Wait;

static Wait *wait_new(void)
{
    Wait *wait = calloc(1, sizeof *wait);
    CHECK(wait);
    CHECK(uv_mutex_init(&wait->mutex) == 0);
    CHECK(uv_cond_init(&wait->changed) == 0);
    return wait;
}

static void wait_free(Wait *wait)
{
    uv_cond_destroy(&wait->changed);
    uv_mutex_destroy(&wait->mutex);
    free(wait);
}

/* On the store's thread. */
static void on_executed_for_thread(StoreTask *task)
{
    Wait *wait = task->waiter;
    uv_mutex_lock(&wait->mutex);
    bool given_up = wait->given_up;
    wait->executed = true;
    uv_cond_signal(&wait->changed);
    uv_mutex_unlock(&wait->mutex);
    if (given_up) {
        wait_free(wait);
        store_task_free(task);
    }
}

typedef enum Waited { IN_TIME, TOO_LATE, TOO_LATE_TO_BEGIN } Waited;

/* When it returns too late, the store's thread may free the task at any time. */
static Waited wait_for(Wait *wait, StoreTask *task)
{
    int64_t left;
    uv_mutex_lock(&wait->mutex);
    while (!wait->executed && (left = task->due - clock_now()) > 0)
        uv_cond_timedwait(&wait->changed, &wait->mutex, (uint64_t)left);
    Waited waited = wait->executed ? IN_TIME : withdraw(task) ? TOO_LATE_TO_BEGIN : TOO_LATE;
    wait->given_up = waited != IN_TIME;
    uv_mutex_unlock(&wait->mutex);
    return waited;
}

Result store_run(Store *store, Arena *arena, StoreTask **task_in_out)
{
    StoreTask *task = *task_in_out;
    Wait *wait = wait_new();
    task->waiter = wait;
    task->on_executed = on_executed_for_thread;
    task->due = clock_now() + store->settings.time;
    bool reads = task->reads = store_task_reads(task);
    if (!enqueue(pick_thread(store), task)) {
        wait_free(wait);
        return queue_full(store, arena);
    }
    Waited waited = wait_for(wait, task);
    if (waited != IN_TIME) {
        *task_in_out = NULL;
        return given_up(store, waited == TOO_LATE_TO_BEGIN, reads, arena);
    }
    wait_free(wait);
    return error_copy(arena, task->result);
}
