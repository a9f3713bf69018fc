/*
 * RetryBudget: how many retries a service may get: a share of the calls that it has answered.
 *
 * A window of some seconds. In it the retries are at most `percent` of the calls that went well, or
 * as many as `at_least` allows one loop, whichever is more. Calls that fail for want of the service
 * allow nothing, so that a service that is down is not asked much more often for being down. An
 * attempt on trial counts while it is under way.
 *
 * One loop's, of one service; no lock. Time is passed in: monotonic nanoseconds that do not go
 * back. All zeros: nothing has happened.
 */
#ifndef GATEWAY_RETRY_BUDGET_H
#define GATEWAY_RETRY_BUDGET_H

#include "gateway/config/config.h"

enum { BUDGET_SECONDS = 4 };

typedef struct RetryBudget {
    int64_t until; /* end of the present second */
    uint32_t at;   /* its place */
    uint32_t trials;
    uint32_t calls[BUDGET_SECONDS], retries[BUDGET_SECONDS];
} RetryBudget;

/* The present second is another one. */
void retry_budget_turn(RetryBudget *budget, int64_t now);

/* A call went well. */
static inline void retry_budget_earn(RetryBudget *budget, int64_t now)
{
    if (now >= budget->until)
        retry_budget_turn(budget, now);
    budget->calls[budget->at]++;
}

/* Whether there is no room for one more. */
bool retry_budget_is_spent(RetryBudget *budget, const RetryAllowance *allowed, int64_t now);

void retry_budget_take(RetryBudget *budget, int64_t now);

/* What goes on in another budget of the same service: without what is under way in this one. */
RetryBudget retry_budget_continue(const RetryBudget *budget);

#endif
