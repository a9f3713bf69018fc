/* Refuses calls: when the loop has too much to do, and when their client has done as much as it
 * may. */
#include "gateway/call/client_internal.h"
#include "gateway/headers/cors.h"
#include "gateway/match/destination.h"
#include "gateway/overload/loop_load.h"
#include "gateway/overload/shed_reply.h"

#include <stdlib.h>

#define LATELY (200 * MILLISECOND)

static const Method *method_of(const Destination *to)
{
    return to->binding ? to->binding->method : to->method;
}

static const Route *route_of(const Destination *to)
{
    const Method *method = method_of(to);
    return method ? method->route : to->route;
}

static void find(const Config *config, const HttpHead *head, Arena *arena, Destination *to)
{
    Bytes path = bytes_slice(head->path, 0, bytes_find(head->path, '?'));
    Result r = destination_find(config, head, path, arena, to);
    error_ignore(r, "it is found again if the call is admitted");
}

/* A preflight is for another call, whose route is not known. */
static bool is_exempt(const Config *config, const HttpHead *head, const Destination *to)
{
    bool is_vital = to->builtin && builtin_is_vital(to->builtin);
    return is_vital || (config->cors.n_origins && cors_is_preflight(head));
}

static void note_impact(ClientConnection *connection, Impact impact)
{
    int64_t now = connection->loop->now;
    if (impact == IMPACT_CATASTROPHIC)
        loop_urgent(connection->loop);
    if (impact < connection->highest && now - connection->highest_at < LATELY)
        return;
    connection->highest = (uint8_t)impact;
    connection->highest_at = now;
}

void client_note_destination(ClientConnection *connection, const Destination *to)
{
    const Route *route = route_of(to);
    if (route)
        note_impact(connection, route->impact);
}

static ClientRest *rest_of(ClientConnection *connection)
{
    if (!connection->rest) {
        connection->rest = calloc(1, sizeof *connection->rest);
        CHECK(connection->rest);
    }
    return connection->rest;
}

/* What is served nowhere harms nobody if it is refused. */
static bool is_admitted(ClientConnection *connection, const Destination *to)
{
    const Route *route = route_of(to);
    const Method *method = method_of(to);
    const Service *service = method ? method->version->service : route ? route->service : NULL;
    Impact impact = route ? route->impact : IMPACT_LOW;
    bool admitted = overload_admits(connection->loop, impact, service);
    note_impact(connection, impact);
    pace_count(&rest_of(connection)->pace, admitted);
    return admitted;
}

static Dialect dialect_of(const HttpHead *head, const Destination *to)
{
    Dialect dialect = dialect_of_request(head);
    return dialect == DIALECT_REST && to->is_rpc ? DIALECT_CONNECT : dialect;
}

bool client_shed(ClientConnection *connection, HttpStream *stream, const HttpHead *head)
{
    Loop *loop = connection->loop;
    const Config *config = loop->config;
    Destination to;
    find(config, head, loop_scratch(loop), &to);
    if (is_exempt(config, head, &to) || is_admitted(connection, &to))
        return false;
    /* What a page of another origin may read depends on its name. */
    bool is_of_page = config->cors.n_origins && fields_get(&head->fields, "origin").data;
    const HttpReady *reply = NULL;
    connection->shed_next = overload_is_recorded(loop, &connection->rest->n_others) || is_of_page;
    if (!connection->shed_next)
        reply = shed_reply(loop, dialect_of(head, &to));
    if (!reply) {
        connection->shed_next = true;
        return false;
    }
    http_stream_send_ready(stream, reply);
    http_stream_release(stream);
    return true;
}

void client_refuse(Client *c)
{
    Exchange *x = c->x;
    Destination to;
    find(x->config, c->head, x->arena, &to);
    x->call.dialect = dialect_of(c->head, &to);
    x->record.method = method_of(&to);
    x->route = x->record.route = route_of(&to);
    error_ignore(client_name(c), "it is refused in any case");
    x->retry_after = overload_retry_after(x->loop);
    Result others = FAIL(x->arena, FAULT_SHED, "with %llu others since the last such record",
                         (unsigned long long)c->connection->rest->n_others);
    Result r = FAIL_OVER(x->arena, others, FAULT_SHED, "others matter more");
    exchange_run(x, exchange_fail(x, r));
}

/* ---- How much a client may do ---------------------------------------------------------------- */

static const MethodLimits *limits_of(const Exchange *x)
{
    return x->method ? x->method->limits : x->route->limits;
}

static LimitCall limited_call(const Client *c, const MethodLimits *limits)
{
    const Exchange *x = c->x;
    return (LimitCall){
        .limits = limits,
        .identity = x->identity,
        .address = &x->client,
        .shown = x->record.client,
        .now = x->loop->now,
        .wall = x->record.began,
        .arena = x->arena,
    };
}

static Result take_refusal(Exchange *x, Result r, const LimitRefusal *refusal)
{
    if (!failed(r))
        return r;
    x->retry_after = refusal->retry_after;
    x->record.quiet = refusal->quiet;
    return r;
}

Result client_limit(Client *c)
{
    Exchange *x = c->x;
    LimitRefusal refusal = {0};
    if (!limits_of(x) || !x->loop->limits)
        return OK;
    LimitCall call = limited_call(c, limits_of(x));
    Result r = rate_limits_admit(x->loop->limits, &call, &c->limits, &refusal);
    return take_refusal(x, r, &refusal);
}

/* By address, whoever else the connection is known to belong to. Clients without one, on unix
   sockets, would be taken for one. */
static bool is_guessing(const Client *c, LimitCall *call)
{
    const Exchange *x = c->x;
    const MethodLimits *guesses = x->config->access.guesses;
    if (!guesses || !x->loop->limits || !x->client.known)
        return false;
    *call = limited_call(c, guesses);
    call->identity = &identity_anonymous;
    call->shown = BYTES_NONE;
    return true;
}

Result client_may_guess(Client *c)
{
    LimitCall call;
    LimitRefusal refusal = {0};
    const RateLimits *limits = c->x->loop->limits;
    if (!limits || !rate_limits_guessed(limits, c->x->loop->now) || !is_guessing(c, &call))
        return OK;
    Result r = rate_limits_admit_guess(c->x->loop->limits, &call, &refusal);
    return take_refusal(c->x, r, &refusal);
}

void client_guessed_wrong(Client *c)
{
    LimitCall call;
    if (is_guessing(c, &call))
        rate_limits_count_guess(c->x->loop->limits, &call);
}

/* Nothing below 0 is less than nothing. */
static uint64_t number_of(const FieldType *field, uint64_t value)
{
    int64_t number = (int64_t)value;
    if (field->kind == KIND_UINT64 || field->kind == KIND_FIXED64)
        return value;
    if (field->kind == KIND_SINT32 || field->kind == KIND_SINT64)
        number = (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
    if (field->kind == KIND_SFIXED32)
        number = (int32_t)value;
    return number > 0 ? (uint64_t)number : 0;
}

static const FieldType *last_of(const FieldType *const *path)
{
    while (path[1])
        path++;
    return *path;
}

/* What is too large to look into costs as much as a call can. */
static uint64_t cost_of(void *owner, const MethodLimit *item)
{
    Exchange *x = owner;
    WireField field;
    if (x->call.codec == CODEC_JSON && x->message.bytes.size > x->config->limits.work_bytes)
        return UINT64_MAX;
    Arena *arena = exchange_arena_new(x);
    bool found = exchange_read_field(x, item->cost, item->to_cost, arena, &field);
    uint64_t cost = found ? number_of(last_of(item->cost), field.value) : 0;
    arena_free(arena);
    return cost;
}

Result exchange_pay(Exchange *x)
{
    LimitRefusal refusal = {0};
    if (x->record.leg || !x->record.listener) /* a call of the gateway's own */
        return OK;
    const Client *c = client_of(x);
    if (!c->limits || !c->limits->costs)
        return OK;
    LimitCall call = limited_call(c, limits_of(x));
    Result r = rate_limits_admit_cost(x->loop->limits, &call, c->limits, cost_of, x, &refusal);
    return take_refusal(x, r, &refusal);
}

static bool charge(Client *c)
{
    const CallRecord *record = &c->x->record;
    return rate_limits_charge(c->x->loop->limits, c->limits,
                              (uint64_t)record->messages_in + record->messages_out,
                              record->bytes_in + record->bytes_out, c->x->loop->now);
}

Result client_count_flow(Client *c)
{
    if (!charge(c) || exchange_is_unary(c->x))
        return OK;
    return FAIL_TELL(c->x->arena, FAULT_RATE_LIMITED,
                     "more has passed on the stream than the client may have");
}

void client_leave_limits(Client *c)
{
    if (!c->limits)
        return;
    charge(c);
    rate_limits_leave(c->limits);
}
