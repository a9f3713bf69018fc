#include "gateway/rollout/wealth.h"

#include <math.h>

/* Small excesses need most clients, and so most of the money. */
static const struct {
    double ratio, part;
} bets[WEALTH_RATIOS] = {{1.25, 0.20}, {1.5, 0.16}, {2, 0.13},  {3, 0.11},  {5, 0.10},
                         {8, 0.09},    {13, 0.08},  {30, 0.07}, {100, 0.06}};

void wealth_bet(Wealth *wealth, double share, double candidate, double baseline)
{
    if (!(share > 0 && share < 1))
        return;
    for (int i = 0; i < WEALTH_RATIOS; i++)
        wealth->logs[i] += candidate * log(bets[i].ratio) -
                           (candidate + baseline) * log1p(share * (bets[i].ratio - 1));
}

double wealth_log(const Wealth *wealth)
{
    double most = wealth->logs[0], sum = 0;
    for (int i = 1; i < WEALTH_RATIOS; i++)
        most = fmax(most, wealth->logs[i]);
    for (int i = 0; i < WEALTH_RATIOS; i++)
        sum += bets[i].part * exp(wealth->logs[i] - most);
    return most + log(sum);
}
