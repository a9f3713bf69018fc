/*
 * Gradient: how many calls of a service may be in flight, learned from how long they take.
 *
 * After Netflix's Gradient2: the time of the newest calls is compared with that of the last
 * minutes. While they are alike the limit grows by its square root, which is a queue that does no
 * harm; when calls take longer, it shrinks in proportion, never below the floor. It only grows
 * while it is used: a service without calls does not earn a limit.
 *
 *      gradient = bounded(1.5 * long time / short time, 0.5, 1)
 *      limit    = 0.8 * limit + 0.2 * (limit * gradient + sqrt(limit))
 *
 * The short time is the average of one window of some calls; the long one is a moving average of
 * it, which shrinks quickly when calls become faster, and grows slowly while the limit is used.
 * Calls of streams are no samples, nor are those that failed.
 *
 * Of one loop and one service; no lock. Time is passed in: nanoseconds. All zeros: the floor is
 * used until there are samples.
 */
#ifndef GATEWAY_GRADIENT_H
#define GATEWAY_GRADIENT_H

#include "gateway/config/config.h"

enum { GRADIENT_WINDOW = 50 /* calls */ };

typedef struct Gradient {
    double limit;                 /* 0: the floor of the config */
    double short_time, long_time; /* nanoseconds; long_time 0: no window has ended yet */
    double sum;                   /* of the present window */
    uint32_t n, most;             /* in it: samples, and the most calls in flight */
} Gradient;

/* A call went well, and took so long; so many were in flight, this one included. */
void gradient_sample(Gradient *gradient, const ConcurrencyConfig *limits, int64_t took,
                     uint32_t in_flight);

uint32_t gradient_limit(const Gradient *gradient, const ConcurrencyConfig *limits);

#endif
