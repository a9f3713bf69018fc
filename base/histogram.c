#include "base/histogram.h"

enum { SHARE = 1 << HISTOGRAM_SHARE_BITS };

/*
 * The highest set bit of a value selects the power of two, the five bits below it the bucket within
 * it:
 *
 *   value 0...01 ddddd xxxxxxx     shift = number of x
 *   bucket = shift * 32 + (1ddddd)
 */
uint32_t histogram_bucket(uint64_t value)
{
    if (value >= UINT64_C(1) << HISTOGRAM_BITS)
        return HISTOGRAM_BUCKETS - 1;
    if (value < 2 * SHARE)
        return (uint32_t)value;
    uint32_t shift = (uint32_t)(63 - __builtin_clzll(value)) - HISTOGRAM_SHARE_BITS;
    return shift * SHARE + (uint32_t)(value >> shift);
}

uint64_t histogram_bucket_start(uint32_t bucket)
{
    if (bucket < 2 * SHARE)
        return bucket;
    uint32_t shift = bucket / SHARE - 1;
    return (uint64_t)(bucket - shift * SHARE) << shift;
}

static uint64_t read_count(const _Atomic uint64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

/* There is one writer, so no other thread can write between the load and the store. */
static void add_count(_Atomic uint64_t *count, uint64_t more)
{
    atomic_store_explicit(count, read_count(count) + more, memory_order_relaxed);
}

void histogram_record(Histogram *histogram, uint64_t value)
{
    add_count(&histogram->counts[histogram_bucket(value)], 1);
    add_count(&histogram->sum, value);
}

void histogram_merge(Histogram *into, const Histogram *from)
{
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        add_count(&into->counts[i], read_count(&from->counts[i]));
    add_count(&into->sum, read_count(&from->sum));
}

uint64_t histogram_count(const Histogram *histogram)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        count += read_count(&histogram->counts[i]);
    return count;
}

uint64_t histogram_sum(const Histogram *histogram)
{
    return read_count(&histogram->sum);
}

/* The middle of a bucket: the error is at most half of its width. */
static uint64_t bucket_middle(uint32_t bucket)
{
    uint64_t start = histogram_bucket_start(bucket);
    return start + (histogram_bucket_start(bucket + 1) - start) / 2;
}

uint64_t histogram_quantile(const Histogram *histogram, double quantile)
{
    double wanted = quantile * (double)histogram_count(histogram);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t count = read_count(&histogram->counts[i]);
        seen += count;
        if (count && (double)seen >= wanted)
            return bucket_middle(i);
    }
    return 0;
}
