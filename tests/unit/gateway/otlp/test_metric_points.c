#include "gateway/otlp/metric_points.h"

#include "adapters/schema/wire.h"
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/telemetry/metrics.pb-c.h"

#include "tests/unit/check.h"

/* metrics.proto: numbers of fields. */
enum { NAME = 1, UNIT = 3, GAUGE = 5, SUM = 7, HISTOGRAM = 9, EXPONENTIAL = 10, SUMMARY = 11 };

static Arena *arena;
static PointForm form = {.start = 5 * SECOND, .now = 9 * SECOND};
static size_t batch = SIZE_MAX;
static Bytes metrics[4];
static uint32_t n_metrics;
static size_t n_points;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    form.exponential = false;
    batch = SIZE_MAX;
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

/* Each metric that is written is one of `metrics`. */
static void take(void *owner, const MetricFamily *family)
{
    n_points = family->n_metric;
    for (size_t at = 0; at < family->n_metric;) {
        Buffer out = buffer_in(arena);
        at += metric_points_write(family, at, batch, &form, &out);
        assert_true(n_metrics < 4);
        metrics[n_metrics++] = wire_find_bytes(buffer_bytes(&out), 2);
    }
}

static Exposition begin(const char *name, MetricType type)
{
    n_metrics = 0;
    Exposition e = {.format = METRICS_PROTOBUF, .take = take};
    exposition_family(&e, name, type, "What it is.");
    return e;
}

static Bytes data_of(Bytes metric, uint32_t kind)
{
    Bytes data = wire_find_bytes(metric, kind);
    assert_non_null(data.data);
    return data;
}

static WireField field_of(Bytes message, uint32_t number)
{
    WireReader reader = wire_reader(message);
    for (WireField field; wire_next(&reader, &field);)
        if (field.number == number)
            return field;
    return (WireField){.number = 0};
}

static uint64_t number_in(Bytes message, uint32_t number)
{
    return field_of(message, number).value;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double double_in(Bytes message, uint32_t number)
{
    return double_of(number_in(message, number));
}

static uint64_t packed_in(Bytes message, uint32_t number, size_t index)
{
    Bytes packed = wire_find_bytes(message, number);
    assert_true(packed.size >= 8 * (index + 1));
    return wire_fixed64(packed.data + 8 * index);
}

static void a_counter_is_a_monotonic_sum_since_the_start(void **state)
{
    Exposition e = begin("calls", METRIC_COUNTER);
    Label labels[] = {{"service", "orders"}, {"empty", ""}};
    exposition_number(&e, "", labels, 2, 7);
    exposition_end(&e);
    Bytes sum = data_of(metrics[0], SUM), point = wire_find_bytes(sum, 1);
    assert_bytes(wire_find_bytes(metrics[0], NAME), "calls_total");
    assert_int_equal(number_in(sum, 2), 2); /* cumulative */
    assert_int_equal(number_in(sum, 3), 1); /* monotonic */
    assert_int_equal(number_in(point, 2), 5 * SECOND);
    assert_int_equal(number_in(point, 3), 9 * SECOND);
    assert_true(double_in(point, 4) == 7);
    Bytes label = wire_find_bytes(point, 7); /* the last one: empty ones are left out */
    assert_bytes(wire_find_bytes(label, 1), "service");
    assert_bytes(wire_find_bytes(wire_find_bytes(label, 2), 1), "orders");
}

static void a_gauge_is_of_now(void **state)
{
    Exposition e = begin("queue_bytes", METRIC_GAUGE);
    exposition_number(&e, "", NULL, 0, 3);
    exposition_end(&e);
    Bytes point = wire_find_bytes(data_of(metrics[0], GAUGE), 1);
    assert_true(double_in(point, 4) == 3);
    assert_int_equal(field_of(point, 2).number, 0); /* no start */
    assert_bytes(wire_find_bytes(metrics[0], UNIT), "By");
}

static void units_are_those_of_names(void **state)
{
    Exposition e = begin("work_seconds", METRIC_COUNTER);
    exposition_number(&e, "", NULL, 0, 3);
    exposition_end(&e);
    assert_bytes(wire_find_bytes(metrics[0], UNIT), "s");
    e = begin("calls", METRIC_COUNTER);
    exposition_number(&e, "", NULL, 0, 3);
    exposition_end(&e);
    assert_null(wire_find_bytes(metrics[0], UNIT).data);
}

/* Three measurements: 1, 3, and 300 ms. */
static void write_histogram(void)
{
    NativeHistogram native = {0};
    NativeCounts counts = {0};
    native_record(&native, arena, MILLISECOND);
    native_record(&native, arena, 3 * MILLISECOND);
    native_record(&native, arena, 300 * MILLISECOND);
    native_add(&counts, &native);
    Exposition e = begin("duration_seconds", METRIC_HISTOGRAM);
    Label labels[] = {{"service", "orders"}, {"le", "0.002"}};
    exposition_number(&e, "_bucket", labels, 2, 1);
    labels[1].value = "0.1";
    exposition_number(&e, "_bucket", labels, 2, 2);
    labels[1].value = "+Inf";
    exposition_number(&e, "_bucket", labels, 2, 3);
    exposition_seconds(&e, "_sum", labels, 1, 304 * MILLISECOND);
    exposition_number(&e, "_count", labels, 1, 3);
    exposition_native(&e, &counts);
    exposition_end(&e);
}

static void a_histogram_has_the_buckets_of_the_page(void **state)
{
    write_histogram();
    Bytes histogram = data_of(metrics[0], HISTOGRAM), point = wire_find_bytes(histogram, 1);
    assert_int_equal(number_in(histogram, 2), 2); /* cumulative */
    assert_int_equal(number_in(point, 4), 3);
    assert_true(double_in(point, 5) == 0.304);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(packed_in(point, 6, i), 1);
    assert_int_equal(wire_find_bytes(point, 6).size, 3 * 8);
    assert_int_equal(wire_find_bytes(point, 7).size, 2 * 8);
    assert_true(double_of(packed_in(point, 7, 1)) == 0.1);
}

/* base^(offset + i) < what is in bucket i <= base^(offset + i + 1), with base^8 = 2. */
static void an_exponential_histogram_has_buckets_where_they_are_by_its_scale(void **state)
{
    form.exponential = true;
    write_histogram();
    Bytes point = wire_find_bytes(data_of(metrics[0], EXPONENTIAL), 1);
    assert_int_equal(number_in(point, 4), 3);
    assert_int_equal(wire_unzigzag(number_in(point, 6)), 3);
    Bytes positive = wire_find_bytes(point, 8), counts = wire_find_bytes(positive, 2);
    int64_t offset = wire_unzigzag(number_in(positive, 1));
    assert_int_equal(offset, -80); /* 2^-10 < 0.001 <= 2^-9.875 */
    assert_int_equal(counts.data[0], 1);
    assert_int_equal(counts.data[12], 1);              /* 2^-8.5 < 0.003 <= 2^-8.375 */
    assert_int_equal(counts.data[counts.size - 1], 1); /* 2^-1.75 < 0.3 <= 2^-1.625 */
    assert_int_equal(offset + (int64_t)counts.size - 1, -14);
    uint64_t sum = 0;
    for (size_t i = 0; i < counts.size; i++)
        sum += counts.data[i];
    assert_int_equal(sum, 3);
}

static Exemplar exemplar_of(char digit, int64_t value)
{
    Exemplar exemplar = {.value = value, .at = 8 * SECOND + 1};
    memset(exemplar.trace, digit, sizeof exemplar.trace);
    memset(exemplar.span, digit, sizeof exemplar.span);
    return exemplar;
}

/* One in the second bucket, and one beyond the last bound. */
static void write_with_exemplars(void)
{
    NativeCounts counts = {.slots = {[0] = 2}};
    Exemplar inside = exemplar_of('1', 50 * MILLISECOND), beyond = exemplar_of('2', 60 * SECOND);
    Exposition e = begin("duration_seconds", METRIC_HISTOGRAM);
    Label label = {"le", "0.01"};
    exposition_bucket(&e, &label, 1, 0, NULL);
    label.value = "0.1";
    exposition_bucket(&e, &label, 1, 1, &inside);
    label.value = "+Inf";
    exposition_bucket(&e, &label, 1, 2, &beyond);
    exposition_seconds(&e, "_sum", NULL, 0, 60 * SECOND);
    exposition_number(&e, "_count", NULL, 0, 2);
    exposition_native(&e, &counts);
    exposition_end(&e);
}

static uint32_t exemplars_of(Bytes point, uint32_t number, Bytes *last_out)
{
    uint32_t n = 0;
    WireReader reader = wire_reader(point);
    for (WireField field; wire_next(&reader, &field);) {
        if (field.number == number) {
            *last_out = field.bytes;
            n++;
        }
    }
    return n;
}

static void exemplars_say_which_span_was_measured(void **state)
{
    static const uint32_t kinds[] = {HISTOGRAM, EXPONENTIAL}, fields[] = {8, 11};
    for (int i = 0; i < 2; i++) {
        Bytes last;
        form.exponential = i;
        write_with_exemplars();
        Bytes point = wire_find_bytes(data_of(metrics[0], kinds[i]), 1);
        assert_int_equal(exemplars_of(point, fields[i], &last), 2);
        assert_int_equal(number_in(last, 2), 8 * SECOND + 1);
        assert_true(double_in(last, 3) == 60);
        assert_bytes(wire_find_bytes(last, 4), "\x22\x22\x22\x22\x22\x22\x22\x22");
        assert_int_equal(wire_find_bytes(last, 5).size, 16);
    }
}

static void
what_is_beyond_the_last_bound_is_in_the_last_bucket_with_an_exemplar_or_without(void **state)
{
    write_with_exemplars();
    Bytes point = wire_find_bytes(data_of(metrics[0], HISTOGRAM), 1);
    assert_int_equal(wire_find_bytes(point, 6).size, 3 * 8);
    assert_int_equal(wire_find_bytes(point, 7).size, 2 * 8);
    assert_int_equal(packed_in(point, 6, 0), 0);
    assert_int_equal(packed_in(point, 6, 1), 1);
    assert_int_equal(packed_in(point, 6, 2), 1);
}

static void a_summary_has_its_quantiles(void **state)
{
    Exposition e = begin("duration", METRIC_SUMMARY);
    Label label = {"quantile", "0.99"};
    exposition_seconds(&e, "", &label, 1, 2 * SECOND);
    exposition_seconds(&e, "_sum", NULL, 0, 20 * SECOND);
    exposition_number(&e, "_count", NULL, 0, 11);
    exposition_end(&e);
    Bytes point = wire_find_bytes(data_of(metrics[0], SUMMARY), 1);
    assert_int_equal(number_in(point, 4), 11);
    assert_true(double_in(point, 5) == 20);
    assert_true(double_in(wire_find_bytes(point, 6), 1) == 0.99);
    assert_true(double_in(wire_find_bytes(point, 6), 2) == 2);
}

static void a_long_family_is_several_metrics_of_the_same_name(void **state)
{
    batch = 1; /* a point each */
    Exposition e = begin("calls", METRIC_COUNTER);
    exposition_number(&e, "", &(Label){"service", "a"}, 1, 1);
    exposition_number(&e, "", &(Label){"service", "b"}, 1, 2);
    exposition_number(&e, "", &(Label){"service", "c"}, 1, 3);
    exposition_end(&e);
    assert_int_equal(n_points, 3);
    assert_int_equal(n_metrics, 3);
    for (uint32_t i = 0; i < n_metrics; i++) {
        assert_bytes(wire_find_bytes(metrics[i], NAME), "calls_total");
        assert_true(double_in(wire_find_bytes(data_of(metrics[i], SUM), 1), 4) == i + 1);
    }
}

static void a_family_without_samples_is_left_out(void **state)
{
    Exposition e = begin("calls", METRIC_COUNTER);
    exposition_end(&e);
    assert_int_equal(n_metrics, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_counter_is_a_monotonic_sum_since_the_start),
        TEST(a_gauge_is_of_now),
        TEST(units_are_those_of_names),
        TEST(a_histogram_has_the_buckets_of_the_page),
        TEST(an_exponential_histogram_has_buckets_where_they_are_by_its_scale),
        TEST(exemplars_say_which_span_was_measured),
        TEST(what_is_beyond_the_last_bound_is_in_the_last_bucket_with_an_exemplar_or_without),
        TEST(a_summary_has_its_quantiles),
        TEST(a_long_family_is_several_metrics_of_the_same_name),
        TEST(a_family_without_samples_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
