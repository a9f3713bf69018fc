/*
 * Policy: what becomes of a call when an attempt has failed, or the service has answered with an
 * error.
 *
 * One pure function. It knows no loop and no clock: what it judges by is in the question. The data
 * plane asks it, and `passerelle explain` prints its verdicts. Plain values; any thread.
 */
#ifndef GATEWAY_POLICY_H
#define GATEWAY_POLICY_H

#include "gateway/config/config.h"

/* What happened. */
typedef enum PolicyEvent {
    POLICY_FAULT,  /* the gateway found a fault: no response of the service can be passed on */
    POLICY_STATUS, /* the service itself answered with an error */
} PolicyEvent;

typedef struct PolicyQuestion {
    PolicyEvent event;
    const Fault *fault; /* POLICY_FAULT: which one */
    Code code;          /* POLICY_STATUS: what the service said */

    bool attempted;   /* it happened to an attempt: another attempt may help */
    bool sent;        /* some of the request may have reached the instance of that attempt */
    bool answered;    /* the head of a response had come from it */
    bool kept;        /* the whole request is still there and can be sent again */
    bool repeatable;  /* executing it twice has the effect of once: by the schema, or by the verb */
    bool responding;  /* some of a response has gone to the client */
    bool fallen_back; /* the response at work is a fallback already */

    uint32_t attempts;      /* that were sent so far, this one included */
    uint32_t attempts_most; /* by the route */
    bool has_fallback;      /* by the route, for this method */
    int64_t time_left;      /* until the deadline, in nanoseconds; NO_TIMEOUT without one */
} PolicyQuestion;

typedef enum PolicyAction {
    POLICY_RETRY,     /* one more attempt */
    POLICY_FALL_BACK, /* the route's fallback in place of the error */
    POLICY_RESPOND,   /* the service's own error goes to the client */
    POLICY_FAIL,      /* the fault goes to the client, or ends the response that it has begun */
} PolicyAction;

/* Which instances another attempt may go to. */
typedef enum PolicyWhere {
    POLICY_OTHERS,       /* those that were not tried */
    POLICY_OTHERS_FIRST, /* the others, and where none is left, those that were tried */
    POLICY_ALL,          /* all alike */
} PolicyWhere;

typedef struct PolicyVerdict {
    PolicyAction action;
    PolicyWhere where; /* POLICY_RETRY only */
    const char *why;   /* why there is no other attempt, or why there is one; a literal */
} PolicyVerdict;

/* What the config says of such a call; the rest of the question is what happened to it. `method` is
   in the client's version, NULL for opaque HTTP, of which `verb` and `bodiless` (the request has no
   body) are looked at. `route` NULL: the call came to none. */
PolicyQuestion policy_question(const Route *route, const Method *method, Bytes verb, bool bodiless);

PolicyVerdict policy_decide(const PolicyQuestion *question);

/* "retry", "fall back", "respond", "fail". */
const char *policy_action_name(PolicyAction action);

#endif
