#include "gateway/call/exchange.h"

#include "gateway/call/exchange_internal.h"
#include "gateway/loop/config_use.h"
#include "protocols/http/http_rules.h"

/* ---- Running --------------------------------------------------------------------------------- */

/* What an event of the caller leads to comes when the event has returned. */
bool exchange_run(Exchange *x, const Step *step)
{
    if (x->delivering) {
        if (step != STEP_WAIT)
            x->next = step;
        return !x->next;
    }
    while (step != STEP_WAIT && step != STEP_GONE)
        step = step->run(x);
    return step == STEP_WAIT;
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

bool exchange_takes_runs(const Exchange *x)
{
    return x->attempt->request_runs;
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
    if (!x->attempt->held)
        return true;
    x->attempt->held = false;
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
    return x->call.dialect == DIALECT_REST && x->call.reply_codec == CODEC_PROTO;
}

Arena *exchange_scratch(Exchange *x)
{
    if (!x->scratch)
        x->scratch = arena_new(x->memory);
    return x->scratch;
}

void exchange_forget_message(Exchange *x)
{
    if (x->scratch && x->scratch != x->arena)
        arena_reset(x->scratch);
}

void exchange_forget_messages(Exchange *x)
{
    if (x->scratch == x->arena)
        return;
    arena_free(x->scratch);
    x->scratch = NULL;
}

Arena *exchange_last_arena(Exchange *x)
{
    if (!x->last)
        x->last = arena_new(ARENA_UNLIMITED);
    return x->last;
}

bool exchange_has_stream(const Exchange *x)
{
    return x->attempt->side.stream != NULL;
}

bool exchange_instance_has_room(const Exchange *x)
{
    const HttpStream *stream = x->attempt->side.stream;
    return stream && http_stream_queued(stream) <= x->config->limits.http.queue_high;
}

const Step *exchange_settle(Exchange *x)
{
    Side *side = &x->attempt->side;
    if (side->owed && side->stream && x->caller->events->has_room(x->caller)) {
        size_t owed = side->owed;
        side->owed = 0;
        http_stream_consume(side->stream, owed);
    }
    return STEP_WAIT;
}

/* ---- Events of the caller -------------------------------------------------------------------- */

/* The event has returned. What it has led to is left to the outermost one. */
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
    x->caller->events->on_room(x->caller);
    return go_on(x);
}

const Step *exchange_give_head(Exchange *x)
{
    x->delivering++;
    return go_on_if(x, x->caller->events->on_head(x->caller));
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

const Step *exchange_give_response(Exchange *x, Message message, const Fields *trailers)
{
    x->delivering++;
    x->record.messages_out++;
    const Step *step = go_on_if(x, x->caller->events->on_response(x->caller, message, trailers));
    Status ok = {.code = CODE_OK};
    return step == STEP_WAIT ? exchange_give_end(x, &ok, trailers) : step;
}

const Step *exchange_give_piece(Exchange *x, Message piece)
{
    x->delivering++;
    x->record.messages_out += !piece.left;
    return go_on_if(x, x->caller->events->on_piece(x->caller, piece));
}

/* A service may have executed what it was sent, unless it refused that untouched. */
static bool may_have_effect(const Exchange *x)
{
    bool repeatable = x->method ? x->method->safe_to_repeat : http_is_idempotent(x->call.verb);
    for (const Attempt *attempt = x->attempt; attempt && !repeatable; attempt = attempt->before) {
        Result why = attempt->record.why;
        if (attempt->sent && !(failed(why) && why.error->fault == &FAULT_UPSTREAM_REFUSED))
            return true;
    }
    return false;
}

const Step *exchange_give_end(Exchange *x, const Status *status, const Fields *trailers)
{
    x->record.status = *status;
    x->record.status.may_have_effect = may_have_effect(x);
    x->delivering++;
    x->caller->events->on_end(x->caller, &x->record.status, trailers);
    go_on(x); /* whatever the caller made of it, this was the end */
    return &STEP_finish;
}

/* ---- Beginning ------------------------------------------------------------------------------- */

Exchange *exchange_make(Loop *loop, size_t memory, int64_t began)
{
    Arena *arena = arena_new(memory);
    Exchange *x = arena_make(arena, Exchange);
    CHECK(x); /* an arena's first block has room for it */
    x->arena = x->scratch = arena;
    x->memory = memory;
    x->loop = loop;
    x->config = config_use(loop);
    x->response_bytes = x->config->limits.answer_bytes;
    x->first.exchange = x;
    x->attempt = &x->first;
    x->lost = buffer_in(arena);
    x->began = began;
    x->deadline = NO_TIMEOUT;
    x->record.began = clock_wall() - (loop->now - began);
    x->record.rule = x->record.served_why = "";
    loop->n_calls++;
    return x;
}

static void on_deadline(Timer *timer)
{
    Exchange *x = (Exchange *)((char *)timer - offsetof(Exchange, deadline_timer));
    long long given = (x->deadline - x->began) / MILLISECOND;
    exchange_run(x, exchange_fail(x, FAIL_TELL(x->arena, FAULT_DEADLINE_EXCEEDED,
                                               "no response within %lld ms", given)));
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
    x->deadline_timer.fire = on_deadline;
    timer_start(&x->loop->timers, &x->deadline_timer, x->deadline);
}

const Step *exchange_begin(Exchange *x, const ExchangeKind *kind)
{
    x->kind = kind;
    if (kind->streams)
        x->scratch = NULL;
    if (kind != &KIND_OPAQUE)
        start_deadline(x);
    return kind->first;
}

/* ---- Calls of the gateway's own -------------------------------------------------------------- */

static const Route no_route = {
    .match = "", .timeout = NO_TIMEOUT, .attempts = 1, .compress_answers = COMPRESS_NEVER};

/* What an instance is asked as it is, without a version. */
static const Method *bare_method(Arena *arena, const MethodType *type)
{
    Method *method = arena_make(arena, Method);
    CHECK(method); /* the arena is new */
    method->type = type;
    method->route = &no_route;
    return method;
}

Exchange *exchange_new(Loop *loop, Caller *caller, const CallOrder *order)
{
    size_t memory = order->memory ? order->memory : loop->config->limits.call_memory;
    Exchange *x = exchange_make(loop, memory, loop->now);
    if (order->response_bytes)
        x->response_bytes = order->response_bytes;
    x->caller = caller;
    x->only = order->instance;
    x->method = order->method ? order->method : bare_method(x->arena, order->type);
    x->route = x->record.route = x->method->route;
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
    x->kind = exchange_kind_of(x->method->type);
    return x;
}

bool exchange_go(Exchange *x)
{
    return exchange_run(x, exchange_begin(x, x->kind));
}

const Fields *exchange_metadata(const Exchange *x)
{
    static const Fields none;
    return x->attempt->has_answer ? &x->attempt->answer.metadata : &none;
}

/* ---- Failing --------------------------------------------------------------------------------- */

static PolicyQuestion question_of(const Exchange *x, bool attempted)
{
    PolicyQuestion q = policy_question(x->route, x->method, x->call.verb, x->bodiless);
    q.attempted = attempted;
    q.sent = x->attempt->sent;
    q.answered = x->attempt->has_answer;
    q.responding = x->responding;
    q.fallen_back = x->record.degraded != NULL;
    q.attempts = x->record.n_attempts;
    if (x->deadline != NO_TIMEOUT)
        q.time_left = x->deadline - x->loop->now;
    return q;
}

static const Step *try_again(Exchange *x, PolicyWhere where)
{
    const PickTried *tried = where == POLICY_ALL ? NULL : &x->attempt->tried;
    attempt_drop(x->attempt);
    if (!attempt_add(x, tried))
        return exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY, "starting another attempt"));
    x->attempt->may_return = where == POLICY_OTHERS_FIRST;
    telemetry_count(x->loop, COUNTER_RETRIES);
    return &STEP_pick;
}

/* The route's default in the caller's own version, marked as what it is. */
static const Step *fall_back(Exchange *x, Result why)
{
    attempt_drop(x->attempt);
    x->attempt->has_answer = false;
    x->attempt->side.reader.keep_compressed = false;
    x->record.why = why;
    x->record.degraded = why.error->fault->name;
    x->version.reply = x->record.reply_version = x->version.client;
    Bytes message = x->method->default_reply[x->call.reply_codec];
    if (x->binding && x->binding->default_body.data)
        message = x->binding->default_body;
    return x->kind->reply_default(x, message);
}

/* The service's own error, with its details in the client's version. */
static const Step *respond(Exchange *x, Result why)
{
    Status given = x->attempt->answer.status;
    const Method *method = x->record.method; /* NULL: a call of the gateway's own */
    uint16_t http_status =
        method ? service_http_status(method->version->service, given.service_code) : 0;
    given.http_status = http_status ? http_status : given.http_status;
    x->record.why = why;
    exchange_convert_details(x, &given);
    return exchange_give_end(x, &given, &x->attempt->answer.trailers);
}

/* What the default was to stand in for is what the caller hears; the log has both. */
static Result default_failed(Exchange *x, Result why)
{
    return FAIL_OVER(x->arena, x->record.why, *x->record.why.error->fault,
                     "the default response of the route cannot be sent: %s", why.error->doing);
}

static const Step *tell(Exchange *x, Result why)
{
    attempt_drop(x->attempt);
    x->record.why = x->record.degraded ? default_failed(x, why) : why;
    x->record.degraded = NULL;
    Status status = status_of_error(x->arena, x->record.why);
    return exchange_give_end(x, &status, NULL);
}

/* The attempt has ended so; what becomes of the call is the policy's to say. */
static const Step *decide(Exchange *x, const PolicyQuestion *question, Result why)
{
    bool by_service = question->event == POLICY_STATUS;
    attempt_end(x->attempt, by_service ? question->code : (Code)question->fault->grpc_status, why);
    PolicyVerdict verdict = policy_decide(question);
    switch (verdict.action) {
    case POLICY_RETRY: return try_again(x, verdict.where);
    case POLICY_FALL_BACK: return fall_back(x, why);
    case POLICY_RESPOND: return respond(x, why);
    case POLICY_FAIL: break;
    }
    return tell(x, why);
}

static const Step *decide_on_fault(Exchange *x, Result why, bool attempted)
{
    PolicyQuestion question = question_of(x, attempted);
    question.event = POLICY_FAULT;
    question.fault = why.error->fault;
    return decide(x, &question, why);
}

const Step *exchange_fail(Exchange *x, Result why)
{
    return decide_on_fault(x, why, false);
}

const Step *exchange_attempt_failed(Exchange *x, Result why)
{
    return decide_on_fault(x, why, true);
}

static const Step *decide_on_status(Exchange *x, Result why, bool attempted)
{
    PolicyQuestion question = question_of(x, attempted);
    question.event = POLICY_STATUS;
    question.code = x->attempt->answer.status.code;
    return decide(x, &question, why);
}

const Step *exchange_fail_status(Exchange *x)
{
    const Status *status = &x->attempt->answer.status;
    Result why = FAIL(x->arena, FAULT_UPSTREAM_STATUS, "%s returned %s: %.*s",
                      x->attempt->pick.instance->address.text, code_name(status->code),
                      BYTES_ARGS(bytes_slice(status->message, 0, 500)));
    return decide_on_status(x, why, true);
}

const Step *exchange_nobody_left(Exchange *x, Result why)
{
    if (!x->attempt->before)
        return exchange_fail(x, why);
    x->attempt = x->attempt->before;
    Result last = x->attempt->record.why;
    if (last.error->fault == &FAULT_UPSTREAM_STATUS)
        return decide_on_status(x, last, false);
    return exchange_fail(x, FAIL_OVER(x->arena, last, *last.error->fault,
                                      "after %u attempts no other instance is left",
                                      x->record.n_attempts));
}

/* ---- Ending ---------------------------------------------------------------------------------- */

/* Those that an instance had to do with, in their order. */
static void record_attempts(Exchange *x)
{
    attempt_end(x->attempt, x->record.status.code, x->record.why);
    for (Attempt *attempt = x->attempt; attempt; attempt = attempt->before) {
        if (!attempt_counts(attempt))
            continue;
        if (!x->record.attempts)
            x->record.instance = attempt->record.instance;
        attempt->record.next = x->record.attempts;
        x->record.attempts = &attempt->record;
    }
}

/* The caller's last event. */
static void give_record(Exchange *x)
{
    Caller *caller = x->caller;
    x->record.time_total = clock_now() - x->began;
    x->record.dialect = x->call.dialect;
    x->record.codec = x->call.codec;
    x->record.verb = x->call.verb;
    x->record.path = x->call.path;
    x->record.n_losses = x->n_lost;
    record_attempts(x);
    caller->events->on_record(caller, &x->record);
    x->caller = NULL;
}

void exchange_cancel(Exchange *x, Result why)
{
    x->record.why = error_copy(x->arena, why);
    x->record.status = status_of_error(x->arena, x->record.why);
    x->record.http_status = why.error->fault->http_status;
    give_record(x);
    exchange_run(x, &STEP_finish);
}

static const Step *exchange_finish(Exchange *x)
{
    Loop *loop = x->loop;
    timer_stop(&loop->timers, &x->deadline_timer);
    attempt_drop(x->attempt);
    if (x->kind && x->kind->release)
        x->kind->release(x);
    if (x->caller)
        give_record(x);
    for (Attempt *attempt = x->attempt; attempt; attempt = attempt->before)
        pick_release(loop, &attempt->pick);
    loop->n_calls--;
    config_release(loop, x->config);
    if (x->scratch != x->arena)
        arena_free(x->scratch);
    arena_free(x->last);
    arena_free(x->arena); /* x with it */
    return STEP_GONE;
}

const Step STEP_finish = {"finish", exchange_finish};
