#include "loadtest/rollouts/rivals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double z_of_98_percent = 2.3263478740408408;

typedef struct Ranked {
    double value;
    bool experiment;
} Ranked;

static int by_value(const void *a, const void *b)
{
    double x = ((const Ranked *)a)->value, y = ((const Ranked *)b)->value;
    return (x > y) - (x < y);
}

/* MannWhitney.wilcoxonDiff: the standardized statistic if the experiment is shifted by `shift`,
   less a quantile. false: all are tied. */
static bool wilcoxon(const Rates *x, const Rates *y, double shift, double quantile,
                     double *value_out)
{
    static _Thread_local Ranked all[2 * 24 * 60];
    uint32_t n = x->n + y->n;
    for (uint32_t i = 0; i < x->n; i++)
        all[i] = (Ranked){x->values[i] - shift, true};
    for (uint32_t i = 0; i < y->n; i++)
        all[x->n + i] = (Ranked){y->values[i], false};
    qsort(all, n, sizeof *all, by_value);
    double ranks = 0, ties = 0;
    for (uint32_t i = 0, j; i < n; i = j) {
        for (j = i; j < n && all[j].value == all[i].value; j++) {
        }
        double same = j - i, rank = (i + 1 + j) / 2.;
        for (uint32_t k = i; k < j; k++)
            ranks += all[k].experiment ? rank : 0;
        ties += same * same * same - same;
    }
    double m = x->n, k = y->n, z = ranks - m * (m + 1) / 2 - m * k / 2;
    double correction = z > 0 ? 0.5 : z < 0 ? -0.5 : 0;
    double sigma = sqrt(m * k / 12 * (m + k + 1 - ties / ((m + k) * (m + k - 1))));
    *value_out = (z - correction) / sigma - quantile;
    return sigma > 0;
}

static double least(const Rates *rates)
{
    double value = rates->values[0];
    for (uint32_t i = 1; i < rates->n; i++)
        value = fmin(value, rates->values[i]);
    return value;
}

static double most(const Rates *rates)
{
    double value = rates->values[0];
    for (uint32_t i = 1; i < rates->n; i++)
        value = fmax(value, rates->values[i]);
    return value;
}

/* The shift at which the statistic has this quantile: it falls from `from` to `to`. Kayenta's
   solver of Brent stops within 1e-4; this one halves the interval, until the same tolerance. */
static double root(const Rates *x, const Rates *y, double from, double to, double quantile)
{
    double value;
    if (!wilcoxon(x, y, from, quantile, &value) || value <= 0)
        return from;
    if (!wilcoxon(x, y, to, quantile, &value) || value >= 0)
        return to;
    while (to - from > 1e-4) {
        double middle = (from + to) / 2;
        bool counts = wilcoxon(x, y, middle, quantile, &value);
        *(counts && value > 0 ? &from : &to) = middle;
    }
    return (from + to) / 2;
}

bool kayenta_shift(const Rates *experiment, const Rates *control, Shift *shift_out)
{
    double from = least(experiment) - most(control), to = most(experiment) - least(control), value;
    if (!wilcoxon(experiment, control, 0, 0, &value))
        return false;
    shift_out->low = root(experiment, control, from, to, z_of_98_percent);
    shift_out->high = root(experiment, control, from, to, -z_of_98_percent);
    shift_out->estimate = root(experiment, control, from, to, 0);
    return true;
}

static double mean(const Rates *rates)
{
    double sum = 0;
    for (uint32_t i = 0; i < rates->n; i++)
        sum += rates->values[i];
    return sum / rates->n;
}

bool kayenta_is_high(const Rates *experiment, const Rates *control)
{
    Shift shift;
    if (experiment->n == 0 || control->n == 0 || !kayenta_shift(experiment, control, &shift))
        return false;
    double effect = mean(experiment) / mean(control); /* EffectSizes.meanRatio */
    return shift.low > 0.25 * fabs(shift.estimate) && !(effect < 1);
}

bool threshold_is_crossed(uint32_t *n_above, double rate, double limit)
{
    *n_above += rate > limit;
    return *n_above >= 5;
}
