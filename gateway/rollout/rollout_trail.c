#include "gateway/rollout/rollout_trail.h"

/* As if nothing had changed. */
static bool is_alike(const RolloutPoint *a, const RolloutPoint *b)
{
    return a->tier == b->tier && a->wealth == b->wealth && a->candidate == b->candidate &&
           a->baseline == b->baseline;
}

/* The later one, with the greater wealth of both. */
static RolloutPoint join(const RolloutPoint *earlier, const RolloutPoint *later)
{
    RolloutPoint joined = *later;
    if (earlier->wealth > later->wealth)
        joined.wealth = earlier->wealth;
    return joined;
}

/* Neighbours of two tiers stay apart: where a tier begins is to be seen. */
static void thin_out(RolloutTrail *trail)
{
    RolloutPoint *points = trail->points;
    uint32_t n = 1; /* the first one stays: when it began */
    for (uint32_t i = 1; i < trail->n; i++, n++) {
        bool pair = i + 1 < trail->n && points[i].tier == points[i + 1].tier;
        points[n] = pair ? join(&points[i], &points[i + 1]) : points[i];
        i += pair;
    }
    trail->apart = 2 * (points[n - 1].at - points[0].at) / ROLLOUT_TRAIL_MOST;
    trail->n = n;
}

/* A tier for each point: there is no other room than that of the oldest ones. */
static void make_room(RolloutTrail *trail)
{
    thin_out(trail);
    if (trail->n < ROLLOUT_TRAIL_MOST)
        return;
    for (uint32_t i = 1; i < trail->n; i++)
        trail->points[i - 1] = trail->points[i];
    trail->n--;
}

void rollout_trail_add(RolloutTrail *trail, int64_t trial, const RolloutPoint *point)
{
    if (trail->trial != trial)
        *trail = (RolloutTrail){.trial = trial};
    RolloutPoint *last = trail->n ? &trail->points[trail->n - 1] : NULL;
    RolloutPoint *before = trail->n > 1 ? last - 1 : NULL;
    if (last && point->at < last->at)
        return;
    if (before && is_alike(before, last) && is_alike(last, point)) {
        last->at = point->at;
    } else if (before && last->tier == point->tier && last->tier == before->tier &&
               point->at - before->at < trail->apart) {
        *last = join(last, point);
    } else {
        if (trail->n == ROLLOUT_TRAIL_MOST)
            make_room(trail);
        trail->points[trail->n++] = *point;
    }
}
