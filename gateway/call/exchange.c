#include "gateway/call/exchange.h"

#include "base/arena.h"
#include "gateway/call/exchange_internal.h"
#include "gateway/loop/config_use.h"

/* ---- Beginning ------------------------------------------------------------------------------- */

/* Found once for a connection and a config. A listener that the config has no longer trusts
   nobody. */
static bool is_trusted(ClientConnection *client, const Config *config)
{
    if (client->generation != config->generation) {
        const ListenerConfig *listener = config_listener(config, client->listener);
        client->trusted = listener && !client->unnamed &&
                          trusted_peers_have(&listener->trusted, &client->address);
        client->generation = config->generation;
    }
    return client->trusted;
}

void exchange_accept(ClientConnection *client, HttpStream *stream, int64_t began)
{
    Loop *loop = client->loop;
    Arena *arena = arena_new(loop->config->limits.call_memory);
    Exchange *x = arena_make(arena, Exchange);
    CHECK(x); /* an arena's first block has room for it */
    x->arena = x->scratch = arena;
    x->loop = loop;
    x->config = config_use(loop);
    x->client_connection = client;
    client->n_exchanges++;
    x->client.stream = stream;
    x->first.exchange = x;
    x->attempt = &x->first;
    x->forwarding = (Forwarding){.self = loop->hop,
                                 .peer = client->peer,
                                 .secure = client->secure,
                                 .trusted = is_trusted(client, x->config)};
    x->early = buffer_in(arena);
    x->lost = buffer_in(arena);
    x->began = began;
    x->deadline = NO_TIMEOUT;
    x->record.began = clock_wall() - (loop->now - began);
    x->record.peer = client->peer;
    x->record.listener = client->listener;
    x->record.rule = x->record.served_why = "";
    loop->n_calls++;
    http_stream_attach(stream, &exchange_client_events, x);
}

void exchange_run(Exchange *x, const Step *step)
{
    while (step != STEP_WAIT && step != STEP_GONE)
        step = step->run(x);
}

bool exchange_is_unary(const Exchange *x)
{
    return x->method && !x->method->type->client_streaming && !x->method->type->server_streaming;
}

Arena *exchange_scratch(Exchange *x)
{
    if (!x->scratch)
        x->scratch = arena_new(x->config->limits.call_memory);
    return x->scratch;
}

void exchange_forget_message(Exchange *x)
{
    if (x->scratch == x->arena)
        return;
    arena_free(x->scratch);
    x->scratch = NULL;
}

void exchange_settle(Exchange *x, Side *from, const Side *to)
{
    if (from->owed && from->stream && to->stream &&
        http_stream_queued(to->stream) <= x->config->limits.http.queue_high) {
        size_t owed = from->owed;
        from->owed = 0;
        http_stream_consume(from->stream, owed);
    }
}

/* ---- Failing --------------------------------------------------------------------------------- */

static PolicyQuestion question_of(const Exchange *x, bool attempted)
{
    PolicyQuestion q = policy_question(x->route, x->method, x->call.verb, x->bodiless);
    q.attempted = attempted;
    q.sent = x->attempt->sent;
    q.answered = x->attempt->has_answer;
    q.responding = x->replied_head;
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
        return exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY, "beginning another attempt"));
    x->attempt->may_return = where == POLICY_OTHERS_FIRST;
    telemetry_count(x->loop, COUNTER_RETRIES);
    return x->method ? &STEP_pick : &STEP_opaque;
}

static const Step *fall_back(Exchange *x, Result why)
{
    attempt_drop(x->attempt);
    x->record.why = why;
    return exchange_reply_degraded(x, why.error->fault->name);
}

/* The service's own error, with its details in the client's version. */
static const Step *respond(Exchange *x, Result why)
{
    Status given = x->attempt->answer.status;
    x->record.why = why;
    exchange_convert_details(x, &given);
    return exchange_reply_end(x, &given, &x->attempt->answer.trailers);
}

/* What the default was to stand in for is what the caller hears; the log has both. */
static Result default_failed(Exchange *x, Result why)
{
    return FAIL_OVER(x->arena, x->record.why, *x->record.why.error->fault,
                     "the default of the route cannot be given: %s", why.error->doing);
}

static const Step *tell(Exchange *x, Result why)
{
    attempt_drop(x->attempt);
    x->record.why = x->record.degraded ? default_failed(x, why) : why;
    x->record.degraded = NULL;
    Status status = status_of_error(x->arena, x->record.why);
    return exchange_reply_end(x, &status, NULL);
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
    Result why = FAIL(x->arena, FAULT_UPSTREAM_STATUS, "%s answered %s: %.*s",
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

static const Step *exchange_finish(Exchange *x)
{
    Loop *loop = x->loop;
    timer_stop(&loop->timers, &x->deadline_timer);
    health_watch_stop(&x->watch);
    attempt_drop(x->attempt);
    if (x->client.stream)
        http_stream_release(x->client.stream);
    compression_stream_free(x->compressor);

    x->record.time_total = clock_now() - x->began;
    x->record.dialect = x->call.dialect;
    x->record.codec = x->call.codec;
    x->record.verb = x->call.verb;
    x->record.path = x->call.path;
    x->record.n_losses = x->n_lost;
    record_attempts(x);
    telemetry_record(loop, &x->record);

    loop->n_calls--;
    ClientConnection *client = x->client_connection;
    if (--client->n_exchanges == 0 && client->on_unused)
        client->on_unused(client);
    config_release(loop, x->config);
    if (x->scratch != x->arena)
        arena_free(x->scratch);
    arena_free(x->last);
    arena_free(x->arena); /* x with it */
    return STEP_GONE;
}

const Step STEP_finish = {"finish", exchange_finish};
