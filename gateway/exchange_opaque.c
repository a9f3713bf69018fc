/*
 * Opaque HTTP: routes to services without a schema. Heads and bytes go through as they are, also those
 * of a connection that was upgraded (WebSocket).
 */
#include "base/arena.h"
#include "gateway/cors.h"
#include "gateway/exchange_internal.h"
#include "gateway/own_fields.h"

enum { INTERIM_MOST = 16 };

static const HttpStreamEvents opaque_events;

const Route *opaque_route(const Config *config, Bytes path)
{
    for (uint32_t i = 0; i < config->n_http_routes; i++) {
        if (bytes_start_with(path, config->http_routes[i].path_prefix))
            return &config->http_routes[i];
    }
    return NULL;
}

/* Told anew by every hop: what the client said of these goes on within ours, or not at all. */
static bool is_ours(Bytes name)
{
    return bytes_are(name, "via") || bytes_are(name, "x-forwarded-for") ||
           bytes_are(name, "x-forwarded-host") || bytes_are(name, "x-forwarded-proto");
}

static void add_to_list(Exchange *x, Fields *fields, const char *name, Bytes value)
{
    Bytes before = fields_joined(&x->head->fields, name);
    Buffer list = buffer_in(x->arena);
    buffer_add_bytes(&list, before);
    if (before.size)
        buffer_add_text(&list, ", ");
    buffer_add_bytes(&list, value);
    fields->full |= list.full;
    fields_add(fields, bytes_of(name), buffer_bytes(&list));
}

/* "10.0.0.7:4711", "[::1]:4711" or "unix", without the port and brackets. */
static Bytes host_of(const char *peer)
{
    Bytes host = bytes_of(peer);
    const char *port = strrchr(peer, ':');
    if (port)
        host = bytes_slice(host, 0, (size_t)(port - peer));
    return bytes_start_with(host, "[") ? bytes_slice(host, 1, host.size - 2) : host;
}

static const char *via_of(const HttpHead *head)
{
    static const char *const by[] = {"1.0 passerelle", "1.1 passerelle", "2 passerelle"};
    return by[head->minor];
}

/* Who asks, and by which way (RFC 9110 section 7.6.3). */
static void add_way(Exchange *x, Fields *fields)
{
    add_to_list(x, fields, "via", bytes_of(via_of(x->head)));
    add_to_list(x, fields, "x-forwarded-for", host_of(x->client_connection->peer));
    if (x->head->authority.size)
        fields_add(fields, bytes_of("x-forwarded-host"), bytes_copy(x->arena, x->head->authority));
    fields_add(fields, bytes_of("x-forwarded-proto"), bytes_of(x->client_connection->secure ? "https" : "http"));
    if (!fields_get(fields, "x-request-id").data)
        fields_add(fields, bytes_of("x-request-id"), x->record.request_id);
}

/* The request's head outlives its event: it is sent when there is a connection. */
Result opaque_keep_head(Exchange *x)
{
    HttpHead *head = x->opaque_head = arena_make(x->arena, HttpHead);
    if (!head)
        return FAIL(x->arena, FAULT_OUT_OF_MEMORY, "keeping a head of %u fields", x->head->fields.n);
    *head = *x->head;
    head->method = x->call.verb;
    head->scheme = bytes_of("http");
    head->authority = bytes_copy(x->arena, x->head->authority);
    head->path = bytes_copy(x->arena, x->head->path);
    head->fields = fields_in(x->arena);
    for (uint32_t i = 0; i < x->head->fields.n; i++) {
        const Field *field = &x->head->fields.items[i];
        if (!is_ours(field->name))
            fields_add(&head->fields, bytes_copy(x->arena, field->name), bytes_copy(x->arena, field->value));
    }
    trace_context_write(&x->trace, &head->fields);
    add_way(x, &head->fields);
    return head->fields.full ? FAIL(x->arena, FAULT_OUT_OF_MEMORY, "keeping a head of %u fields",
                                    x->head->fields.n)
                             : OK;
}

static const Step *opaque_pick(Exchange *x)
{
    Result r = exchange_pick_instance(x);
    return failed(r) ? exchange_fail(x, r) : &STEP_connect;
}

const Step STEP_opaque = {"opaque", opaque_pick};

const Step *opaque_send(Exchange *x)
{
    x->record.attempts++;
    x->instance.ended = false;
    HttpHead head = *x->opaque_head;
    if (x->pick.instance->authority_said || !head.authority.size)
        head.authority = bytes_of(x->pick.instance->authority);
    x->instance.stream = http_stream_open(x->instance.connection, &head, x->bodiless, &opaque_events, x);
    if (!x->instance.stream)
        return exchange_attempt_failed(x, FAIL(x->arena, FAULT_UPSTREAM_REFUSED, "%s has no room",
                                               x->pick.instance->address.text));
    x->sent = true;
    x->record.time_to_upstream = x->loop->now - x->began;
    if (x->early.size)
        opaque_forward(x, buffer_bytes(&x->early));
    if (x->client.ended && !x->bodiless)
        http_stream_send_end(x->instance.stream, NULL);
    return STEP_WAIT;
}

const Step *opaque_forward(Exchange *x, Bytes piece)
{
    http_stream_send_body(x->instance.stream, piece);
    exchange_settle(x, &x->client, &x->instance);
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
    Exchange *x = owner;
    HttpHead reply = *head;
    reply.fields = fields_of_service(x, &head->fields);
    fields_add(&reply.fields, bytes_of("x-request-id"), x->record.request_id);
    cors_add(&x->config->cors, x->origin, &reply.fields);
    own_fields_merge_vary(&reply.fields);
    if (reply.fields.full) {
        exchange_run(x, exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY, "passing on a head of %u fields",
                                              head->fields.n)));
        return;
    }
    x->record.http_status = head->status;
    x->record.time_upstream_head = x->loop->now - x->began;
    x->instance.ended = end;
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
    Exchange *x = owner;
    x->instance.owed += piece.size;
    x->record.bytes_out += piece.size;
    http_stream_send_body(x->client.stream, piece);
    exchange_settle(x, &x->instance, &x->client);
}

static void on_end(void *owner, HttpStream *stream, const Fields *trailers)
{
    Exchange *x = owner;
    Fields own = fields_of_service(x, trailers);
    x->instance.ended = true;
    http_stream_send_end(x->client.stream, own.n ? &own : NULL);
    if (!x->tunnel || x->client.ended)
        exchange_run(x, &STEP_finish);
}

const Step *opaque_end_tunnel(Exchange *x)
{
    http_stream_send_end(x->instance.stream, NULL);
    return x->instance.ended ? &STEP_finish : STEP_WAIT;
}

static void on_drain(void *owner, HttpStream *stream)
{
    Exchange *x = owner;
    exchange_settle(x, &x->client, &x->instance);
}

static void on_reset(void *owner, HttpStream *stream, Result why)
{
    Exchange *x = owner;
    Result r = FAIL_OVER(x->arena, error_copy(x->arena, why), *why.error->fault, "%s broke off",
                         x->pick.instance->address.text);
    x->instance.ended = true;
    if (!x->replied_head) {
        exchange_run(x, exchange_attempt_failed(x, r));
        return;
    }
    /* Bytes of the answer are out already: only breaking off says that they are not all. */
    x->record.why = r;
    x->record.status = status_of_error(x->arena, r);
    http_stream_reset(x->client.stream, 2 /* INTERNAL_ERROR */);
    exchange_run(x, &STEP_finish);
}

/* 100 was said by us, who take the body. The others are good for a few: no window holds them back. */
static void on_interim(void *owner, HttpStream *stream, const HttpHead *head)
{
    Exchange *x = owner;
    if (head->status == 100 || x->n_interim++ >= INTERIM_MOST)
        return;
    HttpHead interim = *head;
    interim.fields = fields_of_service(x, &head->fields);
    http_stream_send_head(x->client.stream, &interim, false);
}

static const HttpStreamEvents opaque_events = {on_head, on_body, on_end, on_drain, on_reset, on_interim};
