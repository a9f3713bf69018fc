/*
 * Latency: how long an instance takes to respond, of late: a peak EWMA.
 *
 * A longer time counts at once and whole; shorter ones bring the value down over LATENCY_MEMORY,
 * and so does time in which nothing is measured, so that an instance that was slow is tried again.
 * Thus an instance that becomes slow loses its calls within one response. Pure: times are monotonic
 * nanoseconds that are passed in. Owned by one loop; all zeros: nothing was measured.
 */
#ifndef GATEWAY_LATENCY_H
#define GATEWAY_LATENCY_H

#include "base/clock.h"

#include <stdbool.h>

#define LATENCY_MEMORY SECOND
/* Shorter ones are alike: a turn of a busy loop takes as long. */
#define LATENCY_LEAST MILLISECOND

typedef struct Latency {
    int64_t value, at; /* nanoseconds, as measured last; when that was */
} Latency;

/* What is left of the value after `time` without measurements. */
static inline double latency_faded(double value, int64_t time)
{
    return time > 0 ? value * (double)LATENCY_MEMORY / (double)(LATENCY_MEMORY + time) : value;
}

/* Nanoseconds, at least LATENCY_LEAST. */
static inline double latency_now(const Latency *latency, int64_t now)
{
    double value = latency_faded((double)latency->value, now - latency->at);
    return value > (double)LATENCY_LEAST ? value : (double)LATENCY_LEAST;
}

/* A response began, or an attempt ended without one, `time` after its request was sent. `answered`:
   a failure says how long the instance has taken, but not that it is fast. */
void latency_add_more(Latency *latency, int64_t time, bool answered, int64_t now); /* private */
static inline void latency_add(Latency *latency, int64_t time, bool answered, int64_t now)
{
    if (time > LATENCY_LEAST || latency->value > LATENCY_LEAST) /* else nobody could tell */
        latency_add_more(latency, time, answered, now);
}

/* Whether an instance with this latency, running calls and weight is a better choice than another
   one. A weight is in proportion to the mean of all, so the usual one is 1. Latencies that differ
   by less than a quarter of the shorter one are alike: then calls decide. */
typedef struct Burden {
    double latency; /* latency_now */
    double calls;
    double weight;
} Burden;
bool burden_is_less(const Burden *a, const Burden *b);

#endif
