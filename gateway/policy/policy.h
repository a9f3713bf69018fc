/*
 * Policy: decides what to do when an attempt has failed, or the service has returned an error; and
 * whether a slow attempt gets another one beside it.
 *
 * Pure functions without loop, clock or chance: all their inputs are in the question. Exchanges
 * call it, and `passerelle explain` prints its verdicts. Plain values; any thread.
 */
#ifndef GATEWAY_POLICY_H
#define GATEWAY_POLICY_H

#include "gateway/config/config.h"

/* What happened. */
typedef enum PolicyEvent {
    POLICY_FAULT,  /* the gateway found a fault: no response of the service can be passed on */
    POLICY_STATUS, /* the service itself returned an error */
} PolicyEvent;

/* What the instance said about another attempt, beside its error: grpc-retry-pushback-ms, or
   Retry-After. */
typedef enum PolicyAdvice {
    ADVICE_NONE,
    ADVICE_AFTER, /* a time */
    ADVICE_STOP,  /* there must be none */
} PolicyAdvice;

typedef struct PolicyQuestion {
    PolicyEvent event;
    const Fault *fault; /* POLICY_FAULT: which one */
    Code code;          /* POLICY_STATUS: the service's code */

    bool attempted;   /* an attempt failed: another one may succeed */
    bool sent;        /* some of the request may have reached the instance of that attempt */
    bool answered;    /* the head of its response had arrived */
    bool broken;      /* its connection or stream broke, for whatever reason */
    bool kept;        /* the whole request is in memory and can be sent again */
    bool repeatable;  /* the method is idempotent: by the schema, or by the verb */
    bool safe;        /* it has no side effects */
    bool other;       /* another attempt of the call is running */
    bool responding;  /* some of a response has gone to the client */
    bool fallen_back; /* the current response is already a fallback */
    bool picked;      /* the attempt had an instance */
    bool older;       /* it was the one at another version */

    uint32_t attempts;      /* that count: sent so far, this one and those of gateways in front
                               included; not the first one that was refused */
    uint32_t attempts_most; /* by the route */
    uint32_t refusals;      /* attempts that were refused so far, this one included */
    bool budget_spent;      /* the retry budget of the service has no room */
    int64_t time_left;      /* until the deadline, in nanoseconds; NO_TIMEOUT without one */

    Fallback fallbacks[FALLBACKS]; /* of the route, in order, that fit the method */
    uint32_t n_fallbacks;
    uint32_t used_up; /* a bit for each: those that have failed, or had no response */

    PolicyAdvice advice;
    int64_t advised; /* ADVICE_AFTER: nanoseconds */
    bool hedges;     /* the route has second attempts for this method: a failure calls for the next
                        one at once */
    uint32_t backoffs; /* waits before retries so far, since an instance gave a time */
    int64_t initial_backoff, max_backoff; /* by the route */
    uint64_t random;                      /* any number: for the jitter */
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
} PolicyWhere;

/* What an attempt is to the retry budget of its service. */
typedef enum PolicyCharge {
    CHARGE_NOTHING, /* no instance has seen the one before */
    CHARGE_TRIAL,   /* it counts while it is under way, and from then on if it is refused as well */
    CHARGE_RETRY,
} PolicyCharge;

/* What alone has prevented another attempt. */
typedef enum RetryRefusal {
    RETRY_NOT_REFUSED,
    RETRY_REFUSED_BUDGET,   /* the retry budget of the service */
    RETRY_REFUSED_PUSHBACK, /* the instance said so */
    RETRY_REFUSED_ATTEMPTS, /* the route's limit */
    RETRY_REFUSED_DEADLINE, /* it could not end in time */
    RETRY_REFUSALS,
} RetryRefusal;

typedef struct PolicyVerdict {
    PolicyAction action;
    PolicyWhere where; /* POLICY_RETRY only, as `charge` and `backs_off` */
    const char *why;   /* why there is no other attempt, or why there is one; a literal */
    Fallback fallback; /* POLICY_FALL_BACK only: which one. If it has no response, it is used up,
                          and the question is asked again */
    int64_t wait;      /* nanoseconds until it begins */
    bool hurry;        /* POLICY_WAIT only: yet another attempt may begin, after `wait` already */
    PolicyCharge charge;
    bool backs_off;       /* `wait` is by the route, not by the instance */
    RetryRefusal refusal; /* if there is none, also none at another version */
} PolicyVerdict;

/* Fills in the part of the question that depends on the config; the rest is left zero. `method` is
   in the client's version; NULL for opaque HTTP, for which `verb` and `bodiless` (the request has
   no body) are used. `route` NULL: no route matched. */
PolicyQuestion policy_question(const Route *route, const Method *method, Bytes verb, bool bodiless);

PolicyVerdict policy_decide(const PolicyQuestion *question);

/* Whether another attempt may start while this one is under way. *refusal_out: what alone prevents
   it. */
bool policy_may_hedge(const PolicyQuestion *question, RetryRefusal *refusal_out);

/* The wait before the nth retry, from 1: gRFC A6, with a factor of 2. */
int64_t policy_backoff(int64_t initial, int64_t most, uint32_t n, uint64_t random);

/* What an instance's fields say: the first of these that is there. `pushback`:
   grpc-retry-pushback-ms; `retry_after`: seconds or an HTTP-date, which is compared with `wall`,
   nanoseconds since 1970. Data NULL: absent. */
PolicyAdvice policy_read_advice(Bytes pushback, Bytes retry_after, int64_t wall,
                                int64_t *advised_out);

/* The attempts of gateways in front, by their grpc-previous-rpc-attempts; 0 if it is no number.
   Whoever sends more has fewer retries, so that anybody is believed. */
uint32_t policy_read_previous(Bytes text);

/* "wait", "retry", "fall back", "respond", "fail". */
const char *policy_action_name(PolicyAction action);

/* "budget", "pushback", "attempts", "deadline"; NULL: RETRY_NOT_REFUSED. */
const char *retry_refusal_name(RetryRefusal refusal);

#endif
