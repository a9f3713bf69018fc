/*
 * Breaker: whether calls of a service are still made, or fail at once, because most of them fail.
 *
 *                 enough calls, and enough of them failed
 *      CLOSED ------------------------------------------------> OPEN
 *         ^                                                     |  ^
 *         | enough probes went well              `open` is over |  | too many failed: twice as long
 *         +---------------------------- PROBING <---------------+--+
 *
 * A window of some seconds is counted. While it is open no call is made; while it is probing, a few
 * at a time: a round of probes. It stays open for the same share of failures that opens it: a
 * service that is worked around well enough while it is closed is so while it is probed. A probe
 * that has not ended after `open` holds nobody up: the next round begins. Its end still counts,
 * until the breaker opens again. Mistakes of callers are not told to it.
 *
 * Of one loop and one service; no lock. Time is passed in: monotonic nanoseconds that do not go
 * back. All zeros: closed, nothing has happened.
 */
#ifndef GATEWAY_BREAKER_H
#define GATEWAY_BREAKER_H

#include "gateway/config/config.h"

enum { BREAKER_SLICES = 10 /* of the window */ };

typedef enum BreakerState { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_PROBING } BreakerState;

typedef struct Breaker {
    BreakerState state;
    int64_t slice_until; /* end of the present slice */
    uint32_t slice;
    uint32_t calls[BREAKER_SLICES], failures[BREAKER_SLICES];
    int64_t open_until;
    uint32_t n_opened;           /* in a row, without being closed in between */
    uint32_t n_probes;           /* PROBING: under way, of this round; */
    uint32_t n_passed, n_failed; /* and ended, of all rounds since it was open */
    uint32_t round, first_round; /* the present one; the first one since it was open */
    int64_t round_until;         /* then the next one may begin */
} Breaker;

/* What becomes of a call that ended. */
typedef enum BreakerChange {
    BREAKER_SAME,
    BREAKER_OPENED, /* it was closed, */
    BREAKER_STAYED, /* or too many probes failed */
    BREAKER_ENDED,  /* it is closed again */
} BreakerChange;

/* How a call is admitted; its end is told with the same. From TICKET_PROBE on: as a probe of a
   round. */
typedef uint32_t BreakerTicket;

enum { TICKET_NONE, TICKET_CALL, TICKET_PROBE };

static inline bool ticket_is_probe(BreakerTicket ticket)
{
    return ticket >= TICKET_PROBE;
}

/* TICKET_NONE: the call must not be made before breaker_until. */
BreakerTicket breaker_ask(Breaker *breaker, const BreakerConfig *limits, int64_t now);

/* There is a sign that the service works again: it may be probed now. Only if it is OPEN. */
void breaker_try_now(Breaker *breaker, int64_t now);

/* When the next probe may be made, at the latest. Of one that is not CLOSED. */
static inline int64_t breaker_until(const Breaker *breaker)
{
    return breaker->state == BREAKER_OPEN ? breaker->open_until : breaker->round_until;
}

/* How a call ended. */
typedef enum BreakerOutcome {
    OUTCOME_GOOD,
    OUTCOME_FAILED,  /* and the service is responsible */
    OUTCOME_UNKNOWN, /* cancelled, the caller's mistake, refused by the gateway: it tells nothing */
} BreakerOutcome;

BreakerChange breaker_tell(Breaker *breaker, const BreakerConfig *limits, BreakerTicket ticket,
                           BreakerOutcome outcome, int64_t now);

/* In the window. */
void breaker_count(Breaker *breaker, const BreakerConfig *limits, int64_t now, uint32_t *calls_out,
                   uint32_t *failures_out);

#endif
