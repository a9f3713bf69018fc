/*
 * Wealth: how strongly what was seen speaks for it that the candidate's clients fail more often.
 *
 * Each failing client is a bet. If nothing is wrong, it is one of the candidate's with probability
 * p0, the candidate's share of the clients at risk; if they fail r times as often, with
 *
 *      q = p0 r / (p0 r + 1 - p0)
 *
 * so that one unit of money becomes q/p0 if it is one of them, and (1-q)/(1-p0) if not. If nothing
 * is wrong it stays one unit on average whatever the baseline does, and however often it is looked
 * at it reaches 1/alpha with a probability of at most alpha (Ville's inequality). As r is not
 * known, the money is spread over some; the wealth is their average. docs/rollouts.md derives this.
 *
 * Plain data: all zeros is one unit. Any thread, one at a time.
 */
#ifndef GATEWAY_WEALTH_H
#define GATEWAY_WEALTH_H

enum { WEALTH_RATIOS = 9 };

typedef struct Wealth {
    double logs[WEALTH_RATIOS]; /* of what one unit on each ratio has become */
} Wealth;

/* Clients have failed: so many of the candidate's and of the baseline's. `share`: the candidate's
   share of those that could have, the failed ones included; too large a share is careful, too small
   a one raises false alarms. At 0 or 1 there is nothing to compare, and nothing changes. */
void wealth_bet(Wealth *wealth, double share, double candidate, double baseline);

/* The logarithm of all of it. */
double wealth_log(const Wealth *wealth);

#endif
