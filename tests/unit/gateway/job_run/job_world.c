#include "tests/unit/gateway/job_run/job_world.h"

#include "base/arena.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define LEASE (60 * SECOND)
#define BEAT (20 * SECOND)
#define WALL (1800000000 * SECOND) /* when a world begins */
#define CALL_TIME (3 * LEASE)      /* the timeout of a call: some outlast their lease */
#define TIME_LIMIT (30 * 24 * 3600 * SECOND)

#define LONG (4 * 3600 * SECOND) /* more than everything together is broken for */
#define SHORT (240 * SECOND)     /* waiting in vain */

typedef struct Event Event;
struct Event {
    int64_t when;
    uint64_t number; /* those of one time happen in their order */
    void (*happen)(JobWorld *world, Event *event);
    struct Gateway *gateway; /* NULL: of nobody's process */
    uint64_t life;           /* of the gateway: with it the event ends */
    Arena *arena;            /* of the event and all that it has */
    union {
        struct StoreOp *op;
        struct BackendCall *call;
        uint64_t wake;
    };
};

/* One owner's row. */
typedef struct OwnerRow {
    char name[32];
    uint64_t beats;
    int64_t lease;
} OwnerRow;

/* What a gateway has seen of an owner, by its own clock. */
typedef struct Sight {
    char name[32];
    uint64_t beats;
    int64_t since;
} Sight;

enum { OWNERS = 64 };

typedef struct Gateway {
    JobStorage storage;
    JobBackend backend;
    JobBook book;
    JobClock clock;
    JobHearer hearer;
    JobWorld *world;
    JobRunner *runner; /* NULL: it is dead */
    uint64_t life;
    bool stopping;
    char name[32];
    int64_t offset;      /* of its monotonic clock: it does not begin at 0 */
    int64_t jumped;      /* of its wall clock */
    int64_t hangs_until; /* it does nothing before */
    int64_t in_order;    /* when its last operation was executed, or completed */
    int64_t completed;
    uint64_t unsure[OWNERS]; /* claims of which it is not known what they have taken */
    uint32_t n_unsure;
    uint64_t wake;   /* number of the wake that counts, */
    int64_t wake_at; /* and when it is */
    Sight sights[OWNERS];
    uint32_t n_sights;
} Gateway;

typedef struct StoredJob {
    JobPlay play;
    JobDefinition definition;
    JobStepRules rules[PLAY_STEPS];
    JobStep steps[PLAY_STEPS];
    char id[JOB_ID_SIZE + 1], name[16];
    bool accepted;
    uint64_t claim; /* by which its owner has it */

    JobRecord *record; /* with owner, token and order */
    Arena *arena;      /* of the record */

    /* At the backend: [undo]. */
    uint32_t arrivals[2][PLAY_STEPS], effects[2][PLAY_STEPS];
    char keys[2][PLAY_STEPS][64]; /* of the calls that have had an effect */
    bool repaired[2][PLAY_STEPS];
    uint64_t beginners[PLAY_STEPS]; /* tokens of whoever stored that a step has begun */
    uint32_t calls[PLAY_STEPS];     /* of steps that are not repaired */
    bool declined[PLAY_STEPS]; /* the only one was refused, and who began the step has heard it */
    struct BackendCall *call;  /* that its latest caller waits for; NULL: it has ended */
    struct Gateway *caller;
    uint64_t caller_life;
    bool remedied, cancelled;
} StoredJob;

struct JobWorld {
    Random random;
    int64_t now;
    Event **heap;
    uint32_t n_events, room;
    uint64_t numbers;
    Gateway gateways[WORLD_GATEWAYS];
    uint64_t lives;
    StoredJob *jobs;
    uint32_t n_jobs;
    JobLimit *limits;
    OwnerRow owners[OWNERS];
    uint32_t n_owners;
    uint64_t tokens;
    int64_t store_down_until, backend_down_until;
    uint64_t store_life, backend_life;
    uint32_t kills_left;
    WorldStats stats;
    char wrong[512];
};

/* ---- Chance, and events ---------------------------------------------------------------------- */

static uint64_t below(JobWorld *w, uint64_t end)
{
    return random_below(&w->random, end);
}

static bool one_in(JobWorld *w, uint64_t n)
{
    return below(w, n) == 0;
}

/* Mostly short. */
static int64_t delay(JobWorld *w)
{
    int64_t most = one_in(w, 20) ? 3 * SECOND : 20 * MILLISECOND;
    return 1 + (int64_t)below(w, (uint64_t)most);
}

static void wrong(JobWorld *w, const char *format, const char *job, const char *what)
{
    if (!w->wrong[0])
        snprintf(w->wrong, sizeof w->wrong, format, job, what);
}

static bool is_before(const Event *a, const Event *b)
{
    return a->when != b->when ? a->when < b->when : a->number < b->number;
}

static void swap(Event **a, Event **b)
{
    Event *of_a = *a;
    *a = *b;
    *b = of_a;
}

static void push(JobWorld *w, Event *event)
{
    event->number = ++w->numbers;
    if (w->n_events == w->room) {
        w->room = w->room ? 2 * w->room : 256;
        w->heap = realloc(w->heap, w->room * sizeof *w->heap);
        CHECK(w->heap);
    }
    uint32_t i = w->n_events++;
    w->heap[i] = event;
    for (; i && is_before(w->heap[i], w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&w->heap[i], &w->heap[(i - 1) / 2]);
}

static Event *pop(JobWorld *w)
{
    Event *first = w->heap[0];
    w->heap[0] = w->heap[--w->n_events];
    for (uint32_t i = 0;;) {
        uint32_t least = i;
        for (uint32_t child = 2 * i + 1; child <= 2 * i + 2 && child < w->n_events; child++)
            if (is_before(w->heap[child], w->heap[least]))
                least = child;
        if (least == i)
            return first;
        swap(&w->heap[i], &w->heap[least]);
        i = least;
    }
}

static Event *new_event(JobWorld *w, int64_t when, Gateway *gateway,
                        void (*happen)(JobWorld *, Event *))
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Event *event = arena_make(arena, Event);
    *event = (Event){.when = when, .happen = happen, .gateway = gateway, .arena = arena};
    event->life = gateway ? gateway->life : 0;
    return event;
}

/* The same event later. */
static void again(JobWorld *w, Event *event, int64_t when, void (*happen)(JobWorld *, Event *))
{
    event->when = when;
    event->happen = happen;
    push(w, event);
}

static bool is_alive(const Event *event)
{
    return event->gateway->life == event->life && event->gateway->runner;
}

/* ---- The store ------------------------------------------------------------------------------- */

typedef enum OpKind { OP_RENEW, OP_CLAIM, OP_WRITE, OP_RELEASE } OpKind;

typedef struct StoreOp {
    OpKind kind;
    uint64_t store_life;
    char name[32];
    int64_t lease, now, wall;
    uint32_t most;
    uint64_t claim;    /* its number */
    JobRecord *record; /* OP_WRITE */
    bool content, release;
    union {
        JobOnRenewed *on_renewed;
        JobOnClaimed *on_claimed;
        JobOnWritten *on_written;
        JobOnDone *on_done;
    };
    void *owner;

    const Fault *fault; /* NULL: it was executed, and its result is known */
    bool lost, written;
    const JobRecord *claimed[JOB_CLAIM_MOST];
    JobOrdered orders[JOB_CLAIM_MOST];
    uint32_t n;
} StoreOp;

static void store_record(StoredJob *job, const JobRecord *record)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    JobRecord *copy = job_record_copy(record, arena);
    arena_free(job->arena);
    job->arena = arena;
    job->record = copy;
}

static StoredJob *stored(JobWorld *w, Bytes id)
{
    for (uint32_t i = 0; i < w->n_jobs; i++)
        if (bytes_are(id, w->jobs[i].id))
            return &w->jobs[i];
    CHECK(false);
    return NULL;
}

static OwnerRow *owner_row(JobWorld *w, const char *name)
{
    for (uint32_t i = 0; i < w->n_owners; i++)
        if (text_equal(w->owners[i].name, name))
            return &w->owners[i];
    return NULL;
}

static void release_jobs_of(JobWorld *w, const char *name)
{
    for (uint32_t i = 0; i < w->n_jobs; i++)
        if (w->jobs[i].accepted && bytes_are(w->jobs[i].record->owner, name))
            w->jobs[i].record->owner = BYTES_NONE;
    OwnerRow *row = owner_row(w, name);
    if (row)
        *row = w->owners[--w->n_owners];
}

/* Whether the owner has been silent for its lease, by the clock of the gateway that looks. */
static bool is_silent(Gateway *g, const OwnerRow *row, int64_t now)
{
    for (uint32_t i = 0; i < g->n_sights; i++) {
        Sight *sight = &g->sights[i];
        if (!text_equal(sight->name, row->name))
            continue;
        if (sight->beats != row->beats)
            sight->since = now;
        sight->beats = row->beats;
        return now - sight->since >= row->lease;
    }
    if (g->n_sights == OWNERS)
        g->n_sights = 0;
    Sight *sight = &g->sights[g->n_sights++];
    *sight = (Sight){.beats = row->beats, .since = now};
    snprintf(sight->name, sizeof sight->name, "%s", row->name);
    return false;
}

static void execute_renew(JobWorld *w, Gateway *g, StoreOp *op, Arena *arena)
{
    OwnerRow *row = owner_row(w, op->name);
    op->lost = !row;
    if (!row) {
        CHECK(w->n_owners < OWNERS);
        row = &w->owners[w->n_owners++];
        *row = (OwnerRow){.lease = op->lease};
        snprintf(row->name, sizeof row->name, "%s", op->name);
    }
    row->beats = ++w->tokens; /* also of a row that was deleted before it is another one */
    /* By the clock of now: the operation may have waited since it was submitted. */
    for (uint32_t i = w->n_owners; i-- > 0;)
        if (!text_equal(w->owners[i].name, op->name) &&
            is_silent(g, &w->owners[i], w->now + g->offset)) {
            w->stats.taken_over++;
            release_jobs_of(w, w->owners[i].name);
        }
    for (uint32_t i = 0; i < w->n_jobs && op->n < JOB_CLAIM_MOST; i++) {
        const JobRecord *record = w->jobs[i].record;
        if (w->jobs[i].accepted && record->order.given && bytes_are(record->owner, op->name))
            op->orders[op->n++] =
                (JobOrdered){bytes_copy(arena, record->id), {true, record->order.event}};
    }
}

static bool is_due(const StoredJob *job, int64_t wall)
{
    const JobPosition *p = &job->record->position;
    if (!job->accepted || job->record->owner.size)
        return false;
    return job->record->order.given || (!job_is_at_rest(p->state) && p->due <= wall);
}

/* What a claim with an unknown end has taken all the same. */
static void unclaim(JobWorld *w, Gateway *g, const char *name)
{
    for (uint32_t i = 0; i < w->n_jobs; i++)
        for (uint32_t k = 0; k < g->n_unsure; k++)
            if (w->jobs[i].claim == g->unsure[k] && bytes_are(w->jobs[i].record->owner, name))
                w->jobs[i].record->owner = BYTES_NONE;
    g->n_unsure = 0;
}

static void execute_claim(JobWorld *w, Gateway *g, StoreOp *op, Arena *arena)
{
    uint32_t first = (uint32_t)below(w, w->n_jobs);
    unclaim(w, g, op->name);
    if (!owner_row(w, op->name))
        return;
    for (uint32_t i = 0; i < w->n_jobs && op->n < op->most; i++) {
        StoredJob *job = &w->jobs[(first + i) % w->n_jobs];
        if (!is_due(job, op->wall))
            continue;
        job->record->owner = bytes_copy(job->arena, bytes_of(op->name));
        job->record->token = ++w->tokens;
        job->claim = op->claim;
        op->claimed[op->n++] = job_record_copy(job->record, arena);
    }
}

static void execute_write(JobWorld *w, StoreOp *op)
{
    StoredJob *job = stored(w, op->record->id);
    JobOrder order = job->record->order;
    op->written = job->record->token == op->record->token &&
                  bytes_equal(job->record->owner, op->record->owner);
    w->stats.fenced += !op->written;
    if (!op->written)
        return;
    JobRecord record = *op->record;
    if (order.given && record.order.given && order.event == record.order.event)
        order.given = false;
    record.order = order;
    if (!op->content)
        memcpy(record.responses, job->record->responses, sizeof record.responses);
    if (op->release || job_is_at_rest(record.position.state)) {
        record.owner = BYTES_NONE;
    }
    for (uint32_t i = 0; i < job->play.n_steps; i++)
        if (record.position.begun & ~job->record->position.begun & UINT64_C(1) << i)
            job->beginners[i] = record.token;
    store_record(job, &record);
}

static void execute(JobWorld *w, Event *event, StoreOp *op)
{
    switch (op->kind) {
    case OP_RENEW: execute_renew(w, event->gateway, op, event->arena); break;
    case OP_CLAIM: execute_claim(w, event->gateway, op, event->arena); break;
    case OP_WRITE: execute_write(w, op); break;
    case OP_RELEASE: release_jobs_of(w, op->name); break;
    }
}

static void complete(JobWorld *w, Event *event)
{
    StoreOp *op = event->op;
    Result r =
        op->fault ? error_new(event->arena, op->fault, OK, NULL, "", 0, "it was killed") : OK;
    const JobOrdered *orders = op->fault ? NULL : op->orders;
    uint32_t n = op->fault ? 0 : op->n;
    switch (op->kind) {
    case OP_RENEW: op->on_renewed(op->owner, r, op->lost, orders, n); break;
    case OP_CLAIM: op->on_claimed(op->owner, r, op->claimed, n); break;
    case OP_WRITE: op->on_written(op->owner, r, op->written); break;
    case OP_RELEASE:
        if (op->on_done)
            op->on_done(op->owner, r);
        break;
    }
}

/* The operation arrives at the database. If that is killed now, or was while the operation waited,
   it has taken effect or has not. */
static void arrive(JobWorld *w, Event *event)
{
    StoreOp *op = event->op;
    Gateway *g = event->gateway;
    bool unknown = op->store_life != w->store_life || one_in(w, 400);
    if (w->now < w->store_down_until)
        op->fault = &FAULT_STORE_DOWN;
    else if (unknown)
        op->fault = &FAULT_STORE_UNKNOWN;
    if (!op->fault || (unknown && w->now >= w->store_down_until && one_in(w, 2)))
        execute(w, event, op);
    if (op->fault == &FAULT_STORE_UNKNOWN && op->kind == OP_CLAIM && event->life == g->life &&
        g->n_unsure < OWNERS)
        g->unsure[g->n_unsure++] = op->claim;
    int64_t when = w->now + delay(w);
    g->completed = when > g->completed ? when : g->completed;
    again(w, event, g->completed, complete);
}

static Gateway *gateway_of_storage(JobStorage *storage)
{
    return (Gateway *)((char *)storage - offsetof(Gateway, storage));
}

static StoreOp *new_op(JobStorage *storage, OpKind kind, Bytes name, void *owner, Event **event_out)
{
    Gateway *g = gateway_of_storage(storage);
    JobWorld *w = g->world;
    int64_t when = w->now + delay(w);
    g->in_order = when > g->in_order ? when : g->in_order;
    Event *event = new_event(w, g->in_order, g, arrive);
    event->op = arena_make(event->arena, StoreOp);
    event->op->kind = kind;
    event->op->store_life = w->store_life;
    event->op->owner = owner;
    snprintf(event->op->name, sizeof event->op->name, "%.*s", BYTES_ARGS(name));
    push(w, event);
    *event_out = event;
    return event->op;
}

static void storage_renew(JobStorage *storage, Bytes name, int64_t lease, int64_t now,
                          JobOnRenewed *on_renewed, void *owner)
{
    Event *event;
    StoreOp *op = new_op(storage, OP_RENEW, name, owner, &event);
    op->lease = lease;
    op->now = now;
    op->on_renewed = on_renewed;
}

static void storage_claim(JobStorage *storage, Bytes name, const JobLimit *limits,
                          uint32_t n_limits, uint32_t most, int64_t wall, JobOnClaimed *on_claimed,
                          void *owner)
{
    Event *event;
    StoreOp *op = new_op(storage, OP_CLAIM, name, owner, &event);
    CHECK(most > 0 && most <= JOB_CLAIM_MOST);
    op->most = most;
    op->claim = ++gateway_of_storage(storage)->world->tokens;
    op->wall = wall;
    op->on_claimed = on_claimed;
}

static void storage_write(JobStorage *storage, const JobRecord *record, bool content, bool release,
                          int64_t wall, JobOnWritten *on_written, void *owner)
{
    Event *event;
    StoreOp *op = new_op(storage, OP_WRITE, record->owner, owner, &event);
    op->record = job_record_copy(record, event->arena);
    op->content = content;
    op->release = release;
    op->wall = wall;
    op->on_written = on_written;
}

static void storage_release_all(JobStorage *storage, Bytes name, JobOnDone *on_done, void *owner)
{
    Event *event;
    StoreOp *op = new_op(storage, OP_RELEASE, name, owner, &event);
    op->on_done = on_done;
}

/* ---- The backend ----------------------------------------------------------------------------- */

typedef struct BackendCall {
    StoredJob *job;
    uint32_t step;
    bool undo;
    char key[64];
    uint64_t token;
    uint64_t backend_life;
    JobCallEnd end;
    void (*on_end)(void *owner, const JobCallEnd *end);
    void *owner;
    bool cancelled;
} BackendCall;

/* Calls with a key that has had an effect get its response again. */
static void take_effect(JobWorld *w, BackendCall *call)
{
    StoredJob *job = call->job;
    char *known = job->keys[call->undo][call->step];
    bool repeated = text_equal(job->keys[0][call->step], call->key) ||
                    text_equal(job->keys[1][call->step], call->key);
    w->stats.repeated += repeated;
    if (repeated)
        return;
    snprintf(known, sizeof job->keys[0][0], "%s", call->key);
    if (++job->effects[call->undo][call->step] > 1)
        wrong(w, "%s: a step had an effect twice, the second time by %s", job->name, call->key);
}

static JobEvent serve(JobWorld *w, BackendCall *call)
{
    StoredJob *job = call->job;
    const StepPlay *step = &job->play.steps[call->step];
    Fate fate = call->undo ? step->undo : step->fate;
    uint32_t arrivals = ++job->arrivals[call->undo][call->step];
    if (job->repaired[call->undo][call->step])
        fate = FATE_GOOD;
    bool polls = step->kind == JOB_STEP_POLL && !call->undo;
    if (fate == FATE_REFUSED)
        return JOB_DECLINED;
    if (fate == FATE_BROKEN || (fate == FATE_BREAKS && arrivals <= step->n))
        return JOB_BROKE;
    if (polls && (fate == FATE_NEVER || arrivals <= step->n))
        return JOB_NOT_YET;
    take_effect(w, call);
    return fate == FATE_LOSES && arrivals <= step->n ? JOB_BROKE : JOB_SUCCEEDED;
}

/* Only who has begun the step knows that this call was the first one. */
static void hear_declined(const BackendCall *call)
{
    StoredJob *job = call->job;
    bool first = job->calls[call->step] == 1 && call->token == job->beginners[call->step];
    if (!call->undo)
        job->declined[call->step] = first;
}

static void forget_call(BackendCall *call)
{
    if (call->job->call == call)
        call->job->call = NULL;
}

static void respond(JobWorld *w, Event *event)
{
    BackendCall *call = event->call;
    if (call->cancelled)
        return;
    forget_call(call);
    if (call->backend_life != w->backend_life)
        call->end.event = JOB_BROKE;
    if (call->end.event == JOB_DECLINED)
        hear_declined(call);
    bool good = call->end.event == JOB_SUCCEEDED || call->end.event == JOB_NOT_YET;
    if (good)
        call->end.response = bytes_of(call->key);
    else
        call->end.failure = (JobFailure){.step = bytes_of(call->job->steps[call->step].name),
                                         .fault = bytes_of("UPSTREAM_STATUS"),
                                         .code = CODE_UNAVAILABLE,
                                         .message = bytes_of("no")};
    call->on_end(call->owner, &call->end);
}

static void happen_to_call(JobWorld *w, Event *event)
{
    BackendCall *call = event->call;
    bool down = w->now < w->backend_down_until || call->backend_life != w->backend_life;
    call->end.event = down ? JOB_BROKE : serve(w, call);
    int64_t wait = delay(w);
    if (one_in(w, 50)) { /* the response is lost: the caller waits for its timeout */
        call->end.event = JOB_BROKE;
        wait = CALL_TIME;
    }
    again(w, event, w->now + wait, respond);
}

static Gateway *gateway_of(JobBackend *backend)
{
    return (Gateway *)((char *)backend - offsetof(Gateway, backend));
}

static bool backend_holds(JobBackend *backend, const JobDefinition *definition,
                          const JobRecord *record, uint32_t step)
{
    return !stored(gateway_of(backend)->world, record->id)->play.steps[step].passed_over;
}

/* Whoever begins a call is the only one who may: its lease is not over, and its token counts. */
static void check_caller(JobWorld *w, const StoredJob *job, const JobCallOrder *order)
{
    const JobRecord *record = order->record;
    uint64_t bit = UINT64_C(1) << order->step;
    if (job->record->token != record->token || !bytes_equal(job->record->owner, record->owner))
        wrong(w, "%s: %s is called by somebody who does not have the job", job->name,
              order->undo ? "an undo" : "a step");
    if (!(job->record->position.begun & bit))
        wrong(w, "%s: %s is called, and it is not stored that it has begun", job->name,
              order->undo ? "an undo" : "a step");
}

/* Nor does anybody who could act still wait for a call of it: whose lease is over has cancelled it.
 */
static void check_alone(JobWorld *w, const StoredJob *job, const Gateway *caller)
{
    const Gateway *other = job->caller;
    bool waits = job->call && other != caller && other->life == job->caller_life && other->runner &&
                 w->now >= other->hangs_until;
    if (waits)
        wrong(w, "%s is called by two at a time, one of them is %s", job->name, other->name);
}

/* What was declined has had no effect: its undo would be one on what others have. */
static void check_open(JobWorld *w, StoredJob *job, const JobCallOrder *order)
{
    bool repaired = job->repaired[0][order->step];
    if (order->undo && job->declined[order->step] && !repaired)
        wrong(w, "%s: step %s was declined, and is undone", job->name,
              job->steps[order->step].name);
    if (order->undo || repaired)
        return;
    job->calls[order->step]++;
    job->declined[order->step] = false;
}

static void *backend_call(JobBackend *backend, const JobCallOrder *order)
{
    Gateway *g = gateway_of(backend);
    JobWorld *w = g->world;
    Event *event = new_event(w, w->now + delay(w), g, happen_to_call);
    event->call = arena_make(event->arena, BackendCall);
    *event->call = (BackendCall){.job = stored(w, order->record->id),
                                 .step = order->step,
                                 .undo = order->undo,
                                 .token = order->record->token,
                                 .backend_life = w->backend_life,
                                 .on_end = order->on_end,
                                 .owner = order->owner};
    snprintf(event->call->key, sizeof event->call->key, "%.*s", BYTES_ARGS(order->key));
    StoredJob *job = event->call->job;
    check_caller(w, job, order);
    check_alone(w, job, g);
    check_open(w, job, order);
    job->call = event->call;
    job->caller = g;
    job->caller_life = g->life;
    w->stats.calls++;
    push(w, event);
    return event->call;
}

static void backend_cancel(JobBackend *backend, void *call)
{
    ((BackendCall *)call)->cancelled = true;
    forget_call(call);
}

/* ---- Definitions, clocks, hearing ------------------------------------------------------------ */

static const JobDefinition *book_hold(JobBook *book, const JobRecord *record, void **held_out)
{
    Gateway *g = (Gateway *)((char *)book - offsetof(Gateway, book));
    *held_out = NULL;
    return &stored(g->world, record->id)->definition;
}

static void book_release(JobBook *book, void *held)
{
}

static const JobLimit *book_limits(JobBook *book, uint32_t *n_out)
{
    *n_out = 1;
    return ((Gateway *)((char *)book - offsetof(Gateway, book)))->world->limits;
}

static Gateway *clock_gateway(JobClock *clock)
{
    return (Gateway *)((char *)clock - offsetof(Gateway, clock));
}

static int64_t gateway_now(JobClock *clock)
{
    return clock_gateway(clock)->world->now + clock_gateway(clock)->offset;
}

static int64_t gateway_wall(JobClock *clock)
{
    return WALL + clock_gateway(clock)->world->now + clock_gateway(clock)->jumped;
}

static void wake(JobWorld *w, Event *event)
{
    Gateway *g = event->gateway;
    if (g->wake != event->wake)
        return;
    g->wake_at = -1;
    job_runner_turn(g->runner);
}

static void gateway_wake(JobClock *clock, int64_t when)
{
    Gateway *g = clock_gateway(clock);
    if (when == g->wake_at)
        return;
    g->wake_at = when;
    g->wake++;
    if (when == INT64_MAX)
        return;
    int64_t at = when - g->offset;
    Event *event = new_event(g->world, at > g->world->now ? at : g->world->now, g, wake);
    event->wake = g->wake;
    push(g->world, event);
}

static void on_change(JobHearer *hearer, const JobRecord *record)
{
}

static void on_call(JobHearer *hearer, const JobCallOrder *order, const JobCallEnd *end)
{
}

static void on_stuck(JobHearer *hearer, const JobRecord *record, const char *why)
{
}

/* ---- Gateways -------------------------------------------------------------------------------- */

static void start_gateway(JobWorld *w, Gateway *g)
{
    *g = (Gateway){.storage = {.renew = storage_renew,
                               .claim = storage_claim,
                               .write = storage_write,
                               .release_all = storage_release_all},
                   .backend = {backend_holds, backend_call, backend_cancel},
                   .book = {book_hold, book_release, book_limits},
                   .clock = {gateway_now, gateway_wall, gateway_wake},
                   .hearer = {on_change, on_call, on_stuck},
                   .world = w,
                   .life = ++w->lives,
                   .offset = (int64_t)below(w, 1000 * SECOND),
                   .jumped = g->jumped};
    snprintf(g->name, sizeof g->name, "gateway-%llu", (unsigned long long)g->life);
    g->runner = job_runner_new(&(JobRunnerSettings){.storage = &g->storage,
                                                    .backend = &g->backend,
                                                    .book = &g->book,
                                                    .clock = &g->clock,
                                                    .hearer = &g->hearer,
                                                    .name = g->name,
                                                    .lease = LEASE,
                                                    .beat = BEAT,
                                                    .most = 1 + (uint32_t)below(w, 12),
                                                    .seed = below(w, UINT64_MAX)});
    job_runner_turn(g->runner);
}

static void restart(JobWorld *w, Event *event)
{
    start_gateway(w, event->gateway);
}

static void restart_later(JobWorld *w, Gateway *g)
{
    push(w, new_event(w, w->now + (int64_t)below(w, 90 * SECOND), g, restart));
}

static void release_nothing(JobStorage *storage, Bytes name, JobOnDone *on_done, void *owner)
{
}

/* What it has asked of the store and of the backend goes on, and it does not hear of it. */
static void kill_gateway(JobWorld *w, Gateway *g)
{
    g->storage.release_all = release_nothing;
    job_runner_free(g->runner);
    g->runner = NULL;
    g->life = ++w->lives;
    restart_later(w, g);
}

static void end_of_drain(JobWorld *w, Event *event)
{
    Gateway *g = event->gateway;
    JobRunner *runner = g->runner;
    g->runner = NULL;
    job_runner_free(runner);
    g->life = ++w->lives;
    restart_later(w, g);
}

static void stop_gateway(JobWorld *w, Gateway *g)
{
    g->stopping = true;
    job_runner_stop(g->runner);
    push(w, new_event(w, w->now + (int64_t)below(w, 40 * SECOND), g, end_of_drain));
}

/* ---- Kills ----------------------------------------------------------------------------------- */

static void kill_something(JobWorld *w)
{
    Gateway *g = &w->gateways[below(w, WORLD_GATEWAYS)];
    uint64_t what = below(w, 12);
    if (what < 6 && g->runner) {
        w->stats.gateways_killed++;
        kill_gateway(w, g);
    } else if (what < 8) {
        w->stats.stores_killed++;
        w->store_life++;
        w->store_down_until = w->now + (one_in(w, 4) ? 2 * LEASE : (int64_t)below(w, 5 * SECOND));
    } else if (what < 10) {
        w->stats.backends_killed++;
        w->backend_life++;
        w->backend_down_until = w->now + (int64_t)below(w, 30 * SECOND);
    } else if (what == 10 && g->runner) {
        w->stats.hangs++;
        g->hangs_until = w->now + (int64_t)below(w, 3 * LEASE);
    } else if (one_in(w, 2)) {
        w->stats.jumps++;
        g->jumped += (int64_t)below(w, 240 * SECOND) - 120 * SECOND;
    } else if (g->runner && !g->stopping) {
        w->stats.stops++;
        stop_gateway(w, g);
    } else {
        return;
    }
    w->kills_left--;
}

/* ---- Operators and clients ------------------------------------------------------------------- */

static void order(JobWorld *w, StoredJob *job, JobEvent event)
{
    JobRecord *record = job->record;
    if (record->order.given || !job_order_fits(event, record->position.state))
        return;
    record->order = (JobOrder){.given = true, .event = event};
}

static void remedy(JobWorld *w, StoredJob *job)
{
    static const JobEvent events[] = {
        [REMEDY_RETRY] = JOB_RETRY, [REMEDY_SKIP] = JOB_SKIP, [REMEDY_UNDO] = JOB_UNDO};
    const JobPosition *p = &job->record->position;
    job->remedied = true;
    if (job->play.remedy == REMEDY_NONE)
        return;
    job->repaired[p->undoing][p->step] = job->play.remedy == REMEDY_RETRY;
    if (job->play.remedy == REMEDY_RETRY && !p->undoing)
        job->rules[p->step].wait = LONG;
    order(w, job, events[job->play.remedy]);
}

static bool event_comes(const StoredJob *job)
{
    uint32_t step = job->record->position.step;
    return job->play.steps[step].fate == FATE_GOOD || job->repaired[0][step];
}

static void look_at_job(JobWorld *w, StoredJob *job)
{
    const JobPosition *p = &job->record->position;
    const StepPlay *step = &job->play.steps[p->step];
    bool waits = p->state == JOB_WAITING && step->kind == JOB_STEP_EVENT;
    bool free = !job->record->owner.size && !job->record->order.given;
    if (p->state == JOB_FAILED && !job->remedied && free)
        remedy(w, job);
    if (waits && event_comes(job) && one_in(w, 3))
        order(w, job, JOB_ARRIVED);
    if (waits && step->cancelled)
        order(w, job, JOB_CANCEL);
    if (job->play.cancelled_early && !job->cancelled && one_in(w, 20)) {
        job->cancelled = true;
        order(w, job, JOB_CANCEL);
    }
}

static void look(JobWorld *w, Event *event)
{
    if (w->now >= w->store_down_until)
        for (uint32_t i = 0; i < w->n_jobs; i++)
            if (w->jobs[i].accepted)
                look_at_job(w, &w->jobs[i]);
    again(w, event, w->now + 7 * SECOND, look);
}

/* The answer that it is accepted was given: from now on it must not be lost. */
static void accept_job(JobWorld *w, Event *event)
{
    uint32_t next = 0;
    while (next < w->n_jobs && w->jobs[next].accepted)
        next++;
    if (next < w->n_jobs && w->now >= w->store_down_until) {
        w->jobs[next].accepted = true;
        Gateway *g = &w->gateways[below(w, WORLD_GATEWAYS)];
        if (g->runner && w->now >= g->hangs_until)
            job_runner_hear(g->runner, bytes_of(w->jobs[next].id));
    }
    if (next < w->n_jobs)
        again(w, event, w->now + (int64_t)below(w, 20 * SECOND), accept_job);
}

/* ---- Making a world -------------------------------------------------------------------------- */

static const char *const step_names[PLAY_STEPS] = {"a", "b", "c", "d", "e", "f"};

static JobStepRules rules_of(const StepPlay *step)
{
    JobStepRules rules = {.kind = step->kind,
                          .graceful = step->graceful,
                          .has_undo = step->has_undo,
                          .needs = step->needs,
                          .retry_for = LONG,
                          .initial_backoff = SECOND,
                          .max_backoff = 1200 * SECOND};
    if (step->kind == JOB_STEP_TIME)
        rules.wait = 30 * SECOND;
    else if (step->kind != JOB_STEP_CALL)
        rules.wait = step->fate == FATE_NEVER && !step->cancelled ? SHORT : LONG;
    if (step->kind == JOB_STEP_POLL)
        rules.every = 10 * SECOND;
    return rules;
}

void job_world_set_play(JobWorld *w, uint32_t i, const JobPlay *play)
{
    StoredJob *job = &w->jobs[i];
    uint8_t chance[JOB_ID_CHANCE] = {(uint8_t)i};
    job->play = *play;
    snprintf(job->name, sizeof job->name, "job-%u", i);
    job_id_make(WALL, chance, job->id);
    for (uint32_t n = 0; n < play->n_steps; n++) {
        job->rules[n] = rules_of(&play->steps[n]);
        job->steps[n] = (JobStep){.name = step_names[n], .rules = job->rules[n]};
    }
    job->definition = (JobDefinition){
        .name = job->name, .steps = job->steps, .rules = {job->rules, play->n_steps}};
    store_record(job, &(JobRecord){.id = bytes_of(job->id),
                                   .definition = bytes_of(job->name),
                                   .created = WALL,
                                   .position = job_accepted(WALL)});
}

JobWorld *job_world_new(uint64_t seed, uint32_t n_jobs, uint32_t kills)
{
    static JobLimit limit;
    JobWorld *w = calloc(1, sizeof *w);
    CHECK(w);
    random_seed_fixed(&w->random, seed);
    w->n_jobs = n_jobs;
    w->kills_left = kills;
    w->limits = &limit;
    w->jobs = calloc(n_jobs, sizeof *w->jobs);
    CHECK(w->jobs);
    for (uint32_t i = 0; i < n_jobs; i++) {
        JobPlay play = job_play_any(&w->random);
        job_world_set_play(w, i, &play);
    }
    for (int i = 0; i < WORLD_GATEWAYS; i++)
        start_gateway(w, &w->gateways[i]);
    push(w, new_event(w, 0, NULL, accept_job));
    push(w, new_event(w, 0, NULL, look));
    return w;
}

void job_world_free(JobWorld *w)
{
    for (int i = 0; i < WORLD_GATEWAYS; i++)
        job_runner_free(w->gateways[i].runner);
    while (w->n_events)
        arena_free(pop(w)->arena);
    for (uint32_t i = 0; i < w->n_jobs; i++)
        arena_free(w->jobs[i].arena);
    free(w->heap);
    free(w->jobs);
    free(w);
}

WorldStats job_world_stats(const JobWorld *w)
{
    return w->stats;
}

/* ---- Running --------------------------------------------------------------------------------- */

static bool has_ended(const StoredJob *job)
{
    const JobRecord *record = job->record;
    JobState state = record->position.state;
    if (!job->accepted || !job_is_at_rest(state) || record->order.given || record->owner.size)
        return false;
    return state != JOB_FAILED || job->remedied;
}

static bool all_ended(const JobWorld *w)
{
    for (uint32_t i = 0; i < w->n_jobs; i++)
        if (!has_ended(&w->jobs[i]))
            return false;
    return true;
}

static void check_early(JobWorld *w, const StoredJob *job)
{
    for (uint32_t i = 0; i < job->play.n_steps; i++)
        if (job->effects[0][i] && job->play.steps[i].has_undo && !job->effects[1][i])
            wrong(w, "%s was cancelled, and step %s is not undone", job->name, step_names[i]);
}

static void check_end(JobWorld *w, const StoredJob *job)
{
    JobEnd end = job_play_end(&job->play, job->declined);
    JobState state = job->record->position.state;
    if (job->play.cancelled_early && state == JOB_UNDONE) {
        check_early(w, job);
        return;
    }
    if (state != end.state)
        wrong(w, "%s has not ended as the model says: it is %s", job->name, job_state_name(state));
    for (uint32_t i = 0; i < job->play.n_steps; i++)
        if (job->effects[0][i] != end.effect[i] || job->effects[1][i] != end.undone[i])
            wrong(w, "%s: step %s has not had the effects that the model says", job->name,
                  step_names[i]);
}

/* Of a gateway that does not live any more nothing is told, and one that hangs hears of it later.
 */
static void happen(JobWorld *w, Event *event)
{
    Gateway *g = event->gateway;
    bool of_process = event->happen == complete || event->happen == respond ||
                      event->happen == wake || event->happen == end_of_drain;
    if (of_process && !is_alive(event))
        arena_free(event->arena);
    else if (of_process && w->now < g->hangs_until)
        again(w, event, g->hangs_until, event->happen);
    else {
        uint64_t number = event->number;
        Arena *arena = event->arena;
        event->happen(w, event);
        if (event->number == number) /* it does not happen again */
            arena_free(arena);
    }
}

/* It, or whether it happens, makes a difference. */
static bool has_effect(const Event *event)
{
    bool of_store = event->happen == arrive || event->happen == complete;
    if (of_store)
        return event->op->kind == OP_WRITE || (event->op->kind == OP_CLAIM && event->op->n);
    return event->happen == happen_to_call || event->happen == respond;
}

static void tell_unended(JobWorld *w)
{
    const StoredJob *job = w->jobs;
    while (has_ended(job))
        job++;
    const JobRecord *record = job->record;
    char what[200];
    snprintf(what, sizeof what, "it is %s at step %u, of \"%.*s\", ordered: %d",
             job_state_name(record->position.state), record->position.step,
             BYTES_ARGS(record->owner), record->order.given);
    wrong(w, "%s has not ended in time: %s", job->name, what);
}

const char *job_world_run(JobWorld *w)
{
    while (!all_ended(w) && !w->wrong[0]) {
        Event *event = pop(w);
        if (w->kills_left && one_in(w, has_effect(event) ? 20 : 2000))
            kill_something(w);
        w->now = event->when;
        w->stats.events++;
        happen(w, event);
        if (w->now > TIME_LIMIT)
            tell_unended(w);
    }
    for (uint32_t i = 0; i < w->n_jobs && !w->wrong[0]; i++)
        check_end(w, &w->jobs[i]);
    w->stats.time = w->now;
    return w->wrong[0] ? w->wrong : NULL;
}
