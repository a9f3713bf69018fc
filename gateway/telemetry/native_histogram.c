#include "gateway/telemetry/native_histogram.h"

#include "base/clock.h"

#include <math.h>

enum { GAP_MOST = 2 /* buckets that are written although they are empty */ };

/* ---- Counting -------------------------------------------------------------------------------- */

/* 2^(k/8 - 1): the upper bounds of the buckets of an octave, within [0.5, 1). */
static const double bounds[NATIVE_SHARE] = {
    0.5,
    0.5452538663326288,
    0.5946035575013605,
    0.6484197773255048,
    0.7071067811865475,
    0.7711054127039704,
    0.8408964152537144,
    0.9170040432046711,
};

int native_slot(int64_t nanoseconds)
{
    double seconds = (double)nanoseconds / (double)SECOND;
    if (seconds <= NATIVE_ZERO)
        return -1;
    int exponent, k = 0;
    double fraction = frexp(seconds, &exponent);
    while (k < NATIVE_SHARE && bounds[k] < fraction)
        k++;
    int slot = (exponent - 1) * NATIVE_SHARE + k - NATIVE_FIRST;
    return slot < NATIVE_SLOTS ? slot : NATIVE_SLOTS - 1;
}

static void add_one(_Atomic uint64_t *count)
{
    uint64_t now = atomic_load_explicit(count, memory_order_relaxed);
    atomic_store_explicit(count, now + 1, memory_order_relaxed);
}

void native_record(NativeHistogram *histogram, Arena *arena, int64_t nanoseconds)
{
    int slot = native_slot(nanoseconds);
    if (slot < 0) {
        add_one(&histogram->zero);
        return;
    }
    NativeOctave *_Atomic *at = &histogram->octaves[slot / NATIVE_SHARE];
    NativeOctave *octave = atomic_load_explicit(at, memory_order_relaxed);
    if (!octave) {
        octave = arena_make(arena, NativeOctave);
        atomic_store_explicit(at, octave, memory_order_release);
    }
    add_one(&octave->counts[slot % NATIVE_SHARE]);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void add_octave(uint64_t *slots, const NativeOctave *octave)
{
    for (int k = 0; k < NATIVE_SHARE; k++)
        slots[k] += atomic_load_explicit(&octave->counts[k], memory_order_relaxed);
}

void native_add(NativeCounts *sum, const NativeHistogram *histogram)
{
    sum->zero += atomic_load_explicit(&histogram->zero, memory_order_relaxed);
    for (int i = 0; i < NATIVE_OCTAVES; i++) {
        const NativeOctave *octave =
            atomic_load_explicit(&histogram->octaves[i], memory_order_acquire);
        if (octave)
            add_octave(&sum->slots[i * NATIVE_SHARE], octave);
    }
}

/* The middle of a slot. */
static int64_t duration_of(int slot)
{
    return (int64_t)(exp2((slot + NATIVE_FIRST - 0.5) / NATIVE_SHARE) * (double)SECOND);
}

int64_t native_quantile(const NativeCounts *counts, double q)
{
    uint64_t n = counts->zero, seen = counts->zero;
    for (int slot = 0; slot < NATIVE_SLOTS; slot++)
        n += counts->slots[slot];
    uint64_t rank = (uint64_t)ceil(q * (double)n);
    if (seen >= rank)
        return 0;
    int slot = 0;
    while ((seen += counts->slots[slot]) < rank && slot < NATIVE_SLOTS - 1)
        slot++;
    return duration_of(slot);
}

static void add_bucket(NativeSpans *spans, uint64_t count, int64_t *before)
{
    spans->spans[spans->n_spans - 1].length++;
    spans->deltas[spans->n_deltas++] = (int64_t)count - *before;
    *before = (int64_t)count;
}

void native_spans(const NativeCounts *counts, NativeSpans *spans_out)
{
    int end = 0; /* the slot behind the last bucket that was written */
    int64_t before = 0;
    spans_out->n_spans = spans_out->n_deltas = 0;
    for (int slot = 0; slot < NATIVE_SLOTS; slot++) {
        if (counts->slots[slot] == 0)
            continue;
        bool first = spans_out->n_spans == 0;
        if (first || slot - end > GAP_MOST) {
            int32_t offset = first ? slot + NATIVE_FIRST : slot - end;
            spans_out->spans[spans_out->n_spans++] = (NativeSpan){offset, 0};
            end = slot;
        }
        for (; end < slot; end++)
            add_bucket(spans_out, 0, &before);
        add_bucket(spans_out, counts->slots[slot], &before);
        end = slot + 1;
    }
}
