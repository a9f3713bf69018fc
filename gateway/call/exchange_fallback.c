/*
 * What stands in for the response of a failed call: an attempt at another version, or a response
 * from the table of gateway/failure. Policy decides which one is next.
 *
 *      decide -> fall back by `older` -> attempt -> its response, marked
 *             -> fall back by another -> its response, marked; or it has none: the next one
 */
#include "gateway/call/exchange_internal.h"

static void mark(Exchange *x, Fallback fallback, int64_t age)
{
    x->record.degraded = x->record.why.error->fault->name;
    x->record.degraded_by = fallback;
    x->record.degraded_age = (uint32_t)(age / SECOND);
}

/* ---- From the table -------------------------------------------------------------------------- */

static FallbackCall call_of(const Exchange *x)
{
    return (FallbackCall){
        .loop = x->loop,
        .config = x->config,
        .route = x->route,
        .method = x->method,
        .reply = x->version.reply,
        .binding = x->binding,
        .call = &x->call,
        .identity = x->identity,
        .client = &x->client,
        .request = x->message,
        .candidate = x->cohort && x->cohort->place.arm == COHORT_CANDIDATE,
        .arena = x->arena,
    };
}

/* What the config says is in the client's version; what was kept is what the client asked for. */
static void use_clients_version(Exchange *x)
{
    x->version.reply = x->record.reply_version = x->version.client;
    x->reply_binding = x->binding;
}

static const Step *give_from_table(Exchange *x, Fallback fallback)
{
    const FallbackTable *table = x->loop->fallbacks;
    FallbackCall call = call_of(x);
    FallbackReply reply = {.age = 0};
    if (!table || !table->give[fallback](&call, &reply))
        return NULL;
    x->own_response = true;
    mark(x, fallback, reply.age);
    if (fallback != FALLBACK_STALE)
        use_clients_version(x);
    return x->kind->reply_fallback(x, reply.message);
}

void exchange_plan_keeping(Exchange *x)
{
    x->keeps = exchange_is_unary(x) && (x->method->safe || x->route->writes) && x->loop->fallbacks;
}

void exchange_keep_reply(const Attempt *attempt, Message message)
{
    const Exchange *x = attempt->exchange;
    bool good = x->record.status.code == CODE_OK && !x->own_response;
    bool shared = false;
    if (good && !message.compressed && !attempt->older) {
        FallbackCall call = call_of(x);
        shared = x->loop->fallbacks->keep(&call, &attempt->answer.metadata,
                                          &attempt->answer.trailers, message.bytes);
    }
    if (x->joining && shared)
        join_share(x->joining, message.bytes, x->record.request_id,
                   bytes_of(attempt->pick.served->name));
    else if (x->joining)
        join_disperse(x->joining);
}

/* That of another version may only say that its data are elsewhere. */
void exchange_drop_reply(const Attempt *attempt)
{
    const Exchange *x = attempt->exchange;
    Code code = attempt->answer.status.code;
    bool is_gone =
        code == CODE_NOT_FOUND || code == CODE_PERMISSION_DENIED || code == CODE_UNAUTHENTICATED;
    if (!is_gone || attempt->older)
        return;
    FallbackCall call = call_of(x);
    x->loop->fallbacks->drop(&call);
}

/* ---- Equal calls ----------------------------------------------------------------------------- */

/* One that has waited. */
static void on_join_step(Joining *joining, JoinStep step)
{
    Exchange *x = joining->owner;
    joining->waited = x->loop->now - joining->since;
    if (step != JOIN_TAKE) {
        exchange_run(x, exchange_serve(x));
        return;
    }
    telemetry_count(x->loop, COUNTER_JOINED);
    x->own_response = true;
    x->record.joined = joining->from;
    exchange_run(x, x->kind->reply_fallback(x, joining->message));
}

/* At most half of the time that is left, so that the other half remains to ask an instance. */
static int64_t join_until(const Exchange *x)
{
    int64_t now = x->loop->now, half = (x->deadline - now) / 2;
    return now + (half < x->route->join_for ? half : x->route->join_for);
}

const Step *exchange_join(Exchange *x)
{
    if (x->config->n_rollouts)
        exchange_find_arm(x);
    FallbackCall call = call_of(x);
    ResponseKey key;
    if (!x->method->safe || !x->loop->fallbacks->key(&call, &key))
        return exchange_serve(x);
    x->joining = arena_make(x->arena, Joining);
    if (!x->joining)
        return exchange_serve(x);
    *x->joining =
        (Joining){.loop = x->loop, .arena = x->arena, .owner = x, .on_step = on_join_step};
    JoinStep step = join_enter(x->joining, &key, join_until(x), x->config->cache.joined);
    if (step != JOIN_WAIT)
        return exchange_serve(x);
    telemetry_count(x->loop, COUNTER_JOIN_WAITS);
    return STEP_WAIT;
}

void exchange_disperse(Exchange *x)
{
    if (!x->joining)
        return;
    join_disperse(x->joining);
    join_leave(x->joining);
}

/* ---- Another version ------------------------------------------------------------------------- */

/* The new attempt has an instance; NULL: there is none for it. It counts in the retry budget if an
   instance has seen the one before. */
static Attempt *add_older(Exchange *x)
{
    Attempt *before = x->latest;
    if (!attempt_add(x, &before->tried))
        return NULL;
    x->latest->older = true;
    if (failed(attempt_pick(x->latest))) {
        x->latest = before;
        return NULL;
    }
    if (before->sent)
        pick_charge(x->loop, &x->latest->pick, CHARGE_RETRY);
    exchange_heal(x, HEALING_OLDER);
    return x->latest;
}

static const Step *ask_older(Exchange *x)
{
    if (!add_older(x))
        return NULL;
    exchange_stop_hedge(x);
    x->chosen = NULL; /* whose response could not be given */
    telemetry_count(x->loop, COUNTER_RETRIES);
    return &STEP_pick;
}

void exchange_mark_older(const Attempt *attempt)
{
    if (attempt->older)
        mark(attempt->exchange, FALLBACK_OLDER, 0);
}

/* Half of the time has passed. The instance is given up only for one of another version. */
static void on_half_time(Timer *timer)
{
    Exchange *x = (Exchange *)((char *)timer - offsetof(Exchange, deadline_timer));
    Attempt *slow = x->latest;
    timer->fire = exchange_on_deadline;
    timer_start(&x->loop->timers, timer, x->deadline);
    bool is_waited_for = slow->record.began && attempt_is_live(slow) && !slow->answer_job;
    if (!is_waited_for || x->chosen || x->own_response || exchange_has_other(slow))
        return;
    PolicyQuestion question = exchange_question(x, slow);
    question.fault = exchange_deadline_fault(x);
    PolicyVerdict verdict = policy_decide(&question);
    if (verdict.refusal)
        x->record.retry_refused = verdict.refusal;
    if (verdict.action != POLICY_FALL_BACK || verdict.fallback != FALLBACK_OLDER || !add_older(x))
        return;
    Result why = FAIL(x->arena, *question.fault, "%s has not responded in half of the time",
                      slow->pick.instance->address.text);
    x->used_up |= 1u << FALLBACK_OLDER;
    x->record.why = why;
    exchange_disperse(x);
    attempt_end(slow, (Code)question.fault->grpc_status, why);
    attempt_drop(slow);
    exchange_stop_hedge(x);
    telemetry_count(x->loop, COUNTER_RETRIES);
    attempt_run(x->latest, &STEP_pick);
}

int64_t exchange_plan_older(Exchange *x)
{
    if (!x->method->safe_to_repeat || x->method->type->client_streaming)
        return x->deadline;
    x->deadline_timer.fire = on_half_time;
    return x->began + (x->deadline - x->began) / 2;
}

/* ---- Both ------------------------------------------------------------------------------------ */

const Step *exchange_fall_back(Exchange *x, Fallback fallback, Result why)
{
    x->used_up |= 1u << fallback;
    if (!failed(x->record.why)) /* the cause is what failed first */
        x->record.why = why;
    return fallback == FALLBACK_OLDER ? ask_older(x) : give_from_table(x, fallback);
}

/* ---- Responses that are made ----------------------------------------------------------------- */

/* Of methods whose responses the gateway makes itself: the request is converted to the version that
   is made, and the response is converted back, as if an instance had sent it. */

/* No instance is asked: the attempt is for its plans. */
static Result prepare(Attempt *attempt, const MakerTable *maker, Bytes *request_out)
{
    Exchange *x = attempt->exchange;
    const Method *target = x->method->extras->made_as;
    attempt->pick.pair = &x->method->pairs[target->version->index];
    attempt->pick.served = target->version;
    attempt->pick.why = maker->why;
    attempt->record.began = x->loop->now;
    Result r = attempt_choose_plans(attempt, CODEC_PROTO);
    if (!failed(r))
        r = attempt_convert_request(attempt, request_out);
    if (!failed(r) && request_out->size > target->extras->made_bytes)
        r = FAIL_TELL(x->arena, FAULT_MESSAGE_TOO_LARGE,
                      "a request of %zu bytes, where the gateway itself takes %zu for %s",
                      request_out->size, target->extras->made_bytes, target->type->path);
    return r;
}

static const Step *make(Exchange *x, Attempt *attempt)
{
    const Method *target = x->method->extras->made_as;
    CHECK(x->loop->makers); /* of each loop that has clients */
    const MakerTable *maker = x->loop->makers[target->extras->maker];
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
    const Method *made = x->method->extras->made_as;
    bool asks = !made || (x->record.step_of && made->extras->maker == MAKER_JOB);
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
