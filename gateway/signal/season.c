#include "gateway/signal/season.h"

#include "base/clock.h"

#include <math.h>

#define HOUR (3600 * SECOND)

enum {
    HOURS = 24,
    THURSDAY = 4,        /* 1970-01-01, if Sunday is 0 */
    SPREAD_MEMORY = 200, /* values, about: a week */
    SPREAD_SURE = 24,    /* values that make the spread known */
    BELIEVED = 4,        /* spreads: as far as a value counts */
};

int season_slot(int64_t wall)
{
    int64_t hour = wall / HOUR, day = (hour / HOURS + THURSDAY) % 7;
    bool weekend = day == 0 || day == 6;
    return (int)(hour % HOURS) + (weekend ? HOURS : 0);
}

static bool is_known(const Season *season, int slot)
{
    int least = slot < HOURS ? SEASON_WEEKDAYS : SEASON_WEEKENDS;
    return season->seen[slot] >= least && season->n >= SPREAD_SURE;
}

bool season_usual(const Season *season, int slot, SeasonUsual *usual_out)
{
    if (!is_known(season, slot))
        return false;
    double more = 1 + 1. / season->seen[slot];
    *usual_out = (SeasonUsual){season->level[slot], season->spread * sqrt(more)};
    return true;
}

static double limit(double value, double most)
{
    return fmax(-most, fmin(most, value));
}

/* The mean deviation is sqrt(2 / pi) of the standard deviation, and is not moved much by few. */
static void learn_spread(Season *season, double off)
{
    static const double of_mean = 1.2533;
    uint32_t n = season->n < SPREAD_MEMORY ? ++season->n : SPREAD_MEMORY;
    season->spread += (float)((of_mean * fabs(off) - season->spread) / n);
}

void season_learn(Season *season, int slot, double value)
{
    double off = value - season->level[slot];
    if (season->seen[slot]) {
        double most = BELIEVED * (double)season->spread;
        off = season->n >= SPREAD_SURE && most > 0 ? limit(off, most) : off;
        learn_spread(season, off);
    }
    if (season->seen[slot] < SEASON_MEMORY)
        season->seen[slot]++;
    season->level[slot] += (float)(off / season->seen[slot]);
}

bool season_is_sound(const Season *season)
{
    bool sound = isfinite(season->spread) && season->spread >= 0 && season->n <= SPREAD_MEMORY;
    for (int i = 0; i < SEASON_SLOTS; i++)
        sound = sound && isfinite(season->level[i]) && season->seen[i] <= SEASON_MEMORY;
    return sound;
}
