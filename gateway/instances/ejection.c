#include "gateway/instances/ejection.h"

#include <string.h>

/* What remains of older calls at each look, so that the last 30 seconds or so count. */
#define LONGER_KEPT (1 - (double)EJECTION_EVERY / (30 * SECOND))

enum { JITTER_PERCENT = 10 };

/* Added up again each time, so that no rounding errors accumulate. */
static Sample sum_of(const Sample *looks)
{
    Sample sum = looks[0];
    for (int i = 1; i < EJECTION_LOOKS; i++)
        sample_add(&sum, &looks[i]);
    return sum;
}

/* It may have nothing to respond to, so that only attempts count; and a pause of its process ends,
   so that it must be silent for the time of all looks. */
static void note_silence(Judged *judged, const Sample *fresh)
{
    bool responds = fresh->calls > fresh->failures;
    judged->silence = responds ? 0 : judged->silence + (uint32_t)fresh->unanswered;
    if (judged->silence == 0)
        judged->silent_looks = 0;
    else if (judged->silent_looks < EJECTION_LOOKS)
        judged->silent_looks++;
}

void judged_observe(Judged *judged, const Sample *fresh, uint32_t row)
{
    judged->looks[judged->look] = *fresh;
    judged->look = (judged->look + 1) % EJECTION_LOOKS;
    judged->recent = sum_of(judged->looks);
    sample_scale(&judged->longer, LONGER_KEPT);
    sample_add(&judged->longer, fresh);
    judged->row = fresh->calls > 0 ? row : 0;
    note_silence(judged, fresh);
}

uint32_t ejections_most(const EjectRules *rules, uint32_t n)
{
    return (uint32_t)((uint64_t)n * rules->max_percent / 100);
}

/* ---- One instance ---------------------------------------------------------------------------- */

/* The calls of all instances of an arm that are in use. */
typedef struct Totals {
    Sample recent, longer;
} Totals;

static Sample others_of(const Sample *all, const Sample *mine)
{
    Sample others = *all;
    sample_subtract(&others, mine);
    return others;
}

static OutlierReason reason_by(const EjectRules *rules, Judged *judged, const Sample *mine,
                               const Sample *all)
{
    judged->mine = *mine;
    judged->others = others_of(all, mine);
    return outlier_compare(rules, mine, &judged->others);
}

/* By the others now, and by what they usually do. */
static bool is_silent(const EjectRules *rules, const Judged *judged, const Totals *totals)
{
    if (judged->silent_looks < EJECTION_LOOKS)
        return false;
    Sample recent = others_of(&totals->recent, &judged->recent);
    Sample longer = others_of(&totals->longer, &judged->longer);
    return outlier_is_silent(rules, judged->silence, &recent) &&
           outlier_is_silent(rules, judged->silence, &longer);
}

/* Why it should be ejected; what was compared is in `mine` and `others`. */
static OutlierReason reason_of(const EjectRules *rules, Judged *judged, const Totals *totals)
{
    judged->mine = judged->recent;
    judged->others = others_of(&totals->recent, &judged->recent);
    judged->reason_row = judged->row;
    if (outlier_in_a_row(rules, judged->row, &judged->others))
        return OUTLIER_IN_A_ROW;
    if (is_silent(rules, judged, totals)) {
        judged->reason_row = judged->silence;
        return OUTLIER_SILENT;
    }
    OutlierReason reason = reason_by(rules, judged, &judged->recent, &totals->recent);
    return reason ? reason : reason_by(rules, judged, &judged->longer, &totals->longer);
}

/* Whatever the others do. */
static bool fails_all(const EjectRules *rules, const Judged *judged)
{
    return rules->consecutive && judged->row >= rules->consecutive;
}

static int64_t time_of(const EjectRules *rules, uint32_t times, Random *random)
{
    int64_t time = rules->first;
    while (--times > 0 && time < rules->most)
        time *= 2;
    if (time > rules->most)
        time = rules->most;
    int64_t jitter = time * JITTER_PERCENT / 100;
    return time - jitter + (int64_t)random_below(random, (uint64_t)(2 * jitter + 1));
}

static void eject(const EjectRules *rules, Judged *judged, int64_t now, Random *random)
{
    bool anew = !judged->returned_at || now - judged->returned_at >= rules->most;
    judged->times = anew ? 1 : judged->times + 1;
    judged->ejected_at = now;
    judged->inherited = false;
    judged->until = now + time_of(rules, judged->times, random);
    judged->news = EJECTION_BEGUN;
}

/* It begins with no past, so that only what it does from now on counts. */
static void take_back(Judged *judged, int64_t now, EjectionNews news)
{
    judged->ejected_at = judged->until = 0;
    judged->pardoned = false;
    judged->returned_at = now;
    judged->recent = judged->longer = (Sample){.calls = 0};
    memset(judged->looks, 0, sizeof judged->looks);
    judged->row = judged->silence = judged->silent_looks = 0;
    judged->news = news;
}

bool judged_pardon(Judged *judged, int64_t now)
{
    if (!judged_is_ejected(judged))
        return false;
    judged->pardoned = true;
    judged->until = now;
    judged->times = 0;
    return true;
}

/* ---- All of a service ------------------------------------------------------------------------ */

static void end_those_over(Judged *const *all, uint32_t n, int64_t now)
{
    for (uint32_t i = 0; i < n; i++) {
        all[i]->news = EJECTION_NO_NEWS;
        if (judged_is_ejected(all[i]) && now >= all[i]->until)
            take_back(all[i], now, all[i]->pardoned ? EJECTION_PARDONED : EJECTION_ENDED);
    }
}

static void add_totals(Judged *const *all, uint32_t n, Totals totals[EJECTION_ARMS])
{
    for (uint32_t i = 0; i < n; i++) {
        if (judged_is_ejected(all[i]))
            continue;
        sample_add(&totals[all[i]->arm].recent, &all[i]->recent);
        sample_add(&totals[all[i]->arm].longer, &all[i]->longer);
    }
}

/* Finds the reasons of those that are not ejected yet, and counts all that are bad. */
static void find_bad(const EjectRules *rules, JudgedService *service, Judged *const *all,
                     uint32_t n)
{
    Totals totals[EJECTION_ARMS] = {{{.calls = 0}}};
    add_totals(all, n, totals);
    service->n = n;
    service->n_bad = service->n_unhealthy = 0;
    for (uint32_t i = 0; i < n; i++) {
        Judged *judged = all[i];
        if (!judged_is_ejected(judged))
            judged->reason =
                rules->off || n < 2 ? OUTLIER_NOT : reason_of(rules, judged, &totals[judged->arm]);
        bool fails = !rules->off && n > 1 && fails_all(rules, judged);
        service->n_unhealthy += judged->unhealthy;
        service->n_bad += judged->unhealthy || judged->reason || fails;
    }
}

static void set_all_used(JudgedService *service, bool too_many, int64_t now)
{
    bool before = service->all_used;
    if (too_many)
        service->all_used_until = now + ALL_USED_TIME;
    service->all_used = too_many || (before && now < service->all_used_until);
    service->changed = service->all_used != before;
}

/* ---- Who may be ejected ---------------------------------------------------------------------- */

enum { VERSIONS = 64 };

/* Instances that can be used: all, and those of each version, in each arm. */
typedef struct Usable {
    uint32_t n, of[EJECTION_ARMS][VERSIONS];
    uint32_t n_free; /* all but those that are aside */
} Usable;

static bool is_usable(const Judged *judged)
{
    return !judged->down && !judged->unhealthy && !judged->aside && !judged_is_ejected(judged);
}

static uint64_t versions_of(const Judged *judged)
{
    return judged->versions ? judged->versions : 1;
}

static Usable count_usable(Judged *const *all, uint32_t n)
{
    Usable usable = {.n = 0};
    for (uint32_t i = 0; i < n; i++) {
        usable.n_free += !all[i]->aside;
        if (!is_usable(all[i]))
            continue;
        usable.n++;
        for (uint64_t left = versions_of(all[i]); left; left &= left - 1)
            usable.of[all[i]->arm][__builtin_ctzll(left)]++;
    }
    return usable;
}

/* Whether enough are left without this one; then it is no longer counted. */
static bool take_out(Usable *usable, const Judged *judged, uint32_t least)
{
    if (!is_usable(judged))
        return true;
    uint32_t *of = usable->of[judged->arm];
    for (uint64_t left = versions_of(judged); left; left &= left - 1)
        if (of[__builtin_ctzll(left)] < 2)
            return false;
    if (usable->n <= least)
        return false;
    usable->n--;
    for (uint64_t left = versions_of(judged); left; left &= left - 1)
        of[__builtin_ctzll(left)]--;
    return true;
}

/* The other arm serves instead of one that is unhealthy, and not of one whose calls fail. */
static bool has_other(const Usable *usable, const Judged *judged, int version)
{
    uint32_t n = usable->of[judged->arm][version];
    if (judged->unhealthy)
        for (int arm = 0; arm < EJECTION_ARMS; arm++)
            n += usable->of[arm][version];
    return n > 0;
}

/* Whether it serves a version of which no instance can be used. */
static bool is_needed(const Usable *usable, const Judged *judged)
{
    if (judged->aside || (!judged->unhealthy && !judged_is_ejected(judged)))
        return false;
    for (uint64_t left = versions_of(judged); left; left &= left - 1)
        if (!has_other(usable, judged, __builtin_ctzll(left)))
            return true;
    return false;
}

/* Before any is ejected, so that all of a version are used, and not the first one only. */
static void find_needed(JudgedService *service, Judged *const *all, uint32_t n,
                        const Usable *usable, int64_t now)
{
    bool before = service->some_needed;
    service->n_needed = 0;
    for (uint32_t i = 0; i < n; i++) {
        all[i]->needed = !service->all_used && is_needed(usable, all[i]);
        service->n_needed += all[i]->needed;
    }
    if (service->n_needed)
        service->needed_until = now + ALL_USED_TIME;
    service->some_needed = service->n_needed || (before && now < service->needed_until);
    service->needs_changed = service->some_needed != before;
}

static void judge_one(const EjectRules *rules, const JudgedService *service, Judged *judged,
                      Usable *usable, int64_t now, Random *random)
{
    bool ejected = judged_is_ejected(judged), all_used = service->all_used;
    uint32_t least = usable->n_free - ejections_most(rules, usable->n_free);
    if (ejected && (all_used || rules->off))
        take_back(judged, now, EJECTION_LIFTED);
    else if (ejected && judged->needed)
        take_back(judged, now, EJECTION_NEEDED);
    else if (!ejected && judged->reason && !all_used && !service->no_more_ejected &&
             take_out(usable, judged, least))
        eject(rules, judged, now, random);
    judged->barred_unhealthy = judged->unhealthy && !all_used && !judged->needed &&
                               (judged->barred_unhealthy || !service->no_more_unhealthy);
}

void ejections_judge(const EjectRules *rules, JudgedService *service, Judged *const *all,
                     uint32_t n, int64_t now, Random *random)
{
    end_those_over(all, n, now);
    find_bad(rules, service, all, n);
    set_all_used(service, service->n_bad > ejections_most(rules, n), now);
    Usable usable = count_usable(all, n);
    find_needed(service, all, n, &usable, now);
    for (uint32_t i = 0; i < n; i++)
        judge_one(rules, service, all[i], &usable, now, random);
}
