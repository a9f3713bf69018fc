#include "gateway/policy/gradient.h"

#include <math.h>

#define TOLERANCE 1.5     /* times as long as usual: no reason to shrink */
#define SMOOTHING 0.2     /* part of the new limit */
#define LONG_PART 0.02    /* of a window in the long time: the last 50 count; */
#define QUEUED_PART 0.001 /* of one in which calls may have queued, since the limit was used */
#define FASTER 0.95       /* by which the long time shrinks with each window that is much shorter */

static double bounded(double value, double least, double most)
{
    return value < least ? least : value > most ? most : value;
}

static double exact_limit(const Gradient *g, const ConcurrencyConfig *limits)
{
    return bounded(g->limit, limits->least, limits->calls);
}

uint32_t gradient_limit(const Gradient *g, const ConcurrencyConfig *limits)
{
    return (uint32_t)exact_limit(g, limits);
}

/* Calls that take longer because many are in flight must not pass for usual. */
static void learn_long_time(Gradient *g, bool used)
{
    if (g->long_time == 0)
        g->long_time = g->short_time;
    double part = used && g->short_time > g->long_time ? QUEUED_PART : LONG_PART;
    g->long_time += part * (g->short_time - g->long_time);
    if (g->long_time > 2 * g->short_time)
        g->long_time *= FASTER;
}

static void end_window(Gradient *g, const ConcurrencyConfig *limits)
{
    double limit = exact_limit(g, limits);
    bool used = g->most * 2.0 >= limit;
    g->short_time = g->sum / g->n;
    learn_long_time(g, used);
    g->sum = 0;
    g->n = g->most = 0;
    double gradient = bounded(TOLERANCE * g->long_time / g->short_time, 0.5, 1);
    if (gradient == 1 && !used)
        return;
    double aim = limit * gradient + sqrt(limit);
    g->limit = bounded((1 - SMOOTHING) * limit + SMOOTHING * aim, limits->least, limits->calls);
}

void gradient_sample(Gradient *g, const ConcurrencyConfig *limits, int64_t took, uint32_t in_flight)
{
    g->sum += took > 1 ? (double)took : 1;
    g->most = in_flight > g->most ? in_flight : g->most;
    if (++g->n >= GRADIENT_WINDOW)
        end_window(g, limits);
}
