/*
 * NativeHistogram: the distribution of durations in the buckets of Prometheus' native histograms:
 * eight to each power of two (schema 3), so that a quantile is within 9 %.
 *
 * One thread counts; any thread may read at any time. Eight buckets are allocated when the first
 * of them is counted: most methods need few.
 *
 *   zero   ]0, 2^-20 s]: about a microsecond
 *   slot i ]2^((i-160)/8) s, 2^((i-159)/8) s]; the last one also takes what is longer (68 minutes)
 */
#ifndef GATEWAY_NATIVE_HISTOGRAM_H
#define GATEWAY_NATIVE_HISTOGRAM_H

#include "base/arena.h"

#include <stdatomic.h>

enum {
    NATIVE_SCHEMA = 3,
    NATIVE_SHARE = 1 << NATIVE_SCHEMA,     /* buckets to a power of two */
    NATIVE_FIRST = -20 * NATIVE_SHARE + 1, /* Prometheus' index of slot 0 */
    NATIVE_OCTAVES = 32,
    NATIVE_SLOTS = NATIVE_OCTAVES * NATIVE_SHARE,
};
#define NATIVE_ZERO (1.0 / (1 << 20)) /* seconds */

typedef struct NativeOctave {
    _Atomic uint64_t counts[NATIVE_SHARE];
} NativeOctave;

/* All zero is an empty one. */
typedef struct NativeHistogram {
    _Atomic uint64_t zero;
    NativeOctave *_Atomic octaves[NATIVE_OCTAVES];
} NativeHistogram;

/* The slot of a duration in nanoseconds; -1: it is so short that it counts as zero. */
int native_slot(int64_t nanoseconds);

/* Only the thread that owns it. Octaves are taken from `arena`. */
void native_record(NativeHistogram *histogram, Arena *arena, int64_t nanoseconds);

/* A sum, for reading. */
typedef struct NativeCounts {
    uint64_t zero, slots[NATIVE_SLOTS];
} NativeCounts;

void native_add(NativeCounts *sum, const NativeHistogram *histogram);

/* A duration in nanoseconds that the share `q` of them does not exceed, within 5 %; 0: it is less
   than a microsecond, or there is none. */
int64_t native_quantile(const NativeCounts *counts, double q);

/* A run of buckets without a large gap: it begins `offset` buckets behind the run before; the first
   one at the index `offset`. */
typedef struct NativeSpan {
    int32_t offset;
    uint32_t length;
} NativeSpan;

/* Buckets as Prometheus reads them. */
typedef struct NativeSpans {
    uint32_t n_spans, n_deltas;
    NativeSpan spans[NATIVE_SLOTS];
    int64_t deltas[NATIVE_SLOTS]; /* each bucket's count, without that of the bucket before */
} NativeSpans;

/* Gaps of one or two buckets are written as empty buckets, which is shorter than another span. */
void native_spans(const NativeCounts *counts, NativeSpans *spans_out);

#endif
