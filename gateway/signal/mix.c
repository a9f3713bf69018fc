#include "gateway/signal/mix.h"

#include "base/clock.h"

#include <math.h>
#include <stdlib.h>

#define HOUR (3600 * SECOND)

/* Calls of one client go the same way. */
#define ALIKE 10.0
#define LEAST_SPREAD 0.02

/* ---- Versions -------------------------------------------------------------------------------- */

static bool is_named(const MixVersion *version, Bytes name)
{
    return bytes_are(bytes_cut_text(name, MIX_NAME_SIZE - 1), version->name);
}

/* One that was not there before had no calls before. All versions have seen the same hours. */
static void begin(MixVersion *version, Bytes name, const Season *other)
{
    Bytes cut = bytes_cut_text(name, MIX_NAME_SIZE - 1);
    MixVersion made = {.share = {.n = other->n}};
    memcpy(made.share.seen, other->seen, sizeof made.share.seen);
    if (cut.size)
        memcpy(made.name, cut.data, cut.size);
    *version = made;
}

static uint64_t calls_of(const MixVersion *version, const MixCount *counts, uint32_t n)
{
    uint64_t calls = 0;
    for (uint32_t i = 0; i < n; i++)
        if (is_named(version, counts[i].version))
            calls += counts[i].calls;
    return calls;
}

/* Where there is room, or a version that had no calls in this hour; NULL: nowhere. */
static MixVersion *place_for(Mix *mix, const MixCount *counts, uint32_t n)
{
    if (mix->n < MIX_VERSIONS)
        return &mix->versions[mix->n++];
    for (uint32_t i = 0; i < mix->n; i++)
        if (!calls_of(&mix->versions[i], counts, n))
            return &mix->versions[i];
    return NULL;
}

static void see_version(Mix *mix, Bytes name, const MixCount *counts, uint32_t n)
{
    for (uint32_t i = 0; i < mix->n; i++)
        if (is_named(&mix->versions[i], name))
            return;
    MixVersion *place = place_for(mix, counts, n);
    if (place)
        begin(place, name, &mix->versions[0].share);
}

/* ---- An hour --------------------------------------------------------------------------------- */

static double spreads_off(const SeasonUsual *usual, double share, double calls)
{
    double spread = fmax(usual->spread, LEAST_SPREAD);
    double level = fmin(fmax(usual->level, 1 / calls), 1 - 1 / calls);
    double chance = ALIKE * level * (1 - level) / calls;
    return (share - usual->level) / sqrt(spread * spread + chance);
}

static bool is_off(const SeasonUsual *usual, double share, double calls)
{
    return fabs(share - usual->level) >= MIX_SHIFT &&
           fabs(spreads_off(usual, share, calls)) >= MIX_SPREADS;
}

static void count_off(MixVersion *version, bool off, bool above)
{
    if (!off)
        version->off = 0;
    else if (above)
        version->off = version->off > 0 ? version->off + 1 : 1;
    else
        version->off = version->off < 0 ? version->off - 1 : -1;
}

static bool is_as_told(const MixVersion *version, double share)
{
    return version->was_told && fabs(share - (double)version->told) < MIX_SHIFT;
}

/* True: it has shifted, and nobody was told. */
static bool judge(MixVersion *version, double share, double calls, int slot, double *usual_out)
{
    SeasonUsual usual;
    bool shifted = false;
    if (season_usual(&version->share, slot, &usual)) {
        bool off = is_off(&usual, share, calls);
        count_off(version, off, share > usual.level);
        if (!off && fabs(share - usual.level) < MIX_SHIFT / 2)
            version->was_told = false;
        shifted = abs(version->off) >= MIX_HOURS && !is_as_told(version, share);
        *usual_out = usual.level;
    }
    season_learn(&version->share, slot, share);
    return shifted;
}

/* Where one version takes from another, the one that grows is told. */
static double size_of(double usual, double now)
{
    return fabs(now - usual) + (now > usual ? 0.001 : 0);
}

/* The other versions have shifted by that, too: they are not told of. */
static void note_told(Mix *mix, const MixCount *counts, uint32_t n, double calls)
{
    for (uint32_t i = 0; i < mix->n; i++) {
        mix->versions[i].was_told = true;
        mix->versions[i].told = (float)((double)calls_of(&mix->versions[i], counts, n) / calls);
    }
}

bool mix_hour(Mix *mix, const MixCount *counts, uint32_t n, uint64_t least, int64_t wall,
              MixFound *found_out)
{
    uint64_t calls = 0;
    int slot = season_slot(wall);
    bool found = false;
    for (uint32_t i = 0; i < n; i++)
        calls += counts[i].calls;
    if (calls < least || calls == 0)
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (counts[i].calls)
            see_version(mix, counts[i].version, counts, n);
    *found_out = (MixFound){.calls = calls};
    for (uint32_t i = 0; i < mix->n; i++) {
        MixVersion *version = &mix->versions[i];
        double share = (double)calls_of(version, counts, n) / (double)calls, usual = 0;
        if (!judge(version, share, (double)calls, slot, &usual) ||
            (found && size_of(usual, share) <= size_of(found_out->usual, found_out->now)))
            continue;
        found = true;
        found_out->version = version->name;
        found_out->usual = usual;
        found_out->now = share;
        found_out->since = wall - (abs(version->off) - 1) * HOUR;
    }
    if (found)
        note_told(mix, counts, n, (double)calls);
    return found;
}

bool mix_is_sound(const Mix *mix)
{
    bool sound = mix->n <= MIX_VERSIONS;
    for (uint32_t i = 0; sound && i < mix->n; i++)
        sound = season_is_sound(&mix->versions[i].share) && isfinite(mix->versions[i].told) &&
                memchr(mix->versions[i].name, 0, MIX_NAME_SIZE);
    return sound;
}
