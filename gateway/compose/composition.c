#include "gateway/compose/composition.h"

#include "adapters/place/placement.h"
#include "adapters/run/plan_run.h"
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/access/access.h"
#include "gateway/compose/composition_internal.h"
#include "gateway/headers/baggage.h"

/* A leg ends before the call does, so that there is time to make its response: a tenth of the rest,
   and not more than this. */
#define ROOM (100 * MILLISECOND)

static uint64_t bit_of(const LegCall *leg)
{
    return UINT64_C(1) << (leg - leg->composition->legs);
}

/* Whether the composed call fails without its response. */
static bool is_needed(const LegCall *leg)
{
    return leg->leg->required || leg->leg->route->on_failure == FAILURE_LOUD;
}

static void look(Composition *c)
{
    timer_start(&c->call.loop->timers, &c->timer, 0); /* in this turn */
}

/* ---- Messages -------------------------------------------------------------------------------- */

static Result run_plan(const Composition *c, const Plan *plan, Bytes envelope, Bytes *made_out)
{
    Buffer out = buffer_in(c->call.arena);
    PlanInput input = {.bytes = envelope};
    Result r = plan_run(plan, &input, c->call.arena, &out, NULL);
    *made_out = buffer_message(&out);
    return r;
}

static Result out_of_memory(const LegCall *leg)
{
    return FAIL(leg->composition->call.arena, FAULT_OUT_OF_MEMORY, "composing the leg %s",
                leg->leg->name);
}

static Result make_request(const LegCall *leg, Bytes *request_out)
{
    const Composition *c = leg->composition;
    Buffer envelope = buffer_in(c->call.arena);
    if (leg->leg->needs_request)
        place_record(&envelope, 0, c->call.request);
    for (uint64_t left = leg->leg->needs; left; left &= left - 1)
        buffer_add_bytes(&envelope, c->legs[__builtin_ctzll(left)].record);
    if (envelope.full)
        return out_of_memory(leg);
    Result r = run_plan(c, leg->leg->request, buffer_message(&envelope), request_out);
    return failed(r) ? FAIL_OVER(c->call.arena, r, *r.error->fault,
                                 "making the request of the leg %s", leg->leg->name)
                     : OK;
}

/* What cannot be read is the failure of the leg's service. */
static Result take_response(LegCall *leg, Bytes message)
{
    Composition *c = leg->composition;
    uint32_t source = (uint32_t)(leg - c->legs) + 1;
    Buffer record = buffer_in(c->call.arena);
    if (message.size > c->bytes_left)
        return FAIL(c->call.arena, FAULT_UPSTREAM_TOO_LARGE,
                    "a response of %zu bytes, where %zu are left for this leg (compose: bytes)",
                    message.size, c->bytes_left);
    place_record(&record, source, message);
    if (record.full)
        return out_of_memory(leg);
    Result r = run_plan(c, leg->leg->response, buffer_bytes(&record), &leg->part);
    if (failed(r) && r.error->fault != &FAULT_OUT_OF_MEMORY)
        return FAIL_OVER(c->call.arena, r, FAULT_UPSTREAM_MESSAGE,
                         "placing the response of the leg %s", leg->leg->name);
    if (failed(r))
        return r;
    c->bytes_left -= message.size;
    leg->record = buffer_bytes(&record);
    leg->good = true;
    return OK;
}

/* ---- Events of a leg ------------------------------------------------------------------------- */

static Result on_response(Caller *caller, Message message, const Fields *trailers)
{
    return take_response((LegCall *)caller, message.bytes);
}

/* As the composed call passes it on, whose client follows no redirect of a leg's. What the arena
   has no room for is left out. */
static void keep_status(LegCall *leg, const Status *status)
{
    Arena *arena = leg->composition->call.arena;
    leg->status = *status;
    leg->status.message = bytes_copy(arena, status->message);
    leg->status.details = bytes_copy(arena, status->details);
    if (status->http_status < 400) {
        leg->status.http_status = 0;
        leg->status.of_rest = false;
    }
}

static void on_end(Caller *caller, const Status *status, const Fields *trailers)
{
    LegCall *leg = (LegCall *)caller;
    leg->answered = status->code == CODE_OK;
    leg->may_have_effect = status->may_have_effect;
    if (!status->error)
        keep_status(leg, status);
}

static LegState state_of(const LegCall *leg, const CallRecord *record)
{
    if (!leg->answered || !leg->good)
        return LEG_FAILED;
    if (!record->degraded)
        return LEG_OK;
    return record->degraded_by == FALLBACK_SKIP ? LEG_SKIPPED : LEG_DEGRADED;
}

/* Of a leg that a fallback stands in for, its last attempt has it. */
static Code code_of_service(const LegCall *leg, const CallRecord *record)
{
    Code code = leg->status.code;
    if (!failed(record->why) || record->why.error->fault != &FAULT_UPSTREAM_STATUS)
        return CODE_OK;
    for (const AttemptRecord *a = record->attempts; a && record->degraded; a = a->next)
        if (failed(a->why) && a->why.error->fault == &FAULT_UPSTREAM_STATUS)
            code = a->code;
    return code;
}

static void settle(LegCall *leg, LegState state)
{
    Composition *c = leg->composition;
    leg->state = state;
    leg->ended = c->call.loop->now;
    c->done |= bit_of(leg);
    if (state == LEG_OK || state == LEG_DEGRADED)
        return;
    c->missing |= bit_of(leg);
    leg->part = leg->record = BYTES_NONE;
}

static void on_record(Caller *caller, const CallRecord *record)
{
    LegCall *leg = (LegCall *)caller;
    Composition *c = leg->composition;
    leg->x = NULL;
    c->n_running--;
    leg->age = record->degraded ? record->degraded_age : 0;
    leg->why = failed(record->why) ? error_copy(c->call.arena, record->why) : OK;
    leg->code = code_of_service(leg, record);
    settle(leg, state_of(leg, record));
    telemetry_record(c->call.loop, record);
    look(c);
}

static const CallerEvents leg_events = {
    .on_response = on_response,
    .on_end = on_end,
    .on_record = on_record,
};

/* ---- Beginning a leg ------------------------------------------------------------------------- */

/* What tells the instance about the way, as for any call; it is written anew where the client has
   sent some. */
static bool is_of_way(Bytes name)
{
    return bytes_start_with(name, "x-forwarded-") || bytes_are(name, "forwarded") ||
           bytes_are(name, "x-request-id") || bytes_are(name, "passerelle-hops") ||
           bytes_are(name, "traceparent") || bytes_are(name, "tracestate") ||
           bytes_are(name, BAGGAGE_FIELD);
}

static Fields fields_of(const LegCall *leg)
{
    const Composition *c = leg->composition;
    Fields fields = fields_in(c->call.arena);
    for (uint32_t i = 0; i < c->call.metadata->n; i++) {
        const Field *field = &c->call.metadata->items[i];
        if (is_of_way(field->name) || bytes_are_one_of(field->name, leg->leg->forward))
            fields_add(&fields, field->name, field->value);
    }
    return fields;
}

static int64_t time_left(const Composition *c)
{
    int64_t left = c->call.deadline - c->call.loop->now;
    if (c->call.deadline == NO_TIMEOUT)
        return NO_TIMEOUT;
    return left - (left / 10 < ROOM ? left / 10 : ROOM);
}

static void not_begun(LegCall *leg, Result why)
{
    leg->why = why;
    settle(leg, LEG_FAILED);
    look(leg->composition);
}

static void begin_leg(LegCall *leg)
{
    Composition *c = leg->composition;
    Fields fields = fields_of(leg);
    Bytes request;
    leg->began = c->call.loop->now;
    Result r = make_request(leg, &request);
    if (!failed(r))
        r = access_check(c->call.config, leg->leg->method, c->call.identity, request,
                         c->call.arena);
    if (!failed(r) && fields.full)
        r = out_of_memory(leg);
    if (failed(r)) {
        not_begun(leg, r);
        return;
    }
    CallOrder order = {.method = leg->leg->method,
                       .of = c->call.x,
                       .leg = leg->leg,
                       .codec = CODEC_PROTO,
                       .timeout = time_left(c),
                       .metadata = &fields,
                       .response_bytes = c->composed->bytes};
    leg->state = LEG_RUNS;
    c->n_running++;
    leg->x = exchange_new(c->call.loop, &leg->caller, &order);
    Message message = {.bytes = request};
    if (exchange_go(leg->x))
        exchange_end(leg->x, &message);
}

/* What the service of `cause` has said is the error of this leg, too. If a fallback stood in for
   it, only its code is known. */
static void take_error(LegCall *leg, const LegCall *cause)
{
    leg->code = cause->code;
    leg->status = cause->status;
    if (leg->status.code != CODE_OK || leg->code == CODE_OK)
        return;
    leg->status.code = leg->code;
    leg->status.message = bytes_of(arena_printf(
        leg->composition->call.arena, "there is no response of the leg %s", cause->leg->name));
}

/* Without the response that it needs it is not asked. */
static void pass_over(LegCall *leg, uint64_t missing)
{
    const Composition *c = leg->composition;
    const LegCall *cause = &c->legs[__builtin_ctzll(missing)];
    leg->why = FAIL_OVER(c->call.arena, cause->why, *cause->why.error->fault,
                         "there is no response of the leg %s, which the leg %s needs",
                         cause->leg->name, leg->leg->name);
    take_error(leg, cause);
    settle(leg, is_needed(leg) ? LEG_FAILED : LEG_SKIPPED);
    look(leg->composition);
}

static void begin_ready(Composition *c)
{
    const Composed *composed = c->composed;
    for (uint32_t i = 0; i < composed->n_legs; i++) {
        LegCall *leg = &c->legs[i];
        uint64_t needs = leg->leg->needs;
        if (leg->state != LEG_WAITS || (needs & ~c->done))
            continue;
        if (needs & c->missing)
            pass_over(leg, needs & c->missing);
        else if (c->n_running < composed->fan_out)
            begin_leg(leg);
    }
}

/* ---- Ending ---------------------------------------------------------------------------------- */

static void cancel_legs(Composition *c, const char *why)
{
    for (uint32_t i = 0; i < c->composed->n_legs; i++) {
        LegCall *leg = &c->legs[i];
        if (!leg->x)
            continue;
        leg->may_have_effect |= !leg->leg->method->safe_to_repeat;
        exchange_cancel(leg->x, FAIL(c->call.arena, FAULT_CANCELLED, "%s", why));
    }
    timer_stop(&c->call.loop->timers, &c->timer);
}

/* The first leg without a response that is needed; NULL: none. */
static const LegCall *fatal_leg(const Composition *c)
{
    for (uint64_t left = c->missing; left; left &= left - 1) {
        const LegCall *leg = &c->legs[__builtin_ctzll(left)];
        if (leg->state == LEG_FAILED && is_needed(leg))
            return leg;
    }
    return NULL;
}

static void end_by(Composition *c, const LegCall *leg)
{
    cancel_legs(c, "another leg of the composed call has failed");
    Made result = {.leg = leg->leg->name};
    if (leg->status.code != CODE_OK)
        result.said = &leg->status;
    result.why =
        FAIL_OVER(c->call.arena, leg->why, *leg->why.error->fault, "the leg %s", leg->leg->name);
    exchange_made(c->call.x, &result);
}

static void end_well(Composition *c)
{
    Buffer message = buffer_in(c->call.arena);
    Made result = {.leg = NULL};
    timer_stop(&c->call.loop->timers, &c->timer);
    for (uint32_t i = 0; i < c->composed->n_legs; i++)
        buffer_add_bytes(&message, c->legs[i].part);
    leg_report_write(c, &message);
    result.message = buffer_message(&message);
    if (message.full)
        result.why = FAIL(c->call.arena, FAULT_OUT_OF_MEMORY, "putting the response together");
    exchange_made(c->call.x, &result);
}

/* A leg may end as soon as it begins, or without beginning, so that others can. */
static void begin_all_ready(Composition *c)
{
    uint64_t before;
    do {
        before = c->done;
        begin_ready(c);
    } while (c->done != before && !fatal_leg(c));
}

static void on_look(Timer *timer)
{
    Composition *c = (Composition *)((char *)timer - offsetof(Composition, timer));
    if (!fatal_leg(c))
        begin_all_ready(c);
    const LegCall *fatal = fatal_leg(c);
    if (fatal)
        end_by(c, fatal);
    else if (c->done == composed_all_legs(c->composed))
        end_well(c);
}

/* ---- The table ------------------------------------------------------------------------------- */

static Making *begin(const MakeCall *call)
{
    const Composed *composed = call->method->extras->composed;
    uint32_t n = composed->n_legs;
    Composition *c = arena_alloc(call->arena, sizeof *c + n * sizeof c->legs[0]);
    if (!c)
        return NULL;
    memset(c, 0, sizeof *c + n * sizeof c->legs[0]);
    c->making.maker = &composition_maker;
    c->call = *call;
    c->composed = composed;
    c->timer.fire = on_look;
    c->bytes_left = composed->bytes - call->request.size;
    for (uint32_t i = 0; i < n; i++)
        c->legs[i] =
            (LegCall){.caller = {&leg_events}, .composition = c, .leg = &composed->legs[i]};
    look(c);
    return &c->making;
}

static bool may_have_effect(const Making *making)
{
    const Composition *c = (const Composition *)making;
    for (uint32_t i = 0; i < c->composed->n_legs; i++) {
        const LegCall *leg = &c->legs[i];
        bool may =
            leg->state == LEG_RUNS ? !leg->leg->method->safe_to_repeat : leg->may_have_effect;
        if (may)
            return true;
    }
    return false;
}

static void drop(Making *making)
{
    cancel_legs((Composition *)making, "the composed call has ended");
}

const MakerTable composition_maker = {
    .why = "composed",
    .begin = begin,
    .describe = leg_report_text,
    .may_have_effect = may_have_effect,
    .drop = drop,
};
