/*
 * The peer's side of an HTTP/1.1 exchange: reads heads, bodies and tunnels from the input, and
 * holds input that cannot be processed yet.
 */
#include "protocols/http1/http1.h"

#include <stdlib.h>

enum { HELD_FIRST = 1024 /* nobody asks the memory budget for it */ };

/* ---- Held input ------------------------------------------------------------------------------ */

static size_t capacity_for(const Http1 *http1, size_t more)
{
    size_t capacity = http1->held_capacity ? http1->held_capacity : HELD_FIRST;
    while (capacity < http1->held_size + more)
        capacity *= 2;
    return capacity;
}

static void hold(Http1 *http1, Bytes input)
{
    CHECK(input.size <= UINT32_MAX / 4 - http1->held_size); /* http1_wants_input bounds it */
    if (http1->held_size + input.size > http1->held_capacity) {
        size_t capacity = capacity_for(http1, input.size);
        http1->held = realloc(http1->held, capacity);
        CHECK(http1->held);
        http_connection_hold(&http1->base, (int64_t)capacity - http1->held_capacity);
        http1->held_capacity = (uint32_t)capacity;
    }
    if (input.size)
        memcpy(http1->held + http1->held_size, input.data, input.size);
    http1->held_size += (uint32_t)input.size;
}

void http1_forget_held(Http1 *http1)
{
    http_connection_hold(&http1->base, -(int64_t)http1->held_capacity);
    free(http1->held);
    http1->held = NULL;
    http1->held_size = http1->held_capacity = 0;
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* The owner knows the request, and writes the error in the client's dialect. */
static void let_owner_respond(Http1 *http1, Result why)
{
    Http1Stream *stream = http1->stream;
    http1->keep_alive = false;
    if (stream && stream->base.events && !stream->silent && stream->base.events->on_refused)
        stream->base.events->on_refused(stream->base.owner, &stream->base, why);
}

Result http1_refuse(Http1 *http1, const Http1Refusal *why, const HttpHead *head)
{
    static const HttpHead nothing;
    const Fault *fault = !http1->base.client                   ? why->fault
                         : why->fault == &FAULT_HEAD_TOO_LARGE ? &FAULT_UPSTREAM_TOO_LARGE
                                                               : &FAULT_UPSTREAM_PROTOCOL;
    Result r = error_new(http_connection_errors(&http1->base), fault, OK, NULL, __FILE__, __LINE__,
                         "reading HTTP/1.1: %s", why->detail);
    bool responds =
        !http1->base.client && why->status && (!http1->stream || !http1->stream->head_sent);
    if (responds)
        let_owner_respond(http1, r);
    if (responds && http1->closing)
        return r; /* the owner has responded or reset the stream */
    if (responds && (!http1->stream || !http1->stream->head_sent))
        http1_write_refusal(http1, why, head ? head : &nothing);
    http1_close_after_output(http1);
    http1_exchange_fail(http1, r);
    return r;
}

void http1_tell_end(Http1 *http1, const Fields *trailers)
{
    Http1Stream *stream = http1->stream;
    stream->read_all = true;
    http1->reading = HTTP1_READ_WAIT;
    if (stream->base.events && !stream->silent && stream->base.events->on_end)
        stream->base.events->on_end(stream->base.owner, &stream->base, trailers);
    if (http1->stream == stream)
        http1_exchange_check(http1);
}

static void tell_head(Http1 *http1, Http1Head *head, bool end)
{
    Http1Stream *stream = http1->stream;
    head->http.scheme = bytes_of(http1->base.secure ? "https" : "http");
    if (stream->base.events && !stream->silent && stream->base.events->on_head)
        stream->base.events->on_head(stream->base.owner, &stream->base, &head->http, end);
}

/* ---- Memory of heads ------------------------------------------------------------------------- */

static bool reads_request(const Http1 *http1)
{
    return !http1->base.client && http1->reading == HTTP1_READ_HEAD && !http1->stream;
}

bool http1_holds_head(const HttpConnection *base)
{
    const Http1 *http1 = (const Http1 *)base;
    return reads_request(http1) && http1->held_capacity > HELD_FIRST;
}

Result http1_refuse_head(Http1 *http1, const Fault *fault)
{
    Http1Refusal why = {
        fault, fault->http_status,
        "there is no memory for a head of this size that is not complete (limits.memory)"};
    return http1_refuse(http1, &why, NULL);
}

/* Why the rest of a head cannot be held; NULL: it can. */
static const Fault *ask_for(const Http1 *http1, size_t more)
{
    size_t capacity = capacity_for(http1, more);
    if (capacity <= HELD_FIRST || capacity == http1->held_capacity || !reads_request(http1))
        return NULL;
    return http_connection_ask(&http1->base, capacity - http1->held_capacity);
}

/* ---- Heads ----------------------------------------------------------------------------------- */

static void begin_body(Http1 *http1, const Http1Head *head)
{
    http1->reading = HTTP1_READ_BODY;
    http1_body_begin(&http1->body, http1->arena, &http1->base.limits, head->framing,
                     head->http.content_length);
}

static void begin_request(Http1 *http1, Http1Head *head)
{
    Http1Stream *stream = http1->stream = http1_stream_new(http1);
    const HttpLimits *limits = &http1->base.limits;
    http1->requests++;
    http1->keep_alive =
        head->keep_alive && (limits->requests == 0 || http1->requests < limits->requests);
    stream->old = head->http.minor == 0;
    stream->head_request = bytes_are(head->http.method, "HEAD");
    stream->takes_trailers = head->takes_trailers;
    stream->wants_upgrade = head->http.upgrade;
    http1->continue_due = head->expects_continue;
    begin_body(http1, head);
    http1->base.events->on_stream(http1->base.owner, &http1->base, &stream->base, &head->http);
    if (http1->stream == stream)
        tell_head(http1, head, head->framing == HTTP1_NO_BODY);
}

static void tell_interim(Http1Stream *stream, const Http1Head *head)
{
    if (stream->base.events && !stream->silent && stream->base.events->on_interim)
        stream->base.events->on_interim(stream->base.owner, &stream->base, &head->http);
}

static void begin_response(Http1 *http1, Http1Head *head)
{
    Http1Stream *stream = http1->stream;
    unsigned status = head->http.status;
    if (status < 200 && status != 101) {
        tell_interim(stream, head);
        return;
    }
    http1->keep_alive = head->keep_alive && http1->keep_alive;
    if (status == 101) {
        http1->keep_alive = false;
        http1->reading = HTTP1_READ_TUNNEL;
        stream->framing = HTTP1_UNTIL_CLOSE;
        stream->ended = false;
        tell_head(http1, head, false);
        return;
    }
    begin_body(http1, head);
    tell_head(http1, head, head->framing == HTTP1_NO_BODY);
}

static void arena_begin(Http1 *http1)
{
    const HttpLimits *limits = &http1->base.limits;
    if (http1->arena)
        arena_reset(http1->arena);
    else
        http1->arena = arena_new(64 * 1024 + (size_t)limits->head_bytes * 4 +
                                 (size_t)limits->head_fields * 256);
}

/* ---- Reading --------------------------------------------------------------------------------- */

typedef enum Turn {
    TURN_ON,   /* progress was made; try again */
    TURN_WAIT, /* nothing more can be done with this input */
} Turn;

/* `size` bytes of the input were read: fewer are owed. */
static void count_read(Http1 *http1, size_t size)
{
    http1->owed -= size < http1->owed ? (uint32_t)size : http1->owed;
}

static Turn read_head(Http1 *http1, Bytes *input, Result *result)
{
    Http1Head head = {.framing = HTTP1_NO_BODY};
    Http1Refusal why;
    size_t size = 0;
    Http1Parse parse;
    if (http1->base.client && !http1->stream) {
        if (input->size == 0)
            return TURN_WAIT;
        http1_close_after_output(http1); /* a response without a request */
        *result = FAIL(http_connection_errors(&http1->base), FAULT_UPSTREAM_PROTOCOL,
                       "reading HTTP/1.1: the service sent bytes without a request");
        return TURN_WAIT;
    }
    if (input->size == 0)
        return TURN_WAIT;
    arena_begin(http1);
    if (http1->base.client)
        parse = http1_parse_response(http1->arena, &http1->base.limits, *input, http1->seen,
                                     http1->stream->head_request, &head, &size, &why);
    else
        parse = http1_parse_request(http1->arena, &http1->base.limits, *input, http1->seen, &head,
                                    &size, &why);
    switch (parse) {
    case HTTP1_MORE: http1->seen = (uint32_t)input->size; return TURN_WAIT;
    case HTTP1_BAD: *result = http1_refuse(http1, &why, &head.http); return TURN_WAIT;
    case HTTP1_PARSED: break;
    }
    if (http1->base.client && head.http.status == 101 && !http1->stream->wants_upgrade) {
        why =
            (Http1Refusal){&FAULT_PROTOCOL_VIOLATION, 502, "101 without an upgrade in the request"};
        *result = http1_refuse(http1, &why, NULL);
        return TURN_WAIT;
    }
    http1->seen = 0;
    *input = bytes_slice(*input, size, SIZE_MAX);
    count_read(http1, size);
    if (http1->base.client)
        begin_response(http1, &head);
    else
        begin_request(http1, &head);
    return TURN_ON;
}

static void take_body(Http1 *http1, Bytes piece)
{
    Http1Stream *stream = http1->stream;
    http1->base.progress += piece.size;
    if (stream->base.events && !stream->silent && stream->base.events->on_body) {
        stream->unconsumed += piece.size;
        stream->base.events->on_body(stream->base.owner, &stream->base, piece);
    }
}

static Turn read_body(Http1 *http1, Bytes *input, Result *result)
{
    Bytes piece = BYTES_NONE;
    Http1Refusal why;
    Fields trailers = fields_in(http1->arena);
    size_t before = input->size;
    Http1BodyStep step = http1_body_next(&http1->body, input, &piece, &why);
    count_read(http1, before - input->size);
    switch (step) {
    case HTTP1_STEP_MORE: return TURN_WAIT;
    case HTTP1_STEP_PIECE:
        http1->continue_due = false;
        take_body(http1, piece);
        return TURN_ON;
    case HTTP1_STEP_END:
        if (http1->body.trailers && http1_parse_trailers(http1->arena, &http1->base.limits,
                                                         buffer_bytes(http1->body.trailers),
                                                         &trailers, &why) != HTTP1_PARSED) {
            *result = http1_refuse(http1, &why, NULL);
            return TURN_WAIT;
        }
        http1_tell_end(http1, &trailers);
        return TURN_ON;
    case HTTP1_STEP_BAD: *result = http1_refuse(http1, &why, NULL); return TURN_WAIT;
    }
    return TURN_WAIT;
}

static Turn read_tunnel(Http1 *http1, Bytes *input)
{
    if (input->size == 0)
        return TURN_WAIT;
    Bytes piece = *input;
    *input = BYTES_NONE;
    take_body(http1, piece);
    return TURN_ON;
}

/* Processes as much of `input` as possible; the caller holds the rest. */
static Result read_on(Http1 *http1, Bytes *input)
{
    Result result = OK;
    Turn turn = TURN_ON;
    while (turn == TURN_ON) {
        switch (http1->reading) {
        case HTTP1_READ_HEAD: turn = read_head(http1, input, &result); break;
        case HTTP1_READ_BODY: turn = read_body(http1, input, &result); break;
        case HTTP1_READ_TUNNEL: turn = read_tunnel(http1, input); break;
        case HTTP1_READ_WAIT: turn = TURN_WAIT; break;
        case HTTP1_READ_NOTHING:
            *input = BYTES_NONE;
            turn = TURN_WAIT;
            break;
        }
    }
    /* The client may wait for 100 Continue before it sends the body. */
    if (http1->continue_due && http1->stream && http1->reading == HTTP1_READ_BODY)
        http1_write_continue(http1);
    return result;
}

Result http1_read_held(Http1 *http1)
{
    uint8_t *held = http1->held;
    size_t size = http1->held_size, capacity = http1->held_capacity;
    Bytes input = bytes(held, size);
    http1->held = NULL; /* events may end the connection, which frees held input */
    http1->held_size = http1->held_capacity = 0;
    http_connection_hold(&http1->base, -(int64_t)capacity);
    Result r = read_on(http1, &input);
    if (input.size == 0 || http1->reading == HTTP1_READ_NOTHING) {
        free(held);
        return r;
    }
    memmove(held, input.data, input.size);
    http1->held = held;
    http1->held_size = (uint32_t)input.size;
    http1->held_capacity = (uint32_t)capacity;
    http_connection_hold(&http1->base, (int64_t)capacity);
    return r;
}

static Result hold_if_granted(Http1 *http1, Bytes input)
{
    const Fault *refused = ask_for(http1, input.size);
    if (refused)
        return http1_refuse_head(http1, refused);
    hold(http1, input);
    return OK;
}

Result http1_read(Http1 *http1, Bytes input)
{
    if (http1->held_size) {
        Result r = hold_if_granted(http1, input);
        return failed(r) ? r : http1_read_held(http1);
    }
    Result r = read_on(http1, &input);
    if (!input.size || http1->reading == HTTP1_READ_NOTHING)
        return r;
    Result held = hold_if_granted(http1, input);
    return failed(held) ? held : r;
}
