/*
 * Judgement of a rollout: whether the candidate's clients fail more often than the baseline's.
 *
 * The unit is a client. For each metric a client is at risk until it first fails in a tier, and
 * from then on tells nothing more: its calls are correlated. Each look adds what has come since the
 * last one to the evidence. There is one evidence per rollout for all metrics, tiers and looks: if
 * the candidate is no worse, it is found bad with a probability of at most alpha, however often it
 * is looked at and whenever an operator acts. That holds if
 *
 *   - who is on the candidate is decided by a hash, not by what the client does (tier.h);
 *   - in each tier, those that are compared came in with it: of the candidate, the clients that
 *     became members in this tier; of the baseline, those that could have. Who was a member before
 *     is watched no more: a client that always fails would count again in each tier.
 *   - both sides are counted over the same time.
 *
 *      look --> rollout_evidence_add --> RolloutEvidence --> rollout_judge --> RolloutJudgement
 *
 * Pure, plain data; any thread, one at a time.
 */
#ifndef GATEWAY_ROLLOUT_JUDGE_H
#define GATEWAY_ROLLOUT_JUDGE_H

#include "gateway/rollout/tier.h"
#include "gateway/rollout/wealth.h"

/* One arm as it was counted, by all gateways together. */
typedef struct RolloutSide {
    double clients; /* that called since the tier began */
    /* By metric: */
    double at_risk[ROLLOUT_METRICS]; /* that called since the last look, and had not failed before;
                                        if that is not known: that called since the tier began, and
                                        had not failed at the last look */
    double failed[ROLLOUT_METRICS];  /* since the tier began; each client once */
} RolloutSide;

typedef struct RolloutLook {
    RolloutSide candidate, baseline;
    double error; /* relative, of `clients` and `at_risk`: how far they may be off if they are
                     estimates; 0: they are exact. Below 1 */
} RolloutLook;

typedef struct MetricEvidence {
    Wealth wealth;
    double candidate_failed, baseline_failed; /* at the last look */
    double hit;                               /* of the candidate, in all tiers; */
    double expected, variance;                /* so many if they were the baseline's */
} MetricEvidence;

/* All zeros: nothing was seen. */
typedef struct RolloutEvidence {
    double clients_before; /* of the candidate, compared in earlier tiers, */
    double clients;        /* and in this one */
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
    ROLLOUT_WANTS_TIME,    /* of the tier: `time_missing` */
    ROLLOUT_WANTS_CLIENTS, /* `clients_missing`, for `metric` */
} RolloutWant;

typedef struct MetricJudgement {
    TierSeen seen;
    double wealth; /* the logarithm */
    double excess; /* must be ruled out, */
    double bound;  /* and this one is: 1 if none is */
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

/* `lasted`: nanoseconds since the tier began. Without a baseline (all clients) only time counts. */
RolloutJudgement rollout_judge(const RolloutEvidence *evidence, const RolloutJudging *judging,
                               const TierNeed *need, int64_t lasted);

#endif
