#include "gateway/policy/shedding.h"

#include "base/clock.h"

enum {
    LATE_TURNS = 4, /* in a run, at least: fewer are hiccups */
    LEAST_WORK = 8, /* of which it worked for at least such a part: else it is late because of
                       others on the machine, and nobody knows what it could do */
};

#define PAUSE MILLISECOND         /* who sleeps so long has nothing left to do */
#define WINDOW (20 * MILLISECOND) /* long enough for some hundred calls */
#define WORK_MEMORY 0.3           /* seconds: of what a call costs */
#define ARRIVAL_MEMORY 0.1        /* seconds: of how many calls arrive */
#define TURN_AIM 0.6e6            /* nanoseconds: a call takes some three turns */
#define GAIN 0.1                  /* so much more than measured is allowed while turns are short */
#define BURST 0.004               /* seconds: of tokens that are kept */

#define LEAST_ALLOWED 20.0  /* calls in a second: by them it is seen what it can do */
#define LEAST_ADMITTED 0.05 /* of catastrophic calls, by the cut */
#define UNBOUNDED 1e12
#define SPARED SECOND

/* ---- When it begins -------------------------------------------------------------------------- */

/* What arrives waits for the present turn to end, and has another one. */
static int64_t delay_of(const LoopTurn *turn)
{
    return turn->waited / 2 > turn->busy ? turn->waited / 2 : turn->busy;
}

static bool is_late(Shedding *s, const OverloadConfig *limits, const LoopTurn *turn)
{
    if (turn->slept >= PAUSE || delay_of(turn) < limits->delay) {
        s->late_since = s->late_stood = 0;
        s->n_late = 0;
        return false;
    }
    if (!s->late_since)
        s->late_since = turn->ended - turn->busy;
    s->late_stood += turn->stood;
    s->n_late++;
    int64_t lasted = turn->ended - s->late_since;
    return s->n_late >= LATE_TURNS && lasted >= limits->interval &&
           lasted - s->late_stood >= lasted / LEAST_WORK;
}

static void begin_window(Shedding *s, int64_t now)
{
    s->window_since = now;
    s->busy = 0;
    s->n_turns = s->admitted = 0;
    s->unread = false;
    for (int i = 0; i < IMPACTS; i++)
        s->arrived[i] = 0;
}

static void begin(Shedding *s, int64_t now)
{
    double memory_cut = s->memory_cut;
    *s = (Shedding){.active = true,
                    .memory_cut = memory_cut,
                    .cut = memory_cut,
                    .spare = UNBOUNDED,
                    .tokens = UNBOUNDED};
    begin_window(s, now);
}

/* ---- How much it can do ---------------------------------------------------------------------- */

static double bounded(double value, double least, double most)
{
    return value < least ? least : value > most ? most : value;
}

static void add(double *sum, double memory, double seconds, double more)
{
    *sum = *sum * memory / (memory + seconds) + more;
}

static void remember_window(Shedding *s, double seconds)
{
    add(&s->calls, WORK_MEMORY, seconds, s->admitted);
    add(&s->busy_seconds, WORK_MEMORY, seconds, (double)s->busy / SECOND);
    add(&s->seconds, ARRIVAL_MEMORY, seconds, seconds);
    for (int i = 0; i < IMPACTS; i++)
        add(&s->arrivals[i], ARRIVAL_MEMORY, seconds, s->arrived[i]);
}

/* Long turns mean that something has piled up, which is done first. In short ones a call costs more
   than it would with more of them at a time, so that it can do a few more than measured. */
static double share_for_new(const Shedding *s)
{
    return bounded(1 + GAIN * (1 - (double)s->turn / TURN_AIM), 0.4, 1 + GAIN);
}

static double calls_allowed(const Shedding *s)
{
    double rate = s->busy_seconds > 0 ? s->calls / s->busy_seconds : 0;
    return bounded(rate * share_for_new(s), LEAST_ALLOWED, 1e12);
}

/* From the highest impact down, until no more can be done. What is left for the last one, be it
   more than has arrived of it, is given to it as tokens. */
static double cut_for(Shedding *s)
{
    double left = s->allowed;
    for (int impact = IMPACTS - 1; impact >= 0; impact--) {
        double rate = s->arrivals[impact] / s->seconds;
        s->last = (Impact)impact;
        s->spare = left;
        if (rate > left)
            return impact + 1 - left / rate;
        left -= rate;
    }
    return 0;
}

/* What has piled up before makes a call look more costly than it is. */
static double spare_last(Shedding *s, const OverloadConfig *limits, double cut, int64_t now)
{
    if (cut < IMPACT_CATASTROPHIC) {
        s->last_since = 0;
        s->refuses_last = false;
        return cut;
    }
    if (!s->last_since)
        s->last_since = now;
    s->refuses_last |= now - s->last_since >= limits->calm && s->turn >= limits->delay;
    if (s->refuses_last)
        return cut;
    s->last = IMPACT_CATASTROPHIC;
    s->spare = s->tokens = UNBOUNDED;
    return IMPACT_CATASTROPHIC;
}

static void set_cut(Shedding *s, double cut)
{
    s->cut = bounded(cut > s->memory_cut ? cut : s->memory_cut, 0, IMPACTS - LEAST_ADMITTED);
}

/* What arrives while the processor does something else comes together. */
static void add_tokens(Shedding *s, int64_t passed, int64_t stood)
{
    double kept = (double)stood / SECOND;
    double most = s->spare * (kept > BURST ? kept : BURST);
    s->tokens = bounded(s->tokens + s->spare * (double)passed / SECOND, 0, most > 1 ? most : 1);
}

static void end_window(Shedding *s, const OverloadConfig *limits, int64_t now)
{
    int64_t passed = now - s->window_since;
    s->busy_share = (double)s->busy / (double)passed;
    s->turn = s->busy / s->n_turns;
    remember_window(s, (double)passed / SECOND);
    s->allowed = calls_allowed(s);
    double cut = spare_last(s, limits, cut_for(s), now);
    set_cut(s, cut);
    for (int impact = 0; impact < IMPACTS; impact++)
        if (s->cut > impact)
            s->refused_at[impact] = now;
    if (cut > 0 || s->unread)
        s->calm_since = 0;
    else if (!s->calm_since)
        s->calm_since = now;
    begin_window(s, now);
}

/* ---- Turns ----------------------------------------------------------------------------------- */

SheddingChange shedding_turn(Shedding *s, const OverloadConfig *limits, const LoopTurn *turn)
{
    if (!s->active) {
        if (!is_late(s, limits, turn))
            return SHEDDING_SAME;
        begin(s, turn->ended);
        return SHEDDING_BEGUN;
    }
    s->busy += turn->busy;
    s->n_turns++;
    s->unread |= turn->waited / 2 >= limits->delay;
    add_tokens(s, turn->slept + turn->busy, turn->stood);
    if (turn->ended - s->window_since < WINDOW)
        return SHEDDING_SAME;
    end_window(s, limits, turn->ended);
    bool slept = turn->slept >= limits->calm;
    if (!slept && (!s->calm_since || turn->ended - s->calm_since < limits->calm))
        return SHEDDING_SAME;
    *s = (Shedding){.memory_cut = s->memory_cut, .cut = s->memory_cut};
    return SHEDDING_ENDED;
}

void shedding_set_memory(Shedding *s, int64_t used, int64_t limit)
{
    int64_t eighth = limit / 8;
    double over = eighth > 0 ? (double)(used - limit) / (double)eighth : 0;
    s->memory_cut = over > 0 && over < 1 ? over * IMPACT_CATASTROPHIC : 0;
    if (!s->active || s->cut < s->memory_cut)
        s->cut = s->memory_cut;
}

bool shedding_spares(const Shedding *s, Impact impact)
{
    return s->cut <= impact &&
           (!s->refused_at[impact] || s->window_since - s->refused_at[impact] >= SPARED);
}

/* By chance, while memory is short. */
static bool has_memory(const Shedding *s, Impact impact, uint64_t random)
{
    return impact + (double)(random >> 11) / (double)(UINT64_C(1) << 53) >= s->memory_cut;
}

static bool has_time(Shedding *s, Impact impact)
{
    if (!s->active || impact > s->last)
        return true;
    if (impact < s->last || s->tokens < 1)
        return false;
    s->tokens--;
    return true;
}

bool shedding_admits(Shedding *s, Impact impact, uint64_t random)
{
    bool admitted = has_memory(s, impact, random) && has_time(s, impact);
    s->arrived[impact]++;
    s->admitted += admitted;
    return admitted;
}
