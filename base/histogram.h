/*
 * Histogram: how values are spread, in buckets whose width grows with the value.
 *
 * Below 64 each value has a bucket; above, every power of two is cut into 32. What is read back is
 * off by at most 1/64 of the value. Values from 2^42 on count as the largest (as nanoseconds: 73
 * minutes). One thread records; any thread may read at any time and sees each count as it was or
 * will be.
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

/* Adds what `from` has. `into` has one writer, the caller; `from` may be at work. */
void histogram_merge(Histogram *into, const Histogram *from);

uint64_t histogram_count(const Histogram *histogram);
uint64_t histogram_sum(const Histogram *histogram);

/* The value under or at which the part `quantile` (0 to 1) of all values lies; 0 when there are
   none. */
uint64_t histogram_quantile(const Histogram *histogram, double quantile);

/* The bucket of a value, and the least value of a bucket. */
uint32_t histogram_bucket(uint64_t value);
uint64_t histogram_bucket_start(uint32_t bucket);

#endif
