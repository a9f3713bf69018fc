/*
 * RolloutTrail: how the evidence against a candidate has grown, for a chart: points in the order of
 * time. What has not changed is one line between two points. When there is no room for another one,
 * each two neighbours become one, which has the greater wealth of both, so that no peak is lost;
 * from then on points are at least as far apart. In memory only: the acts of the history, which the
 * store keeps, have their numbers themselves. All zeros is an empty one. Pure.
 */
#ifndef GATEWAY_ROLLOUT_TRAIL_H
#define GATEWAY_ROLLOUT_TRAIL_H

#include "base/bytes.h"

enum { ROLLOUT_TRAIL_MOST = 200 };

typedef struct RolloutPoint {
    int64_t at; /* wall time in nanoseconds */
    uint32_t tier;
    double wealth;              /* the logarithm */
    double candidate, baseline; /* clients of both sides in the tier */
} RolloutPoint;

typedef struct RolloutTrail {
    int64_t trial; /* of a rollout; another one begins anew */
    int64_t apart; /* nanoseconds: points of one tier that are nearer become one */
    uint32_t n;
    RolloutPoint points[ROLLOUT_TRAIL_MOST];
} RolloutTrail;

/* So it is now. A point that is older than the latest one is left out: the clock was set back. */
void rollout_trail_add(RolloutTrail *trail, int64_t trial, const RolloutPoint *point);

#endif
