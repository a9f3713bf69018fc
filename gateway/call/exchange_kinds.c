/* The kinds of exchange with an RPC method: one message or many, each way. */
#include "gateway/call/exchange_internal.h"

/* What is said of its fields elsewhere. */
static void see_request(Exchange *x, Message message)
{
    if (x->method->fields)
        exchange_see_fields(x, message);
    if (x->method->extras->log_fields)
        exchange_note_fields(x, message);
}

/* ---- A request of one message ---------------------------------------------------------------- */

static bool always(const Exchange *x)
{
    return true; /* the limit of a message bounds what is kept */
}

static const Step *wrong_count(Exchange *x, const char *how_many)
{
    return exchange_fail(x, FAIL_TELL(x->arena, FAULT_UNSUPPORTED, "%s takes one message, and %s",
                                      x->method->type->path, how_many));
}

/* The request is read completely before an instance is picked: an invalid one reaches no instance,
   and a valid one can be sent again. */
static const Step *keep_request(Exchange *x, Message message)
{
    if (x->has_message)
        return wrong_count(x, "more were sent");
    x->has_message = true;
    const CallerEvents *events = x->caller->events;
    x->message.compressed = message.compressed;
    x->message.bytes = events->reader
                           ? message_reader_keep(events->reader(x->caller), message.bytes)
                           : bytes_copy(x->arena, message.bytes);
    return x->message.bytes.data
               ? STEP_WAIT
               : exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY,
                                       "keeping the request of %zu bytes", message.bytes.size));
}

static const Step *end_one(Exchange *x, const Message *last)
{
    if (last && x->has_message)
        return wrong_count(x, "more were sent");
    if (last)
        x->message = *last;
    else if (!x->has_message)
        return wrong_count(x, "none was sent");
    x->has_message = true;
    x->record.messages_in = 1;
    see_request(x, x->message);
    Result r = x->method->extras->allow_paths ? exchange_allow(x) : OK;
    if (!failed(r) && x->method->limits && x->method->limits->costs)
        r = exchange_pay(x);
    if (failed(r))
        return exchange_fail(x, r);
    if (x->method->extras->keys)
        return exchange_claim(x);
    return x->keeps && x->route->join_for ? exchange_join(x) : exchange_serve(x);
}

/* ---- A request of many messages -------------------------------------------------------------- */

/* In their order: while one is on the work pool, the next is not wanted. */
static bool wants_next(const Exchange *x)
{
    return exchange_has_stream(x) && !x->latest->request_job;
}

static const Step *forward_request(Exchange *x, Message message)
{
    see_request(x, message);
    return exchange_forward_request(x, message, false);
}

static const Step *end_many(Exchange *x, const Message *last)
{
    if (last) {
        see_request(x, *last);
        return exchange_forward_request(x, *last, true);
    }
    exchange_sent(x->latest);
    http_stream_send_end(x->latest->side.stream, NULL);
    return STEP_WAIT;
}

/* ---- A response of one message --------------------------------------------------------------- */

static const Step *wait_for_all(Attempt *attempt, bool end)
{
    return STEP_WAIT;
}

static const Step *more_than_one(Attempt *attempt)
{
    return attempt_unusable(attempt, FAIL(attempt->exchange->arena, FAULT_UPSTREAM_CARDINALITY,
                                          "%s sent more than one message for %.*s",
                                          attempt->pick.instance->address.text,
                                          BYTES_ARGS(attempt->target.method)));
}

static const Step *keep_response(Attempt *attempt, Message message)
{
    Exchange *x = attempt->exchange;
    if (attempt->has_answer_message)
        return more_than_one(attempt);
    attempt->has_answer_message = true;
    attempt->answer_message.compressed = message.compressed;
    attempt->answer_message.bytes = message_reader_keep(&attempt->side.reader, message.bytes);
    return attempt->answer_message.bytes.data
               ? STEP_WAIT
               : attempt_unusable(attempt,
                                  FAIL(x->arena, FAULT_OUT_OF_MEMORY,
                                       "keeping a response of %zu bytes", message.bytes.size));
}

/* What is too large to be kept goes on as it comes, as fast as the caller takes it. From then on
   the call can no longer be repeated, as with a stream: its end says whether it went well. */
static const Step *pass_piece(Attempt *attempt, Message piece)
{
    bool first = !attempt->piece_left;
    if (first && attempt->has_answer_message)
        return more_than_one(attempt);
    attempt->has_answer_message = attempt->passed = true;
    attempt->piece_left = piece.left;
    exchange_choose(attempt);
    return exchange_give_piece(attempt->exchange, piece);
}

static const Step *reply_many(Attempt *attempt)
{
    const Answer *answer = &attempt->answer;
    exchange_choose(attempt);
    return exchange_give_end(attempt->exchange, &answer->status, &answer->trailers);
}

const Step *attempt_reply_with(Attempt *attempt, Message message)
{
    Exchange *x = attempt->exchange;
    if (x->keyed && exchange_keeps_for_key(attempt, &message))
        return STEP_WAIT;
    if (!attempt_is_light_answer(attempt, &message, x->arena))
        return attempt_work_on_answer(attempt, message);
    Result r = attempt_convert_answer(attempt, message, &message);
    if (failed(r))
        return attempt_unusable(attempt, exchange_keep_error(x, exchange_scratch(x), r));
    if (!attempt_is_light_to_close(attempt, message))
        return attempt_close_answer(attempt, message);
    exchange_choose(attempt);
    return exchange_keep(attempt, message,
                         exchange_give_response(x, message, &attempt->answer.trailers));
}

static const Step *reply_one(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    if (attempt->passed)
        return reply_many(attempt);
    if (!attempt->has_answer_message)
        return attempt_unusable(attempt, FAIL(x->arena, FAULT_UPSTREAM_CARDINALITY,
                                              "%s ended %.*s with OK but sent no message",
                                              attempt->pick.instance->address.text,
                                              BYTES_ARGS(attempt->target.method)));
    return attempt_reply_with(attempt, attempt->answer_message);
}

static const Step *fallback_one(Exchange *x, Bytes message)
{
    return exchange_give_response(x, (Message){.bytes = message}, NULL);
}

/* ---- A response of many messages ------------------------------------------------------------- */

/* The head goes on at once: its reader may wait for it. REST's waits for the first message: its
   status line says how the call went, which a head of the instance's does not, and of raw bytes it
   has the type. */
static const Step *pass_head(Attempt *attempt, bool end)
{
    Exchange *x = attempt->exchange;
    bool error = attempt->answer.has_status || attempt->answer.is_error;
    bool waits = x->call.dialect == DIALECT_REST;
    if (end || error || waits)
        return STEP_WAIT;
    exchange_choose(attempt);
    return exchange_give_head(x);
}

static const Step *pass_message(Attempt *attempt, Message message)
{
    Exchange *x = attempt->exchange;
    if (!attempt_is_light_answer(attempt, &message, exchange_scratch(x)))
        return attempt_work_on_answer(attempt, message);
    Result r = attempt_convert_answer(attempt, message, &message);
    if (failed(r))
        return attempt_unusable(attempt, error_copy(x->arena, r));
    if (!attempt_is_light_to_close(attempt, message))
        return attempt_close_answer(attempt, message);
    exchange_choose(attempt);
    return exchange_give_message(x, message);
}

static const Step *fallback_many(Exchange *x, Bytes message)
{
    Status ok = {.code = CODE_OK};
    const Step *step =
        message.data ? exchange_give_message(x, (Message){.bytes = message}) : STEP_WAIT;
    return step == STEP_WAIT ? exchange_give_end(x, &ok, NULL) : step;
}

/* ---- Held ------------------------------------------------------------------------------------ */

static bool never(const Exchange *x)
{
    return false;
}

const ExchangeKind KIND_HELD = {
    .name = "held", .wants = never, .has_room = never, .room = exchange_settle, .first = STEP_WAIT};

/* ---- The kinds ------------------------------------------------------------------------------- */

#define REQUEST_OF_ONE                                                                             \
    .first = STEP_WAIT, .picked = &STEP_convert, .wants = always, .has_room = always,              \
    .take = keep_request, .end = end_one, .send = attempt_send_one
#define REQUEST_OF_MANY                                                                            \
    .first = &STEP_pick, .picked = &STEP_connect, .wants = wants_next,                             \
    .has_room = exchange_instance_has_room, .take = forward_request, .end = end_many,              \
    .send = attempt_send_head
#define RESPONSE_OF_ONE                                                                            \
    .head = wait_for_all, .item = keep_response, .piece = pass_piece, .reply = reply_one,          \
    .reply_fallback = fallback_one
#define RESPONSE_OF_MANY                                                                           \
    .head = pass_head, .item = pass_message, .reply = reply_many, .reply_fallback = fallback_many
#define KIND(its_name, has_streams, request, response)                                             \
    {                                                                                              \
        .name = its_name, .streams = has_streams, request, response, .room = exchange_settle,      \
        .prepare = attempt_prepare                                                                 \
    }

/* By whether the request and the response are of many. */
static const ExchangeKind kinds[2][2] = {
    {KIND("unary", false, REQUEST_OF_ONE, RESPONSE_OF_ONE),
     KIND("server stream", true, REQUEST_OF_ONE, RESPONSE_OF_MANY)},
    {KIND("client stream", true, REQUEST_OF_MANY, RESPONSE_OF_ONE),
     KIND("both stream", true, REQUEST_OF_MANY, RESPONSE_OF_MANY)},
};

const ExchangeKind *exchange_kind_of(const Method *method)
{
    const MethodType *type = method->type;
    return &kinds[type->client_streaming][type->server_streaming];
}
