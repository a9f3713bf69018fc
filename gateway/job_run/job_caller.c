#include "gateway/job_run/job_caller.h"

#include "base/arena.h"
#include "gateway/access/access.h"
#include "gateway/call/exchange.h"
#include "gateway/headers/trace_context.h"

enum { MESSAGE_SHOWN = 1000 /* bytes of a failure's text that are kept */ };

/* Ends in a timer of the same turn, so that no call ends in the event of another one, or before
   JobBackend.call has returned. */
typedef struct StepCall {
    Caller caller; /* first */
    JobCallOrder order;
    Loop *loop;
    Arena *arena;
    Exchange *x; /* NULL: it has ended, or was not begun */
    Timer timer;
    bool said; /* the failure is what the service has said */
    JobCallEnd end;
} StepCall;

/* ---- What failures mean ---------------------------------------------------------------------- */

JobEvent job_failure_means(const Fault *fault, Code code)
{
    if (fault && fault->retryable)
        return JOB_BROKE;
    if (fault == &FAULT_UPSTREAM_TOO_LARGE)
        return JOB_REFUSED; /* it would be so again */
    switch (code) {
    case CODE_INVALID_ARGUMENT:
    case CODE_NOT_FOUND:
    case CODE_ALREADY_EXISTS:
    case CODE_PERMISSION_DENIED:
    case CODE_UNAUTHENTICATED:
    case CODE_FAILED_PRECONDITION:
    case CODE_OUT_OF_RANGE:
    case CODE_UNIMPLEMENTED:
    case CODE_DATA_LOSS: return JOB_REFUSED;
    default: break;
    }
    bool own = fault && fault != &FAULT_INTERNAL && fault->side != SIDE_UPSTREAM;
    return own && fault != &FAULT_CANCELLED ? JOB_REFUSED : JOB_BROKE;
}

JobSources job_sources_of(const JobRecord *record)
{
    return (JobSources){.id = record->id,
                        .request = record->request,
                        .responses = record->responses,
                        .position = &record->position,
                        .created = record->created,
                        .code = record->failure.code,
                        .reason = record->failure.message,
                        .failed = job_failed_step(record)};
}

/* ---- How a call ends ------------------------------------------------------------------------- */

static const char *step_name(const StepCall *call)
{
    return call->order.definition->steps[call->order.step].name;
}

static void fail_by(StepCall *call, const char *fault, Code code, JobEvent event, Bytes message)
{
    call->end = (JobCallEnd){
        .event = event,
        .failure = {.step = bytes_of(step_name(call)),
                    .fault = bytes_of(fault),
                    .code = code,
                    .message = bytes_copy(call->arena, bytes_cut_text(message, MESSAGE_SHOWN))}};
}

/* A failure of the gateway's own. */
static void fail(StepCall *call, Result why)
{
    const Fault *fault = why.error->fault;
    Code code = (Code)fault->grpc_status;
    fail_by(call, fault->name, code, job_failure_means(fault, code),
            bytes_of(error_text(call->arena, why)));
}

/* Whether a refused call has certainly had no effect. With several attempts an earlier one may have
   had it. What the gateway makes itself, of calls of others, may be done in part. DATA_LOSS says
   that something was done. */
static bool has_no_effect(const StepCall *call, const CallRecord *record)
{
    if (record->legs.size || record->joined.size ||
        (record->method && record->method->extras->made_as))
        return false;
    if (call->said)
        return record->n_attempts == 1 && call->end.failure.code != CODE_DATA_LOSS;
    return record->n_attempts == 0;
}

static void on_timer(Timer *timer)
{
    StepCall *call = (StepCall *)((char *)timer - offsetof(StepCall, timer));
    call->order.on_end(call->order.owner, &call->end);
    arena_free(call->arena);
}

static void end_soon(StepCall *call)
{
    timer_start(&call->loop->timers, &call->timer, 0); /* in this turn */
}

/* ---- Events of the exchange ------------------------------------------------------------------ */

/* A response that cannot be read is a failure of the service, and of this call. */
static Result on_response(Caller *caller, Message message, const Fields *trailers)
{
    StepCall *call = (StepCall *)caller;
    JobEvent event = JOB_SUCCEEDED;
    if (!call->order.undo) {
        Result r = job_response_means(call->order.definition, call->order.step, message.bytes,
                                      call->arena, &event);
        if (failed(r))
            return r;
    }
    call->end = (JobCallEnd){.event = event, .response = bytes_copy(call->arena, message.bytes)};
    if (event == JOB_REFUSED)
        fail_by(call, FAULT_UPSTREAM_STATUS.name, CODE_FAILED_PRECONDITION, event,
                bytes_of("its response says that it will never be as it should"));
    return OK;
}

static void on_end(Caller *caller, const Status *status, const Fields *trailers)
{
    StepCall *call = (StepCall *)caller;
    if (status->code == CODE_OK)
        return;
    if (status->error)
        fail(call, (Result){status->error});
    else
        fail_by(call, FAULT_UPSTREAM_STATUS.name, status->code,
                job_failure_means(NULL, status->code), status->message);
    call->said = !status->error;
}

static void on_record(Caller *caller, const CallRecord *record)
{
    StepCall *call = (StepCall *)caller;
    call->x = NULL;
    if (call->end.event == JOB_REFUSED && has_no_effect(call, record))
        call->end.event = JOB_DECLINED;
    telemetry_record(call->loop, record);
    end_soon(call);
}

static const CallerEvents events = {
    .on_response = on_response,
    .on_end = on_end,
    .on_record = on_record,
};

/* ---- Beginning ------------------------------------------------------------------------------- */

static void add_all(Fields *fields, const Fields *more)
{
    for (uint32_t i = 0; i < more->n; i++)
        fields_add(fields, more->items[i].name, more->items[i].value);
}

/* The key is a string of structured fields (RFC 8941): draft-ietf-httpapi-idempotency-key-header.
 */
static Fields fields_of(const StepCall *call, const JobCall *called)
{
    const JobRecord *record = call->order.record;
    Fields fields = fields_in(call->arena);
    add_all(&fields, called->metadata);
    add_all(&fields, &record->forwarded);
    Bytes key = call->order.key;
    fields_add(&fields, bytes_of("idempotency-key"),
               bytes_of(arena_printf(call->arena, "\"%.*s\"", BYTES_ARGS(key))));
    if (record->request_id.size)
        fields_add(&fields, bytes_of("x-request-id"), record->request_id);
    return fields;
}

/* Of the trace that the job was begun in: its span there was what the client's call was told. */
static const TraceContext *trace_of(const StepCall *call, const Fields *fields)
{
    TraceContext *trace = arena_make(call->arena, TraceContext);
    *trace = (TraceContext){0};
    trace->known = trace_parent_read(fields_get(fields, "traceparent"), trace);
    memcpy(trace->span, trace->caller, TRACE_SPAN_SIZE);
    trace->recorded = call->loop->config->tracing.to.on && trace->flags & TRACE_SAMPLED;
    return trace->known ? trace : NULL;
}

/* What is left for the response, of what all messages of the job may have together. */
static size_t bytes_left(const JobDefinition *definition, const JobRecord *record)
{
    size_t used = record->request.size;
    for (uint32_t i = 0; i < definition->rules.n_steps; i++)
        used += record->responses[i].size;
    return used < definition->bytes ? definition->bytes - used : 1;
}

/* It is the client's call, which asks for the step; to undo is the gateway's duty, whoever may. */
static Result check_access(const StepCall *call, const JobCall *called, Bytes request)
{
    const JobCallOrder *order = &call->order;
    const Identity *identity = order->record->identity;
    return identity && !order->undo
               ? access_check(call->loop->config, called->method, identity, request, call->arena)
               : OK;
}

static void begin(StepCall *call, const JobCall *called)
{
    const JobCallOrder *order = &call->order;
    JobSources sources = job_sources_of(order->record);
    Message request = {.bytes = BYTES_NONE};
    Result r = job_make_request(order->definition, order->step, order->undo, order->key, &sources,
                                call->arena, &request.bytes);
    if (!failed(r))
        r = check_access(call, called, request.bytes);
    if (failed(r)) {
        fail(call, r);
        if (call->end.event == JOB_REFUSED)
            call->end.event = JOB_DECLINED; /* it was never sent */
        end_soon(call);
        return;
    }
    Fields fields = fields_of(call, called);
    CallOrder exchange = {.method = called->method,
                          .route = called->route,
                          .step_of = arena_text(call->arena, order->record->id),
                          .client = order->record->client,
                          .request_id = order->record->request_id,
                          .trace = trace_of(call, &order->record->forwarded),
                          .codec = CODEC_PROTO,
                          .timeout = NO_TIMEOUT, /* the route has it */
                          .metadata = &fields,
                          .response_bytes = bytes_left(order->definition, order->record)};
    call->x = exchange_new(call->loop, &call->caller, &exchange);
    if (exchange_go(call->x))
        exchange_end(call->x, &request);
}

static void *begin_call(JobBackend *backend, const JobCallOrder *order)
{
    const JobStep *step = &order->definition->steps[order->step];
    Arena *arena = arena_new(ARENA_UNLIMITED);
    StepCall *call = arena_make(arena, StepCall);
    *call = (StepCall){.caller = {&events},
                       .order = *order,
                       .loop = ((JobCaller *)backend)->loop,
                       .arena = arena,
                       .timer = {.fire = on_timer}};
    begin(call, order->undo ? step->undo : step->call);
    return call;
}

static void cancel(JobBackend *backend, void *cancelled)
{
    StepCall *call = cancelled;
    if (call->x)
        exchange_cancel(call->x, FAIL(call->arena, FAULT_CANCELLED,
                                      "the job is handed over to another gateway"));
    timer_stop(&call->loop->timers, &call->timer);
    arena_free(call->arena);
}

static bool holds(JobBackend *backend, const JobDefinition *definition, const JobRecord *record,
                  uint32_t step)
{
    JobSources sources = job_sources_of(record);
    return job_when_holds(definition, step, &sources);
}

void job_caller_init(JobCaller *caller, Loop *loop)
{
    *caller = (JobCaller){.backend = {holds, begin_call, cancel}, .loop = loop};
}
