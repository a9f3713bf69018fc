#include "gateway/rollout/tier.h"

#include <math.h>

static bool before_all(const RolloutDefinition *rollout, uint32_t tier)
{
    return tier + 1 < rollout->n_tiers && rollout->tiers[tier + 1].kind == ROLLOUT_TIER_ALL;
}

TierNeed tier_need(const RolloutDefinition *rollout, uint32_t tier)
{
    bool final = before_all(rollout, tier);
    const RolloutTier *at = &rollout->tiers[tier];
    return (TierNeed){
        .clients = at->kind == ROLLOUT_TIER_CLIENTS ? at->clients : 0,
        .excess = final ? tier_impact_excess(rollout->impact) : 1,
        .compared = at->kind != ROLLOUT_TIER_ALL,
        .approval = final && rollout->impact == IMPACT_CATASTROPHIC,
        .allowed = tier_impact_excess(rollout->impact),
    };
}

double tier_impact_excess(Impact impact)
{
    switch (impact) {
    case IMPACT_LOW: return 0.03;
    case IMPACT_HIGH: return 0.01;
    case IMPACT_CATASTROPHIC: return 0.003;
    }
    return 0.003;
}

double tier_clean_excess(double clients)
{
    return -expm1(log(TIER_DOUBT) / clients);
}

/* What is compared for an excess: how probable it is that a client fails. */
typedef struct Odds {
    double clients, usual, worse;
} Odds;

/* Without the excess it is the baseline's rate; with it, a client also fails if the fault hits it.
   The rate is an estimate: with the excess it is taken to be smaller by its error, which makes less
   of clients that do not fail. It is never taken for 0, or one that fails would weigh endlessly. */
static Odds odds(const TierSeen *seen, double excess)
{
    double clients = fmax(fmax(seen->clients, seen->hit), 1), least = excess / 750;
    double usual = fmin(fmax(seen->expected / clients, least), 1 - least);
    double careful = fmin(fmax(seen->expected - seen->error, 0) / clients, usual);
    return (Odds){clients, usual, careful + excess * (1 - careful)};
}

/* The logarithms of the odds of a client that fails, and of one that does not. */
static double of_hit(const Odds *o)
{
    return log(o->usual / o->worse);
}

static double of_clean(const Odds *o)
{
    return log1p(-o->usual) - log1p(-o->worse);
}

double tier_evidence(const TierSeen *seen, double excess)
{
    Odds o = odds(seen, excess);
    if (seen->clients <= 0 || o.worse <= o.usual)
        return 0;
    if (o.worse >= 1)
        return INFINITY;
    return seen->hit * of_hit(&o) + (o.clients - seen->hit) * of_clean(&o);
}

/* Rounding must not let exactly the clients that are needed fall short. */
bool tier_rules_out(const TierSeen *seen, double excess)
{
    return tier_evidence(seen, excess) >= -log(TIER_DOUBT) - 1e-9;
}

double tier_bound(const TierSeen *seen)
{
    double below = 0, bound = 1;
    for (int i = 0; i < 60; i++) {
        double middle = (below + bound) / 2;
        *(tier_rules_out(seen, middle) ? &bound : &below) = middle;
    }
    return bound;
}

/* So many of `clients` fail at most in 99 of 100 tiers: exactly, or of many by their normal
   distribution. */
static double hits_at_most(double clients, double rate)
{
    double expected = clients * rate;
    if (expected > 100 || rate > 0.5)
        return ceil(expected + 2.33 * sqrt(expected * (1 - rate)));
    double hits = 0, probability = pow(1 - rate, clients);
    for (double sum = probability; sum < 0.99 && hits < clients; sum += probability) {
        probability *= (clients - hits) / (hits + 1) * rate / (1 - rate);
        hits++;
    }
    return hits;
}

/* If all of them may fail they tell nothing: at least one does not. */
double tier_excess(double clients, double rate, double error)
{
    double hits = fmin(hits_at_most(clients, rate), clients - 1);
    TierSeen seen = {clients, hits, clients * rate, clients * error};
    return tier_bound(&seen);
}

double tier_clients_missing(const TierSeen *seen, double excess)
{
    Odds o = odds(seen, excess);
    if (tier_rules_out(seen, excess))
        return 0;
    if (o.worse <= o.usual)
        return INFINITY;
    double rate = fmin(seen->expected / o.clients, o.usual);
    double each = rate * of_hit(&o) + (1 - rate) * of_clean(&o);
    return (-log(TIER_DOUBT) - tier_evidence(seen, excess)) / each;
}

bool tier_hash_is_in(uint64_t hash, double share)
{
    return (double)hash < ldexp(share, 64) || share >= 1;
}

bool tier_door_admits(uint64_t hash, uint64_t round, double door)
{
    uint64_t mixed = (hash ^ round * 0xd1342543de82ef95u) * 0x9e3779b97f4a7c15u;
    return tier_hash_is_in((mixed ^ mixed >> 32) * 0xbf58476d1ce4e5b9u, door);
}

double tier_door(double room, double known, int64_t waited, int64_t least)
{
    if (waited / 8 > least)
        return 1;
    return known > 0 ? fmin(fmax(1.25 * room / known, 0.2), 0.8) : 0.2;
}
