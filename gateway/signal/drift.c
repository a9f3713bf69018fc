#include "gateway/signal/drift.h"

#include <math.h>

/* How a figure is measured, and what matters. */
typedef struct DriftRule {
    const char *name;
    double least_spread; /* what is less is chance, or too even to judge by */
    double least_more;   /* above the usual */
    double least_times;  /* of the usual; 0: `least_more` of a logarithm says that already */
} DriftRule;

static const DriftRule rules[DRIFT_FIGURES] = {
    [DRIFT_LATENCY] = {"latency", 0.03, 0.2231 /* 1.25 times */, 0},
    [DRIFT_FAILURES] = {"failures", 0.002, 0.01, 1.5},
    [DRIFT_LOSSES] = {"losses", 0.01, 0.05, 1.5},
};

const char *drift_figure_name(DriftFigure figure)
{
    return rules[figure].name;
}

static double figure_of(const DriftHour *hour, DriftFigure figure)
{
    double calls = (double)hour->calls;
    switch (figure) {
    case DRIFT_LATENCY: return log(fmax(hour->seconds / calls, 1e-6));
    case DRIFT_FAILURES: return (double)hour->failures / calls;
    case DRIFT_LOSSES: return (double)hour->losses / calls;
    case DRIFT_FIGURES: break;
    }
    return 0;
}

/* In the unit that people know. */
static double shown(DriftFigure figure, double value)
{
    return figure == DRIFT_LATENCY ? exp(value) : value;
}

/* The variance that a figure of so many calls has by chance. Failures come in bursts: they are as
   uncertain as a quarter of as many independent ones. Latencies have long tails. */
static double chance_of(DriftFigure figure, double level, double calls)
{
    static const double bursts = 4, tails = 1.5;
    double share = fmax(level, 1 / calls);
    switch (figure) {
    case DRIFT_LATENCY: return tails / calls;
    case DRIFT_FAILURES: return share < 1 ? bursts * share * (1 - share) / calls : 0;
    case DRIFT_LOSSES: return fmax(level, 0) / calls;
    case DRIFT_FIGURES: break;
    }
    return 0;
}

static double spreads_above(DriftFigure figure, const SeasonUsual *usual, double value,
                            double calls)
{
    double least = rules[figure].least_spread;
    double spread = fmax(usual->spread, least);
    double level = usual->level;
    return (value - level) / sqrt(spread * spread + chance_of(figure, level, calls));
}

static void begin_anew(DriftSum *sum)
{
    sum->sum = sum->now = sum->usual = 0;
    sum->hours = 0;
    sum->since = 0;
}

static bool matters(DriftFigure figure, double usual, double now)
{
    const DriftRule *rule = &rules[figure];
    bool times = rule->least_times == 0 || now >= rule->least_times * usual;
    return now - usual >= rule->least_more && times;
}

static bool is_worse_than_told(DriftFigure figure, const DriftSum *sum, double now)
{
    return !sum->was_told || matters(figure, (double)sum->told, now);
}

static void calm_down(DriftSum *sum, double above)
{
    sum->calm = above < DRIFT_ALLOWED ? sum->calm + 1 : 0;
    if (sum->calm >= DRIFT_CALM)
        sum->was_told = false;
}

static void add_hour(DriftSum *sum, double above, double value, double usual, int64_t wall)
{
    double more = fmin(above, DRIFT_CLIP) - DRIFT_ALLOWED;
    if (sum->sum + more <= 0) {
        begin_anew(sum);
        return;
    }
    if (sum->hours++ == 0)
        sum->since = wall;
    float share = 1.f / (float)(sum->hours < DRIFT_MEAN ? sum->hours : DRIFT_MEAN);
    sum->sum += (float)more;
    sum->now += share * ((float)value - sum->now);
    sum->usual += share * ((float)usual - sum->usual);
}

/* True: it drifts, and nobody was told. */
static bool look(DriftFigure figure, DriftSum *sum, DriftFound *found)
{
    if (sum->sum < DRIFT_LIMIT)
        return false;
    double usual = (double)sum->usual, now = (double)sum->now;
    bool news = matters(figure, usual, now) && is_worse_than_told(figure, sum, now);
    *found = (DriftFound){.figure = figure,
                          .usual = shown(figure, usual),
                          .now = shown(figure, now),
                          .hours = sum->hours,
                          .since = sum->since};
    if (news) {
        sum->was_told = true;
        sum->told = (float)now;
        sum->calm = 0;
        begin_anew(sum);
    }
    return news;
}

static bool judge(DriftFigure figure, DriftSum *sum, const DriftHour *hour, int64_t wall,
                  DriftFound *found)
{
    int slot = season_slot(wall);
    double value = figure_of(hour, figure);
    SeasonUsual usual;
    bool drifts = false;
    if (season_usual(&sum->season, slot, &usual)) {
        double above = spreads_above(figure, &usual, value, (double)hour->calls);
        calm_down(sum, above);
        add_hour(sum, above, value, usual.level, wall);
        drifts = look(figure, sum, found);
    }
    season_learn(&sum->season, slot, value);
    return drifts;
}

void drift_hour(Drift *drift, const DriftHour *hour, uint64_t least, int64_t wall,
                void (*on_found)(void *owner, const DriftFound *found), void *owner)
{
    DriftFound found;
    if (hour->calls < least || hour->calls == 0)
        return;
    for (int i = 0; i < DRIFT_FIGURES; i++)
        if (judge((DriftFigure)i, &drift->sums[i], hour, wall, &found))
            on_found(owner, &found);
}

bool drift_is_sound(const Drift *drift)
{
    bool sound = true;
    for (int i = 0; i < DRIFT_FIGURES; i++) {
        const DriftSum *sum = &drift->sums[i];
        sound = sound && season_is_sound(&sum->season) && isfinite(sum->sum) && sum->sum >= 0 &&
                isfinite(sum->now) && isfinite(sum->usual) && isfinite(sum->told);
    }
    return sound;
}
