/*
 * Another attempt of a call: after one that has failed, when policy says so,
 *
 *      attempt 1   pick ---- send ---- failed . . . . wait . . . .
 *      attempt 2                                                  pick ---- send ---- response
 *
 * or beside one that takes long (hedging): the first response counts.
 *
 *      attempt 1   pick ---- send ------------------------------- cancelled
 *      attempt 2   . . . . after . . . . pick -- send -- response
 *                                                        chosen: it goes to the caller
 *
 * If neither responds, a third one takes the place of the oldest, and so on: two run at once.
 *
 *      attempt 1   pick ---- send --------- cancelled
 *      attempt 2   . . . . after . . . . pick -- send -----------------------
 *      attempt 3                             . . . . after . . . . pick -- send -- response
 */
#include "gateway/call/exchange_internal.h"

struct Retry {
    Timer timer;
    Exchange *x;
    PolicyVerdict verdict;
};

struct Hedge {
    Timer timer;
    Exchange *x;
};

/* ---- After a failed one ---------------------------------------------------------------------- */

static const Step *begin(Exchange *x, const PolicyVerdict *verdict)
{
    if (!attempt_add(x, &x->latest->tried))
        return exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY, "starting another attempt"));
    x->latest->older = x->latest->before->older;
    x->latest->may_return = verdict->where == POLICY_OTHERS_FIRST;
    x->latest->trial = verdict->charge == CHARGE_TRIAL;
    telemetry_count(x->loop, COUNTER_RETRIES);
    exchange_heal(x, HEALING_RETRY);
    return &STEP_pick;
}

static void on_time(Timer *timer)
{
    struct Retry *retry = (struct Retry *)timer;
    exchange_run(retry->x, begin(retry->x, &retry->verdict));
}

/* Budget is taken at once, so that calls that wait at the same time do not take it twice. */
const Step *exchange_retry(Attempt *before, const PolicyVerdict *verdict)
{
    Exchange *x = before->exchange;
    exchange_stop_hedge(x);
    if (verdict->charge == CHARGE_RETRY) {
        pick_charge(x->loop, &before->pick, CHARGE_RETRY);
        x->n_backoffs = verdict->backs_off ? (uint16_t)(x->n_backoffs + 1) : 0;
    }
    if (!verdict->wait)
        return begin(x, verdict);
    if (!x->retry)
        x->retry = arena_make(x->arena, struct Retry);
    if (!x->retry)
        return exchange_fail(x, FAIL(x->arena, FAULT_OUT_OF_MEMORY, "starting another attempt"));
    *x->retry = (struct Retry){.timer = {.fire = on_time}, .x = x, .verdict = *verdict};
    timer_start(&x->loop->timers, &x->retry->timer, x->loop->now + verdict->wait);
    return STEP_WAIT;
}

void exchange_stop_retry(Exchange *x)
{
    if (x->retry)
        timer_stop(&x->loop->timers, &x->retry->timer);
}

/* gRPC says it in the trailers, which may also be the head. */
Bytes attempt_pushback(const Attempt *attempt)
{
    const Answer *answer = &attempt->answer;
    Bytes pushback = fields_get(&answer->trailers, "grpc-retry-pushback-ms");
    return pushback.data ? pushback : fields_get(&answer->metadata, "grpc-retry-pushback-ms");
}

void exchange_take_advice(const Attempt *attempt, PolicyQuestion *question)
{
    Exchange *x = attempt->exchange;
    Bytes retry_after = fields_get(&attempt->answer.metadata, "retry-after");
    PolicyAdvice advice = policy_read_advice(attempt_pushback(attempt), retry_after, clock_wall(),
                                             &question->advised);
    x->told_off |= advice == ADVICE_STOP;
    question->advice = x->told_off ? ADVICE_STOP : advice;
}

/* ---- Beside a slow one ----------------------------------------------------------------------- */

static uint32_t count_live(const Exchange *x)
{
    uint32_t n = 0;
    for (const Attempt *attempt = x->latest; attempt; attempt = attempt->before)
        n += attempt_is_live(attempt);
    return n;
}

static bool may_respond(const Attempt *attempt)
{
    return attempt_is_live(attempt) && attempt->record.asked &&
           !upstream_is_silent(attempt->pick.upstream);
}

/* Whether an instance has seen the call and may still respond. Else another attempt is no load
   beside the first one, but in place of it. */
static bool any_is_asked(const Exchange *x)
{
    const Attempt *attempt = x->latest;
    while (attempt && !may_respond(attempt))
        attempt = attempt->before;
    return attempt != NULL;
}

/* Whether the call is one of those that Hedge.percent counts. */
static bool is_hedged(const Exchange *x)
{
    const Attempt *attempt = x->latest;
    while (attempt && !attempt->pick.hedge)
        attempt = attempt->before;
    return attempt != NULL;
}

static bool any_responds(const Exchange *x)
{
    const Attempt *attempt = x->latest;
    while (attempt && !(attempt_is_live(attempt) && attempt->has_answer))
        attempt = attempt->before;
    return attempt != NULL;
}

/* Within what is allowed of two attempts at once. */
static bool may_add_load(Exchange *x)
{
    return exchange_may_heal(x, HEALING_HEDGE) &&
           (is_hedged(x) || pick_may_hedge(&x->latest->pick, x->route->hedge_percent));
}

/* 0: none is to be started. */
static int64_t time_of_hedge(const Attempt *attempt)
{
    const Exchange *x = attempt->exchange;
    const DelaySketch *delays = pick_delays(&attempt->pick, x->method);
    return delays ? delays->p95 : x->route->hedge_after;
}

/* There is no room for it now: other calls have it, which end. */
static void hedge_later(Exchange *x)
{
    timer_start(&x->loop->timers, &x->hedge->timer, x->loop->now + time_of_hedge(x->latest));
}

bool exchange_attempt_also(Exchange *x)
{
    RetryRefusal refusal;
    PolicyQuestion q = exchange_question(x, x->latest);
    bool adds_load = any_is_asked(x);
    q.other = count_live(x) > 1 && any_responds(x);
    q.budget_spent &= adds_load;
    bool may = policy_may_hedge(&q, &refusal);
    bool has_room = !memory_is_short() && (!adds_load || may_add_load(x));
    if (refusal && refusal != RETRY_REFUSED_ATTEMPTS)
        x->record.retry_refused = refusal;
    if (refusal == RETRY_REFUSED_BUDGET || (may && !has_room))
        hedge_later(x);
    if (!may || !has_room || !attempt_add(x, &x->latest->tried))
        return true;
    x->latest->also = true;
    return exchange_run(x, &STEP_pick);
}

static void cancel_other(Attempt *other, const Attempt *chosen, const char *why)
{
    Exchange *x = other->exchange;
    attempt_end(
        other, CODE_CANCELLED,
        FAIL(x->arena, FAULT_SUPERSEDED, "%s %s", chosen->pick.instance->address.text, why));
    attempt_drop(other);
    arena_free(other->answer_in);
    other->answer_in = NULL;
    if (attempt_counts(other))
        telemetry_count(x->loop, COUNTER_ATTEMPTS_CANCELLED);
}

/* So that two run at once: the oldest has had the most time. */
static void make_way_for(const Attempt *attempt)
{
    Attempt *oldest = NULL;
    for (Attempt *other = attempt->before; other; other = other->before) {
        if (attempt_is_live(other))
            oldest = other;
    }
    if (oldest && count_live(attempt->exchange) > 2)
        cancel_other(oldest, attempt, "is asked in its place");
}

/* Also if no other one may be asked: the sooner it is known that instances are silent, the fewer
   calls go there, and those that did need no budget to be sent elsewhere. */
static void doubt_instances(const Exchange *x)
{
    for (const Attempt *attempt = x->latest; attempt; attempt = attempt->before) {
        const AttemptRecord *record = &attempt->record;
        if (attempt_is_live(attempt) && record->asked && !record->headed)
            upstream_doubt(x->loop, record->instance, record->asked);
    }
}

static void on_slow(Timer *timer)
{
    Exchange *x = ((struct Hedge *)timer)->x;
    doubt_instances(x);
    exchange_attempt_also(x);
}

static void charge_also(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    attempt->charged = true;
    if (!is_hedged(x))
        pick_hedge(&attempt->pick);
    pick_charge(x->loop, &attempt->pick, CHARGE_RETRY);
}

static void begin_also(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    telemetry_count(x->loop, COUNTER_HEDGES);
    exchange_heal(x, HEALING_HEDGE);
    if (any_is_asked(x))
        charge_also(attempt);
    make_way_for(attempt);
}

/* Another one was started while this one waited for a connection, or this one while another one
   did: by now that has been sent. */
bool attempt_may_be_sent_also(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    if (attempt->charged || !any_is_asked(x))
        return true;
    if (pick_budget_is_spent(x->loop, &attempt->pick) || !may_add_load(x))
        return false;
    charge_also(attempt);
    return true;
}

void attempt_give_way(Attempt *attempt)
{
    const Attempt *other = attempt->exchange->latest;
    while (other == attempt || !attempt_is_live(other) || !other->record.asked)
        other = other->before;
    cancel_other(attempt, other, "was asked first");
}

void exchange_plan_hedge(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    if (attempt->also)
        begin_also(attempt);
    int64_t after = time_of_hedge(attempt);
    if (!after || !x->method->safe || attempt->older)
        return;
    if (!x->hedge)
        x->hedge = arena_make(x->arena, struct Hedge);
    if (!x->hedge) /* it can do without */
        return;
    x->hedge->x = x;
    x->hedge->timer.fire = on_slow;
    timer_start(&x->loop->timers, &x->hedge->timer, x->loop->now + after);
}

void exchange_hedge_again(Exchange *x, int64_t wait)
{
    if (x->hedge && !x->told_off)
        timer_start(&x->loop->timers, &x->hedge->timer, x->loop->now + wait);
}

void exchange_stop_hedge(Exchange *x)
{
    if (x->hedge)
        timer_stop(&x->loop->timers, &x->hedge->timer);
}

bool exchange_has_other(const Attempt *attempt)
{
    const Attempt *other = attempt->exchange->latest;
    while (other && (other == attempt || !attempt_is_live(other)))
        other = other->before;
    return other != NULL;
}

void exchange_drop_attempts(Exchange *x, Code code, Result why)
{
    exchange_stop_retry(x);
    for (Attempt *attempt = x->latest; attempt; attempt = attempt->before) {
        attempt_end(attempt, code, why);
        attempt_drop(attempt);
    }
}

void exchange_choose(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    if (x->chosen)
        return;
    x->chosen = attempt;
    exchange_mark_older(attempt);
    exchange_stop_hedge(x);
    for (Attempt *other = x->latest; other; other = other->before) {
        if (other != attempt && attempt_is_live(other))
            cancel_other(other, attempt, "responded first");
    }
}
