/*
 * Rivals: two other judges, for the same data.
 *
 * Kayenta's (github.com/spinnaker/kayenta at a69573be, NetflixACAJudge): the error rates of each
 * minute of both sides are compared by a Mann-Whitney test with a confidence of 98 %; the candidate
 * fails if its whole interval is above a quarter of the estimated difference, which is what
 * MannWhitneyClassifier with a tolerance of 0.25 and effect sizes of 1 makes of a critical metric
 * with the direction `increase`. Written anew after its source, for this comparison only.
 *
 * A threshold, as in Flagger's examples (docs.flagger.app/usage/metrics): the success rate of a
 * minute is below 99 %, five times. And one that is set by somebody who has seen incidents: 95 %.
 */
#ifndef LOADTEST_ROLLOUTS_RIVALS_H
#define LOADTEST_ROLLOUTS_RIVALS_H

#include <stdbool.h>
#include <stdint.h>

/* Of minutes without calls there is no rate. */
typedef struct Rates {
    double values[24 * 60];
    uint32_t n;
} Rates;

/* Kayenta classifies the metric as High. */
bool kayenta_is_high(const Rates *experiment, const Rates *control);

/* The estimated difference (Hodges-Lehmann), and its confidence interval. For tests. */
typedef struct Shift {
    double estimate, low, high;
} Shift;

bool kayenta_shift(const Rates *experiment, const Rates *control, Shift *shift_out);

/* The fifth minute above the limit is over; `rate`: of the latest one. */
bool threshold_is_crossed(uint32_t *n_above, double rate, double limit);

#endif
