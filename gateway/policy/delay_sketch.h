/*
 * DelaySketch: how long a method's instances take to respond: its 95th percentile, of late.
 *
 * Counts in 128 buckets, eight to each power of two from 1 ms to a minute, so that the percentile
 * is right within 7 percent. From time to time all counts are halved: what counts are the latest
 * thousand calls or so. 280 bytes. One loop's, of one method; all zeros: nothing was measured.
 */
#ifndef GATEWAY_DELAY_SKETCH_H
#define GATEWAY_DELAY_SKETCH_H

#include <stdint.h>

enum { DELAY_BUCKETS = 128, DELAYS_NEEDED = 100 };

typedef struct DelaySketch {
    int64_t p95;       /* 0: fewer than DELAYS_NEEDED were measured */
    uint32_t n, until; /* the sum of the counts; when the percentile is computed again */
    uint16_t counts[DELAY_BUCKETS];
} DelaySketch;

/* Nanoseconds until a response began. Of an attempt that was cancelled because another one was
   faster: until then. Else those that take longest would be missing. */
void delay_sketch_add(DelaySketch *sketch, int64_t delay);

/* Nanoseconds within which this share of the responses began, of late: 0.99, say. 0: fewer than
   DELAYS_NEEDED were measured. */
int64_t delay_sketch_at(const DelaySketch *sketch, double share);

#endif
