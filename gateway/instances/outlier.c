#include "gateway/instances/outlier.h"

#include <math.h>

/* A failure rate counts if it is so many times likelier that the instance has a rate of its own
   than that it fails as all others do: the likelihood ratio, as its logarithm. Chance alone gets
   there about once in a hundred million comparisons. */
#define EVIDENCE_NEEDED 16.1 /* ln(10,000,000) */

/* A row of failures counts if the rate of the others makes it rarer than this. */
#define ROW_CHANCE 1e-9

/* Standard errors between the mean times. */
#define ERRORS_NEEDED 5.0

const char *outlier_reason_name(OutlierReason reason)
{
    switch (reason) {
    case OUTLIER_NOT: break;
    case OUTLIER_IN_A_ROW: return "in a row";
    case OUTLIER_FAILURES: return "failure rate";
    case OUTLIER_SLOW: return "slow";
    case OUTLIER_SILENT: return "silent";
    case OUTLIER_REASONS: break;
    }
    return "none";
}

void sample_add(Sample *sum, const Sample *sample)
{
    sum->calls += sample->calls;
    sum->failures += sample->failures;
    sum->unanswered += sample->unanswered;
    sum->timed += sample->timed;
    sum->log_sum += sample->log_sum;
    sum->log_squares += sample->log_squares;
}

void sample_scale(Sample *sample, double factor)
{
    sample->calls *= factor;
    sample->failures *= factor;
    sample->unanswered *= factor;
    sample->timed *= factor;
    sample->log_sum *= factor;
    sample->log_squares *= factor;
}

/* Rounding must not leave less than nothing. */
void sample_subtract(Sample *sum, const Sample *sample)
{
    sum->calls = fmax(sum->calls - sample->calls, 0);
    sum->failures = fmin(fmax(sum->failures - sample->failures, 0), sum->calls);
    sum->unanswered = fmax(sum->unanswered - sample->unanswered, 0);
    sum->timed = fmax(sum->timed - sample->timed, 0);
    sum->log_sum = fmax(sum->log_sum - sample->log_sum, 0);
    sum->log_squares = fmax(sum->log_squares - sample->log_squares, 0);
}

double sample_failure_rate(const Sample *sample)
{
    return sample->calls > 0 ? sample->failures / sample->calls : 0;
}

double sample_time(const Sample *sample)
{
    return sample->timed > 0 ? exp2(sample->log_sum / sample->timed) : 0;
}

/* ---- Failures -------------------------------------------------------------------------------- */

static bool is_no_chance(const EjectRules *rules, uint32_t row, double rate)
{
    return rules->consecutive && row >= rules->consecutive && pow(rate, row) <= ROW_CHANCE;
}

bool outlier_in_a_row(const EjectRules *rules, uint32_t row, const Sample *others)
{
    return is_no_chance(rules, row, others->failures / (others->calls + 1));
}

bool outlier_is_silent(const EjectRules *rules, uint32_t n, const Sample *others)
{
    double rate = others->unanswered / (others->calls + others->unanswered + 1);
    return others->calls - others->failures >= rules->min_calls && is_no_chance(rules, n, rate);
}

/* n ln(n / expected): a part of the likelihood ratio. */
static double part(double n, double expected)
{
    return n > 0 ? n * log(n / expected) : 0;
}

/* How well the calls are explained by their own rate, compared with `rate`. */
static double gain(const Sample *sample, double rate)
{
    double good = sample->calls - sample->failures;
    return part(sample->failures, sample->calls * rate) + part(good, sample->calls * (1 - rate));
}

/* The likelihood ratio of two failure rates to a common one (G-test), as its logarithm. */
static double evidence(const Sample *mine, const Sample *others)
{
    double rate = (mine->failures + others->failures) / (mine->calls + others->calls);
    return gain(mine, rate) + gain(others, rate);
}

static bool fails_more(const EjectRules *rules, const Sample *mine, const Sample *others)
{
    if (!rules->failure_percent || mine->failures == 0)
        return false;
    double excess = sample_failure_rate(mine) - sample_failure_rate(others);
    return excess * 100 >= rules->failure_percent && evidence(mine, others) >= EVIDENCE_NEEDED;
}

/* ---- Times ----------------------------------------------------------------------------------- */

/* The square of the standard error of the mean of the logarithms. */
static double error_squared(const Sample *sample)
{
    double mean = sample->log_sum / sample->timed;
    double variance = fmax(sample->log_squares / sample->timed - mean * mean, 0);
    return variance / sample->timed;
}

static bool takes_longer(const EjectRules *rules, const Sample *mine, const Sample *others)
{
    if (mine->log_sum / mine->timed <=
        others->log_sum / others->timed) /* cheaper than their times */
        return false;
    double my_time = sample_time(mine), their_time = sample_time(others);
    if (!rules->slower || my_time < their_time * rules->slower ||
        my_time < their_time + (double)rules->slower_by)
        return false;
    double errors = sqrt(error_squared(mine) + error_squared(others));
    return log2(my_time / their_time) >= ERRORS_NEEDED * errors;
}

OutlierReason outlier_compare(const EjectRules *rules, const Sample *mine, const Sample *others)
{
    double least = rules->min_calls;
    if (mine->calls >= least && others->calls >= least && fails_more(rules, mine, others))
        return OUTLIER_FAILURES;
    if (mine->timed >= least && others->timed >= least && takes_longer(rules, mine, others))
        return OUTLIER_SLOW;
    return OUTLIER_NOT;
}
