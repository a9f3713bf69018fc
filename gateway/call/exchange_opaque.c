/*
 * Opaque HTTP: routes to services without a schema. Heads and bytes go through as they are, also
 * those of a connection that was upgraded (WebSocket).
 */
#include "gateway/call/client_internal.h"
#include "gateway/headers/cors.h"
#include "gateway/headers/own_fields.h"
#include "protocols/dialect/code.h"

enum {
    INTERIM_MOST = 16,
    OPAQUE_ADDED = 6, /* fields that most requests get here: forwarding, a trace, a request id */
};

static const HttpStreamEvents opaque_events;

/* With the unchanged query. */
static Bytes target_with(const Client *c, Bytes path)
{
    Bytes query = bytes_slice(c->head->path, bytes_find(c->head->path, '?'), SIZE_MAX);
    if (!query.size)
        return path;
    Buffer target = buffer_in(c->x->arena);
    buffer_add_bytes(&target, path);
    buffer_add_bytes(&target, query);
    return target.full ? BYTES_NONE : buffer_bytes(&target);
}

Result opaque_keep_head(Client *c, Bytes path)
{
    Exchange *x = c->x;
    const HttpHead *received = c->head;
    HttpHead *head = c->opaque_head = arena_make(x->arena, HttpHead);
    if (!head)
        return FAIL(x->arena, FAULT_OUT_OF_MEMORY, "keeping a head of %u fields",
                    received->fields.n);
    *head = *received;
    head->method = x->call.verb;
    head->scheme = bytes_of("http");
    head->authority = x->call.authority;
    head->path = target_with(c, path);
    head->fields = fields_copy(x->arena, x->call.head, OPAQUE_ADDED);
    x->call.head = &head->fields;
    trace_context_write(&c->trace, &head->fields);
    forwarding_write(&c->forwarding, FORWARDING_HTTP, head->authority, received->minor,
                     x->record.request_id, &head->fields);
    return head->fields.full || !head->path.data
               ? FAIL(x->arena, FAULT_OUT_OF_MEMORY, "keeping a head of %u fields",
                      received->fields.n)
               : OK;
}

/* ---- The request ----------------------------------------------------------------------------- */

static const Step *send_request(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    const Instance *instance = attempt->pick.instance;
    HttpHead head = *client_of(x)->opaque_head;
    attempt_begin_span(attempt, &head.fields);
    if (instance->authority_said || !head.authority.size)
        head.authority = bytes_of(instance->authority);
    if (!exchange_is_first(x))
        exchange_add_attempts(x, &head.fields);
    if (head.fields.full)
        return attempt_unusable(attempt,
                                FAIL(x->arena, FAULT_OUT_OF_MEMORY, "sending the head on"));
    const Step *step = attempt_open_stream(attempt, &head, x->bodiless, &opaque_events);
    if (step != STEP_WAIT)
        return step;
    exchange_sent(attempt);
    attempt_charge_request(attempt, x->bodiless ? 0 : SIZE_MAX);
    return exchange_ask_for_more(x);
}

static const Step *forward(Exchange *x, Message piece)
{
    http_stream_send_body(x->latest->side.stream, piece.bytes);
    return STEP_WAIT;
}

/* A request without a body has ended with its head; a tunnel ends when both sides have ended. */
static const Step *end_request(Exchange *x, const Message *last)
{
    const Client *c = client_of(x);
    if (!x->bodiless || c->tunnel)
        http_stream_send_end(x->latest->side.stream, NULL);
    return c->tunnel && x->latest->side.ended ? &STEP_finish : STEP_WAIT;
}

const ExchangeKind KIND_OPAQUE = {
    .name = "opaque",
    .wants = exchange_has_stream,
    .has_room = exchange_instance_has_room,
    .take = forward,
    .end = end_request,
    .room = exchange_settle,
    .first = &STEP_pick,
    .picked = &STEP_connect,
    .send = send_request,
};

/* ---- The response ---------------------------------------------------------------------------- */

/* The fields that the service sent, without those that only the gateway may set. Borrows names and
   values. They are sent on in the same turn, in whose memory they are. */
static Fields fields_of_service(const Attempt *attempt, const Fields *sent)
{
    Arena *scratch = loop_scratch(attempt->exchange->loop);
    Fields fields = fields_copy(scratch, sent, 2); /* a request id, and one more */
    attempt_remove_own(attempt, &fields);
    return fields;
}

/* It is passed on unchanged, and counts as an error of the service. */
static void record_error(const Attempt *attempt, uint16_t http_status)
{
    Exchange *x = attempt->exchange;
    x->record.status.code = rest_code_of_http(http_status);
    x->record.why = FAIL(x->arena, FAULT_UPSTREAM_STATUS, "%s returned HTTP status %u",
                         attempt->pick.instance->address.text, http_status);
}

static void on_head(void *owner, HttpStream *stream, const HttpHead *head, bool end)
{
    Attempt *attempt = owner;
    Exchange *x = attempt->exchange;
    Client *c = client_of(x);
    Result r = head->status == 101 ? OK : answer_check_http_status(head->status, x->arena);
    if (failed(r)) {
        attempt_run(attempt, attempt_unusable(attempt, r));
        return;
    }
    if (head->status >= 400)
        record_error(attempt, head->status);
    HttpHead reply = *head;
    reply.fields = fields_of_service(attempt, &head->fields);
    fields_add(&reply.fields, bytes_of("x-request-id"), x->record.request_id);
    client_apply_policy(c, &reply.fields);
    cors_add(&x->config->cors, c->origin, &reply.fields);
    own_fields_merge_vary(&reply.fields);
    if (reply.fields.full) {
        exchange_run(x, exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY,
                                              "passing on a head of %u fields", head->fields.n)));
        return;
    }
    x->record.http_status = head->status;
    attempt->record.headed = x->loop->now;
    exchange_learn_head(attempt);
    attempt->side.ended = end;
    c->tunnel = head->status == 101;
    if (c->tunnel)
        c->ended = c->told = false; /* the request has; what comes now is the tunnel's */
    exchange_choose(attempt);
    http_stream_send_head(c->stream, &reply, end);
    x->responding = true;
    if (head->status < 500 && !end) /* a tunnel, a stream of events or a download may last */
        attempt_goes_well(attempt);
    if (end)
        exchange_run(x, &STEP_finish);
}

static void on_body(void *owner, HttpStream *stream, Bytes piece)
{
    Attempt *attempt = owner;
    Exchange *x = attempt->exchange;
    attempt->side.owed += piece.size;
    x->record.bytes_out += piece.size;
    http_stream_send_body(client_of(x)->stream, piece);
    attempt_settle(attempt);
    Result r = client_flow(client_of(x));
    if (failed(r))
        exchange_run(x, exchange_fail(x, r));
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    Attempt *attempt = owner;
    Exchange *x = attempt->exchange;
    const Client *c = client_of(x);
    Fields own = fields_in(x->arena);
    if (trailers && trailers->n)
        own = fields_of_service(attempt, trailers);
    attempt->side.ended = true;
    http_stream_send_end(c->stream, own.n ? &own : NULL);
    if (!c->tunnel || c->ended)
        exchange_run(x, &STEP_finish);
}

static void on_drain(void *owner, HttpStream *stream)
{
    Exchange *x = ((Attempt *)owner)->exchange;
    exchange_run(x, exchange_ask_for_more(x));
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    Attempt *attempt = owner;
    Exchange *x = attempt->exchange;
    Result r = FAIL_OVER(x->arena, error_copy(x->arena, why), *why.error->fault, "%s broke off",
                         attempt->pick.instance->address.text);
    attempt->side.ended = true;
    if (!x->responding) {
        attempt_run(attempt, attempt_failed(attempt, r));
        return;
    }
    /* Some of the body was sent already: only a reset shows that it is incomplete. */
    x->record.why = r;
    x->record.status = status_of_error(x->arena, r);
    http_stream_cut(client_of(x)->stream, HTTP2_ERROR_INTERNAL);
    exchange_run(x, &STEP_finish);
}

/* 100 is sent by the gateway itself. Others are limited in number: flow control does not apply to
   them. */
static void on_interim(void *owner, HttpStream *stream, const HttpHead *head)
{
    Attempt *attempt = owner;
    Client *c = client_of(attempt->exchange);
    if (head->status == 100 || c->n_interim++ >= INTERIM_MOST)
        return;
    HttpHead interim = *head;
    interim.fields = fields_of_service(attempt, &head->fields);
    http_stream_send_head(c->stream, &interim, false);
}

static const HttpStreamEvents opaque_events = {on_head,  on_body,  on_end,
                                               on_drain, on_reset, on_interim};
