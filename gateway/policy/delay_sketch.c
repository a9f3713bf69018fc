#include "gateway/policy/delay_sketch.h"

#include "base/histogram.h"

enum {
    COUNTED = 2048, /* then all counts are halved */
    ADDED = 64,     /* until the percentile is computed again */
    WIDTH = 4,      /* of a histogram's buckets in one of these */
    SHIFT = 128,    /* its buckets of this width before 2^20 ns, 1.05 ms: they are the first one */
};

static uint32_t bucket_of(int64_t delay)
{
    uint32_t wide = histogram_bucket(delay > 0 ? (uint64_t)delay : 0) / WIDTH;
    uint32_t bucket = wide > SHIFT ? wide - SHIFT : 0;
    return bucket < DELAY_BUCKETS ? bucket : DELAY_BUCKETS - 1;
}

/* Where the bucket ends. */
static int64_t end_of(uint32_t bucket)
{
    return (int64_t)histogram_bucket_start((bucket + 1 + SHIFT) * WIDTH);
}

int64_t delay_sketch_at(const DelaySketch *sketch, double share)
{
    double most = sketch->n * (1 - share);
    uint32_t above = 0, bucket = DELAY_BUCKETS;
    if (sketch->n < DELAYS_NEEDED)
        return 0;
    while (bucket > 0 && (above += sketch->counts[bucket - 1]) <= most)
        bucket--;
    return end_of(bucket ? bucket - 1 : 0);
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
