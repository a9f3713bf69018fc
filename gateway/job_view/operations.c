#include "gateway/job_view/operations.h"

#include "adapters/details/details.h"
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/job_view/job_desk_internal.h"
#include "gateway/job_view/operation_message.h"
#include "gateway/job_view/operation_request.h"
#include "gateway/version/negotiate.h"

/* There must be time to tell it before the client's deadline: a tenth of the rest, at most this. */
#define ROOM (100 * MILLISECOND)

typedef struct OperationTelling {
    JobAsk ask; /* first */
    Telling telling;
    OperationCall call;
    OperationRequest request;
    JobWatch watch; /* of a wait, and of whoever follows */
    Timer timer;    /* the end of the wait; or to tell `early` */
    Result early;   /* what is wrong was known at once */
    bool time_over;
    bool changed; /* news have come while the storage was asked */
    bool told;    /* once, whoever follows: this: */
    JobState state;
    uint32_t step;
} OperationTelling;

static OperationTelling *telling_of(const Telling *telling)
{
    return (OperationTelling *)((char *)(uintptr_t)telling - offsetof(OperationTelling, telling));
}

static BuiltinMethod method_of(const OperationTelling *t)
{
    return t->call.builtin->method;
}

/* ---- Telling --------------------------------------------------------------------------------- */

static void fail(OperationTelling *t, Result why)
{
    exchange_told(t->call.x, &(Told){.why = why});
}

static void fail_by_store(OperationTelling *t, Result why)
{
    Arena *arena = t->call.arena;
    fail(t, FAIL_OVER(arena, error_copy(arena, why), *why.error->fault, "asking about jobs"));
}

static void fail_unknown(OperationTelling *t)
{
    fail(t, FAIL_TELL(t->call.arena, FAULT_UNKNOWN_OPERATION, "%.*s",
                      BYTES_ARGS(bytes_cut_text(t->request.name, 200))));
}

static bool is_json(const OperationTelling *t)
{
    return t->call.call->reply_codec == CODEC_JSON;
}

/* google.protobuf.Empty */
static void tell_nothing(OperationTelling *t)
{
    exchange_told(t->call.x, &(Told){.message = is_json(t) ? bytes_of("{}") : bytes("", 0)});
}

/* The version that the client speaks with the service whose method has begun the job. */
static Result choose_version(const OperationTelling *t, const JobDefinition *definition,
                             Arena *arena, const Version **version_out)
{
    VersionQuestion question = {.service = definition->method->version->service,
                                .head = t->call.call->head,
                                .identity = t->call.identity->name,
                                .wall = t->call.record->began};
    Negotiation said;
    Result r = negotiate(&question, arena, &said);
    *version_out = said.reply;
    if (failed(r) && method_of(t) == BUILTIN_LIST_OPERATIONS) { /* it is of other services, too */
        error_ignore(r, "the list has jobs of services with other versions");
        *version_out = question.service->default_version;
        r = OK;
    }
    return r;
}

/* As errors of the method's own calls. */
static bool tells_all(const OperationTelling *t, const JobDefinition *definition)
{
    return config_errors_full(t->call.config, t->call.record->listener, definition->method->route);
}

/* Only the definition makes the response, and a success is never told as anything else. In a list
   the others must be told all the same. */
static Result tell_bare(const OperationTelling *t, const JobSources *sources, Arena *arena,
                        Buffer *out)
{
    if (sources->position->state == JOB_DONE && method_of(t) != BUILTIN_LIST_OPERATIONS)
        return FAIL_TELL(arena, FAULT_JOB_STUCK,
                         "the job is done, but the config has no such job any more to tell its "
                         "response by");
    operation_write_bare(sources, out);
    return OK;
}

/* In the codec and the version of the client. */
static Result write_operation(const OperationTelling *t, const JobRecord *record, Arena *arena,
                              Bytes *operation_out)
{
    const JobDefinition *definition = job_definition_of(t->call.config, record);
    const Version *version = NULL;
    Buffer bare = buffer_in(arena), whole = buffer_in(arena), json = buffer_in(arena);
    Bytes made;
    JobSources sources = job_sources(record, definition && tells_all(t, definition));
    Result r = definition ? choose_version(t, definition, arena, &version)
                          : tell_bare(t, &sources, arena, &bare);
    made = buffer_bytes(&bare);
    if (definition && !failed(r))
        r = job_operation(definition, &sources, version, arena, &made);
    if (failed(r))
        return r;
    operation_add_metadata(record, made, &whole);
    if (is_json(t))
        operation_write_json(buffer_bytes(&whole),
                             version ? version->details.to_json : t->call.config->details.to_json,
                             &json);
    *operation_out = buffer_bytes(is_json(t) ? &json : &whole);
    return bare.full || whole.full || json.full
               ? FAIL(arena, FAULT_OUT_OF_MEMORY, "telling an operation")
               : OK;
}

static bool follows(const OperationTelling *t)
{
    return method_of(t) == BUILTIN_FOLLOW_OPERATION;
}

/* A REST client is told to come back for what it has not waited for. */
static const JobNote *note_of(const OperationTelling *t, const JobRecord *record)
{
    JobNote *note = t->told ? NULL : job_note(record, clock_wall(), t->call.arena);
    if (!note || follows(t))
        return note;
    note->accepted = !job_is_at_rest(record->position.state);
    return note;
}

/* The call may have ended when this returns; then false, and the telling is freed. */
static bool tell(OperationTelling *t, const JobRecord *record)
{
    Arena *arena = arena_new(t->call.config->limits.call_memory);
    Told told = {.job = note_of(t, record),
                 .more = follows(t) && !job_is_at_rest(record->position.state)};
    told.why = write_operation(t, record, arena, &told.message);
    t->ask.asked = true; /* so that it stays until the return */
    exchange_told(t->call.x, &told);
    arena_free(arena);
    return job_ask_answered(&t->ask);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void read_job(OperationTelling *t);

static void look_again(OperationTelling *t)
{
    if (t->changed)
        read_job(t);
}

static bool is_news(const OperationTelling *t, const JobRecord *record)
{
    return !t->told || t->state != record->position.state || t->step != record->position.step;
}

static void shut_down(OperationTelling *t)
{
    fail(t, FAIL(t->call.arena, FAULT_SHUTTING_DOWN, "following an operation"));
}

/* A stream that ended well would not be begun again by a browser. */
static void follow(OperationTelling *t, const JobRecord *record)
{
    if (is_news(t, record)) {
        bool goes_on = tell(t, record);
        if (!goes_on)
            return;
        t->told = true;
        t->state = record->position.state;
        t->step = record->position.step;
    }
    if (t->call.loop->draining)
        shut_down(t);
    else
        look_again(t);
}

static void wait(OperationTelling *t, const JobRecord *record)
{
    bool over = t->time_over || t->call.loop->draining;
    if (over || job_is_at_rest(record->position.state))
        tell(t, record);
    else
        look_again(t);
}

static void tell_done(OperationTelling *t)
{
    if (method_of(t) == BUILTIN_CANCEL_OPERATION)
        job_desk_tell_order(t->ask.desk, t->request.id);
    tell_nothing(t);
}

static void on_ordered(void *owner, Result result, JobOrderOutcome outcome)
{
    OperationTelling *t = owner;
    if (!job_ask_answered(&t->ask))
        return;
    if (failed(result))
        fail_by_store(t, result);
    else if (outcome == JOB_NOT_THERE)
        fail_unknown(t);
    else if (outcome == JOB_ORDERED)
        tell_done(t);
    else if (method_of(t) == BUILTIN_DELETE_OPERATION)
        fail(t, FAIL_TELL(t->call.arena, FAULT_OPERATION_UNFINISHED, "%.*s",
                          BYTES_ARGS(t->request.name)));
    else /* it has ended meanwhile: how? */
        read_job(t);
}

static bool has_ended_well(const JobRecord *record)
{
    return record->position.state == JOB_DONE || record->position.state == JOB_UNDONE;
}

/* What it was about may have been made anew since, by another job: whether to undo it, or to go on
   with it, is for operators to say. */
static void fail_as_failed(OperationTelling *t)
{
    fail(t, FAIL_TELL(t->call.arena, FAULT_OPERATION_FAILED,
                      "%.*s: an operator has it undone, or goes on with it",
                      BYTES_ARGS(t->request.name)));
}

/* Of what has ended well it comes too late, which is no error (AIP-151). */
static void cancel(OperationTelling *t, const JobRecord *record)
{
    JobOrder order = {.given = true,
                      .event = JOB_CANCEL,
                      .who = t->call.record->client,
                      .why = bytes_of("the client has cancelled its operation")};
    if (has_ended_well(record)) {
        tell_nothing(t);
        return;
    }
    if (record->position.state == JOB_FAILED) {
        fail_as_failed(t);
        return;
    }
    JobStorage *storage = job_ask_storage(&t->ask);
    storage->order(storage, t->request.id, &order, on_ordered, t);
}

/* What has failed is kept for operators. */
static void delete_job(OperationTelling *t, const JobRecord *record)
{
    if (record->position.state == JOB_FAILED) {
        fail_as_failed(t);
        return;
    }
    if (!has_ended_well(record)) {
        fail(t, FAIL_TELL(t->call.arena, FAULT_OPERATION_UNFINISHED, "%.*s is %s",
                          BYTES_ARGS(t->request.name), job_state_name(record->position.state)));
        return;
    }
    JobStorage *storage = job_ask_storage(&t->ask);
    storage->remove(storage, t->request.id, on_ordered, t);
}

static void act(OperationTelling *t, const JobRecord *record)
{
    switch (method_of(t)) {
    case BUILTIN_GET_OPERATION: tell(t, record); return;
    case BUILTIN_WAIT_OPERATION: wait(t, record); return;
    case BUILTIN_FOLLOW_OPERATION: follow(t, record); return;
    case BUILTIN_CANCEL_OPERATION: cancel(t, record); return;
    case BUILTIN_DELETE_OPERATION: delete_job(t, record); return;
    case BUILTIN_LIST_OPERATIONS:
    case BUILTIN_CHECK:
    case BUILTIN_WATCH:
    case BUILTIN_REFLECT:
    case BUILTIN_PAGE: break;
    }
    CHECK(!"a method of one operation");
}

static void on_read(void *owner, Result result, const JobRecord *record)
{
    OperationTelling *t = owner;
    if (!job_ask_answered(&t->ask))
        return;
    if (failed(result))
        fail_by_store(t, result);
    else if (!record || !job_is_of(record, t->call.record->client))
        fail_unknown(t);
    else
        act(t, record);
}

static void read_job(OperationTelling *t)
{
    t->changed = false;
    JobStorage *storage = job_ask_storage(&t->ask);
    storage->read(storage, t->request.id, on_read, t);
}

static void look(JobWatch *watch)
{
    OperationTelling *t = (OperationTelling *)((char *)watch - offsetof(OperationTelling, watch));
    t->changed = true;
    if (!t->ask.asked)
        read_job(t);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static Result write_list(const OperationTelling *t, const JobRecord *const *jobs, uint32_t n,
                         Arena *arena, Bytes *message_out)
{
    JobFilter filter;
    OperationList list = operation_list_in(arena, t->call.call->reply_codec);
    Result r = operation_request_filter(&t->request, arena, &filter);
    for (uint32_t i = 0; i < n && !failed(r); i++) {
        Bytes operation;
        r = write_operation(t, jobs[i], arena, &operation);
        if (!failed(r))
            operation_list_add(&list, operation);
    }
    operation_list_end(&list, n && n == filter.most ? jobs[n - 1]->id : BYTES_NONE);
    *message_out = buffer_message(&list.out);
    if (!failed(r) && list.out.full)
        r = FAIL(arena, FAULT_OUT_OF_MEMORY, "listing %u operations", n);
    return r;
}

static void on_listed(void *owner, Result result, const JobRecord *const *jobs, uint32_t n)
{
    OperationTelling *t = owner;
    if (!job_ask_answered(&t->ask))
        return;
    if (failed(result)) {
        fail_by_store(t, result);
        return;
    }
    Arena *arena = arena_new(t->call.config->limits.call_memory);
    Told told = {.more = false};
    told.why = write_list(t, jobs, n, arena, &told.message);
    exchange_told(t->call.x, &told);
    arena_free(arena);
}

/* Whether metadata is made of messages, also while a job is unfinished. */
static bool tells_of_unfinished(const Config *config)
{
    bool tells = false;
    for (uint32_t i = 0; i < config->n_jobs; i++)
        tells |= config->jobs[i].metadata != NULL;
    return tells;
}

/* Clients that nothing tells apart would be told of each other's. */
static Result list_jobs(OperationTelling *t)
{
    JobFilter filter;
    if (!t->call.record->client.size)
        return FAIL_TELL(t->call.arena, FAULT_IDENTITY_REQUIRED,
                         "operations are listed for whom has begun them");
    Result r = operation_request_filter(&t->request, t->call.arena, &filter);
    if (failed(r))
        return r;
    filter.client = &t->call.record->client;
    if (tells_of_unfinished(t->call.config))
        filter.content = JOB_CONTENT_OF_ALL;
    JobStorage *storage = job_ask_storage(&t->ask);
    storage->list(storage, &filter, on_listed, t);
    return OK;
}

/* ---- The table ------------------------------------------------------------------------------- */

static void on_timer(Timer *timer)
{
    OperationTelling *t = (OperationTelling *)((char *)timer - offsetof(OperationTelling, timer));
    t->time_over = true;
    if (failed(t->early))
        fail(t, t->early);
    else
        look(&t->watch);
}

static int64_t end_of_wait(const OperationTelling *t)
{
    int64_t now = t->call.loop->now, left = t->call.deadline - now;
    int64_t most = t->call.config->store.job_wait;
    int64_t wait = t->request.timeout < most ? t->request.timeout : most;
    if (t->call.deadline != NO_TIMEOUT) {
        left -= left / 10 < ROOM ? left / 10 : ROOM;
        wait = left < wait ? left : wait;
    }
    return now + (wait > 0 ? wait : 0);
}

/* Clients without an identity share by their addresses. */
static Bytes client_of(const OperationTelling *t)
{
    const CallRecord *record = t->call.record;
    if (record->client.size || !record->address)
        return record->client;
    return bytes(record->address->bytes, sizeof record->address->bytes);
}

static Result begin_waiting(OperationTelling *t)
{
    t->watch.look = look;
    switch (job_watch_start(t->ask.desk->watches, &t->watch, t->request.id, client_of(t))) {
    case JOB_WATCH_RUNS: break;
    case JOB_WATCH_TOO_MANY:
    case JOB_WATCH_NO_ID:
        return FAIL(t->call.arena, FAULT_OVERLOADED,
                    "store.jobs.waits: as many operations are waited for as may be");
    case JOB_WATCH_SHARE:
        return FAIL_TELL(t->call.arena, FAULT_TOO_MANY_WAITS, "it is %u",
                         t->call.config->store.job_waits_per_client);
    }
    if (method_of(t) == BUILTIN_WAIT_OPERATION)
        timer_start(&t->call.loop->timers, &t->timer, end_of_wait(t));
    return OK;
}

static Result begin_asking(OperationTelling *t)
{
    const OperationCall *call = &t->call;
    Result r =
        operation_request_read(call->call, call->builtin, call->request, call->arena, &t->request);
    if (failed(r))
        return r;
    if (method_of(t) == BUILTIN_LIST_OPERATIONS)
        return list_jobs(t);
    if (!t->request.id.size)
        return FAIL_TELL(call->arena, FAULT_UNKNOWN_OPERATION, "%.*s",
                         BYTES_ARGS(bytes_cut_text(t->request.name, 200)));
    if (method_of(t) == BUILTIN_WAIT_OPERATION || follows(t))
        r = begin_waiting(t);
    if (!failed(r))
        read_job(t);
    return r;
}

static Telling *begin(const OperationCall *call)
{
    OperationTelling *t = job_ask_new(call->loop->jobs, sizeof *t);
    t->telling.table = &operations_table;
    t->call = *call;
    t->timer.fire = on_timer;
    t->early = begin_asking(t);
    if (failed(t->early))
        timer_start(&call->loop->timers, &t->timer, 0);
    return &t->telling;
}

static void drop(Telling *telling)
{
    OperationTelling *t = telling_of(telling);
    job_watch_stop(&t->watch);
    timer_stop(&t->call.loop->timers, &t->timer);
    job_ask_drop(&t->ask);
}

const OperationTable operations_table = {.begin = begin, .drop = drop};
