#include "gateway/rollout/rollout_planning.h"

#include "gateway/rollout/wealth.h"

#include <math.h>

#define HOUR 3600e9

/* ---- Finding --------------------------------------------------------------------------------- */

/* The probability that fewer than `hits` of `clients` fail. Summed from the top: the terms become
   small below the mode. */
static double fewer(double hits, double clients, double rate)
{
    if (hits <= 0 || rate >= 1)
        return 0;
    double k = hits - 1, mode = clients * rate;
    double term = exp(lgamma(clients + 1) - lgamma(k + 1) - lgamma(clients - k + 1) +
                      k * log(rate) + (clients - k) * log1p(-rate));
    double sum = term;
    for (; k > 0 && !(k < mode && term < 1e-12 * sum); k--) {
        term *= k / (clients - k + 1) * (1 - rate) / rate;
        sum += term;
    }
    return fmin(sum, 1);
}

static int n_metrics(const RolloutDefinition *rollout)
{
    int n = __builtin_popcount(rollout->judging.metrics);
    return n > 0 ? n : 1;
}

/* Whether so many failing clients of `fresh` compared ones are bad. The other metrics show
   nothing. */
static bool is_bad(const RolloutDefinition *rollout, const RolloutTraffic *traffic, double fresh,
                   double on, double hits)
{
    double others = traffic->clients - on;
    Wealth wealth = {0};
    wealth_bet(&wealth, fresh / (fresh + others), hits, others * traffic->failing);
    return wealth_log(&wealth) >= log(n_metrics(rollout) / rollout->judging.alpha);
}

static double needed_hits(const RolloutDefinition *rollout, const RolloutTraffic *traffic,
                          double fresh, double on)
{
    double below = 0, enough = fresh;
    if (!is_bad(rollout, traffic, fresh, on, fresh))
        return INFINITY;
    while (enough - below > 1) {
        double middle = floor((below + enough) / 2);
        *(is_bad(rollout, traffic, fresh, on, middle) ? &enough : &below) = middle;
    }
    return enough;
}

/* The excess with which so many of `fresh` clients fail with this probability. */
static double found(double hits, double fresh, double failing, double probability)
{
    if (hits > fresh)
        return INFINITY;
    double below = 0, enough = 1;
    for (int i = 0; i < 50; i++) {
        double middle = (below + enough) / 2, rate = failing + middle * (1 - failing);
        *(1 - fewer(hits, fresh, rate) >= probability ? &enough : &below) = middle;
    }
    return enough;
}

/* ---- Time ------------------------------------------------------------------------------------ */

/* The share of all clients that call within so many hours, if each calls at random. */
static double called(const RolloutTraffic *traffic, double hours)
{
    double in_one = fmin(traffic->clients_per_hour / traffic->clients, 0.9999);
    return -expm1(hours * log1p(-in_one));
}

/* The clients that a tier has after so many hours: that come through its door, or have its
   hashes. */
static double came(const RolloutDefinition *rollout, const RolloutTraffic *traffic,
                   const RolloutTier *tier, double missing, double hours)
{
    double share = tier->share;
    if (tier->kind == ROLLOUT_TIER_CLIENTS)
        share = tier_door(missing, traffic->clients, (int64_t)fmin(hours * HOUR, 1e18),
                          rollout->judging.least);
    return share * traffic->clients * called(traffic, hours);
}

/* The hours until `clients` have come; INFINITY: they do not come within a year. */
static double hours_until(const RolloutDefinition *rollout, const RolloutTraffic *traffic,
                          const RolloutTier *tier, double missing, double clients)
{
    double below = 0, enough = 365 * 24;
    if (came(rollout, traffic, tier, missing, enough) < clients)
        return INFINITY;
    for (int i = 0; i < 50; i++) {
        double middle = (below + enough) / 2;
        *(came(rollout, traffic, tier, missing, middle) >= clients ? &enough : &below) = middle;
    }
    return enough;
}

/* ---- Plans ----------------------------------------------------------------------------------- */

static double excess_of(const RolloutTraffic *traffic, double on)
{
    double others = traffic->clients - on;
    double error = others > 0 ? sqrt(traffic->failing / others) : 1;
    return tier_excess(on, traffic->failing, error);
}

/* The clients that rule out an excess if nothing is wrong; INFINITY: not even `most` do. */
static double clients_for(const RolloutTraffic *traffic, double excess, double most)
{
    double below = 0, enough = most;
    if (excess_of(traffic, most) > excess)
        return INFINITY;
    while (enough - below > 1) {
        double middle = ceil((below + enough) / 2);
        *(excess_of(traffic, middle) <= excess ? &enough : &below) = middle;
        if (middle >= most)
            break;
    }
    return enough;
}

/* What it must have seen to pass, and when it has. */
static double hours_of(const RolloutDefinition *rollout, const RolloutTraffic *traffic,
                       const RolloutTier *tier, const TierPlan *plan, double before)
{
    double missing = plan->clients - before, least = (double)rollout->judging.least / HOUR;
    double clients = missing;
    if (plan->rules_out > plan->must_rule_out)
        return INFINITY;
    if (tier->kind == ROLLOUT_TIER_SHARE)
        clients = fmax(clients_for(traffic, plan->must_rule_out, plan->clients) - before, 1);
    return fmax(hours_until(rollout, traffic, tier, missing, clients), least);
}

static TierPlan plan_tier(const RolloutDefinition *rollout, const RolloutTraffic *traffic,
                          uint32_t at, double before)
{
    const RolloutTier *tier = &rollout->tiers[at];
    TierNeed need = tier_need(rollout, at);
    double clients = tier->kind == ROLLOUT_TIER_CLIENTS ? tier->clients
                     : tier->kind == ROLLOUT_TIER_SHARE
                         ? before + floor(tier->share * (traffic->clients - before))
                         : traffic->clients;
    TierPlan plan = {
        .clients = fmin(clients, traffic->clients),
        .compared = need.compared && clients < traffic->clients && clients > before,
        .approval = need.approval,
        .must_rule_out = need.excess,
        .needs_hits = INFINITY,
        .found_half = INFINITY,
        .found_most = INFINITY,
        .rules_out = 1,
        .hours = (double)rollout->judging.least / HOUR,
    };
    if (!plan.compared) {
        plan.hours = need.compared ? INFINITY : plan.hours;
        return plan;
    }
    double fresh = clients - before;
    plan.needs_hits = needed_hits(rollout, traffic, fresh, clients);
    plan.found_half = found(plan.needs_hits, fresh, traffic->failing, 0.5);
    plan.found_most = found(plan.needs_hits, fresh, traffic->failing, 0.95);
    plan.rules_out = excess_of(traffic, clients);
    plan.hours = hours_of(rollout, traffic, tier, &plan, before);
    return plan;
}

void rollout_plan(const RolloutDefinition *rollout, const RolloutTraffic *traffic,
                  TierPlan *plans_out)
{
    double before = 0;
    for (uint32_t i = 0; i < rollout->n_tiers; i++) {
        plans_out[i] = plan_tier(rollout, traffic, i, before);
        before = plans_out[i].clients;
    }
}
