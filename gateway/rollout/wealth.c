#include "gateway/rollout/wealth.h"

#include <math.h>

static const double ratios[WEALTH_RATIOS] = {1.25, 1.5, 2, 3, 5, 8, 13, 30, 100};

void wealth_bet(Wealth *wealth, double share, double candidate, double baseline)
{
    if (!(share > 0 && share < 1))
        return;
    for (int i = 0; i < WEALTH_RATIOS; i++)
        wealth->logs[i] +=
            candidate * log(ratios[i]) - (candidate + baseline) * log1p(share * (ratios[i] - 1));
}

double wealth_log(const Wealth *wealth)
{
    double most = wealth->logs[0], sum = 0;
    for (int i = 1; i < WEALTH_RATIOS; i++)
        most = fmax(most, wealth->logs[i]);
    for (int i = 0; i < WEALTH_RATIOS; i++)
        sum += exp(wealth->logs[i] - most);
    return most + log(sum / WEALTH_RATIOS);
}
