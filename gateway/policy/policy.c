#include "gateway/policy/policy.h"

#include "protocols/http/http_rules.h"

/* After fewer refused attempts than this, all instances may be tried again, also those that
   refused: decisions/0013. */
enum { REFUSALS_FORGIVEN = 3 };

static const char *const action_names[] = {
    [POLICY_WAIT] = "wait",       [POLICY_RETRY] = "retry", [POLICY_FALL_BACK] = "fall back",
    [POLICY_RESPOND] = "respond", [POLICY_FAIL] = "fail",
};

const char *policy_action_name(PolicyAction action)
{
    return action_names[action];
}

/* Whether the fallback can ever be used for the method. */
static bool fits(Fallback fallback, const Route *route, const Method *method)
{
    const MethodType *type = method->type;
    switch (fallback) {
    case FALLBACK_OLDER: return method->n_preferred > 1;
    case FALLBACK_STALE:
        return (method->safe || route->writes) && !type->client_streaming &&
               !type->server_streaming;
    case FALLBACK_DEFAULT:
    case FALLBACK_SKIP: return method->has_default && (method->safe || route->writes);
    case FALLBACKS: break;
    }
    return false;
}

PolicyQuestion policy_question(const Route *route, const Method *method, Bytes verb, bool bodiless)
{
    PolicyQuestion q = {
        .kept = method ? !method->type->client_streaming : bodiless,
        .repeatable = method ? method->safe_to_repeat : http_is_idempotent(verb),
        .safe = method && method->safe,
        .attempts_most = route ? route->attempts : 1,
        .time_left = NO_TIMEOUT,
    };
    for (uint32_t i = 0; route && method && i < route->n_fallbacks; i++)
        if (fits(route->fallbacks[i], route, method))
            q.fallbacks[q.n_fallbacks++] = route->fallbacks[i];
    return q;
}

/* ---- Retrying -------------------------------------------------------------------------------- */

static bool is_refusal(const PolicyQuestion *q)
{
    return q->event == POLICY_FAULT && q->fault == &FAULT_UPSTREAM_REFUSED;
}

/* A service that returned a status has received at least the head of the request. */
static bool was_sent(const PolicyQuestion *q)
{
    return q->sent || q->event == POLICY_STATUS;
}

/* Whether another attempt may succeed. Of the codes of services, only UNAVAILABLE (AIP-194). */
static bool is_transient(const PolicyQuestion *q)
{
    return q->event == POLICY_FAULT ? q->fault->retryable : q->code == CODE_UNAVAILABLE;
}

/* NULL: there is another attempt. The route's limit of attempts does not apply to requests that
   never reached a service, or were refused before processing: these end when all instances have
   been tried. */
static const char *why_no_retry(const PolicyQuestion *q)
{
    if (!q->attempted)
        return "no instance is at fault, or none is left";
    if (q->responding || q->fallen_back)
        return "some of a response has gone to the client";
    if (q->time_left <= 0)
        return "the deadline has passed";
    if (!was_sent(q))
        return NULL;
    if (!q->kept)
        return "some of the request has been sent and is not kept";
    if (is_refusal(q))
        return NULL;
    if (!is_transient(q))
        return "another attempt would have the same result";
    if (!q->repeatable)
        return "the service may have executed it, and the method may not be repeated";
    return q->attempts < q->attempts_most ? NULL : "the route allows no more attempts";
}

/* An instance that lost its connection after it got the request may still be healthy; one that
   responded UNAVAILABLE is not tried again. */
static PolicyWhere where_to(const PolicyQuestion *q)
{
    if (is_refusal(q))
        return q->attempts < REFUSALS_FORGIVEN ? POLICY_ALL : POLICY_OTHERS;
    return q->sent && !q->answered ? POLICY_OTHERS_FIRST : POLICY_OTHERS;
}

static const char *why_retry(const PolicyQuestion *q)
{
    if (!was_sent(q))
        return "the request was not sent";
    return is_refusal(q) ? "the instance refused it without processing it"
                         : "the method may be repeated";
}

/* ---- Falling back ---------------------------------------------------------------------------- */

/* Whether the error was not caused by the caller: then a fallback may replace it. What another
   version says is no error of the caller: the call has failed before. */
static bool is_not_the_callers(const PolicyQuestion *q)
{
    bool fault = q->event == POLICY_FAULT;
    if (q->older)
        return true;
    if (fault && q->fault->side == SIDE_CLIENT)
        return false;
    switch (fault ? (Code)q->fault->grpc_status : q->code) {
    case CODE_UNKNOWN:
    case CODE_DEADLINE_EXCEEDED:
    case CODE_RESOURCE_EXHAUSTED:
    case CODE_INTERNAL:
    case CODE_UNAVAILABLE:
    case CODE_DATA_LOSS: return true;
    default: return false;
    }
}

/* The rules of a retry, except that another version need not have the same result, and that the
   route's limit of attempts does not count it. */
static bool may_ask_older(const PolicyQuestion *q)
{
    if (!q->picked || q->time_left <= 0)
        return false;
    return !was_sent(q) || (q->kept && (is_refusal(q) || q->repeatable));
}

/* The next fallback that may be used; false: none. A degraded response is never degraded again. */
static bool find_fallback(const PolicyQuestion *q, Fallback *found_out)
{
    if (q->responding || q->fallen_back || !is_not_the_callers(q))
        return false;
    for (uint32_t i = 0; i < q->n_fallbacks; i++) {
        Fallback next = q->fallbacks[i];
        if (q->used_up >> next & 1 || (next == FALLBACK_OLDER && !may_ask_older(q)))
            continue;
        *found_out = next;
        return true;
    }
    return false;
}

/* Whether to wait for the other attempt. Not for an error of the service that would recur: it is
   the response. */
static bool may_wait(const PolicyQuestion *q)
{
    return q->other && !q->responding && (q->event == POLICY_FAULT || is_transient(q));
}

PolicyVerdict policy_decide(const PolicyQuestion *q)
{
    if (may_wait(q))
        return (PolicyVerdict){.action = POLICY_WAIT, .why = "another attempt is running"};
    const char *why_not = why_no_retry(q);
    if (!why_not)
        return (PolicyVerdict){.action = POLICY_RETRY, .where = where_to(q), .why = why_retry(q)};
    Fallback fallback;
    if (find_fallback(q, &fallback))
        return (PolicyVerdict){.action = POLICY_FALL_BACK, .why = why_not, .fallback = fallback};
    return (PolicyVerdict){.action = q->event == POLICY_STATUS ? POLICY_RESPOND : POLICY_FAIL,
                           .why = why_not};
}

/* At most two attempts at once. */
bool policy_may_hedge(const PolicyQuestion *q)
{
    return q->safe && q->kept && !q->other && !q->responding && !q->fallen_back &&
           q->attempts < q->attempts_most && q->time_left > 0;
}
