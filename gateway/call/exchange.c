#include "gateway/call/exchange.h"

#include "base/text/utf8.h"
#include "gateway/call/exchange_internal.h"
#include "gateway/headers/baggage.h"
#include "gateway/identity/known_client.h"
#include "gateway/loop/config_use.h"
#include "protocols/http/http_rules.h"

/* ---- Running --------------------------------------------------------------------------------- */

/* Steps that result from an event of the caller run after the event has returned. Each attempt goes
   through its steps by itself; `pick` is the first one, and is of the latest attempt. */
bool attempt_run(Attempt *attempt, const Step *step)
{
    Exchange *x = attempt->exchange;
    if (x->delivering) {
        if (step != STEP_WAIT)
            x->next = step;
        return !x->next;
    }
    while (step != STEP_WAIT && step != STEP_GONE) {
        attempt = step == &STEP_pick ? x->latest : attempt;
        step = step->run(x, attempt);
    }
    return step == STEP_WAIT;
}

bool exchange_run(Exchange *x, const Step *step)
{
    return attempt_run(x->latest, step);
}

bool exchange_wants(const Exchange *x)
{
    return !x->next && x->kind->wants(x);
}

bool exchange_has_room(const Exchange *x)
{
    return x->kind->has_room(x);
}

bool exchange_send(Exchange *x, Message message)
{
    return exchange_run(x, x->kind->take(x, message));
}

/* Whether the next message must come by itself: usage reads each one, the log the first one. */
static bool next_is_seen(const Exchange *x)
{
    const Method *method = x->method; /* there is none of built-in services */
    const CallNotes *notes = x->record.notes;
    return method &&
           (method->fields || (method->extras->log_fields && !(notes && notes->has_fields)));
}

size_t exchange_run_size(const Exchange *x)
{
    return next_is_seen(x) ? 0 : x->latest->request_run_size;
}

bool exchange_send_run(Exchange *x, MessageRun run)
{
    Result r = exchange_forward_run(x, run);
    return !failed(r) || exchange_run(x, exchange_fail(x, r));
}

bool exchange_end(Exchange *x, const Message *last)
{
    return exchange_run(x, x->kind->end(x, last));
}

bool exchange_more(Exchange *x)
{
    if (!x->latest->held)
        return true;
    x->latest->held = false;
    return exchange_run(x, &STEP_connect);
}

bool exchange_room(Exchange *x)
{
    return exchange_run(x, x->kind->room(x));
}

bool exchange_is_unary(const Exchange *x)
{
    return x->method && !x->method->type->client_streaming && !x->method->type->server_streaming;
}

bool exchange_is_raw(const Exchange *x)
{
    return x->call.dialect == DIALECT_REST && x->call.reply_codec == CODEC_PROTO &&
           x->reply_binding && x->reply_binding->raw_answer;
}

/* ---- Back-pressure --------------------------------------------------------------------------- */

bool exchange_has_stream(const Exchange *x)
{
    return x->latest->side.stream != NULL;
}

bool exchange_instance_has_room(const Exchange *x)
{
    const HttpStream *stream = x->latest->side.stream;
    return stream && http_stream_queued(stream) <= x->config->limits.http.queue_high;
}

const Step *attempt_settle(Attempt *attempt)
{
    Side *side = &attempt->side;
    Caller *caller = attempt->exchange->caller;
    if (!side->owed || !side->stream || attempt->answer_job || !caller_has_room(caller) ||
        attempt_waits_for_memory(attempt))
        return STEP_WAIT;
    size_t owed = side->owed;
    side->owed = 0;
    http_stream_consume(side->stream, owed);
    return STEP_WAIT;
}

const Step *exchange_settle(Exchange *x)
{
    for (Attempt *attempt = x->latest; attempt; attempt = attempt->before)
        attempt_settle(attempt);
    return STEP_WAIT;
}

/* ---- Events of the caller -------------------------------------------------------------------- */

/* The event has returned. The outermost one runs the resulting step. */
static const Step *go_on(Exchange *x)
{
    const Step *next = x->next ? x->next : STEP_WAIT;
    if (--x->delivering == 0)
        x->next = NULL;
    return next;
}

static const Step *go_on_if(Exchange *x, Result r)
{
    const Step *next = go_on(x);
    if (next != STEP_WAIT)
        return next;
    if (failed(r))
        return exchange_fail(x, error_copy(x->arena, r));
    x->responding = true;
    return STEP_WAIT;
}

const Step *exchange_ask_for_more(Exchange *x)
{
    x->delivering++;
    if (x->caller->events->on_room)
        x->caller->events->on_room(x->caller);
    return go_on(x);
}

const Step *exchange_give_head(Exchange *x)
{
    x->delivering++;
    return go_on_if(x, x->caller->events->on_head ? x->caller->events->on_head(x->caller) : OK);
}

const Step *exchange_give_message(Exchange *x, Message message)
{
    x->delivering++;
    x->record.messages_out++;
    const Step *step = go_on_if(x, x->caller->events->on_message(x->caller, message));
    exchange_forget_message(x);
    return step;
}

const Step *exchange_give_run(Exchange *x, MessageRun run)
{
    x->delivering++;
    x->record.messages_out += run.n;
    return go_on_if(x, x->caller->events->on_run(x->caller, run));
}

static const Step *end_well(Exchange *x, const Step *step, const Fields *trailers)
{
    Status ok = {.code = CODE_OK};
    return step == STEP_WAIT ? exchange_give_end(x, &ok, trailers) : step;
}

const Step *exchange_give_response(Exchange *x, Message message, const Fields *trailers)
{
    x->delivering++;
    x->record.messages_out++;
    const Step *step = go_on_if(x, x->caller->events->on_response(x->caller, message, trailers));
    return end_well(x, step, trailers);
}

const Step *exchange_give_framed(Exchange *x, const Framed *framed)
{
    const CallerEvents *events = x->caller->events;
    if (!events->framing)
        return exchange_give_message(x, framed->message);
    x->delivering++;
    x->record.messages_out++;
    return go_on_if(x, events->on_framed(x->caller, framed));
}

const Step *exchange_give_framed_response(Exchange *x, const Framed *framed, const Fields *trailers)
{
    const CallerEvents *events = x->caller->events;
    if (!events->framing)
        return exchange_give_response(x, framed->message, trailers);
    x->delivering++;
    x->record.messages_out++;
    const Step *step = go_on_if(x, events->on_framed_response(x->caller, framed, trailers));
    return end_well(x, step, trailers);
}

const Step *exchange_give_piece(Exchange *x, Message piece)
{
    x->delivering++;
    x->record.messages_out += !piece.left;
    return go_on_if(x, x->caller->events->on_piece(x->caller, piece));
}

/* It was sent, and not refused before processing. */
bool exchange_may_have_effect(const Exchange *x)
{
    if (x->making)
        return x->making->maker->may_have_effect(x->making);
    bool repeatable = x->method ? x->method->safe_to_repeat : http_is_idempotent(x->call.verb);
    for (const Attempt *attempt = x->latest; attempt && !repeatable; attempt = attempt->before) {
        Result why = attempt->record.why;
        if (attempt->sent && !(failed(why) && why.error->fault == &FAULT_UPSTREAM_REFUSED))
            return true;
    }
    return false;
}

const Step *exchange_give_end(Exchange *x, const Status *status, const Fields *trailers)
{
    if (!x->record.legs.size)
        exchange_describe_making(x);
    x->record.status = *status;
    exchange_hide_details(x, &x->record.status);
    x->record.status.may_have_effect = exchange_may_have_effect(x) && !exchange_is_honoured(x);
    x->record.status.told_off = x->told_off;
    x->delivering++;
    x->caller->events->on_end(x->caller, &x->record.status, trailers);
    go_on(x); /* the result does not matter: this was the last event but one */
    return &STEP_finish;
}

/* ---- Beginning ------------------------------------------------------------------------------- */

enum { CALL_MEMORY = 4096 /* the first block of its arena, which no account counts */ };

Exchange *exchange_make(Loop *loop, Config *config, size_t memory, int64_t began)
{
    Arena *arena = arena_new(memory);
    Exchange *x = arena_make(arena, Exchange);
    CHECK(x); /* an arena's first block has room for it */
    x->arena = x->scratch = arena;
    x->memory = memory;
    memory_add(MEMORY_CALLS, CALL_MEMORY);
    x->loop = loop;
    x->config = config;
    x->response_bytes = x->config->limits.answer_bytes;
    x->first.exchange = x;
    x->latest = &x->first;
    x->losses = losses_in(arena, x->config);
    x->identity = &identity_anonymous;
    x->began = began;
    x->deadline = NO_TIMEOUT;
    x->record.began = clock_wall() - (loop->now - began);
    x->record.rule = x->record.served_why = "";
    loop->n_calls++;
    return x;
}

void exchange_identify(Exchange *x, const Identity *identity)
{
    if (identity->known)
        known_client_hold(identity->known);
    if (x->identity->known)
        known_client_release(x->identity->known);
    x->identity = identity;
}

const Fault *exchange_deadline_fault(const Exchange *x)
{
    if (exchange_is_ending(x))
        return &FAULT_IDEMPOTENCY_NOT_KEPT;
    if (exchange_asks_for_key(x))
        return &FAULT_IDEMPOTENCY_STORE_DOWN;
    const Attempt *attempt = x->chosen ? x->chosen : x->latest;
    bool gave_time = x->deadline > x->began;
    if (x->asks && gave_time)
        return &FAULT_DEADLINE_EXCEEDED;
    if (x->by_proof && !exchange_is_unary(x))
        return &FAULT_CREDENTIALS_EXPIRED;
    if (!exchange_is_unary(x) || !x->has_message || !gave_time)
        return &FAULT_CLIENT_DEADLINE;
    bool works = attempt->request_job || attempt->answer_job || exchange_is_printing(x);
    return works ? &FAULT_GATEWAY_DEADLINE : &FAULT_DEADLINE_EXCEEDED;
}

/* What the call was waiting for, if the instance is not at fault alone. */
static Result what_it_waited_for(Exchange *x)
{
    const Attempt *attempt = x->latest;
    Result r = OK;
    if (x->joining && x->joining->waited)
        r = FAIL(x->arena, FAULT_DEADLINE_EXCEEDED, "%lld ms of it waiting for an equal call",
                 (long long)(x->joining->waited / MILLISECOND));
    if (x->asks)
        return FAIL(x->arena, FAULT_POLICY_UNAVAILABLE, "waiting for a policy server");
    if (attempt->queued)
        return FAIL_OVER(x->arena, r, FAULT_SERVICE_FULL, "waiting for another call to end");
    if (!attempt->pick.instance || attempt->sent || attempt->request_job)
        return r;
    return FAIL_OVER(x->arena, r, FAULT_DEADLINE_EXCEEDED, "waiting for a connection to %s",
                     attempt->pick.instance->address.text);
}

/* An instance to which there is no connection by now has let the call wait, and is named. Where
   others have its connections, the call has asked nobody. */
static void name_silent_instances(Exchange *x)
{
    for (Attempt *attempt = x->latest; attempt; attempt = attempt->before) {
        if (attempt->waiting && !upstream_is_connected(attempt->pick.upstream))
            attempt->record.instance = attempt->pick.instance;
    }
}

/* Legs and steps have routes of their own. */
static const char *route_timeout_of(const CallRecord *record)
{
    return record->leg       ? "the leg's timeout"
           : record->step_of ? "the step's timeout"
                             : "the route's timeout";
}

/* Who has set it: see start_deadline. */
static const char *deadline_by(const Exchange *x)
{
    if (exchange_is_unary(x) && x->route->timeout < x->call.timeout)
        return route_timeout_of(&x->record);
    if (x->call.timeout == NO_TIMEOUT)
        return "limits.call_time";
    if (x->by_proof)
        return "the credentials'";
    if (!x->record.leg && !x->record.listener)
        return "the gateway's own"; /* it asks a policy server, or for a schema */
    return x->record.leg ? "the composed call's" : "the client's";
}

void exchange_on_deadline(Timer *timer)
{
    Exchange *x = (Exchange *)((char *)timer - offsetof(Exchange, deadline_timer));
    name_silent_instances(x);
    if (x->joining) /* another call may have more time */
        join_leave(x->joining);
    long long given = (x->deadline - x->began) / MILLISECOND;
    Result r = error_new(x->arena, exchange_deadline_fault(x), what_it_waited_for(x), "", __FILE__,
                         __LINE__, "no response within %lld ms (%s)", given, deadline_by(x));
    exchange_run(x, exchange_fail(x, r));
}

/* The deadline counts from the first byte of the request and covers all attempts. */
static void start_deadline(Exchange *x)
{
    int64_t timeout = x->call.timeout;
    if (exchange_is_unary(x)) {
        if (x->route->timeout < timeout)
            timeout = x->route->timeout;
        if (timeout == NO_TIMEOUT && x->config->limits.call_time)
            timeout = x->config->limits.call_time;
    }
    if (timeout >= INT64_MAX - x->began)
        return;
    x->deadline = x->began + timeout;
    x->deadline_timer.fire = exchange_on_deadline;
    bool asks_older = x->route && x->route->has_older;
    timer_start(&x->loop->timers, &x->deadline_timer,
                asks_older ? exchange_plan_older(x) : x->deadline);
}

const Step *exchange_begin(Exchange *x, const ExchangeKind *kind)
{
    x->kind = kind;
    if (kind->streams)
        x->scratch = NULL;
    if (kind != &KIND_OPAQUE)
        start_deadline(x);
    if (x->route && x->route->stale_for)
        exchange_plan_keeping(x);
    return kind->first;
}

const Step *exchange_hold(Exchange *x)
{
    x->kind = &KIND_HELD;
    x->used_up = UINT8_MAX; /* of its fallbacks */
    if (x->call.dialect != DIALECT_HTTP)
        start_deadline(x);
    if (x->deadline != NO_TIMEOUT) {
        x->deadline_timer.fire = exchange_on_deadline;
        timer_start(&x->loop->timers, &x->deadline_timer, x->deadline);
    }
    return STEP_WAIT;
}

/* Where the first step is not one that asks for the request, its caller is told here to go on. */
const Step *exchange_release(Exchange *x, const Step *begun)
{
    x->used_up = 0;
    return begun == STEP_WAIT ? exchange_ask_for_more(x) : begun;
}

/* ---- Calls of the gateway's own -------------------------------------------------------------- */

static const Route no_route = {
    .match = "", .timeout = NO_TIMEOUT, .attempts = 1, .compress_answers = COMPRESS_NEVER};

/* A method of a single instance, without version and route. */
static const Method *bare_method(Arena *arena, const MethodType *type)
{
    Method *method = arena_make(arena, Method);
    CHECK(method); /* the arena is new */
    method->type = type;
    method->route = &no_route;
    method->extras = &method_no_extras;
    method->safe = method->safe_to_repeat = type->no_side_effects;
    return method;
}

/* The names of its client, for the log. They outlive it. */
static void take_names(CallRecord *record, const CallRecord *of)
{
    record->request_id = of->request_id;
    record->peer = of->peer;
    record->listener = of->listener;
    record->address = of->address;
    record->forwarded_for = of->forwarded_for;
    record->client = of->client;
    record->identity = of->identity;
    record->claimed = of->claimed;
}

static void copy_field(Exchange *x, const Exchange *of, const char *name)
{
    Bytes value = of->call.head && !fields_get(&x->call.metadata, name).data
                      ? fields_get(of->call.head, name)
                      : BYTES_NONE;
    if (value.data)
        fields_add(&x->call.metadata, bytes_of(name), value);
}

/* What says which arm of a rollout its client is in. */
static void take_cohort(Exchange *x, const Exchange *of)
{
    const RolloutDefinition *rollout = x->method->version->service->rollout;
    copy_field(x, of, BAGGAGE_FIELD);
    if (rollout && rollout->cohort.header)
        copy_field(x, of, rollout->cohort.header);
}

/* It is a call of the same client as the one that it is a leg of. */
static void become_leg(Exchange *x, const CallOrder *order)
{
    if (x->config->n_rollouts)
        take_cohort(x, order->of);
    const Exchange *of = order->of;
    take_names(&x->record, &of->record);
    x->record.leg = order->leg->name;
    exchange_identify(x, of->identity);
    x->client = of->client;
    x->n_elsewhere = of->n_elsewhere;
    x->route = x->record.route = order->leg->route;
    x->urgent = exchange_is_urgent(of);
    exchange_charge(x, of->account, false);
}

/* Within the span of what it is made for; a span of its own if that is recorded. */
static void join_trace(Exchange *x, const TraceContext *outer)
{
    TraceContext *own = NULL;
    if (outer && outer->recorded)
        own = trace_context_within(outer, &x->loop->random, x->arena);
    if (own)
        trace_context_write(own, &x->call.metadata);
    x->record.trace = own ? own : outer;
}

Exchange *exchange_new(Loop *loop, Caller *caller, const CallOrder *order)
{
    Config *whose = order->of ? order->of->config : order->config;
    Config *config = whose ? config_use_again(loop, whose) : config_use(loop);
    size_t memory = order->memory ? order->memory : config->limits.call_memory;
    Exchange *x = exchange_make(loop, config, memory, loop->now);
    exchange_charge(x, NULL, false);
    if (order->response_bytes)
        x->response_bytes = order->response_bytes;
    x->caller = caller;
    x->only = order->instance;
    x->method = order->method ? order->method : bare_method(x->arena, order->type);
    x->route = x->record.route = order->route ? order->route : x->method->route;
    x->record.step_of = order->step_of;
    x->record.client = order->client;
    x->record.request_id = order->request_id;
    x->version.client = x->version.reply = x->method->version;
    x->record.client_version = x->record.reply_version = x->method->version;
    if (order->method)
        x->record.method = order->method;
    x->call = (Call){
        .dialect = DIALECT_GRPC,
        .codec = order->codec,
        .reply_codec = order->codec,
        .timeout = order->timeout,
        .verb = bytes_of("POST"),
        .path = bytes_of(x->method->type->path),
        .metadata = fields_in(x->arena),
    };
    for (uint32_t i = 0; order->metadata && i < order->metadata->n; i++)
        fields_add(&x->call.metadata, order->metadata->items[i].name,
                   order->metadata->items[i].value);
    x->call.head = &x->call.metadata;
    x->kind = exchange_kind_of(x->method);
    if (order->of)
        become_leg(x, order);
    join_trace(x, order->of ? order->of->record.trace : order->trace);
    return x;
}

bool exchange_go(Exchange *x)
{
    return exchange_run(x, exchange_begin(x, x->kind));
}

const Fields *exchange_metadata(const Exchange *x)
{
    static const Fields none;
    return x->chosen && x->chosen->has_answer ? &x->chosen->answer.metadata : &none;
}

/* ---- Failing --------------------------------------------------------------------------------- */

/* NULL: of none, as where a single instance is asked. */
static const Service *service_of(const Exchange *x)
{
    if (x->method && x->method->version)
        return x->method->version->service;
    return x->route ? x->route->service : NULL;
}

/* Where a single instance is asked, as by checks, nobody's calls are healed. */
void exchange_heal(const Exchange *x, HealingAct act)
{
    const Service *service = service_of(x);
    if (service)
        healing_count(x->loop, act, service);
}

bool exchange_may_heal(const Exchange *x, HealingAct act)
{
    const Service *service = service_of(x);
    return healing_may(act, service ? service->name : NULL);
}

PolicyQuestion exchange_question(const Exchange *x, const Attempt *attempt)
{
    PolicyQuestion q = policy_question(x->route, x->method, x->call.verb, x->bodiless);
    if (!x->kind) /* which knows how to give a fallback's response */
        q.n_fallbacks = 0;
    q.other = exchange_has_other(attempt);
    q.sent = attempt->sent;
    q.answered = attempt->has_answer;
    q.broken = attempt->broken;
    q.responding = x->responding;
    q.fallen_back = exchange_is_served_by_none(x);
    q.used_up = x->used_up;
    q.picked = attempt->pick.instance != NULL;
    q.older = attempt->older;
    q.attempts = exchange_n_attempts(x);
    q.refusals = x->n_refused;
    q.budget_spent =
        pick_budget_is_spent(x->loop, &attempt->pick) || !exchange_may_heal(x, HEALING_RETRY);
    q.advice = x->told_off ? ADVICE_STOP : ADVICE_NONE;
    q.backoffs = x->n_backoffs;
    q.repeatable |= exchange_is_honoured(x);
    q.random = random_next(&x->loop->random);
    if (x->deadline != NO_TIMEOUT)
        q.time_left = x->deadline - x->loop->now;
    return q;
}

/* The service's own error, with its details in the client's version. */
const Step *exchange_respond(Attempt *attempt, Result why)
{
    Exchange *x = attempt->exchange;
    Status given = attempt->answer.status;
    const Method *method = x->record.method; /* NULL: a call of the gateway's own */
    uint16_t http_status =
        method ? service_http_status(method->version->service, given.service_code) : 0;
    given.http_status = http_status ? http_status : given.http_status;
    x->record.why = why;
    x->record.degraded = NULL;
    exchange_choose(attempt);
    attempt_convert_details(attempt, &given);
    if (x->keyed && exchange_keeps_error_for_key(attempt, &given))
        return STEP_WAIT;
    return exchange_give_end(x, &given, &attempt->answer.trailers);
}

/* The caller gets the original error; the log has both. */
static Result fallback_failed(Exchange *x, Result why)
{
    return FAIL_OVER(x->arena, x->record.why, *x->record.why.error->fault,
                     "the response by %s cannot be sent: %s", fallback_name(x->record.degraded_by),
                     why.error->doing);
}

/* What failed first, where nothing could stand in for it. */
static Result what_to_tell(Exchange *x, Result why)
{
    if (exchange_is_served_by_none(x))
        return fallback_failed(x, why);
    return failed(x->record.why) && !x->responding ? x->record.why : why;
}

/* How many others were refused since the last record is for the log: the client gets the rest. */
static Result without_others(Exchange *x, Result why)
{
    const Error *cause = why.error->cause;
    bool counts = why.error->fault == &FAULT_RATE_LIMITED || why.error->fault == &FAULT_SHED;
    Error *alone = counts && cause && cause->fault == why.error->fault
                       ? arena_alloc(x->arena, sizeof *alone)
                       : NULL;
    if (!alone)
        return why;
    *alone = *why.error;
    alone->cause = NULL;
    return (Result){alone};
}

static const Step *tell(Exchange *x, Result why)
{
    x->record.why = what_to_tell(x, why);
    x->record.degraded = NULL;
    x->own_response = true;
    const Status *said = x->record.said;
    Status status = said ? *said : status_of_error(x->arena, without_others(x, x->record.why));
    if (x->keyed && exchange_ends_key(x, &status))
        return STEP_WAIT;
    return exchange_give_end(x, &status, NULL);
}

/* The latest attempt that ended with an error of the service, but for another version's; NULL:
   none. */
static Attempt *last_answered(const Exchange *x)
{
    Attempt *attempt = x->latest;
    while (attempt && (attempt->older || !attempt->has_error))
        attempt = attempt->before;
    return attempt;
}

/* The first fallback that gives a response; NULL: none does. Each is tried once. */
static const Step *fall_back(Exchange *x, PolicyQuestion *question, PolicyVerdict *verdict,
                             Code code, Result why)
{
    const Step *step = NULL;
    while (!step && verdict->action == POLICY_FALL_BACK) {
        exchange_drop_attempts(x, code, why);
        step = exchange_fall_back(x, verdict->fallback, why);
        question->used_up = x->used_up;
        *verdict = step ? *verdict : policy_decide(question);
        x->record.retry_refused = verdict->refusal ? verdict->refusal : x->record.retry_refused;
    }
    return step;
}

static const Step *decide_on_status(Attempt *attempt, Result why, bool attempted);

/* An error of the service stays as it is: a field of the response says it. */
static Result say_refusal(Exchange *x, const PolicyQuestion *question, const PolicyVerdict *verdict,
                          Result why)
{
    x->record.retry_refused = verdict->refusal;
    if (question->event == POLICY_STATUS || verdict->refusal == RETRY_REFUSED_ATTEMPTS)
        return why;
    return error_new(x->arena, why.error->fault, why, "", __FILE__, __LINE__, "not retried: %s",
                     verdict->why);
}

static const Step *wait_for_other(Exchange *x, const PolicyVerdict *verdict)
{
    if (verdict->hurry)
        exchange_hedge_again(x, verdict->wait);
    return STEP_WAIT;
}

/* Whether the instance has said, or shown by breaking off, that it cannot do the call. */
static bool blames_instance(const Attempt *attempt, const PolicyQuestion *question, Result why)
{
    bool is_told = question->event == POLICY_STATUS ? !code_is_callers(question->code)
                                                    : attempt->has_answer || attempt->broken;
    return question->attempted && attempt->sent && !attempt->record.ended && is_told &&
           why.error->fault->side == SIDE_UPSTREAM;
}

/* A request that passed unread, and is not a message of its type, is its client's mistake. */
static Result look_at_request(Attempt *attempt, PolicyQuestion *question, Result why)
{
    Result r = blames_instance(attempt, question, why) ? attempt_blame_request(attempt) : OK;
    if (!failed(r))
        return why;
    question->event = POLICY_FAULT;
    question->fault = r.error->fault;
    question->attempted = attempt->has_error = false;
    return r;
}

/* The call has failed, or this attempt of it: policy decides what to do. */
static const Step *decide(Exchange *x, Attempt *attempt, PolicyQuestion *question, Result why)
{
    why = look_at_request(attempt, question, why);
    bool by_service = question->event == POLICY_STATUS;
    Code code = by_service ? question->code : (Code)question->fault->grpc_status;
    PolicyVerdict verdict = policy_decide(question);
    if (verdict.refusal)
        why = say_refusal(x, question, &verdict, why);
    attempt_end(attempt, code, why);
    if (verdict.action != POLICY_RESPOND || attempt->older)
        attempt_drop(attempt);
    /* An error of the service is more useful than the loss of a later attempt. */
    bool is_loss = !x->responding && (attempt->older || (question->attempted && !by_service));
    Attempt *answered = is_loss ? last_answered(x) : NULL;
    switch (verdict.action) {
    case POLICY_WAIT: return wait_for_other(x, &verdict);
    case POLICY_RETRY: return exchange_retry(attempt, &verdict);
    case POLICY_RESPOND:
    case POLICY_FALL_BACK:
    case POLICY_FAIL: break;
    }
    if (answered)
        return decide_on_status(answered, answered->record.why, false);
    exchange_disperse(x);
    const Step *step = fall_back(x, question, &verdict, code, why);
    if (step)
        return step;
    if (verdict.action == POLICY_RESPOND && !attempt->older)
        return exchange_respond(attempt, why);
    exchange_drop_attempts(x, code, why);
    return tell(x, why);
}

static const Step *decide_on_status(Attempt *attempt, Result why, bool attempted)
{
    PolicyQuestion question = exchange_question(attempt->exchange, attempt);
    question.event = POLICY_STATUS;
    question.code = attempt->answer.status.code;
    question.attempted = attempted;
    if (attempted)
        exchange_take_advice(attempt, &question);
    return decide(attempt->exchange, attempt, &question, why);
}

/* What the memory budget refused gets its own name. */
static PolicyQuestion question_of_fault(Attempt *attempt, Result *why)
{
    Exchange *x = attempt->exchange;
    PolicyQuestion question = exchange_question(x, attempt);
    *why = exchange_name_refusal(x, x->scratch, *why);
    question.event = POLICY_FAULT;
    question.fault = why->error->fault;
    if (question.fault == &FAULT_UPSTREAM_REFUSED && attempt->record.asked &&
        !attempt->record.ended) {
        question.attempts -= question.refusals == 0;
        question.refusals++;
    }
    return question;
}

const Step *attempt_unusable(Attempt *attempt, Result why)
{
    PolicyQuestion question = question_of_fault(attempt, &why);
    return decide(attempt->exchange, attempt, &question, why);
}

const Step *attempt_failed(Attempt *attempt, Result why)
{
    PolicyQuestion question = question_of_fault(attempt, &why);
    question.attempted = true;
    return decide(attempt->exchange, attempt, &question, why);
}

/* "; its body is: database away": what the error says in no form that has a place for it. */
static Bytes foreign_text(const Attempt *attempt)
{
    Bytes body = bytes_cut_text(attempt->answer.foreign, FOREIGN_SHOWN);
    Buffer text = buffer_in(attempt->exchange->arena);
    if (!body.size)
        return BYTES_NONE;
    buffer_add_text(&text, "; its body is: ");
    utf8_add_repaired(&text, body);
    return buffer_bytes(&text);
}

/* An error that breaks the rules of its protocol is told by the gateway's own fault, whose chain
   has what was wrong. */
const Step *attempt_failed_by_service(Attempt *attempt)
{
    const Status *status = &attempt->answer.status;
    const Error *broken = status->error;
    const Fault *fault = broken ? broken->fault : &FAULT_UPSTREAM_STATUS;
    Bytes message = broken ? BYTES_NONE : bytes_cut_text(status->message, 500);
    Bytes foreign = foreign_text(attempt);
    Result why =
        FAIL_OVER(attempt->exchange->arena, (Result){broken}, *fault, "%s returned %s%s%.*s%.*s",
                  attempt->pick.instance->address.text, code_name(status->code), broken ? "" : ": ",
                  BYTES_ARGS(message), BYTES_ARGS(foreign));
    attempt->has_error = true;
    exchange_keep_no_more(attempt);
    return decide_on_status(attempt, why, true);
}

/* Ends all attempts. */
const Step *exchange_fail(Exchange *x, Result why)
{
    exchange_disperse(x);
    Attempt *attempt = exchange_main_attempt(x);
    PolicyQuestion question = question_of_fault(attempt, &why);
    question.other = false;
    return decide(x, attempt, &question, why);
}

const Step *exchange_nobody_left(Exchange *x, Result why)
{
    if (!x->latest->before)
        return exchange_fail(x, why);
    gate_leave(x->loop, &x->latest->pass, OUTCOME_UNKNOWN, 0);
    x->latest = x->latest->before;
    for (const Attempt *attempt = x->latest; attempt; attempt = attempt->before) {
        if (attempt_is_live(attempt))
            return STEP_WAIT;
    }
    Attempt *answered = last_answered(x);
    if (answered)
        return decide_on_status(answered, answered->record.why, false);
    Result last = x->latest->record.why;
    return exchange_fail(
        x, FAIL_OVER(x->arena, last, *last.error->fault, "no other instance is left"));
}

/* ---- Ending ---------------------------------------------------------------------------------- */

/* Lists the attempts that involved an instance, in order. */
static void record_attempts(Exchange *x)
{
    CallRecord *record = &x->record;
    const Attempt *told = exchange_told_attempt(x);
    Result why = record->status.code == CODE_OK ? OK : record->why;
    for (Attempt *attempt = x->latest; attempt; attempt = attempt->before) {
        attempt_end(attempt, record->status.code, why);
        if (!attempt_counts(attempt))
            continue;
        if (!record->attempts || attempt == told)
            record->instance = attempt->record.instance;
        attempt->record.next = record->attempts;
        record->attempts = &attempt->record;
    }
}

/* Fills in the fields of the record that describe one attempt. */
static void record_main_attempt(Exchange *x)
{
    const Attempt *attempt = exchange_told_attempt(x);
    if (attempt->record.headed)
        x->record.time_upstream_head = attempt->record.headed - x->began;
    bool is_picked = attempt->pick.instance || attempt->pick.served;
    if (!x->method || !is_picked || exchange_is_served_by_none(x))
        return;
    x->record.served_version = attempt->pick.served;
    x->record.served_why = attempt->pick.why;
}

/* The caller's last event. */
static void give_record(Exchange *x)
{
    Caller *caller = x->caller;
    exchange_drop_making(x);
    x->record.time_total = clock_now() - x->began;
    x->record.dialect = x->call.dialect;
    x->record.codec = x->call.codec;
    x->record.verb = x->call.verb;
    x->record.path = x->call.path;
    x->record.lost = buffer_bytes(&x->losses.names);
    x->record.n_losses = x->losses.n;
    record_main_attempt(x);
    record_attempts(x);
    if (x->cohort)
        exchange_count_arm(x);
    exchange_charge(x, NULL, false); /* the account may go with the caller */
    caller->events->on_record(caller, &x->record);
    x->caller = NULL;
}

static void note_failure(Exchange *x, Result why)
{
    x->record.why = error_copy(x->arena, why);
    x->record.status = status_of_error(x->arena, x->record.why);
    if (!x->record.http_status) /* nothing of a response was sent */
        x->record.http_status = why.error->fault->http_status;
}

void exchange_cancel(Exchange *x, Result why)
{
    if (failed(why))
        note_failure(x, why);
    else
        x->record.status = (Status){.code = CODE_OK};
    if (x->keyed)
        exchange_leave_key(x);
    give_record(x);
    exchange_run(x, &STEP_finish);
}

/* A running job reads the instance of its attempt, which stays until its pick is released. */
void exchange_free(Exchange *x)
{
    for (Attempt *each = x->latest; each; each = each->before) {
        pick_release(x->loop, &each->pick);
        arena_free(each->answer_in);
    }
    memory_add(MEMORY_CALLS, -CALL_MEMORY);
    exchange_identify(x, &identity_anonymous);
    config_release(x->loop, x->config);
    if (x->scratch != x->arena)
        arena_free(x->scratch);
    arena_free(x->last);
    arena_free(x->arena); /* x with it */
}

static const Step *exchange_finish(Exchange *x, Attempt *attempt)
{
    Loop *loop = x->loop;
    timer_stop(&loop->timers, &x->deadline_timer);
    exchange_stop_hedge(x);
    exchange_stop_retry(x);
    if (x->cohort)
        cohort_unfollow(&x->cohort->stream);
    if (x->joining)
        join_leave(x->joining);
    exchange_learn_end(x);
    if (x->method && x->method->extras->shadow)
        exchange_offer_copy(x);
    if (x->keyed)
        exchange_leave_key(x);
    for (Attempt *each = x->latest; each; each = each->before)
        attempt_drop(each);
    if (x->kind && x->kind->release)
        x->kind->release(x);
    if (x->caller)
        give_record(x);
    loop->n_calls--;
    x->over = true;
    if (x->n_jobs == 0)
        exchange_free(x);
    return STEP_GONE;
}

const Step STEP_finish = {"finish", exchange_finish};
