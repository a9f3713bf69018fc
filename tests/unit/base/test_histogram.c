#include "tests/unit/check.h"

#include "base/histogram.h"
#include "base/random.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

static Histogram *make(void)
{
    Histogram *histogram = calloc(1, sizeof *histogram);
    assert_non_null(histogram);
    return histogram;
}

static void buckets_follow_each_other_without_gap(void **state)
{
    for (uint32_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        uint64_t start = histogram_bucket_start(bucket);
        uint64_t end = histogram_bucket_start(bucket + 1);
        assert_true(end > start);
        assert_int_equal(histogram_bucket(start), bucket);
        assert_int_equal(histogram_bucket(end - 1), bucket);
    }
    assert_int_equal(histogram_bucket_start(HISTOGRAM_BUCKETS), UINT64_C(1) << HISTOGRAM_BITS);
    assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void an_empty_one_has_no_quantiles(void **state)
{
    Histogram *histogram = make();
    assert_int_equal(histogram_count(histogram), 0);
    assert_int_equal(histogram_quantile(histogram, 0.99), 0);
    free(histogram);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Of any size: as many of one bit as of forty. */
static uint64_t any_value(Random *random)
{
    return random_next(random) >> (64 - 1 - random_below(random, HISTOGRAM_BITS));
}

static void quantiles_are_within_three_percent_of_the_true_ones(void **state)
{
    enum { N = 20000 };
    static const double quantiles[] = {0, 0.01, 0.5, 0.9, 0.99, 0.999, 1};
    uint64_t *values = calloc(N, sizeof *values);
    Histogram *histogram = make();
    Random random;
    random_seed_fixed(&random, 4);
    uint64_t sum = 0;
    for (int i = 0; i < N; i++) {
        values[i] = any_value(&random);
        sum += values[i];
        histogram_record(histogram, values[i]);
    }
    qsort(values, N, sizeof *values, by_value);

    assert_int_equal(histogram_count(histogram), N);
    assert_int_equal(histogram_sum(histogram), sum);
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        size_t rank = (size_t)(quantiles[i] * N);
        uint64_t expected = values[rank > 0 ? rank - 1 : 0];
        uint64_t found = histogram_quantile(histogram, quantiles[i]);
        uint64_t difference = found > expected ? found - expected : expected - found;
        assert_true(difference <= expected * 3 / 100);
    }
    free(values);
    free(histogram);
}

static void a_merge_is_as_if_one_had_recorded_all(void **state)
{
    Histogram *parts[2] = {make(), make()}, *whole = make(), *merged = make();
    Random random;
    random_seed_fixed(&random, 5);
    for (int i = 0; i < 1000; i++) {
        uint64_t value = any_value(&random);
        histogram_record(parts[i % 2], value);
        histogram_record(whole, value);
    }
    histogram_merge(merged, parts[0]);
    histogram_merge(merged, parts[1]);
    assert_int_equal(histogram_sum(merged), histogram_sum(whole));
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        assert_int_equal(merged->counts[i], whole->counts[i]);
    free(parts[0]);
    free(parts[1]);
    free(whole);
    free(merged);
}

static void *record_many(void *histogram)
{
    for (uint64_t i = 0; i < 200000; i++)
        histogram_record(histogram, i);
    return NULL;
}

static void readers_never_see_a_count_go_back(void **state)
{
    Histogram *histogram = make();
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, record_many, histogram), 0);
    uint64_t before = 0;
    while (before < 200000) {
        uint64_t count = histogram_count(histogram);
        assert_true(count >= before);
        before = count;
    }
    pthread_join(writer, NULL);
    assert_int_equal(histogram_count(histogram), 200000);
    free(histogram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_follow_each_other_without_gap),
        cmocka_unit_test(an_empty_one_has_no_quantiles),
        cmocka_unit_test(quantiles_are_within_three_percent_of_the_true_ones),
        cmocka_unit_test(a_merge_is_as_if_one_had_recorded_all),
        cmocka_unit_test(readers_never_see_a_count_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
