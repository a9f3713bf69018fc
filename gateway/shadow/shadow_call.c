#include "gateway/shadow/shadow_call.h"

#include "adapters/run/plan_run.h"
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/instances/instance_set.h"
#include "gateway/loop/config_use.h"
#include "gateway/telemetry/telemetry.h"

/* After which it begins: until then the response of the real call has been sent. */
#define PAUSE MILLISECOND

enum { LEDGER_MOST = 4 /* differences of one copy that the ledger has */ };

static ShadowCall *of_timer(Timer *timer)
{
    return (ShadowCall *)((char *)timer - offsetof(ShadowCall, timer));
}

static ShadowCall *of_job(WorkJob *job)
{
    return (ShadowCall *)((char *)job - offsetof(ShadowCall, job));
}

/* ---- The end --------------------------------------------------------------------------------- */

static ShadowSubject subject_of(ShadowCall *call)
{
    const Method *method = call->real.method;
    return (ShadowSubject){.service = method->version->service->name,
                           .method = arena_printf(call->arena, "%s/%s", method->type->service->name,
                                                  method->type->name),
                           .version = method->version->name,
                           .target = method->extras->shadow->rules->target};
}

/* Of the kind that the ledger groups by, and of this one. */
static Result why_of(ShadowCall *call, const ShadowDifference *difference)
{
    const char *target = call->real.method->extras->shadow->rules->target;
    const char *path = difference->path[0] ? difference->path : "the status";
    Result kind = FAIL(call->arena, FAULT_SHADOW_DIFFERS, "a copy to %s: %s of %s", target,
                       difference->shape, path);
    if (!difference->real.size && !difference->shadow.size)
        return kind;
    return FAIL_OVER(call->arena, kind, FAULT_SHADOW_DIFFERS,
                     "%s is %.*s in the response, and %.*s in that of the copy to %s", path,
                     BYTES_ARGS(difference->real.size ? difference->real : bytes_of("absent")),
                     BYTES_ARGS(difference->shadow.size ? difference->shadow : bytes_of("absent")),
                     target);
}

/* The record is no call: no client has used a version. */
static void tell_ledger(ShadowCall *call, const ShadowDifference *difference)
{
    const Method *method = call->real.method;
    telemetry_record_apart(call->owner->loop,
                           &(CallRecord){.request_id = call->real.request_id,
                                         .peer = "",
                                         .listener = "",
                                         .dialect = DIALECT_GRPC,
                                         .method = method,
                                         .route = method->route,
                                         .served_version = call->target.version,
                                         .instance = call->target.instance,
                                         .rule = "",
                                         .served_why = "",
                                         .status = {.code = (Code)FAULT_SHADOW_DIFFERS.grpc_status},
                                         .why = why_of(call, difference),
                                         .began = clock_wall()});
}

static void tell(ShadowCall *call)
{
    const ShadowFinding *finding = &call->finding;
    ShadowSubject subject = subject_of(call);
    shadow_book_add(call->owner->book, &subject,
                    &(ShadowResult){.outcome = finding->outcome,
                                    .reason = finding->reason,
                                    .request_id = call->real.request_id,
                                    .at = clock_wall(),
                                    .differences = finding->differences,
                                    .n = finding->n});
    for (uint32_t i = 0; i < finding->n && i < LEDGER_MOST; i++)
        tell_ledger(call, &finding->differences[i]);
}

static void end(ShadowCall *call)
{
    Loop *loop = call->owner->loop;
    if (!call->dropped)
        tell(call);
    timer_stop(&loop->timers, &call->timer);
    call->owner->on_end(call->owner, call);
    instance_set_unref(call->set);
    config_release(loop, call->config);
    arena_free(call->arena); /* the call with it */
}

static void end_without(ShadowCall *call, ShadowOutcome outcome, const char *reason)
{
    call->finding = (ShadowFinding){.outcome = outcome, .reason = reason};
    end(call);
}

static void skip(ShadowCall *call, ShadowSkip why)
{
    shadow_book_skip(call->owner->book, why);
    call->dropped = true;
    end(call);
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static void run_job(WorkJob *job)
{
    ShadowCall *call = of_job(job);
    const EndedCall *real = &call->real;
    ShadowQuestion question = {
        .method = real->method,
        .real = {real->code, real->response, real->codec, real->served},
        .shadow = {call->code, call->response, call->target.instance->codec, call->target.version},
        .redact = call->config->ledger.redact};
    shadow_find(&question, call->arena, &call->finding);
}

static void on_job_done(WorkJob *job, bool has_run)
{
    ShadowCall *call = of_job(job);
    if (has_run || call->dropped)
        end(call);
    else
        skip(call, SHADOW_SKIP_LOAD);
}

static void compare(ShadowCall *call)
{
    Loop *loop = call->owner->loop;
    call->job = (WorkJob){.run = run_job, .on_done = on_job_done, .loop = loop};
    if (loop->pool) {
        call->compared = true;
        work_pool_add(loop->pool, &call->job);
    } else {
        run_job(&call->job);
        end(call);
    }
}

/* ---- Its exchange ---------------------------------------------------------------------------- */

static Result on_response(Caller *caller, Message message, const Fields *trailers)
{
    ShadowCall *call = (ShadowCall *)caller;
    call->response = bytes_copy(call->arena, message.bytes);
    return call->response.data || !message.bytes.size
               ? OK
               : FAIL(call->arena, FAULT_OUT_OF_MEMORY, "keeping the response of a copy");
}

static void on_end(Caller *caller, const Status *status, const Fields *trailers)
{
    ShadowCall *call = (ShadowCall *)caller;
    call->code = status->code;
    if (status->error)
        call->why = error_copy(call->arena, (Result){status->error});
}

/* In a timer, so that no exchange ends within an event of another one. */
static void on_answered(Timer *timer)
{
    ShadowCall *call = of_timer(timer);
    if (failed(call->why))
        end_without(call, SHADOW_FAILED, call->why.error->fault->name);
    else
        compare(call);
}

static void on_record(Caller *caller, const CallRecord *record)
{
    ShadowCall *call = (ShadowCall *)caller;
    call->x = NULL;
    call->timer.fire = on_answered;
    if (!call->dropped)
        timer_start(&call->owner->loop->timers, &call->timer, 0);
}

static const CallerEvents events = {
    .on_response = on_response,
    .on_end = on_end,
    .on_record = on_record,
};

/* ---- Its request ----------------------------------------------------------------------------- */

static void on_loss(void *owner, const Loss *loss)
{
    bool *lossy = owner;
    *lossy |= loss->kind != LOSS_DEFAULTED;
}

/* The request for the instance. *lossy_out: not all of it could be said to this version, so that
   the two were asked for different things. */
static Result make_request(ShadowCall *call, Bytes *request_out, bool *lossy_out)
{
    const Method *method = call->real.method;
    const Plan *plan = method->pairs[call->target.version->index]
                           .request[CODEC_PROTO][call->target.instance->codec];
    Buffer out = buffer_in(call->arena);
    PlanRun run = {.on_loss = on_loss, .owner = lossy_out};
    *lossy_out = false;
    *request_out = call->real.request;
    if (!plan)
        return OK;
    Result r = plan_run(plan, &(PlanInput){.bytes = call->real.request}, call->arena, &out, &run);
    *request_out = buffer_bytes(&out);
    return !failed(r) && out.full ? FAIL(call->arena, FAULT_OUT_OF_MEMORY, "making a copy") : r;
}

static const MethodType *type_for(const ShadowCall *call)
{
    const Method *method = call->real.method;
    const Method *target = method->pairs[call->target.version->index].target;
    return target ? target->type : method->type;
}

static void send_request(ShadowCall *call, Bytes request)
{
    const ShadowRules *rules = call->real.method->extras->shadow->rules;
    CallOrder order = {.instance = call->target.instance,
                       .type = type_for(call),
                       .request_id = call->real.request_id,
                       .codec = call->target.instance->codec,
                       .timeout = rules->time,
                       .metadata = call->real.metadata,
                       .response_bytes = rules->bytes};
    Message message = {.bytes = request};
    call->x = exchange_new(call->owner->loop, &call->caller, &order);
    if (exchange_go(call->x))
        exchange_end(call->x, &message);
}

static void on_begin(Timer *timer)
{
    ShadowCall *call = of_timer(timer);
    Bytes request;
    bool lossy;
    call->target = shadow_target_pick(call->owner->loop, call->set, call->real.method);
    if (!call->target.instance) {
        skip(call, SHADOW_SKIP_INSTANCE);
        return;
    }
    Result r = make_request(call, &request, &lossy);
    if (failed(r))
        end_without(call, shadow_is_refusal(r.error->fault) ? SHADOW_UNLIKE : SHADOW_FAILED,
                    r.error->fault->name);
    else if (lossy)
        end_without(call, SHADOW_UNLIKE, "the request");
    else
        send_request(call, request);
}

/* ---- The copy -------------------------------------------------------------------------------- */

static const Fields *copy_fields(Arena *arena, const Fields *from)
{
    Fields *fields = arena_make(arena, Fields);
    if (!fields)
        return NULL;
    *fields = fields_in(arena);
    for (uint32_t i = 0; i < from->n; i++)
        fields_add(fields, bytes_copy(arena, from->items[i].name),
                   bytes_copy(arena, from->items[i].value));
    fields_add(fields, bytes_of("passerelle-shadow"), bytes_of("1"));
    return fields->full ? NULL : fields;
}

/* False: the arena is full. */
static bool copy(ShadowCall *call, const EndedCall *from)
{
    Arena *arena = call->arena;
    call->real = *from;
    call->real.instance = NULL; /* it may be gone by then */
    call->real.metadata = copy_fields(arena, from->metadata);
    call->real.request_id = bytes_copy(arena, from->request_id);
    call->real.request = bytes_copy(arena, from->request);
    call->real.response = bytes_copy(arena, from->response);
    return call->real.metadata && (call->real.request.data || !from->request.size) &&
           (call->real.response.data || !from->response.size);
}

ShadowCall *shadow_call_begin(ShadowOwner *owner, Arena *arena, const EndedCall *ended)
{
    ShadowCall *call = arena_make(arena, ShadowCall);
    Loop *loop = owner->loop;
    if (!call) {
        arena_free(arena);
        return NULL;
    }
    *call = (ShadowCall){
        .caller = {&events}, .owner = owner, .arena = arena, .timer = {.fire = on_begin}};
    call->config = config_use_again(loop, ended->config);
    call->set = instance_set_of(ended->method->version->service);
    if (!call->set || !copy(call, ended)) {
        instance_set_unref(call->set);
        config_release(loop, call->config);
        arena_free(arena);
        return NULL;
    }
    timer_start(&loop->timers, &call->timer, loop->now + PAUSE);
    return call;
}

void shadow_call_drop(ShadowCall *call)
{
    Loop *loop = call->owner->loop;
    call->dropped = true;
    if (call->compared && !work_pool_cancel(loop->pool, &call->job))
        return; /* on_job_done follows */
    if (call->x)
        exchange_cancel(call->x, FAIL(call->arena, FAULT_CANCELLED, "the gateway stops"));
    end(call);
}
