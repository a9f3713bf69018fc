#include "gateway/rollout/rollout_judge.h"

#include <math.h>

void rollout_evidence_next_tier(RolloutEvidence *evidence)
{
    evidence->clients_before += evidence->clients;
    evidence->clients = evidence->candidate_joined = evidence->baseline_joined = 0;
    evidence->full = false;
    for (int m = 0; m < ROLLOUT_METRICS; m++)
        evidence->metrics[m].candidate_failed = evidence->metrics[m].baseline_failed = 0;
}

/* What has come since the last look; the count is brought up to date. */
static double news(double *count, double now)
{
    double more = now > *count ? now - *count : 0;
    *count += more;
    return more;
}

/* Clients at risk between two looks: those that fail in this time are among them. */
typedef struct AtRisk {
    double candidate, baseline;
} AtRisk;

static AtRisk at_risk(double candidate, double baseline, const MetricEvidence *before)
{
    return (AtRisk){fmax(candidate - before->candidate_failed, 0),
                    fmax(baseline - before->baseline_failed, 0)};
}

/* The candidate's share, from the careful end of estimates. */
static double share_of(AtRisk risk, double error)
{
    double candidate = risk.candidate * (1 + error), baseline = risk.baseline * (1 - error);
    return candidate > 0 ? candidate / (candidate + baseline) : 0;
}

/* All that fail between two looks are taken together: their distribution is hypergeometric, and a
   bet on it is worth no more than one client after the other (Hoeffding 1963). Clients come in
   meanwhile: the larger share, of the beginning and of the end, is careful. */
static void bet(MetricEvidence *evidence, AtRisk first, AtRisk last, double hit, double others,
                double error)
{
    if (hit + others <= 0)
        return;
    last.candidate = fmax(last.candidate, hit);
    last.baseline = fmax(last.baseline, others);
    double share = share_of(last, error);
    if (first.baseline > 0)
        share = fmax(share, share_of(first, error));
    wealth_bet(&evidence->wealth, share, hit, others);
    evidence->hit += hit;
    if (last.baseline > 0) {
        double expected = last.candidate * others / last.baseline;
        evidence->expected += expected;
        evidence->variance += expected * last.candidate / last.baseline;
    }
}

void rollout_evidence_add(RolloutEvidence *evidence, const RolloutLook *look)
{
    double candidate = evidence->candidate_joined, baseline = evidence->baseline_joined;
    news(&evidence->clients, look->candidate.clients);
    news(&evidence->candidate_joined, fmax(look->candidate.clients, look->candidate.joined));
    if (!evidence->full)
        news(&evidence->baseline_joined, look->baseline.clients);
    evidence->full = look->full;
    for (int m = 0; m < ROLLOUT_METRICS; m++) {
        MetricEvidence *metric = &evidence->metrics[m];
        AtRisk first = at_risk(candidate, baseline, metric);
        AtRisk last = at_risk(evidence->candidate_joined, evidence->baseline_joined, metric);
        double hit = news(&metric->candidate_failed, look->candidate.failed[m]);
        double others = news(&metric->baseline_failed, look->baseline.failed[m]);
        bet(metric, first, last, hit, others, look->error);
    }
}

static MetricJudgement judge_metric(const RolloutEvidence *evidence, RolloutMetric metric,
                                    const TierNeed *need)
{
    const MetricEvidence *e = &evidence->metrics[metric];
    TierSeen seen = {evidence->clients_before + evidence->clients, e->hit, e->expected,
                     sqrt(e->variance)};
    double of = fmax(seen.clients, 1), must = need->clients > 0 ? need->clients : of;
    double can = tier_excess(must, fmin(seen.expected / of, 1), seen.error / of);
    return (MetricJudgement){
        .seen = seen,
        .wealth = wealth_log(&e->wealth),
        .excess = fmin(can, need->excess),
    };
}

/* The logarithm of the average; `judgement` has the metrics. */
static double average(const RolloutJudgement *judgement, uint32_t metrics)
{
    double most = -INFINITY, sum = 0;
    int n = 0;
    for (int m = 0; m < ROLLOUT_METRICS; m++)
        if (metrics & 1u << m)
            most = fmax(most, judgement->metrics[m].wealth);
    for (int m = 0; m < ROLLOUT_METRICS; m++)
        if (metrics & 1u << m) {
            sum += exp(judgement->metrics[m].wealth - most);
            n++;
        }
    return n ? most + log(sum / n) : 0;
}

static RolloutMetric worst(const RolloutJudgement *judgement, uint32_t metrics)
{
    RolloutMetric worst = ROLLOUT_FAILURES;
    double most = -INFINITY;
    for (int m = 0; m < ROLLOUT_METRICS; m++)
        if (metrics & 1u << m && judgement->metrics[m].wealth > most) {
            most = judgement->metrics[m].wealth;
            worst = m;
        }
    return worst;
}

/* Which metric needs most clients until its excess is ruled out, and how many. */
static void find_missing(RolloutJudgement *judgement, uint32_t metrics)
{
    for (int m = 0; m < ROLLOUT_METRICS; m++) {
        if (!(metrics & 1u << m))
            continue;
        const MetricJudgement *metric = &judgement->metrics[m];
        double missing = tier_clients_missing(&metric->seen, metric->excess);
        missing = missing > 0 ? fmax(round(missing), 1) : 0;
        if (missing > judgement->clients_missing) {
            judgement->clients_missing = missing;
            judgement->metric = m;
        }
    }
}

static int64_t time_for(double clients, double came, int64_t lasted)
{
    double time = came > 0 ? clients * (double)lasted / came : 0;
    return time < 1e18 ? (int64_t)time : 0;
}

/* More clients of earlier tiers have failed than the baseline's explain, by more than is allowed: a
   tier that has passed rules that out, and one that was advanced by hand does not. */
static bool find_worse(RolloutJudgement *judgement, const RolloutEvidence *evidence,
                       uint32_t metrics, double allowed)
{
    double most = allowed * evidence->clients_before;
    bool any = false;
    for (int m = 0; m < ROLLOUT_METRICS; m++) {
        const MetricEvidence *metric = &evidence->metrics[m];
        double excess = metric->hit - metric->candidate_failed - metric->expected;
        if (!(metrics & 1u << m) || excess <= most)
            continue;
        most = excess;
        judgement->metric = m;
        any = true;
    }
    return any;
}

static void judge_need(RolloutJudgement *judgement, const RolloutEvidence *evidence,
                       const RolloutJudging *judging, const TierNeed *need, int64_t lasted)
{
    int64_t rest = lasted < judging->least ? judging->least - lasted : 0;
    if (need->compared)
        find_missing(judgement, judging->metrics);
    if (judgement->clients_missing > 0) {
        int64_t time = time_for(judgement->clients_missing, evidence->clients, lasted);
        judgement->want = ROLLOUT_WANTS_CLIENTS;
        judgement->time_missing = time > 0 && time < rest ? rest : time;
    } else if (rest > 0) {
        judgement->want = ROLLOUT_WANTS_TIME;
        judgement->time_missing = rest;
    } else if (!need->compared &&
               find_worse(judgement, evidence, judging->metrics, need->allowed)) {
        judgement->want = ROLLOUT_WANTS_OPERATOR;
    } else {
        judgement->verdict = ROLLOUT_GOOD;
    }
}

RolloutJudgement rollout_judge(const RolloutEvidence *evidence, const RolloutJudging *judging,
                               const TierNeed *need, int64_t lasted)
{
    RolloutJudgement judgement = {.limit = -log(judging->alpha)};
    for (int m = 0; m < ROLLOUT_METRICS; m++)
        if (judging->metrics & 1u << m)
            judgement.metrics[m] = judge_metric(evidence, m, need);
    judgement.wealth = average(&judgement, judging->metrics);
    judgement.metric = worst(&judgement, judging->metrics);
    if (judgement.wealth >= judgement.limit)
        judgement.verdict = ROLLOUT_BAD;
    else
        judge_need(&judgement, evidence, judging, need, lasted);
    return judgement;
}
