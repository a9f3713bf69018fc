/*
 * Trial: one simulated rollout, from its start to its end, judged by the gateway's own code
 * (gateway/rollout), a look each minute of its own clock. What the runner and the call path do in
 * the gateway is done here in few lines: who is in which arm, who is counted.
 */
#ifndef LOADTEST_ROLLOUTS_TRIAL_H
#define LOADTEST_ROLLOUTS_TRIAL_H

#include "gateway/rollout/rollout_state.h"
#include "loadtest/rollouts/crowd.h"

/* One minute of it. Sides: 0 the baseline's clients, 1 the candidate's. */
typedef struct TrialMinute {
    int minute;
    uint32_t calls[2], failed[2]; /* of all clients */
    uint32_t on, hit;             /* as of TrialEnd, until now */
    RolloutVerdict verdict;
} TrialMinute;

typedef void TrialWatch(void *owner, const TrialMinute *minute);

typedef struct TrialPlan {
    const Crowd *crowd;
    const RolloutDefinition *rollout;
    double usual[CROWD_METRICS];
    double fault;      /* the share of clients that the candidate breaks */
    int hours;         /* it is given up after */
    TrialWatch *watch; /* NULL: nobody watches, and what is judged is done. Else nothing is done */
    void *owner;
} TrialPlan;

typedef struct TrialEnd {
    RolloutPhase phase; /* RUNNING: given up */
    uint32_t tier;      /* its last one */
    int minutes;
    uint32_t on;         /* clients that ever had the candidate, */
    uint32_t hit;        /* and that it has broken */
    uint32_t passed_bad; /* tiers that passed although the fault is above what they ruled out */
    uint32_t beyond;     /* times a tier had more members than its room */
    uint32_t back;       /* clients that left the candidate while it went on */
} TrialEnd;

TrialEnd trial_run(const TrialPlan *plan, uint64_t seed);

#endif
