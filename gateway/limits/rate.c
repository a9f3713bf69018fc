#include "gateway/limits/rate.h"

#define STEP_MOST (UINT64_MAX >> 2)
#define DEPTH_MOST (UINT64_C(1) << 60) /* two years */

__extension__ typedef unsigned __int128 Wide;

static uint64_t bounded(Wide value, uint64_t most)
{
    return value < most ? (uint64_t)value : most;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Whole ticks, unless units follow each other so fast that the rest would count. */
static uint64_t step_of(Wide fractions)
{
    enum { MANY_TICKS = 1024 };
    if (fractions >= (Wide)MANY_TICKS * RATE_FRACTION)
        fractions = (fractions + RATE_FRACTION / 2) / RATE_FRACTION * RATE_FRACTION;
    return later(bounded(fractions, STEP_MOST), 1);
}

static uint64_t ticks_of(const Rate *rate, uint64_t cost)
{
    return bounded((Wide)cost * rate->step / RATE_FRACTION, rate->depth);
}

Rate rate_of(uint64_t count, int64_t period, uint64_t burst)
{
    Wide whole = (Wide)(uint64_t)period * RATE_TICKS * RATE_FRACTION;
    Rate rate = {.step = step_of((whole + count / 2) / count)};
    rate.depth = later(bounded((Wide)burst * rate.step / RATE_FRACTION, DEPTH_MOST), 1);
    return rate;
}

Rate rate_share(Rate rate, uint32_t share)
{
    rate.step = step_of((Wide)rate.step * RATE_WHOLE / share);
    rate.depth = later(rate.depth, bounded(rate.step / RATE_FRACTION, DEPTH_MOST));
    return rate;
}

uint64_t rate_fit(const Rate *rate, uint64_t word, uint32_t bursts, int64_t now)
{
    uint64_t most = (uint64_t)now * RATE_TICKS + bursts * rate->depth;
    return word < most ? word : most;
}

RateVerdict rate_take(const Rate *rate, uint64_t word, uint64_t cost, int64_t now)
{
    uint64_t ticks = (uint64_t)now * RATE_TICKS;
    uint64_t next = later(word, ticks) + ticks_of(rate, cost);
    if (next - ticks <= rate->depth)
        return (RateVerdict){.admitted = true, .word = next};
    uint64_t wait = next - ticks - rate->depth;
    return (RateVerdict){.word = word, .wait = (int64_t)((wait + RATE_TICKS - 1) / RATE_TICKS)};
}

uint64_t rate_charge(const Rate *rate, uint64_t word, uint64_t cost, int64_t now, bool *owes_out)
{
    uint64_t ticks = (uint64_t)now * RATE_TICKS;
    uint64_t next =
        later(word, ticks) + bounded((Wide)cost * rate->step / RATE_FRACTION, DEPTH_MOST);
    *owes_out = next > ticks + 2 * rate->depth;
    return rate_fit(rate, next, RATE_OWED, now);
}

uint64_t rate_return(const Rate *rate, uint64_t word, uint64_t cost)
{
    uint64_t back = ticks_of(rate, cost);
    return word > back ? word - back : 0;
}

uint64_t rate_left(const Rate *rate, uint64_t word, int64_t now)
{
    uint64_t ticks = (uint64_t)now * RATE_TICKS;
    uint64_t missing = later(word, ticks) - ticks;
    if (missing >= rate->depth)
        return 0;
    return (uint64_t)((Wide)(rate->depth - missing) * RATE_FRACTION / rate->step);
}

int64_t rate_missing(uint64_t word, int64_t now)
{
    uint64_t ticks = (uint64_t)now * RATE_TICKS;
    return word > ticks ? (int64_t)((word - ticks + RATE_TICKS - 1) / RATE_TICKS) : 0;
}
