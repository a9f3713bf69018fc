#include "gateway/call/attempt.h"

#include "gateway/call/exchange_internal.h"

bool attempt_add(Exchange *x, const PickTried *tried)
{
    Attempt *attempt = arena_make(x->arena, Attempt);
    if (!attempt)
        return false;
    *attempt = (Attempt){.exchange = x, .before = x->latest, .tried = {.before = tried}};
    x->latest = attempt;
    return true;
}

void attempt_asked(Attempt *attempt)
{
    Exchange *x = attempt->exchange;
    attempt->record.instance = attempt->pick.instance;
    attempt->record.asked = x->loop->now;
    if (x->record.n_attempts++ == 0)
        x->record.time_to_upstream = x->loop->now - x->began;
}

void attempt_forget_made(Attempt *attempt)
{
    arena_free(attempt->made_in);
    attempt->made_in = NULL;
}

void attempt_drop(Attempt *attempt)
{
    Side *side = &attempt->side;
    if (attempt->waiting)
        upstream_cancel(&attempt->wait);
    attempt->waiting = attempt->held = false;
    attempt_end_wait(attempt);
    attempt_drop_jobs(attempt);
    attempt_forget_made(attempt);
    if (!side->stream)
        return;
    if (!side->ended)
        http_stream_reset(side->stream, HTTP2_ERROR_CANCEL);
    http_stream_release(side->stream);
    side->stream = NULL;
}

void attempt_end(Attempt *attempt, Code code, Result why)
{
    AttemptRecord *record = &attempt->record;
    if (record->ended)
        return;
    record->ended = attempt->exchange->loop->now;
    record->code = code;
    record->why = why;
}

bool attempt_is_live(const Attempt *attempt)
{
    CHECK(attempt->record.began);
    return !attempt->record.ended;
}

bool attempt_counts(const Attempt *attempt)
{
    return attempt->record.instance != NULL;
}
