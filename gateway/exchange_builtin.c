/* The services that the gateway itself gives: gRPC health and server reflection. */
#include "base/arena.h"
#include "gateway/exchange_internal.h"
#include "gateway/health.h"
#include "gateway/reflection.h"

struct Builtin {
    const char *path;
    /* Answers one request with one message, into `out`. */
    Result (*answer)(Exchange *x, Bytes request, Buffer *out);
    bool unary; /* else each message of the request's stream is answered */
    bool watch; /* goes on telling changes until the client leaves */
};

enum { WATCH_SECONDS = 1 };

/* ---- Health -------------------------------------------------------------------------------------- */

static Result read_name(Exchange *x, Bytes request, Bytes *name_out)
{
    return health_read(request, name_out)
               ? OK
               : FAIL(x->arena, FAULT_BAD_MESSAGE, "HealthCheckRequest is cut off or malformed");
}

static Result answer_check(Exchange *x, Bytes request, Buffer *out)
{
    Bytes name;
    Result r = read_name(x, request, &name);
    if (failed(r))
        return r;
    Health health = health_of(x->loop, x->config, name);
    Bytes shown = bytes_slice(name, 0, 200);
    if (health == HEALTH_SERVICE_UNKNOWN)
        return FAIL(x->arena, FAULT_UNKNOWN_SERVICE, "health of %.*s", BYTES_ARGS(shown));
    health_write(health, out);
    return OK;
}

static void tell_change(Timer *timer)
{
    Exchange *x = (Exchange *)((char *)timer - offsetof(Exchange, watch_timer));
    Health health = health_of(x->loop, x->config, x->watched);
    const Step *step = STEP_WAIT;
    if ((int)health != x->watched_health) {
        Buffer out = buffer_in(exchange_scratch(x));
        health_write(health, &out);
        x->watched_health = (int)health;
        step = exchange_send_answer(x, buffer_bytes(&out));
    }
    if (step == STEP_WAIT)
        timer_start(&x->loop->timers, &x->watch_timer, x->loop->now + WATCH_SECONDS * SECOND);
    exchange_run(x, step);
}

static Result answer_watch(Exchange *x, Bytes request, Buffer *out)
{
    Bytes name;
    Result r = read_name(x, request, &name);
    if (failed(r))
        return r;
    x->watched = bytes_copy(x->arena, name);
    x->watched_health = (int)health_of(x->loop, x->config, name);
    health_write((Health)x->watched_health, out);
    x->watch_timer.fire = tell_change;
    timer_start(&x->loop->timers, &x->watch_timer, x->loop->now + WATCH_SECONDS * SECOND);
    return OK;
}

/* ---- Reflection ---------------------------------------------------------------------------------- */

static Result answer_reflection(Exchange *x, Bytes request, Buffer *out)
{
    return reflection_answer(&x->reflection, request, exchange_scratch(x), out);
}

static const Builtin builtins[] = {
    {"/grpc.health.v1.Health/Check", answer_check, true, false},
    {"/grpc.health.v1.Health/Watch", answer_watch, false, true},
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", answer_reflection, false, false},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", answer_reflection, false, false},
};

const Builtin *builtin_find(Bytes path)
{
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++) {
        if (bytes_are(path, builtins[i].path))
            return &builtins[i];
    }
    return NULL;
}

/* ---- The call ------------------------------------------------------------------------------------ */

static const Step *builtin_begin(Exchange *x)
{
    if (x->call.codec != CODEC_PROTO)
        return exchange_fail(x, FAIL(x->arena, FAULT_UNSUPPORTED_MEDIA, "%s speaks protobuf only",
                                     x->builtin->path));
    Result r = reflection_view(x->config, &x->head->fields, x->record.client, x->record.began, x->arena,
                               &x->reflection);
    if (failed(r))
        return exchange_fail(x, r);
    exchange_start_deadline(x);
    if (!x->builtin->unary)
        x->scratch = NULL;
    message_reader_init(&x->client.reader, x->call.dialect, false, x->call.compression,
                        x->config->limits.message_bytes, x->arena);
    return STEP_WAIT;
}

const Step STEP_builtin = {"builtin", builtin_begin};

static const Step *answer_one(Exchange *x, Bytes request)
{
    Buffer out = buffer_in(exchange_scratch(x));
    Result r = x->builtin->answer(x, request, &out);
    x->record.messages_in++;
    if (failed(r))
        return exchange_fail(x, error_copy(x->arena, r));
    if (!x->builtin->unary)
        return exchange_send_answer(x, buffer_bytes(&out));
    x->answer_message = buffer_bytes(&out);
    x->has_answer_message = true;
    return STEP_WAIT;
}

const Step *builtin_read(Exchange *x, Bytes piece)
{
    Message message;
    Result why = OK;
    for (;;) {
        switch (message_reader_read(&x->client.reader, &piece, &message, &why)) {
        case MESSAGE_MORE: return STEP_WAIT;
        case MESSAGE_END: continue;
        case MESSAGE_FAILED: return exchange_fail(x, why);
        case MESSAGE_DONE: break;
        }
        const Step *step = answer_one(x, message.bytes);
        if (step != STEP_WAIT)
            return step;
    }
}

const Step *builtin_end(Exchange *x)
{
    Message message;
    Result why = OK;
    MessageOutcome outcome = message_reader_finish(&x->client.reader, &message, &why);
    if (outcome == MESSAGE_FAILED)
        return exchange_fail(x, why);
    const Step *step = outcome == MESSAGE_DONE ? answer_one(x, message.bytes) : STEP_WAIT;
    if (step != STEP_WAIT || x->builtin->watch)
        return step;
    if (!x->builtin->unary) {
        Status ok = {.code = CODE_OK};
        return exchange_reply_end(x, &ok, NULL);
    }
    if (!x->has_answer_message)
        return exchange_fail(x, FAIL(x->arena, FAULT_UNSUPPORTED, "%s takes one message; none was sent",
                                     x->builtin->path));
    return exchange_reply_message(x, x->answer_message);
}
