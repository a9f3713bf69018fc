#include "gateway/policy/policy.h"

#include "base/clock.h"
#include "base/text/date.h"
#include "protocols/http/http_rules.h"

/* Less time than this is none: timers are no finer. */
#define LEAST_TIME MILLISECOND

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
    case FALLBACK_SKIP:
        return (method->extras->has_default || route->leg_default.data) &&
               (method->safe || route->writes);
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
        .hedges = route && method && method->safe && (route->hedge_after || route->hedge_p95),
        .initial_backoff = route ? route->initial_backoff : 0,
        .max_backoff = route ? route->max_backoff : 0,
    };
    for (uint32_t i = 0; route && method && i < route->n_fallbacks; i++)
        if (fits(route->fallbacks[i], route, method))
            q.fallbacks[q.n_fallbacks++] = route->fallbacks[i];
    return q;
}

/* ---- What the wire says ---------------------------------------------------------------------- */

/* A signed 32-bit integer without needless zeros; what is none asks for no retry, too. */
static PolicyAdvice read_pushback(Bytes text, int64_t *advised_out)
{
    uint64_t milliseconds;
    if (!bytes_to_u64(text, &milliseconds) || milliseconds > INT32_MAX ||
        (text.size > 1 && text.data[0] == '0'))
        return ADVICE_STOP;
    *advised_out = (int64_t)milliseconds * MILLISECOND;
    return ADVICE_AFTER;
}

static int64_t nanoseconds_of(uint64_t seconds)
{
    return seconds < INT32_MAX ? (int64_t)seconds * SECOND : INT64_MAX;
}

static PolicyAdvice read_retry_after(Bytes text, int64_t wall, int64_t *advised_out)
{
    uint64_t seconds;
    int64_t date, now = wall / SECOND;
    if (bytes_to_u64(text, &seconds))
        *advised_out = nanoseconds_of(seconds);
    else if (date_read_http(text, now, &date))
        *advised_out = date > now ? nanoseconds_of((uint64_t)(date - now)) : 0;
    else
        return ADVICE_NONE;
    return ADVICE_AFTER;
}

PolicyAdvice policy_read_advice(Bytes pushback, Bytes retry_after, int64_t wall,
                                int64_t *advised_out)
{
    *advised_out = 0;
    if (pushback.data)
        return read_pushback(pushback, advised_out);
    return retry_after.data ? read_retry_after(retry_after, wall, advised_out) : ADVICE_NONE;
}

uint32_t policy_read_previous(Bytes text)
{
    enum { PREVIOUS_MOST = 1 << 20 /* no sum of them overflows; limits are far below */ };
    uint64_t n;
    if (!bytes_to_u64(text, &n))
        return 0;
    return n > PREVIOUS_MOST ? PREVIOUS_MOST : (uint32_t)n;
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

/* No instance has seen it: another attempt is a load to none. */
static bool was_unseen(const PolicyQuestion *q)
{
    return !was_sent(q) && !is_refusal(q);
}

/* A connection on which something else than HTTP comes is of as much use as a lost one, and says
   nothing of the other instances. */
static bool is_garbage(const PolicyQuestion *q)
{
    return q->broken && q->fault == &FAULT_UPSTREAM_PROTOCOL;
}

/* Whether another attempt may succeed. Of the codes of services, only UNAVAILABLE (AIP-194). */
static bool is_transient(const PolicyQuestion *q)
{
    return q->event == POLICY_FAULT ? q->fault->retryable || is_garbage(q)
                                    : q->code == CODE_UNAVAILABLE;
}

/* NULL: it does no harm, and may succeed. */
static const char *why_not_again(const PolicyQuestion *q)
{
    if (!q->attempted)
        return "no instance is at fault, or none is left";
    if (q->responding || q->fallen_back)
        return "some of a response has gone to the client";
    if (!was_sent(q))
        return NULL;
    if (!q->kept)
        return "some of the request has been sent and is not kept";
    if (is_refusal(q))
        return NULL;
    if (!is_transient(q))
        return "another attempt would have the same result";
    return q->repeatable ? NULL
                         : "the service may have executed it, and the method may not be repeated";
}

int64_t policy_backoff(int64_t initial, int64_t most, uint32_t n, uint64_t random)
{
    int64_t limit = initial;
    while (--n && limit < most)
        limit = limit > most / 2 ? most : limit * 2;
    limit = limit < most ? limit : most;
    return limit > 0 ? (int64_t)(random % (uint64_t)limit) : 0;
}

/* The first refusal is no failure of the service, and nobody has waited for it. */
static bool is_at_once(const PolicyQuestion *q)
{
    return was_unseen(q) || (is_refusal(q) && q->refusals <= 1) || q->hedges;
}

static int64_t wait_of(const PolicyQuestion *q)
{
    if (q->advice == ADVICE_AFTER)
        return q->advised;
    return is_at_once(q)
               ? 0
               : policy_backoff(q->initial_backoff, q->max_backoff, q->backoffs + 1, q->random);
}

/* A longer wait than the route's own is the client's to make: calls that wait fill the gateway. */
static bool is_told_off(const PolicyQuestion *q)
{
    return q->advice == ADVICE_STOP || (q->advice == ADVICE_AFTER && q->advised > q->max_backoff);
}

/* What forbids an attempt that would do no harm. Those that no instance sees are limited by the
   number of instances only: each is tried once. */
static RetryRefusal refusal_of(const PolicyQuestion *q)
{
    if (q->time_left - wait_of(q) < LEAST_TIME)
        return RETRY_REFUSED_DEADLINE;
    if (was_unseen(q))
        return RETRY_NOT_REFUSED;
    if (is_told_off(q))
        return RETRY_REFUSED_PUSHBACK;
    if (q->attempts >= q->attempts_most && !(is_refusal(q) && q->refusals <= 1))
        return RETRY_REFUSED_ATTEMPTS;
    return q->budget_spent ? RETRY_REFUSED_BUDGET : RETRY_NOT_REFUSED;
}

static const char *why_refused(RetryRefusal refusal)
{
    static const char *const reasons[RETRY_REFUSALS] = {
        [RETRY_REFUSED_BUDGET] = "the retry budget of the service is exhausted",
        [RETRY_REFUSED_PUSHBACK] = "the instance asked for no other attempt, or for a later one",
        [RETRY_REFUSED_ATTEMPTS] = "the route allows no more attempts",
        [RETRY_REFUSED_DEADLINE] = "another attempt could not end before the deadline",
    };
    return reasons[refusal];
}

const char *retry_refusal_name(RetryRefusal refusal)
{
    static const char *const names[RETRY_REFUSALS] = {
        [RETRY_REFUSED_BUDGET] = "budget",
        [RETRY_REFUSED_PUSHBACK] = "pushback",
        [RETRY_REFUSED_ATTEMPTS] = "attempts",
        [RETRY_REFUSED_DEADLINE] = "deadline",
    };
    return names[refusal];
}

static const char *why_retry(const PolicyQuestion *q)
{
    if (!was_sent(q))
        return "the request was not sent";
    return is_refusal(q) ? "the instance refused it without processing it"
                         : "the method may be repeated";
}

static PolicyCharge charge_of(const PolicyQuestion *q)
{
    if (was_unseen(q))
        return CHARGE_NOTHING;
    return is_refusal(q) && q->refusals <= 1 ? CHARGE_TRIAL : CHARGE_RETRY;
}

/* One that cannot be reached now cannot be reached at once. */
static PolicyVerdict retry(const PolicyQuestion *q)
{
    return (PolicyVerdict){
        .action = POLICY_RETRY,
        .where = was_unseen(q) ? POLICY_OTHERS : POLICY_OTHERS_FIRST,
        .why = why_retry(q),
        .wait = wait_of(q),
        .charge = charge_of(q),
        .backs_off = q->advice == ADVICE_NONE && !is_at_once(q),
    };
}

/* ---- Falling back ---------------------------------------------------------------------------- */

/* Whether the error was not caused by the caller: then a fallback may replace it. The same rule
   says in metrics and ledger who is responsible. What another version says is no error of the
   caller: the call has failed before. */
static bool is_not_the_callers(const PolicyQuestion *q)
{
    if (q->older)
        return true;
    return q->event == POLICY_FAULT ? q->fault->side != SIDE_CLIENT : !code_is_callers(q->code);
}

/* The rules of a retry, except that another version need not have the same result, and that the
   route's limit of attempts does not count it. A deadline that has passed is why it is asked. */
static bool may_ask_older(const PolicyQuestion *q, RetryRefusal *refusal_out)
{
    if (!q->picked || (was_sent(q) && !(q->kept && (is_refusal(q) || q->repeatable))))
        return false;
    if (q->time_left < LEAST_TIME) {
        *refusal_out = q->attempted ? RETRY_REFUSED_DEADLINE : *refusal_out;
        return false;
    }
    if (!was_unseen(q) && q->advice == ADVICE_STOP)
        *refusal_out = RETRY_REFUSED_PUSHBACK;
    else if (!was_unseen(q) && q->budget_spent)
        *refusal_out = RETRY_REFUSED_BUDGET;
    else
        return true;
    return false;
}

/* The next fallback that may be used; false: none. A degraded response is never degraded again.
 *refusal_out: what alone has prevented an attempt at another version; else it stays. */
static bool find_fallback(const PolicyQuestion *q, Fallback *found_out, RetryRefusal *refusal_out)
{
    if (q->responding || q->fallen_back || !is_not_the_callers(q))
        return false;
    for (uint32_t i = 0; i < q->n_fallbacks; i++) {
        Fallback next = q->fallbacks[i];
        if (q->used_up >> next & 1 || (next == FALLBACK_OLDER && !may_ask_older(q, refusal_out)))
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
        return (PolicyVerdict){.action = POLICY_WAIT,
                               .why = "another attempt is running",
                               .wait = q->advised,
                               .hurry = q->hedges && is_transient(q)};
    PolicyVerdict verdict = {.why = why_not_again(q)};
    if (!verdict.why)
        verdict.refusal = refusal_of(q);
    if (!verdict.why && !verdict.refusal)
        return retry(q);
    if (find_fallback(q, &verdict.fallback, &verdict.refusal))
        verdict.action = POLICY_FALL_BACK;
    else
        verdict.action = q->event == POLICY_STATUS ? POLICY_RESPOND : POLICY_FAIL;
    if (verdict.refusal)
        verdict.why = why_refused(verdict.refusal);
    return verdict;
}

/* `other`: another one whose response has begun is waited for. Of those that are silent at most two
   run at once; the caller sees to it. */
bool policy_may_hedge(const PolicyQuestion *q, RetryRefusal *refusal_out)
{
    *refusal_out = RETRY_NOT_REFUSED;
    if (!q->safe || !q->kept || q->other || q->responding || q->fallen_back ||
        q->time_left < LEAST_TIME)
        return false;
    if (q->advice == ADVICE_STOP)
        *refusal_out = RETRY_REFUSED_PUSHBACK;
    else if (q->attempts >= q->attempts_most)
        *refusal_out = RETRY_REFUSED_ATTEMPTS;
    else if (q->budget_spent)
        *refusal_out = RETRY_REFUSED_BUDGET;
    return !*refusal_out;
}
