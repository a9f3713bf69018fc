/*
 * Judgement of a rollout: whether the candidate's clients fail more often than the baseline's.
 *
 * The unit is a client. For each metric a client is at risk until it first fails in a tier, and
 * from then on tells nothing more: its calls are correlated. Each look adds what has come since the
 * last one to the evidence. There is one evidence per rollout for all metrics, tiers and looks: if
 * the candidate is no worse, it is found bad with a probability of at most alpha, however often it
 * is looked at and whenever an operator acts. That holds because both sides of the comparison are
 * the same kind of clients, whatever these do:
 *
 *   - A hash decides on which side a client is (tier.h), not its calls.
 *   - In each tier, clients are compared that came in with it. Who was a member before is watched
 * no more: a client that always fails would count again in each tier.
 *   - A client of either side comes in with its first call in the tier, also one that only asks to
 *     be a member by it: if it were counted from its next call on, rare callers would be missing.
 *     If the candidate's side is full, so is the baseline's: those that call first then are the
 *     rare callers.
 *
 *      look --> rollout_evidence_add --> RolloutEvidence --> rollout_judge --> RolloutJudgement
 *
 * Pure, plain data; any thread, one at a time.
 */
#ifndef GATEWAY_ROLLOUT_JUDGE_H
#define GATEWAY_ROLLOUT_JUDGE_H

#include "gateway/rollout/tier.h"
#include "gateway/rollout/wealth.h"

/* One side as it was counted since the tier began, by all gateways together. */
typedef struct RolloutSide {
    double clients; /* that have called: of the candidate, those of which it has served a call */
    double joined;  /* of the candidate: recorded members that joined in this tier, also those that
                       have not called since. 0: it has none */
    double failed[ROLLOUT_METRICS]; /* of `clients` those of which at least one call was bad */
} RolloutSide;

typedef struct RolloutLook {
    RolloutSide candidate, baseline;
    bool full;    /* the tier takes in no more clients. The baseline's that come after the first
                     such look are left out, but for those that fail: to leave these out, too, is
                     exact; to count them is careful */
    double error; /* relative: how far the numbers of clients may be off if they are estimates; 0:
                     they are exact. Below 1 */
} RolloutLook;

typedef struct MetricEvidence {
    Wealth wealth;
    double candidate_failed, baseline_failed; /* at the last look */
    double hit;                               /* of the candidate, in all tiers; */
    double expected, variance;                /* so many if they were the baseline's */
} MetricEvidence;

/* All zeros: nothing was seen. */
typedef struct RolloutEvidence {
    double clients_before;                    /* of the candidate, in earlier tiers, */
    double clients;                           /* and in this one */
    double candidate_joined, baseline_joined; /* that came in, in this one */
    bool full;
    MetricEvidence metrics[ROLLOUT_METRICS];
} RolloutEvidence;

/* The next tier begins: its looks count from 0. */
void rollout_evidence_next_tier(RolloutEvidence *evidence);

/* Counts that are smaller than they were are no news. */
void rollout_evidence_add(RolloutEvidence *evidence, const RolloutLook *look);

typedef enum RolloutVerdict { ROLLOUT_UNDECIDED, ROLLOUT_GOOD, ROLLOUT_BAD } RolloutVerdict;

/* What an undecided one waits for. */
typedef enum RolloutWant {
    ROLLOUT_WANTS_NOTHING,
    ROLLOUT_WANTS_TIME,     /* of the tier: `time_missing` */
    ROLLOUT_WANTS_CLIENTS,  /* `clients_missing`, for `metric` */
    ROLLOUT_WANTS_OPERATOR, /* earlier tiers have shown, for `metric`, more than is allowed */
} RolloutWant;

typedef struct MetricJudgement {
    TierSeen seen; /* tier_bound tells what it rules out */
    double wealth; /* the logarithm */
    double excess; /* must be ruled out */
} MetricJudgement;

typedef struct RolloutJudgement {
    RolloutVerdict verdict;
    RolloutMetric metric; /* BAD: that speaks most against it; else the one that lacks most */
    double wealth;        /* logarithm of the average over the metrics; */
    double limit;         /* bad from here on: log(1 / alpha) */
    RolloutWant want;
    double clients_missing; /* in whole clients; infinite: unknown */
    int64_t time_missing;   /* until the tier's shortest time is over, or until so many clients have
                               come at the rate of this tier; 0: unknown */
    MetricJudgement metrics[ROLLOUT_METRICS]; /* of those that are judged */
} RolloutJudgement;

/* `lasted`: nanoseconds since the tier began. Without a baseline (all clients) only time counts,
   and whether what earlier tiers have shown is allowed. */
RolloutJudgement rollout_judge(const RolloutEvidence *evidence, const RolloutJudging *judging,
                               const TierNeed *need, int64_t lasted);

#endif
