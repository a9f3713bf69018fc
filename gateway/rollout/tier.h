/*
 * Tier: what the clients of a tier can tell, what they must tell before the next one, and who may
 * be one of them.
 *
 * An excess is the share of clients that fail because of the candidate, of those that would not
 * fail anyway: 0.01 is "it breaks 1 % of the clients". n clients of which none fails rule out an
 * excess of 1 - 0.05^(1/n), about 3/n, with 95 % confidence. Where clients of the baseline fail,
 * too, n clients tell less: a tier asks for what its clients can tell if nothing is wrong.
 *
 * Pure. Any thread.
 */
#ifndef GATEWAY_TIER_H
#define GATEWAY_TIER_H

#include "gateway/config/rollout_config.h"

/* An excess that is there is taken for ruled out with this probability at most. */
#define TIER_DOUBT 0.05

/* Clients on the candidate, and what became of them. */
typedef struct TierSeen {
    double clients;  /* that have called */
    double hit;      /* of which failed */
    double expected; /* so many would have if they were the baseline's; */
    double error;    /* the standard error of that */
} TierSeen;

/* What is asked of a tier. */
typedef struct TierNeed {
    double clients; /* that must rule out what they can tell; 0: all that have called */
    double excess;  /* must be ruled out whatever they can tell: of the impact. 1: no matter */
    bool compared;  /* there is a baseline at the same time */
    bool approval;  /* an operator lets it advance */
    double allowed; /* if it is not compared: the excess that earlier tiers may have shown */
} TierNeed;

/* Of tier `tier` of the rollout, from 0. The impact counts before the tier of all clients. */
TierNeed tier_need(const RolloutDefinition *rollout, uint32_t tier);

/* The excess that this impact allows to go unnoticed: 3 %, 1 %, 0.3 %. */
double tier_impact_excess(Impact impact);

/* The excess that `clients` (at least 1) of which none fails rule out. */
double tier_clean_excess(double clients);

/* The excess that `clients` (at least 1) rule out, in 99 of 100 tiers where nothing is wrong, if
   `rate` (0 to 1, with this standard error) of the baseline's clients fail; a few clients that all
   may fail rule it out as long as one does not. Not below tier_clean_excess; if none of the
   baseline's fail, below 3/n. */
double tier_excess(double clients, double rate, double error);

/* The logarithm of the evidence that the excess is smaller than this one (0 to 1), and whether that
   is enough. */
double tier_evidence(const TierSeen *seen, double excess);
bool tier_rules_out(const TierSeen *seen, double excess);

/* The smallest excess that is ruled out; 1: none is. */
double tier_bound(const TierSeen *seen);

/* So many more clients rule it out if they fail as the baseline does; 0: it is; INFINITY: too
   little is known of the baseline. */
double tier_clients_missing(const TierSeen *seen, double excess);

/* ---- Who may be in -----------------------------------------------------------------------------

   Clients are known by hashes of 64 bits, keyed by the rollout's salt. The first n clients that
   call are the busiest, and a busy client fails sooner. So both sides of a tier of n clients take
   in the first that call: a door lets a share of the clients become members, which are on neither
   side until they are; the others are the baseline's. The door stays as it is until the tier is
   full; then it is shut, for both sides. */

/* Whether a client is in a tier of this share: 0 nobody, 1 all. */
bool tier_hash_is_in(uint64_t hash, double share);

/* Whether the door lets it in: others in each round, and not those of a small share, so that who is
   a member already is missing on both sides alike. `round`: any number of the tier. */
bool tier_door_admits(uint64_t hash, uint64_t round, double door);

/* The door of a tier that begins with room for `room` clients more. `known`: clients that are known
   to call; 0: nobody knows. At least a fifth, at most four fifths. After `waited` of more than
   eight times `least` (nanoseconds) it is open to all: there are too few others. */
double tier_door(double room, double known, int64_t waited, int64_t least);

#endif
