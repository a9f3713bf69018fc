/*
 * Planning of a rollout: what each tier can and cannot reveal for a service's real traffic, and how
 * long it takes. It uses the judge's own rules (tier.h, wealth.h).
 *
 * A fault "is found" if the candidate is judged bad while the tier's clients call for the first
 * time, as all that are compared in one tier. Pure.
 */
#ifndef GATEWAY_ROLLOUT_PLANNING_H
#define GATEWAY_ROLLOUT_PLANNING_H

#include "gateway/rollout/tier.h"

/* What is known of the traffic. */
typedef struct RolloutTraffic {
    double clients;          /* that call at all, within a day; at least 1 */
    double clients_per_hour; /* of which this many within an hour; above 0 */
    double failing;          /* the share of the baseline's clients that fail in a tier's time: 0 to
                                below 1 */
} RolloutTraffic;

typedef struct TierPlan {
    double clients;    /* that the candidate has in it */
    double needs_hits; /* so many failing clients stop it at the tier's end, at least; INFINITY: no
                          number of them does */
    double found_half; /* the excess that is found with a probability of 50 %, and */
    double found_most; /* of 95 %; INFINITY: none */
    double rules_out;  /* the excess that is ruled out when the tier passes; 1: nothing */
    double must_rule_out; /* at most this one, or it does not pass by itself; 1: no matter */
    double hours;         /* from its start until it passes if nothing is wrong; INFINITY: never */
    bool approval;        /* it waits for an operator then */
    bool compared;        /* there is a baseline */
} TierPlan;

/* Of each tier, in order. `plans_out`: rollout->n_tiers of them. */
void rollout_plan(const RolloutDefinition *rollout, const RolloutTraffic *traffic,
                  TierPlan *plans_out);

/* So many clients are hit by a fault that hits this share of them. */
static inline double rollout_clients_hit(double clients, double share)
{
    return clients * share;
}

#endif
