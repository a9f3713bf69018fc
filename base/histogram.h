/*
 * Histogram: the distribution of values, in buckets whose width grows with the value.
 *
 * Below 64 each value has a bucket; above, every power of two has 32. The error of a value read
 * back is at most 1/64. Values from 2^42 on count as the largest (as nanoseconds: 73 minutes). One
 * thread records; any thread may read at any time, and sees each count before or after an update.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum {
    HISTOGRAM_BITS = 42,
    HISTOGRAM_SHARE_BITS = 5, /* 32 buckets to a power of two */
    HISTOGRAM_BUCKETS = (HISTOGRAM_BITS - HISTOGRAM_SHARE_BITS + 1) << HISTOGRAM_SHARE_BITS,
};

/* All zero is an empty one. */
typedef struct Histogram {
    _Atomic uint64_t sum;
    _Atomic uint64_t counts[HISTOGRAM_BUCKETS];
} Histogram;

/* Only the thread that owns it. */
void histogram_record(Histogram *histogram, uint64_t value);

/* Adds the counts of `from` to `into`. The caller is the only writer of `into`; another thread may
   be recording in `from`. */
void histogram_merge(Histogram *into, const Histogram *from);

uint64_t histogram_count(const Histogram *histogram);
uint64_t histogram_sum(const Histogram *histogram);

/* The value such that the share `quantile` (0 to 1) of all values is at or below it; 0 if there are
   none. */
uint64_t histogram_quantile(const Histogram *histogram, double quantile);

/* The bucket of a value, and the least value of a bucket. */
uint32_t histogram_bucket(uint64_t value);
uint64_t histogram_bucket_start(uint32_t bucket);

#endif
