/*
 * Policy: decides what to do when an attempt has failed, or the service has returned an error; and
 * whether a slow attempt gets another one beside it.
 *
 * Pure functions without loop or clock: all their inputs are in the question. Exchanges call it,
 * and `passerelle explain` prints its verdicts. Plain values; any thread.
 */
#ifndef GATEWAY_POLICY_H
#define GATEWAY_POLICY_H

#include "gateway/config/config.h"

/* What happened. */
typedef enum PolicyEvent {
    POLICY_FAULT,  /* the gateway found a fault: no response of the service can be passed on */
    POLICY_STATUS, /* the service itself returned an error */
} PolicyEvent;

typedef struct PolicyQuestion {
    PolicyEvent event;
    const Fault *fault; /* POLICY_FAULT: which one */
    Code code;          /* POLICY_STATUS: the service's code */

    bool attempted;   /* an attempt failed: another one may succeed */
    bool sent;        /* some of the request may have reached the instance of that attempt */
    bool answered;    /* the head of its response had arrived */
    bool kept;        /* the whole request is in memory and can be sent again */
    bool repeatable;  /* the method is idempotent: by the schema, or by the verb */
    bool safe;        /* it has no side effects */
    bool other;       /* another attempt of the call is running */
    bool responding;  /* some of a response has gone to the client */
    bool fallen_back; /* the current response is already a fallback */
    bool picked;      /* the attempt had an instance */
    bool older;       /* it was the one at another version */

    uint32_t attempts;      /* that were sent so far, this one included */
    uint32_t attempts_most; /* by the route */
    int64_t time_left;      /* until the deadline, in nanoseconds; NO_TIMEOUT without one */

    Fallback fallbacks[FALLBACKS]; /* of the route, in order, that fit the method */
    uint32_t n_fallbacks;
    uint32_t used_up; /* a bit for each: those that have failed, or had no response */
} PolicyQuestion;

typedef enum PolicyAction {
    POLICY_WAIT,      /* for the other attempt */
    POLICY_RETRY,     /* one more attempt */
    POLICY_FALL_BACK, /* a fallback of the route in place of the error */
    POLICY_RESPOND,   /* the service's own error goes to the client */
    POLICY_FAIL,      /* the fault goes to the client, or ends the response that it has begun */
} PolicyAction;

/* Which instances another attempt may go to. */
typedef enum PolicyWhere {
    POLICY_OTHERS,       /* those that were not tried */
    POLICY_OTHERS_FIRST, /* the others; if none is left, those that were tried */
    POLICY_ALL,          /* all alike */
} PolicyWhere;

typedef struct PolicyVerdict {
    PolicyAction action;
    PolicyWhere where; /* POLICY_RETRY only */
    const char *why;   /* why there is no other attempt, or why there is one; a literal */
    Fallback fallback; /* POLICY_FALL_BACK only: which one. If it has no response, it is used up,
                          and the question is asked again */
} PolicyVerdict;

/* Fills in the part of the question that depends on the config; the rest is left zero. `method` is
   in the client's version; NULL for opaque HTTP, for which `verb` and `bodiless` (the request has
   no body) are used. `route` NULL: no route matched. */
PolicyQuestion policy_question(const Route *route, const Method *method, Bytes verb, bool bodiless);

PolicyVerdict policy_decide(const PolicyQuestion *question);

/* Whether another attempt may start while this one is under way. */
bool policy_may_hedge(const PolicyQuestion *question);

/* "wait", "retry", "fall back", "respond", "fail". */
const char *policy_action_name(PolicyAction action);

#endif
