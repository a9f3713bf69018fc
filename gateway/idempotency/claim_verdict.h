/*
 * ClaimVerdict: what becomes of a call with an idempotency key, by what is recorded of the key; and
 * what is recorded when the call ends.
 *
 *      nothing recorded --> the call runs: RUNNING --+--> DONE     a final response: it is kept
 *                                                    +--> gone     nothing was executed
 *                                                    +--> UNKNOWN  nobody knows
 *
 * A gateway that dies leaves RUNNING behind: when the time that the call had is over, that means
 * the same as UNKNOWN. Pure tables; any thread.
 */
#ifndef GATEWAY_CLAIM_VERDICT_H
#define GATEWAY_CLAIM_VERDICT_H

#include "base/call.h"

/* As they are stored: never renumbered. */
typedef enum ClaimState {
    CLAIM_RUNNING = 0,
    CLAIM_DONE = 1,
    CLAIM_UNKNOWN = 2,
} ClaimState;

/* The request beside the one that is recorded. */
typedef enum RequestLikeness {
    LIKENESS_SAME,
    LIKENESS_OTHER,
    LIKENESS_UNKNOWN, /* the versions that it was recorded in are gone from the config, or what is
                         recorded cannot be read */
} RequestLikeness;

typedef struct ClaimQuestion {
    ClaimState state;
    RequestLikeness likeness;
    bool overdue;  /* the time that the call had is over */
    bool honoured; /* instances execute calls with the same key once */
    bool kept;     /* DONE: its response is recorded */
} ClaimQuestion;

typedef enum ClaimVerdict {
    CLAIM_REPLAY,     /* the recorded response is given */
    CLAIM_AGAIN,      /* the call is made once more, which its instances take for the same one */
    CLAIM_REUSED,     /* the key is another call's */
    CLAIM_IN_USE,     /* the call is under way */
    CLAIM_UNCERTAIN,  /* nobody knows what became of it */
    CLAIM_UNREADABLE, /* it was done, but its response was too large to be kept */
} ClaimVerdict;

ClaimVerdict claim_decide(const ClaimQuestion *question);

/* NULL: it is no error. */
const Fault *claim_fault(ClaimVerdict verdict);

/* What becomes of the record when the call ends. */
typedef enum ClaimEnd {
    CLAIM_END_KEEP,    /* the response is recorded */
    CLAIM_END_RELEASE, /* the record goes: the call may be made anew */
    CLAIM_END_UNKNOWN,
} ClaimEnd;

/* The instance has responded with this code. Errors that only say that it did not work this time
   are not final. */
ClaimEnd claim_end_of_code(Code code, bool honoured);

/* There is no response of an instance. `effect`: one may have executed the call. */
ClaimEnd claim_end_of_failure(bool effect, bool honoured);

#endif
