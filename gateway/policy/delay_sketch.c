#include "gateway/policy/delay_sketch.h"

enum {
    SHARE_BITS = 3,  /* 8 buckets to a power of two */
    FIRST_BITS = 20, /* 1.05 ms: what is faster is in the first bucket */
    COUNTED = 2048,  /* then all counts are halved */
    ADDED = 64,      /* until the percentile is computed again */
};

static uint32_t bucket_of(int64_t delay)
{
    if (delay < INT64_C(1) << FIRST_BITS)
        return 0;
    uint32_t power = 63 - (uint32_t)__builtin_clzll((uint64_t)delay);
    uint32_t share = (uint32_t)(delay >> (power - SHARE_BITS)) & ((1 << SHARE_BITS) - 1);
    uint32_t bucket = (power - FIRST_BITS) << SHARE_BITS | share;
    return bucket < DELAY_BUCKETS ? bucket : DELAY_BUCKETS - 1;
}

/* Where the bucket ends. */
static int64_t end_of(uint32_t bucket)
{
    uint32_t power = FIRST_BITS + (bucket >> SHARE_BITS);
    int64_t share = (bucket & ((1 << SHARE_BITS) - 1)) + 1;
    return (INT64_C(1) << power) + (share << (power - SHARE_BITS));
}

static int64_t percentile(const DelaySketch *sketch)
{
    uint32_t above = 0, bucket = DELAY_BUCKETS;
    while (bucket > 0 && (above += sketch->counts[bucket - 1]) * 20 <= sketch->n)
        bucket--;
    return end_of(bucket ? bucket - 1 : 0);
}

static void halve(DelaySketch *sketch)
{
    sketch->n = 0;
    for (uint32_t i = 0; i < DELAY_BUCKETS; i++)
        sketch->n += sketch->counts[i] /= 2;
}

void delay_sketch_add(DelaySketch *sketch, int64_t delay)
{
    if (sketch->until == 0)
        sketch->until = DELAYS_NEEDED;
    sketch->counts[bucket_of(delay)]++;
    sketch->n++;
    if (--sketch->until)
        return;
    sketch->until = ADDED;
    sketch->p95 = percentile(sketch);
    if (sketch->n >= COUNTED)
        halve(sketch);
}
