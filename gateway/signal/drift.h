/*
 * Drift: whether a method becomes slower, fails more often, or loses more, slowly.
 *
 * Each hour the figure is compared with what is usual at this hour of the day (season.h); how far
 * it is above that, in spreads, goes into a cumulative sum (CUSUM, Page 1954):
 *
 *      sum = max(0, sum + min(above, DRIFT_CLIP) - DRIFT_ALLOWED)
 *
 * and is told when it passes DRIFT_LIMIT, which takes three hours at least, so that neither a bad
 * hour nor a noisy day is news, and forgets nothing while the figure stays high, so that a creep of
 * many hours is. What was found must also matter: the mean of the last of these hours has to be
 * above the usual by a rule of the figure. It is found once, and again when it has become worse by
 * as much again; when the figure was usual for DRIFT_CALM hours, it begins anew. Owned by one
 * thread; zeros know nothing. Plain functions; time is passed in.
 */
#ifndef GATEWAY_DRIFT_H
#define GATEWAY_DRIFT_H

#include "gateway/signal/season.h"

#define DRIFT_ALLOWED 1.5
#define DRIFT_LIMIT 6.0
#define DRIFT_CLIP 4.0
enum { DRIFT_CALM = 6, DRIFT_MEAN = 4 };

typedef enum DriftFigure {
    DRIFT_LATENCY,  /* the logarithm of the mean latency */
    DRIFT_FAILURES, /* the share of calls that failed or got a fallback */
    DRIFT_LOSSES,   /* fields lost per call */
    DRIFT_FIGURES,
} DriftFigure;

/* One hour of a method. */
typedef struct DriftHour {
    uint64_t calls, failures, losses;
    double seconds; /* the sum of the latencies of all calls */
} DriftHour;

/* Where a figure is, and was. */
typedef struct DriftSum {
    Season season;
    float sum;        /* of the CUSUM */
    float now, usual; /* means of about the last DRIFT_MEAN of these hours */
    uint32_t hours;   /* since `since` */
    int64_t since;    /* wall time: the sum rose from zero */
    uint8_t was_told;
    float told;    /* then: the mean that was found */
    uint32_t calm; /* hours that the figure was usual since then */
} DriftSum;

typedef struct Drift {
    DriftSum sums[DRIFT_FIGURES];
} Drift;

/* In the figure's own unit: seconds, shares, fields per call. */
typedef struct DriftFound {
    DriftFigure figure;
    double usual, now; /* means of the last DRIFT_MEAN of these hours */
    uint32_t hours;
    int64_t since;
} DriftFound;

/* "latency", "failures", "losses". */
const char *drift_figure_name(DriftFigure figure);

/* An hour that began at `wall` is over. Hours with fewer than `least` calls say nothing. `on_found`
   is called for each figure that is found to drift. */
void drift_hour(Drift *drift, const DriftHour *hour, uint64_t least, int64_t wall,
                void (*on_found)(void *owner, const DriftFound *found), void *owner);

/* Of one that was stored. */
bool drift_is_sound(const Drift *drift);

#endif
