#include "gateway/policy/retry_budget.h"

#include "base/clock.h"

void retry_budget_turn(RetryBudget *budget, int64_t now)
{
    int64_t passed = (now - budget->until) / SECOND + 1;
    for (int64_t i = 0; i < passed && i < BUDGET_SECONDS; i++) {
        budget->at = (budget->at + 1) % BUDGET_SECONDS;
        budget->calls[budget->at] = budget->retries[budget->at] = 0;
    }
    budget->until += passed * SECOND;
}

/* A loop's part, rounded up: with few retries in many loops all of them together have a few more.
 */
static uint64_t least_of(const RetryAllowance *allowed)
{
    uint64_t all = (uint64_t)allowed->at_least * BUDGET_SECONDS;
    return (all + allowed->n_loops - 1) / allowed->n_loops;
}

bool retry_budget_is_spent(RetryBudget *budget, const RetryAllowance *allowed, int64_t now)
{
    if (now >= budget->until)
        retry_budget_turn(budget, now);
    uint64_t calls = 0, retries = budget->trials;
    for (uint32_t i = 0; i < BUDGET_SECONDS; i++) {
        calls += budget->calls[i];
        retries += budget->retries[i];
    }
    return retries >= least_of(allowed) && (retries + 1) * 100 > calls * allowed->percent;
}

void retry_budget_take(RetryBudget *budget, int64_t now)
{
    if (now >= budget->until)
        retry_budget_turn(budget, now);
    budget->retries[budget->at]++;
}

RetryBudget retry_budget_continue(const RetryBudget *budget)
{
    RetryBudget same = *budget;
    same.trials = 0;
    return same;
}
