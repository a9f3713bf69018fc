#include "gateway/call/exchange.h"

#include "base/arena.h"
#include "gateway/call/exchange_internal.h"
#include "gateway/loop/config_use.h"

/* ---- Beginning
 * ----------------------------------------------------------------------------------- */

/* Found once for a connection and a config. A listener that the config has no longer trusts nobody.
 */
static bool is_trusted(ClientConnection *client, const Config *config)
{
    if (client->generation != config->generation) {
        const ListenerConfig *listener = config_listener(config, client->listener);
        client->trusted = listener && trusted_peers_have(&listener->trusted, &client->address);
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

void exchange_settle(Exchange *x, Half *from, const Half *to)
{
    if (from->owed && from->stream && to->stream &&
        http_stream_queued(to->stream) <= x->config->limits.http.queue_high) {
        size_t owed = from->owed;
        from->owed = 0;
        http_stream_consume(from->stream, owed);
    }
}

/* ---- Failing
 * ------------------------------------------------------------------------------------- */

/* Of these the caller is innocent: a default is better than nothing. There is none in place of a
 * default. */
static bool may_degrade(const Exchange *x, Code code)
{
    if (!x->route || x->route->on_failure != FAILURE_GRACEFUL || x->replied_head ||
        x->record.degraded || !x->method || !x->method->has_default)
        return false;
    switch (code) {
    case CODE_UNKNOWN:
    case CODE_DEADLINE_EXCEEDED:
    case CODE_RESOURCE_EXHAUSTED:
    case CODE_INTERNAL:
    case CODE_UNAVAILABLE:
    case CODE_DATA_LOSS: return true;
    default: return false;
    }
}

/* The caller hears why there is no default; the log, what it was to stand in for as well. */
static Result default_failed(Exchange *x, Result why)
{
    return FAIL_OVER(x->arena, x->record.why, *why.error->fault,
                     "giving the default of the route instead: %s", why.error->doing);
}

const Step *exchange_fail(Exchange *x, Result why)
{
    const Fault *fault = why.error->fault;
    bool innocent = fault->side != SIDE_CLIENT || fault == &FAULT_DEADLINE_EXCEEDED;
    exchange_drop_instance(x);
    if (x->record.degraded)
        why = default_failed(x, why);
    x->record.why = why;
    if (innocent && may_degrade(x, fault->grpc_status))
        return exchange_reply_degraded(x, fault->name);
    x->record.degraded = NULL;
    Status status = status_of_error(x->arena, why);
    return exchange_reply_end(x, &status, NULL);
}

const Step *exchange_fail_status(Exchange *x, const Status *status)
{
    Status given = *status;
    Bytes said = bytes_slice(status->message, 0, 500);
    x->record.why = FAIL(x->arena, FAULT_UPSTREAM_STATUS, "%s answered %s: %.*s",
                         x->pick.instance->address.text, code_name(status->code), BYTES_ARGS(said));
    if (!may_degrade(x, status->code)) {
        exchange_convert_details(x, &given);
        return exchange_reply_end(x, &given, &x->answer.trailers);
    }
    exchange_drop_instance(x);
    return exchange_reply_degraded(x, FAULT_UPSTREAM_STATUS.name);
}

/* ---- Ending
 * -------------------------------------------------------------------------------------- */

static const Step *exchange_finish(Exchange *x)
{
    Loop *loop = x->loop;
    timer_stop(&loop->timers, &x->deadline_timer);
    health_watch_stop(&x->watch);
    exchange_drop_instance(x);
    if (x->client.stream)
        http_stream_release(x->client.stream);
    compression_stream_free(x->compressor);

    x->record.time_total = clock_now() - x->began;
    x->record.dialect = x->call.dialect;
    x->record.codec = x->call.codec;
    x->record.verb = x->call.verb;
    x->record.path = x->call.path;
    x->record.n_losses = x->n_lost;
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
