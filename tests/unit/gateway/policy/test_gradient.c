#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/policy/gradient.h"

static const ConcurrencyConfig limits = {.calls = 1000, .adaptive = true, .least = 10};

/* Windows of calls that take so long, with so many in flight. */
static void windows(Gradient *g, int n, int64_t took, uint32_t in_flight)
{
    for (int i = 0; i < n * GRADIENT_WINDOW; i++)
        gradient_sample(g, &limits, took, in_flight);
}

static void without_samples_it_is_the_floor(void **state)
{
    Gradient g = {0};
    assert_int_equal(gradient_limit(&g, &limits), 10);
    for (int i = 0; i < GRADIENT_WINDOW - 1; i++)
        gradient_sample(&g, &limits, MILLISECOND, 10);
    assert_int_equal(gradient_limit(&g, &limits), 10);
}

static void it_grows_while_calls_take_as_long_as_usual_up_to_the_most(void **state)
{
    Gradient g = {0};
    uint32_t before = 10;
    for (int i = 0; i < 20; i++) {
        windows(&g, 2, MILLISECOND, 1000);
        assert_true(gradient_limit(&g, &limits) > before);
        before = gradient_limit(&g, &limits);
    }
    windows(&g, 1000, MILLISECOND, 1000);
    assert_int_equal(gradient_limit(&g, &limits), 1000);
}

static void it_grows_only_while_half_of_it_is_used(void **state)
{
    static const struct {
        uint32_t in_flight;
        bool grows;
    } rows[] = {{4, false}, {5, true}, {10, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Gradient g = {0};
        windows(&g, 3, MILLISECOND, rows[i].in_flight);
        assert_int_equal(g.limit > 10, rows[i].grows);
    }
}

static void it_shrinks_when_calls_take_longer_than_the_tolerance(void **state)
{
    static const struct {
        int64_t took;
        bool shrinks;
    } rows[] = {{MILLISECOND, false}, {MILLISECOND * 14 / 10, false}, {2 * MILLISECOND, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Gradient g = {0};
        windows(&g, 300, MILLISECOND, 1000);
        uint32_t before = gradient_limit(&g, &limits);
        windows(&g, 1, rows[i].took, 1000);
        assert_int_equal(gradient_limit(&g, &limits) < before, rows[i].shrinks);
    }
}

static void it_never_shrinks_below_the_floor(void **state)
{
    Gradient g = {0};
    windows(&g, 300, MILLISECOND, 1000);
    int64_t took = MILLISECOND;
    for (int i = 0; i < 60; i++, took = took * 11 / 10) {
        windows(&g, 1, took, 1000);
        assert_true(gradient_limit(&g, &limits) >= 10);
    }
    assert_true(gradient_limit(&g, &limits) < 20);
}

/* A service that does a hundred calls at once; more of them queue. */
static int64_t time_at(uint32_t in_flight)
{
    enum { AT_ONCE = 100 };
    return in_flight <= AT_ONCE ? 10 * MILLISECOND : 10 * MILLISECOND * in_flight / AT_ONCE;
}

static void it_finds_about_what_a_service_can_do_at_once(void **state)
{
    Gradient g = {0};
    for (int i = 0; i < 500; i++) {
        uint32_t in_flight = gradient_limit(&g, &limits);
        windows(&g, 1, time_at(in_flight), in_flight);
    }
    assert_true(gradient_limit(&g, &limits) > 80);
    assert_true(gradient_limit(&g, &limits) < 400);
}

static void a_service_that_becomes_faster_is_soon_measured_anew(void **state)
{
    Gradient g = {0};
    windows(&g, 50, 100 * MILLISECOND, 1000);
    windows(&g, 60, 10 * MILLISECOND, 1000);
    assert_true(g.long_time < 25 * MILLISECOND);
}

static void only_what_took_less_than_half_is_much_faster(void **state)
{
    static const struct {
        int64_t took;
        bool much_faster;
    } rows[] = {{130, false}, {120, true}, {100, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Gradient g = {0};
        windows(&g, 1, 250, 1);
        windows(&g, 1, rows[i].took, 1);
        assert_int_equal(g.long_time < 240, rows[i].much_faster);
    }
}

static void each_window_is_of_its_own_calls(void **state)
{
    Gradient g = {0};
    windows(&g, 1, 100, 1);
    assert_true(g.short_time == 100);
    for (int i = 0; i < GRADIENT_WINDOW - 1; i++)
        gradient_sample(&g, &limits, 200, 1);
    assert_true(g.short_time == 100);
    gradient_sample(&g, &limits, 200, 1);
    assert_true(g.short_time == 200);
}

static void no_call_takes_no_time(void **state)
{
    Gradient g = {0};
    windows(&g, 1, 0, 10);
    assert_true(g.short_time == 1);
}

static void the_most_calls_in_flight_of_a_window_are_what_is_used(void **state)
{
    Gradient g = {0};
    for (int i = 0; i < GRADIENT_WINDOW; i++)
        gradient_sample(&g, &limits, MILLISECOND, i == 20 ? 10 : 1);
    assert_true(g.limit > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_samples_it_is_the_floor),
        cmocka_unit_test(it_grows_while_calls_take_as_long_as_usual_up_to_the_most),
        cmocka_unit_test(it_grows_only_while_half_of_it_is_used),
        cmocka_unit_test(it_shrinks_when_calls_take_longer_than_the_tolerance),
        cmocka_unit_test(it_never_shrinks_below_the_floor),
        cmocka_unit_test(it_finds_about_what_a_service_can_do_at_once),
        cmocka_unit_test(a_service_that_becomes_faster_is_soon_measured_anew),
        cmocka_unit_test(only_what_took_less_than_half_is_much_faster),
        cmocka_unit_test(each_window_is_of_its_own_calls),
        cmocka_unit_test(no_call_takes_no_time),
        cmocka_unit_test(the_most_calls_in_flight_of_a_window_are_what_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
