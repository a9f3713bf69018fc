#include "gateway/policy/breaker.h"

#include <string.h>

enum { DOUBLINGS = 2 /* of the time that it stays open: clients wait for it once all is well */ };

static void forget(Breaker *b)
{
    memset(b->calls, 0, sizeof b->calls);
    memset(b->failures, 0, sizeof b->failures);
}

/* Slices that are over make room. */
static void turn(Breaker *b, const BreakerConfig *limits, int64_t now)
{
    int64_t length = limits->window / BREAKER_SLICES;
    if (now < b->slice_until)
        return;
    int64_t passed = (now - b->slice_until) / length + 1;
    for (int64_t i = 0; i < passed && i < BREAKER_SLICES; i++) {
        b->slice = (b->slice + 1) % BREAKER_SLICES;
        b->calls[b->slice] = b->failures[b->slice] = 0;
    }
    b->slice_until += passed * length;
}

void breaker_count(Breaker *b, const BreakerConfig *limits, int64_t now, uint32_t *calls_out,
                   uint32_t *failures_out)
{
    turn(b, limits, now);
    *calls_out = *failures_out = 0;
    for (uint32_t i = 0; i < BREAKER_SLICES; i++) {
        *calls_out += b->calls[i];
        *failures_out += b->failures[i];
    }
}

static void open(Breaker *b, const BreakerConfig *limits, int64_t now)
{
    uint32_t doublings = b->n_opened < DOUBLINGS ? b->n_opened : DOUBLINGS;
    b->state = BREAKER_OPEN;
    b->open_until = now + (limits->open << doublings);
    b->n_opened++;
    b->n_passed = b->n_failed = 0;
}

static void next_round(Breaker *b)
{
    b->round++;
    b->n_probes = 0;
}

static void start_probing(Breaker *b)
{
    b->state = BREAKER_PROBING;
    next_round(b);
    b->first_round = b->round;
}

BreakerTicket breaker_ask(Breaker *b, const BreakerConfig *limits, int64_t now)
{
    if (b->state == BREAKER_CLOSED)
        return TICKET_CALL;
    if (b->state == BREAKER_OPEN && now < b->open_until)
        return TICKET_NONE;
    if (b->state == BREAKER_OPEN)
        start_probing(b);
    bool full = b->n_probes && b->n_probes + b->n_passed + b->n_failed >= limits->probes;
    if (full && now < b->round_until)
        return TICKET_NONE;
    if (full)
        next_round(b);
    b->n_probes++;
    b->round_until = now + limits->open;
    return TICKET_PROBE + b->round;
}

void breaker_try_now(Breaker *b, int64_t now)
{
    if (b->state == BREAKER_OPEN && now < b->open_until)
        b->open_until = now;
}

static BreakerChange tell_probe(Breaker *b, const BreakerConfig *limits, uint32_t round,
                                BreakerOutcome outcome, int64_t now)
{
    bool settled = b->state != BREAKER_PROBING || round < b->first_round;
    if (settled) /* without this one: another probe has failed, or enough went well */
        return BREAKER_SAME;
    b->n_probes -= round == b->round;
    b->n_passed += outcome == OUTCOME_GOOD;
    b->n_failed += outcome == OUTCOME_FAILED;
    if ((uint64_t)b->n_failed * 100 >= (uint64_t)limits->probes * limits->percent) {
        open(b, limits, now);
        return BREAKER_STAYED;
    }
    if (b->n_passed + b->n_failed < limits->probes)
        return BREAKER_SAME;
    forget(b);
    b->state = BREAKER_CLOSED;
    b->n_opened = b->n_passed = b->n_failed = 0;
    return BREAKER_ENDED;
}

BreakerChange breaker_tell(Breaker *b, const BreakerConfig *limits, BreakerTicket ticket,
                           BreakerOutcome outcome, int64_t now)
{
    if (ticket_is_probe(ticket))
        return tell_probe(b, limits, ticket - TICKET_PROBE, outcome, now);
    if (ticket == TICKET_NONE || outcome == OUTCOME_UNKNOWN || b->state != BREAKER_CLOSED)
        return BREAKER_SAME;
    turn(b, limits, now);
    b->calls[b->slice]++;
    if (outcome == OUTCOME_GOOD)
        return BREAKER_SAME;
    b->failures[b->slice]++;
    uint32_t calls, failures;
    breaker_count(b, limits, now, &calls, &failures);
    if (calls < limits->calls || (uint64_t)failures * 100 < (uint64_t)calls * limits->percent)
        return BREAKER_SAME;
    open(b, limits, now);
    return BREAKER_OPENED;
}
