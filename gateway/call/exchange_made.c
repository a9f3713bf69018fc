/*
 * Methods whose responses the gateway makes itself: the request is converted to the version that is
 * made, and the response is converted back, as if an instance had sent it.
 */
#include "gateway/call/exchange_internal.h"

/* No instance is asked: the attempt is for its plans. */
static Result prepare(Attempt *attempt, const MakerTable *maker, Bytes *request_out)
{
    Exchange *x = attempt->exchange;
    const Method *target = x->method->made_as;
    attempt->pick.pair = &x->method->pairs[target->version->index];
    attempt->pick.served = target->version;
    attempt->pick.why = maker->why;
    attempt->record.began = x->loop->now;
    Result r = attempt_choose_plans(attempt, CODEC_PROTO);
    if (!failed(r))
        r = attempt_convert_request(attempt, request_out);
    if (!failed(r) && request_out->size > target->made_bytes)
        r = FAIL_TELL(x->arena, FAULT_MESSAGE_TOO_LARGE,
                      "a request of %zu bytes, where the gateway itself takes %zu for %s",
                      request_out->size, target->made_bytes, target->type->path);
    return r;
}

static const Step *make(Exchange *x, Attempt *attempt)
{
    const Method *target = x->method->made_as;
    CHECK(x->loop->makers); /* of each loop that has clients */
    const MakerTable *maker = x->loop->makers[target->maker];
    Bytes request;
    Result r = prepare(attempt, maker, &request);
    if (failed(r))
        return attempt_unusable(attempt, exchange_keep_error(x, exchange_scratch(x), r));
    MakeCall call = {.x = x,
                     .loop = x->loop,
                     .config = x->config,
                     .method = target,
                     .request = request,
                     .metadata = &x->call.metadata,
                     .identity = x->identity,
                     .record = &x->record,
                     .deadline = x->deadline,
                     .arena = x->arena};
    x->making = maker->begin(&call);
    return x->making ? STEP_WAIT
                     : exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY, "beginning %s",
                                             x->method->type->path));
}

const Step STEP_make = {"make", make};

/* A step of a job asks the instances, also of a method that begins jobs or is answered from them.
 */
const Step *exchange_serve(const Exchange *x)
{
    const Method *made = x->method->made_as;
    bool asks = !made || (x->record.step_of && made->maker == MAKER_JOB);
    return asks ? &STEP_pick : &STEP_make;
}

void exchange_describe_making(Exchange *x)
{
    const Making *making = x->making;
    if (making && making->maker->describe)
        x->record.legs = making->maker->describe(making, &x->record.partial);
}

void exchange_drop_making(Exchange *x)
{
    Making *making = x->making;
    x->making = NULL;
    if (making)
        making->maker->drop(making);
}

/* As with an error of an instance: nothing stands in for what the client has to know, and what is
   kept may go. */
static void tell_code(Exchange *x, Code code)
{
    x->used_up = UINT8_MAX;
    x->latest->answer.status.code = code;
    exchange_keep_no_more(x->latest);
}

static const Step *ask_instances(Exchange *x)
{
    exchange_drop_making(x);
    x->latest->pick = (Pick){.instance = NULL};
    x->latest->record.began = 0;
    return &STEP_pick;
}

void exchange_made(Exchange *x, const Made *made)
{
    exchange_describe_making(x);
    x->record.job = made->job;
    if (made->passed_on) {
        exchange_run(x, ask_instances(x));
        return;
    }
    if (failed(made->why)) {
        if (made->said && code_is_callers(made->said->code))
            tell_code(x, made->said->code);
        x->record.failed_leg = made->leg;
        x->record.said = made->said;
        exchange_run(x, exchange_fail(x, made->why));
        return;
    }
    x->keeps &= !x->record.partial; /* what lacks a part is not the last good response */
    exchange_run(x, attempt_reply_with(x->latest, (Message){.bytes = made->message}));
}
