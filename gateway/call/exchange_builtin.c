/* The services that the gateway itself gives: gRPC health and server reflection. */
#include "base/arena.h"
#include "gateway/builtin/reflection.h"
#include "gateway/call/exchange_internal.h"

struct Builtin {
    const char *path;
    /* Answers one request with one message, into `out`. */
    Result (*answer)(Exchange *x, Bytes request, Buffer *out);
    bool one_request; /* else each message of the request's stream is answered */
    bool stream;      /* of answers */
};

/* ---- Health ---------------------------------------------------------------------------------- */

static Result read_name(Exchange *x, Bytes request, Bytes *name_out)
{
    return health_read(request, name_out) ? OK
                                          : FAIL_TELL(x->arena, FAULT_BAD_MESSAGE,
                                                      "HealthCheckRequest is cut off or malformed");
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
        return FAIL_TELL(x->arena, FAULT_UNKNOWN_SERVICE, "health of %.*s", BYTES_ARGS(shown));
    health_write(health, out);
    return OK;
}

static const Step *send_health(Exchange *x)
{
    Buffer out = buffer_in(exchange_scratch(x));
    health_write(x->watch.health, &out);
    return exchange_send_answer(x, buffer_bytes(&out));
}

static const Step *end_well(Exchange *x)
{
    Status ok = {.code = CODE_OK};
    return exchange_reply_end(x, &ok, NULL);
}

static void tell_health(HealthWatch *watch)
{
    Exchange *x = (Exchange *)((char *)watch - offsetof(Exchange, watch));
    const Step *step = send_health(x);
    if (step == STEP_WAIT && x->loop->draining)
        step = end_well(x);
    exchange_run(x, step);
}

static Result answer_watch(Exchange *x, Bytes request, Buffer *out)
{
    Bytes name;
    Result r = read_name(x, request, &name);
    if (failed(r))
        return r;
    x->watch.name = bytes_copy(x->arena, name);
    x->watch.tell = tell_health;
    health_watch_start(&x->watch, x->loop);
    health_write(x->watch.health, out);
    return OK;
}

/* ---- Reflection ------------------------------------------------------------------------------ */

static Result answer_reflection(Exchange *x, Bytes request, Buffer *out)
{
    return reflection_answer(&x->reflection, request, exchange_scratch(x), out);
}

static const Builtin builtins[] = {
    {"/grpc.health.v1.Health/Check", answer_check, true, false},
    {"/grpc.health.v1.Health/Watch", answer_watch, true, true},
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", answer_reflection, false, true},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", answer_reflection, false,
     true},
};

const Builtin *builtin_find(const Config *config, Bytes path)
{
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++) {
        bool served = builtins[i].answer != answer_reflection || !config->no_reflection;
        if (served && bytes_are(path, builtins[i].path))
            return &builtins[i];
    }
    return NULL;
}

/* ---- The call -------------------------------------------------------------------------------- */

static const Step *builtin_begin(Exchange *x)
{
    if (x->call.codec != CODEC_PROTO)
        return exchange_fail(x, FAIL_TELL(x->arena, FAULT_UNSUPPORTED_MEDIA,
                                          "%s speaks protobuf only", x->builtin->path));
    if (x->builtin->stream && !dialect_is_framed(x->call.dialect))
        return exchange_fail(
            x, FAIL_TELL(x->arena, FAULT_UNSUPPORTED_MEDIA, "%s is a stream", x->builtin->path));
    Result r = reflection_view(x->config, &x->head->fields, x->record.client, x->record.began,
                               x->arena, &x->reflection);
    if (failed(r))
        return exchange_fail(x, r);
    exchange_start_deadline(x);
    if (x->builtin->stream)
        x->scratch = NULL;
    message_reader_init(&x->client.reader, x->call.dialect, false, x->call.compression,
                        x->config->limits.message_bytes, x->arena);
    return STEP_WAIT;
}

const Step STEP_builtin = {"builtin", builtin_begin};

static const Step *wrong_count(Exchange *x, const char *how_many)
{
    return exchange_fail(x, FAIL_TELL(x->arena, FAULT_UNSUPPORTED, "%s takes one message, and %s",
                                      x->builtin->path, how_many));
}

static const Step *answer_one(Exchange *x, Bytes request)
{
    if (x->builtin->one_request && x->has_message)
        return wrong_count(x, "more were sent");
    x->has_message = true;
    x->record.messages_in++;
    Buffer out = buffer_in(exchange_scratch(x));
    Result r = x->builtin->answer(x, request, &out);
    if (failed(r))
        return exchange_fail(x, error_copy(x->arena, r));
    if (x->builtin->stream)
        return exchange_send_answer(x, buffer_bytes(&out));
    x->attempt->answer_message = (Message){.bytes = buffer_bytes(&out)};
    return STEP_WAIT;
}

static const Step *builtin_end(Exchange *x)
{
    Message message;
    Result why = OK;
    MessageOutcome outcome = message_reader_finish(&x->client.reader, &message, &why);
    if (outcome == MESSAGE_FAILED)
        return exchange_fail(x, why);
    const Step *step = outcome == MESSAGE_DONE ? answer_one(x, message.bytes) : STEP_WAIT;
    if (step != STEP_WAIT)
        return step;
    if (x->builtin->one_request && !x->has_message)
        return wrong_count(x, "none was sent");
    if (!x->builtin->stream)
        return exchange_reply_message(x, x->attempt->answer_message);
    return x->watch.at ? STEP_WAIT : end_well(x);
}

static bool client_takes_more(const Exchange *x)
{
    return http_stream_queued(x->client.stream) <= x->config->limits.http.queue_high;
}

/* Questions are small and answers large: those that the client does not take yet are not made
   yet. */
static const Step *answer_early(Exchange *x)
{
    Bytes rest = buffer_bytes(&x->early);
    MessageOutcome outcome = MESSAGE_DONE;
    const Step *step = STEP_WAIT;
    while (step == STEP_WAIT && outcome != MESSAGE_MORE && client_takes_more(x)) {
        Message message;
        Result why = OK;
        outcome = message_reader_read(&x->client.reader, &rest, &message, &why);
        if (outcome == MESSAGE_FAILED)
            step = exchange_fail(x, why);
        else if (outcome == MESSAGE_DONE)
            step = answer_one(x, message.bytes);
    }
    if (step != STEP_WAIT)
        return step;
    if (rest.size)
        memmove(x->early.data, rest.data, rest.size);
    x->early.size = rest.size;
    return STEP_WAIT;
}

const Step *builtin_go_on(Exchange *x)
{
    const Step *step = answer_early(x);
    if (step != STEP_WAIT || x->early.size || !client_takes_more(x))
        return step;
    http_stream_consume(x->client.stream, x->client.owed);
    x->client.owed = 0;
    return x->client.ended ? builtin_end(x) : STEP_WAIT;
}

const Step *builtin_read(Exchange *x, Bytes piece)
{
    x->client.owed += piece.size;
    buffer_add_bytes(&x->early, piece); /* the stream's window bounds it */
    if (x->early.full)
        return exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY, "keeping what is asked"));
    return builtin_go_on(x);
}
