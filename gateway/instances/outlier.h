/*
 * Outlier: whether the calls of one instance went worse than those of the other instances of its
 * service, by so much that chance does not explain it.
 *
 * Two numbers decide, and both must be large: how much worse (so that differences that matter to
 * nobody eject nobody), and how sure that is (so that few calls decide nothing). What all instances
 * have in common, a slow database for example, is no difference between them.
 *
 * Pure functions.
 */
#ifndef GATEWAY_OUTLIER_H
#define GATEWAY_OUTLIER_H

#include "gateway/config/config.h"

/* What was seen of some calls. Sums, so that samples can be added, and be made to weigh less. */
typedef struct Sample {
    double calls, failures;
    double
        unanswered; /* attempts that gave no response before that of another instance: no calls */
    double timed, log_sum, log_squares; /* calls with a time, and the logarithms of these: to the
                                           base 2, of nanoseconds */
} Sample;

typedef enum OutlierReason {
    OUTLIER_NOT,
    OUTLIER_IN_A_ROW, /* its last calls all failed */
    OUTLIER_FAILURES, /* its failure rate is higher than that of the others */
    OUTLIER_SLOW,     /* its calls take longer than those of the others */
    OUTLIER_SILENT,   /* it responds to nothing, while others do */
    OUTLIER_REASONS
} OutlierReason;

const char *outlier_reason_name(OutlierReason reason); /* "in a row" */

void sample_add(Sample *sum, const Sample *sample);
void sample_subtract(Sample *sum, const Sample *sample); /* `sample` is part of the sum */
void sample_scale(Sample *sample, double factor);

double sample_failure_rate(const Sample *sample); /* 0 to 1; 0 without calls */
double sample_time(const Sample *sample); /* the geometric mean, in nanoseconds; 0 without times */

/* Whether so many failures in a row are more than the failure rate of the others explains. 0 calls
   of the others explain nothing. */
bool outlier_in_a_row(const EjectRules *rules, uint32_t row, const Sample *others);

/* Whether so many attempts in a row without a response, in a time in which others had these calls,
   are more than the others explain. */
bool outlier_is_silent(const EjectRules *rules, uint32_t n, const Sample *others);

/* By failure rate, or by time. */
OutlierReason outlier_compare(const EjectRules *rules, const Sample *mine, const Sample *others);

#endif
