/*
 * Opaque HTTP: routes to services without a schema. Heads and bytes go through as they are, also
 * those of a connection that was upgraded (WebSocket).
 */
#include "base/arena.h"
#include "gateway/call/exchange_internal.h"
#include "gateway/headers/cors.h"
#include "gateway/headers/own_fields.h"

enum { INTERIM_MOST = 16 };

static const HttpStreamEvents opaque_events;

/* With the query as it came. */
static Bytes target_with(Exchange *x, Bytes path)
{
    Bytes query = bytes_slice(x->head->path, bytes_find(x->head->path, '?'), SIZE_MAX);
    Buffer target = buffer_in(x->arena);
    buffer_add_bytes(&target, path);
    buffer_add_bytes(&target, query);
    return target.full ? BYTES_NONE : buffer_bytes(&target);
}

/* The request's head outlives its event: it is sent when there is a connection. */
Result opaque_keep_head(Exchange *x, Bytes path)
{
    HttpHead *head = x->opaque_head = arena_make(x->arena, HttpHead);
    if (!head)
        return FAIL(x->arena, FAULT_OUT_OF_MEMORY, "keeping a head of %u fields",
                    x->head->fields.n);
    *head = *x->head;
    head->method = x->call.verb;
    head->scheme = bytes_of("http");
    head->authority = bytes_copy(x->arena, x->head->authority);
    head->path = target_with(x, path);
    head->fields = fields_in(x->arena);
    for (uint32_t i = 0; i < x->head->fields.n; i++) {
        const Field *field = &x->head->fields.items[i];
        fields_add(&head->fields, bytes_copy(x->arena, field->name),
                   bytes_copy(x->arena, field->value));
    }
    trace_context_write(&x->trace, &head->fields);
    forwarding_write(&x->forwarding, FORWARDING_HTTP, head->authority, x->head->minor,
                     x->record.request_id, &head->fields);
    return head->fields.full || !head->path.data
               ? FAIL(x->arena, FAULT_OUT_OF_MEMORY, "keeping a head of %u fields",
                      x->head->fields.n)
               : OK;
}

static const Step *opaque_pick(Exchange *x)
{
    Result r = exchange_pick_instance(x);
    return failed(r) ? exchange_nobody_left(x, r) : &STEP_connect;
}

const Step STEP_opaque = {"opaque", opaque_pick};

const Step *opaque_send(Exchange *x)
{
    attempt_asked(x->attempt);
    HttpHead head = *x->opaque_head;
    if (x->attempt->pick.instance->authority_said || !head.authority.size)
        head.authority = bytes_of(x->attempt->pick.instance->authority);
    x->attempt->side.stream = http_stream_open(x->attempt->side.connection, &head, x->bodiless,
                                               &opaque_events, x->attempt);
    if (!x->attempt->side.stream)
        return exchange_attempt_failed(x, FAIL(x->arena, FAULT_UPSTREAM_REFUSED, "%s has no room",
                                               x->attempt->pick.instance->address.text));
    x->attempt->sent = true;
    if (x->early.size)
        opaque_forward(x, buffer_bytes(&x->early));
    if (x->client.ended && !x->bodiless)
        http_stream_send_end(x->attempt->side.stream, NULL);
    return STEP_WAIT;
}

const Step *opaque_forward(Exchange *x, Bytes piece)
{
    http_stream_send_body(x->attempt->side.stream, piece);
    exchange_settle(x, &x->client, &x->attempt->side);
    return STEP_WAIT;
}

/* What the service sent, but for what only the gateway may say. Borrows names and values. */
static Fields fields_of_service(Exchange *x, const Fields *sent)
{
    Fields fields = fields_in(x->arena);
    for (uint32_t i = 0; i < sent->n; i++)
        fields_add(&fields, sent->items[i].name, sent->items[i].value);
    exchange_remove_own(x, &fields);
    return fields;
}

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    Exchange *x = ((Attempt *)owner)->exchange;
    HttpHead reply = *head;
    reply.fields = fields_of_service(x, &head->fields);
    fields_add(&reply.fields, bytes_of("x-request-id"), x->record.request_id);
    cors_add(&x->config->cors, x->origin, &reply.fields);
    own_fields_merge_vary(&reply.fields);
    if (reply.fields.full) {
        exchange_run(x, exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY,
                                              "passing on a head of %u fields", head->fields.n)));
        return;
    }
    x->record.http_status = head->status;
    x->attempt->record.headed = x->loop->now;
    x->record.time_upstream_head = x->loop->now - x->began;
    x->attempt->side.ended = end;
    x->tunnel = head->status == 101;
    if (x->tunnel)
        x->client.ended = false; /* the request has; what comes now is the tunnel's */
    http_stream_send_head(x->client.stream, &reply, end);
    x->replied_head = true;
    if (end)
        exchange_run(x, &STEP_finish);
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    Exchange *x = ((Attempt *)owner)->exchange;
    x->attempt->side.owed += piece.size;
    x->record.bytes_out += piece.size;
    http_stream_send_body(x->client.stream, piece);
    exchange_settle(x, &x->attempt->side, &x->client);
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    Exchange *x = ((Attempt *)owner)->exchange;
    Fields own = fields_of_service(x, trailers);
    x->attempt->side.ended = true;
    http_stream_send_end(x->client.stream, own.n ? &own : NULL);
    if (!x->tunnel || x->client.ended)
        exchange_run(x, &STEP_finish);
}

const Step *opaque_end_tunnel(Exchange *x)
{
    http_stream_send_end(x->attempt->side.stream, NULL);
    return x->attempt->side.ended ? &STEP_finish : STEP_WAIT;
}

static void on_drain(void *owner, HttpStream *stream)
{
    Exchange *x = ((Attempt *)owner)->exchange;
    exchange_settle(x, &x->client, &x->attempt->side);
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    Exchange *x = ((Attempt *)owner)->exchange;
    Result r = FAIL_OVER(x->arena, error_copy(x->arena, why), *why.error->fault, "%s broke off",
                         x->attempt->pick.instance->address.text);
    x->attempt->side.ended = true;
    if (!x->replied_head) {
        exchange_run(x, exchange_attempt_failed(x, r));
        return;
    }
    /* Bytes of the answer are out already: only breaking off says that they are not all. */
    x->record.why = r;
    x->record.status = status_of_error(x->arena, r);
    http_stream_reset(x->client.stream, HTTP2_ERROR_INTERNAL);
    exchange_run(x, &STEP_finish);
}

/* 100 was said by us, who take the body. The others are good for a few: no window holds them
   back. */
static void on_interim(void *owner, HttpStream *stream, const HttpHead *head)
{
    Exchange *x = ((Attempt *)owner)->exchange;
    if (head->status == 100 || x->n_interim++ >= INTERIM_MOST)
        return;
    HttpHead interim = *head;
    interim.fields = fields_of_service(x, &head->fields);
    http_stream_send_head(x->client.stream, &interim, false);
}

static const HttpStreamEvents opaque_events = {on_head,  on_body,  on_end,
                                               on_drain, on_reset, on_interim};
