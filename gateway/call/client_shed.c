/* Refuses calls when the loop has too much to do. */
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
    bool is_vital = to->builtin && !builtin_is_operation(to->builtin);
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
    Result r = FAIL(x->arena, FAULT_SHED, "with %llu others since the last such record",
                    (unsigned long long)c->connection->rest->n_others);
    exchange_run(x, exchange_fail(x, r));
}
