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

/* Clients that a tier compares. */
typedef struct Compared {
    double fresh;  /* of the candidate: they came in with it */
    double others; /* of the baseline */
} Compared;

static Compared compared(const RolloutDefinition *rollout, const RolloutTraffic *traffic,
                         const RolloutTier *tier, double before, double on)
{
    Compared c = {on - before, traffic->clients - on};
    if (tier->kind == ROLLOUT_TIER_CLIENTS) {
        double door = tier_door(c.fresh, traffic->clients, 0, rollout->judging.least);
        c.others = fmin(c.others, c.fresh * (1 - door) / door);
    }
    return c;
}

/* Whether so many failing clients are bad. The other metrics show nothing. */
static bool is_bad(const RolloutDefinition *rollout, const RolloutTraffic *traffic,
                   const Compared *c, double hits)
{
    Wealth wealth = {0};
    wealth_bet(&wealth, c->fresh / (c->fresh + c->others), hits, c->others * traffic->failing);
    return wealth_log(&wealth) >= log(n_metrics(rollout) / rollout->judging.alpha);
}

static double needed_hits(const RolloutDefinition *rollout, const RolloutTraffic *traffic,
                          const Compared *c)
{
    double below = 0, enough = c->fresh;
    if (!is_bad(rollout, traffic, c, enough))
        return INFINITY;
    while (enough - below > 1) {
        double middle = floor((below + enough) / 2);
        *(is_bad(rollout, traffic, c, middle) ? &enough : &below) = middle;
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

/* What `on` clients can rule out, beside so many others. */
static double excess_of(const RolloutTraffic *traffic, double on, double others)
{
    return tier_excess(on, traffic->failing, sqrt(traffic->failing / fmax(others, 1)));
}

/* The clients that rule out an excess if nothing is wrong; INFINITY: not even `most` do. */
static double clients_for(const RolloutTraffic *traffic, double excess, double most, double others)
{
    double below = 0, enough = most;
    if (excess_of(traffic, most, others) > excess)
        return INFINITY;
    while (enough - below > 1) {
        double middle = floor((below + enough) / 2);
        *(excess_of(traffic, middle, others) <= excess ? &enough : &below) = middle;
    }
    return enough;
}

/* When it has seen enough to pass. */
static double hours_of(const RolloutDefinition *rollout, const RolloutTraffic *traffic,
                       const RolloutTier *tier, const TierPlan *plan, const Compared *c)
{
    double before = plan->clients - c->fresh, clients = c->fresh;
    if (plan->rules_out > plan->must_rule_out)
        return INFINITY;
    if (tier->kind == ROLLOUT_TIER_SHARE)
        clients =
            fmax(clients_for(traffic, plan->must_rule_out, plan->clients, c->others) - before, 1);
    return fmax(hours_until(rollout, traffic, tier, c->fresh, clients),
                (double)rollout->judging.least / HOUR);
}

static double clients_of(const RolloutTraffic *traffic, const RolloutTier *tier, double before)
{
    switch (tier->kind) {
    case ROLLOUT_TIER_CLIENTS: return tier->clients;
    case ROLLOUT_TIER_SHARE: return before + floor(tier->share * (traffic->clients - before));
    case ROLLOUT_TIER_ALL: break;
    }
    return traffic->clients;
}

static TierPlan plan_tier(const RolloutDefinition *rollout, const RolloutTraffic *traffic,
                          uint32_t at, double before)
{
    const RolloutTier *tier = &rollout->tiers[at];
    TierNeed need = tier_need(rollout, at);
    double clients = clients_of(traffic, tier, before);
    TierPlan plan = {
        .clients = fmin(clients, traffic->clients),
        .compared = need.compared && clients < traffic->clients && clients > before,
        .approval = need.approval,
        .must_rule_out = need.excess,
        .needs_hits = INFINITY,
        .found_half = INFINITY,
        .found_most = INFINITY,
        .rules_out = 1,
        .hours = need.compared ? INFINITY : (double)rollout->judging.least / HOUR,
    };
    if (!plan.compared)
        return plan;
    Compared c = compared(rollout, traffic, tier, before, clients);
    plan.needs_hits = needed_hits(rollout, traffic, &c);
    plan.found_half = found(plan.needs_hits, c.fresh, traffic->failing, 0.5);
    plan.found_most = found(plan.needs_hits, c.fresh, traffic->failing, 0.95);
    plan.rules_out = excess_of(traffic, clients, c.others);
    plan.hours = hours_of(rollout, traffic, tier, &plan, &c);
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
