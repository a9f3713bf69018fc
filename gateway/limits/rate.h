/*
 * Rate: a token bucket in one word (GCRA, the generic cell rate algorithm).
 *
 * The word is a time: when the bucket is full again, if nothing more is taken. What is missing in
 * it is a length of time, too:
 *
 *      now            word                     now + depth
 *       |---- missing --|---------- left -----------|          one unit is `step` long
 *
 * So two takers on two threads need one compare-and-swap, and nobody has to fill buckets. The word
 * 0 is a full bucket. Times are monotonic nanoseconds, not negative, below 2^59 (18 years); in the
 * word they are ticks. Pure: time is passed in.
 */
#ifndef GATEWAY_RATE_H
#define GATEWAY_RATE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    RATE_TICKS = 16,      /* in a nanosecond */
    RATE_FRACTION = 1024, /* in a tick, for `step` */
    RATE_WHOLE = 65536,   /* a share of all of it */
};

typedef struct Rate {
    uint64_t step; /* one unit, in fractions of a tick */
    uint64_t
        depth; /* a whole bucket, in ticks: its burst in units of `step`, or one if it is less */
} Rate;

/* `count` > 0 units in each `period` > 0 of nanoseconds, at most a day; from a full bucket `burst`
   > 0 can be taken at once, which refill within 31 days. */
Rate rate_of(uint64_t count, int64_t period, uint64_t burst);

/* The part of the rate and of its burst that one of several gateways has; `share` of RATE_WHOLE is
   not 0. At least one unit can be taken from a full bucket. What is missing in a bucket stays the
   same length of time. */
Rate rate_share(Rate rate, uint32_t share);

typedef struct RateVerdict {
    bool admitted;
    uint64_t word; /* then: afterwards; else as it was */
    int64_t wait;  /* not admitted: nanoseconds until so much can be taken, if nobody else does */
} RateVerdict;

/* How much can be missing: a burst, where calls are taken; and what is owed, where it is charged.
 */
enum { RATE_TAKEN = 1, RATE_OWED = 3 /* bursts */ };

/*
 * The word, where no more is missing than `bursts`: more was taken under a slower rate or a larger
 * burst, before the config changed. So nobody waits longer than from an empty bucket of this rate.
 */
uint64_t rate_fit(const Rate *rate, uint64_t word, uint32_t bursts, int64_t now);

/* Takes `cost` units if there are so many. A bucket gives no more than its burst at once: a greater
   cost counts as that. */
RateVerdict rate_take(const Rate *rate, uint64_t word, uint64_t cost, int64_t now);

/* Takes them in any case: what is not there is owed, at most the burst twice, whatever was owed
   before. *owes_out: whether the bucket owes more than a burst. */
uint64_t rate_charge(const Rate *rate, uint64_t word, uint64_t cost, int64_t now, bool *owes_out);

/* Puts them back, after rate_take. */
uint64_t rate_return(const Rate *rate, uint64_t word, uint64_t cost);

/* Whole units that can be taken now. */
uint64_t rate_left(const Rate *rate, uint64_t word, int64_t now);

/* Nanoseconds until the bucket is full; 0: it is. */
int64_t rate_missing(uint64_t word, int64_t now);

#endif
