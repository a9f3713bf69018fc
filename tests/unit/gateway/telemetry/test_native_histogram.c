#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/telemetry/native_histogram.h"

#include <math.h>

/* What Prometheus takes for the upper bound of a slot, in seconds. */
static double upper_bound(int slot)
{
    return exp2((double)(slot + NATIVE_FIRST) / NATIVE_SHARE);
}

/* Each nanosecond near each bound, and what is out of all. */
static void each_duration_is_in_the_slot_between_its_bounds(void **state)
{
    for (int slot = 0; slot < NATIVE_SLOTS; slot++) {
        int64_t bound = (int64_t)floor(upper_bound(slot) * (double)SECOND);
        for (int64_t at = bound - 2; at <= bound + 2; at++) {
            int found = native_slot(at);
            double seconds = (double)at / (double)SECOND;
            assert_true(found >= -1 && found < NATIVE_SLOTS);
            double least = found < 0 ? -1 : found == 0 ? NATIVE_ZERO : upper_bound(found - 1);
            double most = found < 0 ? NATIVE_ZERO : upper_bound(found);
            assert_true(seconds > least * (1 - 1e-12));
            assert_true(seconds <= most * (1 + 1e-12) || found == NATIVE_SLOTS - 1);
        }
    }
}

static void the_ends_take_what_is_beyond_them(void **state)
{
    static const struct {
        int64_t nanoseconds;
        int slot;
    } cases[] = {
        {-1, -1},
        {0, -1},
        {953, -1},         /* 2^-20 s is 953.67 ns */
        {954, 0},          /* ]2^-20, 2^(-159/8)] */
        {SECOND / 2, 151}, /* a bound: 2^-1, index -8 */
        {SECOND / 2 + 1, 152},
        {SECOND, 159}, /* 2^0, index 0 */
        {SECOND + 1, 160},
        {4096 * SECOND, 255}, /* the last bound */
        {4096 * SECOND + 1, 255},
        {INT64_MAX, 255},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(native_slot(cases[i].nanoseconds), cases[i].slot);
}

static void counts_of_several_histograms_are_added(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    NativeHistogram one = {0}, two = {0};
    native_record(&one, arena, 0);
    native_record(&one, arena, SECOND);
    native_record(&one, arena, SECOND);
    native_record(&two, arena, SECOND);
    native_record(&two, arena, 2 * SECOND);
    NativeCounts sum = {0};
    native_add(&sum, &one);
    native_add(&sum, &two);
    assert_int_equal(sum.zero, 1);
    assert_int_equal(sum.slots[159], 3);
    assert_int_equal(sum.slots[167], 1);
    assert_null(atomic_load(&one.octaves[0])); /* what nothing is counted in is not allocated */
    arena_free(arena);
}

/* Slots and their counts, up to a count of 0; then what they become. */
typedef struct SpanCase {
    struct {
        int slot;
        uint64_t count;
    } counts[8];
    uint32_t n_spans, n_deltas;
    NativeSpan spans[4];
    int64_t deltas[8];
} SpanCase;

static void assert_spans(const SpanCase *expected)
{
    NativeCounts counts = {0};
    NativeSpans spans;
    for (int i = 0; expected->counts[i].count; i++)
        counts.slots[expected->counts[i].slot] = expected->counts[i].count;
    native_spans(&counts, &spans);
    assert_int_equal(spans.n_spans, expected->n_spans);
    assert_int_equal(spans.n_deltas, expected->n_deltas);
    for (uint32_t i = 0; i < spans.n_spans; i++) {
        assert_int_equal(spans.spans[i].offset, expected->spans[i].offset);
        assert_int_equal(spans.spans[i].length, expected->spans[i].length);
    }
    for (uint32_t i = 0; i < spans.n_deltas; i++)
        assert_int_equal(spans.deltas[i], expected->deltas[i]);
}

static void buckets_are_written_in_spans_and_differences(void **state)
{
    static const SpanCase cases[] = {
        {.n_spans = 0},
        {.counts = {{0, 5}}, 1, 1, {{-159, 1}}, {5}},
        {.counts = {{255, 1}}, 1, 1, {{96, 1}}, {1}},
        {.counts = {{159, 7}, {160, 3}}, 1, 2, {{0, 2}}, {7, -4}},
        /* a gap of two is filled, one of three is not */
        {.counts = {{10, 4}, {13, 6}}, 1, 4, {{-149, 4}}, {4, -4, 0, 6}},
        {.counts = {{10, 4}, {14, 6}}, 2, 2, {{-149, 1}, {3, 1}}, {4, 2}},
        {.counts = {{0, 1}, {1, 1}, {200, 9}, {202, 9}},
         2,
         5,
         {{-159, 2}, {198, 3}},
         {1, 0, 8, -9, 9}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_spans(&cases[i]);
}

static void a_quantile_is_within_five_percent(void **state)
{
    static const double shares[] = {0.001, 0.5, 0.99, 1};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (int64_t at = 2 * MICROSECOND; at < 1000 * SECOND; at += at / 7) {
        NativeHistogram one = {0};
        NativeCounts sum = {0};
        native_record(&one, arena, at);
        native_add(&sum, &one);
        for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
            double ratio = (double)native_quantile(&sum, shares[i]) / (double)at;
            assert_true(ratio > 0.95 && ratio < 1.05);
        }
    }
    arena_free(arena);
}

static void a_quantile_is_of_the_share_of_all(void **state)
{
    NativeCounts counts = {.zero = 0};
    assert_int_equal(native_quantile(&counts, 0.5), 0);
    counts.zero = 50;
    counts.slots[159] = 49; /* up to 1 s */
    counts.slots[167] = 1;  /* up to 2 s */
    assert_int_equal(native_quantile(&counts, 0.5), 0);
    assert_true(native_quantile(&counts, 0.51) > 9 * SECOND / 10);
    assert_true(native_quantile(&counts, 0.99) < SECOND);
    assert_true(native_quantile(&counts, 0.991) > SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_duration_is_in_the_slot_between_its_bounds),
        cmocka_unit_test(the_ends_take_what_is_beyond_them),
        cmocka_unit_test(counts_of_several_histograms_are_added),
        cmocka_unit_test(buckets_are_written_in_spans_and_differences),
        cmocka_unit_test(a_quantile_is_within_five_percent),
        cmocka_unit_test(a_quantile_is_of_the_share_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
