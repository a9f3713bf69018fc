/*
 * Two attempts at once (hedging): when the first one takes long, another instance is asked, too.
 *
 *      attempt 1   pick ---- send ------------------------------- cancelled
 *      attempt 2   . . . . after . . . . pick -- send -- response
 *                                                        chosen: it goes to the caller
 */
#include "gateway/call/exchange_internal.h"

struct Hedge {
    Timer timer;
    Exchange *x;
};

bool exchange_attempt_also(Exchange *x)
{
    PolicyQuestion q = exchange_question(x, x->latest);
    bool may = policy_may_hedge(&q) && !memory_is_short() &&
               pick_may_hedge(&x->latest->pick, x->route->hedge_percent);
    if (!may || !attempt_add(x, &x->latest->tried))
        return true;
    x->latest->also = true;
    return exchange_run(x, &STEP_pick);
}

static void on_time(Timer *timer)
{
    exchange_attempt_also(((struct Hedge *)timer)->x);
}

void exchange_plan_hedge(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    if (attempt->also) {
        pick_hedge(&attempt->pick);
        telemetry_count(x->loop, COUNTER_HEDGES);
        return;
    }
    if (!x->route->hedge_after || x->hedge || !x->method->safe)
        return;
    x->hedge = arena_make(x->arena, struct Hedge);
    if (!x->hedge) /* it can do without */
        return;
    *x->hedge = (struct Hedge){.timer = {.fire = on_time}, .x = x};
    timer_start(&x->loop->timers, &x->hedge->timer, x->loop->now + x->route->hedge_after);
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
    for (Attempt *attempt = x->latest; attempt; attempt = attempt->before) {
        attempt_end(attempt, code, why);
        attempt_drop(attempt);
    }
}

static void cancel_other(Attempt *other, const Attempt *chosen)
{
    Exchange *x = other->exchange;
    attempt_end(other, CODE_CANCELLED,
                FAIL(x->arena, FAULT_SUPERSEDED, "%s responded first",
                     chosen->pick.instance->address.text));
    attempt_drop(other);
    arena_free(other->answer_in);
    other->answer_in = NULL;
    if (attempt_counts(other))
        telemetry_count(x->loop, COUNTER_ATTEMPTS_CANCELLED);
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
            cancel_other(other, attempt);
    }
}
